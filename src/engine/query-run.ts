import { assert } from '../base/assert.ts'
import type { Format } from '../formats/format.ts'
import type { GroupAppend } from '../log/log.ts'
import type { RecordColumns } from '../log/records.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { PlanNode, QueryPlan, SourceNode } from '../plan/plan-node.ts'
import type { TaskStores } from '../state/store.ts'
import type { Batch } from './batch.ts'
import { ARRAYS_IN_USE_MAX } from './early-appends.ts'
import { Exchange } from './exchange.ts'
import { detach } from './gather.ts'
import { buildGraph, operatorIds, type ExchangeNode, type QueryGraph } from './graph.ts'
import { neededColumns } from './needed-columns.ts'
import type { ReadRange } from './operator.ts'
import { Sink } from './sink.ts'
import { SourceDecoder, type DecodedRecords } from './source-decoder.ts'
import { Task, type TaskEnvironment } from './task.ts'

/** One partition of one topic that a query reads. */
export interface QueryInput {
  /** Position in {@link QueryRun.inputs}. */
  readonly index: number
  readonly source: SourceNode
  readonly topic: string
  readonly partition: number
  /** Inputs of one group are read in step, by event time, because their rows meet. */
  readonly group: number
}

export interface QueryRunOptions extends Omit<TaskEnvironment, 'ids'> {
  /** Number of partitions of a topic. */
  readonly partitionsOf: (topic: string) => number
  /** `max.message.bytes` of a topic now; absent: there is no limit. */
  readonly recordBytesMax?: (topic: string) => number
  /** State of the tasks on one partition. */
  readonly stores: (partition: number) => TaskStores
  /** Receives result batches, to keep, of a query without a sink and of one with a sink where it is watched. */
  readonly onResult?: (batch: Batch, partition: number) => void
  readonly formatOf: (name: FormatName) => Format | undefined
  /** Results are taken before a cycle ends, too. */
  readonly atLeastOnce?: boolean
  /** Whether the state of a partition's tasks may be used; absent: always. Until then they get nothing and do nothing. */
  readonly isReady?: (partition: number) => boolean
}

/**
 * A query at work: all its tasks, their exchanges and sinks. Knows neither the log nor commits: whoever
 * runs it feeds batches, drains, flushes, and takes what is to be appended.
 *
 * Invariant: after `drain` nothing is in flight between tasks; after `flush` nothing is held back either.
 */
export class QueryRun {
  readonly plan: QueryPlan
  readonly inputs: readonly QueryInput[]
  readonly graph: QueryGraph
  /** Per sub-topology, per partition. */
  readonly #tasks: Task[][] = []
  readonly #sinks: Sink[] = []
  readonly #decoders = new Map<SourceNode, SourceDecoder>()
  readonly #needed: ReadonlyMap<SourceNode, ReadonlySet<number>>
  readonly #taskOf: Task[] = []
  /** Whether a partition's tasks may be fed. */
  readonly isReady: (partition: number) => boolean

  constructor(plan: QueryPlan, options: QueryRunOptions) {
    this.plan = plan
    this.isReady = options.isReady ?? ((): boolean => true)
    this.graph = buildGraph(plan, options.partitionsOf)
    this.#needed = neededColumns(plan.root)
    const environment: TaskEnvironment = {
      ...options,
      // An alert sees every change: what it says must not depend on when cycles end.
      cache: options.cache && plan.root.kind !== 'alert',
      ids: operatorIds(plan.root),
    }
    const topologies = this.graph.subTopologies
    topologies.forEach(() => this.#tasks.push([]))
    // Those downstream first: an exchange needs the tasks it delivers to.
    for (const topology of topologies.toReversed()) {
      const { exit } = topology
      let exchange: Exchange | null = null
      if (exit.kind === 'exchange') {
        const { node, to } = exit
        const target = topologies[to]!
        exchange = new Exchange(
          node.schema,
          target.keyFormat,
          target.partitions,
          options.formatOf,
          (partition, from, batch) => this.#deliver(to, partition, node, from, batch),
        )
      }
      for (let partition = 0; partition < topology.partitions; partition++) {
        const out =
          exchange === null
            ? this.#output(plan, partition, options)
            : (batch: Batch) => exchange.route(partition, batch)
        this.#tasks[topology.index]!.push(
          new Task(topology, partition, options.stores(partition), environment, out),
        )
      }
    }
    const inputs: QueryInput[] = []
    const together = !this.isByPartition
    for (const topology of topologies) {
      for (const source of topology.sources) {
        this.#decoders.set(source, new SourceDecoder(source.source, options.formatOf))
        const { topic } = source.source
        const tasks = this.#tasks[topology.index]!
        const partitions = topology.gathers
          ? options.partitionsOf(topic)
          : Math.min(options.partitionsOf(topic), topology.partitions)
        for (let partition = 0; partition < partitions; partition++) {
          const group = together ? 0 : partition
          inputs.push({ index: inputs.length, source, topic, partition, group })
          this.#taskOf.push(topology.gathers ? tasks[0]! : tasks[partition]!)
        }
      }
    }
    this.inputs = inputs
  }

