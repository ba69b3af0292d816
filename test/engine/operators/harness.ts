import { ManualClock } from '../../../src/base/clock.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { Batch, BatchBuilder } from '../../../src/engine/batch.ts'
import type { DropReason, Operator, OperatorContext, RowPlace } from '../../../src/engine/operator.ts'
import { createOperator } from '../../../src/engine/operators/create-operator.ts'
import type { BoundAggregate, FunctionRegistry } from '../../../src/functions/function.ts'
import type { SourceKind, WindowedKey } from '../../../src/plan/data-source.ts'
import type { AggregateCall, Expr } from '../../../src/plan/expression.ts'
import type { PlanNode, SourceNode } from '../../../src/plan/plan-node.ts'
import type { Schema } from '../../../src/plan/schema.ts'
import { BIGINT, BOOLEAN, STRING, arrayOf, type SqlType } from '../../../src/plan/sql-type.ts'
import type { Row, SqlValue } from '../../../src/plan/sql-value.ts'
import { ColdStores, type Committed } from './cold-stores.ts'

/** One input row of a test. */
export interface TestRow {
  readonly input?: number
  readonly key: SqlValue
  /** Value columns; null: a null value or a deletion. */
  readonly value: Row | null
  readonly old?: Row | null
  readonly t: number
  readonly window?: readonly [number, number]
}

export interface HarnessOptions {
  readonly cache?: boolean
  readonly compatibility?: boolean
  readonly committed?: Committed
}

/** One operator over cold stores: what comes out, as text, and what was dropped. */
export class Harness {
  readonly stores: ColdStores
  readonly operator: Operator
  /** `key [start..end] = value (was old) @timestamp`, in order. */
  readonly out: string[] = []
  readonly dropped: DropReason[] = []
  readonly #inputs: readonly PlanNode[]

  constructor(node: PlanNode, inputs: readonly PlanNode[], options: HarnessOptions = {}) {
    this.#inputs = inputs
    this.stores = new ColdStores(options.committed)
    this.operator = createOperator(
      node,
      testContext(
        this.stores,
        options,
        (batch) => this.out.push(...describe(batch)),
        (reason) => this.dropped.push(reason),
      ),
    )
  }

  /** Feeds rows, in batches of neighbouring rows of one input, then ends the cycle. */
  async feed(rows: readonly TestRow[]): Promise<void> {
    for (let from = 0; from < rows.length;) {
      const input = rows[from]!.input ?? 0
      let to = from
      while (to < rows.length && (rows[to]!.input ?? 0) === input) to++
      const batch = batchOf(this.#inputs[input]!.schema, rows.slice(from, to))
      this.stores.evict()
      await this.operator.prepare(input, batch)
      this.operator.process(input, batch)
      from = to
    }
  }

  /** Feeds each row in a batch and a cycle of its own. */
  async feedOneByOne(rows: readonly TestRow[]): Promise<void> {
    for (const row of rows) {
      await this.feed([row])
      this.operator.flush()
    }
  }

  async advance(t: number): Promise<void> {
    this.stores.evict()
    await this.operator.advance(t)
  }

  /** Lets time run to the last timer. */
  async runOut(): Promise<void> {
    for (let steps = 0; steps < 1000; steps++) {
      this.stores.evict()
      const timer = this.operator.nextTimerMs()
      if (timer === null) return
      await this.advance(timer)
    }
    throw new Error('timers never end')
  }
}

/** What comes out of one operator for rows given one by one. */
export async function run(
  node: PlanNode,
  inputs: readonly PlanNode[],
  rows: readonly TestRow[],
  options: HarnessOptions = {},
): Promise<string[]> {
  const harness = new Harness(node, inputs, options)
  await harness.feedOneByOne(rows)
  return harness.out
}

export function testContext(
  stores: ColdStores,
  options: HarnessOptions,
  emit: (batch: Batch) => void,
  drop: (reason: DropReason) => void,
): OperatorContext {
  const clock = new ManualClock()
  const compileRow = (expr: Expr, schema: Schema) => (row: Row, place: RowPlace) =>
    evaluate(expr, schema, row, place)
  return {
    stores,
    partition: 0,
    functions: testFunctions,
    functionContext: { clock, random: seededRandom(1), settings: new Map() },
    clock,
    cache: options.cache ?? false,
    compatibility: options.compatibility ?? false,
    oldRows: true,
    emit,
    drop,
    expressionError: (_batch, _row, error) => {
      throw error
    },
    compileRow,
    compileBatch: (expr, schema) => {
      const compiled = compileRow(expr, schema)
      return (batch, row) =>
        compiled(batch.slice(row, 0, schema.columns.length), { timestampMs: batch.timestamps[row]! })
    },
  }
}

export function batchOf(schema: Schema, rows: readonly TestRow[]): Batch {
  const builder = new BatchBuilder(schema)
  for (const row of rows) {
    builder.add({
      key: Array.isArray(row.key) ? (row.key as Row) : [row.key],
      value: row.value,
      timestampMs: row.t,
      ...('old' in row ? { old: row.old ?? null } : {}),
      ...(row.window === undefined ? {} : { windowStartMs: row.window[0], windowEndMs: row.window[1] }),
    })
  }
  return builder.take()!
}

export function describe(batch: Batch): string[] {
  const keyCount = batch.schema.columns.filter((c) => c.role === 'key').length
  const width = batch.schema.columns.length
  const text = (values: Row): string => values.map((v) => JSON.stringify(v)).join(',')
  return Array.from({ length: batch.size }, (_, n) => {
    const row = batch.position(n)
    const window = batch.windows === null ? '' : ` [${batch.windows.starts[row]}..${batch.windows.ends[row]}]`
    const value = batch.isAbsent(row) ? 'gone' : text(batch.slice(row, keyCount, width))
    const old = batch.oldSlice(row, keyCount, width)
    const was = old === null ? '' : ` (was ${text(old)})`
    return `${text(batch.slice(row, 0, keyCount))}${window} = ${value}${was} @${batch.timestamps[row]}`
  })
}

/** Lines without what they replaced. */
export function withoutOld(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/ \(was [^)]*\)/, ''))
}

