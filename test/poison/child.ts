/**
 * One life of the process under test: `child.ts DIRECTORY LIFE`, where LIFE is a {@link Life} as JSON. Runs the
 * pipeline over what the directory's topics hold, to their end, unless it is killed before. Prints the ids of the
 * queries by the names of what they write.
 */
import { onCrashPoint } from '../../src/base/crash-points.ts'
import { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import type { Life } from './life.ts'
import { PIPELINE, runPipeline } from './pipeline.ts'

const [directory, text] = process.argv.slice(2) as [string, string]
const life = JSON.parse(text) as Life
let passes = 0
onCrashPoint((point) => {
  if (point === life.kill?.point && ++passes === life.kill.pass) process.kill(process.pid, 'SIGKILL')
})
// Small slices: many cycles, and kills between records of one topic.
const read: (this: EmbeddedLog, ...args: Parameters<EmbeddedLog['read']>) => ReturnType<EmbeddedLog['read']> =
  Reflect.get(EmbeddedLog.prototype, 'read')
EmbeddedLog.prototype.read = function (topic, partition, from, bytesMax, isolation, buffer) {
  return read.call(this, topic, partition, from, Math.min(bytesMax, life.sliceBytes), isolation, buffer)
}
const failures: string[] = []
const millrace = await Millrace.open({
  dataDirectory: directory,
  commitIntervalMs: 2,
  onProblem: ({ kind, queryId, detail }) => {
    if (kind === 'query-failed') failures.push(`${queryId}: ${detail}`)
  },
})
await runPipeline(millrace, PIPELINE)
await millrace.close()
if (failures.length > 0) throw new Error(failures.join('\n'))
