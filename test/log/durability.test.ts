import { afterEach, describe, expect, test } from 'vitest'
import { type Clock, ManualClock, systemClock } from '../../src/base/clock.ts'
import { readFully, type FileHandle, type FileSystem } from '../../src/base/file-system.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { CommitGroup, CommitOutcome, CommitOwner, Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { AT_ATTRIBUTES, readI16, RecordBatchWriter } from '../../src/log/record-batch.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { watchedFiles } from '../base/watched-files.ts'
import { framesOf, newestFrames } from '../fault/journal-frames.ts'
import { batchOf, utf8, values } from './log-reading.ts'

/* What docs/guarantees.md promises of one write, of one frame: what is in the way of each promise, held still. */

/** A file system whose syncs of the journal wait until they are let go; counts them. */
class HeldSyncs {
  readonly disk = new MemoryFileSystem()
  syncs = 0
  #held: (() => void)[] | null = null

  hold(): void {
    this.#held = []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const go of held) go()
  }

  get waiting(): number {
    return this.#held?.length ?? 0
  }

  get fileSystem(): FileSystem {
    return watchedFiles(this.disk, (file, path) => this.#watched(file, path))
  }

  #watched(file: FileHandle, path: string): FileHandle {
    if (!path.includes('journal.')) return file
    return {
      read: (into, position) => file.read(into, position),
      write: (bytes, position) => file.write(bytes, position),
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      close: () => file.close(),
      sync: async () => {
        this.syncs++
        if (this.#held !== null) await new Promise<void>((resolve) => this.#held!.push(resolve))
        await file.sync()
      },
    }
  }

  async bytesOf(path: string): Promise<Uint8Array> {
    const file = await this.disk.open(path, 'read')
    const bytes = new Uint8Array(await file.size())
    await readFully(file, bytes, 0)
    await file.close()
    return bytes
  }
}

const opened: Log[] = []
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close()
})

async function open(held: HeldSyncs, durability: 'fsync' | 'os' = 'fsync'): Promise<Log> {
  const log = await openLog({
    directory: '/data',
    fileSystem: held.fileSystem,
    clock: systemClock,
    durability,
    journalBytesMax: 1 << 20,
  })
  opened.push(log)
  for (const name of ['a', 'b'])
    if (log.topic(name) === undefined) await log.createTopic(name, { partitions: 1 })
  return log
}

