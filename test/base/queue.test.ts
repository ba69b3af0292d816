import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { Queue } from '../../src/base/queue.ts'

test.prop([fc.array(fc.integer({ min: -3000, max: 3000 }), { maxLength: 8 })])(
  'gives out what was put in, in order',
  (steps) => {
    const queue = new Queue<number>()
    const expected: number[] = []
    let next = 0
    for (const step of steps) {
      // Puts in so many, or takes out.
      for (let n = 0; n < step; n++) {
        queue.push(next)
        expected.push(next++)
      }
      const taken: (number | undefined)[] = []
      for (let n = 0; n < -step; n++) taken.push(queue.shift())
      const due: (number | undefined)[] = expected.splice(0, Math.max(0, -step))
      while (due.length < -step) due.push(undefined)
      expect(taken).toEqual(due)
      expect(queue.first).toBe(expected[0])
      expect(queue.length).toBe(expected.length)
    }
  },
)
