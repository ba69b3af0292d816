import { SqlError } from '../../base/errors.ts'
import { columnsOf } from '../../plan/columns-of.ts'
import type { Expr } from '../../plan/expression.ts'
import type { LagCall, LagNode } from '../../plan/plan-node.ts'
import type { Column } from '../../plan/schema.ts'
import type * as ast from '../ast.ts'
import { isOn, type PrepareContext } from './context.ts'
import type { KeyedNode } from './keyed-node.ts'
import { typeExpression, type TypingContext } from './type-expression.ts'
import { settleNull } from './untyped-null.ts'

/** Values kept per key and call. */
const ROWS_MAX = 1000

export interface Lags {
  /** What stands for a call of LAG in the SELECT list: the column of its result. */
  replace(node: ast.Expression): Expr | undefined
  /** Names of the columns its calls read. */
  columns(): ReadonlySet<string>
  plan(input: KeyedNode): KeyedNode
}

/** LAG(value [, rows]) in a SELECT list: the value in an earlier row of the same key. */
export function planLags(selectTyping: TypingContext, context: PrepareContext): Lags {
  const calls: LagCall[] = []
  let first: ast.CallExpression | null = null
  return {
    replace(node) {
      if (!isLag(node, context)) return undefined
      first ??= node
      refuseLag(node.args, 'its own argument', context)
      const call = lagCall(node, calls.length, selectTyping)
      calls.push(call)
      return { kind: 'column', name: call.name, type: call.type }
    },
    columns: () => new Set(calls.flatMap((call) => [...columnsOf(call.arg)])),
    plan(input) {
      if (first === null) return input
      if (input.node.output === 'table') {
        throw new SqlError('SQL_LAG_ON_TABLE', {
          message: 'LAG is only possible over streams: a table has one row per key, and none before it.',
          at: first.at,
        })
      }
      if (input.keys.length === 0) {
        throw new SqlError('SQL_LAG_WITHOUT_KEY', {
          message: 'LAG looks at earlier rows of the same key, but these rows have no key.',
          at: first.at,
          hint: 'Add PARTITION BY.',
        })
      }
      const added = calls.map((c): Column => ({ name: c.name, type: c.type, role: 'value' }))
      const node: LagNode = {
        kind: 'lag',
        input: input.node,
        calls,
        schema: { columns: [...input.node.schema.columns, ...added] },
        output: 'stream',
        windowed: input.node.windowed,
      }
      return { ...input, node }
    },
  }
}

function lagCall(node: ast.CallExpression, number: number, typing: TypingContext): LagCall {
  const [value, rows] = node.args
  if (value === undefined || node.args.length > 2 || node.star) {
    throw new SqlError('SQL_LAG_ARGUMENTS', {
      message: 'LAG takes a value and, where it is not 1, how many rows before.',
      at: node.at,
      hint: 'Write LAG(value) or LAG(value, 2).',
    })
  }
  if (
    rows !== undefined &&
    (rows.kind !== 'integer' || !(Number(rows.text) >= 1 && Number(rows.text) <= ROWS_MAX))
  ) {
    throw new SqlError('SQL_LAG_ARGUMENTS', {
      message: `How many rows before is a whole number from 1 to ${ROWS_MAX}.`,
      at: rows.at,
    })
  }
  const arg = settleNull(typeExpression(value, { ...typing, clause: 'an argument of LAG' }))
  return {
    arg,
    rows: rows?.kind === 'integer' ? Number(rows.text) : 1,
    name: `KSQL_LAG_${number}`,
    type: arg.type,
  }
}

/** LAG is ours, and no function: users may have one of that name. */
function isLag(node: ast.Expression, context: PrepareContext): node is ast.CallExpression {
  return (
    node.kind === 'call' &&
    node.name.name.toUpperCase() === 'LAG' &&
    context.functions.kindOf('LAG') === undefined &&
    !isOn(context.settings, 'millrace.compatibility', false)
  )
}

/** @throws SqlError where LAG stands in a clause that has no rows before */
export function refuseLag(node: unknown, clause: string, context: PrepareContext): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const part of node) refuseLag(part, clause, context)
    return
  }
  const expression = node as ast.Expression
  if (isLag(expression, context)) {
    throw new SqlError('SQL_LAG_PLACE', {
      message: `LAG can't stand in ${clause}: it is only possible in the SELECT list of a query over a stream.`,
      at: expression.at,
      hint: 'Use it in a sub-query: SELECT … FROM (SELECT …, LAG(x) AS before FROM s) AS r WHERE before > 1.',
    })
  }
  for (const part of Object.values(node)) refuseLag(part, clause, context)
}
