import { CRASH_POINTS, onCrashPoint, type CrashPoint } from '../../src/base/crash-points.ts'
import { StorageError } from '../../src/base/errors.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import { offsetsGroup } from '../../src/engine/query-spec.ts'
import type { QueryPlan } from '../../src/plan/plan-node.ts'
import { PROCESSING_LOG_TOPIC } from '../../src/runtime/processing-log.ts'
import { EVERYTHING } from '../../src/runtime/pull-query.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import {
  IdempotentClient,
  OrderedClient,
  SideClient,
  TransactionalClient,
  type Client,
  type Life,
} from './clients.ts'
import { compareBags, compareOutput, wrong, type Difference } from './expectations.ts'
import { newDiskTrouble } from './disk-trouble.ts'
import { Knowledge } from './knowledge.ts'
import { Content } from './log-content.ts'
import { DIRECTORY, Machine, newSetup, STATE_DIRECTORY, type Setup } from './machine.ts'
import { newOrdered, newReadings, newTransactions } from './program.ts'
import { INPUT_TOPICS, QUERIES, type InputRow, type Query } from './queries.ts'
import { EPOCH_MS, Scheduler } from './scheduler.ts'

export interface SeedReport {
  readonly powerCuts: number
  readonly lives: number
  readonly events: number
  readonly differences: readonly Difference[]
  /** Of everything that happened, in order. */
  readonly hash: number
}

/** How a life of the machine ends, if it does not come to its own end. */
type Ending =
  | { readonly kind: 'done' }
  /** @property losesPower  else only the process dies */
  | { readonly kind: 'after events'; readonly events: number; readonly losesPower: boolean }
  | {
      readonly kind: 'at crash point'
      readonly point: CrashPoint
      readonly pass: number
      readonly losesPower: boolean
    }

/** Lives after which a program has to come to its end. */
const LIVES_MAX = 12

/**
 * Runs the program of a seed: clients, the engine with some queries, readers, a disk that may fail, in
 * several lives of one machine, which end in power cuts mostly. What it finds depends on the seed alone.
 */
export async function runSeed(
  seed: number,
  plans: ReadonlyMap<string, QueryPlan>,
  onTrace: (line: string) => void = () => undefined,
): Promise<SeedReport> {
  const simulation = new Simulation(seed, plans, onTrace)
  try {
    return await simulation.run()
  } finally {
    onCrashPoint(null)
  }
}

class Simulation {
  readonly #random: Random
  readonly #plans: ReadonlyMap<string, QueryPlan>
  readonly #onTrace: (line: string) => void
  readonly #setup: Setup
  readonly #queries: readonly Query[]
  readonly #clients: readonly Client[]
  readonly #side: SideClient | null
  readonly #knowledge: Knowledge
  readonly #hasTrouble: boolean
  readonly #differences: Difference[] = []
  #hash = 0x811c9dc5
  #disk = new SimulatedFileSystem()
  #level: ModelDisk
  #scheduler!: Scheduler
  #timeMs = 0
  #wallMs = EPOCH_MS
  #powerCuts = 0
  #lives = 0
  #events = 0
  /** Highest count a reader has seen per key of TOTALS. */
  readonly #countsSeen = new Map<string, number>()

