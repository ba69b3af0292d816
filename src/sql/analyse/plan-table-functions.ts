import { SqlError } from '../../base/errors.ts'
import type { DataSource } from '../../plan/data-source.ts'
import { columnsOf } from '../../plan/columns-of.ts'
import type { Expr, TableFunctionCall } from '../../plan/expression.ts'
import type { FlatMapNode } from '../../plan/plan-node.ts'
import type { Column } from '../../plan/schema.ts'
import type * as ast from '../ast.ts'
import { coerce } from './coerce.ts'
import type { KeyedNode } from './keyed-node.ts'
import { placed } from './placed.ts'
import { typeExpression, type TypingContext } from './type-expression.ts'
import { typeOf } from './untyped-null.ts'

export interface TableFunctions {
  /** What stands for a call of a table function in the SELECT list: the column of its result. */
  replace(node: ast.Expression, typing: TypingContext): Expr | undefined
  /** Names of the columns its calls read. */
  columns(): ReadonlySet<string>
  plan(input: KeyedNode): KeyedNode
}

/** Table functions of a SELECT list: each row becomes as many as the longest result. */
export function planTableFunctions(
  selectTyping: TypingContext,
  sources: readonly DataSource[],
): TableFunctions {
  const calls: TableFunctionCall[] = []
  return {
    replace(node, typing) {
      if (node.kind !== 'call') return undefined
      const name = node.name.name.toUpperCase()
      if (typing.functions.kindOf(name) !== 'table') return undefined
      if (sources.every((s) => s.kind === 'table')) {
        throw new SqlError('SQL_TABLE_FUNCTION_ON_TABLE', {
          message: `The table function ${name} can only be used over streams.`,
          at: node.at,
        })
      }
      const args = node.args.map((arg) =>
        typeExpression(arg, { ...selectTyping, clause: `an argument of ${name}` }),
      )
      const resolved = placed(node.at, () => typing.functions.resolveTable(name, args.map(typeOf)))
      const call: TableFunctionCall = {
        function: resolved.function,
        signature: resolved.signature,
        args: args.map((arg, i) => coerce(arg, resolved.arguments[i] ?? arg.type)),
        name: `KSQL_SYNTH_${calls.length}`,
        type: resolved.returns,
      }
      calls.push(call)
      return { kind: 'column', name: call.name, type: call.type }
    },
    columns: () => new Set(calls.flatMap((call) => call.args.flatMap((arg) => [...columnsOf(arg)]))),
    plan(input) {
      if (calls.length === 0) return input
      const added = calls.map((c): Column => ({ name: c.name, type: c.type, role: 'value' }))
      const node: FlatMapNode = {
        kind: 'flat-map',
        input: input.node,
        functions: calls,
        schema: { columns: [...input.node.schema.columns, ...added] },
        output: 'stream',
        windowed: input.node.windowed,
      }
      return { ...input, node }
    },
  }
}
