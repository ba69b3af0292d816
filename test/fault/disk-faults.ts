import { StorageError } from '../../src/base/errors.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import type { CommitOwner, CommitOutcome, Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { type Fate, type FileOperation, SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { batchOf, values } from '../log/log-reading.ts'
import type { Verdict } from './content.ts'

/** Ways in which a disk fails for a while. */
export const DISK_TROUBLES = [
  'full',
  'short writes',
  'failing writes',
  'failing syncs',
  'lying syncs',
  'too many open files',
  'read-only',
] as const

type Trouble = (typeof DISK_TROUBLES)[number]

const CHANGES: readonly FileOperation['kind'][] = [
  'write',
  'truncate',
  'rename',
  'removeFile',
  'makeDirectory',
]

/**
 * Commits on a disk that fails now and then. Each one writes its number to two topics and to a group's offset:
 * whole or not at all, and for good once it was acknowledged. When the trouble ends, work goes on.
 */
export async function runDiskFault(seed: number): Promise<Verdict & { readonly trouble: Trouble }> {
  const random = seededRandom(seed)
  const trouble = DISK_TROUBLES[random.below(DISK_TROUBLES.length)]!
  // The log's own timers keep no process alive.
  const alive = setInterval(() => {}, 1000)
  try {
    return { ...(await new Life(random, trouble).run()), trouble }
  } catch (error) {
    return { kind: 'wrong', detail: error instanceof Error ? (error.stack ?? '') : String(error), trouble }
  } finally {
    clearInterval(alive)
  }
}

interface Commit {
  readonly value: string
  /** `maybe`: it was answered with unknown. */
  readonly fate: 'acknowledged' | 'maybe'
}

class Life {
  readonly #random: Random
  readonly #trouble: Trouble
  #disk = new SimulatedFileSystem()
  #log!: Log
  #owner!: CommitOwner
  #commits: Commit[] = []
  #number = 0

  constructor(random: Random, trouble: Trouble) {
    this.#random = random
    this.#trouble = trouble
  }

