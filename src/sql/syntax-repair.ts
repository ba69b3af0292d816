import type { IToken } from 'chevrotain'
import { parseRun, type Outcome, type SyntaxFailure } from './parser.ts'
import * as T from './tokens.ts'

export interface Repair {
  readonly tokens: IToken[]
  readonly outcome: Outcome
  /** The token at fault. */
  readonly index: number
  /** undefined: what was found and expected says it best. */
  readonly message: string | undefined
  readonly hint: string
}

interface Candidate {
  readonly tokens: IToken[]
  readonly index: number
  readonly message?: string
  readonly hint: string
  /** How far the parser must get, in tokens of `tokens`, for the change to explain anything. */
  readonly mustReach: number
}

/** The small change to a statement with which it reads furthest, if one helps at all. */
export function bestRepair(tokens: readonly IToken[], failure: SyntaxFailure): Repair | undefined {
  let best: { repair: Repair; reached: number } | undefined
  for (const candidate of candidatesFor(tokens, failure)) {
    const outcome = parseRun(candidate.tokens, () => '')
    const reached = outcome.kind === 'syntax' ? outcome.index : Number.POSITIVE_INFINITY
    if (reached < candidate.mustReach || (best !== undefined && reached <= best.reached)) continue
    const { index, message, hint } = candidate
    best = { repair: { tokens: candidate.tokens, outcome, index, message, hint }, reached }
    if (reached === Number.POSITIVE_INFINITY) break
  }
  return best?.repair
}

/** Likelier ones first: of two that read equally far the first wins. */
function* candidatesFor(tokens: readonly IToken[], failure: SyntaxFailure): Generator<Candidate> {
  const { index } = failure
  for (const at of [index, index - 1, index - 2]) {
    if (at >= 0 && at < tokens.length) yield* otherWords(tokens, at, index)
  }
  const token = tokens[index]
  if (
    token !== undefined &&
    T.isReservedWord(token.image.toUpperCase()) &&
    token.tokenType !== T.QuotedIdentifier
  ) {
    yield quoted(tokens, index)
  }
  if (index > 0 && tokens[index - 1]!.tokenType === T.Comma) {
    yield {
      tokens: tokens.toSpliced(index - 1, 1),
      index: index - 1,
      message:
        token === undefined
          ? 'There is a comma too many.'
          : `There is a comma too many before ${inQuotes(token.image)}.`,
      hint: 'Leave the comma out.',
      mustReach: index,
    }
  }
  yield* missingTokens(tokens, failure)
  if (token !== undefined && token.tokenType !== T.Semicolon) {
    yield {
      tokens: tokens.toSpliced(index, 1),
      index,
      hint: `Perhaps ${token.image.length > 40 ? 'it' : inQuotes(token.image)} is too much.`,
      mustReach: Number.POSITIVE_INFINITY,
    }
  }
}

function retyped(token: IToken, type: T.TokenType, image: string): IToken {
  return { ...token, image, tokenType: type, tokenTypeIdx: type.tokenTypeIdx! }
}

/** A name that is nearly a keyword. */
function* otherWords(tokens: readonly IToken[], at: number, failedAt: number): Generator<Candidate> {
  const token = tokens[at]!
  if (token.tokenType !== T.Identifier) return
  for (const word of nearWords(token.image.toUpperCase())) {
    yield {
      tokens: tokens.toSpliced(at, 1, retyped(token, T.WORDS.get(word)!, word)),
      index: at,
      message: `${inQuotes(token.image)} cannot stand here.`,
      hint: `Did you mean ${word}?`,
      mustReach: failedAt + 1,
    }
  }
}

/** Words that begin clauses: where a name is missing before one, quoting the word would mislead. */
const CLAUSE_WORDS: ReadonlySet<string> = new Set([
  'FROM',
  'WHERE',
  'SELECT',
  'GROUP',
  'HAVING',
  'WINDOW',
  'LIMIT',
  'AS',
  'ON',
  'JOIN',
])

function quoted(tokens: readonly IToken[], index: number): Candidate {
  const token = tokens[index]!
  const word = token.image.toUpperCase()
  return {
    tokens: tokens.toSpliced(index, 1, retyped(token, T.Identifier, token.image)),
    index,
    message: `"${token.image}" is a reserved word and cannot be a name as it stands.`,
    hint: `Quote it: \`${word}\`.`,
    mustReach: CLAUSE_WORDS.has(word) ? Number.POSITIVE_INFINITY : index + 2,
  }
}

function* missingTokens(tokens: readonly IToken[], failure: SyntaxFailure): Generator<Candidate> {
  const { index } = failure
  const neighbour = tokens[index] ?? tokens[index - 1]!
  const single = failure.expected.length === 1 // else naming one of several words would be a guess
  const signs = new Set<T.TokenType>([...failure.expected.slice(0, 6), T.CloseParen, T.Comma, T.Equal])
  for (const type of signs) {
    const isWord = T.WORDS.has(type.LABEL ?? '')
    const text = typeof type.PATTERN === 'string' ? type.PATTERN : isWord && single ? type.LABEL! : undefined
    if (text === undefined) continue
    if (type === T.Semicolon && index < tokens.length) continue
    const where = tokens[index] === undefined ? 'at the end' : `before ${inQuotes(neighbour.image)}`
    yield {
      tokens: tokens.toSpliced(index, 0, retyped(neighbour, type, text)),
      index,
      ...(type === T.Semicolon && { message: 'The statement has no ";" at its end.' }),
      hint:
        type === T.Semicolon
          ? 'End the statement with ";".'
          : `Perhaps ${/^\w/.test(text) ? text : `"${text}"`} is missing ${where}.`,
      mustReach: index + 2,
    }
  }
}

/** What the user wrote, told apart from the sentence around it. */
export function inQuotes(image: string): string {
  return /^['"`]/.test(image) ? image : `"${image}"`
}

/** Words a slip or two away, nearest first. */
export function nearWords(written: string): string[] {
  const far = written.length <= 3 ? 1 : 2
  const near: { word: string; distance: number }[] = []
  for (const word of T.WORDS.keys()) {
    if (Math.abs(word.length - written.length) > far) continue
    const distance = slips(written, word)
    if (distance <= far) near.push({ word, distance })
  }
  return near.toSorted((a, b) => a.distance - b.distance).map(({ word }) => word)
}

/** How many letters must be changed, added, left out or swapped with their neighbour. */
function slips(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      let least = Math.min(
        previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
        previous[j]! + 1,
        row[j - 1]! + 1,
      )
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) least = Math.min(least, beforePrevious[j - 2]! + 1)
      row.push(least)
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length]!
}
