/**
 * One process over a real file system: commits a number to a topic of its own again and again and says on
 * stdout what became of each, one line of JSON. Its parent limits its files or takes its rights.
 *
 *   node real-disk-child.ts DIRECTORY TOPICS [UID]
 */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { MillraceError } from '../../src/base/errors.ts'
import { openLog } from '../../src/log/open-log.ts'
import { batchOf } from '../log/log-reading.ts'

const [directory, topics, uid] = process.argv.slice(2) as [string, string, string | undefined]
// Rights bind those who are not root.
if (uid !== undefined && process.getuid?.() === 0) {
  process.setgid!(Number(uid))
  process.setuid!(Number(uid))
}
const alive = setInterval(() => {}, 1000)
const say = (line: object): void => console.log(JSON.stringify(line))
try {
  const log = await openLog({ directory })
  const owner = await log.claim('w')
  for (let i = 0; i < Number(topics); i++) {
    const topic = `t${i}`
    if (log.topic(topic) === undefined) await log.createTopic(topic, { partitions: 1 })
    // From here on no directory can be made for a partition.
    if (uid !== undefined && i === Number(topics) - 1) chmodSync(join(directory, 'topics'), 0o500)
    const outcome = await log
      .commit({ owner, appends: [{ topic, partition: 0, batches: batchOf(String(i)) }], offsets: [] })
      .catch((error: unknown) => ({ kind: 'refused', error: String(error) }))
    say({
      i,
      ...('cause' in outcome ? { kind: outcome.kind, cause: String(outcome.cause) } : outcome),
      ...log.health(),
    })
  }
  await log.close().catch(() => {})
} catch (error) {
  if (!(error instanceof MillraceError)) throw error
  say({ code: error.code, message: error.message, hint: error.hint })
} finally {
  clearInterval(alive)
}
