import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { StorageError } from '../base/errors.ts'
import type { CommittedOffset, Log } from '../log/log.ts'
import type { PlanNode } from '../plan/plan-node.ts'
import { inputsOf } from '../plan/plan-node.ts'
import type { Batch } from './batch.ts'
import { FutureBound } from './future-bound.ts'
import { withSelection } from './gather.ts'
import type { QueryInput, QueryRun } from './query-run.ts'
import type { ReadSlice, SharedReader } from './shared-reader.ts'
import type { DecodedRecords, UnreadableRecord } from './source-decoder.ts'

/** A step over several groups ends after so long: whoever is behind must not keep commits waiting. */
const STEP_MS_MAX = 5

/** Rows of the first step of a start, and how many times as many each next one may take: what comes first comes soon. */
const ROWS_FIRST = 128
const ROWS_FACTOR = 4

/** Where a query is in one of its inputs. */
interface InputState {
  readonly input: QueryInput
  /** Next offset to read from the log. */
  readOffset: number
  /** First offset not yet handed to the query. */
  consumedOffset: number
  /** What was read and not yet handed over, and how far into its selection that is. */
  waiting: { batch: Batch; from: number; unreadable: readonly UnreadableRecord[]; slice: ReadSlice } | null
  /** Highest event time handed over, or −1. */
  eventTimeMs: number
  /** Highest event time read, or −1. */
  readTimeMs: number
  /** Which input comes first among rows of one time: what a stream joins comes before it. */
  readonly rank: number
  /** A table that is read to this offset before a stream that joins it starts; null: not (any more). */
  loadTo: number | null
}

/** A record that a query could not read. */
export interface UnreadableAt extends UnreadableRecord {
  readonly topic: string
  readonly partition: number
}

/** Offsets [from, to) that a query wanted to read and that are gone. */
export interface ExpiredInput {
  readonly topic: string
  readonly partition: number
  readonly fromOffset: number
  readonly toOffset: number
}

/**
 * Hands a query its inputs in a reproducible order.
 *
 * Each step takes what has been read of every input of a group and cuts it at a common time: the smallest
 * among the times that inputs with data have reached. So catching up through a backlog meets rows in the
 * order live running met them, and wherever slices and restarts cut the inputs, rows come in one order: of
 * the highest event time their input had reached, then of the input, then of the offset. An input at its
 * end holds nobody back. Tables that a stream joins are read to their
 * present end first, until the stream has moved.
 */
export class InputFeed {
  readonly #run: QueryRun
  readonly #log: Log
  readonly #reader: SharedReader
  readonly #clock: Clock
  readonly #states: readonly InputState[]
  readonly #groups: readonly (readonly InputState[])[]
  readonly #future: FutureBound
  readonly #onExpired: (expired: ExpiredInput) => void
  readonly #unreadable: UnreadableAt[] = []
  /** Slices handed over to the end in this step. */
  readonly #finished: ReadSlice[] = []
  #rowsIn = 0
  /** How many rows of a lone input a step takes at most. */
  #rowsMax = ROWS_FIRST
  /** The group whose turn it is. */
  #turn = 0

