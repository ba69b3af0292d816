import type { TableAggregateNode } from '../../plan/plan-node.ts'
import { keyColumns, type Column, type Schema } from '../../plan/schema.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import { ValueVector } from '../../formats/vector.ts'
import { KeyCodec } from '../../state/key-codec.ts'
import { Batch, BatchBuilder } from '../batch.ts'
import type { OperatorContext, RowExpression } from '../operator.ts'
import { oldRowValues, placeAt } from './row-values.ts'

/**
 * What travels from {@link tableRekey} to `TableAggregateOperator`: the group key, then one value column
 * per argument of each aggregate, in order.
 */
export function tableRekeySchema(node: TableAggregateNode): Schema {
  const values: Column[] = node.aggregates.flatMap((call, i) =>
    call.args.map((arg, j) => ({ name: `ARG_${i}_${j}`, type: arg.type, role: 'value' as const })),
  )
  return { columns: [...keyColumns(node.schema), ...values] }
}

/**
 * The first half of GROUP BY over a table: turns each change of a row into what it means for groups.
 * Without state.
 *
 * Input: changes with old values. Output, in {@link tableRekeySchema} and to be sent to the partition of
 * its key: rows whose key is a group; their old values, where present, are to be undone in the group,
 * their new values, where not absent, to be added. A row that stays in its group gives one row with both,
 * a row that moves first an undo row for its old group and then an add row for its new one. A row with a
 * null in its group key belongs to no group.
 *
 * @returns the function to run on each batch; its result may be empty
 */
export function tableRekey(
  node: TableAggregateNode,
  context: Pick<OperatorContext, 'compileBatch' | 'compileRow' | 'drop'>,
): (batch: Batch) => Batch {
  const input = node.input.schema
  const schema = tableRekeySchema(node)
  const codec = new KeyCodec(keyColumns(node.schema).map((column) => column.type))
  const args = node.aggregates.flatMap((call) => call.args)
  const groupOfNew = node.groupBy.map((expr) => context.compileBatch(expr, input))
  const argsOfNew = args.map((expr) => context.compileBatch(expr, input))
  const groupOfOld = node.groupBy.map((expr) => context.compileRow(expr, input))
  const argsOfOld = args.map((expr) => context.compileRow(expr, input))

  const newGroup = (batch: Batch, row: number): Grouped | null => {
    if (batch.isAbsent(row)) return null
    const key = groupOfNew.map((compute) => compute(batch, row))
    if (key.includes(null)) {
      context.drop('null-key', batch, row, 'GROUP BY gives null')
      return null
    }
    return { key, args: argsOfNew.map((compute) => compute(batch, row)) }
  }

  const oldGroup = (batch: Batch, row: number): Grouped | null => {
    const values = oldRowValues(batch, row, 0, input.columns.length)
    if (values === null) return null
    const place = placeAt(batch, row)
    const compute = (expression: RowExpression): SqlValue => {
      try {
        return expression(values, place)
      } catch {
        // It failed the same way, and was reported, when the row was new.
        return null
      }
    }
    const key = groupOfOld.map(compute)
    return key.includes(null) ? null : { key, args: argsOfOld.map(compute) }
  }

  return (batch) => {
    const builder = new BatchBuilder(schema)
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const undo = oldGroup(batch, row)
      const add = newGroup(batch, row)
      const at = { timestampMs: batch.timestamps[row]!, headers: batch.headersOf(row) }
      if (undo !== null && add !== null && codec.encode(undo.key) === codec.encode(add.key)) {
        builder.add({ key: add.key, value: add.args, old: undo.args, ...at })
        continue
      }
      if (undo !== null) builder.add({ key: undo.key, value: null, old: undo.args, ...at })
      if (add !== null) builder.add({ key: add.key, value: add.args, old: null, ...at })
    }
    return builder.take() ?? emptyBatch(schema)
  }
}

interface Grouped {
  readonly key: Row
  readonly args: Row
}

function emptyBatch(schema: Schema): Batch {
  return new Batch({
    schema,
    vectors: schema.columns.map(() => new ValueVector([])),
    rows: 0,
    timestamps: new Float64Array(0),
  })
}
