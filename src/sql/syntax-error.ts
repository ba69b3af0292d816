import type { IToken } from 'chevrotain'
import { SqlError } from '../base/errors.ts'
import { placeAfter, placeOf } from './lexer.ts'
import { parseRun, type Failure, type Outcome, type SyntaxFailure } from './parser.ts'
import { hintFor } from './syntax-hints.ts'
import { bestRepair, inQuotes } from './syntax-repair.ts'
import * as T from './tokens.ts'
import { K } from './tokens.ts'

export interface Explanation {
  /** One at least, in order of their place. */
  readonly errors: readonly SqlError[]
  /** Set where only a `;` was missing: the index of the token at which the next statement begins. */
  readonly restartAt: number | null
}

/**
 * Words the errors of a run of tokens that is no statement.
 *
 * Going on after an error works by repair: of the small changes that might have been meant (another word,
 * quotes, a missing or superfluous token) the one that carries the parser furthest gives the hint, and
 * reading goes on with it to find the next error.
 */
export function explainFailure(run: readonly IToken[], first: Failure): Explanation {
  const errors: SqlError[] = []
  let tokens = [...run]
  let failure: Failure = first
  for (;;) {
    if (failure.kind === 'refused') return { errors: [...errors, failure.error], restartAt: null }
    if (errors.length === 0) {
      const restartAt = missingSemicolon(tokens, failure)
      if (restartAt !== null) {
        const error = syntaxError('The statement has no ";" at its end.', {
          hint: `Put ";" before ${tokens[restartAt]!.image}.`,
          at: placeAfter(tokens[restartAt - 1]!),
        })
        return { errors: [error], restartAt }
      }
    }
    const written = hintFor(tokens, failure)
    if (written !== undefined) {
      const at = placeAt(tokens, written.index ?? failure.index)
      errors.push(syntaxError(written.message ?? plainMessage(tokens, failure), { hint: written.hint, at }))
      return { errors, restartAt: null }
    }
    const repair = bestRepair(tokens, failure)
    if (repair === undefined) {
      errors.push(syntaxError(plainMessage(tokens, failure), { at: placeAt(tokens, failure.index) }))
      return { errors, restartAt: null }
    }
    errors.push(
      syntaxError(repair.message ?? plainMessage(tokens, failure), {
        hint: repair.hint,
        at: placeAt(tokens, repair.index),
      }),
    )
    tokens = repair.tokens
    const outcome: Outcome = repair.outcome
    if (outcome.kind === 'statement' || errors.length >= ERRORS_PER_STATEMENT_MAX) {
      return { errors, restartAt: null }
    }
    failure = outcome
  }
}

const ERRORS_PER_STATEMENT_MAX = 8

function syntaxError(message: string, details: { hint?: string | undefined; at: SqlError['at'] }): SqlError {
  return new SqlError('SQL_SYNTAX', { message, ...details, stage: 'parse' })
}

function placeAt(tokens: readonly IToken[], index: number): SqlError['at'] {
  const token = tokens[index]
  return token === undefined ? placeAfter(tokens.at(-1)!) : placeOf(token)
}

/** Words that only ever begin a statement, and those that do when they stand at the start of a line. */
const BEGINS_STATEMENT: ReadonlySet<T.TokenType> = new Set([
  K.CREATE,
  K.INSERT,
  K.DROP,
  K.DESCRIBE,
  K.PRINT,
  K.TERMINATE,
  K.SELECT,
  K.LIST,
  K.SHOW,
  K.SET,
  K.UNSET,
  K.ALTER,
  K.EXPLAIN,
  K.DEFINE,
  K.UNDEFINE,
  K.ASSERT,
  K.PAUSE,
  K.RESUME,
  K.RUN,
])

/** Where the next statement begins if all before it would be a statement with a `;`. */
function missingSemicolon(tokens: readonly IToken[], failure: SyntaxFailure): number | null {
  // A word at the start of a line may have been taken for an alias of the line before.
  for (const index of [failure.index, failure.index - 1]) {
    const token = tokens[index]
    if (index < 1 || token === undefined || !BEGINS_STATEMENT.has(token.tokenType)) continue
    if (token.startLine! <= tokens[index - 1]!.endLine!) continue
    const semicolon = {
      ...token,
      image: ';',
      tokenType: T.Semicolon,
      tokenTypeIdx: T.Semicolon.tokenTypeIdx!,
    }
    const outcome = parseRun([...tokens.slice(0, index), semicolon], () => '')
    if (outcome.kind === 'statement') return index
  }
  return null
}

/** States what was found and, where that is short enough to help, what could stand there instead. */
function plainMessage(tokens: readonly IToken[], failure: SyntaxFailure): string {
  const token = tokens[failure.index]
  const expected = expectedText(failure)
  if (token === undefined) {
    const open = unclosedBracket(tokens)
    if (open !== undefined)
      return `The statement ends before the "${open.image}" of line ${open.startLine} is closed.`
    return expected === undefined
      ? 'The statement is not finished.'
      : `The statement ends where ${expected} should follow.`
  }
  if (token.tokenType === T.UnterminatedString) return "The text has no closing '."
  if (token.tokenType === T.UnterminatedName) return `The quoted name has no closing ${token.image[0]}.`
  if (token.tokenType === T.UnterminatedComment) return 'The comment has no closing */.'
  if (token.tokenType === T.Variable) return `The variable ${token.image} is not defined.`
  if (token.tokenType === T.StrayCharacter) return `The character "${token.image}" has no meaning here.`
  if (token.tokenType === T.Semicolon) {
    return expected === undefined
      ? 'The statement is not finished.'
      : `The statement ends where ${expected} should follow.`
  }
  return expected === undefined
    ? `${inQuotes(token.image)} cannot stand here.`
    : `${inQuotes(token.image)} cannot stand here: ${expected} is expected.`
}

function unclosedBracket(tokens: readonly IToken[]): IToken | undefined {
  const open: IToken[] = []
  for (const token of tokens) {
    if (token.tokenType === T.OpenParen || token.tokenType === T.OpenBracket) open.push(token)
    if (token.tokenType === T.CloseParen || token.tokenType === T.CloseBracket) open.pop()
  }
  return open.at(-1)
}

/** Rules whose alternatives are better told by what they stand for. */
const RULE_MEANINGS: Readonly<Record<string, string>> = {
  atom: 'an expression',
  unary: 'an expression',
  negation: 'an expression',
  argument: 'an argument',
  selectItem: 'a column or expression',
  literal: 'a literal',
  number: 'a number',
  type: 'a type',
  statement: 'a statement',
  timeUnit: 'a time unit such as SECONDS',
  reservedTimeUnit: 'a time unit such as SECONDS',
  columnConstraint: 'KEY or PRIMARY KEY',
  valueList: 'an expression',
  nameText: 'a name',
  property: 'a property name',
}

function expectedText(failure: SyntaxFailure): string | undefined {
  const { expected } = failure
  if (expected.length === 0) return undefined
  const rule = RULE_MEANINGS[failure.rules.at(-1) ?? '']
  if (rule !== undefined && expected.length > 1) return rule
  // A ";" is what remains when all optional parts have been passed over: it says little.
  if (expected.length === 1 && expected[0] === T.Semicolon && failure.rules.at(-1) === 'statementEnd')
    return '";"'
  const labels = [...new Set(expected.map((type) => type.LABEL ?? type.name))]
  if (labels.length > 6) return undefined
  if (labels.length === 1) return labels[0]
  return `${labels.slice(0, -1).join(', ')} or ${labels.at(-1)}`
}
