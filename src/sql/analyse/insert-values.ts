import { SqlError, type Position } from '../../base/errors.ts'
import { canImplicitlyCast } from '../../functions/cast.ts'
import { readLiteral } from '../../functions/unification.ts'
import type { InsertedRow, InsertValues } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import type { Expr } from '../../plan/expression.ts'
import { printExpression } from '../../plan/print-expression.ts'
import { keyColumns } from '../../plan/schema.ts'
import { BIGINT, isNumeric, printType, sameType, type SqlType } from '../../plan/sql-type.ts'
import type { Expression, Identifier, InsertValuesStatement, ValueRow } from '../ast.ts'
import { coerce } from './coerce.ts'
import { isOn, type PrepareContext } from './context.ts'
import { nearestOrAll } from './nearest-name.ts'
import { placed } from './placed.ts'
import { findSource } from './query-sources.ts'
import { emptyScope, referenceText } from './scope.ts'
import { refuseOwnTopic } from './topic.ts'
import { typeExpression } from './type-expression.ts'
import { isUntypedNull } from './untyped-null.ts'

/** INSERT INTO … VALUES: rows of constant expressions. */
export function prepareInsertValues(statement: InsertValuesStatement, context: PrepareContext): InsertValues {
  const into = findSource(statement.target, context)
  checkTarget(into, statement, context)
  const names = targetColumns(into, statement)
  const missing = keyColumns(into.schema).find((c) => !names.some((n) => n.name === c.name))
  if (into.kind === 'table' && missing !== undefined) {
    throw new SqlError('SQL_INSERT_WITHOUT_KEY', {
      message: `The table ${into.name} needs a value for its primary key column ${missing.name}.`,
      at: statement.target.at,
      hint: `Add ${missing.name} to the columns, and its value.`,
    })
  }
  checkRowCount(statement, context)
  return {
    kind: 'insert-values',
    into,
    rows: statement.rows.map((row) => typeRow(row, names, into, context)),
  }
}

/** A row as ASSERT VALUES writes it: columns that are not listed are null. */
export function typeInsertedRow(
  into: DataSource,
  row: {
    readonly target: Identifier
    readonly columns: readonly Identifier[] | null
    readonly values: readonly Expression[]
    readonly at: Position
  },
  context: PrepareContext,
): InsertedRow {
  const names = targetColumns(into, row)
  return typeRow({ kind: 'value-row', values: row.values, at: row.at }, names, into, context)
}

function checkRowCount(statement: InsertValuesStatement, context: PrepareContext): void {
  const second = statement.rows[1]
  if (second === undefined || !isOn(context.settings, 'millrace.compatibility', false)) return
  throw new SqlError('SQL_INSERT_ROWS', {
    message: 'INSERT … VALUES takes one row.',
    at: second.at,
    hint: "Write one INSERT per row, or set 'millrace.compatibility' to 'false'.",
  })
}

function typeRow(
  row: ValueRow,
  names: readonly { readonly name: string }[],
  into: DataSource,
  context: PrepareContext,
): InsertedRow {
  if (names.length !== row.values.length) {
    throw new SqlError('SQL_INSERT_COUNT', {
      message: `There are ${counted(names.length, 'column')} but ${counted(row.values.length, 'value')}.`,
      at: row.at,
      hint: `The columns are ${names.map((n) => n.name).join(', ')}.`,
    })
  }
  const scope = emptyScope((reference, at) => {
    throw new SqlError('SQL_INSERT_COLUMN_REFERENCE', {
      message: `VALUES can't refer to columns, as ${referenceText(reference)} does.`,
      at,
      hint: `Texts are written in single quotes: '${referenceText(reference)}'.`,
    })
  })
  const given = new Map<string, Expr>()
  for (const [i, { name }] of names.entries()) {
    const node = row.values[i]!
    const expr = typeExpression(node, {
      scope,
      functions: context.functions,
      types: context.catalog,
      clause: 'VALUES',
    })
    const type = name === 'ROWTIME' ? BIGINT : into.schema.columns.find((c) => c.name === name)!.type
    given.set(
      name,
      placed(node.at, () => valueFor(expr, type, name, node.at)),
    )
  }
  const isNull = (name: string): boolean => {
    const expr = given.get(name)
    return expr?.kind === 'literal' && expr.value === null
  }
  if (into.kind === 'table' && keyColumns(into.schema).every((c) => isNull(c.name))) {
    throw new SqlError('SQL_INSERT_WITHOUT_KEY', {
      message: `The primary key of a row of ${into.name} can't be null.`,
      at: row.at,
    })
  }
  return {
    values: into.schema.columns.map(
      (c) => given.get(c.name) ?? { kind: 'literal', value: null, type: c.type },
    ),
    rowtime: given.get('ROWTIME') ?? null,
  }
}

