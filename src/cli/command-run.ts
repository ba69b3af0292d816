import { readFile } from 'node:fs/promises'
import type { Millrace } from '../runtime/millrace.ts'
import type { StatementResult } from '../runtime/statement-result.ts'
import type { Statement } from '../sql/ast.ts'
import { parseAll } from '../sql/parse.ts'
import { withMillrace, type CommandContext, type CommonOptions } from './command-context.ts'
import { errorText, EXIT, exitCodeFor } from './error-text.ts'
import { Progress } from './progress.ts'
import { printResult } from './result-printer.ts'
import { inWholeText, scriptStatements, syntaxErrors, type ScriptStatement } from './script.ts'
import { whenStopped } from './stop-signal.ts'
import { styled } from './terminal.ts'

export interface RunCommandOptions extends CommonOptions {
  /** End when every query has consumed and committed all its input. */
  readonly untilIdle?: boolean
  readonly json?: boolean
}

/**
 * `millrace run FILE…`: runs the statements of the files and keeps their queries going until it is
 * stopped. Run again on the same data directory it goes on: a statement that made what is there already,
 * word for word, is passed over.
 *
 * @returns the exit code
 */
export async function runCommand(
  context: CommandContext,
  files: readonly string[],
  options: RunCommandOptions,
): Promise<number> {
  const { terminal } = context
  const scripts: { readonly file: string; readonly text: string }[] = []
  for (const file of files) {
    try {
      scripts.push({ file, text: await readFile(file, 'utf8') })
    } catch (error) {
      terminal.err(errorText(error, terminal))
      return EXIT.usage
    }
  }
  let isWellFormed = true
  for (const { file, text } of scripts) {
    for (const error of syntaxErrors(text)) {
      terminal.err(`${file}: ${errorText(error, terminal, text)}`)
      isWellFormed = false
    }
  }
  if (!isWellFormed) return EXIT.failed
  return withMillrace(context, options, async (millrace) => {
    const ended = new AbortController()
    const stop = AbortSignal.any([context.stop, ended.signal])
    const shown: Promise<number>[] = []
    let passedOver = 0
    for (const { file, text } of scripts) {
      for (const statement of scriptStatements(text)) {
        try {
          if (isThere(millrace, statement)) {
            passedOver++
            continue
          }
          const [result] = await millrace.sql(statement.text)
          if (result !== undefined) shown.push(show(result, context, stop, options))
        } catch (error) {
          ended.abort()
          await Promise.allSettled(shown)
          terminal.err(`${file}: ${errorText(inWholeText(error, statement), terminal, text)}`)
          return exitCodeFor(error)
        }
      }
    }
    if (passedOver > 0) {
      const what =
        passedOver === 1
          ? '1 statement was passed over: what it makes is'
          : `${passedOver} statements were passed over: what they make is`
      terminal.err(`${styled(terminal, 'dim', `${what} there already.`)}\n`)
    }
    const code =
      options.untilIdle === true ? await untilIdle(millrace, context) : await untilStopped(millrace, context)
    ended.abort()
    await Promise.all(shown)
    return code
  })
}

/** Results that end are shown at once; queries that go on are shown while the others run. */
async function show(
  result: StatementResult,
  { terminal }: CommandContext,
  stop: AbortSignal,
  options: RunCommandOptions,
): Promise<number> {
  return printResult(result, terminal, { json: options.json === true, stop })
}

/** Whether a stream, table, alert or query made by the very same text is there already. */
function isThere(millrace: Millrace, { text }: ScriptStatement): boolean {
  const statement = parseAll(text).statements[0]
  if (statement === undefined) return false
  switch (statement.kind) {
    case 'create-source':
      return (
        !statement.orReplace && sameText(millrace.catalog.source(statement.name.name)?.statement, statement)
      )
    case 'create-as':
    case 'create-alert':
    case 'insert-select':
      return millrace.queries().some((query) => sameText(query.statement, statement))
    default:
      return false
  }
}

function sameText(known: string | undefined, statement: Statement): boolean {
  return known?.replace(/;\s*$/, '').trim() === statement.text.replace(/;\s*$/, '').trim()
}

async function untilIdle(millrace: Millrace, context: CommandContext): Promise<number> {
  const progress = new Progress()
  const timer = setInterval(() => progress.update(() => figures(millrace)), 200)
  try {
    const outcome = await Promise.race([
      millrace.untilIdle().then(() => 'idle' as const),
      whenStopped(context.stop).then(() => 'stopped' as const),
    ])
    return outcome === 'idle' ? EXIT.done : EXIT.interrupted
  } finally {
    clearInterval(timer)
    progress.clear()
    reportDropped(millrace, context)
  }
}

async function untilStopped(millrace: Millrace, context: CommandContext): Promise<number> {
  const { terminal } = context
  const progress = new Progress()
  const failed = new Set<string>()
  const count = millrace.queries().length
  terminal.err(
    `${styled(terminal, 'dim', `${count} ${count === 1 ? 'query runs' : 'queries run'}. Ctrl-C ends.`)}\n`,
  )
  const timer = setInterval(() => {
    for (const { id, state, error } of millrace.queries()) {
      if (state !== 'ERROR' || failed.has(id)) continue
      failed.add(id)
      progress.clear()
      terminal.err(`${styled(terminal, 'red', 'error:')} Query ${id} stopped: ${error ?? 'unknown reason'}\n`)
    }
    progress.update(() => figures(millrace))
  }, 500)
  await whenStopped(context.stop)
  clearInterval(timer)
  progress.clear()
  reportDropped(millrace, context)
  return failed.size === 0 ? EXIT.done : EXIT.failed
}

function figures(millrace: Millrace): string {
  const counters = millrace.queries().map((query) => query.counters)
  const sum = (of: (c: (typeof counters)[number]) => number): string =>
    counters.reduce((total, c) => total + of(c), 0).toLocaleString('en')
  return `${sum((c) => c.recordsIn)} records in, ${sum((c) => c.recordsOut)} out, ${sum((c) => c.lag)} to go`
}

/** What was skipped is said once, with where to look. */
function reportDropped(millrace: Millrace, { terminal }: CommandContext): void {
  for (const { id, counters } of millrace.queries()) {
    const reasons = Object.entries(counters.dropped).filter(([, count]) => count > 0)
    if (counters.expressionErrors > 0) reasons.push(['failed expressions', counters.expressionErrors])
    if (reasons.length === 0) continue
    const text = reasons.map(([reason, count]) => `${count.toLocaleString('en')} ${reason}`).join(', ')
    const isTold = counters.dropped['undecodable'] !== undefined || counters.expressionErrors > 0
    const where = isTold ? ' See the stream PROCESSING_LOG.' : ''
    terminal.err(`${styled(terminal, 'yellow', 'note:')} ${id} skipped rows: ${text}.${where}\n`)
  }
}
