import { SqlError, type Position } from '../base/errors.ts'
import { splitStatements } from '../sql/lexer.ts'
import { parseAll } from '../sql/parse.ts'

/** A statement of a longer text. */
export interface ScriptStatement {
  readonly text: string
  /** Where it begins in the whole text. */
  readonly at: Position
}

/**
 * The statements of a text, each to be run when the one before it is done. What follows the last `;` is a
 * statement too.
 */
export function scriptStatements(text: string): readonly ScriptStatement[] {
  const { statements, rest } = splitStatements(text)
  const pieces = rest === '' ? statements : [...statements, rest]
  let from = 0
  return pieces.map((piece) => {
    const index = text.indexOf(piece, from)
    from = index + piece.length
    const before = text.slice(0, index).split(/\r\n|\r|\n/)
    const at = { line: before.length, column: before.at(-1)!.length + 1, index, length: piece.length }
    return { text: piece, at }
  })
}

/**
 * What is wrong with the grammar of a text. Variables are left out: their values are known when the
 * statements run.
 */
export function syntaxErrors(text: string): readonly SqlError[] {
  if (text.includes('${')) return []
  return parseAll(text).errors
}

/** Scripts that run scripts: deeper is taken for one that runs itself. */
export const SCRIPT_DEPTH_MAX = 16

/** The file a RUN SCRIPT statement names; null: the statement is another. */
export function scriptFile(statement: string): string | null {
  const parsed = parseAll(statement, { variables: false }).statements[0]
  return parsed?.kind === 'run-script' ? parsed.file.value : null
}

export function tooDeep(file: string): SqlError {
  return new SqlError('SQL_RUN_SCRIPT', {
    message: `${file} is run by ${SCRIPT_DEPTH_MAX} scripts within each other.`,
    hint: 'Does it run itself?',
    stage: 'execute',
  })
}

/** The same error, for the whole text a statement was cut from. */
export function inWholeText(error: unknown, statement: ScriptStatement): unknown {
  if (!(error instanceof SqlError) || error.at === undefined) return error
  const { at } = error
  const column = at.line === 1 ? at.column + statement.at.column - 1 : at.column
  const moved = new SqlError(error.code, {
    message: error.message,
    hint: error.hint,
    cause: error.cause,
    stage: error.stage,
    at: {
      line: at.line + statement.at.line - 1,
      column,
      index: at.index + statement.at.index,
      length: at.length,
    },
  })
  if (error.stack !== undefined) moved.stack = error.stack
  return moved
}
