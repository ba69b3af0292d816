import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { MillraceError, SqlError } from '../base/errors.ts'
import { Millrace } from '../runtime/millrace.ts'
import { splitStatements } from '../sql/lexer.ts'
import { parseAll } from '../sql/parse.ts'
import type { CaseOutcome } from './conformance/run-case.ts'

/*
 * Tests in SQL, as ksqlDB's test tool reads them: statements with ASSERT among them, under directives in comments.
 *
 *   --@test: name                  begins a test: what follows is it, up to the next
 *   --@expected.error: text        its last statement is refused; ksqlDB names a class of Java here
 *   --@expected.message: text      … with this in what it says
 */

/** One test of a file. */
export interface SqlTest {
  readonly name: string
  /** Where its statements begin in the file, 1-based. */
  readonly line: number
  readonly text: string
  readonly expectsError: boolean
  /** In the error's message; null: any. */
  readonly expectedMessage: string | null
}

const DIRECTIVE = /^[ \t]*--@(test|expected\.error|expected\.message):[ \t]*(.*?)[ \t]*$/

/** The tests of a file; null: it has none. @throws SyntaxError a directive stands before the first test */
export function sqlTestsOf(text: string): readonly SqlTest[] | null {
  const tests: { name: string; line: number; lines: string[]; error: boolean; message: string | null }[] = []
  for (const [i, line] of text.split('\n').entries()) {
    const [, directive, value] = DIRECTIVE.exec(line.replace(/\r$/, '')) ?? []
    const test = tests.at(-1)
    if (directive === 'test') {
      tests.push({ name: value!, line: i + 2, lines: [], error: false, message: null })
    } else if (test === undefined) {
      if (directive !== undefined)
        throw new SyntaxError(`Line ${i + 1}: --@${directive} stands before the first --@test.`)
    } else {
      // Directives stay as comments, so that lines keep their numbers.
      test.lines.push(line)
      if (directive === 'expected.error') test.error = true
      if (directive === 'expected.message') test.message = value!
    }
  }
  if (tests.length === 0) return null
  return tests.map(({ name, line, lines, error, message }) => ({
    name,
    line,
    text: lines.join('\n'),
    expectsError: error || message !== null,
    expectedMessage: message,
  }))
}

/** What a statement did that a test has to judge. */
interface Failure {
  readonly message: string
  /** 1-based, in its file. */
  readonly line: number
  readonly isRefusal: boolean
  readonly isLast: boolean
}

/** Runs a test over an empty Millrace in memory. @param path  of its file: scripts it runs are found from there */
export async function runSqlTest(test: SqlTest, path: string, msMax: number): Promise<CaseOutcome> {
  const millrace = await Millrace.open({ commitIntervalMs: 5, settings: { 'auto.offset.reset': 'earliest' } })
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<Failure>((answer) => {
    const failure = {
      message: `It took longer than ${msMax} ms.`,
      line: test.line,
      isRefusal: false,
      isLast: true,
    }
    timer = setTimeout(() => answer(failure), msMax)
  })
  try {
    const failure = await Promise.race([runStatements(millrace, test.text, test.line, path), tooLong])
    return verdict(test, failure)
  } finally {
    clearTimeout(timer)
    await millrace.close()
  }
}

function verdict({ expectsError, expectedMessage }: SqlTest, failure: Failure | null): CaseOutcome {
  if (failure === null) {
    return expectsError
      ? { status: 'failed', reason: 'Its last statement should have been refused.' }
      : { status: 'passed', reason: null }
  }
  const { message, line, isRefusal, isLast } = failure
  if (!expectsError) return { status: 'failed', reason: `line ${line}: ${message}` }
  if (!isRefusal) return { status: 'error', reason: `line ${line}: ${message}` }
  if (!isLast) return { status: 'failed', reason: `line ${line}, before the last statement: ${message}` }
  return expectedMessage === null || message.includes(expectedMessage)
    ? { status: 'passed', reason: null }
    : { status: 'failed', reason: `line ${line}: ${message} — without “${expectedMessage}”` }
}

/** @returns what ended it before its end; null: nothing */
async function runStatements(
  millrace: Millrace,
  text: string,
  firstLine: number,
  path: string,
  depth = 0,
): Promise<Failure | null> {
  const { statements, rest } = splitStatements(text)
  const all = rest === '' ? statements : [...statements, rest]
  let from = 0
  for (const [i, statement] of all.entries()) {
    const index = text.indexOf(statement, from)
    from = index + statement.length
    const line = firstLine + text.slice(0, index).split('\n').length - 1
    try {
      const parsed = parseAll(statement, { variables: false }).statements[0]
      if (parsed?.kind === 'run-script' && depth < SCRIPT_DEPTH_MAX) {
        const script = resolve(dirname(path), parsed.file.value)
        const failure = await runStatements(millrace, await readFile(script, 'utf8'), 1, script, depth + 1)
        if (failure === null) continue
        const isLast = failure.isLast && i === all.length - 1
        return {
          ...failure,
          isLast,
          line,
          message: `${parsed.file.value}, line ${failure.line}: ${failure.message}`,
        }
      }
      const results = await millrace.sql(statement)
      for (const result of results) if (result.kind === 'stream') await result.rows.close()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      // A statement begins with the comments before it.
      const within = error instanceof SqlError ? (error.at?.line ?? 1) - 1 : 0
      const isRefusal = error instanceof MillraceError
      return { message, line: line + within, isRefusal, isLast: i === all.length - 1 }
    }
  }
  return null
}

const SCRIPT_DEPTH_MAX = 16
