import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FileHandle, FileSystem } from '../../src/base/file-system.ts'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'
import { Millrace, type RestoreProgress } from '../../src/runtime/millrace.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-restore-'))
})

afterEach(() => rm(directory, { recursive: true }))

/** Reads below `path` wait for `gate`, once the folder of the state has been made. */
function heldBack(path: string, gate: Promise<void>): FileSystem {
  let isHolding = false
  const held = (file: FileHandle): FileHandle =>
    new Proxy(file, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        if (name !== 'read') return value.bind(target) as unknown
        return async (...args: Parameters<FileHandle['read']>) => {
          if (isHolding) await gate
          return target.read(...args)
        }
      },
    })
  return {
    ...nodeFileSystem,
    makeDirectory: (made) => {
      if (made.endsWith('/state')) isHolding = true
      return nodeFileSystem.makeDirectory(made)
    },
    open: async (file, mode) => {
      const handle = await nodeFileSystem.open(file, mode)
      return file.startsWith(path) ? held(handle) : handle
    },
  }
}

test('while state comes back from its changelog, whoever opens is told how far it is', async () => {
  const first = await Millrace.open({ dataDirectory: directory, commitIntervalMs: 5 })
  await first.sql(`
    CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);
    CREATE TABLE c AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;`)
  await first.produce(
    's',
    Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: { V: i } })),
  )
  await first.untilIdle()
  const [query] = first.queries()
  const changelog = first.log
    .topics()
    .find(({ name }) => name.includes(`${query!.id}-`) && name.endsWith('-changelog'))!
  await first.close()
  await rm(join(directory, 'state'), { recursive: true })

  const told: RestoreProgress[] = []
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const again = await Millrace.open({
    dataDirectory: directory,
    fileSystem: heldBack(join(directory, 'topics', changelog.id), gate),
    onRestore: (progress) => {
      told.push(progress)
      release()
    },
  })
  expect(told[0]).toMatchObject({ queryId: query!.id, task: 1, tasks: 1, recordsDone: 0, recordsTotal: 51 })
  let rows = 0
  for await (const _ of again.query('SELECT * FROM c;')) rows++
  expect(rows).toBe(50)
  await again.close()
})