  constructor(seed: number, plans: ReadonlyMap<string, QueryPlan>, onTrace: (line: string) => void) {
    const random = seededRandom(seed)
    this.#random = random
    this.#plans = plans
    this.#onTrace = onTrace
    this.#setup = newSetup(random)
    this.#hasTrouble = random.below(4) === 0
    this.#queries = chooseQueries(random)
    const topics = new Set(this.#queries.flatMap(({ inputs }) => inputs))
    const clients: Client[] = []
    const { partitions } = this.#setup
    const part = (): Random => seededRandom(random.below(2 ** 31))
    if (topics.has('readings'))
      clients.push(new IdempotentClient('readings', newReadings(partitions, part()), part()))
    const ordered = ['orders', 'payments', 'users'].filter((topic) => topics.has(topic))
    if (ordered.length > 0)
      clients.push(new OrderedClient(ordered, newOrdered(ordered, partitions, part()), part()))
    if (topics.has('moves'))
      clients.push(new TransactionalClient('moves', newTransactions(partitions, part()), part()))
    this.#side = random.below(3) === 0 ? new SideClient(4 + random.below(12), part()) : null
    if (this.#side !== null) clients.push(this.#side)
    this.#clients = clients
    this.#level = this.#newLevel()
    this.#knowledge = new Knowledge(this.#setup.durability === 'fsync', ['side'])
  }

  async run(): Promise<SeedReport> {
    const disturbed = 1 + this.#random.below(3)
    this.#trace(`${this.#queries.map(({ name }) => name).join(' ')}, ${JSON.stringify(this.#setup)}`)
    let isFinished = false
    while (!isFinished && this.#differences.length === 0) {
      const isLast = this.#lives >= disturbed
      if (this.#lives++ > LIVES_MAX) {
        this.#differences.push(wrong('it is never finished'))
        break
      }
      isFinished = await this.#live(isLast)
    }
    if (this.#differences.length === 0 && this.#random.below(6) === 0) await this.#audit()
    return {
      powerCuts: this.#powerCuts,
      lives: this.#lives,
      events: this.#events,
      differences: this.#differences,
      hash: this.#hash >>> 0,
    }
  }

  /** @returns whether the program is at its end */
  async #live(isLast: boolean): Promise<boolean> {
    const ending = isLast ? ({ kind: 'done' } as const) : this.#newEnding()
    this.#trace(`life ${this.#lives}: ${JSON.stringify(ending)}`)
    const scheduler = this.#newScheduler()
    const passes = new Map<CrashPoint, number>()
    onCrashPoint((point) => {
      const pass = (passes.get(point) ?? 0) + 1
      passes.set(point, pass)
      if (ending.kind === 'at crash point' && ending.point === point && ending.pass === pass) scheduler.stop()
    })
    scheduler.onEvent = (number) => {
      if (ending.kind === 'after events' && number === ending.events) scheduler.stop()
    }
    let isDone = false
    let isFinished = false
    this.#main(isLast)
      .then(
        (finished) => (isFinished = finished),
        (error: unknown) => this.#differences.push(wrong(textOfError(error))),
      )
      .finally(() => (isDone = true))
    try {
      await scheduler.run(() => isDone)
    } catch (error) {
      this.#differences.push(wrong(textOfError(error)))
    }
    onCrashPoint(null)
    this.#afterLife(scheduler, ending)
    return isFinished
  }

  #afterLife(scheduler: Scheduler, ending: Ending): void {
    const wasCut = scheduler.isStopped
    scheduler.stop()
    this.#timeMs = scheduler.monotonicMs()
    // Clocks of machines are set now and then, backwards too.
    const jumpMs =
      this.#random.below(6) === 0 ? this.#random.below(20_000) - 10_000 : this.#random.below(3_000)
    this.#wallMs = scheduler.nowMs() + jumpMs
    this.#events += scheduler.events
    this.#disk.fate = () => undefined
    this.#level.failNextWrite = null
    const losesPower = wasCut ? ending.kind === 'done' || ending.losesPower : this.#random.below(3) === 0
    if (!losesPower) {
      this.#disk.afterKill()
      return
    }
    this.#powerCuts++
    this.#trace('power cut')
    this.#disk = this.#disk.afterPowerCut(this.#random)
    const kind = (['lost-tail', 'hole', 'refused-present', 'flipped-bit', null] as const)[
      this.#random.below(5)
    ]!
    if (this.#random.below(6) === 0) this.#level = this.#newLevel()
    else if (kind !== null) this.#level.crash(kind, this.#random)
  }

  /** All that a process does, from its start to its end in order. */
  async #main(isLast: boolean): Promise<boolean> {
    const scheduler = this.#scheduler
    const seed = this.#random.below(2 ** 31)
    const log = await Machine.openLog(this.#setup, scheduler, this.#disk, seed)
    const life: Life = {
      log,
      scheduler,
      random: seededRandom(seed + 1),
      setup: this.#setup,
      isFailing: this.#hasTrouble && !isLast,
      nextOrder: () => this.#knowledge.nextOrder(),
    }
    const content = await Content.read(log)
    this.#note(this.#clients.flatMap((client) => client.recovered(content, life)))
    this.#note(this.#knowledge.recovered(content))
    if (this.#differences.length > 0) return false
    await this.#createTopics(life)
    const machine = await this.#start(life)
    const share = isLast ? 1 : [0.2, 0.5, 1][life.random.below(3)]!
    const work = Promise.all(this.#clients.map((client) => client.run(life, share))).then(() => true)
    let isWorking = true
    const beside = [
      this.#watch(life, machine, () => isWorking),
      ...(life.isFailing ? [this.#makeTrouble(life)] : []),
    ]
    await work
    isWorking = false
    await Promise.all(beside)
    if (!isClosed(life) && (isLast || life.random.below(2) === 0)) await this.#settle(machine, life, isLast)
    let isFinished = false
    if (isLast && !isClosed(life)) {
      this.#note(await this.#compare(machine, life))
      isFinished = true
    }
    const wasClosed = isClosed(life)
    const failures = await machine.close()
    if (!wasClosed && !this.#hasTrouble) for (const failure of failures) throw failure
    return isFinished
  }

  async #createTopics({ log, random }: Life): Promise<void> {
    const { partitions } = this.#setup
    const segments = (): Record<string, string> =>
      random.below(2) === 0 ? {} : { 'segment.bytes': String(600 + random.below(2_000)) }
    const wanted = [
      ...INPUT_TOPICS.filter((topic) => this.#clients.some((client) => client.topics.includes(topic))),
      ...this.#queries.map(({ name }) => name),
    ]
    for (const name of wanted) {
      if (log.topic(name) === undefined) await log.createTopic(name, { partitions, config: segments() })
    }
    if (log.topic(PROCESSING_LOG_TOPIC) === undefined)
      await log.createTopic(PROCESSING_LOG_TOPIC, { partitions: 1 })
    if (this.#side !== null && log.topic('side') === undefined) {
      await log.createTopic('side', { partitions: 1, config: this.#side.config })
    }
  }

  async #start({ log, scheduler, isFailing }: Life): Promise<Machine> {
    const machine = await Machine.start(
      log,
      this.#setup,
      scheduler,
      this.#disk,
      async () => this.#level.open(),
      this.#knowledge.listening(scheduler),
      (queryId, error) => {
        this.#trace(`${queryId} failed: ${textOfError(error)}`)
        // What a power cut did to LevelDB may be found late.
        const isForeseen =
          error instanceof StorageError &&
          (isFailing || ['STATE_FAILED', 'STATE_CORRUPT'].includes(error.code))
        if (!isForeseen && !log.health().state.startsWith('closed')) throw error
      },
    )
    for (const { name } of this.#queries) {
      await machine.worker.add({ id: name, plan: this.#plans.get(name)!, reset: 'earliest', idleMs: null })
    }
    return machine
  }

  /** Pull queries, checkpoints and cleaning at times of the seed. */
  async #watch(life: Life, machine: Machine, isWorking: () => boolean): Promise<void> {
    const { random, scheduler, log } = life
    while (isWorking() && !isClosed(life)) {
      await scheduler.sleep(5 + random.below(200))
      const tables = this.#queries.filter((query) => query.rows(() => []) !== null)
      try {
        switch (random.below(6)) {
          case 0:
            await machine.state.checkpoint()
            break
          case 1:
            await log.maintain()
            break
          case 2: {
            // Changelogs are cleaned while they are written.
            const changelogs = log.topics().filter(({ name }) => name.endsWith('-changelog'))
            const chosen = changelogs[random.below(Math.max(1, changelogs.length))]
            const changes = {
              'segment.bytes': String(100 + random.below(600)),
              'min.cleanable.dirty.ratio': '0',
            }
            if (chosen !== undefined) await log.alterTopic(chosen.name, changes)
            break
          }
          default: {
            const query = tables[random.below(Math.max(1, tables.length))]
            if (query !== undefined) await this.#pull(machine, query)
          }
        }
      } catch (error) {
        // Of a query that just starts, or a disk that fails.
        if (!(error instanceof Error && 'code' in error)) throw error
        this.#trace(`asked in vain: ${textOfError(error)}`)
      }
    }
  }

  /** Rows of a table; what was seen once must never be taken back. */
  async #pull(machine: Machine, query: Query): Promise<void> {
    const rows = await rowsOf(machine, query.name)
    if (query.name !== 'TOTALS' || this.#setup.durability !== 'fsync') return
    for (const row of rows) {
      const [, key, count] = /^(.*) = \{"C":(\d+)/.exec(row)!
      const seen = this.#countsSeen.get(key!) ?? 0
      if (Number(count) < seen)
        this.#differences.push(wrong(`TOTALS: ${row} is seen after a count of ${seen}`))
      this.#countsSeen.set(key!, Number(count))
    }
  }

  async #makeTrouble(life: Life): Promise<void> {
    const { random, scheduler } = life
    await scheduler.sleep(random.below(300))
    if (random.below(4) === 0) {
      this.#trace('trouble: a refused write of state')
      this.#level.failNextWrite = Object.assign(new Error('IO error: no space'), { code: 'LEVEL_IO_ERROR' })
      return
    }
    const { name, fate } = newDiskTrouble(random)
    this.#trace(`trouble: ${name}`)
    this.#disk.fate = fate
    await scheduler.sleep(random.below(600))
    this.#disk.fate = () => undefined
  }

  /** Until all input is worked off and, at the end, everything that waits for time. */
  async #settle(machine: Machine, life: Life, isEnd: boolean): Promise<void> {
    const { worker } = machine
    const areIdle = async (): Promise<boolean> => {
      for (let tries = 0; tries < 400 && !isClosed(life); tries++) {
        await worker.untilIdle()
        const states = this.#queries.map(({ name }) => worker.status(name)!)
        if (states.every(({ state, lag }) => state === 'RUNNING' && lag === 0)) return true
        await life.scheduler.sleep(500)
      }
      return false
    }
    try {
      // What was answered when it was written is there for readers once this is.
      await life.log.claim('settling')
      if (!(await areIdle()) && !isClosed(life)) {
        const stopped = this.#queries.map(({ name }) => [name, worker.status(name)!] as const)
        const texts = stopped.map(([name, { state, lag, error }]) => `${name} ${state}, lag ${lag}, ${error}`)
        throw new Error(`queries do not come to their end: ${texts.join('; ')}`)
      }
      if (!isEnd || isClosed(life)) return
      await worker.finish()
      if (await areIdle()) await worker.finish()
    } catch (error) {
      if (!isClosed(life)) throw error
    }
  }

  /** What is there at the end, and what should be. */
  async #compare(machine: Machine, life: Life): Promise<Difference[]> {
    const content = await Content.read(machine.log)
    const differences = this.#clients.flatMap((client) => client.finished(content))
    const { cache } = this.#setup
    const input = inputsOf(content)
    const unreadable: string[] = []
    for (const query of this.#queries) {
      const found = content.placesOf(query.name).map((place) => content.outputs(place))
      differences.push(...compareOutput(query.name, found, query.expected(input), cache))
      const rows = query.rows(input)
      if (rows !== null) {
        const there = await this.#rowsAtEnd(machine, query, life)
        const kept = rows.lines.filter((line) => !rows.closed.has(line) || there.includes(line))
        differences.push(...compareBags(`rows of ${query.name}`, there, kept))
      }
      if (query.after !== null) continue
      for (const topic of query.inputs)
        unreadable.push(...poisonOf(content, topic).map((place) => `${query.name} ${place}`))
      for (const { topic, partition, offset } of machine.log.committedOffsets(offsetsGroup(query.name))) {
        const { end } = content.ends(`${topic}-${partition}`)
        const { lastStable } = machine.log.ends(topic, partition)
        if (offset !== lastStable)
          differences.push(
            wrong(`${query.name} has offset ${offset} of ${topic}-${partition}, which ends at ${end}`),
          )
      }
    }
    const entries = content.outputs(`${PROCESSING_LOG_TOPIC}-0`).map(({ key, value }) => {
      const entry = JSON.parse(value!.slice(0, value!.lastIndexOf(' @'))) as Record<string, unknown>
      return `${key} ${String(entry['SOURCE_TOPIC'])}-${String(entry['SOURCE_PARTITION'])} ${String(entry['SOURCE_OFFSET'])}`
    })
    differences.push(...compareBags('processing log', entries, unreadable))
    return differences
  }

  /** A reader may be the first to find damage in the checkpoint: then the query starts again without it. */
  async #rowsAtEnd(machine: Machine, query: Query, life: Life): Promise<string[]> {
    for (;;) {
      try {
        return await rowsOf(machine, query.name)
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== 'STATE_CORRUPT') throw error
        this.#trace(`damage is found: ${error.message}`)
        await this.#settle(machine, life, false)
      }
    }
  }

  /** Opens everything once more, without what LevelDB holds: the same rows, and nothing new comes out. */
  async #audit(): Promise<void> {
    this.#trace('audit')
    if (this.#random.below(2) === 0) this.#level = this.#newLevel()
    this.#newScheduler()
    const scheduler = this.#scheduler
    let isDone = false
    const audit = async (): Promise<void> => {
      const log = await Machine.openLog(this.#setup, scheduler, this.#disk, this.#random.below(2 ** 31))
      const before = await Content.read(log)
      const life: Life = {
        log,
        scheduler,
        random: this.#random,
        setup: this.#setup,
        isFailing: false,
        nextOrder: () => 0,
      }
      const machine = await this.#start(life)
      await this.#settle(machine, life, false)
      this.#note(await this.#compare(machine, life))
      for (const { name } of this.#queries) {
        for (const place of before.placesOf(name)) {
          const { end } = before.ends(place)
          const { highWatermark } = log.ends(name, Number(place.slice(name.length + 1)))
          if (highWatermark > end)
            this.#note([{ kind: 'doubled', detail: `${place}: ${highWatermark - end} records come again` }])
        }
      }
      await machine.close()
    }
    audit()
      .catch((error: unknown) => this.#note([wrong(textOfError(error))]))
      .finally(() => (isDone = true))
    try {
      await scheduler.run(() => isDone)
    } catch (error) {
      this.#note([wrong(textOfError(error))])
    }
    scheduler.stop()
    this.#events += scheduler.events
  }

  #newScheduler(): Scheduler {
    const scheduler = new Scheduler({
      random: seededRandom(this.#random.below(2 ** 31)),
      startMs: this.#timeMs,
      wallMs: this.#wallMs,
      trace: (line) => this.#trace(line),
    })
    this.#scheduler = scheduler
    this.#disk.schedule = ({ kind, path, length }, effect) => {
      // What LevelDB keeps goes with its directory.
      if (kind === 'removeTree' && path === STATE_DIRECTORY) this.#level = this.#newLevel()
      return scheduler.perform(`${kind} ${path.slice(DIRECTORY.length)} ${length}`, effect)
    }
    return scheduler
  }

  #newLevel(): ModelDisk {
    return new ModelDisk(() => this.#scheduler.perform('state', () => undefined))
  }

  #newEnding(): Ending {
    const random = this.#random
    const losesPower = random.below(8) > 0
    switch (random.below(6)) {
      case 0:
        return { kind: 'done' }
      case 1:
      case 2: {
        const point = CRASH_POINTS[random.below(CRASH_POINTS.length)]!
        return { kind: 'at crash point', point, pass: 1 + Math.floor(2 ** (random.next() * 5)), losesPower }
      }
      default:
        return { kind: 'after events', events: Math.floor(2 ** (3 + random.next() * 8)), losesPower }
    }
  }

  #note(differences: readonly Difference[]): void {
    this.#differences.push(...differences)
  }

  #trace(line: string): void {
    let hash = this.#hash
    for (let i = 0; i < line.length; i++) hash = Math.imul(hash ^ line.charCodeAt(i), 0x01000193)
    this.#hash = hash
    this.#onTrace(line)
  }
}

function chooseQueries(random: Random): Query[] {
  const chosen = new Set<string>()
  for (let n = 1 + random.below(3); n >= 0; n--) chosen.add(QUERIES[random.below(QUERIES.length)]!.name)
  for (const { name, after } of QUERIES) if (chosen.has(name) && after !== null) chosen.add(after)
  return QUERIES.filter(({ name }) => chosen.has(name))
}

function isClosed({ log }: Life): boolean {
  return log.health().state.startsWith('closed')
}

async function rowsOf(machine: Machine, query: string): Promise<string[]> {
  const rows: string[] = []
  for await (const batch of machine.worker.readCommitted(query, EVERYTHING)) {
    const { columns } = batch.schema
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      let key = ''
      const values: Record<string, unknown> = {}
      columns.forEach(({ name, role }, column) => {
        const value = batch.value(column, row)
        if (role === 'key') key = value as string
        else values[name] = value
      })
      if (batch.windows !== null) {
        const { starts, ends } = batch.windows
        if (query === 'SESSIONS') key += int64(ends[row]!)
        key += int64(starts[row]!)
      }
      rows.push(`${key} = ${JSON.stringify(values)}`)
    }
  }
  return rows
}

function int64(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes.toString('latin1')
}

function inputsOf(content: Content): (topic: string) => readonly (readonly InputRow[])[] {
  const known = new Map<string, InputRow[][]>()
  return (topic) => {
    const rows =
      known.get(topic) ??
      content.placesOf(topic).map((place) => content.outputs(place).flatMap((r) => rowOf(topic, r)))
    known.set(topic, rows)
    return rows
  }
}

function rowOf(
  topic: string,
  { key, value }: { readonly key: string; readonly value: string | null },
): InputRow[] {
  if (value === null) {
    return [{ topic, key, n: -1, v: 0, zone: '', timestampMs: Infinity, isDeletion: true }]
  }
  const at = value.lastIndexOf(' @')
  if (!value.startsWith('{"')) return []
  const { n, v = 0, zone = '' } = JSON.parse(value.slice(0, at)) as { n: number; v?: number; zone?: string }
  return [{ topic, key, n, v, zone, timestampMs: Number(value.slice(at + 2)), isDeletion: false }]
}

/** Records that cannot be read. */
function poisonOf(content: Content, topic: string): string[] {
  return content
    .placesOf(topic)
    .flatMap((place) =>
      [...content.records(place)]
        .filter(([, line]) => line.includes('{ bad'))
        .map(([offset]) => `${place} ${offset}`),
    )
}

function textOfError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `, because ${textOfError(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
