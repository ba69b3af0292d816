import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import type { FileSystem } from '../../src/base/file-system.ts'
import { DOUBLE } from '../../src/plan/sql-type.ts'
import { seededRandom } from '../../src/base/random.ts'
import { afterKey } from '../../src/state/key-codec.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import type { KeyValueStore, SessionStore, WindowStore } from '../../src/state/store.ts'
import type { TaskState } from '../../src/state/task-state.ts'
import { codecOf, sqlValueCodec, textShape } from '../../src/state/value-codec.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import { commitCycle, MemoryLog, owner } from './memory-log.ts'

const BUCKET_MS = 100
const directories: string[] = []
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

const files = {
  makeDirectory: (path: string) => mkdir(path, { recursive: true }).then(() => {}),
  removeTree: (path: string) => rm(path, { recursive: true, force: true }),
} as unknown as FileSystem

class Harness {
  readonly log = new MemoryLog()
  readonly clock = new ManualClock(1_000)
  readonly #open: (epoch: number) => Promise<WorkerState>
  worker!: WorkerState
  task!: TaskState
  kv!: KeyValueStore<string>
  windows!: WindowStore<string>
  sessions!: SessionStore<string>
  #epoch = 0

  constructor(open: (harness: Harness, epoch: number) => Promise<WorkerState>) {
    this.#open = (epoch) => open(this, epoch)
  }

  async start(): Promise<this> {
    this.worker = await this.#open(++this.#epoch)
    this.openTask()
    await this.task.restore()
    return this
  }

  openTask(): void {
    this.task = this.worker.task('q/0', (store) => `${store}-changelog`, 0)
    const text = codecOf(textShape)
    this.kv = this.task.keyValue('kv', text)
    this.windows = this.task.window('w', text, { bucketMs: BUCKET_MS })
    this.sessions = this.task.session('s', text, { bucketMs: BUCKET_MS })
  }

  async commit(): Promise<void> {
    await commitCycle(this.log, this.task)
  }

  /** The worker ends without saying goodbye and a new one takes over. */
  async restart(): Promise<void> {
    await this.worker.close()
    await this.start()
  }
}

function set(map: Map<string, string>, key: string, value: string | null): void {
  if (value === null) map.delete(key)
  else map.set(key, value)
}

async function all<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const entry of entries) list.push(entry)
  return list
}

const variants: Record<string, () => Promise<Harness>> = {
  memory: () =>
    new Harness((h, epoch) =>
      WorkerState.open({
        directory: null,
        log: h.log.log,
        fileSystem: files,
        clock: h.clock,
        epoch,
        memoryBytesMax: 1e9,
      }),
    ).start(),
  level: () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-state-'))
    directories.push(directory)
    return new Harness((h, epoch) =>
      WorkerState.open({
        directory,
        log: h.log.log,
        fileSystem: files,
        clock: h.clock,
        epoch,
        memoryBytesMax: 1e9,
      }),
    ).start()
  },
  'level with a tiny cache': () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-state-'))
    directories.push(directory)
    return new Harness((h, epoch) =>
      WorkerState.open({
        directory,
        log: h.log.log,
        fileSystem: files,
        clock: h.clock,
        epoch,
        memoryBytesMax: 1,
      }),
    ).start()
  },
  model: () => {
    const disk = new ModelDisk()
    return new Harness((h, epoch) =>
      WorkerState.open({
        directory: 'state',
        log: h.log.log,
        fileSystem: { ...files, makeDirectory: async () => {}, removeTree: async () => {} },
        clock: h.clock,
        epoch,
        memoryBytesMax: 1,
        openStorage: async () => disk.open(),
      }),
    ).start()
  },
}

