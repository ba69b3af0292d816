import Big from 'big.js'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { arithmeticFunction, arithmeticTyping, negateFunction } from '../../src/functions/arithmetic.ts'
import { castFunction } from '../../src/functions/cast.ts'
import { comparisonFunction, comparisonType } from '../../src/functions/comparison.ts'
import type { ArgumentType } from '../../src/functions/function.ts'
import { functionRegistry } from '../../src/functions/registry.ts'
import { unifyTypes } from '../../src/functions/unification.ts'
import type { ArithmeticOp, ComparisonOp } from '../../src/plan/expression.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  structOf,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'

/*
 * Evaluates the examples of function declarations: literals, constructors, CAST, calls, lambdas, arithmetic
 * and comparisons. Small on purpose; SQL itself is read by the parser of `sql`.
 */

type Env = ReadonlyMap<string, SqlValue>
type Scope = ReadonlyMap<string, SqlType>

interface Compiled {
  readonly type: SqlType | null
  readonly literal: string | null
  readonly run: (env: Env) => SqlValue
}

type Node = (scope: Scope) => Compiled
interface LambdaNode {
  readonly parameters: readonly string[]
  readonly body: Node
}

export const exampleContext = {
  clock: new ManualClock(Date.UTC(2026, 1, 3, 4, 5, 6)),
  random: seededRandom(7),
  settings: new Map<string, string>(),
}

/** The value of an expression in the plain form examples use: see {@link plain}. Throws where it fails. */
export function evaluate(sql: string): unknown {
  const { type, run } = new Reader(sql).whole()(new Map())
  return plain(run(new Map()), type ?? STRING)
}

/** Rows of a table function's call. */
export function evaluateTable(sql: string): unknown {
  const reader = new Reader(sql)
  const name = reader.next()
  const args = reader.argumentNodes().map((node) => (node as Node)(new Map()))
  const resolved = functionRegistry.resolveTable(
    name,
    args.map((arg) => arg.type),
  )
  const body = functionRegistry.tableBody(
    name,
    resolved.signature,
    resolved.arguments,
    resolved.returns,
    exampleContext,
  )
  return body(...args.map((arg) => arg.run(new Map()))).map((row) => plain(row, resolved.returns))
}

/** DECIMAL as text with its scale, BYTES as hex, MAP and STRUCT as objects, the rest as it is. */
export function plain(value: SqlValue, type: SqlType): unknown {
  if (value === null) return null
  switch (type.kind) {
    case 'DECIMAL':
      return (value as Big).toFixed(type.scale)
    case 'BYTES':
      return Buffer.from(value as Uint8Array).toString('hex')
    case 'ARRAY':
      return (value as readonly SqlValue[]).map((item) => plain(item, type.element))
    case 'MAP':
      return Object.fromEntries(
        [...(value as ReadonlyMap<SqlValue, SqlValue>)].map(([k, v]) => [
          plain(k, type.key),
          plain(v, type.value),
        ]),
      )
    case 'STRUCT':
      return Object.fromEntries(
        type.fields.map((field, i) => [field.name, plain((value as readonly SqlValue[])[i]!, field.type)]),
      )
    default:
      return value
  }
}

