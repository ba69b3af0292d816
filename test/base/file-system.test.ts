import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fc, test as propertyTest } from '@fast-check/vitest'
import { afterEach, describe, expect, test } from 'vitest'
import { type FileSystem, readFully, writeFully } from '../../src/base/file-system.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import { SimulatedFileSystem } from './simulated-file-system.ts'

const kinds: [string, () => Promise<{ files: FileSystem; root: string }>][] = [
  ['memory', async () => ({ files: new MemoryFileSystem(), root: '/root' })],
  ['simulated', async () => ({ files: new SimulatedFileSystem(), root: '/root' })],
  ['node', async () => ({ files: nodeFileSystem, root: await mkdtemp(join(tmpdir(), 'millrace-files-')) })],
]

describe.each(kinds)('%s files', (kind, place) => {
  const roots: string[] = []
  async function start(): Promise<{ files: FileSystem; root: string }> {
    const made = await place()
    await made.files.makeDirectory(made.root)
    roots.push(made.root)
    return made
  }
  afterEach(async () => {
    if (kind === 'node') for (const root of roots.splice(0)) await rm(root, { recursive: true })
  })

  propertyTest.prop(
    [
      fc.array(
        fc.oneof(
          fc.record({
            at: fc.oneof(fc.nat(5000), fc.nat(600_000)),
            size: fc.oneof(fc.nat(3000), fc.nat(300_000)),
            fill: fc.integer({ min: 1, max: 255 }),
          }),
          fc.record({ cut: fc.nat(600_000) }),
        ),
        { maxLength: 8 },
      ),
    ],
    { numRuns: 20 },
  )('hold what was written, with zeros between', async (steps) => {
    const { files, root } = await start()
    const file = await files.open(join(root, 'f'), 'create')
    const model = new Uint8Array(1_000_000)
    let length = 0
    for (const step of steps) {
      if ('cut' in step) {
        await file.truncate(step.cut)
        model.fill(0, step.cut)
        length = step.cut
      } else {
        const bytes = new Uint8Array(step.size).fill(step.fill)
        if (bytes.length === 0) continue
        await writeFully(file, bytes, step.at)
        model.set(bytes, step.at)
        length = Math.max(length, step.at + step.size)
      }
    }
    expect(await file.size()).toBe(length)
    const found = new Uint8Array(length + 10)
    expect(await readFully(file, found, 0)).toBe(length)
    expect(Buffer.compare(found.subarray(0, length), model.subarray(0, length))).toBe(0)
    await file.close()
  })

  test('names appear, move and go', async () => {
    const { files, root } = await start()
    await files.makeDirectory(join(root, 'a', 'b'))
    for (const name of ['z', 'y']) await (await files.open(join(root, 'a', name), 'create')).close()
    expect(await files.list(join(root, 'a'))).toEqual(['b', 'y', 'z'])
    await files.rename(join(root, 'a', 'z'), join(root, 'a', 'x'))
    await files.removeFile(join(root, 'a', 'y'))
    await files.syncDirectory(join(root, 'a'))
    expect(await files.list(join(root, 'a'))).toEqual(['b', 'x'])
    expect(await files.exists(join(root, 'a', 'b'))).toBe(true)
    expect(await files.exists(join(root, 'a', 'y'))).toBe(false)
    await files.removeTree(join(root, 'a'))
    await files.removeTree(join(root, 'a'))
    expect(await files.exists(join(root, 'a'))).toBe(false)
  })

  test('what is missing says ENOENT', async () => {
    const { files, root } = await start()
    for (const attempt of [
      () => files.open(join(root, 'no'), 'read'),
      () => files.open(join(root, 'no'), 'write'),
      () => files.open(join(root, 'no', 'f'), 'create'),
      () => files.list(join(root, 'no')),
      () => files.removeFile(join(root, 'no')),
      () => files.syncDirectory(join(root, 'no')),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'ENOENT' })
    }
  })

  test('a lock file with other content is a lock', async () => {
    const { files, root } = await start()
    const path = join(root, 'lock')
    const file = await files.open(path, 'create')
    await writeFully(file, new TextEncoder().encode('not what a lock looks like '.repeat(400)), 0)
    await file.close()
    const held = await files.lock(path)
    expect(held).not.toBeNull()
    expect(await files.lock(path)).toBeNull()
    await held!.release()
  })

  test('a lock is held once until it is released', async () => {
    const { files, root } = await start()
    const path = join(root, 'lock')
    const held = await files.lock(path)
    expect(held).not.toBeNull()
    expect(await files.lock(path)).toBeNull()
    await held!.release()
    await held!.release()
    const again = await files.lock(path)
    expect(again).not.toBeNull()
    await again!.release()
    expect(await files.freeBytes(root)).toBeGreaterThan(0)
  })
})

test('of a file that was replaced by renaming, a power cut leaves the old or the new one', async () => {
  const found = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const disk = new SimulatedFileSystem()
    for (const [name, text] of [
      ['/a', 'old'],
      ['/b', 'new'],
    ] as const) {
      const file = await disk.open(name, 'create')
      await file.write(Buffer.from(text), 0)
      await file.sync()
      if (name === '/a') await disk.syncDirectory('/')
    }
    await disk.rename('/b', '/a')
    found.add(Buffer.from(disk.afterPowerCut(seededRandom(seed)).bytesOf('/a')).toString())
  }
  expect([...found].sort()).toEqual(['new', 'old'])
})
