import {
  EmbeddedActionsParser,
  tokenMatcher,
  type IOrAlt,
  type IParserErrorMessageProvider,
  type IToken,
  type TokenType,
} from 'chevrotain'
import type { Position } from '../base/errors.ts'
import type { Identifier, NumberLiteral, StringLiteral, TypeNode } from './ast.ts'
import { placeOf } from './lexer.ts'
import * as T from './tokens.ts'
import { K } from './tokens.ts'

/** Alternatives that all yield the same kind of thing. */
export type Alternatives<T> = IOrAlt<T>[]

/**
 * The grammar in parts, each built on the one before: names, numbers and types here, then expressions,
 * queries and statements. Every rule carries its production.
 *
 * One token of look-ahead chooses between alternatives; where that is not enough a GATE looks further.
 * That keeps the parser's construction, which is part of every start, short. A rule stops at its first
 * error: going on after errors is decided outside, see `parse.ts`.
 */
export abstract class BaseGrammar extends EmbeddedActionsParser {
  /** What would have been right where the last error is. */
  readonly expected: ExpectedTokens

  constructor(checkGrammar: boolean) {
    const expected = new ExpectedTokens()
    super(T.ALL_TOKENS, {
      recoveryEnabled: false,
      maxLookahead: 1,
      skipValidations: !checkGrammar,
      errorMessageProvider: expected,
    })
    this.expected = expected
  }

  /** From a token up to the last one consumed. */
  protected placeFrom(first: IToken): Position {
    return this.RECORDING_PHASE ? NOWHERE : placeOf(first, this.LA(0))
  }

  /** Whether the token `distance` ahead is exactly this word or sign. */
  protected isAhead(distance: number, type: TokenType): boolean {
    return this.LA(distance).tokenType === type
  }

  /** Whether the token `distance` ahead can be a name. */
  protected isNameAhead(distance: number): boolean {
    return tokenMatcher(this.LA(distance), T.Identifier)
  }

  /** identifier : IDENTIFIER | QUOTED_IDENTIFIER | DIGIT_IDENTIFIER | nonReservedWord */
  identifier = this.RULE('identifier', (): Identifier => identifierOf(this.CONSUME(T.Identifier)))

  /** string : STRING */
  string = this.RULE('string', (): StringLiteral => {
    const token = this.CONSUME(T.StringText)
    return { kind: 'string', value: stringValue(token.image), at: placeOf(token) }
  })

  /** number : '-'? (INTEGER_VALUE | DECIMAL_VALUE | FLOATING_POINT_VALUE) */
  number = this.RULE('number', (): NumberLiteral => {
    const start = this.LA(1)
    let sign = ''
    this.OPTION(() => {
      this.CONSUME(T.Minus)
      sign = '-'
    })
    return this.OR([
      { ALT: () => this.numberLiteral('integer', sign, this.CONSUME(T.IntegerNumber), start) },
      { ALT: () => this.numberLiteral('decimal', sign, this.CONSUME(T.DecimalNumber), start) },
      { ALT: () => this.numberLiteral('double', sign, this.CONSUME(T.DoubleNumber), start) },
    ])
  })

  private numberLiteral(
    kind: NumberLiteral['kind'],
    sign: string,
    token: IToken,
    start: IToken,
  ): NumberLiteral {
    return { kind, text: sign + token.image, at: placeOf(start, token) }
  }

