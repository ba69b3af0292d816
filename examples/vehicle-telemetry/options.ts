import { join, parse } from 'node:path'
import { Command, CommanderError, InvalidArgumentError } from 'commander'

/** What `npm start` was asked for. */
export interface ExampleOptions {
  readonly dataDirectory: string
  /** null: until it is stopped. */
  readonly durationMs: number | null
  /** null: the simulator. */
  readonly recording: RecordingOptions | null
  /** Empties the data directory first. */
  readonly fresh: boolean
}

export interface RecordingOptions {
  readonly file: string
  readonly key: string
  readonly timestamp: string
  /** Times real time; null: as fast as it goes. */
  readonly rate: number | null
}

/** Arguments that cannot be followed, or that only asked for help. The message is one plain sentence. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly isHelp: boolean

  constructor(message: string, isHelp = false) {
    super(message)
    this.isHelp = isHelp
  }
}

interface Flags {
  readonly dataDir?: string
  readonly duration?: number
  readonly input?: string
  readonly key?: string
  readonly timestamp?: string
  readonly rate?: number
  readonly fresh?: boolean
}

/** @throws UsageError */
export function parseOptions(args: readonly string[]): ExampleOptions {
  const flags = parseFlags(args)
  const { input, key, timestamp, rate = null } = flags
  if (input === undefined) {
    for (const [name, value] of Object.entries({ key, timestamp, rate })) {
      if (value !== undefined && value !== null)
        throw new UsageError(`--${name} is for recorded files: name one with --input FILE.csv.`)
    }
  } else if (key === undefined || timestamp === undefined) {
    const missing = key === undefined ? '--key COLUMN (whose readings they are)' : '--timestamp COLUMN'
    throw new UsageError(`A recorded file needs ${missing}.`)
  }
  return {
    dataDirectory:
      flags.dataDir ??
      join('data', input === undefined ? 'vehicle-telemetry' : `replay-${parse(input).name}`),
    durationMs: flags.duration ?? null,
    recording: input === undefined ? null : { file: input, key: key!, timestamp: timestamp!, rate },
    fresh: flags.fresh === true,
  }
}

function parseFlags(args: readonly string[]): Flags {
  let text = ''
  const command = new Command('npm start --')
    .description(
      'Ten simulated vehicles, or a recorded file, through streams, windows and alerts. It goes on until Ctrl-C, ' +
        'and where it was when it is started again.',
    )
    .option(
      '--data-dir <directory>',
      'where everything is kept (default: data/vehicle-telemetry, or data/replay-NAME for a file NAME.csv)',
    )
    .option('--duration <time>', 'stop after so long, such as 20s or 5m', duration)
    .option('--input <file.csv>', 'a recorded file instead of the simulator, replayed in order of time')
    .option('--key <column>', 'its column that says whose reading it is')
    .option('--timestamp <column>', 'its column of times: epoch milliseconds or ISO 8601')
    .option(
      '--rate <factor>',
      'replay at so many times real time, such as 100x (default: as fast as it goes)',
      factor,
    )
    .option('--fresh', 'throw away what the data directory holds first')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (out) => (text += out), writeErr: () => {} })
  try {
    return command.parse([...args], { from: 'user' }).opts<Flags>()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') throw new UsageError(text, true)
    throw new UsageError(error.message.replace(/^error: /, ''))
  }
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

function duration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  const ms = Number(amount) * UNITS_MS[unit]!
  if (!(ms > 0)) throw new InvalidArgumentError('It takes a time such as 20s, 5m or 1h.')
  return ms
}

function factor(text: string): number {
  const [, amount] = /^(\d+(?:\.\d+)?)x?$/.exec(text) ?? []
  if (!(Number(amount) > 0)) throw new InvalidArgumentError('It takes a factor such as 100x.')
  return Number(amount)
}