  /**
   * @param committed  offsets to go on from; inputs without one start where `reset` says
   */
  constructor(
    run: QueryRun,
    log: Log,
    reader: SharedReader,
    options: {
      readonly committed: readonly CommittedOffset[]
      readonly reset: 'earliest' | 'latest'
      readonly clock: Clock
      /** How far ahead of the clock the event time of streams may lie; Infinity: anywhere. */
      readonly timestampAfterMaxMs: number
      /** Told of records that were removed before they were read. */
      readonly onExpired?: (expired: ExpiredInput) => void
    },
  ) {
    this.#clock = options.clock
    this.#run = run
    this.#log = log
    this.#reader = reader
    this.#onExpired = options.onExpired ?? ((): void => {})
    const joined = joinedTables(run.plan.root)
    const alwaysWhole = tablesInJoins(run.plan.root)
    const positions = new CommittedPositions(options.committed)
    this.#states = run.inputs.map((input) => {
      reader.register(input.source.source, run.neededColumns(input.source))
      const known = positions.next(input)
      const ends = log.ends(input.topic, input.partition)
      const start =
        options.reset === 'latest' && !alwaysWhole.has(input.source) ? ends.lastStable : ends.logStart
      const offset = known?.offset ?? start
      if (offset > ends.highWatermark) throw beyondTheEnd(input, offset, ends.highWatermark)
      const eventTimeMs = known?.eventTimeMs ?? -1
      return {
        input,
        readOffset: offset,
        consumedOffset: offset,
        waiting: null,
        eventTimeMs,
        loadTo: joined.has(input.source) ? ends.lastStable : null,
        readTimeMs: eventTimeMs,
        rank: joined.has(input.source) ? input.index - run.inputs.length : input.index,
      }
    })
    const groups = new Map<number, InputState[]>()
    for (const state of this.#states) {
      const group = groups.get(state.input.group)
      if (group === undefined) groups.set(state.input.group, [state])
      else group.push(state)
    }
    this.#groups = [...groups.values()]
    this.#future = new FutureBound(options.clock, options.timestampAfterMaxMs, this.eventTimeMs)
    // A restart in the middle of loading goes on loading; once a stream has moved, both go on in step.
    for (const group of this.#groups) {
      const hasStarted = group.some((s) => !joined.has(s.input.source) && s.eventTimeMs >= 0)
      if (hasStarted) for (const s of group) s.loadTo = null
    }
  }

  /** Rows handed to the query since the start. */
  get rowsIn(): number {
    return this.#rowsIn
  }

  /** Highest event time handed over, or −1. */
  get eventTimeMs(): number {
    return this.#states.reduce((latest, s) => Math.max(latest, s.eventTimeMs), -1)
  }

  /** Highest event time handed over of a partition of any topic, or −1. */
  eventTimeOfMs(partition: number): number {
    return this.#states.reduce(
      (latest, s) => (s.input.partition === partition ? Math.max(latest, s.eventTimeMs) : latest),
      -1,
    )
  }

  /**
   * Reads, hands over and drains one step of every group; after some time the others have their turn in the
   * next call. False if there was nothing to read in any.
   */
  async step(): Promise<boolean> {
    const startedMs = this.#clock.monotonicMs()
    let worked = false
    for (let stepped = 0; stepped < this.#groups.length; stepped++) {
      const group = this.#groups[this.#turn]!
      this.#turn = (this.#turn + 1) % this.#groups.length
      // Where partitions meet, all of them are ready.
      if (!this.#run.isReady(group[0]!.input.partition)) continue
      if (await this.#stepGroup(group)) worked = true
      if (this.#clock.monotonicMs() - startedMs >= STEP_MS_MAX) break
    }
    this.#rowsMax *= ROWS_FACTOR
    return worked
  }

  /** Whether everything that may be read has been handed over. */
  get atEnd(): boolean {
    return this.#states.every((s) => s.waiting === null && this.#left(s, s.readOffset) === 0)
  }

  /** Records between what was handed over and the end of what may be read, over all inputs. */
  get lag(): number {
    return this.#states.reduce((sum, s) => sum + this.#left(s, s.consumedOffset), 0)
  }

  /** The same of a partition of any topic. */
  lagOf(partition: number): number {
    return this.#states.reduce(
      (sum, s) => (s.input.partition === partition ? sum + this.#left(s, s.consumedOffset) : sum),
      0,
    )
  }

  /** Records from `offset` up to `end` that are still there: the oldest may have expired unread. */
  #left(
    { input: { topic, partition } }: InputState,
    offset: number,
    end = this.#log.ends(topic, partition).lastStable,
  ): number {
    return Math.max(0, end - Math.max(offset, this.#log.ends(topic, partition).logStart))
  }

  /** Offsets that go with what has been handed over; see {@link CommittedPositions} for the metadata. */
  offsets(): CommittedOffset[] {
    const byPlace = Map.groupBy(this.#states, (s) => placeOf(s.input))
    return [...byPlace.values()].map((states) => ({
      topic: states[0]!.input.topic,
      partition: states[0]!.input.partition,
      offset: Math.min(...states.map((s) => s.consumedOffset)),
      metadata:
        states.length === 1
          ? timeText(states[0]!)
          : states.map((s) => `${timeText(s)}@${s.consumedOffset}`).join(','),
    }))
  }

  /** Records passed over since the last {@link takeUnreadable}. */
  get unreadable(): readonly UnreadableAt[] {
    return this.#unreadable
  }

  /** Records passed over since the last call because they could not be read. */
  takeUnreadable(): UnreadableAt[] {
    return this.#unreadable.splice(0)
  }

  async #stepGroup(group: readonly InputState[]): Promise<boolean> {
    const loading = group.filter((s) => s.loadTo !== null && this.#left(s, s.consumedOffset, s.loadTo) > 0)
    if (loading.length === 0) for (const s of group) s.loadTo = null
    const active = loading.length > 0 ? loading : group
    const reads = active.filter((s) => s.waiting === null).map((s) => this.#read(s, group.length > 1))
    if (reads.length > 0) await Promise.all(reads)
    const ready = active.filter((s) => s.waiting !== null)
    if (ready.length === 0) return false
    // Only the inputs of one group meet, and are cut at a common time; one that is alone may be cut anywhere.
    const first = ready.length === 1 ? null : ready.reduce((a, b) => (isBefore(b, a) ? b : a))
    const bound = first === null ? null : { timeMs: first.readTimeMs, rank: first.rank }
    const rowsMax = group.length === 1 ? this.#rowsMax : Infinity
    for (const state of ready) this.#handOver(state, rowsMax, bound)
    await this.#run.drain()
    // Everything handed over has left as bytes or lies in state: nothing refers to the slices any more.
    for (const slice of this.#finished.splice(0)) slice.release()
    return true
  }

  /** @param meetsOthers  whether its rows are put in order with those of other inputs */
  async #read(state: InputState, meetsOthers: boolean): Promise<void> {
    const { input } = state
    const { topic, partition } = input
    const { logStart } = this.#log.ends(topic, partition)
    if (state.readOffset < logStart) {
      this.#onExpired({ topic, partition, fromOffset: state.readOffset, toOffset: logStart })
      state.readOffset = logStart
    }
    const slice = await this.#reader.read(input.source.source, input.partition, state.readOffset)
    if (slice === null) return
    state.readOffset = slice.nextOffset
    const { batch, unreadable } = this.#inTime(input, slice.decoded)
    state.waiting = { batch: meetsOthers ? inOrderFrom(state, batch) : batch, from: 0, unreadable, slice }
  }

  /** Without the rows of a stream that lie too far in the future. Tables keep theirs: no window closes by them. */
  #inTime(
    { source }: QueryInput,
    decoded: DecodedRecords,
  ): { readonly batch: Batch; readonly unreadable: readonly UnreadableRecord[] } {
    const { batch, unreadable } = decoded
    if (source.output === 'table') return decoded
    const { latestMs } = this.#future
    if (decoded.latestMs <= latestMs) return decoded
    const kept: number[] = []
    const ahead: UnreadableRecord[] = []
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const timestampMs = batch.timestamps[row]!
      if (timestampMs <= latestMs) {
        kept.push(row)
        continue
      }
      const reason = this.#future.reason(timestampMs)
      ahead.push({ offset: batch.origin!.offsets[row]!, timestampMs, reason, part: 'timestamp', bytes: null })
    }
    return {
      batch: withSelection(batch, Int32Array.from(kept)),
      unreadable: unreadable.length === 0 ? ahead : [...unreadable, ...ahead],
    }
  }

  /** @param bound  the time and rank up to which rows may go; null: all */
  #handOver(
    state: InputState,
    rowsMax: number,
    bound: { readonly timeMs: number; readonly rank: number } | null,
  ): void {
    const { waiting } = state
    assert(waiting, 'an input that is handed over has rows waiting')
    const { batch, from } = waiting
    let to = Math.min(batch.size, from + rowsMax)
    if (bound !== null) {
      to = from
      const isFirst = state.rank <= bound.rank
      for (; to < batch.size; to++) {
        const timeMs = batch.orderAt(batch.position(to))
        if (timeMs > bound.timeMs || (timeMs === bound.timeMs && !isFirst)) break
      }
    }
    if (to === batch.size) {
      state.consumedOffset = state.readOffset
      state.waiting = null
      this.#finished.push(waiting.slice)
    } else {
      state.consumedOffset = batch.origin!.offsets[batch.position(to)]!
      waiting.from = to
    }
    if (waiting.unreadable.length > 0) {
      const { topic, partition } = state.input
      // Not in the order of their offsets: what failed of keys comes before what failed of values.
      const left: UnreadableRecord[] = []
      for (const u of waiting.unreadable) {
        if (u.offset < state.consumedOffset) this.#unreadable.push({ ...u, topic, partition })
        else left.push(u)
      }
      waiting.unreadable = left
    }
    if (to === from) return
    const part = from === 0 && to === batch.size ? batch : cut(batch, from, to)
    this.#rowsIn += to - from
    state.eventTimeMs = Math.max(state.eventTimeMs, lastTimestamp(part))
    this.#run.feed(state.input, part)
  }
}

/** What was read and committed is gone from the log: going on would pass over what comes in its place. */
function beyondTheEnd({ topic, partition }: QueryInput, offset: number, end: number): StorageError {
  return new StorageError('LOG_OFFSET_OUT_OF_RANGE', {
    message: `The query has read topic ${topic}, partition ${partition} up to offset ${offset}, but it ends at ${end}.`,
    hint: 'Records are missing from the log: restore the directory from a copy, or create the query anew.',
  })
}

function placeOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`
}

function timeText({ eventTimeMs }: InputState): string {
  return eventTimeMs < 0 ? '' : String(eventTimeMs)
}

interface CommittedPosition {
  readonly offset: number
  /** −1: none yet. */
  readonly eventTimeMs: number
}

/**
 * Where the inputs of a query go on. A partition has one committed offset, whose metadata is the input's
 * event time. Where several inputs read the same partition (a self-join) the offset is that of the one
 * furthest behind, and the metadata has `time@offset` of each, in the order of the inputs.
 */
class CommittedPositions {
  readonly #positions: ReadonlyMap<string, CommittedPosition[]>

  constructor(committed: readonly CommittedOffset[]) {
    this.#positions = new Map(committed.map((c) => [placeOf(c), positionsIn(c)]))
  }

  /** That of an input; to be asked in the order of the inputs. */
  next(input: QueryInput): CommittedPosition | undefined {
    return this.#positions.get(placeOf(input))?.shift()
  }
}

function positionsIn({ offset, metadata = '' }: CommittedOffset): CommittedPosition[] {
  const time = (text: string): number => (text === '' ? -1 : Number(text))
  if (!metadata.includes('@')) return [{ offset, eventTimeMs: time(metadata) }]
  return metadata.split(',').map((part) => {
    const [eventTime = '', position = ''] = part.split('@')
    return { offset: Number(position), eventTimeMs: time(eventTime) }
  })
}

function isBefore(a: InputState, b: InputState): boolean {
  return a.readTimeMs < b.readTimeMs || (a.readTimeMs === b.readTimeMs && a.rank < b.rank)
}

/** The rows just read of an input, with their order among those of others. */
function inOrderFrom(state: InputState, batch: Batch): Batch {
  const order = new Float64Array(batch.rows)
  for (let n = 0; n < batch.size; n++) {
    const row = batch.position(n)
    state.readTimeMs = Math.max(state.readTimeMs, batch.timestamps[row]!)
    order[row] = state.readTimeMs
  }
  return batch.with({ order })
}

/** Rows [from, to) of a batch's selection. */
function cut(batch: Batch, from: number, to: number): Batch {
  if (batch.selection !== null) return withSelection(batch, batch.selection.slice(from, to))
  const rows = new Int32Array(to - from)
  for (let n = 0; n < rows.length; n++) rows[n] = from + n
  return withSelection(batch, rows)
}

function lastTimestamp(batch: Batch): number {
  let last = -1
  const { timestamps, selection } = batch
  if (selection === null) {
    for (let row = 0; row < batch.rows; row++) if (timestamps[row]! > last) last = timestamps[row]!
  } else {
    for (const row of selection) if (timestamps[row]! > last) last = timestamps[row]!
  }
  return last
}

/** Table sources that a stream looks up. */
function joinedTables(root: PlanNode): ReadonlySet<PlanNode> {
  const tables = new Set<PlanNode>()
  const collect = (node: PlanNode): void => {
    if (node.kind === 'source') tables.add(node)
    inputsOf(node).forEach(collect)
  }
  const visit = (node: PlanNode): void => {
    if (node.kind === 'stream-table-join') collect(node.right)
    inputsOf(node).forEach(visit)
  }
  visit(root)
  return tables
}

/** Table sources that are joined with anything: read from their beginning, wherever else reading starts. */
function tablesInJoins(root: PlanNode): ReadonlySet<PlanNode> {
  const tables = new Set<PlanNode>()
  const visit = (node: PlanNode, isJoined: boolean): void => {
    if (node.kind === 'source' && node.output === 'table' && isJoined) tables.add(node)
    for (const input of inputsOf(node)) visit(input, isJoined || node.kind.endsWith('-join'))
  }
  visit(root, false)
  return tables
}
