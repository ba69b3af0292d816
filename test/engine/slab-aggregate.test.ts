import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Batch } from '../../src/engine/batch.ts'
import { BatchBuilder } from '../../src/engine/batch.ts'
import { compileOverBatch, compileOverRow } from '../../src/engine/compile/cursor.ts'
import type { Operator, OperatorContext } from '../../src/engine/operator.ts'
import { createOperator } from '../../src/engine/operators/create-operator.ts'
import { GroupPages } from '../../src/engine/slabs/group-pages.ts'
import { groupLoop, slabLoop } from '../../src/engine/slabs/slab-loop.ts'
import { runsOnSlabs, slabOperator } from '../../src/engine/slabs/slab-operator.ts'
import { Slab } from '../../src/engine/slabs/slab.ts'
import { functionRegistry } from '../../src/functions/registry.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { Log } from '../../src/log/log.ts'
import type { AggregateCall, Expr } from '../../src/plan/expression.ts'
import type { AggregateNode, SourceNode, WindowSpec } from '../../src/plan/plan-node.ts'
import type { Schema } from '../../src/plan/schema.ts'
import { DOUBLE, INTEGER, STRING, type SqlType } from '../../src/plan/sql-type.ts'
import { WorkerState, type TaskState } from '../../src/state/worker-state.ts'

const INPUT: Schema = {
  columns: [
    { name: 'K', type: STRING, role: 'key' },
    { name: 'D', type: DOUBLE, role: 'value' },
    { name: 'I', type: INTEGER, role: 'value' },
  ],
}

function call(name: string, arg: string | null, type: SqlType | null): AggregateCall {
  const resolved = functionRegistry.resolveAggregate(name, type === null ? [] : [type])
  const args: Expr[] = arg === null ? [] : [{ kind: 'column', name: arg, type: type! }]
  return {
    function: name,
    signature: resolved.signature,
    args,
    parameters: [],
    name: `${name}_${arg ?? 'ALL'}`,
    type: resolved.returns,
  }
}

const AGGREGATES = [
  call('COUNT', null, null),
  call('COUNT', 'D', DOUBLE),
  call('SUM', 'D', DOUBLE),
  call('AVG', 'D', DOUBLE),
  call('MIN', 'D', DOUBLE),
  call('MAX', 'I', INTEGER),
]

function node(emit: 'changes' | 'final', window: WindowSpec | null): AggregateNode {
  const source = { kind: 'source', schema: INPUT, output: 'stream', windowed: null } as SourceNode
  return {
    kind: 'aggregate',
    input: source,
    output: 'table',
    aggregates: AGGREGATES,
    window,
    emit,
    windowed: window === null ? null : { type: 'TUMBLING', sizeMs: 10 },
    schema: {
      columns: [
        { name: 'K', type: STRING, role: 'key' },
        ...AGGREGATES.map((a) => ({ name: a.name, type: a.type, role: 'value' as const })),
      ],
    },
  }
}

interface Step {
  readonly rows: readonly {
    key: string | null
    time: number
    d: number | null
    i: number | null
    absent: boolean
  }[]
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    rows: fc.array(
      fc.record({
        key: fc.option(fc.constantFrom('a', 'b', 'ccc', '', 'é'), { freq: 20 }),
        time: fc.integer({ min: 0, max: 120 }),
        d: fc.option(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { freq: 10 }),
        i: fc.option(fc.integer(), { freq: 10 }),
        absent: fc.integer({ max: 20, min: 0 }).map((n) => n === 0),
      }),
      { maxLength: 30 },
    ),
  }),
  { maxLength: 6 },
)

function batchOf(step: Step): Batch | null {
  const builder = new BatchBuilder(INPUT)
  for (const row of step.rows) {
    builder.add({ key: [row.key], value: row.absent ? null : [row.d, row.i], timestampMs: row.time })
  }
  return builder.take()
}

