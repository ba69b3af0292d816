import { systemClock } from '../../base/clock.ts'
import { systemRandom } from '../../base/random.ts'
import { arithmeticFunction, negateFunction } from '../../functions/arithmetic.ts'
import { castFunction } from '../../functions/cast.ts'
import type { Expr, Lambda } from '../../plan/expression.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import type { PrepareContext } from './context.ts'

/**
 * The value of an expression without columns: literals, casts, arithmetic, calls of scalar functions.
 *
 * @returns undefined where the expression has columns, or is of a form that is not computed here, or fails
 */
export function constantValue(
  expr: Expr | Lambda,
  context: PrepareContext,
): { readonly value: SqlValue } | undefined {
  try {
    return evaluate(expr, context)
  } catch {
    // What fails is null when a row is judged; it narrows nothing, and the whole condition is applied anyway.
    return undefined
  }
}

function evaluate(expr: Expr | Lambda, context: PrepareContext): { readonly value: SqlValue } | undefined {
  switch (expr.kind) {
    case 'literal':
      return { value: expr.value }
    case 'cast': {
      const operand = evaluate(expr.operand, context)
      return operand === undefined
        ? undefined
        : { value: castFunction(expr.operand.type, expr.type)(operand.value) }
    }
    case 'negate': {
      const operand = evaluate(expr.operand, context)
      if (operand === undefined || operand.value === null) return operand
      // The body takes what the operand's type says it is.
      return { value: negateFunction(expr.type)(operand.value as never) }
    }
    case 'arithmetic': {
      const left = evaluate(expr.left, context)
      const right = evaluate(expr.right, context)
      if (left === undefined || right === undefined) return undefined
      if (left.value === null || right.value === null) return { value: null }
      const body = arithmeticFunction(expr.op, expr.left.type, expr.right.type, expr.type)
      return { value: body(left.value as never, right.value as never) }
    }
    case 'call': {
      const args = expr.args.map((arg) => evaluate(arg, context))
      const types = expr.args.flatMap((arg) => (arg.kind === 'lambda' ? [] : [arg.type]))
      if (types.length < args.length || args.some((arg) => arg === undefined)) return undefined
      const functionContext = { clock: systemClock, random: systemRandom, settings: context.settings }
      const body = context.functions.scalarBody(
        expr.function,
        expr.signature,
        types,
        expr.type,
        functionContext,
      )
      return { value: body(...args.map((arg) => arg!.value as never)) }
    }
    default:
      return undefined
  }
}
