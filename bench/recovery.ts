import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PreparedInput, type BenchOptions } from './bench-context.ts'
import { startPinned } from './pinned.ts'
import type { RecoveryEvent } from './recovery-run.ts'
import type { Run } from './run.ts'
import { spread } from './spread.ts'
import { millions } from './throughput.ts'
import { W2D, W2D_FEW_KEYS } from './workloads.ts'

/** How much of the input is worked off when the process is killed. */
const KILLED_AT = 0.8

interface Recovery {
  /** From the start of the process. */
  readonly openMs: number
  readonly firstOutputMs: number
  readonly idleMs: number
  readonly changelogRecords: number
  /** How often it told of its restore. */
  readonly told: number
}

/**
 * W2d: throughput; then killed at 80 % and started again, with its state folder and without: when the first
 * new output is committed, and when nothing is left to read; and what a key takes of memory.
 */
export async function measureRecovery(options: BenchOptions): Promise<object> {
  const { rounds, records, commitMs, say } = options
  const runs: Run[] = []
  const withState: Recovery[] = []
  const withoutState: (Recovery & { readonly openWithCheckpointMs: number })[] = []
  const input = await PreparedInput.write(options, W2D)
  for (let round = 0; round <= rounds; round++) {
    const run = await input.run(commitMs, 'exactly_once_v2')
    const killed = input.copy('W2d-killed')
    await runUntilKilled(killed, options)
    const bare = join(options.root, 'W2d-without-state')
    cpSync(killed, bare, { recursive: true })
    rmSync(join(bare, 'state'), { recursive: true, force: true })
    const kept = await recover(killed, options)
    await input.verify(killed)
    rmSync(killed, { recursive: true })
    const restored = await recover(bare, options)
    const { openMs: openWithCheckpointMs } = await start(bare, options)
    await input.verify(bare)
    rmSync(bare, { recursive: true })
    say(
      `W2d round ${round}${round === 0 ? ' (discarded)' : ''}: ${millions(run.recordsPerSecond)} M records/s, ${millions(run.recordsPerCpuSecond)} M per CPU second; killed at ${KILLED_AT * 100} %: ${recoveryText(kept)}; state deleted: ${recoveryText(restored)}; opened with a checkpoint of everything after ${openWithCheckpointMs.toFixed(0)} ms; verified`,
    )
    if (round > 0) {
      runs.push(run)
      withState.push(kept)
      withoutState.push({ ...restored, openWithCheckpointMs })
    }
  }
  input.close()
  const fewKeys = await PreparedInput.write(options, W2D_FEW_KEYS)
  const baseline = await fewKeys.run(commitMs, 'exactly_once_v2')
  fewKeys.close()
  const keys = distinctKeys(records, W2D.vehicles)
  const perKey = runs.map((r) => (r.rssBytes - baseline.rssBytes) / keys)
  return {
    workload: 'W2d',
    mode: 'E',
    engine: 'millrace',
    records,
    inputSha256: input.sha256,
    verified: true,
    recordsPerSecond: spread(runs.map((r) => r.recordsPerSecond)),
    recordsPerCpuSecond: spread(runs.map((r) => r.recordsPerCpuSecond)),
    commitMs: runs.at(-1)!.commitMs,
    peakRssBytes: Math.max(...runs.map((r) => r.peakRssBytes)),
    rowsOut: runs.at(-1)!.rowsOut,
    memory: { keys, bytesPerKey: spread(perKey), rssBytesWith10Keys: baseline.rssBytes },
    recovery: { killedAt: KILLED_AT, ...figures(withState) },
    recoveryWithoutState: {
      killedAt: KILLED_AT,
      ...figures(withoutState),
      openWithCheckpointMs: spread(withoutState.map((r) => r.openWithCheckpointMs)),
      restoredRecords: withoutState.at(-1)!.changelogRecords,
      restoredRecordsPerSecond: spread(
        withoutState.map((r) => (r.changelogRecords * 1000) / Math.max(1, r.openMs - r.openWithCheckpointMs)),
      ),
    },
  }
}

function figures(recoveries: readonly Recovery[]): object {
  return {
    openMs: spread(recoveries.map((r) => r.openMs)),
    firstOutputMs: spread(recoveries.map((r) => r.firstOutputMs)),
    idleMs: spread(recoveries.map((r) => r.idleMs)),
  }
}

function recoveryText({ openMs, firstOutputMs, idleMs, changelogRecords, told }: Recovery): string {
  return `open after ${openMs.toFixed(0)} ms (changelog of ${millions(changelogRecords)} M records, told ${told} times of the restore), first output after ${firstOutputMs.toFixed(0)}, all read after ${idleMs.toFixed(0)}`
}

/** How many of `vehicles` occur in so many uniform choices, on average. */
function distinctKeys(records: number, vehicles: number): number {
  return Math.round(vehicles * (1 - Math.exp(-records / vehicles)))
}

/** Ends with the process killed when it has read its share. */
async function runUntilKilled(directory: string, options: BenchOptions): Promise<void> {
  const child = startPinned('recovery-run.ts', [directory, W2D.name, String(options.commitMs)])
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.on('close', (_code, signal) => resolve(signal)),
  )
  for await (const line of createInterface({ input: child.stdout! })) {
    const event = JSON.parse(line) as RecoveryEvent
    if (event.event === 'read' && event.records >= KILLED_AT * options.records) child.kill('SIGKILL')
  }
  if ((await ended) !== 'SIGKILL') throw new Error('The run of W2d ended before it was to be killed.')
}

/** @throws Error if nothing new came out */
async function recover(directory: string, options: BenchOptions): Promise<Recovery> {
  const { firstOutputMs, ...recovery } = await start(directory, options)
  if (firstOutputMs === undefined) throw new Error('W2d came back and put out nothing.')
  return { ...recovery, firstOutputMs }
}

/** A process over the directory, from its start until nothing is left to read and it has closed. */
async function start(
  directory: string,
  options: BenchOptions,
): Promise<Omit<Recovery, 'firstOutputMs'> & { readonly firstOutputMs: number | undefined }> {
  const startedMs = performance.now()
  const child = startPinned('recovery-run.ts', [directory, W2D.name, String(options.commitMs)])
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const at = new Map<string, number>()
  let told = 0
  let changelogRecords = 0
  for await (const line of createInterface({ input: child.stdout! })) {
    const event = JSON.parse(line) as RecoveryEvent
    if (event.event === 'restoring') told++
    else if (!at.has(event.event)) at.set(event.event, performance.now() - startedMs)
    if (event.event === 'open') changelogRecords = event.changelogRecords
  }
  const [openMs, firstOutputMs, idleMs] = ['open', 'first-output', 'idle'].map((event) => at.get(event))
  if ((await ended) !== 0 || openMs === undefined || idleMs === undefined) {
    throw new Error('W2d did not come back.')
  }
  return { openMs, firstOutputMs, idleMs, changelogRecords, told }
}
