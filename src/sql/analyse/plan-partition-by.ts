import { SqlError } from '../../base/errors.ts'
import { columnsOf } from '../../plan/columns-of.ts'
import type { Expr } from '../../plan/expression.ts'
import type { RekeyNode } from '../../plan/plan-node.ts'
import { printExpression } from '../../plan/print-expression.ts'
import { keyColumns, valueColumns, type Column } from '../../plan/schema.ts'
import type * as ast from '../ast.ts'
import { printExpression as printWritten } from '../print-expression.ts'
import type { ColumnNames } from './column-names.ts'
import type { KeyColumn, KeyedNode } from './keyed-node.ts'
import { freeName } from './plan-source.ts'
import type { ResultColumn } from './projection.ts'
import type { QueryScope } from './query-scope.ts'
import type { SelectColumn } from './select-list.ts'
import { typeExpression, type TypingContext } from './type-expression.ts'
import { isUntypedNull } from './untyped-null.ts'

export interface Partitioning {
  /** What stands for an expression of PARTITION BY in the SELECT list. */
  replace(node: ast.Expression, typing: TypingContext): Expr | undefined
  /**
   * @param columns  the SELECT list; of a star, key columns move to their places in it
   * @param needed  names of further columns that later steps read
   */
  plan(input: KeyedNode, columns: ResultColumn[], needed: ReadonlySet<string>): KeyedNode
}

interface PartitionKey {
  readonly expr: Expr
  readonly text: string
  /** As the query has it. */
  readonly written: string
  /** Its column after PARTITION BY; final for plain columns, made unique for expressions. */
  readonly name: string
}

/** PARTITION BY: the expressions become the key, the former key columns move to the value. */
export function planPartitionBy(
  clause: ast.ExpressionList,
  selected: readonly SelectColumn[],
  scope: QueryScope,
  names: ColumnNames,
  typing: TypingContext,
): Partitioning {
  if (clause.items.length === 0) {
    throw new SqlError('SQL_EMPTY_PARTITION_BY', {
      message: 'PARTITION BY needs at least one expression.',
      at: clause.at,
    })
  }
  const exprs = clause.items.map((item) => typeExpression(item, typing))
  const removesKey = exprs.length === 1 && isUntypedNull(exprs[0]!)
  if (!removesKey) {
    const nothing = clause.items.find((_, i) => isUntypedNull(exprs[i]!))
    if (nothing !== undefined) {
      throw new SqlError('SQL_PARTITION_BY_NULL', {
        message: "NULL can't be one of several PARTITION BY expressions.",
        at: nothing.at,
        hint: 'PARTITION BY NULL alone removes the key.',
      })
    }
  }
  // Columns of expressions live beside all columns of the sources until the last projection names them.
  const taken = new Set(scope.columns().map((c) => c.name))
  const keys = removesKey
    ? []
    : exprs.map((expr, i): PartitionKey => {
        const text = printExpression(expr)
        const written = printWritten(clause.items[i]!)
        if (exprs.slice(0, i).some((other) => printExpression(other) === text)) {
          throw new SqlError('SQL_DUPLICATE_PARTITION_BY', {
            message: `${written} stands in PARTITION BY twice.`,
            at: clause.items[i]!.at,
          })
        }
        if (expr.kind === 'column') return { expr, text, written, name: expr.name }
        const select = selected.find((c) => sameAs(c.expression, text, { ...typing, clause: 'SELECT' }))
        const name = freeName(select?.name ?? names.nameFor(clause.items[i]!), taken)
        taken.add(name)
        return { expr, text, written, name }
      })
  const expressions = keys.filter((k) => k.expr.kind !== 'column')
  const starColumns = selected.some((c) => c.star)

  return {
    replace(node, inner) {
      if (expressions.length === 0 || node.kind === 'column') return undefined
      const key = expressions.find((k) => sameAs(node, k.text, inner))
      return key === undefined ? undefined : { kind: 'column', name: key.name, type: key.expr.type }
    },
    plan(input, columns, needed) {
      if (input.node.output === 'table') {
        throw new SqlError('SQL_PARTITION_BY_TABLE', {
          message: 'PARTITION BY is only possible over streams: a table keeps its primary key.',
          at: clause.at,
          hint: 'Use GROUP BY, which makes a table with another key.',
        })
      }
      // With a star, expressions of PARTITION BY are part of it, in front.
      if (starColumns) {
        for (const key of keys.toReversed()) {
          const isSelected = columns.some((c) => c.expr.kind === 'column' && c.expr.name === key.name)
          if (!isSelected) {
            columns.unshift({
              name: key.name,
              expr: { kind: 'column', name: key.name, type: key.expr.type },
              at: clause.at,
            })
          }
        }
        // Former key columns come last among those of the star.
        const keyNames = new Set(keyColumns(input.node.schema).map((c) => c.name))
        const starNames = new Set(selected.filter((c) => c.star).map((c) => c.name))
        const moved = columns.filter((c) => starNames.has(c.name) && keyNames.has(c.name))
        if (moved.length > 0) {
          const rest = columns.filter((c) => !moved.includes(c))
          const lastStar = rest.findLastIndex((c) => starNames.has(c.name))
          const order = [...rest.slice(0, lastStar + 1), ...moved, ...rest.slice(lastStar + 1)]
          columns.splice(0, columns.length, ...order)
        }
      }
      return { ...rekey(input, keys, columns, needed), keyWord: 'partitioning expression' }
    },
  }
}