function checkTarget(into: DataSource, statement: InsertValuesStatement, context: PrepareContext): void {
  const refuse = (code: string, reason: string): never => {
    throw new SqlError(code, { message: `${into.name} takes no values: ${reason}.`, at: statement.target.at })
  }
  if (!isOn(context.settings, 'ksql.insert.into.values.enabled', true)) {
    refuse('SQL_INSERT_DISABLED', "INSERT VALUES is switched off by 'ksql.insert.into.values.enabled'")
  }
  if (into.readOnly) refuse('SQL_READ_ONLY', `it is a read-only ${into.kind}`)
  if (into.windowedKey !== null) refuse('SQL_INSERT_WINDOWED', 'its key has a window')
  refuseOwnTopic(into.topic, statement.target.at, context)
}

function targetColumns(
  into: DataSource,
  statement: Pick<InsertValuesStatement, 'columns' | 'target'>,
): readonly { readonly name: string }[] {
  const refuseHeader = (name: string, at: Position): never => {
    throw new SqlError('SQL_INSERT_HEADER', {
      message: `The column ${name} of ${into.name} is filled from record headers and takes no values.`,
      at,
    })
  }
  if (statement.columns === null) {
    const header = into.headers[0]
    return header === undefined ? into.schema.columns : refuseHeader(header.column, statement.target.at)
  }
  const seen = new Set<string>()
  for (const column of statement.columns) {
    checkColumn(column, into, seen)
    if (into.headers.some((h) => h.column === column.name)) refuseHeader(column.text, column.at)
    seen.add(column.name)
  }
  return statement.columns
}

function checkColumn(column: Identifier, into: DataSource, seen: ReadonlySet<string>): void {
  if (seen.has(column.name)) {
    throw new SqlError('SQL_DUPLICATE_COLUMN', {
      message: `The column ${column.text} is listed twice.`,
      at: column.at,
    })
  }
  const names = into.schema.columns.map((c) => c.name)
  if (column.name === 'ROWTIME' || names.includes(column.name)) return
  throw new SqlError('SQL_UNKNOWN_COLUMN', {
    message: `The ${into.kind} ${into.name} has no column ${column.text} that takes values.`,
    at: column.at,
    hint: nearestOrAll(column.name, names, 'There are'),
  })
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** The expression as a value of the column's type: literals are read leniently, the rest converts implicitly. */
function valueFor(expr: Expr, type: SqlType, column: string, at: Position): Expr {
  if (isUntypedNull(expr)) return coerce(expr, type)
  if (sameType(expr.type, type)) return expr
  if (expr.kind === 'literal' && typeof expr.value === 'string') {
    return { kind: 'literal', value: readLiteral(expr.value, type), type }
  }
  if (expr.kind === 'literal' && expr.value === null) return { kind: 'literal', value: null, type }
  if (expr.kind === 'array' && type.kind === 'ARRAY') {
    return { kind: 'array', items: expr.items.map((e) => valueFor(e, type.element, column, at)), type }
  }
  if (expr.kind === 'map' && type.kind === 'MAP') {
    const entries = expr.entries.map((e) => ({
      key: valueFor(e.key, type.key, column, at),
      value: valueFor(e.value, type.value, column, at),
    }))
    return { kind: 'map', entries, type }
  }
  if (expr.kind === 'struct' && type.kind === 'STRUCT' && expr.type.kind === 'STRUCT') {
    const given = expr.type.fields
    if (given.every((field) => type.fields.some((f) => f.name === field.name))) {
      const fields = type.fields.map((field): Expr => {
        const index = given.findIndex((f) => f.name === field.name)
        return index < 0
          ? { kind: 'literal', value: null, type: field.type }
          : valueFor(expr.fields[index]!, field.type, column, at)
      })
      return { kind: 'struct', fields, type }
    }
  }
  const literal = coerce(expr, type)
  if (literal.kind === 'literal') return literal
  if (canImplicitlyCast(expr.type, type) || (isNumeric(expr.type) && type.kind === 'DOUBLE')) return literal
  throw new SqlError('SQL_TYPE_MISMATCH', {
    message: `The column ${column} is ${printType(type)}, but ${printExpression(expr)} is ${printType(expr.type)}.`,
    at,
  })
}
