/** `backpressure-child.ts DIRECTORY`: 64 push queries over 60,000 rows that nobody reads; prints by how much the process grew. */
import { Millrace } from '../../src/index.ts'

const ROWS = 60_000
const text = 'x'.repeat(200)
const millrace = await Millrace.open({ dataDirectory: process.argv[2]!, memoryBytesMax: 64 << 20 })
await millrace.sql(
  `CREATE STREAM readings (k STRING KEY, n INT, t STRING) WITH (kafka_topic = 'readings', value_format = 'JSON', partitions = 1);`,
)
function* rows() {
  for (let n = 0; n < ROWS; n++) yield { key: 'k', value: { N: n, T: text } }
}
await millrace.produce('readings', rows())
const residentBytes = (): number => {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().rss
}
const before = residentBytes()
const settings = { 'auto.offset.reset': 'earliest' }
const queries = Array.from({ length: 64 }, () =>
  millrace.query('SELECT n, t FROM readings EMIT CHANGES;', { settings })[Symbol.asyncIterator](),
)
for (const query of queries) await query.next()
const queued = (): number => millrace.pushQueries().reduce((sum, q) => sum + q.queuedBytes, 0)
for (let last = -1; last !== queued();) {
  last = queued()
  await new Promise((resolve) => setTimeout(resolve, 500))
}
const grewBytes = residentBytes() - before
await millrace.close()
console.log(JSON.stringify({ grewBytes, topicBytes: ROWS * (text.length + 20) }))