  async run(): Promise<Verdict> {
    await this.#open()
    await this.#log.createTopic('a', { partitions: 1, config: { 'segment.bytes': '9000' } })
    await this.#log.createTopic('b', { partitions: 1 })
    let refused = ''
    for (let round = 0; round < 3; round++) {
      for (let n = this.#random.below(4); n >= 0; n--) {
        const outcome = await this.#commit()
        if (outcome !== 'committed') return wrong(`a healthy disk, and ${outcome}`)
      }
      this.#disk.fate = this.#newFate()
      for (let n = this.#random.below(5); n >= 0; n--) {
        const outcome = await this.#commit()
        if (outcome !== 'committed') refused = outcome
        // Who asks can see it, unless the trouble lay in this commit alone.
        if (outcome === 'unknown' && this.#log.health().state === 'open')
          return wrong('unknown, and the log seems fine')
      }
      if (this.#random.below(3) === 0) {
        // Opening on a failing disk may not succeed, and harms nothing.
        await this.#log.close().catch(() => {})
        await this.#open().catch((error: unknown) => {
          if (!isLocated(error)) throw error
        })
      }
      this.#disk.fate = () => undefined
      const health = this.#log.health().state
      if (health.startsWith('closed')) {
        await this.#log.close().catch(() => {})
        // What a failed sync left in the page cache may be read, or what is on disk.
        if (this.#random.below(2) === 0) this.#disk.dropCaches()
        await this.#open()
      }
      const problem = await this.#check(false)
      if (problem !== null) return problem
    }
    const lies = this.#trouble === 'lying syncs'
    if (this.#random.below(2) === 0) await this.#log.close()
    else await new Promise((resolve) => setTimeout(resolve, this.#random.below(2) * 5))
    // The machine loses power; what was not synced may be gone.
    this.#disk = this.#disk.afterPowerCut(this.#random)
    try {
      await this.#open()
    } catch (error) {
      if (lies && error instanceof StorageError && error.code.startsWith('LOG_')) {
        return { kind: 'refused', detail: error.message }
      }
      throw error
    }
    const problem = await this.#check(lies)
    await this.#log.close()
    return problem ?? { kind: 'whole', detail: refused }
  }

  async #open(): Promise<void> {
    this.#log = await openLog({ directory: '/data', fileSystem: this.#disk, journalBytesMax: 1 << 20 })
    this.#owner = await this.#log.claim('w')
  }

  async #commit(): Promise<CommitOutcome['kind'] | 'refused'> {
    const value = `${this.#number++}:${'x'.repeat(this.#random.below(6) === 0 ? 140_000 : this.#random.below(4000))}`
    let outcome: CommitOutcome['kind'] | 'refused'
    const answer = this.#log
      .commit({
        owner: this.#owner,
        appends: ['a', 'b'].map((topic) => ({ topic, partition: 0, batches: batchOf(value) })),
        offsets: [{ group: 'g', offsets: [{ topic: 'a', partition: 0, offset: this.#number }] }],
      })
      .then(
        ({ kind }) => kind,
        (error: unknown) => {
          if (!isLocated(error)) throw error
          return 'refused' as const
        },
      )
    // What is in the journal already waits for space.
    const patience = setTimeout(() => (this.#disk.fate = () => undefined), 40)
    try {
      outcome = await answer
    } finally {
      clearTimeout(patience)
    }
    if (outcome === 'committed') this.#commits.push({ value, fate: 'acknowledged' })
    else if (outcome === 'unknown') this.#commits.push({ value, fate: 'maybe' })
    return outcome
  }

  /** @param mayLoseEnd  the disk has lied */
  async #check(mayLoseEnd: boolean): Promise<Verdict | null> {
    let found: string[]
    let other: string[]
    if (mayLoseEnd && this.#log.topic('b') === undefined) return null
    try {
      found = await values(this.#log, 'a')
      other = await values(this.#log, 'b')
    } catch (error) {
      if (mayLoseEnd && error instanceof StorageError && error.code === 'LOG_CORRUPT') {
        return { kind: 'refused', detail: error.message }
      }
      throw error
    }
    if (found.join() !== other.join()) return wrong('a commit is half there')
    const left = [...this.#commits]
    const kept: Commit[] = []
    for (const value of found) {
      for (;;) {
        const next = left.shift()
        if (next === undefined)
          return wrong(`${value.slice(0, 20)} was refused, or comes twice or out of order`)
        if (next.value === value) {
          kept.push({ value, fate: 'acknowledged' })
          break
        }
        if (next.fate === 'acknowledged')
          return wrong(`${next.value.slice(0, 20)} was acknowledged and is lost`)
      }
    }
    const lost = left.find(({ fate }) => fate === 'acknowledged')
    if (lost !== undefined && !mayLoseEnd)
      return wrong(`${lost.value.slice(0, 20)} was acknowledged and is lost`)
    const last = found.at(-1)
    const [offset] = this.#log.committedOffsets('g')
    const expected = last === undefined ? undefined : Number.parseInt(last, 10) + 1
    if (offset?.offset !== expected)
      return wrong(`the offset is ${offset?.offset}, and the last record ${last?.slice(0, 9)}`)
    this.#commits = kept
    return null
  }

  #newFate(): (operation: FileOperation) => Fate {
    const random = this.#random
    let left = random.below(6)
    const later = (): boolean => left-- <= 0
    const where = ['', 'journal', '.log', 'checkpoint', 'index'][random.below(5)]!
    const on = (kinds: readonly string[], fate: Fate) => (operation: FileOperation) =>
      kinds.includes(operation.kind) && operation.path.includes(where) && later() ? fate : undefined
    switch (this.#trouble) {
      case 'full': {
        // A write that finds the disk full may have stored its beginning.
        const partly = random.below(2) === 0
        return ({ kind, path, length }) => {
          if (!['write', 'makeDirectory'].includes(kind) || !path.includes(where) || !later())
            return undefined
          return partly && length > 100 && left % 2 === 0 ? { bytes: 50 } : { code: 'ENOSPC' }
        }
      }
      case 'short writes':
        return ({ kind, length }) =>
          kind === 'write' && length > 1 ? { bytes: 1 + random.below(length) } : undefined
      case 'failing writes':
        return on(['write'], { code: 'EIO' })
      case 'failing syncs':
        return on(['sync', 'syncDirectory'], { code: 'EIO' })
      case 'lying syncs':
        return on(['sync', 'syncDirectory'], 'lie')
      case 'too many open files':
        return on(['open'], { code: 'EMFILE' })
      case 'read-only':
        return on(CHANGES, { code: 'EROFS' })
    }
  }
}

function wrong(detail: string): Verdict {
  return { kind: 'wrong', detail }
}

/** Whether an error says what failed, where, and what to do. */
function isLocated(error: unknown): boolean {
  return error instanceof StorageError && error.hint !== undefined && error.message.includes('/data')
}
