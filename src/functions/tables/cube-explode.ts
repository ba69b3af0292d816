import type { SqlValue } from '../../plan/sql-value.ts'
import { tableFunction } from '../table-function.ts'
import { arrayPattern, typeVariable } from '../type-pattern.ts'

const T = typeVariable('T')

/** More elements would give over a million rows for one. */
const ELEMENTS_MAX = 20

/**
 * All combinations of the elements with some replaced by null. Counts in binary, the last element being
 * the lowest digit and 0 meaning null; elements that are null already are no digits.
 */
function cube(list: readonly SqlValue[]): readonly SqlValue[] {
  if (list.length > ELEMENTS_MAX) {
    throw new RangeError(`CUBE_EXPLODE takes at most ${ELEMENTS_MAX} elements, not ${list.length}.`)
  }
  const digits = list.flatMap((item, i) => (item === null ? [] : [i]))
  return Array.from({ length: 2 ** digits.length }, (_, combination) =>
    list.map((item, i) => {
      const digit = digits.length - 1 - digits.indexOf(i)
      return item !== null && ((combination >> digit) & 1) === 1 ? item : null
    }),
  )
}

export const cubeExplode = tableFunction({
  name: 'CUBE_EXPLODE',
  summary: 'One row for each combination of the elements with some of them replaced by null.',
  args: { list: arrayPattern(T) },
  returns: arrayPattern(T),
  bind: () => (list) => (list === null ? [] : cube(list as readonly SqlValue[])),
  examples: [
    [
      "CUBE_EXPLODE(ARRAY['a', 'b'])",
      [
        [null, null],
        [null, 'b'],
        ['a', null],
        ['a', 'b'],
      ],
    ],
    [
      'CUBE_EXPLODE(ARRAY[1, NULL])',
      [
        [null, null],
        [1, null],
      ],
    ],
  ],
})
