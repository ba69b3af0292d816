import { expect, test } from 'vitest'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { batchOf, values } from './log-reading.ts'

/* Damage found by the fault battery: a header says something else, and its batch hides or moves. */

const opened = (disk: SimulatedFileSystem): Promise<Log> => openLog({ directory: '/data', fileSystem: disk })

/** A topic of three batches with three records each, closed; and what changes one byte of its segment. */
async function threeBatches(): Promise<{ damaged: (batch: number, at: number, to: number) => Promise<Log> }> {
  const disk = new SimulatedFileSystem()
  const log = await opened(disk)
  await log.createTopic('t', { partitions: 1 })
  const owner = await log.claim('w')
  const batches = [batchOf('a', 'b', 'c'), batchOf('d', 'e', 'f'), batchOf('g', 'h', 'i')]
  for (const bytes of batches) {
    await log.commit({ owner, appends: [{ topic: 't', partition: 0, batches: bytes }], offsets: [] })
  }
  await log.close()
  const length = batches[0]!.length
  return {
    damaged: (batch, at, to) => {
      const copy = disk.clone()
      copy.bytesOf(copy.paths().find((path) => path.endsWith('.log'))!)[batch * length + at] = to
      return opened(copy)
    },
  }
}

const CORRUPT = {
  code: 'LOG_CORRUPT',
  message: expect.stringMatching(/Topic t, partition 0: .* \(byte \d+ of \S+\/0{20}\.log\)/) as string,
}
const BASE_OFFSET = 7
const LAST_OFFSET_DELTA = 26
const MAX_TIMESTAMP = 42

test.each([
  ['the first batch', 0, 1],
  ['a batch, raised', 1, 5],
  ['a batch, lowered', 1, 2],
  ['the last batch, so that it seems read already', 2, 0],
])('another base offset of %s is damage', async (_, batch, to) => {
  const log = await (await threeBatches()).damaged(batch, BASE_OFFSET, to)
  await expect(values(log, 't')).rejects.toMatchObject(CORRUPT)
  await expect(values(log, 't', 0, 7)).rejects.toMatchObject(CORRUPT)
  await log.close()
})

test.each([0, 1, 2])('batch %d with a lower last offset does not hide its records', async (batch) => {
  const log = await (await threeBatches()).damaged(batch, LAST_OFFSET_DELTA, 0)
  await expect(values(log, 't', 0, batch * 3 + 1)).rejects.toMatchObject(CORRUPT)
  await log.close()
})

test('a search by time does not pass over a batch whose time is damaged', async () => {
  const { damaged } = await threeBatches()
  for (const to of [0, 255]) {
    const log = await damaged(1, MAX_TIMESTAMP, to)
    await expect(log.offsetForTime('t', 0, 1001)).rejects.toMatchObject(CORRUPT)
    expect(await log.offsetForTime('t', 0, 1000)).toBe(0)
    // What is whole stays readable.
    expect(await values(log, 't', 0, 6)).toEqual(['g', 'h', 'i'])
    await log.close()
  }
})

test('a batch that does not match its checksum is refused before anything is written', async () => {
  const log = await opened(new SimulatedFileSystem())
  await log.createTopic('t', { partitions: 1 })
  const owner = await log.claim('w')
  for (const at of [21, 40, 65]) {
    const batches = batchOf('some value')
    batches[at]! ^= 1
    const group = { owner, appends: [{ topic: 't', partition: 0, batches }], offsets: [] }
    await expect(log.commit(group)).rejects.toMatchObject({
      code: 'LOG_INVALID_BATCH',
      message: 'A batch given for topic t, partition 0, at byte 0 does not match its checksum.',
    })
  }
  expect(log.ends('t', 0).highWatermark).toBe(0)
  await log.close()
})
