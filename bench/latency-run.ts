/**
 * Sends readings at a fixed rate, whatever comes of them, and reads what the workload makes of them, all in
 * the process of the engine: the embedded log has no other way in. Prints one JSON line.
 *
 *   node bench/latency-run.ts DIRECTORY WORKLOAD RATE SECONDS COMMIT-MS
 */
import { Millrace } from '../src/index.ts'
import { Oracle } from './oracle.ts'
import { TelemetryReadings } from './telemetry.ts'
import { TELEMETRY, workloadNamed } from './workloads.ts'

/** What a run prints. */
export interface LatencyRun {
  /** Of the records timed: from when one was to be sent to when what came of it was read. */
  readonly latencyMs: Readonly<Record<'p50' | 'p99' | 'p999' | 'p9999' | 'max', number>>
  /** How late records were sent, which counts in full. */
  readonly sendLagMs: Readonly<Record<'p50' | 'p99' | 'max', number>>
  readonly records: number
  readonly timed: number
  readonly cpuShare: number
  readonly commits: number
  readonly commitMs: { readonly p50: number; readonly p99: number }
  /** Null: the output is what SQLite makes of the readings. */
  readonly difference: string | null
}

if (import.meta.main) {
  const [directory, name, rate, seconds, commitMs] = process.argv.slice(2)
  console.log(JSON.stringify(await run(directory!, name!, Number(rate), Number(seconds), Number(commitMs))))
}

async function run(
  directory: string,
  name: string,
  rate: number,
  seconds: number,
  commitIntervalMs: number,
): Promise<LatencyRun> {
  const workload = workloadNamed(name)
  const total = rate * seconds
  const millrace = await Millrace.open({ dataDirectory: directory, commitIntervalMs })
  await millrace.sql(TELEMETRY)
  await millrace.sql(workload.statement)
  const { log } = millrace
  const oracle = new Oracle()
  const producer = log.producer({ acks: 'all' })
  const consumer = log.consumer({
    isolation: 'read_committed',
    offsetReset: 'earliest',
    maxPollRecords: 100_000,
  })
  consumer.assign(
    Array.from({ length: log.topic(workload.output)!.partitions }, (_, partition) => ({
      topic: workload.output,
      partition,
    })),
  )

  const readings = new TelemetryReadings(workload.vehicles, false)
  /** When each record was to be sent, by what tells it in the output: key, window, how many of it. */
  const scheduled = new Map<string, number[]>()
  const latencies = new Float64Array(total)
  const sendLags = new Float64Array(total)
  let timed = 0
  let received = 0
  const firstTimed = Math.floor(total / 10)
  const windowMs = workload.kind === 'windowed-table' ? 60_000 : 0

  let startMs = 0
  const startEpochMs = Date.now()
  let sent = 0
  let failure: unknown = null
  const sendDue = (): void => {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1000) * rate) + 1)
    for (; sent < due; sent++) {
      const ts = startEpochMs + Math.floor((sent / rate) * 1000)
      const { key, value, reading } = readings.next(ts)
      oracle.add(reading)
      const place = windowMs === 0 ? `${key}@${ts}` : `${key}@${ts - (ts % windowMs)}`
      const times = scheduled.get(place)
      if (times === undefined) scheduled.set(place, [sent])
      else times.push(sent)
      sendLags[sent] = performance.now() - startMs - (sent / rate) * 1000
      producer
        .send({ topic: 'telemetry', key: Buffer.from(key), value: Buffer.from(value), timestampMs: ts })
        .catch((error: unknown) => (failure ??= error))
    }
  }
  const decoder = new TextDecoder()
  const receive = (record: number, nowMs: number): void => {
    received++
    if (record >= firstTimed) latencies[timed++] = nowMs - (record / rate) * 1000
  }
  /** Each row answers for one reading (stream), or for all of its key and window so far (table). */
  const seen = new Map<string, number>()
  const readOnce = async (): Promise<void> => {
    const records = await consumer.poll(100)
    const nowMs = performance.now() - startMs
    for (const { key, value } of records) {
      const row = JSON.parse(decoder.decode(value!)) as { TS: number; N: number }
      if (windowMs === 0) {
        const place = `${decoder.decode(key!)}@${row.TS}`
        receive(scheduled.get(place)!.shift()!, nowMs)
        continue
      }
      const bytes = Buffer.from(key!)
      const place = `${bytes.toString('latin1', 0, bytes.length - 8)}@${bytes.readBigInt64BE(bytes.length - 8)}`
      const times = scheduled.get(place)!
      for (let n = seen.get(place) ?? 0; n < row.N; n++) receive(times[n]!, nowMs)
      seen.set(place, row.N)
    }
  }

  startMs = performance.now()
  const cpuBefore = process.cpuUsage()
  const sending = setInterval(sendDue, 1)
  // What comes late still counts; what never comes ends the run.
  const deadlineMs = startMs + seconds * 1000 + 30_000
  while (received < total && failure === null && performance.now() < deadlineMs) await readOnce()
  clearInterval(sending)
  const cpu = process.cpuUsage(cpuBefore)
  const tookMs = performance.now() - startMs
  if (failure !== null) throw failure as Error
  await producer.close()
  await consumer.close()
  await millrace.untilIdle()
  oracle.ready()
  const difference =
    received < total
      ? `${total - received} of ${total} records never came out`
      : await oracle.compare(workload, log)
  const commits = millrace.commitMs.toSorted((a, b) => a - b)
  await millrace.close()
  const sorted = latencies.subarray(0, timed).sort()
  const lags = sendLags.sort()
  return {
    latencyMs: {
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      p999: quantile(sorted, 0.999),
      p9999: quantile(sorted, 0.9999),
      max: quantile(sorted, 1),
    },
    sendLagMs: { p50: quantile(lags, 0.5), p99: quantile(lags, 0.99), max: quantile(lags, 1) },
    records: total,
    timed,
    cpuShare: Number(((cpu.user + cpu.system) / 1000 / tookMs).toFixed(3)),
    commits: commits.length,
    commitMs: { p50: quantile(commits, 0.5), p99: quantile(commits, 0.99) },
    difference,
  }
}

function quantile(sorted: ArrayLike<number>, q: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
  return Number(value.toFixed(2))
}
