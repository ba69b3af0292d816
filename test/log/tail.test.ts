import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { openLog } from '../../src/log/open-log.ts'
import { countingReads } from '../base/watched-files.ts'
import { batchOf, values } from './log-reading.ts'

/* Who reads up to the end again and again gets what was appended from memory. */

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 3_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 3_000, max: 40_000 }) },
  fc.integer({ min: 40_000, max: 200_000 }),
)

test.prop([fc.array(fc.record({ size: sizes, reads: fc.boolean(), behind: fc.nat(3) }), { maxLength: 60 })], {
  numRuns: 60,
})('readers at the end, and those behind, get what was written, over segments of any size', async (steps) => {
  const log = await openLog({ directory: '/data', fileSystem: new MemoryFileSystem() })
  await log.createTopic('t', { partitions: 1, config: { 'segment.bytes': '100000' } })
  const owner = await log.claim('w')
  const written: string[] = []
  await values(log, 't')
  for (const [n, { size, reads, behind }] of steps.entries()) {
    const value = `${n}`.padEnd(size, '.')
    const batches = batchOf(value)
    await log.commit({ owner, appends: [{ topic: 't', partition: 0, batches }], offsets: [] })
    batches.fill(0) // It is the writer's again.
    written.push(value)
    if (!reads) continue
    const from = Math.max(0, written.length - 1 - behind)
    expect(await values(log, 't', 0, from)).toEqual(written.slice(from))
  }
  expect(await values(log, 't')).toEqual(written)
  await log.close()
})

test('the file system is not asked for what has just been written', async () => {
  const { fileSystem, read } = countingReads(new MemoryFileSystem())
  const log = await openLog({ directory: '/data', fileSystem })
  await log.createTopic('t', { partitions: 1 })
  const owner = await log.claim('w')
  const append = async (value: string): Promise<unknown> =>
    log.commit({ owner, appends: [{ topic: 't', partition: 0, batches: batchOf(value) }], offsets: [] })
  await append('first')
  expect(await values(log, 't')).toEqual(['first'])
  read.times = 0
  for (let n = 1; n <= 100; n++) {
    await append(`value ${n}`)
    expect(await values(log, 't', 0, n)).toEqual([`value ${n}`])
  }
  // But where it begins anew.
  expect(read.times).toBeLessThan(5)
  expect(await values(log, 't', 0, 50)).toHaveLength(51)
  await log.close()
})