  /** type : (arrayType | mapType | structType | decimalType | namedType) ARRAY* */
  type = this.RULE('type', (): TypeNode => {
    const start = this.LA(1)
    let type = this.OR<Alternatives<TypeNode>>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.isAhead(2, T.Less), ALT: () => this.SUBRULE(this.arrayType) },
        { GATE: () => this.isAhead(2, T.Less), ALT: () => this.SUBRULE(this.mapType) },
        {
          GATE: () => this.isAhead(2, T.Less) || this.isAhead(2, T.NotEqual),
          ALT: () => this.SUBRULE(this.structType),
        },
        { ALT: () => this.SUBRULE(this.decimalType) },
        { ALT: () => this.SUBRULE(this.namedType) },
      ],
    })
    this.MANY(() => {
      this.CONSUME(K.ARRAY)
      type = { kind: 'array-type', element: type, at: this.placeFrom(start) }
    })
    return type
  })

  /** arrayType : ARRAY '<' type '>' */
  arrayType = this.RULE('arrayType', (): TypeNode => {
    const start = this.CONSUME(K.ARRAY)
    this.CONSUME(T.Less)
    const element = this.SUBRULE(this.type)
    this.CONSUME(T.Greater)
    return { kind: 'array-type', element, at: this.placeFrom(start) }
  })

  /** mapType : MAP '<' type ',' type '>' */
  mapType = this.RULE('mapType', (): TypeNode => {
    const start = this.CONSUME(K.MAP)
    this.CONSUME(T.Less)
    const key = this.SUBRULE(this.type)
    this.CONSUME(T.Comma)
    const value = this.SUBRULE2(this.type)
    this.CONSUME(T.Greater)
    return { kind: 'map-type', key, value, at: this.placeFrom(start) }
  })

  /** structType : STRUCT '<' (identifier type (',' identifier type)*)? '>' */
  structType = this.RULE('structType', (): TypeNode => {
    const start = this.CONSUME(K.STRUCT)
    const fields: { name: Identifier; type: TypeNode }[] = []
    this.OR([
      { ALT: () => this.CONSUME(T.NotEqual) },
      {
        ALT: () => {
          this.CONSUME(T.Less)
          this.MANY_SEP({
            SEP: T.Comma,
            DEF: () => {
              fields.push({ name: this.SUBRULE(this.identifier), type: this.SUBRULE(this.type) })
            },
          })
          this.CONSUME(T.Greater)
        },
      },
    ])
    return { kind: 'struct-type', fields, at: this.placeFrom(start) }
  })

  /** decimalType : DECIMAL '(' INTEGER_VALUE ',' INTEGER_VALUE ')' */
  decimalType = this.RULE('decimalType', (): TypeNode => {
    const start = this.CONSUME(K.DECIMAL)
    this.CONSUME(T.OpenParen)
    const precision = Number(this.CONSUME(T.IntegerNumber).image)
    this.CONSUME(T.Comma)
    const scale = Number(this.CONSUME2(T.IntegerNumber).image)
    this.CONSUME(T.CloseParen)
    return { kind: 'decimal-type', precision, scale, at: this.placeFrom(start) }
  })

  /** namedType : identifier ('(' typeParameter (',' typeParameter)* ')')? ; typeParameter : INTEGER_VALUE | STRING */
  namedType = this.RULE('namedType', (): TypeNode => {
    const start = this.LA(1)
    const name = this.SUBRULE(this.identifier)
    const parameters: string[] = []
    this.OPTION(() => {
      this.CONSUME(T.OpenParen)
      this.AT_LEAST_ONE_SEP({
        SEP: T.Comma,
        DEF: () => {
          this.OR([
            { ALT: () => parameters.push(this.CONSUME(T.IntegerNumber).image) },
            { ALT: () => parameters.push(this.CONSUME(K.STRING).image.toUpperCase()) },
          ])
        },
      })
      this.CONSUME(T.CloseParen)
    })
    return { kind: 'named-type', name, parameters, at: this.placeFrom(start) }
  })
}

/** While the grammar is recorded, rules run without tokens. */
const NOWHERE: Position = { line: 1, column: 1, index: 0, length: 1 }

/** The name a token stands for. */
function identifierOf(token: IToken): Identifier {
  const quoted = token.tokenType === T.QuotedIdentifier
  const text = quoted ? unquote(token.image) : token.image
  return { kind: 'identifier', name: quoted ? text : text.toUpperCase(), text, quoted, at: placeOf(token) }
}

function unquote(image: string): string {
  const quote = image[0]!
  return image.slice(1, -1).replaceAll(quote + quote, quote)
}

export function stringValue(image: string): string {
  return image.slice(1, -1).replaceAll("''", "'")
}

/** Keeps, for the error being made, the tokens that would have been right; its wording is `syntax-error.ts`. */
export class ExpectedTokens implements IParserErrorMessageProvider {
  tokens: readonly TokenType[] = []
  rule = ''

  buildMismatchTokenMessage(options: { expected: TokenType; ruleName: string }): string {
    return this.#keep([options.expected], options.ruleName)
  }

  buildNotAllInputParsedMessage(options: { ruleName: string }): string {
    return this.#keep([], options.ruleName)
  }

  buildNoViableAltMessage(options: { expectedPathsPerAlt: TokenType[][][]; ruleName: string }): string {
    return this.#keep(firstTokens(options.expectedPathsPerAlt.flat()), options.ruleName)
  }

  buildEarlyExitMessage(options: { expectedIterationPaths: TokenType[][]; ruleName: string }): string {
    return this.#keep(firstTokens(options.expectedIterationPaths), options.ruleName)
  }

  #keep(tokens: readonly TokenType[], rule: string): string {
    this.tokens = tokens
    this.rule = rule
    return rule
  }
}

function firstTokens(paths: readonly (readonly TokenType[])[]): TokenType[] {
  const types = new Set<TokenType>()
  for (const path of paths) if (path.length > 0) types.add(path[0]!)
  return [...types]
}
