import type { IToken } from 'chevrotain'
import { SqlError } from '../base/errors.ts'
import type {
  ComparisonExpression,
  Expression,
  Identifier,
  Literal,
  ParameterExpression,
  TimeUnit,
} from './ast.ts'
import { BaseGrammar, stringValue, type Alternatives } from './grammar-base.ts'
import { placeOf } from './lexer.ts'
import * as T from './tokens.ts'
import { K } from './tokens.ts'

/** Expressions. A rule per level of precedence, the loosest first. */
export abstract class ExpressionGrammar extends BaseGrammar {
  /** expression : conjunction (OR conjunction)* */
  expression = this.RULE('expression', (): Expression => {
    const start = this.LA(1)
    let left = this.SUBRULE(this.conjunction)
    this.MANY(() => {
      this.CONSUME(K.OR)
      const right = this.SUBRULE2(this.conjunction)
      left = { kind: 'logical', op: 'OR', left, right, at: this.placeFrom(start) }
    })
    return left
  })

  /** conjunction : negation (AND negation)* */
  conjunction = this.RULE('conjunction', (): Expression => {
    const start = this.LA(1)
    let left = this.SUBRULE(this.negation)
    this.MANY(() => {
      this.CONSUME(K.AND)
      const right = this.SUBRULE2(this.negation)
      left = { kind: 'logical', op: 'AND', left, right, at: this.placeFrom(start) }
    })
    return left
  })

  /** negation : NOT negation | predicated */
  negation = this.RULE('negation', (): Expression => {
    const start = this.LA(1)
    return this.OR<Alternatives<Expression>>([
      {
        ALT: () => {
          this.CONSUME(K.NOT)
          const operand = this.SUBRULE(this.negation)
          return { kind: 'not', operand, at: this.placeFrom(start) }
        },
      },
      { ALT: () => this.SUBRULE(this.predicated) },
    ])
  })

  /** predicated : value predicate? — one only: comparisons do not chain */
  predicated = this.RULE('predicated', (): Expression => {
    const start = this.LA(1)
    const operand = this.SUBRULE(this.value)
    let result = operand
    this.OPTION(() => {
      result = this.SUBRULE(this.predicate, { ARGS: [operand, start] })
    })
    return result
  })

  /**
   * predicate : ('=' | '<>' | '!=' | '<' | '<=' | '>' | '>=') value
   *           | IS nullOrDistinct
   *           | NOT? (between | inList | like)
   */
  predicate = this.RULE('predicate', (operand: Expression, start: IToken): Expression => {
    return this.OR<Alternatives<Expression>>([
      {
        ALT: () => {
          const op = this.SUBRULE(this.comparisonOperator)
          const right = this.SUBRULE(this.value)
          return { kind: 'comparison', op, left: operand, right, at: this.placeFrom(start) }
        },
      },
      { ALT: () => this.SUBRULE(this.nullOrDistinct, { ARGS: [operand, start] }) },
      {
        ALT: () => {
          let negated = false
          this.OPTION(() => {
            this.CONSUME(K.NOT)
            negated = true
          })
          return this.OR2<Alternatives<Expression>>([
            { ALT: () => this.SUBRULE(this.between, { ARGS: [operand, negated, start] }) },
            { ALT: () => this.SUBRULE(this.inList, { ARGS: [operand, negated, start] }) },
            { ALT: () => this.SUBRULE(this.like, { ARGS: [operand, negated, start] }) },
          ])
        },
      },
    ])
  })

  /** comparisonOperator : '=' | '<>' | '!=' | '<' | '<=' | '>' | '>=' */
  comparisonOperator = this.RULE('comparisonOperator', (): ComparisonExpression['op'] => {
    return this.OR<Alternatives<ComparisonExpression['op']>>([
      { ALT: () => (this.CONSUME(T.Equal), '=') },
      { ALT: () => (this.CONSUME(T.NotEqual), '<>') },
      { ALT: () => (this.CONSUME(T.Less), '<') },
      { ALT: () => (this.CONSUME(T.LessEqual), '<=') },
      { ALT: () => (this.CONSUME(T.Greater), '>') },
      { ALT: () => (this.CONSUME(T.GreaterEqual), '>=') },
    ])
  })

