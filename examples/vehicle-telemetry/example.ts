import { readdir, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { InputError } from '../../src/cli/input-records.ts'
import { styled, type Terminal } from '../../src/cli/terminal.ts'
import { Millrace, type Clock } from '../../src/index.ts'
import { Fleet, type AlertLine } from './fleet.ts'
import type { ExampleOptions } from './options.ts'
import { pause, pump, type TimedRecord } from './pump.ts'
import { inEventTimeOrder, notYetWritten, readRecording, type RecordedReading } from './recording.ts'
import { Screen } from './screen.ts'
import { fleetReadings, type Reading } from './simulator.ts'
import { outputEnds, summarise, summaryLines } from './summary.ts'
import { alertText, firingText, frame, grouped, timeText } from './view-text.ts'

export const TOPIC = 'vehicle.telemetry'

/** The simulated fleet's seed: every installation sees the same day. */
const SEED = 9
const FRAME_MS = 200
const LINE_MS = 3_000

/** What a run needs of the world. */
export interface ExampleContext {
  readonly terminal: Terminal
  /** Lines of the terminal. */
  readonly height: () => number
  readonly clock: Clock
  /** Aborted when it is to end. */
  readonly stop: AbortSignal
}

/**
 * Runs the example until it is stopped, its time is over or its file is at the end, and prints the summary.
 *
 * @throws InputError for a file that cannot be replayed, StorageError for a data directory that cannot be used
 */
export async function runExample(options: ExampleOptions, context: ExampleContext): Promise<void> {
  const { terminal, clock } = context
  const { recording, dataDirectory } = options
  // A file that cannot be read leaves no data directory behind.
  const recorded =
    recording === null ? null : inEventTimeOrder(await readRecording(recording.file, recording))
  if (options.fresh) await empty(dataDirectory)
  const problems: string[] = []
  const millrace = await Millrace.open({
    dataDirectory,
    clock,
    onProblem: ({ kind, detail }) => {
      if (kind === 'query-failed') problems.push(detail)
    },
  })
  try {
    await declare(millrace, recorded !== null)
    await millrace.untilIdle()
    const starts = outputEnds(millrace)
    const source: Iterable<TimedRecord> =
      recorded === null ? await simulated(millrace, clock) : await replayed(millrace, recorded, terminal)
    const view = new View(context, recording === null ? 'Vehicle telemetry' : basename(recording.file))
    const fleet = new Fleet(millrace, clock, (line) => view.onAlert(line))
    await fleet.open()
    const what = recording === null ? 'Ten simulated vehicles write' : `The rows of ${recording.file} go`
    terminal.out(`${styled(terminal, 'dim', `${what} to topic ${TOPIC} in ${dataDirectory}.`)}\n`)
    view.start(fleet, millrace)
    const startedMs = clock.monotonicMs()
    const stop = stopAfter(options.durationMs, context)
    let isWhole = false
    try {
      let lastMs = -1
      isWhole = await pump(
        millrace,
        TOPIC,
        remembering(source, (ms) => (lastMs = ms)),
        {
          rate: recording === null ? 1 : recording.rate,
          clock,
          stop,
          onProduced: (count) => fleet.noteProduced(count, lastMs),
        },
      )
      await millrace.untilIdle()
      if (isWhole) await millrace.endOfInput()
    } finally {
      await fleet.close()
      view.end()
    }
    const seconds = (clock.monotonicMs() - startedMs) / 1_000
    const summary = await summarise(millrace, starts, { topic: TOPIC, records: fleet.produced, seconds })
    const lines = summaryLines(summary, terminal, {
      dataDirectory,
      again: againText(isWhole, fleet.produced, recorded?.length === 0),
    })
    terminal.out(`${lines.join('\n')}\n`)
  } finally {
    for (const problem of problems) terminal.err(`${styled(terminal, 'red', 'error:')} ${problem}\n`)
    await millrace.close()
  }
}

/** Aborted when the user or the time says so. */
function stopAfter(durationMs: number | null, { clock, stop }: ExampleContext): AbortSignal {
  if (durationMs === null) return stop
  const timeIsOver = new AbortController()
  clock.after(durationMs, () => timeIsOver.abort())
  return AbortSignal.any([stop, timeIsOver.signal])
}

function againText(isWhole: boolean, produced: number, isEmpty: boolean): string {
  if (isEmpty) return 'The file has no rows.'
  if (!isWhole) return 'Start it again and it goes on from here.'
  return produced === 0
    ? 'All of the file was there already, so nothing was added; --fresh replays it from the start.'
    : 'The file is at its end. Started again, nothing is added twice; --fresh replays it from the start.'
}

/** Runs the SQL files in order. What is there already stays as it is. */
async function declare(millrace: Millrace, isRecorded: boolean): Promise<void> {
  const directory = join(import.meta.dirname, 'sql', ...(isRecorded ? ['recorded'] : []))
  const files = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  for (const file of files) await millrace.sql(await readFile(join(directory, file), 'utf8'))
}

/**
 * The simulator from where it was: what it made is made again and left out, vehicle by vehicle, as far as
 * the table of vehicles knows.
 */
async function simulated(millrace: Millrace, clock: Clock): Promise<Iterable<TimedRecord>> {
  const [known] = await millrace.sql('SELECT vehicle_id, first_ts, last_ts FROM vehicles;')
  const rows = known?.kind === 'rows' ? known.rows : []
  const lastTs = new Map(rows.map(([id, , last]) => [id as string, last as number]))
  const firstTs = rows.map(([, first]) => first as number)
  const startMs = firstTs.length === 0 ? clock.nowMs() : Math.min(...firstTs)
  return (function* () {
    for (const reading of fleetReadings(startMs, SEED)) {
      if (reading.ts > (lastTs.get(reading.vehicle_id) ?? -1)) yield recordOf(reading)
    }
  })()
}

function recordOf(reading: Reading): TimedRecord {
  return { key: reading.vehicle_id, value: reading, timestampMs: reading.ts }
}

/** The rows of a recording that an earlier run did not get to. */
async function replayed(
  millrace: Millrace,
  readings: readonly RecordedReading[],
  terminal: Terminal,
): Promise<readonly RecordedReading[]> {
  const left = await notYetWritten(readings, millrace.consume(TOPIC, { from: 'beginning' }))
  if (left.length < readings.length) {
    const there = grouped(readings.length - left.length)
    terminal.out(`${there} of ${grouped(readings.length)} readings are there from an earlier run.\n`)
  }
  return left
}

function* remembering(
  records: Iterable<TimedRecord>,
  onRecord: (timestampMs: number) => void,
): Iterable<TimedRecord> {
  for (const record of records) {
    onRecord(record.timestampMs)
    yield record
  }
}

/** Empties a data directory of ours. @throws InputError when it holds anything else */
async function empty(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return
  if (!names.some((name) => name.startsWith('checkpoint.'))) {
    throw new InputError('INPUT_FOREIGN_DIRECTORY', {
      message: `--fresh empties data directories only, and ${directory} is none.`,
    })
  }
  await rm(directory, { recursive: true })
}

/** Shows the fleet while it runs: drawn over in place on a terminal, line by line elsewhere. */
class View {
  readonly #context: ExampleContext
  readonly #title: string
  readonly #screen: Screen | null
  readonly #ended = new AbortController()
  #draw: () => void = () => {}

  constructor(context: ExampleContext, title: string) {
    const { terminal } = context
    this.#context = context
    this.#title = title
    this.#screen = terminal.isInteractive ? new Screen((text) => terminal.out(text)) : null
  }

  start(fleet: Fleet, millrace: Millrace): void {
    const { clock, terminal } = this.#context
    this.#draw = () => {
      if (this.#screen === null) terminal.out(`${statusLine(fleet, millrace)}\n`)
      else this.#screen.draw(frame(fleet, terminal, this.#title, this.#context.height() - 1), terminal.width)
    }
    const everyMs = this.#screen === null ? LINE_MS : FRAME_MS
    const draw = async (): Promise<void> => {
      while (!this.#ended.signal.aborted) {
        if (this.#screen !== null) this.#draw()
        await pause(clock, everyMs, this.#ended.signal)
        if (this.#screen === null && !this.#ended.signal.aborted) this.#draw()
      }
    }
    void draw()
  }

  onAlert(line: AlertLine): void {
    if (this.#screen === null && line.state !== 'pending')
      this.#context.terminal.out(`${alertText(line, this.#context.terminal)}\n`)
  }

  /** Shows how it stands at the end. */
  end(): void {
    this.#ended.abort()
    this.#draw()
    this.#screen?.end()
  }
}

function statusLine(fleet: Fleet, millrace: Millrace): string {
  const lag = millrace.queries().reduce((most, query) => Math.max(most, query.counters.lag), 0)
  return [
    timeText(fleet.eventTimeMs),
    `${grouped(fleet.produced)} records`,
    `${grouped(fleet.recordsPerSecond)}/s`,
    `${fleet.vehicles.length} vehicles`,
    fleet.firing === 0 ? 'no alert fires' : firingText(fleet.firing),
    ...(lag > 1_000 ? [`${grouped(lag)} to go`] : []),
  ].join('  ')
}
