import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { Queue } from '../../src/base/queue.ts'

test.prop([fc.array(fc.integer({ min: -3000, max: 3000 }), { maxLength: 12 })])(
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
      for (let n = 0; n < -step; n++) {
        expect(queue.first).toBe(expected[0])
        expect(queue.shift()).toBe(expected.shift())
      }
      expect(queue.length).toBe(expected.length)
    }
  },
)
