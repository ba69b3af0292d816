import type { AggregateCall, Expr, TableFunctionCall } from '../plan/expression.ts'
import type { QueryPlan } from '../plan/plan-node.ts'
import type { CompileContext } from './compile/cursor.ts'

/**
 * Binds every function a plan calls, so that one that is missing, or isn't what it was when the plan was
 * made, stops the query at its start and not at its first record.
 *
 * @throws FunctionError
 */
export function bindFunctions(plan: QueryPlan, { functions, functionContext }: CompileContext): void {
  const typesOf = (args: Call['args']): Call['type'][] =>
    args.map((arg) => (arg.kind === 'lambda' ? arg.body.type : arg.type))
  for (const call of callsIn(plan.root)) {
    const { function: name, signature, type } = call
    if ('kind' in call) functions.scalarBody(name, signature, typesOf(call.args), type, functionContext)
    else if ('parameters' in call)
      functions.aggregateBody(name, signature, typesOf(call.args), call.parameters, type, functionContext)
    else functions.tableBody(name, signature, typesOf(call.args), type, functionContext)
  }
}

type Call = Extract<Expr, { readonly kind: 'call' }>
type AnyCall = Call | AggregateCall | TableFunctionCall

/* By shape and not by kind of node, so that a new kind of node can't be forgotten here. */
function callsIn(part: unknown): readonly AnyCall[] {
  if (typeof part !== 'object' || part === null) return []
  if (Array.isArray(part)) return part.flatMap(callsIn)
  // Values of literals are no part of the plan's structure.
  if ('kind' in part && part.kind === 'literal') return []
  const inside = Object.values(part).flatMap(callsIn)
  const isCall = 'function' in part && typeof part.function === 'string' && 'signature' in part
  return isCall ? [part as AnyCall, ...inside] : inside
}
