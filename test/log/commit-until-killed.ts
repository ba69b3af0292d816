/**
 * A process that commits until it is killed: `commit-until-killed.ts DIRECTORY POINT PASS` kills itself at the
 * PASS-th time it comes through POINT. Prints one byte per acknowledged commit.
 */
import { writeSync } from 'node:fs'
import { type CrashPoint, onCrashPoint } from '../../src/base/crash-points.ts'
import { openLog } from '../../src/log/open-log.ts'
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
const owner = await log.claim('w')
for (let n = log.ends('a', 0).highWatermark; ; n++) {
  const pad = ' '.repeat(n % 3 === 0 ? 150_000 : 20_000)
  const outcome = await log.commit({
    owner,
    appends: [
      { topic: 'a', partition: 0, batches: batchOf(`${n}${pad}`) },
      { topic: 'b', partition: 0, batches: batchOf(`${n}${pad.slice(0, 20_000)}`) },
    ],
    offsets: [{ group: 'g', offsets: [{ topic: 'a', partition: 0, offset: n + 1 }] }],
  })
  if (outcome.kind !== 'committed') throw new Error(outcome.kind)
  writeSync(1, '.')
}
