/**
 * One life of the process under test: `child.ts DIRECTORY LIFE`, where LIFE is a {@link Life} as JSON. Opens
 * the data directory, runs the pipeline, waits until all input is worked off, ends the input, closes,
 * prints how often it came through each crash point, and ends with 0; unless it is killed before.
 *
 * Prints `r` when it begins to open the directory.
 */
import { writeSync } from 'node:fs'
import { CRASH_POINTS, onCrashPoint } from '../../src/base/crash-points.ts'
import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { Journal } from '../../src/log/journal.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { breakCommits } from './breakage.ts'
import { NOW_MS } from './input.ts'
import type { Life } from './life.ts'
import { INSERTS, pipeline } from './pipeline.ts'

/** Durations of the engine pass so many times faster than they do, so that checkpoints come several times in a life. */
const HASTE = 15

const [directory, text] = process.argv.slice(2) as [string, string]
const life = JSON.parse(text) as Life

const passes = Object.fromEntries(CRASH_POINTS.map((point) => [point, 0]))
onCrashPoint((point) => {
  passes[point]!++
  if (point === life.kill?.point && passes[point] === life.kill.pass) process.kill(process.pid, 'SIGKILL')
})

// Slices small enough for many cycles, a journal small enough to be checkpointed.
const read: (this: EmbeddedLog, ...args: Parameters<EmbeddedLog['read']>) => ReturnType<EmbeddedLog['read']> =
  Reflect.get(EmbeddedLog.prototype, 'read')
EmbeddedLog.prototype.read = function (topic, partition, from, bytesMax, isolation, buffer) {
  return read.call(this, topic, partition, from, Math.min(bytesMax, life.sliceBytes), isolation, buffer)
}
const openJournal = Journal.create.bind(Journal)
Journal.create = (fileSystem, path, _bytesMax, start) => openJournal(fileSystem, path, 1 << 20, start)
if (life.breakage !== null) breakCommits(life.breakage)

const clock: Clock = {
  nowMs: () => NOW_MS,
  monotonicMs: () => performance.now() * HASTE,
  after: (delayMs, fire) => systemClock.after(delayMs / HASTE, fire),
  turn: () => systemClock.turn(),
}

writeSync(1, 'r')
const millrace = await Millrace.open({
  dataDirectory: directory,
  clock,
  random: seededRandom(life.seed),
  commitIntervalMs: life.commitIntervalMs * HASTE,
  transactionBytesMax: life.transactionBytesMax,
  onProblem: (problem) => {
    if (problem.kind === 'query-failed') process.stderr.write(`${problem.queryId}: ${problem.detail}\n`)
  },
})
await millrace.sql(pipeline())
const known = new Set(millrace.queries().map(({ statement }) => statement))
for (const insert of INSERTS) if (!known.has(insert)) await millrace.sql(insert)
await millrace.untilIdle()
await millrace.endOfInput()
await millrace.untilIdle()
await millrace.close()
writeSync(1, JSON.stringify(passes))
