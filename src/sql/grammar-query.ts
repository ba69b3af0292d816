import { EOF, type IToken } from 'chevrotain'
import { SqlError, type Position } from '../base/errors.ts'
import type {
  Duration,
  Expression,
  ExpressionList,
  Identifier,
  JoinRelation,
  OrderItem,
  Query,
  Relation,
  SelectItem,
  ReadRelation,
  TimeUnit,
  WindowClause,
  WithinClause,
} from './ast.ts'
import type { Alternatives } from './grammar-base.ts'
import { ExpressionGrammar } from './grammar-expression.ts'
import { placeOf } from './lexer.ts'
import { withNamedQueries, type NamedQuery } from './named-queries.ts'
import * as T from './tokens.ts'
import { K } from './tokens.ts'

/** Queries: clauses, joins, windows. */
export abstract class QueryGrammar extends ExpressionGrammar {
  /**
   * query : (WITH namedQuery (',' namedQuery)*)? selectClauses (UNION ALL unionBranch)*
   *         (EMIT (CHANGES | FINAL))? (ORDER BY orderItem (',' orderItem)*)?
   *         (LIMIT INTEGER_VALUE)? (OFFSET INTEGER_VALUE)?
   */
  query = this.RULE('query', (): Query => {
    const start = this.LA(1)
    const named: NamedQuery[] = []
    this.OPTION6(() => {
      this.CONSUME(K.WITH)
      this.AT_LEAST_ONE_SEP3({ SEP: T.Comma, DEF: () => named.push(this.SUBRULE(this.namedQuery)) })
    })
    const branches = [this.selectClauses()]
    this.MANY(() => {
      this.CONSUME(K.UNION)
      this.CONSUME(K.ALL)
      branches.push(this.SUBRULE(this.unionBranch))
    })
    const body = branches.length === 1 ? branches[0]! : unionOf(branches, this.placeFrom(start))
    const emit = this.OPTION7(() => this.SUBRULE(this.emit))
    const orderBy: OrderItem[] = []
    this.OPTION8(() => {
      this.CONSUME(K.ORDER)
      this.CONSUME(K.BY)
      this.AT_LEAST_ONE_SEP2({ SEP: T.Comma, DEF: () => orderBy.push(this.SUBRULE(this.orderItem)) })
    })
    const limit = this.OPTION9(() => {
      const limitStart = this.CONSUME(K.LIMIT)
      const value = this.wholeNumber(this.CONSUME(T.IntegerNumber))
      return { value, at: this.placeFrom(limitStart) }
    })
    const offset = this.OPTION1(() => {
      const offsetStart = this.CONSUME(K.OFFSET)
      const value = this.wholeNumber(this.CONSUME2(T.IntegerNumber))
      return { value, at: this.placeFrom(offsetStart) }
    })
    const query: Query = {
      ...body,
      emit: emit ?? null,
      orderBy,
      limit: limit ?? null,
      offset: offset ?? null,
      at: this.placeFrom(start),
    }
    return named.length === 0 || this.RECORDING_PHASE ? query : withNamedQueries(query, named)
  })

  /** unionBranch : selectClauses */
  unionBranch = this.RULE('unionBranch', (): Query => this.selectClauses())

  /** namedQuery : identifier AS '(' query ')' */
  namedQuery = this.RULE('namedQuery', (): NamedQuery => {
    const name = this.SUBRULE(this.identifier)
    this.CONSUME(K.AS)
    this.CONSUME(T.OpenParen)
    const query = this.SUBRULE(this.query)
    this.CONSUME(T.CloseParen)
    return { name, query }
  })

