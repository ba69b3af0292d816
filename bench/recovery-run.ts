/**
 * A process to be killed, or the one after it: runs a workload over the data directory and prints, a line of
 * JSON each, how far it is and what happened for the first time.
 *
 *   node bench/recovery-run.ts DIRECTORY WORKLOAD COMMIT-MS
 */
import { onCrashPoint } from '../src/base/crash-points.ts'
import { Millrace } from '../src/index.ts'
import { TELEMETRY, workloadNamed } from './workloads.ts'

/** A line it prints. */
export type RecoveryEvent =
  | {
      readonly event: 'restoring'
      readonly task: number
      readonly tasks: number
      readonly done: number
      readonly total: number
    }
  | { readonly event: 'open'; readonly changelogRecords: number }
  | { readonly event: 'first-output' | 'idle' }
  | { readonly event: 'read'; readonly records: number }

if (import.meta.main) {
  const [directory, name, commitMs] = process.argv.slice(2)
  await run(directory!, name!, Number(commitMs))
}

async function run(directory: string, name: string, commitIntervalMs: number): Promise<void> {
  const { statement } = workloadNamed(name)
  const tell = (event: RecoveryEvent): void => console.log(JSON.stringify(event))
  // A query works as soon as the state of one of its tasks is there, while others are still being restored: the end
  // of its first commit is seen from inside.
  onCrashPoint((point) => {
    if (point !== 'cycle-after-commit') return
    onCrashPoint(null)
    tell({ event: 'first-output' })
  })
  const millrace = await Millrace.open({
    dataDirectory: directory,
    commitIntervalMs,
    onRestore: ({ task, tasks, recordsDone: done, recordsTotal: total }) =>
      tell({ event: 'restoring', task, tasks, done, total }),
  })
  const { log } = millrace
  const recordsIn = (topic: string): number => {
    const partitions = log.topic(topic)?.partitions ?? 0
    let records = 0
    for (let partition = 0; partition < partitions; partition++) {
      const { logStart, highWatermark } = log.ends(topic, partition)
      records += highWatermark - logStart
    }
    return records
  }
  const changelogs = log.topics().filter((topic) => topic.name.endsWith('-changelog'))
  tell({ event: 'open', changelogRecords: changelogs.reduce((sum, { name }) => sum + recordsIn(name), 0) })
  if (millrace.queries().length === 0) {
    await millrace.sql(TELEMETRY)
    await millrace.sql(statement)
  }
  const telling = setInterval(() => {
    tell({ event: 'read', records: millrace.queries().reduce((sum, q) => sum + q.counters.recordsIn, 0) })
  }, 20)
  await millrace.untilIdle()
  tell({ event: 'idle' })
  clearInterval(telling)
  await millrace.close()
}
