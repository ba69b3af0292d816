/**
 * A process that commits until it is killed: `commit-until-killed.ts DIRECTORY POINT PASS` kills itself at the
 * PASS-th time it comes through POINT. Prints one byte per acknowledged commit.
 */
import { writeSync } from 'node:fs'
import { type CrashPoint, onCrashPoint } from '../../src/base/crash-points.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { RecordBatchWriter } from '../../src/log/record-batch.ts'
import { batchOf } from './log-reading.ts'

const [directory, point, pass] = process.argv.slice(2) as [string, CrashPoint, string]
let left = Number(pass)
onCrashPoint((at) => {
  if (at === point && --left === 0) process.kill(process.pid, 'SIGKILL')
})

const log = await openLog({ directory, journalBytesMax: 1 << 20 })
for (const name of ['a', 'b']) {
  if (log.topic(name) === undefined) {
    await log.createTopic(name, { partitions: 1, config: { 'segment.bytes': '400000' } })
  }
}
if (log.topic('c') === undefined) {
  const config = { 'cleanup.policy': 'compact', 'segment.bytes': '100000' }
  await log.createTopic('c', { partitions: 1, config })
}
const owner = await log.claim('w')
// The log's own timers keep no process alive.
setInterval(() => undefined, 1000)
const keyed = new RecordBatchWriter()
for (let n = log.ends('a', 0).highWatermark; ; n++) {
  const pad = ' '.repeat(n % 3 === 0 ? 150_000 : 20_000)
  const key = Buffer.from(`k${n % 5}`)
  const value = Buffer.from(`${n}${pad.slice(0, 20_000)}`)
  keyed.append(1000, key, 0, key.length, value, 0, value.length)
  const outcome = await log.commit({
    owner,
    appends: [
      { topic: 'a', partition: 0, batches: batchOf(`${n}${pad}`) },
      { topic: 'b', partition: 0, batches: batchOf(`${n}${pad.slice(0, 20_000)}`) },
      { topic: 'c', partition: 0, batches: keyed.finish() },
    ],
    offsets: [{ group: 'g', offsets: [{ topic: 'a', partition: 0, offset: n + 1 }] }],
  })
  if (outcome.kind !== 'committed') throw new Error(outcome.kind)
  writeSync(1, '.')
  if (n % 8 === 7) await (log as EmbeddedLog).maintain()
}
