/**
 * `npm run -s verify:fleet -- FILE.csv`: a recorded day, checked. The file is produced in its own order and in
 * order of time; the results of both must be those of SQLite. Exit code 1 if any is not.
 */
import { errorText, EXIT, exitCodeFor } from '../../src/cli/error-text.ts'
import { InputError } from '../../src/cli/input-records.ts'
import { processTerminal, styled } from '../../src/cli/terminal.ts'
import { checkFleet, type QueryCheck } from './fleet-check.ts'
import { readRecording } from './recording.ts'
import { grouped } from './view-text.ts'

const terminal = processTerminal()
const files = process.argv.slice(2)

if (files.length !== 1 || files[0]!.startsWith('-')) {
  terminal.err('It takes one file: npm run -s verify:fleet -- FILE.csv\n')
  process.exitCode = EXIT.usage
} else {
  try {
    process.exitCode = await verify(files[0]!)
  } catch (error) {
    terminal.err(errorText(error, terminal))
    process.exitCode = error instanceof InputError ? EXIT.usage : exitCodeFor(error)
  }
}

async function verify(file: string): Promise<number> {
  const readings = await readRecording(file, { key: 'vehicle_id', timestamp: 'timestamp' })
  const vehicles = new Set(readings.map((reading) => reading.key)).size
  terminal.out(`${file}: ${grouped(readings.length)} readings of ${grouped(vehicles)} vehicles.\n`)
  terminal.out('Each query twice, over the file in its own order and in order of time, against SQLite.\n\n')
  const titles = ['query', 'read by', 'results', 'file order', 'time order', 'each other']
  terminal.out(`${styled(terminal, 'dim', columns(titles))}\n`)
  const { compared, different, dropped } = await checkFleet(readings, (check) => {
    terminal.out(`${checkText(check)}\n`)
  })
  for (const text of dropped) terminal.out(`left out by ${text}\n`)
  terminal.out(`\nfleet: ${compared} results compared, ${different} different\n`)
  return different === 0 && dropped.length === 0 && compared > 0 ? EXIT.done : EXIT.failed
}

function checkText(check: QueryCheck): string {
  const { query, read, results, sample } = check
  const what =
    query.form === 'stream' ? query.name : `${query.name}, ${query.form === 'final' ? 'final' : 'changes'}`
  const line = columns([
    what,
    read,
    grouped(results),
    outcome(check.differentInFileOrder),
    outcome(check.differentInTimeOrder),
    outcome(check.differentBetween),
  ])
  return sample === null ? line : `${styled(terminal, 'red', line)}\n  ${sample}`
}

function outcome(different: number): string {
  return different === 0 ? 'equal' : `${grouped(different)} differ`
}

function columns(cells: readonly string[]): string {
  const [what, read, results, ...outcomes] = cells
  return `${what!.padEnd(34)}${read!.padEnd(12)}${results!.padStart(8)}${outcomes.map((o) => o.padStart(13)).join('')}`
}
