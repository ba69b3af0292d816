import type Big from 'big.js'
import { BIGINT, DOUBLE, INTEGER, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction, type AggregateOverload } from '../aggregate-function.ts'
import { arithmeticFunction } from '../arithmetic.ts'
import Decimal from 'big.js'
import { unsignedZero } from '../decimal.ts'
import type { BoundAggregate, SlotAggregate } from '../function.ts'
import { ANY_DECIMAL, type TypePattern } from '../type-pattern.ts'

type Combine = (a: SqlValue, b: SqlValue) => SqlValue

/** Sum and difference of values of a numeric type, in that type: INTEGER and BIGINT wrap around. */
export function addition(type: SqlType): { readonly plus: Combine; readonly minus: Combine } {
  if (type.kind === 'DECIMAL') return decimalAddition(type.precision, type.scale)
  return {
    plus: arithmeticFunction('+', type, type, type) as Combine,
    minus: arithmeticFunction('-', type, type, type) as Combine,
  }
}

function decimalAddition(precision: number, scale: number): { plus: Combine; minus: Combine } {
  const limit = new Decimal(`1e${precision - scale}`)
  const checked = (sum: Big): Big => {
    if (sum.abs().gte(limit)) {
      throw new RangeError(
        `Numeric field overflow: the sum ${sum.toFixed()} does not fit DECIMAL(${precision}, ${scale}).`,
      )
    }
    return unsignedZero(sum)
  }
  return {
    plus: (a, b) => checked((a as Big).plus(b as Big)),
    minus: (a, b) => checked((a as Big).minus(b as Big)),
  }
}

/** The zero of a numeric type. */
export function zeroOf(type: SqlType): SqlValue {
  return type.kind === 'DECIMAL' ? new Decimal(0) : 0
}

const doubleSlots: SlotAggregate = {
  width: 1,
  initial: [0],
  add(state, at, value) {
    state[at]! += value
  },
  merge(into, at, from, fromAt) {
    into[at]! += from[fromAt]!
  },
  result: (state, at) => state[at]!,
  isNull: () => false,
}

/* Wraps at 32 bits with every step, like the general form. */
const integerSlots: SlotAggregate = {
  ...doubleSlots,
  add(state, at, value) {
    state[at] = (state[at]! + value) | 0
  },
  merge(into, at, from, fromAt) {
    into[at] = (into[at]! + from[fromAt]!) | 0
  },
}

/* BIGINT has no slots: a sum beyond the safe integers would lose digits in a double. */
function slotsFor(type: SqlType): SlotAggregate | null {
  return type.kind === 'DOUBLE' ? doubleSlots : type.kind === 'INTEGER' ? integerSlots : null
}

function bindSum(type: SqlType): BoundAggregate {
  const { plus, minus } = addition(type)
  return {
    stateType: type,
    initial: () => zeroOf(type),
    add: (state, [value]) => (value === null ? state : plus(state, value!)),
    undo: (state, [value]) => (value === null ? state : minus(state, value!)),
    merge: plus,
    result: (state) => state,
    slots: slotsFor(type),
  }
}

function sumOf(value: TypePattern): AggregateOverload {
  return { args: { value }, returns: ([type]) => type!, undoable: true, bind: ([type]) => bindSum(type!) }
}

export const sum = aggregateFunction({
  name: 'SUM',
  summary: 'Adds up the values in their own type; 0 when there are none.',
  overloads: [INTEGER, BIGINT, DOUBLE, ANY_DECIMAL].map(sumOf),
})
