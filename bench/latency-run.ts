/**
 * Sends readings at a fixed rate, whatever comes of them, and reads what the workload makes of them, all in
 * the process of the engine: the embedded log has no other way in. Prints one JSON line.
 *
 *   node bench/latency-run.ts DIRECTORY WORKLOAD RATE SECONDS COMMIT-MS
 */
import { Millrace } from '../src/index.ts'
import { LoadPlan } from './load-plan.ts'
import { Oracle } from './oracle.ts'
import { TELEMETRY, workloadNamed } from './workloads.ts'

/** What a run prints. */
export interface LatencyRun {
  /** Of the records timed: from when one was to be sent to when what came of it was read. */
  readonly latencyMs: Readonly<Record<'p50' | 'p99' | 'p999' | 'p9999' | 'max', number>>
  /** How late records were sent, which counts in full. */
  readonly sendLagMs: Readonly<Record<'p50' | 'p99' | 'max', number>>
  readonly records: number
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
  const plan = new LoadPlan(workload, total, rate)
  const millrace = await Millrace.open({ dataDirectory: directory, commitIntervalMs })
  await millrace.sql(TELEMETRY)
  await millrace.sql(workload.statement)
  const { log } = millrace
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

  const latencies = new Float64Array(total)
  const sendLags = new Float64Array(total)
  let sent = 0
  let received = 0
  let failure: unknown = null
  const fail = (error: unknown): void => {
    failure ??= error
  }
  const startMs = performance.now()
  const sendDue = (): void => {
    const nowMs = performance.now() - startMs
    const due = Math.min(total, Math.floor((nowMs / 1000) * rate) + 1)
    for (; sent < due; sent++) {
      sendLags[sent] = nowMs - (sent / rate) * 1000
      producer
        .send({
          topic: 'telemetry',
          key: plan.key(sent),
          value: plan.value(sent),
          timestampMs: plan.timeMs(sent),
        })
        .catch(fail)
    }
  }
  const cpuBefore = process.cpuUsage()
  const sending = setInterval(sendDue, 1)
  // What comes late still counts; what never comes ends the run.
  const deadlineMs = startMs + seconds * 1000 + 30_000
  while (received < total && failure === null && performance.now() < deadlineMs) {
    const records = await consumer.poll(100)
    const nowMs = performance.now() - startMs
    for (const record of records) {
      plan.received(record, (index) => {
        received++
        latencies[index] = nowMs - (index / rate) * 1000
      })
    }
  }
  clearInterval(sending)
  const cpu = process.cpuUsage(cpuBefore)
  const tookMs = performance.now() - startMs
  if (failure !== null) throw failure as Error
  await producer.close()
  await consumer.close()
  await millrace.untilIdle()
  const oracle = new Oracle()
  for (const reading of plan.readings()) oracle.add(reading)
  oracle.ready()
  const difference =
    received < total
      ? `${total - received} of ${total} records never came out`
      : await oracle.compare(workload, log)
  const commits = millrace.commitMs.toSorted((a, b) => a - b)
  await millrace.close()
  const sorted = latencies.subarray(Math.floor(total / 10)).sort()
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
