import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { LevelStorage } from '../../src/state/level-storage.ts'
import { verifyTables } from '../../src/state/level-tables.ts'
import { files, Fixture } from './state-fixture.ts'

/* LevelDB trusts its tables: for a damaged block it gives anything, or ends the process. */

const CACHE_BYTES = 8 << 20
const FOOTER_BYTES = 48
const directories: string[] = []

function newFolder(): string {
  const made = mkdtempSync(join(tmpdir(), 'millrace-level-tables-'))
  directories.push(made)
  return join(made, 'state')
}

afterEach(() => {
  for (const made of directories.splice(0)) rmSync(made, { recursive: true, force: true })
})

function tablesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ldb'))
    .map((name) => join(folder, name))
}

/** A closed LevelDB of several tables. */
async function withTables(valueAt: (i: number) => Uint8Array): Promise<string> {
  const folder = newFolder()
  const storage = await LevelStorage.open(folder, CACHE_BYTES)
  for (let round = 0; round < 3; round++) {
    const writes = Array.from({ length: 2000 }, (_, i) => ({ key: `key ${round} ${i}`, value: valueAt(i) }))
    await storage.write(writes)
  }
  await storage.close()
  expect(tablesIn(folder).length).toBeGreaterThan(1)
  return folder
}

const random = seededRandom(7)
const noise = Uint8Array.from({ length: 5000 }, () => random.below(256))

test.each([
  ['that pack well', (i: number) => new Uint8Array(3000).fill(i)],
  ['that do not', (i: number) => noise.slice(i % 2000, (i % 2000) + 3000)],
] as const)(
  'one flipped bit in a table of values %s is found, with its file and byte',
  async (_, valueAt) => {
    const folder = await withTables(valueAt)
    await verifyTables(folder)
    const tables = tablesIn(folder)
    for (let n = 0; n < 60; n++) {
      const path = tables[random.below(tables.length)]!
      const bytes = readFileSync(path)
      const end = bytes.length - FOOTER_BYTES
      // Every third where filter and index are, or their handles in the footer.
      const at = n % 3 === 0 ? end + 2 - random.below(Math.min(end, 300)) : random.below(end)
      const bit = 1 << random.below(8)
      bytes[at]! ^= bit
      writeFileSync(path, bytes)
      const damaged = {
        code: 'STATE_TABLE_DAMAGED',
        message: expect.stringMatching(/^The block at byte \d+ of \S+\.ldb is damaged\.$/) as string,
      }
      await expect(verifyTables(folder), `bit ${bit} of byte ${at} of ${path}`).rejects.toMatchObject(damaged)
      await expect(LevelStorage.open(folder, CACHE_BYTES)).rejects.toMatchObject(damaged)
      bytes[at]! ^= bit
      writeFileSync(path, bytes)
    }
    await verifyTables(folder)
  },
)

test('a table that was not finished is none, one that is cut off is refused by LevelDB', async () => {
  const folder = await withTables((i) => noise.slice(i % 2000, (i % 2000) + 3000))
  const [path] = tablesIn(folder)
  const bytes = readFileSync(path!)
  writeFileSync(join(folder, '999999.ldb'), bytes.subarray(0, bytes.length - 20))
  const storage = await LevelStorage.open(folder, CACHE_BYTES)
  await storage.close()
  writeFileSync(path!, bytes.subarray(0, bytes.length - 20))
  await verifyTables(folder)
  await expect(
    LevelStorage.open(folder, CACHE_BYTES).then(async (opened) => {
      for await (const _ of opened.iterate('', '\xff'));
    }),
  ).rejects.toThrow()
})

test('without the file that says which tables count there is no database', async () => {
  const folder = await withTables((i) => noise.slice(i % 2000, (i % 2000) + 3000))
  rmSync(join(folder, 'CURRENT'))
  await expect(LevelStorage.open(folder, CACHE_BYTES)).rejects.toMatchObject({
    code: 'STATE_TABLE_DAMAGED',
    message: expect.stringContaining('the file CURRENT is missing') as string,
  })
})

test('state over a damaged table comes from its changelogs, and the table is named', async () => {
  const folder = newFolder()
  const f = new Fixture({ directory: folder, fileSystem: files })
  await f.start()
  for (let i = 0; i < 40; i++) {
    await f.cycle(600, 20_000)
    await f.worker.checkpoint()
  }
  await f.worker.close()
  // What is in LevelDB's log goes into a table when it is opened.
  await f.start()
  await f.worker.close()
  const [path] = tablesIn(folder)
  const bytes = readFileSync(path!)
  bytes[Math.floor(bytes.length / 3)]! ^= 16
  writeFileSync(path!, bytes)
  await f.start()
  expect(f.worker.metrics.droppedReasons).toEqual([
    expect.stringMatching(/could not be opened: The block at byte \d+ of \S+\.ldb is damaged\./) as string,
  ])
  await f.expectState()
  await f.worker.close()
})