/** One operator over real stores; each step is a cycle of its own, committed, with a restart where asked. */
class Bench {
  readonly #log: Log
  readonly #make: (context: OperatorContext) => Operator
  #task!: TaskState
  #operator!: Operator
  #state!: WorkerState
  readonly out: unknown[] = []
  /** Rows that counted for nothing, by why. */
  readonly dropped: Record<string, number> = {}

  constructor(log: Log, make: (context: OperatorContext) => Operator) {
    this.#log = log
    this.#make = make
  }

  async start(): Promise<void> {
    const clock = new ManualClock()
    this.#state = await WorkerState.open({
      directory: null,
      log: this.#log,
      fileSystem: new MemoryFileSystem(),
      clock,
      epoch: 1,
      memoryBytesMax: 1 << 26,
    })
    this.#task = this.#state.task('t', (store) => `changelog-${store}`, 0)
    const compile = {
      functions: functionRegistry,
      functionContext: { clock, random: seededRandom(1), settings: new Map() },
    }
    const fail = (_batch: Batch, _row: number, error: unknown): void => {
      throw error
    }
    this.#operator = this.#make({
      ...compile,
      stores: this.#task,
      partition: 0,
      clock,
      cache: true,
      compatibility: false,
      oldRows: true,
      emit: (batch) => this.#record(batch),
      drop: (reason) => {
        this.dropped[reason] = (this.dropped[reason] ?? 0) + 1
      },
      expressionError: fail,
      compileRow: (expr, schema) => compileOverRow(expr, schema, compile),
      compileBatch: (expr, schema) => compileOverBatch(expr, schema, compile, fail),
    })
    for (const topic of this.#task.changelogTopics()) {
      if (this.#log.topic(topic) === undefined) await this.#log.createTopic(topic, { partitions: 1 })
    }
    await this.#task.restore()
  }

  async cycle(step: Step): Promise<void> {
    const batch = batchOf(step)
    if (batch !== null) {
      await this.#operator.prepare(0, batch)
      this.#operator.process(0, batch)
    }
    this.#operator.flush()
    const owner = await this.#log.claim('test')
    const outcome = await this.#log.commit({ owner, appends: this.#task.flush(), offsets: [] })
    if (outcome.kind !== 'committed') throw new Error(outcome.kind)
    this.#task.committed(outcome.baseOffsets)
  }

  async restart(): Promise<void> {
    await this.#task.close()
    await this.#state.close()
    await this.start()
  }

  async committed(): Promise<unknown[]> {
    const rows: unknown[] = []
    const range = { keys: null, from: null, to: null, startFromMs: -Infinity, startToMs: Infinity }
    for await (const batch of this.#operator.readCommitted!(range)) {
      for (let n = 0; n < batch.size; n++) rows.push(rowOf(batch, batch.position(n)))
    }
    return rows
  }

  #record(batch: Batch): void {
    const width = batch.schema.columns.length
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      this.out.push([...rowOf(batch, row), batch.oldSlice(row, 1, width)])
    }
  }
}

function rowOf(batch: Batch, row: number): unknown[] {
  return [
    batch.windows?.starts[row],
    batch.timestamps[row],
    ...batch.slice(row, 0, batch.schema.columns.length),
  ]
}

/** Order within a cycle is each operator's own; across cycles it is not. */
function sorted(rows: readonly unknown[]): string[] {
  return rows.map((row) => JSON.stringify(row, (_, v: unknown) => (Object.is(v, -0) ? 0 : v))).toSorted()
}

const TUMBLING: WindowSpec = { type: 'TUMBLING', sizeMs: 10, graceMs: 5, retentionMs: 40 }
const HOPPING: WindowSpec = { type: 'HOPPING', sizeMs: 10, advanceMs: 3, graceMs: 5, retentionMs: 40 }

