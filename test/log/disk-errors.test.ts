import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../../src/base/errors.ts'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { type FileOperation, SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { batchOf, values } from './log-reading.ts'

const opened = (disk: SimulatedFileSystem): Promise<Log> =>
  openLog({ directory: '/data', fileSystem: disk, journalBytesMax: 1 << 20 })

async function fresh(): Promise<{
  disk: SimulatedFileSystem
  log: Log
  append: (v: string) => Promise<string>
}> {
  const disk = new SimulatedFileSystem()
  const log = await opened(disk)
  await log.createTopic('t', { partitions: 1 })
  const owner = await log.claim('w')
  const append = async (value: string): Promise<string> =>
    (
      await log.commit({
        owner,
        appends: [{ topic: 't', partition: 0, batches: batchOf(value) }],
        offsets: [],
      })
    ).kind
  return { disk, log, append }
}

describe('opening on a disk that refuses', () => {
  const codes = ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'EACCES', 'EROFS']

  test.each(codes)('%s at any operation says what could not be opened and what to do', async (code) => {
    const { disk, log, append } = await fresh()
    await append('a')
    await log.close()
    let refused = 0
    for (let at = 0; ; at++) {
      const copy = disk.clone()
      let left = at
      let failed = false
      copy.fate = ({ kind }: FileOperation) => {
        if (left-- !== 0 || kind === 'read') return undefined
        failed = true
        return { code }
      }
      try {
        await (await opened(copy)).close()
      } catch (error) {
        expect(error, `operation ${at}`).toBeInstanceOf(StorageError)
        const { code: ours, message, hint } = error as StorageError
        expect(ours).toMatch(/^LOG_(DISK_FULL|OPEN_FAILED|SYNC_FAILED|CLOSED_AFTER_ERROR)$/)
        expect(message).toContain('/data')
        expect(hint, message).toMatch(/\w/)
        refused++
      }
      // Whatever happened, it has harmed nothing.
      copy.fate = () => undefined
      const again = await opened(copy.afterPowerCut(seededRandom(at)))
      expect(await values(again, 't')).toEqual(['a'])
      await again.close()
      if (left >= 0 && !failed) break
    }
    expect(refused).toBeGreaterThan(5)
  })

  test('the machine’s own errors name the file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
    const path = join(directory, 'f')
    await (await nodeFileSystem.open(path, 'create')).close()
    const file = await nodeFileSystem.open(path, 'read')
    await expect(file.write(new Uint8Array(1), 0)).rejects.toThrow(
      `EBADF: bad file descriptor, write '${path}'`,
    )
    await file.close()
    rmSync(directory, { recursive: true })
  })
})

describe('too many open files', () => {
  test('idle files make room for the one that is needed', async () => {
    const { disk, log, append } = await fresh()
    await log.createTopic('other', { partitions: 1 })
    expect(await append('a')).toBe('committed')
    // One segment may be open at a time.
    let isOpen = true
    disk.fate = ({ kind, path }) => {
      if (kind !== 'open' || !path.endsWith('.log')) return undefined
      isOpen = !isOpen
      return isOpen ? undefined : { code: 'EMFILE' }
    }
    const owner = await log.claim('w')
    const outcome = await log.commit({
      owner,
      appends: [{ topic: 'other', partition: 0, batches: batchOf('b') }],
      offsets: [],
    })
    expect(outcome.kind).toBe('committed')
    expect(log.health().state).toBe('open')
    disk.fate = () => undefined
    await log.close()
  })

  test('a commit in the journal waits until its segment can be opened, and the log says so', async () => {
    const { disk, log, append } = await fresh()
    disk.fate = ({ kind, path }) =>
      kind === 'open' && path.endsWith('.log') ? { code: 'EMFILE' } : undefined
    const waiting = append('a')
    await expect.poll(() => log.health().state).toBe('out of files')
    disk.fate = () => undefined
    expect(await waiting).toBe('committed')
    expect(log.health().state).toBe('open')
    expect(await values(log, 't')).toEqual(['a'])
    await log.close()
  })
})

test('space that came back is seen with the next commit', async () => {
  const { disk, log, append } = await fresh()
  disk.fate = ({ kind, path }) => (kind === 'write' && path.endsWith('.log') ? { code: 'EDQUOT' } : undefined)
  const waiting = append('a')
  await expect.poll(() => log.health().state).toBe('disk low')
  disk.fate = () => undefined
  expect(await waiting).toBe('committed')
  expect(log.health().state).toBe('open')
  await log.close()
})

test('a segment that cannot be read is not called damaged', async () => {
  const { disk, log, append } = await fresh()
  await append('a')
  disk.fate = ({ kind, path }) => (kind === 'read' && path.endsWith('.log') ? { code: 'EIO' } : undefined)
  await expect(values(log, 't')).rejects.toMatchObject({
    code: 'LOG_READ_FAILED',
    message: expect.stringMatching(/Topic t, partition 0: .*\.log could not be read: EIO/) as string,
  })
  disk.fate = () => undefined
  expect(await values(log, 't')).toEqual(['a'])
  await log.close()
})
