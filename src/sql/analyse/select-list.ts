import { SqlError, type Position } from '../../base/errors.ts'
import type { Expr } from '../../plan/expression.ts'
import { PSEUDO_COLUMNS } from '../../plan/schema.ts'
import type { ColumnReference, Expression, Identifier, Query, SelectItem } from '../ast.ts'
import type { ColumnNames } from './column-names.ts'
import { placed } from './placed.ts'
import type { QueryScope, SourceColumn } from './query-scope.ts'
import { typeExpression, type TypingContext } from './type-expression.ts'
import { typeOf } from './untyped-null.ts'

/** One column of a result: an expression and its name. */
export interface SelectColumn {
  readonly name: string
  readonly expression: Expression
  readonly at: Position
  /** Came from `*` or `source.*`. */
  readonly star: boolean
}

export interface SelectOptions {
  readonly isJoin: boolean
  readonly persistent: boolean
  /** The key of a join that has no column of its own, first in an unqualified `*`. */
  readonly synthetic: string | null
  /** `*` after PARTITION BY over a join also has the pseudo columns. */
  readonly starWithPseudo: boolean
}

/** The SELECT list with stars expanded and every column named. */
export function selectList(
  query: Query,
  scope: QueryScope,
  names: ColumnNames,
  typing: TypingContext,
  options: SelectOptions,
): readonly SelectColumn[] {
  return query.items.flatMap((item) => expand(query, item, scope, names, typing, options))
}

function expand(
  query: Query,
  item: SelectItem,
  scope: QueryScope,
  names: ColumnNames,
  typing: TypingContext,
  options: SelectOptions,
): SelectColumn[] {
  switch (item.kind) {
    case 'all-columns': {
      const source = item.source === null ? undefined : scope.findAlias(item.source)
      const columns = starColumns(scope.columns(source), options)
      const expanded = columns.map((c) => starColumn(c, item.at))
      if (item.source !== null || options.synthetic === null) return expanded
      const key = reference(null, options.synthetic, item.at)
      return [{ name: options.synthetic, expression: key, at: item.at, star: true }, ...expanded]
    }
    case 'all-fields': {
      const operand = typeExpression(item.operand, { ...typing, replace: resultOfCall })
      if (operand.type.kind !== 'STRUCT') {
        throw new SqlError('SQL_TYPE_MISMATCH', {
          message: 'Only a STRUCT can be followed by ->*.',
          at: item.at,
        })
      }
      return operand.type.fields.map(({ name }) => ({
        name,
        expression: { kind: 'field', operand: item.operand, field: identifier(name, item.at), at: item.at },
        at: item.at,
        star: false,
      }))
    }
    case 'select-expression': {
      const { expression, alias } = item
      if (alias !== null) {
        if (isReserved(alias.name)) {
          throw new SqlError('SQL_RESERVED_COLUMN', {
            message: `${alias.text} is the name of a system column and can't be an alias.`,
            at: alias.at,
            hint: 'Choose another alias.',
          })
        }
        return [{ name: alias.name, expression, at: item.at, star: false }]
      }
      const isBound =
        query.window !== null && expression.kind === 'column' && isWindowBound(expression.name.name)
      const name =
        expression.kind !== 'column'
          ? names.nameFor(expression)
          : isBound
            ? expression.name.name
            : columnAlias(expression, scope, options)
      if (options.persistent && isReserved(name)) {
        throw new SqlError('SQL_RESERVED_COLUMN', {
          message: `${name} is the name of a system column and can't be a result column.`,
          at: item.at,
          hint: `Give it an alias, ${name} AS …`,
        })
      }
      return [{ name, expression, at: item.at, star: false }]
    }
  }
}

/** Here only the type counts of what aggregate and table functions give: they are planned field by field. */
function resultOfCall(node: Expression, typing: TypingContext): Expr | undefined {
  if (node.kind !== 'call') return undefined
  const { functions } = typing
  const name = node.name.name.toUpperCase()
  const kind = functions.kindOf(name)
  if (kind !== 'aggregate' && kind !== 'table') return undefined
  const args = node.args.map((arg) => typeOf(typeExpression(arg, { ...typing, replace: undefined })))
  const { returns } = placed(node.at, () =>
    kind === 'table' ? functions.resolveTable(name, args) : functions.resolveAggregate(name, args),
  )
  return { kind: 'column', name, type: returns }
}

/** Declared columns; with the window's bounds where they are part of the key and nobody stores them. */
function starColumns(columns: readonly SourceColumn[], options: SelectOptions): readonly SourceColumn[] {
  if (options.starWithPseudo) {
    const bySource = [...new Set(columns.map((c) => c.source))]
    return bySource.flatMap((source) => {
      const own = columns.filter((c) => c.source === source)
      return (['value', 'pseudo', 'key'] as const).flatMap((role) => own.filter((c) => c.role === role))
    })
  }
  if (options.persistent && !options.isJoin) return columns.filter((c) => c.role !== 'pseudo')
  const isWindow = (c: SourceColumn): boolean => isWindowBound(c.column)
  const bySource = [...new Set(columns.map((c) => c.source))]
  return bySource.flatMap((source) => {
    const own = columns.filter((c) => c.source === source)
    return [
      ...own.filter((c) => c.role === 'key'),
      ...own.filter((c) => c.role === 'pseudo' && isWindow(c)),
      ...own.filter((c) => c.role === 'value'),
    ]
  })
}

function starColumn(column: SourceColumn, at: Position): SelectColumn {
  return { name: column.name, expression: reference(column.source.alias, column.column, at), at, star: true }
}

function columnAlias(node: ColumnReference, scope: QueryScope, options: SelectOptions): string {
  const column = scope.find(node)
  if (!options.isJoin || !('source' in column)) return node.name.name
  return scope.isShared(column.column) ? column.name : column.column
}

function isWindowBound(name: string): boolean {
  return name === 'WINDOWSTART' || name === 'WINDOWEND'
}

function isReserved(name: string): boolean {
  return PSEUDO_COLUMNS.some((p) => p === name)
}

function identifier(name: string, at: Position): Identifier {
  return { kind: 'identifier', name, text: name, quoted: true, at }
}

function reference(source: string | null, name: string, at: Position): ColumnReference {
  return {
    kind: 'column',
    source: source === null ? null : identifier(source, at),
    name: identifier(name, at),
    at,
  }
}