  /**
   * selectClauses : SELECT selectItem (',' selectItem)* FROM relation (WINDOW window)? (WHERE expression)?
   *                 (GROUP BY valueList)? (PARTITION BY valueList)? (HAVING expression)?
   *
   * Part of the rules that begin with it, not a rule of its own: mistakes in it are mistakes in the query.
   */
  private selectClauses(): Query {
    const start = this.CONSUME(K.SELECT)
    const items: SelectItem[] = []
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => items.push(this.SUBRULE(this.selectItem)) })
    this.CONSUME(K.FROM)
    const from = this.SUBRULE(this.relation)
    const window = this.OPTION(() => this.SUBRULE(this.window))
    const where = this.OPTION2(() => {
      this.CONSUME(K.WHERE)
      return this.SUBRULE(this.expression)
    })
    const groupBy = this.OPTION3(() => this.SUBRULE(this.groupBy))
    const partitionBy = this.OPTION4(() => this.SUBRULE(this.partitionBy))
    const having = this.OPTION5(() => {
      this.CONSUME(K.HAVING)
      return this.SUBRULE2(this.expression)
    })
    return {
      kind: 'query',
      items,
      from,
      window: window ?? null,
      where: where ?? null,
      groupBy: groupBy ?? null,
      partitionBy: partitionBy ?? null,
      having: having ?? null,
      emit: null,
      orderBy: [],
      limit: null,
      offset: null,
      at: this.placeFrom(start),
    }
  }

  /** orderItem : expression (ASC | DESC)? (NULLS (FIRST | LAST))? */
  orderItem = this.RULE('orderItem', (): OrderItem => {
    const start = this.LA(1)
    const expression = this.SUBRULE(this.expression)
    const direction = this.OPTION(() =>
      this.OR<Alternatives<OrderItem['direction']>>([
        { ALT: () => (this.CONSUME(K.ASC), 'ASC') },
        { ALT: () => (this.CONSUME(K.DESC), 'DESC') },
      ]),
    )
    const nulls = this.OPTION2(() => {
      this.CONSUME(K.NULLS)
      return this.OR2<Alternatives<NonNullable<OrderItem['nulls']>>>([
        { ALT: () => (this.CONSUME(K.FIRST), 'FIRST') },
        { ALT: () => (this.CONSUME(K.LAST), 'LAST') },
      ])
    })
    const at = this.placeFrom(start)
    return { kind: 'order-item', expression, direction: direction ?? 'ASC', nulls: nulls ?? null, at }
  })

  /** @throws SqlError if the number is not exact as a double: no count is that large */
  protected wholeNumber(token: IToken): number {
    const value = Number(token.image)
    if (!this.RECORDING_PHASE && !Number.isSafeInteger(value)) {
      throw new SqlError('SQL_NUMBER_TOO_LARGE', {
        message: `The number ${token.image} is too large here.`,
        at: placeOf(token),
        stage: 'parse',
      })
    }
    return value
  }

  /** selectItem : '*' | identifier '.' '*' | expression '->' '*' | expression (AS? identifier)? */
  selectItem = this.RULE('selectItem', (): SelectItem => {
    const start = this.LA(1)
    return this.OR<Alternatives<SelectItem>>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          ALT: (): SelectItem => {
            this.CONSUME(T.Star)
            return { kind: 'all-columns', source: null, at: this.placeFrom(start) }
          },
        },
        {
          GATE: () => this.isAhead(2, T.Dot) && this.isAhead(3, T.Star),
          ALT: (): SelectItem => {
            const source = this.SUBRULE(this.identifier)
            this.CONSUME(T.Dot)
            this.CONSUME2(T.Star)
            return { kind: 'all-columns', source, at: this.placeFrom(start) }
          },
        },
        {
          ALT: (): SelectItem => {
            const expression = this.SUBRULE(this.expression)
            let allFields = false
            let alias: Identifier | null = null
            this.OPTION(() => {
              this.OR2([
                {
                  ALT: () => {
                    this.CONSUME(T.Arrow)
                    this.CONSUME3(T.Star)
                    allFields = true
                  },
                },
                {
                  ALT: () => {
                    this.OPTION2(() => this.CONSUME(K.AS))
                    alias = this.SUBRULE2(this.identifier)
                  },
                },
              ])
            })
            const at = this.placeFrom(start)
            if (allFields) return { kind: 'all-fields', operand: expression, at }
            return { kind: 'select-expression', expression, alias, at }
          },
        },
      ],
    })
  })

  /** relation : source join* */
  relation = this.RULE('relation', (): Relation => {
    let relation: Relation = this.SUBRULE(this.source)
    this.MANY(() => {
      relation = this.SUBRULE(this.join, { ARGS: [relation] })
    })
    return relation
  })

  /** source : (identifier | '(' query ')') (AS? identifier)? */
  source = this.RULE('source', (): ReadRelation => {
    const start = this.LA(1)
    let query: Query | null = null
    let name: Identifier | null = null
    this.OR([
      { ALT: () => (name = this.SUBRULE(this.identifier)) },
      {
        ALT: () => {
          this.CONSUME(T.OpenParen)
          query = this.SUBRULE(this.query)
          this.CONSUME(T.CloseParen)
        },
      },
    ])
    let alias: Identifier | null = null
    this.OPTION({
      GATE: () => !this.isClauseAhead(),
      DEF: () => {
        this.OPTION2(() => this.CONSUME(K.AS))
        alias = this.SUBRULE2(this.identifier)
      },
    })
    const at = this.placeFrom(start)
    return query === null
      ? { kind: 'source-relation', name: name!, alias, at }
      : { kind: 'subquery-relation', query, alias, at }
  })

  /** Whether non-reserved words ahead begin a clause rather than being an alias. */
  private isClauseAhead(): boolean {
    switch (this.LA(1).tokenType) {
      case K.EMIT:
        return [K.CHANGES, K.FINAL, T.Semicolon].some((type) => this.isAhead(2, type))
      case K.PARTITION:
      case K.ORDER:
        return this.isAhead(2, K.BY)
      case K.UNION:
        return this.isAhead(2, K.ALL)
      case K.OFFSET:
        return this.isAhead(2, T.IntegerNumber)
      case K.FOR:
        return this.isAhead(2, T.IntegerNumber)
      case K.KEEP:
        return this.isAhead(2, K.FIRING)
      case K.RESOLVE:
        return this.isAhead(2, K.WHEN)
      case K.NO:
        return this.isAhead(2, K.DATA)
      case K.SEVERITY:
        return this.isAhead(2, T.StringText)
      case K.LABELS:
      case K.ANNOTATIONS:
        return this.isAhead(2, T.OpenParen)
      case K.NOTIFY:
        return this.isNameAhead(2)
      default:
        return false
    }
  }

  /** join : (INNER | (LEFT | RIGHT | FULL) OUTER?)? JOIN source within? ON expression */
  join = this.RULE('join', (left: Relation): JoinRelation => {
    const start = this.LA(1)
    let type: JoinRelation['type'] = 'INNER'
    this.OPTION(() => {
      this.OR([
        { ALT: () => this.CONSUME(K.INNER) },
        {
          ALT: () => {
            type = this.OR2<Alternatives<JoinRelation['type']>>([
              { ALT: () => (this.CONSUME(K.LEFT), 'LEFT') },
              { ALT: () => (this.CONSUME(K.RIGHT), 'RIGHT') },
              { ALT: () => (this.CONSUME(K.FULL), 'FULL') },
            ])
            this.OPTION2(() => this.CONSUME(K.OUTER))
          },
        },
      ])
    })
    this.CONSUME(K.JOIN)
    const right = this.SUBRULE(this.source)
    const within = this.OPTION3(() => this.SUBRULE(this.within))
    this.CONSUME(K.ON)
    const on = this.SUBRULE(this.expression)
    return { kind: 'join-relation', type, left, right, within: within ?? null, on, at: this.placeFrom(start) }
  })

  /** within : WITHIN (duration | '(' duration ',' duration ')') (GRACE PERIOD duration)? */
  within = this.RULE('within', (): WithinClause => {
    const start = this.CONSUME(K.WITHIN)
    let before!: Duration
    let after!: Duration
    this.OR([
      {
        ALT: () => {
          before = after = this.SUBRULE(this.duration)
        },
      },
      {
        ALT: () => {
          this.CONSUME(T.OpenParen)
          before = this.SUBRULE2(this.duration)
          this.CONSUME(T.Comma)
          after = this.SUBRULE3(this.duration)
          this.CONSUME(T.CloseParen)
        },
      },
    ])
    const grace = this.OPTION(() => this.SUBRULE(this.gracePeriod))
    return { kind: 'within', before, after, grace: grace ?? null, at: this.placeFrom(start) }
  })

  /** gracePeriod : GRACE PERIOD duration */
  gracePeriod = this.RULE('gracePeriod', (): Duration => {
    this.CONSUME(K.GRACE)
    this.CONSUME(K.PERIOD)
    return this.SUBRULE(this.duration)
  })

  /** window : WINDOW identifier? (tumbling | hopping | session) */
  window = this.RULE('window', (): WindowClause => {
    const start = this.CONSUME(K.WINDOW)
    const name =
      this.OPTION({
        GATE: () => this.isWindowTypeAhead(2),
        DEF: () => this.SUBRULE(this.identifier),
      }) ?? null
    return this.OR<Alternatives<WindowClause>>([
      { ALT: () => this.SUBRULE(this.tumbling, { ARGS: [name, start] }) },
      { ALT: () => this.SUBRULE(this.hopping, { ARGS: [name, start] }) },
      { ALT: () => this.SUBRULE(this.session, { ARGS: [name, start] }) },
    ])
  })

  private isWindowTypeAhead(distance: number): boolean {
    const type = this.LA(distance).tokenType
    return type === K.TUMBLING || type === K.HOPPING || type === K.SESSION
  }

  /** tumbling : TUMBLING '(' SIZE duration windowTimes ')' */
  tumbling = this.RULE('tumbling', (name: Identifier | null, start: IToken): WindowClause => {
    this.CONSUME(K.TUMBLING)
    this.CONSUME(T.OpenParen)
    this.CONSUME(K.SIZE)
    const size = this.SUBRULE(this.duration)
    const times = this.SUBRULE(this.windowTimes)
    this.CONSUME(T.CloseParen)
    return { kind: 'tumbling', name, size, ...times, at: this.placeFrom(start) }
  })

  /** hopping : HOPPING '(' SIZE duration ',' ADVANCE BY duration windowTimes ')' */
  hopping = this.RULE('hopping', (name: Identifier | null, start: IToken): WindowClause => {
    this.CONSUME(K.HOPPING)
    this.CONSUME(T.OpenParen)
    this.CONSUME(K.SIZE)
    const size = this.SUBRULE(this.duration)
    this.CONSUME(T.Comma)
    this.CONSUME(K.ADVANCE)
    this.CONSUME(K.BY)
    const advance = this.SUBRULE2(this.duration)
    const times = this.SUBRULE(this.windowTimes)
    this.CONSUME(T.CloseParen)
    return { kind: 'hopping', name, size, advance, ...times, at: this.placeFrom(start) }
  })

  /** session : SESSION '(' duration windowTimes ')' */
  session = this.RULE('session', (name: Identifier | null, start: IToken): WindowClause => {
    this.CONSUME(K.SESSION)
    this.CONSUME(T.OpenParen)
    const gap = this.SUBRULE(this.duration)
    const times = this.SUBRULE(this.windowTimes)
    this.CONSUME(T.CloseParen)
    return { kind: 'session', name, gap, ...times, at: this.placeFrom(start) }
  })

  /** windowTimes : (',' RETENTION duration)? (',' gracePeriod)? */
  windowTimes = this.RULE('windowTimes', (): { retention: Duration | null; grace: Duration | null } => {
    const retention = this.OPTION({
      GATE: () => this.isAhead(2, K.RETENTION),
      DEF: () => {
        this.CONSUME(T.Comma)
        this.CONSUME(K.RETENTION)
        return this.SUBRULE(this.duration)
      },
    })
    const grace = this.OPTION2(() => {
      this.CONSUME2(T.Comma)
      return this.SUBRULE(this.gracePeriod)
    })
    return { retention: retention ?? null, grace: grace ?? null }
  })

  /** duration : INTEGER_VALUE timeUnit */
  duration = this.RULE('duration', (): Duration => {
    const start = this.LA(1)
    const token = this.CONSUME(T.IntegerNumber)
    const unit = this.SUBRULE(this.timeUnit)
    const at = this.placeFrom(start)
    if (this.RECORDING_PHASE) return { kind: 'duration', value: 0n, unit, ms: 0, at }
    const ms = Number(token.image) * UNIT_MS[unit]
    if (!Number.isSafeInteger(ms)) {
      throw new SqlError('SQL_NUMBER_TOO_LARGE', {
        message: `The time ${token.image} ${unit} is too long.`,
        at,
        stage: 'parse',
      })
    }
    return { kind: 'duration', value: BigInt(token.image), unit, ms, at }
  })

  /** timeUnit : DAY | DAYS | HOUR | HOURS | MINUTE | MINUTES | SECOND | SECONDS | MILLISECOND | MILLISECONDS */
  timeUnit = this.RULE('timeUnit', (): TimeUnit => {
    return this.OR<Alternatives<TimeUnit>>([
      { ALT: () => (this.CONSUME(K.DAY), 'DAYS') },
      { ALT: () => (this.CONSUME(K.HOUR), 'HOURS') },
      { ALT: () => (this.CONSUME(K.MINUTE), 'MINUTES') },
      { ALT: () => (this.CONSUME(K.SECOND), 'SECONDS') },
      { ALT: () => this.SUBRULE(this.reservedTimeUnit) },
    ])
  })

  /** groupBy : GROUP BY valueList */
  groupBy = this.RULE('groupBy', (): ExpressionList => {
    const start = this.CONSUME(K.GROUP)
    this.CONSUME(K.BY)
    const items = this.SUBRULE(this.valueList)
    return { kind: 'expression-list', items, at: this.placeFrom(start) }
  })

  /** partitionBy : PARTITION BY valueList */
  partitionBy = this.RULE('partitionBy', (): ExpressionList => {
    const start = this.CONSUME(K.PARTITION)
    this.CONSUME(K.BY)
    const items = this.SUBRULE(this.valueList)
    return { kind: 'expression-list', items, at: this.placeFrom(start) }
  })

  /** valueList : value (',' value)* | '(' (value (',' value)*)? ')' */
  valueList = this.RULE('valueList', (): Expression[] => {
    const items: Expression[] = []
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.isWholeListInParens(),
          ALT: () => {
            this.CONSUME(T.OpenParen)
            this.MANY_SEP({ SEP: T.Comma, DEF: () => items.push(this.SUBRULE(this.value)) })
            this.CONSUME(T.CloseParen)
          },
        },
        {
          ALT: () => {
            this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => items.push(this.SUBRULE2(this.value)) })
          },
        },
      ],
    })
    return items
  })

  /** Whether the parenthesis ahead holds the whole list: none or several items, and nothing goes on after it. */
  private isWholeListInParens(): boolean {
    if (!this.isAhead(1, T.OpenParen)) return false
    let items = this.isAhead(2, T.CloseParen) ? 0 : 1
    let depth = 0
    for (let distance = 1; ; distance++) {
      const type = this.LA(distance).tokenType
      if (type === EOF) return items !== 1
      if (type === T.OpenParen || type === T.OpenBracket) depth++
      if (type === T.Comma && depth === 1) items++
      if (type !== T.CloseParen && type !== T.CloseBracket) continue
      depth--
      if (depth === 0) return items !== 1 && !CONTINUES_EXPRESSION.has(this.LA(distance + 1).tokenType)
    }
  }

  /** emit : EMIT (CHANGES | FINAL) */
  emit = this.RULE('emit', (): NonNullable<Query['emit']> => {
    const start = this.CONSUME(K.EMIT)
    const mode = this.OR<Alternatives<'changes' | 'final'>>([
      { ALT: () => (this.CONSUME(K.CHANGES), 'changes') },
      { ALT: () => (this.CONSUME(K.FINAL), 'final') },
    ])
    return { mode, at: this.placeFrom(start) }
  })
}

/** The branches as one query that reads all of them. */
function unionOf(branches: readonly Query[], at: Position): Query {
  return {
    ...branches[0]!,
    items: [{ kind: 'all-columns', source: null, at: branches[0]!.at }],
    from: { kind: 'union-relation', branches, at },
    window: null,
    where: null,
    groupBy: null,
    partitionBy: null,
    having: null,
  }
}

const UNIT_MS: Readonly<Record<TimeUnit, number>> = {
  DAYS: 86_400_000,
  HOURS: 3_600_000,
  MINUTES: 60_000,
  SECONDS: 1000,
  MILLISECONDS: 1,
}

const CONTINUES_EXPRESSION: ReadonlySet<T.TokenType> = new Set([
  T.Comma,
  T.Plus,
  T.Minus,
  T.Star,
  T.Slash,
  T.Percent,
  T.Concat,
  T.OpenBracket,
  T.Arrow,
  K.AT,
])