/** Waits until it is opened. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open!: () => void
  const passed = new Promise<void>((resolve) => (open = resolve))
  return { passed, open }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 30))

async function commit(log: Log, text: string): Promise<CommitOutcome> {
  return log.commit({
    owner: await log.claim('w'),
    appends: ['a', 'b'].map((topic) => ({ topic, partition: 0, batches: batchOf(text) })),
    offsets: [{ group: 'g', offsets: [{ topic: 'a', partition: 0, offset: 1 }] }],
  })
}

describe('before the sync', () => {
  test('nobody sees anything, and nobody is answered; after it all of it appears at once', async () => {
    const held = new HeldSyncs()
    const log = await open(held)
    const owner = await log.claim('w')
    const seen: string[] = []
    log.onEndsMoved(() => seen.push(`${log.ends('a', 0).highWatermark} ${log.ends('b', 0).highWatermark}`))
    held.hold()
    let answer: CommitOutcome | null = null
    const committing = log
      .commit({
        owner,
        appends: ['a', 'b'].map((topic) => ({ topic, partition: 0, batches: batchOf('x') })),
        offsets: [{ group: 'g', offsets: [{ topic: 'a', partition: 0, offset: 1 }] }],
      })
      .then((outcome) => (answer = outcome))
    await settled()
    expect(held.waiting).toBe(1)
    expect(answer).toBeNull()
    expect(log.ends('a', 0)).toMatchObject({ highWatermark: 0, lastStable: 0 })
    expect(await values(log, 'a')).toEqual([])
    expect(log.committedOffsets('g')).toEqual([])
    held.release()
    expect((await committing).kind).toBe('committed')
    // Both ends in one step.
    expect(seen).toEqual(['1 1'])
    expect(await values(log, 'b')).toEqual(['x'])
  })

  test.each([
    ['all', 0],
    [1, 1],
    [0, 1],
  ] as const)('a producer with acks %s is answered %i times', async (acks, answered) => {
    const held = new HeldSyncs()
    const log = await open(held)
    const producer = log.producer({ acks })
    held.hold()
    let answers = 0
    const sent = producer
      .send({ topic: 'a', partition: 0, key: null, value: utf8('x') })
      .then(() => answers++)
    await settled()
    expect(answers).toBe(answered)
    held.release()
    await sent
    await producer.close()
  })

  test('acks 0 hears when the record is queued, 1 when it is written, all when it is synced', async () => {
    const disk = new SimulatedFileSystem()
    const log = await openLog({ directory: '/data', fileSystem: disk, journalBytesMax: 1 << 20 })
    opened.push(log)
    await log.createTopic('a', { partitions: 1 })
    const gates = { write: gate(), sync: gate() }
    disk.schedule = async ({ kind, path }, effect) => {
      if (path.includes('journal.') && (kind === 'write' || kind === 'sync')) await gates[kind].passed
      return effect()
    }
    const answered: (0 | 1 | 'all')[] = []
    const sent = ([0, 1, 'all'] as const).map((acks) =>
      log
        .producer({ acks })
        .send({ topic: 'a', partition: 0, key: null, value: utf8('x') })
        .then(() => answered.push(acks)),
    )
    await turns()
    expect(answered).toEqual([0])
    gates.write.open()
    await turns()
    expect(answered).toEqual([0, 1])
    gates.sync.open()
    await Promise.all(sent)
    expect(answered).toEqual([0, 1, 'all'])
  })

  test('a duplicate is not answered before its original is durable', async () => {
    const held = new HeldSyncs()
    const log = (await open(held)) as EmbeddedLog
    const { producerId, epoch } = await log.coordinator.initialise(null, 60_000)
    const batch = (): Uint8Array => {
      const writer = new RecordBatchWriter({
        producer: { id: producerId, epoch, baseSequence: 0, transactional: false },
      })
      writer.append(0, null, 0, 0, utf8('x'), 0, 1)
      return writer.finish()
    }
    held.hold()
    const answers: number[] = []
    const sent = [1, 2].map((n) => log.coordinator.produce('a', 0, batch()).then(() => answers.push(n)))
    await settled()
    expect(answers).toEqual([])
    held.release()
    await Promise.all(sent)
    expect(await values(log, 'a')).toEqual(['x'])
  })

  test('with durability os nothing waits for it', async () => {
    const held = new HeldSyncs()
    const log = await open(held, 'os')
    const before = held.syncs
    expect((await commit(log, 'x')).kind).toBe('committed')
    expect(await values(log, 'a')).toEqual(['x'])
    expect(held.syncs).toBe(before)
  })

  test('all that waits shares one', async () => {
    const held = new HeldSyncs()
    const log = await open(held)
    const owner = await log.claim('w')
    held.hold()
    const send = (n: number) =>
      log.commit({ owner, appends: [{ topic: 'a', partition: 0, batches: batchOf(`${n}`) }], offsets: [] })
    const first = send(0)
    await settled()
    const before = held.syncs
    const others = Array.from({ length: 40 }, (_, n) => send(n + 1))
    await settled()
    held.release()
    await Promise.all([first, ...others])
    expect(held.syncs - before).toBe(1)
    expect(await values(log, 'a')).toHaveLength(41)
  })
})

describe('the order of a write', () => {
  /** A log with a segment in each topic, whose journal would take bulk, too; and what it does to its files, publishes and answers from here on. */
  async function observed(
    durability: 'fsync' | 'os' = 'fsync',
    clock: Clock = systemClock,
  ): Promise<{ log: Log; owner: CommitOwner; done: string[]; written: Map<string, number> }> {
    const disk = new SimulatedFileSystem()
    const log = await openLog({
      directory: '/data',
      fileSystem: disk,
      clock,
      durability,
      journalBytesMax: 1 << 23,
    })
    opened.push(log)
    for (const name of ['a', 'b']) await log.createTopic(name, { partitions: 1 })
    await commit(log, 'x')
    const owner = await log.claim('w')
    const done: string[] = []
    const written = new Map<string, number>()
    log.onEndsMoved(() => done.push('publish'))
    disk.schedule = async ({ kind, path, length }, effect) => {
      const file = path.includes('journal.') ? 'journal' : path.endsWith('.log') ? 'segment' : path
      if (kind === 'write') written.set(file, (written.get(file) ?? 0) + length)
      if (kind !== 'write' && kind !== 'sync' && kind !== 'syncDirectory') return effect()
      done.push(`${kind} ${file}`)
      await new Promise((resolve) => setImmediate(resolve))
      const result = effect()
      if (kind === 'sync') done.push(`synced ${file}`)
      return result
    }
    return { log, owner, done, written }
  }

  const both = (owner: CommitOwner, value: string): CommitGroup => ({
    owner,
    appends: ['a', 'b'].map((topic) => ({ topic, partition: 0, batches: batchOf(value) })),
    offsets: [],
  })

  test('the frame, its sync, the segments without one, all ends, the answer', async () => {
    const { log, owner, done } = await observed()
    await log.commit(both(owner, 'y'))
    done.push('answer')
    expect(done).toEqual([
      'write journal',
      'sync journal',
      'synced journal',
      'write segment',
      'write segment',
      'publish',
      'answer',
    ])
  })

  test('when the log falls idle an empty frame seals the last group, synced, once', async () => {
    const clock = new ManualClock(1_000_000)
    const { log, owner, done } = await observed('fsync', clock)
    await log.commit(both(owner, 'y'))
    done.length = 0
    for (let n = 0; n < 5; n++) {
      clock.advanceTo(clock.nowMs() + 100)
      await turns()
    }
    expect(done).toEqual(['write journal', 'sync journal', 'synced journal'])
  })

  test("under 'os' the same without the sync", async () => {
    const { log, owner, done } = await observed('os')
    await log.commit(both(owner, 'y'))
    done.push('answer')
    expect(done).toEqual(['write journal', 'write segment', 'write segment', 'publish', 'answer'])
  })

  test('bulk goes to the segments first, all synced at a time, and is not written twice', async () => {
    const { log, owner, done, written } = await observed()
    await log.commit(both(owner, 'y'.repeat(200_000)))
    done.push('answer')
    expect(done.filter((step) => !step.startsWith('syncDirectory'))).toEqual([
      'write segment',
      'write segment',
      'sync segment',
      'sync segment',
      'synced segment',
      'synced segment',
      'write journal',
      'sync journal',
      'synced journal',
      'publish',
      'answer',
    ])
    expect(written.get('segment')).toBeGreaterThan(400_000)
    expect(written.get('journal')).toBe(4096)
  })

  test('of bulk in a new segment its names are durable too, before the frame', async () => {
    const { log, owner, done } = await observed()
    await log.createTopic('new', { partitions: 1 })
    const { id } = log.topic('new')!
    done.length = 0
    const batches = batchOf('y'.repeat(200_000))
    await log.commit({ owner, appends: [{ topic: 'new', partition: 0, batches }], offsets: [] })
    const before = done.slice(0, done.indexOf('write journal'))
    for (const path of [`/data/topics/${id}/0`, `/data/topics/${id}`, '/data/topics'])
      expect(before).toContain(`syncDirectory ${path}`)
  })
})

