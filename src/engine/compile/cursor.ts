import { assert } from '../../base/assert.ts'
import type { FunctionContext, FunctionRegistry } from '../../functions/function.ts'
import type { Expr } from '../../plan/expression.ts'
import type { Schema } from '../../plan/schema.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import type { Batch } from '../batch.ts'
import type { RowExpression, RowPlace } from '../operator.ts'
import { compileClosure, type Closure } from './closure.ts'

/** What compiled expressions need from their surroundings. */
export interface CompileContext {
  readonly functions: FunctionRegistry
  readonly functionContext: FunctionContext
}

export type ExpressionErrorHandler = (batch: Batch, row: number, error: unknown) => void

/** A moving place in a batch. */
interface BatchCursor {
  batch: Batch
  row: number
}

/** How a column, or a pseudo column, of a batch's row is read. */
export function batchColumn(schema: Schema, name: string): (batch: Batch, row: number) => SqlValue {
  const index = schema.columns.findIndex((c) => c.name === name)
  if (index >= 0) return (batch, row) => batch.value(index, row)
  switch (name) {
    case 'ROWTIME':
      return (batch, row) => batch.timestamps[row]!
    case 'ROWPARTITION':
      return (batch) => batch.origin?.partition ?? null
    case 'ROWOFFSET':
      return (batch, row) => batch.origin?.offsets[row] ?? null
    case 'WINDOWSTART':
      return (batch, row) => batch.windows?.starts[row] ?? null
    case 'WINDOWEND':
      return (batch, row) => batch.windows?.ends[row] ?? null
    default:
      assert(false, `column ${name} exists`)
  }
}

/** An expression over rows of batches; throws what the expression throws. */
export function compileOverBatch(
  expr: Expr,
  schema: Schema,
  context: CompileContext,
  nestedError: ExpressionErrorHandler,
): (batch: Batch, row: number) => SqlValue {
  const cursor: BatchCursor = { batch: undefined as unknown as Batch, row: 0 }
  const closure: Closure<BatchCursor> = compileClosure(expr, {
    functions: context.functions,
    context: context.functionContext,
    column(name) {
      const read = batchColumn(schema, name)
      return (c) => read(c.batch, c.row)
    },
    nestedError: (c, error) => nestedError(c.batch, c.row, error),
  })
  return (batch, row) => {
    cursor.batch = batch
    cursor.row = row
    return closure(cursor)
  }
}

/** An expression over rows given by value (one value per column of `schema`). */
export function compileOverRow(expr: Expr, schema: Schema, context: CompileContext): RowExpression {
  interface RowCursor {
    row: Row
    place: RowPlace
  }
  const closure = compileClosure<RowCursor>(expr, {
    functions: context.functions,
    context: context.functionContext,
    column(name) {
      const index = schema.columns.findIndex((c) => c.name === name)
      if (index >= 0) return (c) => c.row[index] ?? null
      switch (name) {
        case 'ROWTIME':
          return (c) => c.place.timestampMs
        case 'WINDOWSTART':
          return (c) => c.place.windowStartMs ?? null
        case 'WINDOWEND':
          return (c) => c.place.windowEndMs ?? null
        case 'ROWPARTITION':
        case 'ROWOFFSET':
          return () => null
        default:
          assert(false, `column ${name} exists`)
      }
    },
    // A row given by value has no place to report: the operator that owns it reports the outer failure.
    nestedError: () => {},
  })
  return (row, place) => closure({ row, place })
}
