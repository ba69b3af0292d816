import type { FunctionRegistry } from '../functions/function.ts'
import { ValueVector } from '../formats/vector.ts'
import type { FlatMapNode } from '../plan/plan-node.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import type { Batch } from './batch.ts'
import { compileOverBatch, type CompileContext, type ExpressionErrorHandler } from './compile/cursor.ts'
import { gather } from './gather.ts'

/**
 * Expands each row by the table functions of a projection: they advance together, shorter results are
 * padded with null, and a row for which all are empty disappears.
 */
export function flatMap(
  node: FlatMapNode,
  functions: FunctionRegistry,
  context: CompileContext,
  onError: ExpressionErrorHandler,
): (batch: Batch) => Batch {
  const calls = node.functions.map((call) => ({
    args: call.args.map((arg) => compileOverBatch(arg, node.input.schema, context, onError)),
    body: functions.tableBody(
      call.function,
      call.signature,
      call.args.map((a) => a.type),
      call.type,
      context.functionContext,
    ),
  }))
  return (batch) => {
    const rows: number[] = []
    const values: SqlValue[][] = calls.map(() => [])
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      if (batch.isAbsent(row)) continue
      const results = calls.map(({ args, body }) => {
        try {
          return body(...args.map((arg) => arg(batch, row)))
        } catch (error) {
          onError(batch, row, error)
          return []
        }
      })
      const longest = results.reduce((most, r) => Math.max(most, r.length), 0)
      for (let k = 0; k < longest; k++) {
        rows.push(row)
        results.forEach((result, c) => values[c]!.push(result[k] ?? null))
      }
    }
    const expanded = gather(batch, Int32Array.from(rows))
    return expanded.with({
      schema: node.schema,
      vectors: [...expanded.vectors, ...values.map((v) => new ValueVector(v))],
    })
  }
}
