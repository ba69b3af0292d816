import { ArrayArena } from '../base/array-memory.ts'
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { QueryError, StorageError } from '../base/errors.ts'
import type { GroupAppend, Log } from '../log/log.ts'
import { walkRecords } from '../log/walk-records.ts'
import { ChangelogWriter, changelogKind, expiredKeys } from './changelog.ts'
import { pagesPrefix, type StoreRecord, type TaskRecord } from './checkpoint-record.ts'
import { CodecReader, readDouble } from './codec-bytes.ts'
import { PagedKeyValueStore } from './key-value-store.ts'
import type { ManagedStore, PageSource, StoreContext } from './managed-store.ts'
import { verifyPage, type PageWrite } from './page-table.ts'
import { PagedSessionStore } from './session-store.ts'
import type {
  KeyValueStore,
  SessionStore,
  TaskStores,
  ValueCodec,
  WindowStore,
  WindowStoreOptions,
} from './store.ts'
import { PagedWindowStore } from './window-store.ts'
import { afterPrefix } from './key-codec.ts'

/** How far a restore has come, in changelog records (offsets passed over). */
export interface RestoreProgress {
  readonly done: number
  readonly total: number
}

/** What a task needs of the worker it belongs to. */
export interface TaskHost {
  readonly log: Log
  readonly clock: Clock
  /** Null: in memory only. */
  readonly source: PageSource | null
  readonly memoryBytesMax: number
  /** Memory of all tasks' entries as they last reported it, estimated. */
  memoryBytes(): number
  /** A task's memory has changed by so much since it last reported. */
  memoryChanged(byBytes: number): void
  /** The task's checkpoint, if it may be used: of this log, by a worker this log knows. */
  taskRecord(taskId: string): Promise<TaskRecord | null>
  /** A checkpoint doesn't add up: takes it away and counts. */
  dropCheckpoint(taskId: string, reason: string): Promise<void>
  /** Saves everything committed; restoring tasks included. */
  checkpoint(): Promise<void>
  /** Resolves when storage is open and verified, reopened if it failed. */
  ready(): Promise<void>
  closed(task: TaskState): Promise<void>
}

interface OpenStore {
  readonly store: ManagedStore
  readonly topic: string
  readonly changelog: ChangelogWriter
  /** The first changelog offset that the committed entries don't contain. */
  position: number
  /** Its value when the save under way began. */
  saving: number
  /** The changelog holds the store's fingerprint. */
  isNamed: boolean
  /** Records of the commit under way. */
  underWay: number
  /** What the commit under way lets expire. */
  expiring: number | null
}

const READ_BYTES_MAX = 1 << 20
/** Pages opened between two chances for others. */
const PAGES_OF_A_PIECE = 512

/** What each slice of a changelog is read into. */
interface ReplayMemory {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly arrays: ArrayArena
}

/** Memory of a page's entries in terms of its bytes, roughly: only until the store reports. */
const OPENED_FACTOR = 5

/**
 * The stores of one task and their part in its cycles:
 *
 * 1. open the stores by name (operators do, when they are built), then {@link restore};
 * 2. per cycle: work, {@link flush}, commit what it returns; then {@link committed}, or {@link discard};
 * 3. {@link close}. A task opened again under the same id goes on from the last commit.
 *
 * One commit may be under way while the next cycle works. When the outcome of a commit is unknown, close
 * the task and open it again: the log knows.
 */
export class TaskState implements TaskStores {
  readonly id: string
  readonly partition: number
  readonly #host: TaskHost
  readonly #topicOf: (store: string) => string
  readonly #stores = new Map<string, OpenStore>()
  readonly #context: StoreContext
  #cycle = 1
  #failure: StorageError | null = null
  #state: 'opening' | 'restoring' | 'open' | 'closed' = 'opening'
  #progress: RestoreProgress = { done: 0, total: 0 }
  /** Those who wait for a piece of the restore. */
  readonly #waitingForPiece: (() => void)[] = []
  /** The stores of the appends of the commit under way, in their order; null: none is. */
  #underWay: OpenStore[] | null = null
  #unsavedRecords = 0
  /** Memory of the stores' entries as the worker knows it. */
  #reportedBytes = 0
  #changedSinceSave = false
  /** Pages are being taken in: what is in memory is not one moment's state. */
  #isOpeningPages = false
  /** Its restore needs more memory than there is: what it has so far goes into a checkpoint. */
  #isRelieving = false