  /** Rows of different partitions never meet: each partition's task works by itself. */
  get isByPartition(): boolean {
    const { subTopologies } = this.graph
    return subTopologies.length === 1 && !subTopologies[0]!.gathers
  }

  /** Columns of a source that the query reads: positions in the source's schema. */
  neededColumns(source: SourceNode): ReadonlySet<number> {
    return this.#needed.get(source)!
  }

  decode(input: QueryInput, records: RecordColumns): DecodedRecords {
    return this.#decoders
      .get(input.source)!
      .decode(records, input.partition, this.neededColumns(input.source))
  }

  /** Puts rows into the task of an input; {@link drain} works them off. */
  feed(input: QueryInput, batch: Batch): void {
    if (batch.size > 0) this.#taskOf[input.index]!.feed(input.source, batch)
  }

  async drain(): Promise<void> {
    for (const task of this.#ready()) await task.drain()
  }

  /** Drains, and lets go of what caches hold back. Call before taking what a commit is to contain. */
  async flush(): Promise<void> {
    for (const task of this.#ready()) await task.flush()
  }

  /** The next event time at which something happens without a record; null: nothing waits. */
  nextTimerMs(): number | null {
    const timers = this.#ready().flatMap((task) => task.nextTimerMs() ?? [])
    return timers.length === 0 ? null : Math.min(...timers)
  }

  /** Event time moves on to `streamTimeMs` without a record. */
  async advance(streamTimeMs: number): Promise<void> {
    for (const task of this.#ready()) await task.advance(streamTimeMs)
  }

  /**
   * Silence counts as time passing, task by task: a vehicle that is the only one of its partition must be
   * missed while others go on reporting. Event time of a task that got nothing for `idleMs` moves on by
   * the wall time since, as far as its next timer.
   *
   * @param eventTimeOf  highest event time handed to the sources of a partition, or (null) to any; −1: none
   * @returns whether anything moved
   */
  async advanceIdle(idleMs: number, eventTimeOf: (partition: number | null) => number): Promise<boolean> {
    let moved = false
    for (const { index, entries } of this.graph.subTopologies) {
      for (const task of this.#tasks[index]!) {
        if (!this.isReady(task.partition)) continue
        const silentMs = task.silence.lastedMs()
        if (silentMs < idleMs) continue
        const next = task.nextTimerMs()
        if (next === null) continue
        const eventTimeMs = eventTimeOf(entries.length === 0 ? task.partition : null)
        if (eventTimeMs < 0 || next > eventTimeMs + silentMs) continue
        await task.advance(next)
        moved = true
      }
    }
    if (moved) await this.drain()
    return moved
  }

  /** Encoded results since the last call. */
  takeAppends(): GroupAppend[] {
    return this.#sinks.flatMap((sink) => sink.take())
  }

  get pendingBytes(): number {
    return this.#sinks.reduce((sum, sink) => sum + sink.pendingBytes, 0)
  }

  /** Rows written to the sink since the start. */
  get rowsOut(): number {
    return this.#sinks.reduce((sum, sink) => sum + sink.rows, 0)
  }

  /** Committed rows of the query's result table, over all partitions. */
  async *readCommitted(range: ReadRange): AsyncIterable<Batch> {
    for (const task of this.#tasks.at(-1)!) yield* task.readCommitted(range)
  }

  /** In the order of the data. */
  #ready(): Task[] {
    return this.#tasks.flat().filter((task) => this.isReady(task.partition))
  }

  #deliver(to: number, partition: number, node: ExchangeNode, from: number, batch: Batch): void {
    const task = this.#tasks[to]![partition]
    assert(task, 'an exchange delivers to existing tasks')
    task.receive(node, from, batch)
  }

  #output(plan: QueryPlan, partition: number, options: QueryRunOptions): (batch: Batch) => void {
    const { onResult } = options
    if (plan.sink === null) {
      assert(onResult, 'a query without a sink has a subscriber')
      return (batch) => onResult(detach(batch), partition)
    }
    const sink = new Sink(
      plan.sink,
      options.partitionsOf(plan.sink.topic),
      partition,
      options.formatOf,
      (reason, batch, row, detail) => options.observer.dropped(reason, batch, row, detail),
      {
        recordBytesMax: () => options.recordBytesMax?.(plan.sink!.topic) ?? Infinity,
        keysFromRecords: keepsKeys(plan.root),
        arrays: options.atLeastOnce === true ? ARRAYS_IN_USE_MAX : 2,
      },
    )
    this.#sinks.push(sink)
    return onResult === undefined
      ? (batch) => sink.write(batch)
      : (batch) => {
          sink.write(batch)
          onResult(detach(batch), partition)
        }
  }
}

/** Whether the keys of a plan's rows are those of the records they came from. */
function keepsKeys(node: PlanNode): boolean {
  switch (node.kind) {
    case 'source':
      return true
    case 'filter':
    case 'project':
    case 'flat-map':
      return keepsKeys(node.input)
    default:
      return false
  }
}
