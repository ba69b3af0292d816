import type { IToken } from 'chevrotain'
import { SqlError } from '../base/errors.ts'
import { placeOf, tokenize } from './lexer.ts'
import * as T from './tokens.ts'
import { K } from './tokens.ts'

/** Values of substitution variables by name in upper case, as DEFINE gave them. */
export type Variables = ReadonlyMap<string, string>

/** A replacement in the text: `[from, to)` becomes `text`. */
export interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}

/**
 * Replaces `${name}` in the tokens of one statement.
 *
 * A variable standing alone becomes one name or literal, never a keyword or an operator; inside a string
 * or a quoted name it becomes characters, escaped so that they cannot end it. `$${name}` stands for the
 * characters `${name}`. Unknown variables stay as they are. Replaced tokens keep their place in the text.
 */
export function substituteVariables(
  tokens: readonly IToken[],
  variables: Variables,
): { readonly tokens: IToken[]; readonly edits: readonly Edit[] } {
  const edits: Edit[] = []
  const replaced: IToken[] = []
  for (const token of tokens) {
    const substitutes = substitutesOf(token, variables)
    replaced.push(...substitutes)
    if (substitutes[0] !== token) {
      const text = substitutes.map((substitute) => substitute.image).join('')
      edits.push({ from: token.startOffset, to: token.endOffset! + 1, text })
    }
  }
  return { tokens: replaced, edits }
}

function substitutesOf(token: IToken, variables: Variables): IToken[] {
  switch (token.tokenType) {
    case T.Variable: {
      const value = token.image.startsWith('$$') ? undefined : variables.get(variableName(token.image))
      return value === undefined ? [token] : standingAlone(token, value)
    }
    case T.StringText:
    case T.QuotedIdentifier: {
      if (!token.image.includes('${')) return [token]
      const quote = token.image[0]!
      const image = token.image.replaceAll(REFERENCE, (reference: string) => {
        if (reference.startsWith('$$')) return reference.slice(1)
        return variables.get(variableName(reference))?.replaceAll(quote, quote + quote) ?? reference
      })
      return image === token.image ? [token] : [{ ...token, image }]
    }
    default:
      return [token]
  }
}

const REFERENCE = /\$?\$\{[A-Za-z_][A-Za-z0-9_@]*\}/g

function variableName(reference: string): string {
  return reference.slice(2, -1).toUpperCase()
}

function standingAlone(token: IToken, value: string): IToken[] {
  const read = tokenize(value)
  const place = (part: IToken): IToken => ({
    ...token,
    image: part.image,
    tokenType: part.tokenType,
    tokenTypeIdx: part.tokenTypeIdx,
  })
  if (read.length === 1 && isNameOrLiteral(read[0]!)) return [place(asName(read[0]!))]
  if (read.length === 2 && read[0]!.tokenType === T.Minus && isNumber(read[1]!)) return read.map(place)
  throw new SqlError('SQL_BAD_VARIABLE', {
    message: `The variable ${token.image} holds "${value}", which is neither one name nor one literal.`,
    hint: "A text needs its quotes inside the value: DEFINE name = '''text''';",
    at: placeOf(token),
    stage: 'parse',
  })
}

/** Words never act as keywords when they come from a variable. */
function asName(token: IToken): IToken {
  const isWord = T.WORDS.get(token.image.toUpperCase()) === token.tokenType
  if (!isWord || CONSTANTS.has(token.tokenType)) return token
  return { ...token, tokenType: T.Identifier, tokenTypeIdx: T.Identifier.tokenTypeIdx! }
}

const CONSTANTS: ReadonlySet<T.TokenType> = new Set([K.TRUE, K.FALSE, K.NULL])

function isNameOrLiteral(token: IToken): boolean {
  const type = token.tokenType
  if (type === T.Identifier || type === T.QuotedIdentifier || type === T.DigitIdentifier) return true
  if (type === T.StringText || isNumber(token) || CONSTANTS.has(type)) return true
  return T.WORDS.has(token.image.toUpperCase()) && !T.isReservedWord(token.image.toUpperCase())
}

function isNumber(token: IToken): boolean {
  const type = token.tokenType
  return type === T.IntegerNumber || type === T.DecimalNumber || type === T.DoubleNumber
}
