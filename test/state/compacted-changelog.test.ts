import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import { codecOf, textShape } from '../../src/state/value-codec.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { commitCycle } from './memory-log.ts'

class Machine {
  readonly clock = new ManualClock(1_000_000)
  readonly files = new SimulatedFileSystem()
  levels = new ModelDisk()

  async start() {
    const { clock, files } = this
    const log = (await openLog({
      directory: '/data',
      fileSystem: files,
      clock,
      journalBytesMax: 1 << 20,
      maintenanceEveryMs: 1e15,
    })) as EmbeddedLog
    const owner = await log.claim('worker')
    const state = await WorkerState.open({
      directory: '/state',
      log,
      fileSystem: new SimulatedFileSystem(),
      clock,
      epoch: owner.epoch,
      memoryBytesMax: 1e8,
      openStorage: async () => this.levels.open(),
    })
    const task = state.task('q/0', (store) => `_millrace-q-${store}-changelog`, 0)
    const codec = codecOf(textShape)
    const stores = {
      kv: task.keyValue('kv', codec),
      windows: task.window('windows', codec, { bucketMs: 10 }),
      sessions: task.session('sessions', codec, { bucketMs: 10 }),
    }
    for (const topic of task.changelogTopics()) {
      if (log.topic(topic) !== undefined) continue
      await log.createTopic(topic, {
        partitions: 1,
        config: {
          'cleanup.policy': 'compact',
          'delete.retention.ms': '0',
          'min.cleanable.dirty.ratio': '0',
          'segment.bytes': '2000',
        },
      })
    }
    await task.restore()
    return { log, owner, state, task, ...stores }
  }

  /** Seals what there is, and cleans. */
  async clean(log: EmbeddedLog): Promise<void> {
    this.clock.advanceTo(this.clock.nowMs() + 11 * 60 * 1000)
    await log.maintain()
    expect(log.health().detail).toBe('The log in /data is open.')
  }
}

type Running = Awaited<ReturnType<Machine['start']>>

async function commit({ log, owner, task }: Running): Promise<void> {
  await commitCycle(log, task, owner)
}

/*
 * Stores of every kind over changelogs that are cleaned all the time, tombstones at once: whatever is in the
 * checkpoint, and without one, a restart finds what was committed.
 */
test.each([1, 2, 3, 4, 5, 6])('seed %i: state comes back from cleaned changelogs', async (seed) => {
  const random = seededRandom(seed)
  const machine = new Machine()
  const content = async ({ kv, windows, sessions }: Running): Promise<unknown[]> => {
    const all: unknown[] = []
    for await (const entry of kv.scanCommitted(null, null)) all.push(entry)
    for await (const entry of windows.scanCommitted(null, null, -Infinity, Infinity)) all.push(entry)
    for await (const entry of sessions.scanCommitted(null, null)) all.push(entry)
    return all
  }

  let running = await machine.start()
  let nowMs = 0
  let removed = 0
  for (let life = 0; life < 5; life++) {
    for (let cycle = 0; cycle < 60; cycle++) {
      const { log, state, kv, windows, sessions } = running
      nowMs += random.below(10)
      for (let n = random.below(4); n >= 0; n--) {
        const key = `k${random.below(6)}`
        const value = `${life} ${cycle} ${n}`
        const startMs = nowMs - random.below(30)
        if (random.below(4) === 0) {
          kv.remove(key)
          removed++
        } else {
          kv.put(key, value)
        }
        if (random.below(4) === 0) windows.remove(key, startMs)
        else windows.put(key, startMs, value)
        if (random.below(4) === 0) sessions.remove(key, startMs, startMs + 5)
        else sessions.put(key, startMs, startMs + 5, value)
      }
      if (random.below(8) === 0) {
        windows.expire(nowMs - 40)
        sessions.expire(nowMs - 40)
      }
      await commit(running)
      if (random.below(12) === 0) await state.checkpoint()
      if (random.below(10) === 0) await machine.clean(log)
    }
    const expected = await content(running)
    // What the last checkpoint holds, unless closing shall save all.
    if (random.below(2) === 0) await running.state.close()
    await running.log.close()
    if (life === 3) machine.levels = new ModelDisk()
    running = await machine.start()
    expect(await content(running)).toEqual(expected)
  }
  expect(removed).toBeGreaterThan(20)
  // It has been cleaned: what is left is about what is there, not what was written.
  let bytes = 0
  for (const path of machine.files.paths()) {
    if (path.endsWith('.log')) bytes += machine.files.bytesOf(path).length
  }
  expect(bytes).toBeLessThan(60_000)
  await running.log.close()
})

test('what was removed after the checkpoint stays removed, however often the changelog is cleaned', async () => {
  const machine = new Machine()
  let running = await machine.start()
  const { state, kv, log } = running
  kv.put('a', '1')
  await commit(running)
  await state.checkpoint()
  kv.remove('a')
  await commit(running)
  for (const value of ['2', '3', '4']) {
    kv.put('b', value)
    await commit(running)
    await machine.clean(log)
  }
  // Nothing of it has been saved.
  await log.close()
  running = await machine.start()
  expect(running.state.metrics.dropped).toBe(0)
  expect(await running.kv.getCommitted('a')).toBeUndefined()
  expect(await running.kv.getCommitted('b')).toBe('4')
  await running.log.close()
})
