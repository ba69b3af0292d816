import { cpSync, rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { openBenchLog } from './bench-log.ts'
import { Oracle } from './oracle.ts'
import { runPinned } from './pinned.ts'
import type { Run } from './run.ts'
import { generateTelemetry } from './telemetry.ts'
import type { Workload } from './workloads.ts'

/** What all measurements are told. */
export interface BenchOptions {
  /** A directory of its own, removed at the end. */
  readonly root: string
  readonly records: number
  readonly rounds: number
  readonly commitMs: number
  /** Of the open loop of the latency figures. */
  readonly seconds: number
  readonly rate: number
  readonly say: (line: string) => void
}

/** A measurement whose output was not what SQLite says: it has no figure. */
export class WrongOutput extends Error {}

/** The input of a workload, written once, and what must come of it. */
export class PreparedInput {
  readonly directory: string
  readonly workload: Workload
  readonly sha256: string
  readonly #options: BenchOptions
  readonly #oracle: Oracle

  private constructor(
    options: BenchOptions,
    workload: Workload,
    directory: string,
    sha256: string,
    oracle: Oracle,
  ) {
    this.#options = options
    this.workload = workload
    this.directory = directory
    this.sha256 = sha256
    this.#oracle = oracle
  }

  static async write(options: BenchOptions, workload: Workload): Promise<PreparedInput> {
    const { root, records, say } = options
    const directory = join(root, `${workload.name}-input`)
    say(`${workload.name}: writing ${records} records of ${workload.vehicles} vehicles`)
    const oracle = new Oracle()
    const log = await openBenchLog(directory)
    const { sha256 } = await generateTelemetry(log, { records, vehicles: workload.vehicles }, (r) =>
      oracle.add(r),
    )
    await log.close()
    oracle.ready()
    return new PreparedInput(options, workload, directory, sha256, oracle)
  }

  /** A data directory with the input in it, to be removed by whoever asked. */
  copy(name: string): string {
    const directory = join(this.#options.root, name)
    cpSync(this.directory, directory, { recursive: true })
    execFileSync('sync')
    return directory
  }

  /** @throws WrongOutput */
  async verify(directory: string): Promise<void> {
    const log = await openBenchLog(directory)
    try {
      const difference = await this.#oracle.compare(this.workload, log)
      if (difference !== null) throw new WrongOutput(difference)
    } finally {
      await log.close()
    }
  }

  /** One run over the whole input, in a process of its own, verified. */
  async run(commitMs: number, guarantee: 'exactly_once_v2' | 'at_least_once'): Promise<Run> {
    const directory = this.copy(`${this.workload.name}-round`)
    const { records } = this.#options
    const run = await runPinned<Run>('run.ts', [
      directory,
      this.workload.name,
      String(records),
      String(commitMs),
      guarantee,
    ])
    await this.verify(directory)
    rmSync(directory, { recursive: true })
    return run
  }

  close(): void {
    this.#oracle.close()
    rmSync(this.directory, { recursive: true })
  }
}
