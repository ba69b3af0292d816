/**
 * One life of the process under test: `child.ts DIRECTORY LIFE`, where LIFE is a {@link Life} as JSON. Opens
 * the data directory, runs the pipeline, waits until all input is worked off, ends the input, closes,
 * prints how often it came through each crash point, and ends with 0; unless it is killed before. What else
 * it prints: {@link SAYS}.
 */
import { writeSync } from 'node:fs'
import { CRASH_POINTS, onCrashPoint, type CrashPoint } from '../../src/base/crash-points.ts'
import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { Journal } from '../../src/log/journal.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { sendAndTell } from './acknowledgements.ts'
import { breakBuild, syncsLateByMs } from './breakage.ts'
import { FLEET_PARTITIONS, FLEET_PIPELINE, FLEET_QUERIES, READINGS } from './fleet-pipeline.ts'
import { NOW_MS } from './input.ts'
import { type Life, RANDOM_TIME, SAYS } from './life.ts'
import { INSERTS, pipeline } from './pipeline.ts'
import { RecordedFileSystem } from './recorded-file-system.ts'

/**
 * The share of a processor this process has had so far. What happens at times happens the more seldom the less
 * it is, so that a life does the same on a busy machine.
 */
const pace = ((): number => {
  const { user, system } = process.cpuUsage()
  return Math.min(1, Math.max(0.05, (user + system) / 1000 / performance.now()))
})()

/** Durations of the engine pass so many times faster than they do, so that checkpoints come several times in a life. */
const HASTE = 15 * pace

const [directory, text] = process.argv.slice(2) as [string, string]
const life = JSON.parse(text) as Life

/** How often cleaner and retention look for work. */
const MAINTENANCE_EVERY_MS = 120 / pace
/** Between records of the producer beside the pipeline. */
const SEND_EVERY_MS = 2 / pace
/** Crash points that come when cleaner and retention look for work; who is to die there need not wait long. */
const OF_MAINTENANCE: ReadonlySet<CrashPoint> = new Set([
  'checkpoint-before-write',
  'checkpoint-after-write',
  'cleaner-before-swap',
  'cleaner-after-swap',
  'segments-retired',
])
/** On the way to where it is armed, a life takes so much larger steps. */
const HURRY = 6

function say(word: keyof typeof SAYS, text = ''): void {
  const line = Buffer.from(`${SAYS[word]} ${text}\n`)
  for (let done = 0; done < line.length;) done += writeSync(1, line, done)
}

function die(place: string): void {
  say('killed', place)
  process.kill(process.pid, 'SIGKILL')
}

let isArmed = false
function arm(): void {
  isArmed = true
  say('armed')
  if (life.kill !== null) setTimeout(() => die(RANDOM_TIME), life.patienceMs / pace).unref()
}

const passes = Object.fromEntries(CRASH_POINTS.map((point) => [point, 0]))
onCrashPoint((point) => {
  if (!isArmed) return
  passes[point]!++
  if (point === life.kill?.point && passes[point] === life.kill.pass) die(point)
})

// Slices small enough for many cycles, a journal small enough to be checkpointed.
const read: (this: EmbeddedLog, ...args: Parameters<EmbeddedLog['read']>) => ReturnType<EmbeddedLog['read']> =
  Reflect.get(EmbeddedLog.prototype, 'read')
EmbeddedLog.prototype.read = function (topic, partition, from, bytesMax, isolation, buffer) {
  const sliceBytes = Math.min(bytesMax, sliceBytesAt(this, topic, partition, from))
  return read.call(this, topic, partition, from, sliceBytes, isolation, buffer)
}
/** Queries that are ahead of where the life is armed take small steps, those behind it large ones. */
function sliceBytesAt(log: EmbeddedLog, topic: string, partition: number, from: number): number {
  if (isArmed || life.armAtShare === null) return life.sliceBytes
  if (topic !== READINGS) return life.sliceBytes * HURRY
  return from < log.ends(topic, partition).lastStable * life.armAtShare ? life.sliceBytes * HURRY : 1
}

