import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { KeyValueStore } from '../../src/state/store.ts'
import type { TaskState } from '../../src/state/task-state.ts'
import { codecOf, textShape } from '../../src/state/value-codec.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import { commitCycle } from './memory-log.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-state-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

interface Running {
  readonly log: Log
  readonly state: WorkerState
  readonly task: TaskState
  readonly kv: KeyValueStore<string>
  commit(): Promise<void>
  stop(): Promise<void>
}

async function start(taskIds: readonly string[] = ['q/0']): Promise<Running> {
  const log = await openLog({ directory: join(directory, 'log') })
  const owner = await log.claim('worker')
  const state = await WorkerState.open({
    directory: join(directory, 'state'),
    log,
    fileSystem: nodeFileSystem,
    clock: systemClock,
    epoch: owner.epoch,
    memoryBytesMax: 1e8,
  })
  await state.deleteTasks((taskId) => !taskIds.includes(taskId))
  const task = state.task(taskIds[0]!, (store) => `_millrace-q-${store}-changelog`, 1)
  const kv = task.keyValue('rows', codecOf(textShape))
  for (const topic of task.changelogTopics()) {
    if (log.topic(topic) === undefined) {
      await log.createTopic(topic, { partitions: 2, config: { 'cleanup.policy': 'compact' } })
    }
  }
  await task.restore()
  return {
    log,
    state,
    task,
    kv,
    async commit() {
      await commitCycle(log, task, owner)
    },
    async stop() {
      await state.close()
      await log.close()
    },
  }
}

async function rows(kv: KeyValueStore<string>): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for await (const [key, value] of kv.scanCommitted(null, null)) found[key] = value
  return found
}

test('state comes back over the embedded log, with and without its folder', async () => {
  let running = await start()
  for (let i = 0; i < 50; i++) {
    running.kv.put(`key-${i % 20}`, `value ${i}`)
    if (i % 7 === 0) running.kv.remove(`key-${(i + 3) % 20}`)
    await running.commit()
    if (i === 30) await running.state.checkpoint()
  }
  const expected = await rows(running.kv)
  expect(Object.keys(expected).length).toBeGreaterThan(10)
  await running.stop()

  running = await start()
  expect(await rows(running.kv)).toEqual(expected)
  running.kv.put('new', 'one')
  await running.commit()
  await running.stop()

  rmSync(join(directory, 'state'), { recursive: true })
  running = await start()
  expect(await rows(running.kv)).toEqual({ ...expected, new: 'one' })
  await running.stop()
})

test('a folder whose changelog begins behind it is thrown away and counted', async () => {
  const [state, older] = [join(directory, 'state'), join(directory, 'older')]
  let running = await start()
  running.kv.put('a', '1')
  await running.commit()
  await running.stop()
  renameSync(state, older)
  running = await start()
  for (const value of ['2', '3']) {
    running.kv.put('b', value)
    await running.commit()
  }
  const topic = running.task.changelogTopics()[0]!
  const { highWatermark } = running.log.ends(topic, 1)
  await running.log.deleteRecords(topic, 1, highWatermark - 1)
  await running.stop()
  rmSync(state, { recursive: true })
  renameSync(older, state)

  running = await start()
  expect(running.state.metrics.droppedReasons).toEqual([
    'q/0: the changelog of store rows starts after its checkpoint',
  ])
  expect(await rows(running.kv)).toEqual({ b: '3' })
  await running.stop()
})

test('a state folder in use is refused, not thrown away', async () => {
  const running = await start()
  const options = {
    directory: join(directory, 'state'),
    log: running.log,
    fileSystem: nodeFileSystem,
    clock: systemClock,
    epoch: 9,
    memoryBytesMax: 1e8,
  }
  await expect(WorkerState.open(options)).rejects.toMatchObject({ code: 'STATE_OPEN_FAILED' })
  running.kv.put('a', '1')
  await running.commit()
  await running.stop()
  const again = await start()
  expect(again.state.metrics.dropped).toBe(0)
  expect(await rows(again.kv)).toEqual({ a: '1' })
  await again.stop()
})

test('the checkpoint of a query that is gone is removed', async () => {
  let running = await start()
  running.kv.put('a', '1')
  await running.commit()
  await running.stop()
  running = await start(['other/1'])
  await running.stop()
  running = await start()
  // No checkpoint, so all of it came from the changelog; nothing was found damaged.
  expect(await rows(running.kv)).toEqual({ a: '1' })
  expect(running.state.metrics.dropped).toBe(0)
  await running.stop()
})
