import type { IToken } from 'chevrotain'
import { SqlError, type Position } from '../base/errors.ts'
import type { Statement } from './ast.ts'
import { StatementGrammar } from './grammar-statement.ts'
import { placeOf } from './lexer.ts'
import type { TokenType } from './tokens.ts'

export type Outcome = { readonly kind: 'statement'; readonly statement: Statement } | Failure

/** Why a run of tokens is no statement. */
export type Failure = SyntaxFailure | RefusedFailure

/** A token that cannot stand where it stands. */
export interface SyntaxFailure {
  readonly kind: 'syntax'
  /** Which token; the number of tokens if more were needed. */
  readonly index: number
  /** What could have stood there; not always complete, since optional parts before it are left out. */
  readonly expected: readonly TokenType[]
  /** The grammar rules being read, outermost first. */
  readonly rules: readonly string[]
}

/** Well formed, but without a meaning: the error says it all. */
interface RefusedFailure {
  readonly kind: 'refused'
  readonly error: SqlError
}

/**
 * Reads one statement.
 *
 * @param tokens  of the statement, its `;` included
 * @param textOf  the text of a place of the statement
 */
export function parseRun(tokens: IToken[], textOf: (at: Position) => string): Outcome {
  const grammar = (cached ??= new StatementGrammar())
  grammar.textOf = textOf
  grammar.input = tokens
  try {
    const statement: Statement | undefined = grammar.statementEnd()
    const error = grammar.errors[0]
    if (error === undefined) {
      if (tokens.length > DEPTH_MAX && depthOf(statement) > DEPTH_MAX) {
        return { kind: 'refused', error: tooDeep(tokens) }
      }
      return { kind: 'statement', statement }
    }
    const index = tokens.indexOf(error.token)
    return {
      kind: 'syntax',
      index: index === -1 ? tokens.length : index,
      expected: grammar.expected.tokens,
      rules: error.context.ruleStack,
    }
  } catch (error) {
    if (error instanceof SqlError) return { kind: 'refused', error }
    if (error instanceof RangeError) return { kind: 'refused', error: tooDeep(tokens, error) }
    throw error
  }
}

/** Made once, at the first statement: construction takes some 40 ms. */
let cached: StatementGrammar | undefined

/**
 * Levels of a tree that later passes, which walk it recursively, take with ease. Long chains of an
 * operator are deep too: each makes a level.
 */
const DEPTH_MAX = 1000

function depthOf(statement: Statement): number {
  let deepest = 0
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value: statement, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next
    if (typeof value !== 'object' || value === null) continue
    const isNode = 'kind' in value
    deepest = Math.max(deepest, depth)
    for (const child of Object.values(value)) open.push({ value: child, depth: isNode ? depth + 1 : depth })
  }
  return deepest
}

function tooDeep(tokens: readonly IToken[], cause?: RangeError): SqlError {
  return new SqlError('SQL_TOO_DEEP', {
    message: 'The statement is nested too deeply.',
    hint: 'Chains of an operator count too: IN (…) takes a list of any length.',
    at: placeOf(tokens[0]!),
    stage: 'parse',
    cause,
  })
}