const commit: (
  this: EmbeddedLog,
  ...args: Parameters<EmbeddedLog['commit']>
) => ReturnType<EmbeddedLog['commit']> = Reflect.get(EmbeddedLog.prototype, 'commit')
EmbeddedLog.prototype.commit = async function (group) {
  const outcome = await commit.call(this, group)
  if (!isArmed && committedShare(this) >= life.armAtShare!) arm()
  return outcome
}
/** Of the readings, by the query that is furthest behind. */
function committedShare(log: EmbeddedLog): number {
  const committed = log
    .groups()
    .map((group) => log.committedOffsets(group).filter(({ topic }) => topic === READINGS))
    .filter((offsets) => offsets.length === FLEET_PARTITIONS)
    .map((offsets) => offsets.reduce((sum, { offset }) => sum + offset, 0))
  if (committed.length < FLEET_QUERIES) return 0
  let total = 0
  for (let p = 0; p < FLEET_PARTITIONS; p++) total += log.ends(READINGS, p).lastStable
  return Math.min(...committed) / total
}

const openJournal = Journal.create.bind(Journal)
Journal.create = (fileSystem, path, _bytesMax, start) => openJournal(fileSystem, path, 1 << 20, start)
if (life.breakage !== null) breakBuild(life.breakage)

const clock: Clock = {
  nowMs: () => NOW_MS,
  monotonicMs: () => performance.now() * HASTE,
  after: (delayMs, fire) => systemClock.after(delayMs / HASTE, fire),
  turn: () => systemClock.turn(),
}

if (life.armAtShare === null) arm()
const millrace = await Millrace.open({
  dataDirectory: directory,
  clock,
  random: seededRandom(life.seed),
  commitIntervalMs: (life.commitIntervalMs / pace) * HASTE,
  transactionBytesMax: life.transactionBytesMax,
  ...(life.record === null
    ? {}
    : {
        fileSystem: new RecordedFileSystem(
          life.record.folder,
          life.record.count,
          syncsLateByMs(life.breakage) / pace,
        ),
      }),
  onProblem: (problem) => {
    if (problem.kind === 'query-failed') process.stderr.write(`${problem.queryId}: ${problem.detail}\n`)
  },
})
const log = millrace.log as EmbeddedLog

let isClosing = false
const acknowledging =
  life.acknowledges === null
    ? null
    : sendAndTell(
        log,
        life.acknowledges,
        (told) => say('acknowledged', told),
        () => isClosing,
        SEND_EVERY_MS,
      )
// What the cleaner makes durable would hide what a broken build does not.
const maintaining = life.breakage === null ? maintain() : null

if (!life.isDefined) {
  await millrace.sql(life.pipeline === 'fleet' ? FLEET_PIPELINE : pipeline())
  const known = new Set(millrace.queries().map(({ statement }) => statement))
  if (life.pipeline === 'wide')
    for (const insert of INSERTS) if (!known.has(insert)) await millrace.sql(insert)
  say('defined')
}
await millrace.untilIdle()
await millrace.endOfInput()
await millrace.untilIdle()
isClosing = true
await acknowledging
await maintaining
await millrace.close()
say('passes', JSON.stringify(passes))

/** Changelogs roll and are cleaned within a life. */
async function maintain(): Promise<void> {
  while (!isClosing) {
    for (const { name, config } of log.topics()) {
      if (!name.endsWith('-changelog') || 'segment.bytes' in config) continue
      await log.alterTopic(name, { 'segment.bytes': '40000', 'min.cleanable.dirty.ratio': '0.3' })
    }
    await log.maintain()
    const isWaited = isArmed && life.kill !== null && OF_MAINTENANCE.has(life.kill.point)
    await new Promise<void>((resolve) => setTimeout(resolve, isWaited ? 1 : MAINTENANCE_EVERY_MS))
  }
}