class Reader {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(sql: string) {
    const token =
      /\s*('(?:[^']|'')*'|\d+\.\d+(?![eE\d])|\d+(?:\.\d+)?[eE][+-]?\d+|\d+|[A-Za-z_]\w*|=>|:=|<=|>=|<>|[-+*/%=<>()[\],])/y
    const tokens: string[] = []
    for (let found = token.exec(sql); found !== null; found = token.exec(sql)) tokens.push(found[1]!)
    this.#tokens = tokens
  }

  next(): string {
    return this.#tokens[this.#at++] ?? ''
  }

  #peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead] ?? ''
  }

  #expect(token: string): void {
    const found = this.next()
    if (found !== token) throw new Error(`Expected ${token}, found '${found}' in an example.`)
  }

  whole(): Node {
    const node = this.#comparison()
    if (this.#at !== this.#tokens.length) throw new Error(`Unread text from '${this.#peek()}' in an example.`)
    return node
  }

  #comparison(): Node {
    const left = this.#sum()
    if (!['=', '<>', '<', '<=', '>', '>='].includes(this.#peek())) return left
    const op = this.next() as ComparisonOp
    const right = this.#sum()
    return (scope) => {
      const a = left(scope)
      const b = right(scope)
      const type = comparisonType(op, a.type!, b.type!)!
      const compare = comparisonFunction(op, type)
      const castA = castFunction(a.type!, type)
      const castB = castFunction(b.type!, type)
      return value(BOOLEAN, (env) => compare(castA(a.run(env)), castB(b.run(env))))
    }
  }

  #sum(): Node {
    let node = this.#product()
    while (['+', '-'].includes(this.#peek()))
      node = arithmetic(this.next() as ArithmeticOp, node, this.#product())
    return node
  }

  #product(): Node {
    let node = this.#unary()
    while (['*', '/', '%'].includes(this.#peek()))
      node = arithmetic(this.next() as ArithmeticOp, node, this.#unary())
    return node
  }

  #unary(): Node {
    if (this.#peek() !== '-') return this.#primary()
    this.next()
    const operand = this.#unary()
    return (scope) => {
      const { type, run } = operand(scope)
      const negate = negateFunction(type!) as (v: SqlValue) => SqlValue
      return value(type, (env) => negate(run(env)))
    }
  }

  #primary(): Node {
    const token = this.next()
    if (token === '(') {
      const inner = this.#comparison()
      this.#expect(')')
      return inner
    }
    if (token.startsWith("'")) {
      const text = token.slice(1, -1).replaceAll("''", "'")
      return () => ({ type: STRING, literal: text, run: () => text })
    }
    if (/^\d/.test(token)) return numberNode(token)
    if (token === 'NULL') return () => value(null, () => null)
    if (token === 'TRUE' || token === 'FALSE') return () => value(BOOLEAN, () => token === 'TRUE')
    if (token === 'CAST') {
      this.#expect('(')
      const operand = this.#comparison()
      this.#expect('AS')
      const type = this.#type()
      this.#expect(')')
      return (scope) => {
        const { type: from, run } = operand(scope)
        const cast = from === null ? () => null : castFunction(from, type)
        return value(type, (env) => cast(run(env)))
      }
    }
    if (token === 'ARRAY' && this.#peek() === '[') return this.#array()
    if (token === 'MAP' && this.#peek() === '(') return this.#map()
    if (token === 'STRUCT' && this.#peek() === '(') return this.#struct()
    if (this.#peek() === '(') return callNode(token, this.argumentNodes())
    if (/^(DAY|HOUR|MINUTE|SECOND|MILLISECOND)S?$/.test(token)) return () => value(STRING, () => token)
    return (scope) => value(scope.get(token)!, (env) => env.get(token)!)
  }

  argumentNodes(): readonly (Node | LambdaNode)[] {
    const nodes: (Node | LambdaNode)[] = []
    this.#expect('(')
    while (this.#peek() !== ')') {
      nodes.push(this.#lambda() ?? this.#comparison())
      if (this.#peek() === ',') this.next()
    }
    this.next()
    return nodes
  }

  #lambda(): LambdaNode | null {
    const start = this.#at
    const parameters: string[] = []
    if (this.#peek() === '(') {
      this.next()
      while (/^\w+$/.test(this.#peek())) {
        parameters.push(this.next())
        if (this.#peek() === ',') this.next()
      }
      if (this.#peek() === ')') this.next()
    } else {
      parameters.push(this.next())
    }
    if (this.#peek() === '=>') {
      this.next()
      return { parameters, body: this.#comparison() }
    }
    this.#at = start
    return null
  }

  #list(open: string, close: string): readonly Node[] {
    const nodes: Node[] = []
    this.#expect(open)
    while (this.#peek() !== close) {
      nodes.push(this.#comparison())
      if (this.#peek() === ',' || this.#peek() === ':=') this.next()
    }
    this.next()
    return nodes
  }

  #array(): Node {
    const nodes = this.#list('[', ']')
    return (scope) => {
      const { type, runs } = unified(nodes.map((node) => node(scope)))
      return value(arrayOf(type), (env) => runs.map((run) => run(env)))
    }
  }

  #map(): Node {
    const nodes = this.#list('(', ')')
    return (scope) => {
      const compiled = nodes.map((node) => node(scope))
      const keys = unified(compiled.filter((_, i) => i % 2 === 0))
      const values = unified(compiled.filter((_, i) => i % 2 === 1))
      return value(
        mapOf(keys.type, values.type),
        (env) => new Map(keys.runs.map((run, i) => [run(env), values.runs[i]!(env)])),
      )
    }
  }

  #struct(): Node {
    const fields: (readonly [string, Node])[] = []
    this.#expect('(')
    while (this.#peek() !== ')') {
      const name = this.next()
      this.#expect(':=')
      fields.push([name, this.#comparison()])
      if (this.#peek() === ',') this.next()
    }
    this.next()
    return (scope) => {
      const compiled = fields.map(([name, node]) => ({ name, ...node(scope) }))
      return value(structOf(compiled.map(({ name, type }) => ({ name, type: type! }))), (env) =>
        compiled.map(({ run }) => run(env)),
      )
    }
  }

  #type(): SqlType {
    const name = this.next()
    if (name === 'ARRAY') {
      this.#expect('<')
      const element = this.#type()
      this.#expect('>')
      return arrayOf(element)
    }
    if (name === 'MAP') {
      this.#expect('<')
      const key = this.#type()
      this.#expect(',')
      const of = this.#type()
      this.#expect('>')
      return mapOf(key, of)
    }
    if (name === 'DECIMAL') {
      this.#expect('(')
      const precision = Number(this.next())
      this.#expect(',')
      const scale = Number(this.next())
      this.#expect(')')
      return decimal(precision, scale)
    }
    return { kind: name } as SqlType
  }
}

function value(type: SqlType | null, run: (env: Env) => SqlValue): Compiled {
  return { type, literal: null, run }
}

function numberNode(token: string): Node {
  if (/[eE]/.test(token)) return () => value(DOUBLE, () => Number(token))
  if (token.includes('.')) {
    const scale = token.length - token.indexOf('.') - 1
    const digits = token.replace(/^0+(?=\d)/, '').replace('.', '').length
    return () => value(decimal(Math.max(digits, scale + 1), scale), () => new Big(token))
  }
  const number = Number(token)
  return () => value(number <= 2147483647 ? INTEGER : BIGINT, () => number)
}

function arithmetic(op: ArithmeticOp, left: Node, right: Node): Node {
  return (scope) => {
    const a = left(scope)
    const b = right(scope)
    const typing = arithmeticTyping(op, a.type!, b.type!)!
    const castA = castFunction(a.type!, typing.left)
    const castB = castFunction(b.type!, typing.right)
    const body = arithmeticFunction(op, typing.left, typing.right, typing.result) as (
      x: SqlValue,
      y: SqlValue,
    ) => SqlValue
    return value(typing.result, (env) => {
      const x = castA(a.run(env))
      const y = castB(b.run(env))
      if (x === null || y === null) throw new TypeError('null in arithmetic')
      return body(x, y)
    })
  }
}

function unified(items: readonly Compiled[]): { type: SqlType; runs: readonly ((env: Env) => SqlValue)[] } {
  const type = unifyTypes(items.map((item) => ({ type: item.type, literal: item.literal, text: '' })))!
  const runs = items.map(({ type: from, run }) => {
    const cast = from === null ? () => null : castFunction(from, type)
    return (env: Env) => cast(run(env))
  })
  return { type, runs }
}

function callNode(name: string, nodes: readonly (Node | LambdaNode)[]): Node {
  return (scope) => {
    const compiled = nodes.map((node) => (typeof node === 'function' ? node(scope) : node))
    const withParameters = (node: LambdaNode, types: readonly SqlType[]): Compiled =>
      node.body(new Map([...scope, ...node.parameters.map((p, i) => [p, types[i]!] as const)]))
    const args = compiled.map((arg): ArgumentType =>
      'body' in arg
        ? {
            kind: 'lambda',
            arity: arg.parameters.length,
            typeBody: (types) => withParameters(arg, types).type!,
          }
        : { kind: 'value', type: arg.type },
    )
    const resolved = functionRegistry.resolveScalar(name, args)
    const body = functionRegistry.scalarBody(
      resolved.function,
      resolved.signature,
      resolved.arguments,
      resolved.returns,
      exampleContext,
    ) as unknown as (...values: unknown[]) => SqlValue
    const runs = compiled.map((arg, i): ((env: Env) => unknown) => {
      if ('body' in arg) {
        const lambda = withParameters(arg, resolved.lambdaParameters[i]!)
        const cast = castFunction(lambda.type!, resolved.arguments[i]!)
        return (env) =>
          (...values: SqlValue[]) =>
            cast(lambda.run(new Map([...env, ...arg.parameters.map((p, at) => [p, values[at]!] as const)])))
      }
      const cast = arg.type === null ? () => null : castFunction(arg.type, resolved.arguments[i]!)
      return (env) => cast(arg.run(env))
    })
    return value(resolved.returns, (env) => body(...runs.map((run) => run(env))))
  }
}
