import type { IToken } from 'chevrotain'
import type * as T from './tokens.ts'

/** What is known to be meant by a mistake; parts that are left out say what was found and expected, and where. */
export interface WrittenHint {
  readonly message?: string
  readonly hint: string
  /** The token at fault, if not the one the parser stopped at. */
  readonly index?: number
}

/** Where the parser stopped, and what is around. */
export interface Mistake {
  /** undefined: the text ended. */
  readonly found: IToken | undefined
  readonly before: IToken | undefined
  readonly after: IToken | undefined
  readonly tokens: readonly IToken[]
  readonly index: number
  readonly expects: (type: T.TokenType) => boolean
  readonly inside: (rule: string) => boolean
  /** The innermost rule. */
  readonly rule: string
}

export type Recogniser = (mistake: Mistake) => WrittenHint | undefined

export function is(token: IToken | undefined, ...types: T.TokenType[]): boolean {
  return token !== undefined && types.includes(token.tokenType)
}
