import { ManualClock } from '../base/clock.ts'
import { FunctionError, MillraceError, SqlError } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { fromProgram } from '../dsl/functions/value.ts'
import { compileOverRow, type CompileContext } from '../engine/compile/cursor.ts'
import type { AggregateExample, AggregateFunction } from '../functions/aggregate-function.ts'
import { equalsFunction } from '../functions/comparison.ts'
import type { BoundAggregate } from '../functions/function.ts'
import { functionRegistry, withUserFunctions, type FunctionDeclaration } from '../functions/registry.ts'
import type { FunctionLibrary } from '../functions/registry.ts'
import type { Expr } from '../plan/expression.ts'
import { plainValue } from '../plan/plain-value.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import { coerce } from '../sql/analyse/coerce.ts'
import { emptyScope } from '../sql/analyse/scope.ts'
import { typeExpression } from '../sql/analyse/type-expression.ts'
import { isUntypedNull, typeOf } from '../sql/analyse/untyped-null.ts'
import type * as ast from '../sql/ast.ts'
import { parseAll, parseStatements } from '../sql/parse.ts'

/** A function of a user: made by scalarFunction, aggregateFunction or tableFunction. */
export type UserFunction = FunctionDeclaration

/**
 * The functions of the dialect and those of a user, whose names, types and examples have been checked.
 *
 * @throws FunctionError naming the function and what is wrong with it
 */
export function registerFunctions(functions: readonly UserFunction[]): FunctionLibrary {
  if (functions.length === 0) return functionRegistry
  const library = withUserFunctions(functions)
  const examples = new Examples(library)
  for (const { name } of functions) examples.check(library.declarations.get(name.toUpperCase())!)
  return library
}

/** Runs the examples of declarations: SQL expressions without columns. */
class Examples {
  readonly #library: FunctionLibrary
  readonly #context: CompileContext

