import type { Example } from '../../functions/scalar-function.ts'
import type { TableFunction, TableOverload } from '../../functions/table-function.ts'
import type { ArgumentTypes, ValuesOf } from './argument.ts'
import type { FunctionDescription } from './scalar.ts'
import {
  argumentReader,
  nullCheck,
  patternsOf,
  resultOf,
  typesOf,
  type FunctionCall,
  type ResultType,
} from './signature.ts'
import { fromProgram } from './value.ts'

/** One way of calling a table function. */
export interface TableSignature<A extends ArgumentTypes, R> {
  readonly args: A
  /** The type of one row. */
  readonly returns: ResultType<A, R>
  /** The rows of a call, in order; none for a null argument that isn't `nullable()`. As for scalar functions. */
  readonly body: (args: ValuesOf<A>, call: FunctionCall<A>) => Iterable<NoInfer<R> | null>
}

/** With several ways of calling it. The usual form comes last: the compiler's messages are about that one. */
export function tableFunction(
  declaration: FunctionDescription & {
    readonly overloads: readonly TableOverload[]
    readonly examples?: readonly Example[]
  },
): TableFunction
/**
 * Declares a table function: any number of rows for each call. The expected value of an example is the list
 * of its rows.
 *
 * ```ts
 * const words = tableFunction({
 *   name: 'WORDS',
 *   summary: 'The words of a text, one row each.',
 *   args: { text: string() },
 *   returns: string(),
 *   body: ({ text }) => text.split(' '),
 *   examples: [["WORDS('to be')", ['to', 'be']]],
 * })
 * ```
 */
export function tableFunction<A extends ArgumentTypes, R>(
  declaration: FunctionDescription & TableSignature<A, R> & { readonly examples?: readonly Example[] },
): TableFunction
export function tableFunction<A extends ArgumentTypes, R>(
  declaration: FunctionDescription & {
    readonly examples?: readonly Example[]
  } & (TableSignature<A, R> | { readonly overloads: readonly TableOverload[] }),
): TableFunction {
  const { name, summary, examples = [] } = declaration
  const overloads = 'overloads' in declaration ? declaration.overloads : [tableOverload(declaration)]
  return {
    kind: 'table',
    name: name.toUpperCase(),
    category: 'user',
    summary,
    overloads,
    implicitCasts: true,
    examples,
  }
}

/** One of the `overloads` of a {@link tableFunction}. */
export function tableOverload<A extends ArgumentTypes, R>({
  args,
  returns,
  body,
}: TableSignature<A, R>): TableOverload {
  return {
    args: patternsOf(args),
    returns: resultOf(args, returns),
    bind(types, result, context) {
      const read = argumentReader(args, types)
      const isNull = nullCheck(args, types.length)
      const convert = fromProgram(result)
      const call: FunctionCall<A> = { ...context, types: typesOf(args, types), returns: result }
      return (...values) =>
        isNull(values) ? [] : Array.from(iterable(body(read(values) as ValuesOf<A>, call)), convert)
    },
  }
}

/** What plain JavaScript may give instead, `Array.from` would take for an empty list. */
function iterable(rows: unknown): Iterable<unknown> {
  if (typeof rows === 'object' && rows !== null && Symbol.iterator in rows) return rows as Iterable<unknown>
  throw new TypeError('it gave no list of rows.')
}
