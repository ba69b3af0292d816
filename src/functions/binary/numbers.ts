import { BIGINT, BYTES, DOUBLE, INTEGER, STRING, type SqlType } from '../../plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../../plan/sql-value.ts'
import { scalarFunction, type ScalarFunction, type Example } from '../scalar-function.ts'
import { optional } from '../type-pattern.ts'

function fromBytes(
  name: string,
  returns: SqlType,
  size: number,
  read: (view: DataView, littleEndian: boolean) => SqlValue,
  examples: readonly Example[],
): ScalarFunction {
  return scalarFunction({
    name,
    category: 'binary',
    summary: `Reads ${size} bytes, BIG_ENDIAN or LITTLE_ENDIAN, as a number.`,
    args: { bytes: BYTES, order: optional(STRING) },
    returns,
    nulls: { order: 'reject' },
    body(bytes: Uint8Array, order: string = 'BIG_ENDIAN') {
      const orderName = order.toUpperCase()
      if (orderName !== 'BIG_ENDIAN' && orderName !== 'LITTLE_ENDIAN') {
        throw new RangeError(`'${order}' is not an order of bytes: choose BIG_ENDIAN or LITTLE_ENDIAN.`)
      }
      if (bytes.length !== size) throw new RangeError(`${name} needs ${size} bytes, not ${bytes.length}.`)
      const view = new DataView(bytes.buffer, bytes.byteOffset, size)
      return read(view, orderName === 'LITTLE_ENDIAN')
    },
    examples,
  })
}

export const intFromBytes = fromBytes(
  'INT_FROM_BYTES',
  INTEGER,
  4,
  (view, little) => view.getInt32(0, little),
  [
    ["INT_FROM_BYTES(TO_BYTES('000007e5', 'hex'))", 2021],
    ["INT_FROM_BYTES(TO_BYTES('e5070000', 'hex'), 'little_endian')", 2021],
  ],
)

export const bigintFromBytes = fromBytes(
  'BIGINT_FROM_BYTES',
  BIGINT,
  8,
  (view, little) => canonicalBigint(view.getBigInt64(0, little)),
  [
    ["BIGINT_FROM_BYTES(TO_BYTES('000000012a05f200', 'hex'))", 5000000000],
    ["BIGINT_FROM_BYTES(TO_BYTES('7fffffffffffffff', 'hex'))", 9223372036854775807n],
  ],
)

export const doubleFromBytes = fromBytes(
  'DOUBLE_FROM_BYTES',
  DOUBLE,
  8,
  (view, little) => view.getFloat64(0, little),
  [["DOUBLE_FROM_BYTES(TO_BYTES('4080a6fd9bc9f582', 'hex'))", 532.8738323]],
)