  constructor(library: FunctionLibrary) {
    this.#library = library
    this.#context = {
      functions: library,
      functionContext: { clock: new ManualClock(0), random: seededRandom(1), settings: new Map() },
    }
  }

  check(declaration: FunctionDeclaration): void {
    const { name } = declaration
    const { statements } = parseAll(`SELECT ${name}() FROM nothing;`)
    const [call] = expressionsOf(statements[0])
    if (call?.kind !== 'call' || call.name.name.toUpperCase() !== name) {
      throw new FunctionError('FUNCTION_INVALID', {
        message: `Function ${name} can't be registered: its name is a word of SQL.`,
        hint: 'Give it another name.',
      })
    }
    if (declaration.kind === 'aggregate') {
      for (const example of declaration.examples ?? []) {
        const text = `${name} of the rows ${example.rows.map((row) => `(${row})`).join(', ')}`
        this.#guarded(name, text, () => this.#checkAggregate(declaration, example, text))
      }
      return
    }
    for (const [sql, expected] of declaration.examples) {
      this.#guarded(name, sql, () => {
        if (declaration.kind === 'scalar') this.#checkScalar(name, sql, expected)
        else this.#checkTable(name, sql, expected)
      })
    }
  }

  #guarded(name: string, text: string, check: () => void): void {
    try {
      check()
    } catch (cause) {
      if (cause instanceof FunctionError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new FunctionError('FUNCTION_EXAMPLE_FAILED', {
        message: `Function ${name} can't be registered: its example ${text} fails: ${reason}`,
        ...(cause instanceof MillraceError && cause.hint !== undefined ? { hint: cause.hint } : {}),
        cause,
      })
    }
  }

  #checkScalar(name: string, sql: string, expected: unknown): void {
    const [node] = selectList(sql)
    if (node === undefined) throw new TypeError('it is no expression.')
    const expr = this.#type(node)
    this.#compare(name, sql, expr.type, this.#evaluate(expr), expected)
  }

  #checkTable(name: string, sql: string, expected: unknown): void {
    const [node] = selectList(sql)
    if (node?.kind !== 'call' || node.name.name.toUpperCase() !== name)
      throw new TypeError(`it is no call of ${name}.`)
    if (!Array.isArray(expected)) throw new TypeError('it is to give a list of rows.')
    const args = node.args.map((arg) => this.#type(arg))
    const resolved = this.#library.resolveTable(name, args.map(typeOf))
    const { functions, functionContext } = this.#context
    const body = functions.tableBody(
      name,
      resolved.signature,
      resolved.arguments,
      resolved.returns,
      functionContext,
    )
    const rows = body(...args.map((arg, i) => this.#evaluate(coerce(arg, resolved.arguments[i]!))))
    this.#compare(name, sql, { kind: 'ARRAY', element: resolved.returns }, rows, expected)
  }

  #checkAggregate({ name }: AggregateFunction, example: AggregateExample, text: string): void {
    const parameters = example.parameters === undefined ? [] : this.#typed(example.parameters)
    const rows = example.rows.map((row) => this.#typed(row))
    const columnTypes = commonTypes(rows)
    const types = [...columnTypes, ...parameters.map(typeOf)]
    const resolved = this.#library.resolveAggregate(name, types)
    const columns = resolved.arguments.slice(0, types.length - resolved.parameterCount)
    if (columns.length !== columnTypes.length)
      throw new TypeError(`${resolved.parameterCount} of its arguments are parameters.`)
    const aggregate = this.#library.aggregateBody(
      name,
      resolved.signature,
      columns,
      parameters.map((p, i) => this.#evaluate(coerce(p, resolved.arguments[columns.length + i]!))),
      resolved.returns,
      this.#context.functionContext,
    )
    const values = rows.map((row) => row.map((arg, i) => this.#evaluate(coerce(arg, columns[i]!))))
    const check = (state: SqlValue, how: string): void =>
      this.#compare(name, `${text}${how}`, resolved.returns, aggregate.result(state), example.result)
    const whole = addAll(aggregate, values)
    check(whole, '')
    for (let cut = 0; cut <= values.length; cut++) {
      const merged = aggregate.merge(
        addAll(aggregate, values.slice(0, cut)),
        addAll(aggregate, values.slice(cut)),
      )
      check(merged, `, merged from the first ${cut} and the others,`)
    }
    if (aggregate.undo === null) return
    for (const row of values) check(aggregate.undo(aggregate.add(whole, row), row), ', one added and undone,')
  }

  #typed(list: string): readonly Expr[] {
    return list.trim() === '' ? [] : selectList(list).map((node) => this.#type(node))
  }

  #type(node: ast.Expression): Expr {
    return typeExpression(node, {
      scope: emptyScope((reference) => {
        throw new SqlError('SQL_UNKNOWN_COLUMN', {
          message: `An example has no columns, so there is no ${reference.name.text}.`,
        })
      }),
      functions: this.#library,
      types: { type: () => undefined, typeNames: () => [] },
      clause: 'an example',
    })
  }

  #evaluate(expr: Expr): SqlValue {
    return compileOverRow(expr, { columns: [] }, this.#context)([], { timestampMs: 0 })
  }

  #compare(name: string, text: string, type: SqlType, actual: SqlValue, expected: unknown): void {
    if (agree(type, actual, fromProgram(type)(expected))) return
    throw new FunctionError('FUNCTION_EXAMPLE_FAILED', {
      message: `Function ${name} can't be registered: its example ${text} gives ${shown(plainValue(type, actual))}, not ${shown(expected)}.`,
    })
  }
}

function addAll(aggregate: BoundAggregate, rows: readonly (readonly SqlValue[])[]): SqlValue {
  return rows.reduce((state: SqlValue, row) => aggregate.add(state, row), aggregate.initial())
}

/** Of each column the type of its first value that isn't NULL. */
function commonTypes(rows: readonly (readonly Expr[])[]): readonly (SqlType | null)[] {
  const [first, ...others] = rows
  if (first === undefined) throw new TypeError('an example needs a row, so that its types are known.')
  if (others.some((row) => row.length !== first.length))
    throw new TypeError('its rows have different numbers of arguments.')
  return first.map((_, i) => {
    const typed = rows.map((row) => row[i]!).find((arg) => !isUntypedNull(arg))
    return typed === undefined ? null : typed.type
  })
}

/** How far DOUBLEs may differ, relative to the greater: sums in another order round otherwise. */
const DOUBLE_TOLERANCE = 1e-9

function agree(type: SqlType, actual: SqlValue, expected: SqlValue): boolean {
  if (actual === null || expected === null) return actual === expected
  switch (type.kind) {
    case 'DOUBLE': {
      const [a, b] = [actual as number, expected as number]
      if (Object.is(a, b)) return true
      return Math.abs(a - b) <= DOUBLE_TOLERANCE * Math.max(Math.abs(a), Math.abs(b))
    }
    case 'ARRAY': {
      const [a, b] = [actual as readonly SqlValue[], expected as readonly SqlValue[]]
      return a.length === b.length && a.every((item, i) => agree(type.element, item, b[i]!))
    }
    case 'STRUCT': {
      const [a, b] = [actual as readonly SqlValue[], expected as readonly SqlValue[]]
      return type.fields.every((field, i) => agree(field.type, a[i]!, b[i]!))
    }
    default:
      return equalsFunction(type)(actual, expected)
  }
}

/** The expressions of a list separated by commas. */
function selectList(list: string): readonly ast.Expression[] {
  const [statement] = parseStatements(`SELECT ${list} FROM nothing;`)
  return expressionsOf(statement)
}

function expressionsOf(statement: ast.Statement | undefined): readonly ast.Expression[] {
  if (statement?.kind !== 'query-statement') return []
  return statement.query.items.flatMap((item) => (item.kind === 'select-expression' ? [item.expression] : []))
}

function shown(value: unknown): string {
  return (
    JSON.stringify(value, (_, part: unknown) => {
      if (typeof part === 'bigint') return `${part}n`
      if (part instanceof Map) return Object.fromEntries(part as ReadonlyMap<string, unknown>)
      return part
    }) ?? String(value)
  )
}
