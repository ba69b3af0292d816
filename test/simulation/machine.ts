import type { Clock } from '../../src/base/clock.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import { Worker } from '../../src/engine/worker.ts'
import { formatFinder, formatsOver } from '../../src/formats/registry.ts'
import { functionRegistry } from '../../src/functions/registry.ts'
import { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { CommitGroup, CommitOutcome, Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { EmbeddedSchemaRegistry } from '../../src/runtime/embedded-schema-registry.ts'
import { processingLogEntries } from '../../src/runtime/processing-log.ts'
import type { StateStorage } from '../../src/state/state-storage.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import type { SimulatedFileSystem } from '../base/simulated-file-system.ts'

export const DIRECTORY = '/data'
export const STATE_DIRECTORY = '/data/state'

/** How a machine of a seed is set up: the same in all its lives. */
export interface Setup {
  readonly durability: 'fsync' | 'os'
  readonly partitions: number
  readonly cache: boolean
  readonly commitIntervalMs: number
  readonly transactionBytesMax: number
  readonly sliceBytes: number
  readonly journalBytesMax: number
  readonly memoryBytesMax: number
  readonly checkpointIntervalMs: number
  readonly replayRecordsMax: number
  readonly maintenanceEveryMs: number
}

export function newSetup(random: Random): Setup {
  const one = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)]!
  return {
    durability: random.below(8) === 0 ? 'os' : 'fsync',
    partitions: one(1, 1, 2, 3),
    cache: random.below(2) === 0,
    commitIntervalMs: one(0, 1, 10, 100),
    transactionBytesMax: one(1, 2_000, 1 << 20),
    sliceBytes: one(1, 300, 1_000, 1 << 20),
    journalBytesMax: one(1 << 16, 1 << 16, 1 << 18),
    memoryBytesMax: one(1, 10_000, 1 << 24),
    checkpointIntervalMs: one(1, 50, 1_000),
    replayRecordsMax: one(1, 20, 250_000),
    maintenanceEveryMs: one(20, 200, 15_000),
  }
}

/** What somebody sees of the engine's calls to the log. */
export interface Listening {
  /** A commit begins; call what is returned with its end, `refused` where it was thrown out. */
  readonly onCommit: (group: CommitGroup) => (outcome: CommitOutcome['kind'] | 'refused') => void
  readonly onRead: (topic: string, partition: number, nextOffset: number) => void
}

const formatOf = formatFinder(formatsOver(new EmbeddedSchemaRegistry()))

/** The engine as one process runs it: log, state and worker over a simulated machine's clock and disk. */
export class Machine {
  readonly log: EmbeddedLog
  readonly state: WorkerState
  readonly worker: Worker

  private constructor(log: EmbeddedLog, state: WorkerState, worker: Worker) {
    this.log = log
    this.state = state
    this.worker = worker
  }

  static async openLog(
    setup: Setup,
    clock: Clock,
    fileSystem: SimulatedFileSystem,
    seed: number,
  ): Promise<EmbeddedLog> {
    const { durability, journalBytesMax, maintenanceEveryMs } = setup
    return (await openLog({
      directory: DIRECTORY,
      fileSystem,
      clock,
      random: seededRandom(seed),
      durability,
      journalBytesMax,
      maintenanceEveryMs,
    })) as EmbeddedLog
  }

  /** @param log  open already */
  static async start(
    log: EmbeddedLog,
    setup: Setup,
    clock: Clock,
    fileSystem: SimulatedFileSystem,
    openStorage: () => Promise<StateStorage>,
    listening: Listening,
    onProblem: (queryId: string, error: unknown) => void,
  ): Promise<Machine> {
    const { memoryBytesMax, checkpointIntervalMs, replayRecordsMax } = setup
    const state = await WorkerState.open({
      directory: STATE_DIRECTORY,
      log,
      fileSystem,
      clock,
      epoch: (await log.claim('state')).epoch,
      memoryBytesMax,
      checkpointIntervalMs,
      replayRecordsMax,
      openStorage,
    })
    const worker = new Worker({
      log: overheard(log, setup.sliceBytes, listening),
      state,
      clock,
      compile: {
        functions: functionRegistry,
        functionContext: { clock, random: seededRandom(1), settings: new Map() },
      },
      formatOf,
      commitIntervalMs: setup.commitIntervalMs,
      transactionBytesMax: setup.transactionBytesMax,
      cache: setup.cache,
      compatibility: false,
      describeProblems: (queryId, problems) => processingLogEntries(queryId, clock.nowMs(), problems),
      onProblem: (queryId, problem) => {
        if (problem.kind === 'query-failed') onProblem(queryId, problem.error)
      },
    })
    await worker.start()
    return new Machine(log, state, worker)
  }

  /** Ends the process in order, as far as that goes. @returns what went wrong on the way */
  async close(): Promise<unknown[]> {
    const failures: unknown[] = []
    const note = (error: unknown): void => void failures.push(error)
    await this.worker.stop().catch(note)
    await this.state.close().catch(note)
    await this.log.close().catch(note)
    return failures
  }
}

/** The log as the engine calls it, in slices of a size of the seed. */
function overheard(log: EmbeddedLog, sliceBytes: number, listening: Listening): Log {
  const own: Partial<Log> = {
    commit: (group) => {
      const ended = listening.onCommit(group)
      return log.commit(group).then(
        (outcome) => {
          ended(outcome.kind)
          return outcome
        },
        (error: unknown) => {
          ended('refused')
          throw error
        },
      )
    },
    read: async (topic, partition, from, bytesMax, isolation, buffer) => {
      const slice = await log.read(topic, partition, from, Math.min(bytesMax, sliceBytes), isolation, buffer)
      listening.onRead(topic, partition, slice.nextOffset)
      return slice
    },
  }
  const bound = new Map<PropertyKey, unknown>(Object.entries(own))
  return new Proxy<Log>(log, {
    get(target, name) {
      const known = bound.get(name)
      if (known !== undefined) return known
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const method: unknown = value.bind(target)
      bound.set(name, method)
      return method
    },
  })
}
