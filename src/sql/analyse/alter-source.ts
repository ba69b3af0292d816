import { SqlError } from '../../base/errors.ts'
import type { Command } from '../../plan/command.ts'
import { valueColumns, type Column } from '../../plan/schema.ts'
import type { AlterSourceStatement } from '../ast.ts'
import type { PrepareContext } from './context.ts'
import { declareColumn } from './create-source.ts'
import { findSource } from './query-sources.ts'

/** ALTER STREAM | TABLE … ADD COLUMN: only for what was declared; columns go to the end. */
export function prepareAlterSource(statement: AlterSourceStatement, context: PrepareContext): Command {
  const source = findSource(statement.name, context)
  const refuse = (code: string, message: string): never => {
    throw new SqlError(code, { message, at: statement.name.at })
  }
  if (source.kind !== statement.what) {
    refuse('SQL_WRONG_KIND', `${statement.name.text} is a ${source.kind}, not a ${statement.what}.`)
  }
  if (source.readOnly) refuse('SQL_READ_ONLY', `${statement.name.text} is read-only and can't be altered.`)
  if (source.createdBy !== null) {
    refuse('SQL_ALTER_DERIVED', `${statement.name.text} is the result of a query: replace the query instead.`)
  }
  const added: Column[] = []
  for (const definition of statement.columns) {
    const column = declareColumn(definition, statement.what, context)
    if ([...source.schema.columns, ...added].some((c) => c.name === column.name)) {
      throw new SqlError('SQL_DUPLICATE_COLUMN', {
        message: `${statement.name.text} already has a column ${definition.name.text}.`,
        at: definition.name.at,
      })
    }
    added.push({ ...column, role: 'value' })
  }
  const schema = { columns: [...source.schema.columns, ...added] }
  const values = valueColumns(schema).filter((c) => !source.headers.some((h) => h.column === c.name))
  const reason = context.formats.refuses('value', values, source.valueFormat)
  if (reason !== null) throw new SqlError('SQL_FORMAT_REFUSES', { message: reason, at: statement.at })
  if (source.valueFormat.wrapping !== null && values.length > 1) {
    refuse(
      'SQL_WRAP_SINGLE_VALUE',
      `${statement.name.text} has an unwrapped single value, so it can't get further columns.`,
    )
  }
  return { kind: 'alter-source', source: { ...source, schema } }
}
