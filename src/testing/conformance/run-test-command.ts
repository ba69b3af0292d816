import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { casesOf } from './case-file.ts'
import { CasePool } from './case-pool.ts'
import { runSqlTest, sqlTestsOf, type SqlTest } from '../sql-tests.ts'
import type { CaseOutcome } from './run-case.ts'

export interface TestCommandOptions {
  /** One JSON object per case and a summary, nothing else. */
  readonly json: boolean
}

/** Where the command prints: whole lines, without their line break. */
export interface TestOutput {
  line(text: string): void
}

/** A case may take this long. */
const CASE_MS_MAX = 60_000

/** What a path held. */
interface CaseFile {
  /** As reached from the argument. */
  readonly path: string
  readonly text: string
  readonly ids: readonly string[]
  /** Of a file of SQL tests; null: its cases are JSON. */
  readonly sqlTests: readonly SqlTest[] | null
}

/**
 * `millrace test PATH…`: runs the cases of files and directories and prints what came of each.
 *
 * Cases run in a thread of their own, so that one that never ends can be stopped; tests in SQL, which wait
 * rather than compute, run here.
 *
 * @returns the exit code: 0 when at least one case ran and all passed, and every path could be read
 */
export async function runTestCommand(
  paths: readonly string[],
  options: TestCommandOptions,
  out: TestOutput,
): Promise<number> {
  const unreadable: string[] = []
  const files = paths.flatMap((path) => readPath(path, unreadable))
  const tally = { total: 0, passed: 0, failed: 0, error: 0, unsupported: 0 }
  const failures: string[] = []
  const pool = new CasePool(CASE_MS_MAX)
  try {
    for (const file of files) {
      let passedHere = 0
      if (file.sqlTests === null) await pool.load(file.text)
      for (const [index, id] of file.ids.entries()) {
        const startedMs = performance.now()
        const outcome: CaseOutcome =
          file.sqlTests === null
            ? await pool.run(index)
            : await runSqlTest(file.sqlTests[index]!, file.path, CASE_MS_MAX)
        const ms = Math.round(performance.now() - startedMs)
        tally.total++
        if (outcome.status === 'passed') passedHere++
        else failures.push(`${outcome.status.padEnd(11)} ${id}: ${outcome.reason}`)
        tally[outcome.status === 'passed' ? 'passed' : 'failed']++
        if (outcome.status === 'error' || outcome.status === 'unsupported') tally[outcome.status]++
        if (options.json) {
          out.line(
            JSON.stringify({ id, file: file.path, status: outcome.status, reason: outcome.reason, ms }),
          )
        }
      }
      if (!options.json)
        out.line(`${String(passedHere).padStart(5)} of ${String(file.ids.length).padEnd(4)} ${file.path}`)
    }
  } finally {
    await pool.close()
  }
  if (options.json) {
    out.line(JSON.stringify({ summary: tally }))
  } else {
    if (failures.length > 0) out.line('')
    for (const failure of failures) out.line(failure)
    out.line('')
    out.line(
      `${tally.total} cases: ${tally.passed} passed, ${tally.failed} failed` +
        ` (of these ${tally.unsupported} not supported yet, ${tally.error} errors)`,
    )
  }
  for (const problem of unreadable) if (!options.json) out.line(problem)
  return tally.total > 0 && tally.failed === 0 && unreadable.length === 0 ? 0 : 1
}

/** The case files of an argument, directories searched in order of names. */
function readPath(path: string, unreadable: string[]): CaseFile[] {
  try {
    if (statSync(path).isDirectory()) {
      return readdirSync(path, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.json') || name.endsWith('.sql'))
        .sort()
        .flatMap((name) => readFile(join(path, name), unreadable))
    }
    return readFile(path, unreadable)
  } catch (error) {
    unreadable.push(`${path}: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
}

function readFile(path: string, unreadable: string[]): CaseFile[] {
  try {
    const text = readFileSync(path, 'utf8')
    if (path.endsWith('.sql')) {
      const sqlTests = sqlTestsOf(text)
      return sqlTests === null ? [] : [{ path, text, ids: sqlTests.map((t) => t.name), sqlTests }]
    }
    const cases = casesOf(text)
    return cases === null ? [] : [{ path, text, ids: cases.map((c) => c.id), sqlTests: null }]
  } catch (error) {
    unreadable.push(`${path}: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
}