test('a checkpoint is written while commits go on; those the journal has no room for wait for it', async () => {
  const disk = new SimulatedFileSystem()
  const log = await openLog({ directory: '/data', fileSystem: disk, journalBytesMax: 1 << 16 })
  opened.push(log)
  await log.createTopic('a', { partitions: 1 })
  const owner = await log.claim('w')
  const writing = gate()
  let answered = 0
  let answeredBefore: number | null = null
  disk.schedule = async ({ kind, path }, effect) => {
    if (kind === 'write' && path.includes('checkpoint.')) {
      answeredBefore ??= answered
      await writing.passed
    }
    return effect()
  }
  const texts = Array.from({ length: 60 }, (_, n) => `${n}`.padEnd(6_000))
  const sent = texts.map((text) =>
    log
      .commit({ owner, appends: [{ topic: 'a', partition: 0, batches: batchOf(text) }], offsets: [] })
      .then(() => answered++),
  )
  for (let before = -1; answered > before || answered === 0;) {
    before = answered
    await turns()
  }
  expect(answeredBefore).not.toBeNull()
  expect(answered).toBeGreaterThan(answeredBefore!)
  expect(answered).toBeLessThan(texts.length)
  // Nothing the checkpoint on disk needs has been written over.
  const cut = await openLog({ directory: '/data', fileSystem: disk.afterPowerCut(seededRandom(1)) })
  expect((await values(cut, 'a')).slice(0, answered)).toEqual(texts.slice(0, answered))
  await cut.close()
  writing.open()
  await Promise.all(sent)
  expect(await values(log, 'a')).toEqual(texts)
})

