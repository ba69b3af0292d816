import { expect, test } from 'vitest'
import { Listeners } from '../../src/base/listeners.ts'

test('each is told until it leaves, and one added twice is two', () => {
  const listeners = new Listeners()
  let told = 0
  const listener = (): void => void told++
  const leave = listeners.add(listener)
  const leaveAlso = listeners.add(listener)
  listeners.tell()
  expect(told).toBe(2)
  leave()
  leave()
  listeners.tell()
  expect(told).toBe(3)
  leaveAlso()
  listeners.tell()
  expect(told).toBe(3)
})

test('one may leave, and others come, while they are told', () => {
  const listeners = new Listeners()
  const told: string[] = []
  const leave = listeners.add(() => {
    told.push('first')
    leave()
    listeners.add(() => told.push('late'))
  })
  listeners.add(() => told.push('second'))
  listeners.tell()
  expect(told).toEqual(['first', 'second'])
  listeners.tell()
  expect(told).toEqual(['first', 'second', 'second', 'late'])
})