for (const [name, open] of Object.entries(variants)) {
  describe(name, () => {
    test('what a cycle put is seen by it at once, by others when committed', async () => {
      const h = await open()
      h.kv.put('a', '1')
      expect(h.kv.get('a')).toBe('1')
      expect(await h.kv.getCommitted('a')).toBeUndefined()
      await h.commit()
      expect(await h.kv.getCommitted('a')).toBe('1')
      await h.kv.load(['a'])
      h.kv.put('a', '2')
      expect(await h.kv.getCommitted('a')).toBe('1')
      const appends = h.task.flush()
      h.kv.put('a', '3')
      const outcome = await h.log.commit({ owner, appends, offsets: [] })
      expect(await h.kv.getCommitted('a')).toBe('1')
      if (outcome.kind === 'committed') h.task.committed(outcome.baseOffsets)
      expect(await h.kv.getCommitted('a')).toBe('2')
      expect(h.kv.get('a')).toBe('3')
      await h.worker.close()
    })

    test('a discarded cycle leaves nothing', async () => {
      const h = await open()
      h.kv.put('a', '1')
      h.kv.put('b', '1')
      h.windows.put('a', 50, 'x')
      h.sessions.put('a', 5, 9, 'x')
      await h.commit()
      await h.kv.load(['a', 'b', 'c'])
      await h.windows.load(['a'], 0, 100)
      await h.sessions.load(['a'])
      h.kv.put('a', '2')
      h.kv.remove('b')
      h.kv.put('c', '2')
      h.windows.expire(100)
      h.sessions.remove('a', 5, 9)
      h.sessions.put('a', 5, 12, 'y')
      h.task.flush()
      h.kv.put('d', '2')
      await h.task.discard()
      await h.kv.load(['a', 'b', 'c', 'd'])
      await h.windows.load(['a'], 0, 100)
      await h.sessions.load(['a'])
      expect(['a', 'b', 'c', 'd'].map((k) => h.kv.get(k))).toEqual(['1', '1', undefined, undefined])
      expect(h.windows.get('a', 50)).toBe('x')
      expect(h.sessions.find('a', 0, 100)).toEqual([{ key: 'a', startMs: 5, endMs: 9, value: 'x' }])
      await h.worker.close()
    })

    test('a range is in order of keys, and a scan is a snapshot', async () => {
      const h = await open()
      for (const key of ['d', 'a', 'c', 'b', 'aa']) h.kv.put(key, key.toUpperCase())
      await h.commit()
      await h.worker.checkpoint()
      await h.kv.loadRange('a', 'd')
      h.kv.put('bb', 'BB')
      h.kv.remove('a')
      expect([...h.kv.range('a', 'd')].map(([k]) => k)).toEqual(['aa', 'b', 'bb', 'c'])
      const scan = h.kv.scanCommitted('aa', null)
      await h.commit()
      await h.worker.checkpoint()
      expect((await all(scan)).map(([k]) => k)).toEqual(['aa', 'b', 'c', 'd'])
      expect((await all(h.kv.scanCommitted(null, 'c'))).map(([k]) => k)).toEqual(['aa', 'b', 'bb'])
      await h.worker.close()
    })

    test('windows: fetch by key and time, starts by time, expiry', async () => {
      const h = await open()
      for (const [key, start] of [
        ['b', 250],
        ['a', 10],
        ['a', 110],
        ['a', 250],
        ['b', 90],
      ] as const) {
        h.windows.put(key, start, `${key}${start}`)
      }
      await h.commit()
      await h.worker.checkpoint()
      await h.windows.load(['a'], 0, 1000)
      expect([...h.windows.fetch('a', 50, 250)].map((e) => e.value)).toEqual(['a110', 'a250'])
      await h.windows.loadStarts(0, 1000)
      expect([...h.windows.starts(10, 250)].map((e) => e.value)).toEqual([
        'a10',
        'b90',
        'a110',
        'a250',
        'b250',
      ])
      h.windows.expire(120)
      expect(h.windows.get('a', 110)).toBeUndefined()
      expect([...h.windows.starts(0, 1000)].map((e) => e.value)).toEqual(['a250', 'b250'])
      expect((await h.windows.fetchCommitted('a', 0, 1000)).map((e) => e.startMs)).toEqual([10, 110, 250])
      await h.commit()
      expect((await all(h.windows.scanCommitted(null, null, 0, 1000))).map((e) => e.value)).toEqual([
        'a250',
        'b250',
      ])
      await h.restart()
      expect((await all(h.windows.scanCommitted('a', afterKey('a'), 0, 1000))).map((e) => e.value)).toEqual([
        'a250',
      ])
      await h.worker.close()
    })

    test('sessions: found by overlap, ended in order, expired by their end', async () => {
      const h = await open()
      h.sessions.put('a', 0, 10, '1')
      h.sessions.put('a', 50, 220, '2')
      h.sessions.put('b', 5, 10, '3')
      await h.commit()
      await h.worker.checkpoint()
      await h.sessions.load(['a'])
      expect(h.sessions.find('a', 5, 40).map((s) => s.value)).toEqual(['1'])
      expect(h.sessions.find('a', 5, 50).map((s) => s.value)).toEqual(['1', '2'])
      await h.sessions.loadEnds(0, 1000)
      expect([...h.sessions.ends(0, 1000)].map((s) => s.value)).toEqual(['1', '3', '2'])
      h.sessions.remove('a', 50, 220)
      h.sessions.put('a', 50, 230, '4')
      h.sessions.expire(100)
      await h.commit()
      expect((await h.sessions.fetchCommitted('a')).map((s) => s.value)).toEqual(['4'])
      await h.restart()
      expect((await all(h.sessions.scanCommitted(null, null))).map((s) => s.value)).toEqual(['4'])
      await h.worker.close()
    })

    test('the same state after every restart, whatever happened between', async () => {
      const h = await open()
      const random = seededRandom(7)
      const model = {
        kv: new Map<string, string>(),
        w: new Map<string, string>(),
        s: new Map<string, string>(),
      }
      let expiredMs = -Infinity
      for (let cycle = 0; cycle < 60; cycle++) {
        const next = structuredClone(model)
        let nextExpiredMs = expiredMs
        const keys = Array.from({ length: 30 }, () => `k${random.below(400)}`)
        const baseMs = cycle * 20
        await h.kv.load(keys)
        await h.windows.load(keys, baseMs, baseMs + 300)
        await h.sessions.load(keys)
        for (const key of keys) {
          const value = `${cycle}-${random.below(1000)}`
          const startMs = baseMs + random.below(300)
          const isRemoved = random.below(4) === 0
          if (isRemoved) h.kv.remove(key)
          else h.kv.put(key, value)
          set(next.kv, key, isRemoved ? null : value)
          if (isRemoved) h.windows.remove(key, startMs)
          else h.windows.put(key, startMs, value)
          const w = `${key} ${startMs}`
          if (startMs >= nextExpiredMs) set(next.w, w, isRemoved ? null : value)
          for (const { startMs: start, endMs } of h.sessions.find(key, baseMs, baseMs + 300)) {
            h.sessions.remove(key, start, endMs)
            next.s.delete(`${key} ${start} ${endMs}`)
          }
          h.sessions.put(key, startMs, startMs + 30, value)
          if (startMs + 30 >= nextExpiredMs) next.s.set(`${key} ${startMs} ${startMs + 30}`, value)
        }
        if (cycle % 5 === 4) {
          nextExpiredMs = baseMs - 150
          h.windows.expire(nextExpiredMs)
          h.sessions.expire(nextExpiredMs)
          for (const k of next.w.keys()) if (Number(k.split(' ')[1]) < nextExpiredMs) next.w.delete(k)
          for (const k of next.s.keys()) if (Number(k.split(' ')[2]) < nextExpiredMs) next.s.delete(k)
        }
        if (cycle % 7 === 6) {
          await h.task.discard()
        } else {
          await h.commit()
          Object.assign(model, next)
          expiredMs = nextExpiredMs
        }
        if (cycle % 3 === 0) await h.worker.checkpoint()
        if (cycle % 11 === 10) await h.restart()
        if (cycle % 13 === 12) {
          // The query is restarted alone, its last changes not in the checkpoint.
          await h.task.close()
          h.openTask()
          await h.task.restore()
        }
        const key = `k${random.below(400)}`
        expect(await h.kv.getCommitted(key)).toBe(model.kv.get(key))
        if (cycle % 4 !== 0) continue
        const byKey = ([a]: readonly [string, string], [b]: readonly [string, string]): number =>
          a < b ? -1 : 1
        expect(await all(h.kv.scanCommitted(null, null))).toEqual([...model.kv].sort(byKey))
        expect(
          (await all(h.windows.scanCommitted(null, null, 0, 1e9)))
            .map((e) => [`${e.key} ${e.startMs}`, e.value])
            .sort(byKey as never),
        ).toEqual([...model.w].sort(byKey))
        expect(
          (await all(h.sessions.scanCommitted(null, null)))
            .map((e) => [`${e.key} ${e.startMs} ${e.endMs}`, e.value])
            .sort(byKey as never),
        ).toEqual([...model.s].sort(byKey))
        const one = `k${random.below(400)}`
        expect(
          (await h.windows.fetchCommitted(one, 0, 1e9)).map((e) => [`${one} ${e.startMs}`, e.value]),
        ).toEqual(
          [...model.w]
            .filter(([k]) => k.startsWith(`${one} `))
            .sort(([a], [b]) => Number(a.split(' ')[1]) - Number(b.split(' ')[1])),
        )
      }
      expect(h.worker.metrics.dropped).toBe(0)
      await h.worker.close()
    })

    test('a store opened with other types is refused', async () => {
      const h = await open()
      h.kv.put('a', '1')
      await h.commit()
      await h.worker.checkpoint()
      await h.task.close()
      const task = h.worker.task('q/0', (store) => `${store}-changelog`, 0)
      task.keyValue('kv', sqlValueCodec(DOUBLE))
      await expect(task.restore()).rejects.toMatchObject({ code: 'STATE_FINGERPRINT_CHANGED' })
      await h.worker.close()
    })

    test('committed values cannot be read while they are being restored', async () => {
      const h = await open()
      h.kv.put('a', '1')
      await h.commit()
      await h.task.close()
      h.openTask()
      const restored = h.task.restore()
      await expect(h.kv.getCommitted('a')).rejects.toMatchObject({ code: 'STATE_RESTORING' })
      await restored
      expect(await h.kv.getCommitted('a')).toBe('1')
      await h.worker.close()
    })
  })
}
