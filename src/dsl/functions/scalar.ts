import type { SqlValue } from '../../plan/sql-value.ts'
import type { Example, ScalarFunction, ScalarOverload } from '../../functions/scalar-function.ts'
import type { ScalarBody } from '../../functions/function.ts'
import type { ArgumentTypes, ValuesOf } from './argument.ts'
import {
  argumentReader,
  nullRulesOf,
  patternsOf,
  resultOf,
  typesOf,
  type FunctionCall,
  type ResultType,
} from './signature.ts'
import { fromProgram } from './value.ts'

/** One way of calling a scalar function. */
export interface ScalarSignature<A extends ArgumentTypes, R> {
  /** By name, in the order of the call. */
  readonly args: A
  readonly returns: ResultType<A, R>
  /**
   * The value of a call; a null argument that isn't `nullable()` makes it null without asking. It must depend
   * on nothing but its arguments and `call`, wait for nothing and change nothing: after a crash records are
   * handed to it again. What it throws makes the value null; the failure is counted and told of with the
   * record's place.
   */
  readonly body: (args: ValuesOf<A>, call: FunctionCall<A>) => NoInfer<R> | null
}

/** What every function of a user says about itself. */
export interface FunctionDescription {
  /** Letters, digits and `_`; in any case. Not the name of one of the dialect's functions. */
  readonly name: string
  /** A sentence: what it gives. DESCRIBE FUNCTION shows it. */
  readonly summary: string
}

/** With several ways of calling it. The usual form comes last: the compiler's messages are about that one. */
export function scalarFunction(
  declaration: FunctionDescription & {
    readonly overloads: readonly ScalarOverload[]
    readonly examples?: readonly Example[]
  },
): ScalarFunction
/**
 * Declares a scalar function: one value for each call.
 *
 * ```ts
 * const celsius = scalarFunction({
 *   name: 'CELSIUS',
 *   summary: 'Converts degrees Fahrenheit.',
 *   args: { fahrenheit: double() },
 *   returns: double(),
 *   body: ({ fahrenheit }) => (fahrenheit - 32) / 1.8,
 *   examples: [['CELSIUS(212)', 100]],
 * })
 * ```
 *
 * Examples are calls in SQL and what they give; they are run when the function is registered. Several ways of
 * calling it are `overloads`, each made by {@link scalarOverload}.
 */
export function scalarFunction<A extends ArgumentTypes, R>(
  declaration: FunctionDescription & ScalarSignature<A, R> & { readonly examples?: readonly Example[] },
): ScalarFunction
export function scalarFunction<A extends ArgumentTypes, R>(
  declaration: FunctionDescription & {
    readonly examples?: readonly Example[]
  } & (ScalarSignature<A, R> | { readonly overloads: readonly ScalarOverload[] }),
): ScalarFunction {
  const { name, summary, examples = [] } = declaration
  const overloads = 'overloads' in declaration ? declaration.overloads : [scalarOverload(declaration)]
  return { kind: 'scalar', name: name.toUpperCase(), category: 'user', summary, overloads, examples }
}

/** One of the `overloads` of a {@link scalarFunction}. */
export function scalarOverload<A extends ArgumentTypes, R>({
  args,
  returns,
  body,
}: ScalarSignature<A, R>): ScalarOverload {
  return {
    args: patternsOf(args),
    returns: resultOf(args, returns),
    nulls: nullRulesOf(args),
    bind(types, result, context) {
      const read = argumentReader(args, types)
      const convert = fromProgram(result)
      const call: FunctionCall<A> = { ...context, types: typesOf(args, types), returns: result }
      const bound = (...values: SqlValue[]): SqlValue => convert(body(read(values) as ValuesOf<A>, call))
      return bound as ScalarBody
    },
  }
}
