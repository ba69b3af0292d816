import { expect, test } from 'vitest'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { HealthNotes } from '../../src/cli/health-notes.ts'
import { Millrace } from '../../src/index.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { FakeTerminal } from '../cli/fake-terminal.ts'

/** A disk whose free space a test sets, and whose segments can be refused. */
class SmallDisk extends MemoryFileSystem {
  free = 1e9
  refusal: string | null = null

  override async freeBytes(): Promise<number> {
    return this.free
  }

  override async open(...args: Parameters<MemoryFileSystem['open']>) {
    const [path] = args
    if (this.refusal !== null && /\/topics\/.*\.log$/.test(path)) {
      throw Object.assign(new Error(`${this.refusal}: ${path}`), { code: this.refusal })
    }
    return super.open(...args)
  }
}

test('a log that lacks space says so, in the API, in SQL and on the command line, and says when it is over', async () => {
  const fileSystem = new SmallDisk()
  const millrace = await Millrace.open({ fileSystem })
  const terminal = new FakeTerminal()
  const told = new HealthNotes(millrace)
  const notes = async (): Promise<readonly string[]> => {
    const [result] = await millrace.sql('SHOW QUERIES;')
    return result?.kind === 'rows' ? (result.notes ?? []) : []
  }
  await millrace.createTopic('t', { partitions: 1 })
  expect(millrace.health().state).toBe('open')
  expect(await notes()).toEqual([])
  told.tell(terminal)
  expect(terminal.errors).toBe('')

  // Full, for the segment of the first record.
  fileSystem.refusal = 'ENOSPC'
  fileSystem.free = 5 << 20
  const waiting = millrace.produce('t', [{ value: 'a' }])
  await expect.poll(() => millrace.health().state).toBe('disk low')
  expect(await notes()).toEqual([
    expect.stringMatching(/^The log is disk low: A write found no space left for /),
  ])
  told.tell(terminal)
  told.tell(terminal)
  expect(terminal.errors).toMatch(/^warning: The log is disk low: A write found no space left for \S+\n$/)

  // Some space is back: what waited goes on by itself.
  fileSystem.refusal = null
  await waiting
  await expect.poll(() => millrace.health().detail).toMatch(/^5 MiB are left for /)
  fileSystem.free = 1e9
  await (millrace.log as EmbeddedLog).maintain()
  expect(millrace.health().state).toBe('open')
  told.tell(terminal)
  expect(terminal.errors).toContain('note: The log is open again: nothing waits any more.\n')
  await millrace.close()
})

test('a log that closed after an error of the disk says so, and what to do', async () => {
  const fileSystem = new SmallDisk()
  const millrace = await Millrace.open({ fileSystem })
  const terminal = new FakeTerminal()
  await millrace.createTopic('t', { partitions: 1 })
  fileSystem.refusal = 'EIO'
  await expect(millrace.produce('t', [{ value: 'a' }])).rejects.toMatchObject({
    code: 'LOG_CLOSED_AFTER_ERROR',
  })
  expect(millrace.health().state).toBe('closed after I/O error')
  new HealthNotes(millrace).tell(terminal)
  expect(terminal.errors).toMatch(
    /^error: The log is closed after I\/O error: EIO: .*\.log\n {2}hint: .*start again\.\n$/,
  )
  await millrace.close().catch(() => {})
})
