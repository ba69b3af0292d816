import { ownArrays, type ArrayMemory } from '../base/array-memory.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import { BooleanVector, NumberVector, TextVector, ValueVector, type Vector } from './vector.ts'

/** A vector of the kind a record's column of this type has, all rows null. `bytes` is what text ranges refer to. */
export function nullVector(
  type: SqlType,
  rows: number,
  bytes: Uint8Array,
  memory: ArrayMemory = ownArrays,
): Vector {
  switch (type.kind) {
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'TIME':
    case 'DATE':
    case 'TIMESTAMP': {
      const vector = new NumberVector(rows, memory)
      vector.nulls.fill(1)
      return vector
    }
    case 'BOOLEAN': {
      const vector = new BooleanVector(rows, memory)
      vector.nulls.fill(1)
      return vector
    }
    case 'STRING':
      return new TextVector(bytes, memory.int32(rows).fill(-1), memory.int32(rows))
    default:
      return new ValueVector(new Array<SqlValue>(rows).fill(null))
  }
}

/** Writes one row of a vector made by {@link nullVector}, whatever was there. */
export function setValue(vector: Vector, row: number, value: SqlValue): void {
  switch (vector.kind) {
    case 'number':
      vector.wide?.delete(row)
      if (value === null) {
        vector.nulls[row] = 1
      } else {
        vector.nulls[row] = 0
        if (typeof value === 'bigint') vector.setWide(row, value)
        else vector.values[row] = value as number
      }
      return
    case 'boolean':
      vector.nulls[row] = value === null ? 1 : 0
      vector.values[row] = value === true ? 1 : 0
      return
    case 'text':
      vector.decoded?.delete(row)
      if (value === null) vector.starts[row] = -1
      else vector.setDecoded(row, value as string)
      return
    case 'value':
      vector.values[row] = value
  }
}

/** Whether a row of a vector is null, without making its value. */
export function isNullAt(vector: Vector, row: number): boolean {
  switch (vector.kind) {
    case 'number':
    case 'boolean':
      return vector.nulls[row] === 1
    case 'text':
      return vector.starts[row]! < 0
    case 'value':
      return vector.values[row] === null
  }
}
