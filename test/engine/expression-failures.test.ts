import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { ExpressionFailures, OTHER_REASONS, SAMPLES_AT_ONCE } from '../../src/engine/expression-failures.ts'

const place = { topic: 't', partition: 0, offset: 7 }

test('all are counted by what failed, whatever the values', () => {
  const failures = new ExpressionFailures(new ManualClock())
  for (let i = 0; i < 250; i++) failures.add(place, i, new RangeError(`'${i} it is' is not an INTEGER.`))
  failures.add(null, 1, new RangeError('A group cannot be negative: -3.'))
  failures.add(null, 1, new RangeError('A group cannot be negative: -1.5e7.'))
  expect(failures.byReason).toEqual({ "'…' is not an INTEGER.": 250, 'A group cannot be negative: ….': 2 })
  expect(failures.count).toBe(252)
})

test('of each reason a hundred are told of, then one a second', () => {
  const clock = new ManualClock()
  const failures = new ExpressionFailures(clock)
  const fail = (times: number, what: string): number => {
    for (let i = 0; i < times; i++) failures.add(place, i, new Error(what))
    return failures.takeSamples().length
  }
  expect(fail(1_000, 'one')).toBe(SAMPLES_AT_ONCE)
  expect(fail(10, 'another')).toBe(10)
  clock.advanceTo(999)
  expect(fail(10, 'one')).toBe(0)
  clock.advanceTo(1_500)
  expect(fail(10, 'one')).toBe(1)
  clock.advanceTo(2_400)
  expect(fail(10, 'one')).toBe(0)
})

test('what is rolled back comes again, and counts and is told of once', () => {
  const failures = new ExpressionFailures(new ManualClock())
  failures.add(place, 1, new Error('one'))
  expect(failures.takeSamples()).toHaveLength(1)
  // The next cycle works while the commit is under way.
  for (let i = 0; i < 200; i++) failures.add(place, 2, new Error('one'))
  failures.committed()
  failures.rollBack()
  expect(failures.takeSamples()).toEqual([])
  expect(failures.count).toBe(1)
  for (let i = 0; i < 200; i++) failures.add(place, 2, new Error('one'))
  expect(failures.takeSamples()).toHaveLength(SAMPLES_AT_ONCE - 1)
  expect(failures.count).toBe(201)
})

test('messages that are all different are counted together', () => {
  const failures = new ExpressionFailures(new ManualClock())
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  for (const a of letters) for (const b of letters) failures.add(null, 0, new Error(`${a}${b}`))
  expect(Object.keys(failures.byReason)).toHaveLength(51)
  expect(failures.byReason[OTHER_REASONS]).toBe(26 * 26 - 50)
})
