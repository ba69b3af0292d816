import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import type { Millrace } from '../runtime/millrace.ts'
import { parseAll } from '../sql/parse.ts'
import { printText } from '../sql/print-expression.ts'
import { withMillrace, type CommandContext, type CommonOptions } from './command-context.ts'
import { errorText, EXIT, exitCodeFor } from './error-text.ts'
import { ProblemNotes } from './problem-notes.ts'
import { printResult } from './result-printer.ts'
import {
  inWholeText,
  SCRIPT_DEPTH_MAX,
  scriptFile,
  scriptStatements,
  syntaxErrors,
  tooDeep,
} from './script.ts'
import { runShell } from './shell.ts'
import { waitingText } from './waiting-text.ts'

export interface SqlCommandOptions extends CommonOptions {
  readonly execute?: string
  readonly file?: string
  /** `name=value` */
  readonly define?: readonly string[]
  readonly json?: boolean
}

/**
 * `millrace sql`: statements of `-e`, of `-f`, or of what is piped in, once; else the interactive shell.
 *
 * @returns the exit code
 */
export async function sqlCommand(context: CommandContext, options: SqlCommandOptions): Promise<number> {
  const { terminal } = context
  const json = options.json === true
  let text: string | undefined
  try {
    if (options.execute !== undefined) text = options.execute
    else if (options.file !== undefined) text = await readFile(options.file, 'utf8')
    else if (process.stdin.isTTY !== true) text = await readAll(process.stdin)
  } catch (error) {
    terminal.err(errorText(error, terminal))
    return EXIT.usage
  }
  const definitions = (options.define ?? []).map(defineStatement)
  if (text !== undefined) {
    if (options.execute !== undefined) text = withSemicolon(text)
    const errors = syntaxErrors(text)
    for (const error of errors) terminal.err(errorText(error, terminal, text))
    if (errors.length > 0) return EXIT.failed
  }
  const problems = new ProblemNotes()
  return withMillrace(
    context,
    options,
    async (millrace) => {
      for (const definition of definitions) await millrace.sql(definition)
      if (text === undefined) return runShell(millrace, terminal, { json, stop: context.stop, problems })
      const code = await runScript(millrace, context, text, json)
      problems.tell(terminal)
      return code
    },
    (problem) => problems.add(problem),
  )
}

function defineStatement(definition: string): string {
  const equals = definition.indexOf('=')
  return `DEFINE ${definition.slice(0, equals)} = ${printText(definition.slice(equals + 1))};`
}

/** On the command line the last `;` may be left out: that is no error beside others either. */
function withSemicolon(text: string): string {
  // A variable that has no value yet may stand for a name or a literal: any will do to find the end.
  const plain = text.replaceAll(/\$\{\w+\}/g, 'x')
  const problems = (sql: string): number => parseAll(sql, { variables: false }).errors.length
  return problems(`${plain}\n;`) < problems(plain) ? `${text}\n;` : text
}

/**
 * Runs the statements one after the other, each until it is done.
 *
 * @param files  the scripts that led here, outermost first
 * @returns the exit code
 */
async function runScript(
  millrace: Millrace,
  context: CommandContext,
  text: string,
  json: boolean,
  files: readonly string[] = [],
): Promise<number> {
  const { terminal, stop } = context
  const tell = (error: unknown): void => {
    const file = files.at(-1)
    terminal.err(`${file === undefined ? '' : `${file}: `}${errorText(error, terminal, text)}`)
  }
  for (const statement of scriptStatements(text)) {
    if (stop.aborted) break
    try {
      const file = scriptFile(statement.text)
      if (file !== null) {
        if (files.length >= SCRIPT_DEPTH_MAX) throw tooDeep(file)
        const inner = await readFile(file, 'utf8')
        const code = await runScript(millrace, context, inner, json, [...files, file])
        if (code !== EXIT.done) return code
        continue
      }
      const [result] = await millrace.sql(statement.text)
      if (result === undefined) continue
      await printResult(result, terminal, {
        json,
        stop,
        whileWaiting: () => waitingText(millrace, statement.text),
      })
    } catch (error) {
      tell(inWholeText(error, statement))
      return exitCodeFor(error)
    }
  }
  return stop.aborted ? EXIT.interrupted : EXIT.done
}
