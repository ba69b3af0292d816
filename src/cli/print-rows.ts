import type { Schema } from '../plan/schema.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import type { CommandContext } from './command-context.ts'
import { printResult } from './result-printer.ts'

/** The columns of a command's answer, in order. */
export function columns(types: Readonly<Record<string, SqlType>>): Schema {
  return { columns: Object.entries(types).map(([name, type]) => ({ name, type, role: 'value' })) }
}

/** A command's answer: a table, or with `--json` an object per row. */
export async function printRows(
  context: CommandContext,
  schema: Schema,
  rows: readonly Row[],
  json = false,
): Promise<void> {
  await printResult({ kind: 'rows', statement: '', schema, rows, notes: [] }, context.terminal, {
    json,
    stop: context.stop,
  })
}