/** The last line of every key and window, sorted. */
export function lastPerRow(lines: readonly string[]): string[] {
  const last = new Map<string, string>()
  for (const line of withoutOld(lines)) last.set(line.slice(0, line.indexOf(' = ')), line)
  return [...last.values()].sort()
}

export function source(
  name: string,
  kind: SourceKind,
  columns: Readonly<Record<string, SqlType>>,
  windowed: WindowedKey | null = null,
): SourceNode {
  const schema: Schema = {
    columns: Object.entries(columns).map(([column, type], i) => ({
      name: column,
      type,
      role: i === 0 ? 'key' : 'value',
    })),
  }
  const format = { name: 'JSON', properties: {}, wrapping: null } as const
  return {
    kind: 'source',
    schema,
    output: kind,
    windowed,
    source: {
      name,
      kind,
      topic: name,
      schema,
      keyFormat: format,
      valueFormat: format,
      windowedKey: windowed,
      timestamp: null,
      headers: [],
      readOnly: false,
      statement: '',
      createdBy: null,
    },
  }
}

export function schemaOf(
  keys: Readonly<Record<string, SqlType>>,
  values: Readonly<Record<string, SqlType>>,
): Schema {
  return {
    columns: [
      ...Object.entries(keys).map(([name, type]) => ({ name, type, role: 'key' as const })),
      ...Object.entries(values).map(([name, type]) => ({ name, type, role: 'value' as const })),
    ],
  }
}

export function column(name: string, type: SqlType): Expr {
  return { kind: 'column', name, type }
}

export function greater(left: Expr, than: number): Expr {
  return {
    kind: 'comparison',
    op: '>',
    left,
    right: { kind: 'literal', value: than, type: left.kind === 'column' ? left.type : BIGINT },
    type: BOOLEAN,
  }
}

export const COUNT: AggregateCall = {
  function: 'COUNT',
  signature: 0,
  args: [],
  parameters: [],
  name: 'COUNT',
  type: BIGINT,
}

export function sum(of: Expr): AggregateCall {
  return { function: 'SUM', signature: 0, args: [of], parameters: [], name: 'SUM', type: BIGINT }
}

export function collect(of: Expr): AggregateCall {
  return {
    function: 'COLLECT',
    signature: 0,
    args: [of],
    parameters: [],
    name: 'COLLECT',
    type: arrayOf(STRING),
  }
}

function evaluate(expr: Expr, schema: Schema, row: Row, place: RowPlace): SqlValue {
  switch (expr.kind) {
    case 'literal':
      return expr.value
    case 'column': {
      if (expr.name === 'ROWTIME') return place.timestampMs
      return row[schema.columns.findIndex((c) => c.name === expr.name)]!
    }
    case 'comparison': {
      const left = evaluate(expr.left, schema, row, place)
      const right = evaluate(expr.right, schema, row, place)
      if (left === null || right === null) return false
      return expr.op === '>' ? left > right : left === right
    }
    default:
      throw new Error(`not known to the test: ${expr.kind}`)
  }
}

const AGGREGATES: Readonly<Record<string, BoundAggregate>> = {
  COUNT: {
    stateType: BIGINT,
    initial: () => 0,
    add: (state) => (state as number) + 1,
    undo: (state) => (state as number) - 1,
    merge: (a, b) => (a as number) + (b as number),
    result: (state) => state,
    slots: null,
  },
  SUM: {
    stateType: BIGINT,
    initial: () => 0,
    add: (state, [value]) => (state as number) + ((value as number | null) ?? 0),
    undo: (state, [value]) => (state as number) - ((value as number | null) ?? 0),
    merge: (a, b) => (a as number) + (b as number),
    result: (state) => state,
    slots: null,
  },
  COLLECT: {
    stateType: arrayOf(STRING),
    initial: () => [],
    add(state, [value]) {
      if (value === 'broken') throw new Error('cannot collect this')
      return [...(state as Row), value!]
    },
    undo: null,
    merge: (a, b) => [...(a as Row), ...(b as Row)],
    result: (state) => state,
    slots: null,
  },
}

const unused = (): never => {
  throw new Error('not used by the test')
}

const testFunctions: FunctionRegistry = {
  kindOf: () => 'aggregate',
  names: () => Object.keys(AGGREGATES),
  resolveScalar: unused,
  resolveAggregate: unused,
  resolveTable: unused,
  scalarBody: unused,
  aggregateBody: (name) => AGGREGATES[name]!,
  tableBody: unused,
}
