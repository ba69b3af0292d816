import { unreachable } from '../../base/assert.ts'
import { RecordError } from '../../base/errors.ts'
import { arithmeticFunction, negateFunction } from '../../functions/arithmetic.ts'
import { castFunction } from '../../functions/cast.ts'
import { comparisonFunction, equalsFunction } from '../../functions/comparison.ts'
import type { FunctionContext, FunctionRegistry } from '../../functions/function.ts'
import { likeFunction } from '../../functions/like.ts'
import type { Expr, Lambda } from '../../plan/expression.ts'
import type { SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'

/** An expression as a tree of closures over a source of rows `S`. */
export type Closure<S> = (source: S) => SqlValue

export interface ClosureEnvironment<S> {
  readonly functions: FunctionRegistry
  readonly context: FunctionContext
  /** How a column of a row is read. */
  column(name: string, type: SqlType): Closure<S>
  /** A function argument or an element of a constructor failed and counts as null. */
  nestedError(source: S, error: unknown): void
}

/**
 * The closure form of an expression: what runs where code generation is forbidden, and wherever rows are
 * handled one by one. The generated form must equal it (a property test holds them together).
 *
 * The closure throws what the expression throws; the caller decides what that means for the row.
 */
export function compileClosure<S>(expr: Expr, env: ClosureEnvironment<S>): Closure<S> {
  return new ClosureCompiler(env).compile(expr)
}

class ClosureCompiler<S> {
  readonly #env: ClosureEnvironment<S>
  /** Values of lambda parameters in scope: a lambda's call sets them before its body runs. */
  readonly #parameters = new Map<string, { value: SqlValue }>()
  /** Within a lambda a null operand must fail the whole call, not only one of its elements. */
  #isInLambda = false

  constructor(env: ClosureEnvironment<S>) {
    this.#env = env
  }

  compile(expr: Expr): Closure<S> {
    switch (expr.kind) {
      case 'literal': {
        const { value } = expr
        return () => value
      }
      case 'column':
        return this.#env.column(expr.name, expr.type)
      case 'parameter': {
        const cell = this.#parameters.get(expr.name)
        if (cell === undefined) throw new Error(`unknown lambda parameter ${expr.name}`)
        return () => cell.value
      }
      case 'arithmetic': {
        const left = this.compile(expr.left)
        const right = this.compile(expr.right)
        const apply = arithmeticFunction(expr.op, expr.left.type, expr.right.type, expr.type) as (
          a: SqlValue,
          b: SqlValue,
        ) => SqlValue
        // Strings are joined as Java does it: a null becomes the text "null".
        if (expr.type.kind === 'STRING') return (s) => apply(left(s), right(s))
        const nullResult = this.#isInLambda ? failForNull : nullForNull
        return (s) => {
          const a = left(s)
          const b = right(s)
          return a === null || b === null ? nullResult() : apply(a, b)
        }
      }
      case 'negate': {
        const operand = this.compile(expr.operand)
        const apply = negateFunction(expr.type) as (a: SqlValue) => SqlValue
        const nullResult = this.#isInLambda ? failForNull : nullForNull
        return (s) => {
          const a = operand(s)
          return a === null ? nullResult() : apply(a)
        }
      }
      case 'comparison':
        return this.#comparison(expr)
      case 'logical': {
        const left = this.compile(expr.left)
        const right = this.compile(expr.right)
        return expr.op === 'AND'
          ? (s) => truth(left(s)) && truth(right(s))
          : (s) => truth(left(s)) || truth(right(s))
      }
      case 'not': {
        const operand = this.compile(expr.operand)
        return (s) => !truth(operand(s))
      }
      case 'is-null': {
        const operand = this.compile(expr.operand)
        const { negated } = expr
        return (s) => (operand(s) === null) !== negated
      }
      case 'in': {
        const operand = this.compile(expr.operand)
        const items = expr.items.map((item) => this.compile(item))
        const equals = equalsFunction(expr.operand.type)
        const { negated } = expr
        return (s) => {
          const a = operand(s)
          if (a === null) return negated
          for (const item of items) {
            const b = item(s)
            if (b !== null && equals(a, b)) return !negated
          }
          return negated
        }
      }
      case 'like': {
        const operand = this.compile(expr.operand)
        const pattern = this.compile(expr.pattern)
        const { negated } = expr
        const matches = likeFunction(expr.escape)
        return (s) => {
          const a = operand(s)
          const p = pattern(s)
          if (a === null || p === null)
            throw new RecordError('EXPRESSION_NULL', { message: 'LIKE was given a null.' })
          return matches(a as string, p as string) !== negated
        }
      }
      case 'case': {
        const branches = expr.branches.map((b) => ({
          when: this.compile(b.when),
          then: this.compile(b.then),
        }))
        const otherwise = expr.otherwise === null ? () => null : this.compile(expr.otherwise)
        return (s) => {
          for (const branch of branches) if (truth(branch.when(s))) return branch.then(s)
          return otherwise(s)
        }
      }
      case 'cast': {
        const operand = this.compile(expr.operand)
        const apply = castFunction(expr.operand.type, expr.type)
        return (s) => {
          const a = operand(s)
          return a === null ? null : apply(a)
        }
      }
      case 'subscript':
        return this.#subscript(expr)
      case 'field': {
        const operand = this.compile(expr.operand)
        const { fieldIndex } = expr
        return (s) => {
          const struct = operand(s) as readonly SqlValue[] | null
          return struct === null ? null : (struct[fieldIndex] ?? null)
        }
      }
      case 'array': {
        const items = expr.items.map((item) => this.#guarded(item))
        return (s) => items.map((item) => item(s))
      }
      case 'map': {
        const entries = expr.entries.map((e) => [this.#guarded(e.key), this.#guarded(e.value)] as const)
        return (s) => new Map(entries.map(([key, value]) => [key(s), value(s)]))
      }
      case 'struct': {
        const fields = expr.fields.map((field) => this.#guarded(field))
        return (s) => fields.map((field) => field(s))
      }
      case 'call':
        return this.#call(expr)
      default:
        return unreachable(expr)
    }
  }

  #comparison(expr: Extract<Expr, { kind: 'comparison' }>): Closure<S> {
    const left = this.compile(expr.left)
    const right = this.compile(expr.right)
    const compare = comparisonFunction(expr.op, expr.left.type)
    return (s) => compare(left(s), right(s))
  }

  #subscript(expr: Extract<Expr, { kind: 'subscript' }>): Closure<S> {
    const operand = this.compile(expr.operand)
    const index = this.compile(expr.index)
    if (expr.operand.type.kind === 'MAP') {
      return (s) => {
        const map = operand(s) as ReadonlyMap<SqlValue, SqlValue> | null
        return map === null ? null : (map.get(index(s)) ?? null)
      }
    }
    return (s) => {
      const array = operand(s) as readonly SqlValue[] | null
      const at = index(s) as number | null
      if (array === null || at === null) return null
      return (at > 0 ? array[at - 1] : at < 0 ? array[array.length + at] : null) ?? null
    }
  }

  #call(expr: Extract<Expr, { kind: 'call' }>): Closure<S> {
    const { functions, context } = this.#env
    const argumentTypes = expr.args.map((arg) => (arg.kind === 'lambda' ? arg.body.type : arg.type))
    const body = functions.scalarBody(expr.function, expr.signature, argumentTypes, expr.type, context) as (
      ...args: unknown[]
    ) => SqlValue
    const args = expr.args.map((arg) => (arg.kind === 'lambda' ? this.#lambda(arg) : this.#guarded(arg)))
    switch (args.length) {
      case 0:
        return () => body()
      case 1: {
        const [a] = args
        return (s) => body(a!(s))
      }
      case 2: {
        const [a, b] = args
        return (s) => body(a!(s), b!(s))
      }
      case 3: {
        const [a, b, c] = args
        return (s) => body(a!(s), b!(s), c!(s))
      }
      default:
        return (s) => body(...args.map((arg) => arg(s)))
    }
  }

  /** For a lambda: a closure that gives, for a row, the function to hand to the body. */
  #lambda(lambda: Lambda): (source: S) => unknown {
    const cells = lambda.parameters.map((p) => {
      const cell = { value: null as SqlValue }
      this.#parameters.set(p.name, cell)
      return cell
    })
    const isNested = this.#isInLambda
    this.#isInLambda = true
    const body = this.compile(lambda.body)
    this.#isInLambda = isNested
    return (s) =>
      (...values: SqlValue[]): SqlValue => {
        for (let i = 0; i < cells.length; i++) cells[i]!.value = values[i] ?? null
        return body(s)
      }
  }

  /** A failing argument or element is null at its own level. */
  #guarded(expr: Expr): Closure<S> {
    const inner = this.compile(expr)
    if (expr.kind === 'literal' || expr.kind === 'column' || expr.kind === 'parameter') return inner
    const env = this.#env
    return (s) => {
      try {
        return inner(s)
      } catch (error) {
        env.nestedError(s, error)
        return null
      }
    }
  }
}

function nullForNull(): SqlValue {
  return null
}

function failForNull(): never {
  throw new RecordError('EXPRESSION_NULL', { message: 'An operand was null.' })
}

/** The dialect's logic is two-valued: a null BOOLEAN as an operand is an error. */
export function truth(value: SqlValue): boolean {
  if (value === null) throw new RecordError('EXPRESSION_NULL', { message: 'A condition was null.' })
  return value as boolean
}