function rekey(
  input: KeyedNode,
  keys: readonly PartitionKey[],
  columns: readonly ResultColumn[],
  needed: ReadonlySet<string>,
): KeyedNode {
  const asKeys = keys.map((key): KeyColumn => ({
    name: key.name,
    candidates: [key.name],
    exact: [key.name],
    written: [key.written],
  }))
  const unchanged =
    keys.length === input.keys.length &&
    keys.length > 0 &&
    keys.every((key, i) => input.keys[i]!.exact.includes(key.name))
  if (unchanged) {
    return { ...input, keys: input.keys.map((key, i) => ({ ...asKeys[i]!, name: key.name })) }
  }
  if (input.node.windowed !== null && keys.length > 0) {
    throw new SqlError('SQL_WINDOWED_REPARTITION', {
      message: "A windowed source can't be given another key.",
      at: columns[0]?.at,
    })
  }
  const { schema } = input.node
  const keyNames = new Set(keys.map((k) => k.name))
  // Key columns of joins are copies of value columns under a name of their own.
  const isCopy = (column: Column): boolean =>
    input.keys.some((k) => k.name === column.name && !k.candidates.includes(k.name))
  const read = new Set([...needed, ...columns.flatMap((c) => [...columnsOf(c.expr)])])
  const values = [...valueColumns(schema), ...keyColumns(schema).filter((c) => !isCopy(c))].filter(
    (c) => read.has(c.name) && !keyNames.has(c.name),
  )
  const node: RekeyNode = {
    kind: 'rekey',
    input: input.node,
    keys: keys.map((k) => k.expr),
    values: values.map((c): Expr => ({ kind: 'column', name: c.name, type: c.type })),
    nullKeys: 'keep',
    partitions: null,
    schema: {
      columns: [
        ...keys.map((k): Column => ({ name: k.name, type: k.expr.type, role: 'key' })),
        ...values.map((c): Column => ({ ...c, role: 'value' })),
      ],
    },
    output: 'stream',
    windowed: null,
  }
  return { node, keys: asKeys, partitions: input.partitions, keyWord: 'partitioning expression' }
}

/** Whether an expression of the query means the same as one already typed, by its text. */
export function sameAs(node: ast.Expression, text: string, typing: TypingContext): boolean {
  if (node.kind === 'lambda' || node.kind === 'null') return false
  try {
    return printExpression(typeExpression(node, { ...typing, replace: undefined })) === text
  } catch (error) {
    // What can't be typed alone (aggregates, table functions) is no group expression; it fails in its own turn.
    if (error instanceof SqlError) return false
    throw error
  }
}