async function compare(
  emit: 'changes' | 'final',
  window: WindowSpec | null,
  cycles: readonly Step[],
  restartAfter: number,
): Promise<void> {
  const open = (): Promise<Log> =>
    openLog({
      directory: '/log',
      fileSystem: new MemoryFileSystem(),
      clock: new ManualClock(),
      random: seededRandom(1),
    })
  const aggregate = node(emit, window)
  const fast = new Bench(await open(), (context) => {
    expect(runsOnSlabs(aggregate, context)).toBe(true)
    return slabOperator(aggregate, context)
  })
  const plain = new Bench(await open(), (context) => createOperator(aggregate, context))
  await fast.start()
  await plain.start()
  for (const [i, step] of cycles.entries()) {
    const from = fast.out.length
    const fromPlain = plain.out.length
    await fast.cycle(step)
    await plain.cycle(step)
    expect(sorted(fast.out.slice(from))).toEqual(sorted(plain.out.slice(fromPlain)))
    expect(fast.dropped).toEqual(plain.dropped)
    if (i === restartAfter) await fast.restart()
    expect(sorted(await fast.committed())).toEqual(sorted(await plain.committed()))
  }
}

for (const emit of ['changes', 'final'] as const) {
  for (const window of [TUMBLING, HOPPING]) {
    test.prop([steps, fc.nat(5)], { numRuns: 30 })(
      `${window.type} EMIT ${emit.toUpperCase()} over slabs equals the general operator`,
      (cycles, restart) => compare(emit, window, cycles, restart),
    )
  }
}

test.prop([steps, fc.nat(5)], { numRuns: 30 })(
  'groups without windows over slabs equal the general operator',
  (cycles, restart) => compare('changes', null, cycles, restart),
)

test.prop([
  fc.array(fc.tuple(fc.nat(300), fc.nat(60), fc.double({ noNaN: true })), { minLength: 1, maxLength: 400 }),
])('the generated loop equals the plain one', (rows) => {
  const slots = functionRegistry.aggregateBody('AVG', 0, [DOUBLE], [], DOUBLE, {
    clock: new ManualClock(),
    random: seededRandom(1),
    settings: new Map(),
  }).slots!
  const aggregates = [{ slots, offset: 0, argument: 0 }]
  const bytes = new Uint8Array(rows.flatMap(([key]) => [key & 255, key >> 8]))
  const starts = Int32Array.from(rows, (_, i) => i * 2)
  const ends = Int32Array.from(rows, (_, i) => i * 2 + 2)
  const times = Float64Array.from(rows, (r) => r[1])
  const args = { values: [Float64Array.from(rows, (r) => r[2])], nulls: [new Uint8Array(rows.length)] }
  const run = (generate: boolean, advanceMs: number): unknown => {
    const slabs = new Map<number, Slab>()
    const late: number[] = []
    const host = {
      streamTimeMs: -1,
      nextCloseMs: Infinity,
      slabAt: (startMs: number) => {
        const slab = slabs.get(startMs) ?? new Slab(startMs, slots.initial)
        slabs.set(startMs, slab)
        return slab
      },
      late: (row: number) => void late.push(row),
      nullKey: () => {},
      nullValue: () => {},
    }
    slabLoop(aggregates, slots.width, { sizeMs: 10, advanceMs, graceMs: 5 }, generate)(
      host,
      null,
      null,
      0,
      rows.length,
      times,
      bytes,
      starts,
      ends,
      args,
    )
    return [
      late,
      host.streamTimeMs,
      [...slabs].map(([start, s]) => [start, s.count, [...s.state.subarray(0, s.count * s.stride)]]),
    ]
  }
  for (const advanceMs of [10, 4]) expect(run(true, advanceMs)).toEqual(run(false, advanceMs))
  const groups = (generate: boolean): unknown => {
    const pages = new GroupPages(slots.initial)
    const host = { pages, nullKey: () => {}, nullValue: () => {} }
    const loop = groupLoop(aggregates, slots.width, generate)
    loop(host, null, null, rows.length, times, bytes, starts, ends, args)
    return [pages.frames.changes.places, pages.frames.chunks.map((chunk) => chunk.state)]
  }
  expect(groups(true)).toEqual(groups(false))
})