  /** Made by {@link WorkerState.task}. */
  constructor(id: string, topicOf: (store: string) => string, partition: number, host: TaskHost) {
    this.id = id
    this.partition = partition
    this.#host = host
    this.#topicOf = topicOf
    this.#context = {
      source: host.source,
      prefix: pagesPrefix(id),
      cycle: () => this.#cycle,
      assertUsable: () => this.assertUsable(),
      dropCheckpoint: (reason) => {
        // Whoever found it may be a reader: the query has to notice, too.
        this.fail(new StorageError('STATE_CORRUPT', { message: reason }))
        return host.dropCheckpoint(id, reason)
      },
      assertReadable: () => this.#assertReadable(),
    }
  }

  keyValue<V>(name: string, codec: ValueCodec<V>): KeyValueStore<V> {
    return this.#open(new PagedKeyValueStore(name, codec, this.#context))
  }

  window<V>(name: string, codec: ValueCodec<V>, options: WindowStoreOptions): WindowStore<V> {
    return this.#open(new PagedWindowStore(name, codec, options, this.#context))
  }

  session<V>(name: string, codec: ValueCodec<V>, options: WindowStoreOptions): SessionStore<V> {
    return this.#open(new PagedSessionStore(name, codec, options, this.#context))
  }

  managed<S extends ManagedStore>(name: string, make: (name: string, context: StoreContext) => S): S {
    return this.#open(make(name, this.#context))
  }

  /** The changelog topics of the stores opened so far. They must exist before the first commit. */
  changelogTopics(): readonly string[] {
    return [...this.#stores.values()].map((s) => s.topic)
  }

  /** Per store, what its types and layout are. Kept with the checkpoint and in the changelog. */
  get fingerprints(): ReadonlyMap<string, string> {
    return new Map([...this.#stores].map(([name, { store }]) => [name, store.fingerprint]))
  }

  /** Restored: cycles may work with it. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** While the stores are being restored, how far it has come; null otherwise. */
  get restoring(): RestoreProgress | null {
    return this.#state === 'restoring' ? this.#progress : null
  }

  /** How many appends the commit under way has: what {@link flush} returned last. */
  get flushed(): number {
    return this.#underWay?.length ?? 0
  }

  /**
   * Brings all opened stores to the last commit: from the checkpoint if there is one that adds up, then
   * from the committed changelog. Resolves when stores may be used, or when it is closed meanwhile. Cycles of
   * other tasks may go on.
   *
   * @throws StorageError `STATE_FINGERPRINT_CHANGED` if a store was written with other types or another layout
   */
  async restore(): Promise<void> {
    assert(this.#state === 'opening', 'a task is restored once')
    await this.#host.ready()
    if (this.#isClosed) return
    this.assertUsable()
    await this.#restoreStores([...this.#stores.values()])
  }

  /** How many changelog records {@link restore} would read, as far as can be told before. */
  async recordsToRestore(): Promise<number> {
    const stores = [...this.#stores.values()]
    if (stores.every((open) => this.#changelogEnd(open) === 0)) return 0
    await this.#host.ready()
    const record = this.#host.source === null ? null : await this.#host.taskRecord(this.id)
    return stores.reduce((sum, open) => {
      const position = record?.stores[open.store.name]?.position ?? 0
      return sum + Math.max(0, this.#changelogEnd(open) - position)
    }, 0)
  }

  /** Resolves when a piece of the restore under way is done, or all of it: others may work between two pieces. */
  pieceRestored(): Promise<void> {
    if (this.#state !== 'restoring') return Promise.resolve()
    return new Promise((resolve) => this.#waitingForPiece.push(resolve))
  }

  #pieceDone(): void {
    for (const resolve of this.#waitingForPiece.splice(0)) resolve()
  }

  /**
   * Ends the open cycle: the changelogs' record batches, to be committed together with the cycle's outputs
   * and input offsets. The commit before it is decided.
   */
  flush(): readonly GroupAppend[] {
    this.assertUsable()
    assert(this.#state === 'open', 'a task is restored before its first cycle')
    assert(this.#underWay === null, 'a cycle is flushed after the commit before it is decided')
    this.#cycle++
    const nowMs = this.#host.clock.nowMs()
    const underWay: OpenStore[] = []
    const appends: GroupAppend[] = []
    for (const open of this.#stores.values()) {
      const { changelog, store } = open
      changelog.nowMs = nowMs
      if (!open.isNamed) changelog.fingerprint(store.fingerprint)
      const named = changelog.recordCount
      changelog.expiredBelowMs = null
      store.flush(changelog)
      open.expiring = changelog.expiredBelowMs
      open.underWay = changelog.recordCount
      if (open.underWay === named) {
        changelog.clear()
        open.underWay = 0
        continue
      }
      underWay.push(open)
      appends.push({ topic: open.topic, partition: this.partition, batches: changelog.finish() })
    }
    this.#underWay = underWay
    this.evict()
    return appends
  }

  /**
   * The flushed cycle is durable.
   *
   * @param baseOffsets  one per append that {@link flush} returned, in its order
   */
  committed(baseOffsets: readonly number[]): void {
    const underWay = this.#underWay
    assert(underWay !== null, 'a commit was under way')
    assert(baseOffsets.length === underWay.length, 'a commit answers every append')
    this.#underWay = null
    underWay.forEach((open, i) => {
      open.position = baseOffsets[i]! + open.underWay
      open.isNamed = true
      if (open.expiring !== null) this.#trim(open, open.expiring, baseOffsets[i]!)
      open.expiring = null
      this.#unsavedRecords += open.underWay * (open.store.restoreCost ?? 1)
      open.underWay = 0
      this.#changedSinceSave = true
    })
    for (const { store } of this.#stores.values()) store.committed()
  }

  /** The open cycle, and the commit under way, never happened: back to the last commit. */
  async discard(): Promise<void> {
    this.#underWay = null
    this.#cycle++
    const anew: OpenStore[] = []
    for (const open of this.#stores.values()) {
      open.underWay = 0
      if (open.store.discard()) anew.push(open)
    }
    if (anew.length > 0) await this.#restoreStores(anew)
  }

  /** Lets go of the task; what isn't committed is gone. Waits for a checkpoint that is being written. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    await this.#host.closed(this)
    this.#reportMemory()
    this.#stores.clear()
  }

  /** Storage failed: the task can only be closed. */
  fail(error: StorageError): void {
    this.#failure ??= error
  }

  /** Changelog records committed since the last checkpoint, by what it costs to restore them. */
  get unsavedRecords(): number {
    return this.#isSavedLater ? 0 : this.#unsavedRecords
  }

  /** A checkpoint of others need not wait for what it would have to read for this one. */
  get #isSavedLater(): boolean {
    return this.#isOpeningPages || (this.#state === 'restoring' && !this.#isRelieving)
  }

  get #isClosed(): boolean {
    return this.#state === 'closed'
  }

  /** For the checkpoint: brings in what {@link save} needs; undefined when it may run. */
  prepareSave(): Promise<void> | undefined {
    if (!this.#changedSinceSave || this.#isSavedLater || this.#failure !== null) return undefined
    const waits: Promise<void>[] = []
    for (const { store } of this.#stores.values()) {
      const wait = store.checkpoint.prepare()
      if (wait !== undefined) waits.push(wait)
    }
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => {})
  }

  /**
   * For the checkpoint: writes what changed since the last one, in steps; null: nothing did. What is
   * committed when this is called is in it. Then, when all steps are done, {@link saveRecords}, and after
   * the write {@link written}.
   */
  save(writes: PageWrite[]): Iterable<void> | null {
    if (!this.#changedSinceSave || this.#isSavedLater || this.#failure !== null || this.#isClosed) return null
    this.#changedSinceSave = false
    this.#unsavedRecords = 0
    const steps: Iterable<void>[] = []
    for (const open of this.#stores.values()) {
      open.saving = open.position
      const more = open.store.checkpoint.save(writes, this.#cycle)
      if (more !== undefined) steps.push(more)
    }
    return chain(steps)
  }

  /** For the checkpoint: what the pages add up to once the steps of {@link save} are done. */
  saveRecords(): Readonly<Record<string, StoreRecord>> {
    const records: Record<string, StoreRecord> = {}
    for (const [name, { store, topic, position, saving }] of this.#stores) {
      const { pages, sum } = store.checkpoint.digest()
      const { expiredBelowMs } = store.checkpoint
      records[name] = {
        fingerprint: store.fingerprint,
        topic,
        topicId: this.#host.log.topic(topic)?.id ?? '',
        position: saving,
        upTo: position,
        pages,
        sum,
        expiredBelowMs: expiredBelowMs === -Infinity ? null : expiredBelowMs,
      }
    }
    return records
  }

  /** For the checkpoint: it is stored. */
  written(): void {
    for (const open of this.#stores.values()) {
      open.store.checkpoint.written?.()
      this.#hold(open, open.saving)
    }
  }

  /** A restore may begin at `position`: compaction keeps tombstones from there on. */
  #hold({ topic }: OpenStore, position: number): void {
    const { log } = this.#host
    if (log.topic(topic) !== undefined) log.holdFrom(topic, this.partition, position)
  }

  /** Entries expired below `belowMs`, as a record at `offset` or behind it says: those before it may go. */
  #trim({ store, topic }: OpenStore, belowMs: number, offset: number): void {
    const { log } = this.#host
    if (store.expiresBy === undefined || !Number.isSafeInteger(belowMs) || log.topic(topic) === undefined)
      return
    log.trim(topic, this.partition, offset, expiredKeys(belowMs, store.expiresBy))
  }

  /** For the checkpoint: what may be cleared now that it is written. */
  expiredRanges(): readonly { readonly from: string; readonly to: string }[] {
    return [...this.#stores.values()].flatMap(({ store }) => store.checkpoint.expiredRanges())
  }

  #open<S extends ManagedStore>(store: S): S {
    assert(this.#state === 'opening', 'stores are opened before the restore')
    assert(!this.#stores.has(store.name), `store ${store.name} is opened once`)
    this.#stores.set(store.name, {
      store,
      topic: this.#topicOf(store.name),
      changelog: new ChangelogWriter(),
      position: 0,
      saving: 0,
      isNamed: false,
      underWay: 0,
      expiring: null,
    })
    return store
  }

  async #restoreStores(stores: readonly OpenStore[]): Promise<void> {
    this.#state = 'restoring'
    try {
      await this.#restorePieces(stores)
    } finally {
      this.#pieceDone()
    }
  }

  async #restorePieces(stores: readonly OpenStore[]): Promise<void> {
    this.#isOpeningPages = true
    const record = this.#host.source === null ? null : await this.#host.taskRecord(this.id)
    if (this.#isClosed) return
    for (const open of stores) this.#forget(open)
    if (record !== null) {
      const problem = await this.#openCheckpoint(stores, record)
      if (this.#isClosed) return
      if (problem !== null) {
        for (const open of stores) this.#forget(open)
        // Other stores of the task may still need their pages: then all of it is opened again.
        if (stores.length < this.#stores.size) throw new StorageError('STATE_CORRUPT', { message: problem })
        await this.#host.dropCheckpoint(this.id, problem)
      }
    }
    this.#isOpeningPages = false
    // Without a checkpoint every restore begins at the start, where no tombstone is needed.
    if (this.#host.source === null) for (const open of stores) this.#hold(open, Number.MAX_SAFE_INTEGER)
    const ends = stores.map((open) => this.#changelogEnd(open))
    const total = ends.reduce((sum, end, i) => sum + Math.max(0, end - stores[i]!.position), 0)
    let done = 0
    // New memory for each slice would be most of what a restore costs.
    const bytesMax = total > 0 ? READ_BYTES_MAX : 0
    const memory = { bytes: new Uint8Array(bytesMax), arrays: new ArrayArena(bytesMax) }
    this.#progress = { done, total }
    for (const [i, open] of stores.entries()) {
      for (let at = open.position; at < ends[i]!;) {
        const next = await this.#replay(open, at, ends[i]!, memory)
        if (this.#isClosed) return
        done += next - at
        at = next
        this.#progress = { done, total }
        this.#pieceDone()
        await this.#relieveMemory()
        if (this.#isClosed) return
      }
    }
    for (const { store } of stores) store.restored()
    this.#state = 'open'
    this.evict()
  }

  #forget(open: OpenStore): void {
    open.store.reset()
    open.position = 0
    open.isNamed = false
    open.underWay = 0
    open.expiring = null
  }

  /** Takes in the pages. What is wrong with them, or null. */
  async #openCheckpoint(stores: readonly OpenStore[], record: TaskRecord): Promise<string | null> {
    const { log } = this.#host
    for (const { store, topic } of stores) {
      const saved = record.stores[store.name]
      if (saved === undefined) continue
      if (saved.fingerprint !== store.fingerprint) throw changedFingerprint(store, saved.fingerprint)
      if (saved.topic !== topic || saved.topicId !== (log.topic(topic)?.id ?? '')) {
        return `store ${store.name} belongs to another changelog`
      }
      if (log.topic(topic) === undefined) continue
      const { logStart, highWatermark } = log.ends(topic, this.partition)
      if (saved.upTo > highWatermark) return `store ${store.name} is ahead of its changelog`
      if (saved.position < logStart) return `the changelog of store ${store.name} starts after its checkpoint`
    }
    for (const open of stores) {
      const { store } = open
      const saved = record.stores[store.name]
      if (saved === undefined) continue
      const { checkpoint } = store
      if (saved.expiredBelowMs !== null) store.restoreExpired(saved.expiredBelowMs)
      const prefix = checkpoint.openPrefix ?? checkpoint.prefix
      this.#reportMemory()
      let openedBytes = 0
      let opened = 0
      try {
        for await (const [key, value] of this.#host.source!.iterate(prefix, afterPrefix(prefix)!)) {
          verifyPage(key, value)
          const keep = this.#host.memoryBytes() + openedBytes < this.#host.memoryBytesMax
          if (keep) openedBytes += value.length * OPENED_FACTOR
          checkpoint.open(key, value, keep)
          if (++opened % PAGES_OF_A_PIECE === 0) this.#pieceDone()
        }
      } catch (error) {
        if (error instanceof StorageError && error.code === 'STATE_CORRUPT') return error.message
        throw error
      }
      const { pages, sum } = checkpoint.digest()
      if (pages !== saved.pages || sum !== saved.sum)
        return `pages of store ${store.name} are missing or outdated`
      open.position = saved.position
      open.isNamed = saved.position > 0
      this.#hold(open, saved.position)
    }
    return null
  }

  #changelogEnd({ topic }: OpenStore): number {
    const { log } = this.#host
    return log.topic(topic) === undefined ? 0 : log.ends(topic, this.partition).lastStable
  }

  /** Applies a slice of the changelog from `at` on; resolves to where the next one starts. */
  async #replay(open: OpenStore, at: number, end: number, memory: ReplayMemory): Promise<number> {
    const { log } = this.#host
    const { store, topic } = open
    const from = Math.max(at, log.ends(topic, this.partition).logStart)
    const slice = await log.read(topic, this.partition, from, READ_BYTES_MAX, 'read_committed', memory.bytes)
    memory.arrays.reset()
    const records = walkRecords(slice.bytes, from, slice.aborted, memory.arrays)
    const { bytes, keyStarts, keyEnds, valueStarts, valueEnds } = records
    for (let i = 0; i < records.count; i++) {
      const keyStart = keyStarts[i]!
      const keyEnd = keyEnds[i]!
      switch (changelogKind(bytes, keyStart, keyEnd)) {
        case 'entry':
          store.restore(bytes, keyStart + 1, keyEnd, valueStarts[i]!, valueEnds[i]!)
          break
        case 'fingerprint': {
          const found = Buffer.from(bytes.subarray(valueStarts[i]!, valueEnds[i]!)).toString('utf8')
          if (found !== store.fingerprint) throw changedFingerprint(store, found)
          open.isNamed = true
          break
        }
        case 'expired': {
          const belowMs = readDouble(new CodecReader(bytes, valueStarts[i]!, valueEnds[i]!))
          store.restoreExpired(belowMs)
          this.#trim(open, belowMs, records.offsets[i]!)
          break
        }
        case 'unknown':
          throw new StorageError('STATE_CHANGELOG_CORRUPT', {
            message: `The changelog ${topic} holds a record of an unknown kind in partition ${this.partition} at offset ${records.offsets[i]}.`,
          })
      }
    }
    await store.settle?.()
    // At the end of the log nothing may be left but what isn't ours to read.
    const next = slice.nextOffset > from ? slice.nextOffset : end
    open.position = next
    this.#unsavedRecords += records.count * (store.restoreCost ?? 1)
    this.#changedSinceSave = true
    return next
  }

  /** While restoring more than memory holds: save what is there, then let go of some. */
  async #relieveMemory(): Promise<void> {
    const { source, memoryBytesMax } = this.#host
    this.#reportMemory()
    if (source === null || this.#host.memoryBytes() <= memoryBytesMax) return
    this.#cycle++
    this.#isRelieving = true
    try {
      await this.#host.checkpoint()
      this.evict()
    } finally {
      this.#isRelieving = false
    }
  }

  /** Memory of the stores that let go of what is saved. */
  get evictableBytes(): number {
    if (this.#isSavedLater) return 0
    let bytes = 0
    for (const { store } of this.#stores.values()) {
      if (store.checkpoint.evict !== undefined) bytes += store.checkpoint.memoryBytes()
    }
    return bytes
  }

  /** Between two cycles nothing is in use: a bounded cache lets go of its oldest pages. */
  evict(): void {
    if (this.#host.source === null || this.#isSavedLater) return
    this.#reportMemory()
    let excess = this.#host.memoryBytes() - this.#host.memoryBytesMax
    if (excess <= 0) return
    for (const { store } of this.#stores.values()) {
      if (excess > 0) excess -= store.checkpoint.evict?.(excess, this.#cycle) ?? 0
    }
    this.#reportMemory()
  }

  #reportMemory(): void {
    let bytes = 0
    if (this.#state !== 'closed') {
      for (const { store } of this.#stores.values()) bytes += store.checkpoint.memoryBytes()
    }
    this.#host.memoryChanged(bytes - this.#reportedBytes)
    this.#reportedBytes = bytes
  }

  /** @throws StorageError `STATE_FAILED`: the task can only be closed */
  assertUsable(): void {
    if (this.#failure !== null) throw this.#failure
  }

  #assertReadable(): void {
    this.assertUsable()
    if (this.#state === 'open') return
    const { done, total } = this.#progress
    throw new QueryError('STATE_RESTORING', {
      message:
        this.#state === 'closed'
          ? 'The query is being restarted and its state cannot be read.'
          : `State is being restored: ${done} of ${total} changelog records so far.`,
      hint: 'Try again in a moment.',
    })
  }
}

function* chain(steps: readonly Iterable<void>[]): Iterable<void> {
  for (const step of steps) yield* step
}

function changedFingerprint(store: ManagedStore, found: string): StorageError {
  return new StorageError('STATE_FINGERPRINT_CHANGED', {
    message: `Store ${store.name} was written as “${found}” and is now “${store.fingerprint}”.`,
    hint: 'Its query must be rebuilt from its inputs.',
  })
}