describe('the journal', () => {
  test('is filled with zeros ahead of use, and each group begins on a block of its own', async () => {
    const held = new HeldSyncs()
    const log = await open(held)
    for (let n = 0; n < 5; n++) await commit(log, `${n}`)
    const bytes = await held.bytesOf('/data/journal.0')
    expect(bytes.length % (1 << 20)).toBe(0)
    const frames = framesOf('journal.0', bytes)
    const ends = frames.filter(({ to }, i) => frames[i + 1]?.from !== to)
    expect(ends.length).toBeGreaterThan(5)
    for (const [i, { to }] of ends.entries()) {
      const next = frames.find(({ from }) => from >= to)
      if (next !== undefined) expect(next.from).toBe(Math.ceil(to / 4096) * 4096)
      else expect(bytes.subarray(to).every((byte) => byte === 0)).toBe(true)
      expect(i).toBeLessThan(frames.length)
    }
  })

  test('takes no frame that is not the next one, although its checksum holds', async () => {
    const held = new HeldSyncs()
    const log = await open(held)
    const owner = await log.claim('w')
    const send = (n: number) =>
      log.commit({ owner, appends: [{ topic: 'a', partition: 0, batches: batchOf(`${n}`) }], offsets: [] })
    // All in one group, so that none of them says that the one before is known to be durable.
    await send(0)
    await Promise.all([send(1), send(2)])
    const image = new HeldSyncs()
    await copy(held.disk, image.disk, '/data')
    const files = new Map<string, Uint8Array>()
    for (const name of ['journal.0', 'journal.1']) files.set(name, await image.bytesOf(`/data/${name}`))
    const frames = newestFrames(files)
    const [stale, last] = [frames.at(-3)!, frames.at(-1)!]
    const journal = await image.disk.open(`/data/${last.file}`, 'write')
    const bytes = files.get(stale.file)!.subarray(stale.from, stale.to)
    await journal.write(bytes, Math.ceil(last.to / 4096) * 4096)
    await journal.close()
    expect(await values(await open(image), 'a')).toEqual(['0', '1', '2'])
  })

  test('names no path: a topic is known by its id', async () => {
    const held = new HeldSyncs()
    const log = await open(held)
    await log.createTopic('..-strange.name', { partitions: 1 })
    const producer = log.producer()
    await producer.send({ topic: '..-strange.name', partition: 0, key: null, value: utf8('x') })
    await producer.close()
    expect(await held.disk.list('/data/topics')).not.toContain('..-strange.name')
  })
})

test('what the engine commits is ordinary: no transactional bit, no control batches, the same for both isolation levels', async () => {
  const log = await open(new HeldSyncs())
  await commit(log, 'x')
  for (const isolation of ['read_committed', 'read_uncommitted'] as const) {
    const { bytes, nextOffset } = await log.read('a', 0, 0, 1 << 20, isolation)
    expect(nextOffset).toBe(1)
    expect(readI16(bytes, AT_ATTRIBUTES) & 0x30).toBe(0)
  }
})

async function copy(from: MemoryFileSystem, to: MemoryFileSystem, path: string): Promise<void> {
  await to.makeDirectory(path)
  for (const name of await from.list(path)) {
    const child = `${path}/${name}`
    if (name === 'lock') continue
    const file = await from.open(child, 'read').catch(() => null)
    if (file === null) {
      await copy(from, to, child)
      continue
    }
    const bytes = new Uint8Array(await file.size())
    await readFully(file, bytes, 0)
    await file.close()
    const target = await to.open(child, 'create')
    await target.write(bytes, 0)
    await target.close()
  }
}