  /** nullOrDistinct : IS NOT? NULL | IS NOT? DISTINCT FROM value */
  nullOrDistinct = this.RULE('nullOrDistinct', (operand: Expression, start: IToken): Expression => {
    this.CONSUME(K.IS)
    let negated = false
    this.OPTION(() => {
      this.CONSUME(K.NOT)
      negated = true
    })
    return this.OR<Alternatives<Expression>>([
      {
        ALT: () => {
          this.CONSUME(K.NULL)
          return { kind: 'is-null', operand, negated, at: this.placeFrom(start) }
        },
      },
      {
        ALT: () => {
          this.CONSUME(K.DISTINCT)
          this.CONSUME(K.FROM)
          const right = this.SUBRULE(this.value)
          const op = negated ? 'IS NOT DISTINCT FROM' : 'IS DISTINCT FROM'
          return { kind: 'comparison', op, left: operand, right, at: this.placeFrom(start) }
        },
      },
    ])
  })

  /** between : BETWEEN value AND value */
  between = this.RULE('between', (operand: Expression, negated: boolean, start: IToken): Expression => {
    this.CONSUME(K.BETWEEN)
    const low = this.SUBRULE(this.value)
    this.CONSUME(K.AND)
    const high = this.SUBRULE2(this.value)
    return { kind: 'between', operand, low, high, negated, at: this.placeFrom(start) }
  })

