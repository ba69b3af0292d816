import { crc32c } from '@node-rs/crc32'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'
import { systemClock } from '../../src/base/clock.ts'
import { openLog } from '../../src/log/open-log.ts'
import { CHECKPOINT_FILES } from '../../src/log/checkpoint.ts'
import { RecordBatchWriter } from '../../src/log/record-batch.ts'
import {
  decodeRecord,
  encodeRecord,
  STATE_LAYOUT,
  type CommitRecord,
} from '../../src/state/checkpoint-record.ts'
import { unpack } from './archive.ts'
import { goOn, openGolden, snapshotOf, type Snapshot } from './content.ts'

/* Directories of every version there was; `make-golden.ts` makes the next one. */
const GOLDEN = join(import.meta.dirname, 'golden')
const names = readdirSync(GOLDEN).toSorted()
const newest = names.at(-1)!

let directory: string
const failures: string[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-upgrade-'))
  failures.splice(0)
})
afterEach(() => rm(directory, { recursive: true }))

const open = () => openGolden(directory, (text) => failures.push(text))

async function restore(name: string): Promise<{ readonly before: Snapshot; readonly after: Snapshot }> {
  await unpack(await readFile(join(GOLDEN, name, 'directory.br')), directory)
  const content = brotliDecompressSync(await readFile(join(GOLDEN, name, 'content.br')))
  return JSON.parse(content.toString()) as { before: Snapshot; after: Snapshot }
}

describe.each(names)('the golden directory %s', (name) => {
  test.each([
    ['as it is', false],
    ['without its local state', true],
  ])(
    '%s holds what it held, its queries go on, and it can be opened again',
    { timeout: 120_000 },
    async (_, isBare) => {
      const { before, after } = await restore(name)
      if (isBare) await rm(join(directory, 'state'), { recursive: true })
      let millrace = await open()
      await millrace.untilIdle()
      expect(await snapshotOf(millrace)).toEqual(before)
      await goOn(millrace)
      expect(await snapshotOf(millrace)).toEqual(after)
      await millrace.close()
      millrace = await open()
      expect(await snapshotOf(millrace)).toEqual(after)
      await millrace.close()
      expect(failures).toEqual([])
    },
  )

  test('is small', async () => {
    expect((await readFile(join(GOLDEN, name, 'directory.br'))).length).toBeLessThan(200 * 1024)
  })
})

describe('another version', () => {
  test('of the checkpoint is refused by its number, and nothing is changed', async () => {
    await restore(newest)
    for (const slot of CHECKPOINT_FILES) await withCheckpointVersion(join(directory, slot), 3)
    const files = await readAll(directory)
    await expect(open()).rejects.toMatchObject({
      code: 'LOG_NEWER_VERSION',
      message: expect.stringMatching(
        /checkpoint\.[01] has version 3; this version of Millrace reads 1 and 2\./,
      ) as string,
    })
    expect(await readAll(directory)).toEqual(files)
  })

  const definition = { topic: '_millrace-definitions', key: 'type/OTHER' }
  test.each([
    [
      'of a definition',
      definition.topic,
      definition.key,
      { version: 2, kind: 'type', name: 'OTHER' },
      'DEFINITION_UNREADABLE',
      /version 2; this version reads 1/,
    ],
    [
      'of a definition, and no definition at all',
      definition.topic,
      definition.key,
      'oops',
      'DEFINITION_UNREADABLE',
      /type\/OTHER/,
    ],
    [
      'of a schema',
      '_millrace-schemas',
      '{"subject":"x","version":1}',
      { form: 2 },
      'SCHEMA_UNREADABLE',
      /form 2; this version reads 1/,
    ],
  ])('%s is refused by its number', async (_, topic, key, value, code, message) => {
    await restore(newest)
    await append(topic, key, typeof value === 'string' ? value : JSON.stringify(value))
    await expect(open()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string })
  })

  test('of a plan is refused by its number', async () => {
    await restore(newest)
    const [key, stored] = await definitionOf('query/CTAS_TOTALS_3')
    await append(
      definition.topic,
      key,
      stored
        .replace(/\\"version\\":1/, String.raw`\"version\":9`)
        .replace('"plan":{"version":1', '"plan":{"version":9'),
    )
    await expect(open()).rejects.toMatchObject({
      message: expect.stringMatching(/version 9; this version reads 1/) as string,
    })
  })

  test('of local state is rebuilt from the changelogs', { timeout: 60_000 }, async () => {
    const { before } = await restore(newest)
    const level = new Level<Buffer, Uint8Array>(join(directory, 'state'), {
      keyEncoding: 'buffer',
      valueEncoding: 'view',
    })
    let changed = 0
    for await (const [bytes, value] of level.iterator()) {
      const key = bytes.toString('latin1')
      if (!/^[ct]/.test(key)) continue
      const record = decodeRecord<CommitRecord>(key, value)!
      await level.put(bytes, encodeRecord(key, Object.assign(record, { layout: STATE_LAYOUT + 1 })))
      changed++
    }
    await level.close()
    expect(changed).toBeGreaterThan(5)
    const millrace = await open()
    await millrace.untilIdle()
    expect(await snapshotOf(millrace)).toEqual(before)
    await millrace.close()
  })
})

async function withCheckpointVersion(path: string, version: number): Promise<void> {
  if (!existsSync(path)) return
  const slot = await readFile(path)
  const end = 20 + slot.readUInt32BE(4)
  const body = Buffer.from(
    slot
      .subarray(20, end)
      .toString()
      .replace(/"version":\d+/, `"version":${version}`),
  )
  const header = Buffer.from(slot.subarray(0, 20))
  header.writeUInt32BE(body.length, 4)
  header.writeUInt32BE(crc32c(body, crc32c(header.subarray(0, 16))), 16)
  await writeFile(path, Buffer.concat([header, body]))
}

/** Files by path, without the lock. */
async function readAll(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'lock') continue
    const path = join(entry.parentPath, entry.name)
    files[path] = (await readFile(path)).toString('base64')
  }
  return files
}

const openBare = () => openLog({ directory, fileSystem: nodeFileSystem, clock: systemClock })

async function append(topic: string, key: string, value: string): Promise<void> {
  const log = await openBare()
  const writer = new RecordBatchWriter()
  const [k, v] = [Buffer.from(key), Buffer.from(value)]
  writer.append(0, k, 0, k.length, v, 0, v.length, null)
  const owner = await log.claim('definitions')
  await log.commit({ owner, appends: [{ topic, partition: 0, batches: writer.finish() }], offsets: [] })
  await log.close()
}

/** The newest record of a definition. */
async function definitionOf(wanted: string): Promise<readonly [key: string, value: string]> {
  const millrace = await open()
  let found: readonly [string, string] | null = null
  for await (const { key, value } of millrace.consume('_millrace-definitions', { from: 'beginning' })) {
    if (value !== null && Buffer.from(key!).toString() === wanted)
      found = [wanted, Buffer.from(value).toString()]
  }
  await millrace.close()
  if (found === null) throw new Error(`There is no definition ${wanted}.`)
  return found
}
