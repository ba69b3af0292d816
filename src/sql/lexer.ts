import { Lexer, type IToken } from 'chevrotain'
import type { Position } from '../base/errors.ts'
import { Identifier, LEXED_TOKENS, Semicolon, WORDS } from './tokens.ts'

/**
 * Cuts a text into tokens; blanks and comments are left out. Never fails: an unfinished string or a
 * character that has no meaning is a token of its own kind, for the parser to refuse at its place.
 */
export function tokenize(text: string): IToken[] {
  const { tokens } = (lexer ??= buildLexer()).tokenize(text)
  for (const token of tokens) {
    if (token.tokenType !== Identifier) continue
    const word = WORDS.get(token.image.toUpperCase())
    if (word === undefined) continue
    token.tokenType = word
    token.tokenTypeIdx = word.tokenTypeIdx!
  }
  return tokens
}

let lexer: Lexer | undefined

function buildLexer(): Lexer {
  return new Lexer(LEXED_TOKENS, {
    positionTracking: 'full',
    ensureOptimizations: false,
    skipValidations: true,
    deferDefinitionErrorsHandling: true,
  })
}

/** The place of a run of tokens, both ends included. */
export function placeOf(first: IToken, last: IToken = first): Position {
  const index = first.startOffset
  return {
    line: first.startLine!,
    column: first.startColumn!,
    index,
    length: Math.max(1, last.endOffset! + 1 - index),
  }
}

/** Just after a token: where something that is missing belongs. */
export function placeAfter(token: IToken): Position {
  return { line: token.endLine!, column: token.endColumn! + 1, index: token.endOffset! + 1, length: 1 }
}

/**
 * Cuts a text, such as what was typed so far in a shell, into complete statements.
 *
 * @returns `statements`: each with its `;`, blanks around removed; `rest`: what follows the last `;`,
 *   empty when that is only blanks and comments
 */
export function splitStatements(text: string): {
  readonly statements: readonly string[]
  readonly rest: string
} {
  const statements: string[] = []
  let from = 0
  let tokensSinceLast = 0
  for (const token of tokenize(text)) {
    tokensSinceLast++
    if (token.tokenType !== Semicolon) continue
    statements.push(text.slice(from, token.endOffset! + 1).trim())
    from = token.endOffset! + 1
    tokensSinceLast = 0
  }
  return { statements, rest: tokensSinceLast === 0 ? '' : text.slice(from).trim() }
}