  /** inList : IN '(' expression (',' expression)* ')' */
  inList = this.RULE('inList', (operand: Expression, negated: boolean, start: IToken): Expression => {
    const items: Expression[] = []
    this.CONSUME(K.IN)
    this.CONSUME(T.OpenParen)
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => items.push(this.SUBRULE(this.expression)) })
    this.CONSUME(T.CloseParen)
    return { kind: 'in', operand, items, negated, at: this.placeFrom(start) }
  })

  /** like : LIKE value (ESCAPE STRING)? */
  like = this.RULE('like', (operand: Expression, negated: boolean, start: IToken): Expression => {
    this.CONSUME(K.LIKE)
    const pattern = this.SUBRULE(this.value)
    const escape = this.OPTION(() => {
      this.CONSUME(K.ESCAPE)
      return this.SUBRULE(this.string)
    })
    return { kind: 'like', operand, pattern, escape: escape ?? null, negated, at: this.placeFrom(start) }
  })

  /** value : sum ('||' sum)* */
  value = this.RULE('value', (): Expression => {
    const start = this.LA(1)
    let left = this.SUBRULE(this.sum)
    this.MANY(() => {
      this.CONSUME(T.Concat)
      const right = this.SUBRULE2(this.sum)
      left = { kind: 'concat', left, right, at: this.placeFrom(start) }
    })
    return left
  })

  /** sum : product (('+' | '-') product)* */
  sum = this.RULE('sum', (): Expression => {
    const start = this.LA(1)
    let left = this.SUBRULE(this.product)
    this.MANY(() => {
      const op = this.OR<Alternatives<'+' | '-'>>([
        { ALT: () => (this.CONSUME(T.Plus), '+') },
        { ALT: () => (this.CONSUME(T.Minus), '-') },
      ])
      const right = this.SUBRULE2(this.product)
      left = { kind: 'arithmetic', op, left, right, at: this.placeFrom(start) }
    })
    return left
  })

  /** product : unary (('*' | '/' | '%') unary)* */
  product = this.RULE('product', (): Expression => {
    const start = this.LA(1)
    let left = this.SUBRULE(this.unary)
    this.MANY(() => {
      const op = this.OR<Alternatives<'*' | '/' | '%'>>([
        { ALT: () => (this.CONSUME(T.Star), '*') },
        { ALT: () => (this.CONSUME(T.Slash), '/') },
        { ALT: () => (this.CONSUME(T.Percent), '%') },
      ])
      const right = this.SUBRULE2(this.unary)
      left = { kind: 'arithmetic', op, left, right, at: this.placeFrom(start) }
    })
    return left
  })

  /** unary : ('+' | '-') unary | zoned — a '-' directly before a number belongs to the number */
  unary = this.RULE('unary', (): Expression => {
    const start = this.LA(1)
    return this.OR<Alternatives<Expression>>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => !this.isAhead(1, T.Minus) || !this.isNumberAhead(2),
          ALT: (): Expression => {
            const op = this.OR2<Alternatives<'+' | '-'>>([
              { ALT: () => (this.CONSUME(T.Plus), '+') },
              { ALT: () => (this.CONSUME(T.Minus), '-') },
            ])
            const operand = this.SUBRULE(this.unary)
            return { kind: 'unary', op, operand, at: this.placeFrom(start) }
          },
        },
        { ALT: () => this.SUBRULE(this.zoned) },
      ],
    })
  })

  private isNumberAhead(distance: number): boolean {
    const type = this.LA(distance).tokenType
    return type === T.IntegerNumber || type === T.DecimalNumber || type === T.DoubleNumber
  }

  /** zoned : primary (AT TIME ZONE STRING)? */
  zoned = this.RULE('zoned', (): Expression => {
    const start = this.LA(1)
    const operand = this.SUBRULE(this.primary)
    let result = operand
    this.OPTION({
      GATE: () => this.LA(2).tokenType === K.TIME && this.LA(3).tokenType === K.ZONE,
      DEF: () => {
        this.CONSUME(K.AT)
        this.CONSUME(K.TIME)
        this.CONSUME(K.ZONE)
        const zone = this.SUBRULE(this.string)
        result = { kind: 'at-time-zone', operand, zone, at: this.placeFrom(start) }
      },
    })
    return result
  })

  /** primary : atom ('[' value ']' | '->' identifier)* — `s->*` is left to the SELECT list */
  primary = this.RULE('primary', (): Expression => {
    const start = this.LA(1)
    let operand = this.SUBRULE(this.atom)
    this.MANY({
      GATE: () => !this.isAhead(1, T.Arrow) || !this.isAhead(2, T.Star),
      DEF: () => {
        operand = this.OR<Alternatives<Expression>>([
          {
            ALT: () => {
              this.CONSUME(T.OpenBracket)
              const index = this.SUBRULE(this.value)
              this.CONSUME(T.CloseBracket)
              return { kind: 'subscript', operand, index, at: this.placeFrom(start) }
            },
          },
          {
            ALT: () => {
              this.CONSUME(T.Arrow)
              const field = this.SUBRULE(this.identifier)
              return { kind: 'field', operand, field, at: this.placeFrom(start) }
            },
          },
        ])
      },
    })
    return operand
  })

  /**
   * atom : literal | typedLiteral | case | cast | array | map | struct | call | column
   *      | '(' expression ')'
   */
  atom = this.RULE('atom', (): Expression => {
    return this.OR<Alternatives<Expression>>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.isAhead(2, T.StringText),
          ALT: () => this.SUBRULE(this.typedLiteral),
        },
        { GATE: () => this.isAhead(2, T.OpenBracket), ALT: () => this.SUBRULE(this.array) },
        { GATE: () => this.isAhead(2, T.OpenParen), ALT: () => this.SUBRULE(this.map) },
        { GATE: () => this.isAhead(2, T.OpenParen), ALT: () => this.SUBRULE(this.struct) },
        { GATE: () => this.isAhead(2, T.OpenParen), ALT: () => this.SUBRULE(this.call) },
        { ALT: () => this.SUBRULE(this.column) },
        { ALT: () => this.SUBRULE(this.literal) },
        { ALT: () => this.SUBRULE(this.parameter) },
        { ALT: () => this.SUBRULE(this.case) },
        { ALT: () => this.SUBRULE(this.cast) },
        {
          ALT: () => {
            this.CONSUME(T.OpenParen)
            const inner = this.SUBRULE(this.expression)
            this.CONSUME(T.CloseParen)
            return inner
          },
        },
      ],
    })
  })

  /** parameter : '?' | ':' identifier */
  parameter = this.RULE('parameter', (): ParameterExpression => {
    return this.OR<Alternatives<ParameterExpression>>([
      { ALT: () => ({ kind: 'parameter', name: null, at: placeOf(this.CONSUME(T.PositionalParameter)) }) },
      {
        ALT: () => {
          const token = this.CONSUME(T.NamedParameter)
          return { kind: 'parameter', name: token.image.slice(1), at: placeOf(token) }
        },
      },
    ])
  })

  /** literal : STRING | number | TRUE | FALSE | NULL */
  literal = this.RULE('literal', (): Literal => {
    return this.OR<Alternatives<Literal>>([
      { ALT: () => this.SUBRULE(this.string) },
      { ALT: () => this.checkedNumber(this.SUBRULE(this.number)) },
      { ALT: () => ({ kind: 'boolean', value: true, at: placeOf(this.CONSUME(K.TRUE)) }) },
      { ALT: () => ({ kind: 'boolean', value: false, at: placeOf(this.CONSUME(K.FALSE)) }) },
      { ALT: () => ({ kind: 'null', at: placeOf(this.CONSUME(K.NULL)) }) },
    ])
  })

  private checkedNumber(literal: Literal): Literal {
    if (this.RECORDING_PHASE) return literal
    if (literal.kind === 'integer') {
      const value = BigInt(literal.text)
      if (value !== BigInt.asIntN(64, value)) {
        throw new SqlError('SQL_NUMBER_TOO_LARGE', {
          message: `The number ${literal.text} does not fit BIGINT.`,
          hint: `Write ${literal.text}.0 for a DECIMAL.`,
          at: literal.at,
          stage: 'parse',
        })
      }
    }
    if (literal.kind === 'double' && !Number.isFinite(Number(literal.text))) {
      throw new SqlError('SQL_NUMBER_TOO_LARGE', {
        message: `The number ${literal.text} does not fit DOUBLE.`,
        at: literal.at,
        stage: 'parse',
      })
    }
    return literal
  }

  /** typedLiteral : (DECIMAL | identifier) STRING — DECIMAL is the only type that has one */
  typedLiteral = this.RULE('typedLiteral', (): Literal => {
    const start = this.LA(1)
    this.OR([{ ALT: () => this.CONSUME(K.DECIMAL) }, { ALT: () => this.CONSUME(T.Identifier) }])
    const token = this.LA(0)
    const value = stringValue(this.CONSUME(T.StringText).image)
    const name = token.tokenType === T.QuotedIdentifier ? token.image.slice(1, -1) : token.image.toUpperCase()
    this.ACTION(() => {
      if (name !== 'DECIMAL') {
        throw new SqlError('SQL_SYNTAX', {
          message: `${token.image} cannot stand before a text.`,
          hint: DATE_WORDS.has(name)
            ? `Dates and times have no literals of their own: write the text alone, '${value}'.`
            : 'Only DECIMAL has typed literals; perhaps an operator or a comma is missing.',
          at: placeOf(token),
          stage: 'parse',
        })
      }
    })
    const type: Identifier = {
      kind: 'identifier',
      name,
      text: token.image,
      quoted: token.tokenType === T.QuotedIdentifier,
      at: placeOf(token),
    }
    return { kind: 'typed-literal', type, value, at: this.placeFrom(start) }
  })

  /** case : CASE value? (WHEN expression THEN expression)+ (ELSE expression)? END */
  case = this.RULE('case', (): Expression => {
    const start = this.CONSUME(K.CASE)
    const operand = this.OPTION(() => this.SUBRULE(this.value))
    const branches: { when: Expression; then: Expression }[] = []
    this.AT_LEAST_ONE(() => {
      this.CONSUME(K.WHEN)
      const when = this.SUBRULE(this.expression)
      this.CONSUME(K.THEN)
      branches.push({ when, then: this.SUBRULE2(this.expression) })
    })
    const otherwise = this.OPTION2(() => {
      this.CONSUME(K.ELSE)
      return this.SUBRULE3(this.expression)
    })
    this.CONSUME(K.END)
    return {
      kind: 'case',
      operand: operand ?? null,
      branches,
      otherwise: otherwise ?? null,
      at: this.placeFrom(start),
    }
  })

  /** cast : CAST '(' expression AS type ')' */
  cast = this.RULE('cast', (): Expression => {
    const start = this.CONSUME(K.CAST)
    this.CONSUME(T.OpenParen)
    const operand = this.SUBRULE(this.expression)
    this.CONSUME(K.AS)
    const type = this.SUBRULE(this.type)
    this.CONSUME(T.CloseParen)
    return { kind: 'cast', operand, type, at: this.placeFrom(start) }
  })

  /** array : ARRAY '[' (expression (',' expression)*)? ']' */
  array = this.RULE('array', (): Expression => {
    const items: Expression[] = []
    const start = this.CONSUME(K.ARRAY)
    this.CONSUME(T.OpenBracket)
    this.MANY_SEP({ SEP: T.Comma, DEF: () => items.push(this.SUBRULE(this.expression)) })
    this.CONSUME(T.CloseBracket)
    return { kind: 'array', items, at: this.placeFrom(start) }
  })

  /** map : MAP '(' (expression ':=' expression (',' expression ':=' expression)*)? ')' */
  map = this.RULE('map', (): Expression => {
    const entries: { key: Expression; value: Expression }[] = []
    const start = this.CONSUME(K.MAP)
    this.CONSUME(T.OpenParen)
    this.MANY_SEP({
      SEP: T.Comma,
      DEF: () => {
        const key = this.SUBRULE(this.expression)
        this.CONSUME(T.Assign)
        entries.push({ key, value: this.SUBRULE2(this.expression) })
      },
    })
    this.CONSUME(T.CloseParen)
    return { kind: 'map', entries, at: this.placeFrom(start) }
  })

  /** struct : STRUCT '(' (identifier ':=' expression (',' identifier ':=' expression)*)? ')' */
  struct = this.RULE('struct', (): Expression => {
    const fields: { name: Identifier; value: Expression }[] = []
    const start = this.CONSUME(K.STRUCT)
    this.CONSUME(T.OpenParen)
    this.MANY_SEP({
      SEP: T.Comma,
      DEF: () => {
        const name = this.SUBRULE(this.identifier)
        this.CONSUME(T.Assign)
        fields.push({ name, value: this.SUBRULE(this.expression) })
      },
    })
    this.CONSUME(T.CloseParen)
    return { kind: 'struct', fields, at: this.placeFrom(start) }
  })

  /** call : identifier '(' ('*' | argument (',' argument)*)? ')' */
  call = this.RULE('call', (): Expression => {
    const start = this.LA(1)
    const name = this.SUBRULE(this.identifier)
    const args: Expression[] = []
    let star = false
    this.CONSUME(T.OpenParen)
    this.OR([
      {
        ALT: () => {
          this.CONSUME(T.Star)
          star = true
        },
      },
      {
        ALT: () => {
          this.MANY_SEP({ SEP: T.Comma, DEF: () => args.push(this.SUBRULE(this.argument)) })
        },
      },
    ])
    this.CONSUME(T.CloseParen)
    return { kind: 'call', name, star, args, at: this.placeFrom(start) }
  })

  /** argument : lambda | timeUnit | expression — a unit here only if the word is reserved */
  argument = this.RULE('argument', (): Expression => {
    const start = this.LA(1)
    return this.OR<Alternatives<Expression>>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.isLambdaAhead(), ALT: () => this.SUBRULE(this.lambda) },
        {
          ALT: (): Expression => {
            const unit = this.SUBRULE(this.reservedTimeUnit)
            return { kind: 'time-unit', unit, at: this.placeFrom(start) }
          },
        },
        { ALT: () => this.SUBRULE(this.expression) },
      ],
    })
  })

  /** `x =>`, or `(x, y) =>` */
  private isLambdaAhead(): boolean {
    if (this.isNameAhead(1)) return this.isAhead(2, T.LambdaArrow)
    if (!this.isAhead(1, T.OpenParen)) return false
    let distance = 2
    while (this.isNameAhead(distance) && this.isAhead(distance + 1, T.Comma)) distance += 2
    return (
      this.isNameAhead(distance) &&
      this.isAhead(distance + 1, T.CloseParen) &&
      this.isAhead(distance + 2, T.LambdaArrow)
    )
  }

  /** lambda : identifier '=>' expression | '(' identifier (',' identifier)* ')' '=>' expression */
  lambda = this.RULE('lambda', (): Expression => {
    const start = this.LA(1)
    const parameters: Identifier[] = []
    this.OR([
      { ALT: () => parameters.push(this.SUBRULE(this.identifier)) },
      {
        ALT: () => {
          this.CONSUME(T.OpenParen)
          this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => parameters.push(this.SUBRULE2(this.identifier)) })
          this.CONSUME(T.CloseParen)
        },
      },
    ])
    this.CONSUME(T.LambdaArrow)
    const body = this.SUBRULE(this.expression)
    return { kind: 'lambda', parameters, body, at: this.placeFrom(start) }
  })

  /** reservedTimeUnit : DAYS | HOURS | MINUTES | SECONDS | MILLISECOND | MILLISECONDS */
  reservedTimeUnit = this.RULE('reservedTimeUnit', (): TimeUnit => {
    return this.OR<Alternatives<TimeUnit>>([
      { ALT: () => (this.CONSUME(K.DAYS), 'DAYS') },
      { ALT: () => (this.CONSUME(K.HOURS), 'HOURS') },
      { ALT: () => (this.CONSUME(K.MINUTES), 'MINUTES') },
      { ALT: () => (this.CONSUME(K.SECONDS), 'SECONDS') },
      { ALT: () => (this.CONSUME(K.MILLISECOND), 'MILLISECONDS') },
      { ALT: () => (this.CONSUME(K.MILLISECONDS), 'MILLISECONDS') },
    ])
  })

  /** column : identifier ('.' identifier)? */
  column = this.RULE('column', (): Expression => {
    const start = this.LA(1)
    const first = this.SUBRULE(this.identifier)
    const second = this.OPTION(() => {
      this.CONSUME(T.Dot)
      return this.SUBRULE2(this.identifier)
    })
    return {
      kind: 'column',
      source: second === undefined ? null : first,
      name: second ?? first,
      at: this.placeFrom(start),
    }
  })
}

const DATE_WORDS: ReadonlySet<string> = new Set(['DATE', 'TIME', 'TIMESTAMP', 'INTERVAL'])
