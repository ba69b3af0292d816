import type { IToken } from 'chevrotain'
import { SqlError, type Position } from '../base/errors.ts'
import type { Statement } from './ast.ts'
import { tokenize } from './lexer.ts'
import { parseRun } from './parser.ts'
import { explainFailure } from './syntax-error.ts'
import * as T from './tokens.ts'
import { substituteVariables, type Edit, type Variables } from './variables.ts'

export interface ParseOptions {
  /**
   * What `${name}` stands for, names in upper case. DEFINE and UNDEFINE in the text take effect on the
   * statements after them. false: nothing is replaced.
   */
  readonly variables?: Variables | false | undefined
}

export interface ParseResult {
  /** Those that could be read, in order. */
  readonly statements: readonly Statement[]
  /** In order of their place. A statement can have several. */
  readonly errors: readonly SqlError[]
}

/**
 * Reads the statements of a text, each ended by `;`.
 *
 * @throws SqlError the first error, with stage `parse`
 */
export function parseStatements(text: string, options: ParseOptions = {}): readonly Statement[] {
  const { statements, errors } = parseAll(text, options)
  if (errors.length > 0) throw errors[0]!
  return statements
}

/** Reads the statements of a text, going on after errors. */
export function parseAll(text: string, options: ParseOptions = {}): ParseResult {
  const statements: Statement[] = []
  const errors: SqlError[] = []
  const substitute = options.variables !== false
  const variables = new Map(options.variables === false ? [] : options.variables)
  const tokens = tokenize(text)
  let from = 0
  while (from < tokens.length) {
    let to = from
    while (to < tokens.length && tokens[to]!.tokenType !== T.Semicolon) to++
    to = Math.min(to + 1, tokens.length)
    if (to - from === 1 && tokens[from]!.tokenType === T.Semicolon) {
      from = to // an empty statement
      continue
    }
    const result = readOne(text, tokens.slice(from, to), substitute ? variables : undefined)
    errors.push(...result.errors)
    if (result.statement !== undefined) {
      statements.push(result.statement)
      if (result.statement.kind === 'define') {
        variables.set(result.statement.name.name, result.statement.value.value)
      }
      if (result.statement.kind === 'undefine') variables.delete(result.statement.name.name)
    }
    from = result.restartAt === null ? to : from + result.restartAt
  }
  return { statements, errors }
}

interface OneResult {
  readonly statement: Statement | undefined
  readonly errors: readonly SqlError[]
  /** Set where a `;` was missing: the index of the token at which the next statement begins. */
  readonly restartAt: number | null
}

function readOne(text: string, run: readonly IToken[], variables: Variables | undefined): OneResult {
  let tokens: IToken[]
  let edits: readonly Edit[] = []
  try {
    if (variables === undefined) tokens = [...run]
    else ({ tokens, edits } = substituteVariables(run, variables))
  } catch (error) {
    if (error instanceof SqlError) return { statement: undefined, errors: [error], restartAt: null }
    throw error
  }
  const textOf = (at: Position): string => applyEdits(text, at.index, at.index + at.length, edits)
  const outcome = parseRun(tokens, textOf)
  if (outcome.kind === 'statement') return { statement: outcome.statement, errors: [], restartAt: null }
  const { errors, restartAt } = explainFailure(tokens, outcome)
  return { statement: undefined, errors, restartAt }
}

/** The text between two offsets with the edits inside it made. */
function applyEdits(text: string, from: number, to: number, edits: readonly Edit[]): string {
  let result = ''
  let done = from
  for (const edit of edits) {
    if (edit.from < from || edit.to > to) continue
    result += text.slice(done, edit.from) + edit.text
    done = edit.to
  }
  return result + text.slice(done, to)
}
