import { EOF, type IToken } from 'chevrotain'
import { SqlError, type Position } from '../base/errors.ts'
import type {
  AlertText,
  AlterSourceStatement,
  ColumnConstraint,
  ColumnDefinition,
  CreateAlertStatement,
  CreateAsStatement,
  CreateSourceStatement,
  Duration,
  Expression,
  Identifier,
  Literal,
  NameText,
  Property,
  Query,
  ShowWhat,
  Statement,
  ValueRow,
} from './ast.ts'
import type { Alternatives } from './grammar-base.ts'
import { QueryGrammar } from './grammar-query.ts'
import { placeOf } from './lexer.ts'
import * as T from './tokens.ts'
import { K } from './tokens.ts'

/** A statement's own members: `at` and `text` are added when its `;` has been read. */
type Body<S> = S extends Statement ? Omit<S, 'at' | 'text'> : never
type StatementBody = Body<Statement>

/** All statements. */
export class StatementGrammar extends QueryGrammar {
  constructor(checkGrammar = false) {
    super(checkGrammar)
    this.performSelfAnalysis()
  }

  /** What the statement at hand is cut from; set before parsing. */
  textOf: (at: Position) => string = () => ''

  /** statementEnd : statement ';' */
  statementEnd = this.RULE('statementEnd', (): Statement => {
    const start = this.LA(1)
    const body = this.SUBRULE(this.statement)
    this.CONSUME(T.Semicolon)
    return this.complete(body, start)
  })

  /** Gives a statement its place and text. */
  private complete(body: StatementBody, start: IToken): Statement {
    const at = this.placeFrom(start)
    const text = this.RECORDING_PHASE ? '' : this.textOf(at)
    return { ...body, at, text } as Statement // the body has all other members of its kind
  }

  /**
   * statement : query | show | describe | print | terminate | set | unset | alter | define | undefine
   *           | create | insert | drop | explain | assert | runScript
   */
  statement = this.RULE('statement', (): StatementBody => {
    return this.OR<Alternatives<StatementBody>>([
      { ALT: () => ({ kind: 'query-statement', query: this.SUBRULE(this.query) }) },
      { ALT: () => this.SUBRULE(this.create) },
      { ALT: () => this.SUBRULE(this.insert) },
      { ALT: () => this.SUBRULE(this.drop) },
      { ALT: () => this.SUBRULE(this.alter) },
      { ALT: () => this.SUBRULE(this.show) },
      { ALT: () => this.SUBRULE(this.describe) },
      { ALT: () => this.SUBRULE(this.explain) },
      { ALT: () => this.SUBRULE(this.print) },
      { ALT: () => this.SUBRULE(this.queryControl) },
      { ALT: () => this.SUBRULE(this.set) },
      { ALT: () => this.SUBRULE(this.unset) },
      { ALT: () => this.SUBRULE(this.define) },
      { ALT: () => this.SUBRULE(this.undefine) },
      { ALT: () => this.SUBRULE(this.assert) },
      { ALT: () => this.SUBRULE(this.runScript) },
    ])
  })

  // ------------------------------------------------------------------------------------- CREATE

  /** create : CREATE (OR REPLACE)? (createConnector | createSource | createType | createAlert) */
  create = this.RULE('create', (): StatementBody => {
    const start = this.CONSUME(K.CREATE)
    let orReplace = false
    this.OPTION(() => {
      this.CONSUME(K.OR)
      this.CONSUME(K.REPLACE)
      orReplace = true
    })
    const body = this.OR<Alternatives<StatementBody>>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.isAhead(2, K.CONNECTOR),
          ALT: () => this.SUBRULE(this.createConnector),
        },
        { ALT: () => this.SUBRULE(this.createSource, { ARGS: [orReplace] }) },
        { ALT: () => this.SUBRULE(this.createType) },
        { ALT: () => this.SUBRULE(this.createAlert, { ARGS: [orReplace] }) },
      ],
    })
    this.ACTION(() => {
      if (orReplace && (body.kind === 'create-type' || body.kind === 'create-connector')) {
        const what = body.kind === 'create-type' ? 'type' : 'connector'
        this.refuse(start, `A ${what} cannot be created with OR REPLACE.`, `Drop the ${what} first.`)
      }
    })
    return body
  })

  protected refuse(token: IToken, message: string, hint?: string): never {
    throw new SqlError('SQL_SYNTAX', { message, hint, at: placeOf(token), stage: 'parse' })
  }

  /** ifNotExists : (IF NOT EXISTS)? */
  ifNotExists = this.RULE('ifNotExists', (): boolean => {
    let written = false
    this.OPTION({
      GATE: () => this.isAhead(2, K.NOT),
      DEF: () => {
        this.CONSUME(K.IF)
        this.CONSUME(K.NOT)
        this.CONSUME(K.EXISTS)
        written = true
      },
    })
    return written
  })

  /** ifExists : (IF EXISTS)? */
  ifExists = this.RULE('ifExists', (): boolean => {
    let written = false
    this.OPTION({
      GATE: () => this.isAhead(2, K.EXISTS),
      DEF: () => {
        this.CONSUME(K.IF)
        this.CONSUME(K.EXISTS)
        written = true
      },
    })
    return written
  })

  /** streamOrTable : STREAM | TABLE */
  streamOrTable = this.RULE('streamOrTable', (): 'stream' | 'table' => {
    return this.OR<Alternatives<'stream' | 'table'>>([
      { ALT: () => (this.CONSUME(K.STREAM), 'stream') },
      { ALT: () => (this.CONSUME(K.TABLE), 'table') },
    ])
  })

  /**
   * createSource : SOURCE? streamOrTable ifNotExists identifier
   *                (columnDefinitions? (WITH properties)? | (WITH properties)? AS query)
   */
  createSource = this.RULE('createSource', (orReplace: boolean): StatementBody => {
    let sourceToken: IToken | undefined
    this.OPTION(() => {
      sourceToken = this.CONSUME(K.SOURCE)
    })
    const what = this.SUBRULE(this.streamOrTable)
    const ifNotExists = this.SUBRULE(this.ifNotExists)
    const name = this.SUBRULE(this.identifier)
    let columnsToken: IToken | undefined
    const columns =
      this.OPTION2(() => {
        columnsToken = this.LA(1)
        return this.SUBRULE(this.columnDefinitions)
      }) ?? []
    const properties =
      this.OPTION3(() => {
        this.CONSUME(K.WITH)
        return this.SUBRULE(this.properties)
      }) ?? []
    let query: Query | undefined
    this.OPTION4(() => {
      this.CONSUME(K.AS)
      if (columnsToken !== undefined) {
        this.ACTION(() =>
          this.refuse(
            columnsToken!,
            `CREATE ${what.toUpperCase()} … AS takes its columns from the query.`,
            'Leave the column list out, or name the columns with AS in the SELECT list.',
          ),
        )
      }
      if (sourceToken !== undefined) {
        this.ACTION(() =>
          this.refuse(
            sourceToken!,
            `A SOURCE ${what.toUpperCase()} cannot be made from a query.`,
            'Leave SOURCE out.',
          ),
        )
      }
      query = this.SUBRULE(this.query)
    })
    if (query !== undefined) {
      return {
        kind: 'create-as',
        what,
        orReplace,
        ifNotExists,
        name,
        properties,
        query,
      } satisfies Body<CreateAsStatement>
    }
    return {
      kind: 'create-source',
      what,
      orReplace,
      source: sourceToken !== undefined,
      ifNotExists,
      name,
      columns,
      properties,
    } satisfies Body<CreateSourceStatement>
  })

  /** columnDefinitions : '(' columnDefinition (',' columnDefinition)* ')' */
  columnDefinitions = this.RULE('columnDefinitions', (): ColumnDefinition[] => {
    const columns: ColumnDefinition[] = []
    this.CONSUME(T.OpenParen)
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => columns.push(this.SUBRULE(this.columnDefinition)) })
    this.CONSUME(T.CloseParen)
    return columns
  })

  /** columnDefinition : identifier type columnConstraint? */
  columnDefinition = this.RULE('columnDefinition', (): ColumnDefinition => {
    const start = this.LA(1)
    const name = this.SUBRULE(this.identifier)
    const type = this.SUBRULE(this.type)
    const constraint = this.OPTION(() => this.SUBRULE(this.columnConstraint))
    return {
      kind: 'column-definition',
      name,
      type,
      constraint: constraint ?? null,
      at: this.placeFrom(start),
    }
  })

  /** columnConstraint : KEY | PRIMARY KEY | HEADERS | HEADER '(' STRING ')' */
  columnConstraint = this.RULE('columnConstraint', (): ColumnConstraint => {
    const start = this.LA(1)
    return this.OR<Alternatives<ColumnConstraint>>([
      { ALT: () => (this.CONSUME(K.KEY), { kind: 'key', at: this.placeFrom(start) }) },
      {
        ALT: () => {
          this.CONSUME(K.PRIMARY)
          this.CONSUME2(K.KEY)
          return { kind: 'primary-key', at: this.placeFrom(start) }
        },
      },
      { ALT: () => (this.CONSUME(K.HEADERS), { kind: 'headers', at: this.placeFrom(start) }) },
      {
        ALT: () => {
          this.CONSUME(K.HEADER)
          this.CONSUME(T.OpenParen)
          const header = this.SUBRULE(this.string)
          this.CONSUME(T.CloseParen)
          return { kind: 'header', header, at: this.placeFrom(start) }
        },
      },
    ])
  })

  /** properties : '(' property (',' property)* ')' */
  properties = this.RULE('properties', (): Property[] => {
    const properties: Property[] = []
    this.CONSUME(T.OpenParen)
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => properties.push(this.SUBRULE(this.property)) })
    this.CONSUME(T.CloseParen)
    return properties
  })

  /** property : (identifier | STRING) '=' literal */
  property = this.RULE('property', (): Property => {
    const key = this.OR<Alternatives<{ text: string; at: Position }>>([
      { ALT: () => this.SUBRULE(this.identifier) },
      {
        ALT: () => {
          const { value, at } = this.SUBRULE(this.string)
          return { text: value, at }
        },
      },
    ])
    this.CONSUME(T.Equal)
    const value: Literal = this.SUBRULE(this.literal)
    const text = this.RECORDING_PHASE ? '' : key.text
    return { kind: 'property', name: text.toUpperCase(), text, value, at: key.at }
  })

  /** createType : TYPE ifNotExists identifier AS type */
  createType = this.RULE('createType', (): StatementBody => {
    this.CONSUME(K.TYPE)
    const ifNotExists = this.SUBRULE(this.ifNotExists)
    const name = this.SUBRULE(this.identifier)
    this.CONSUME(K.AS)
    return { kind: 'create-type', ifNotExists, name, type: this.SUBRULE(this.type) }
  })

  /** createConnector : (SOURCE | SINK) CONNECTOR ifNotExists identifier WITH properties */
  createConnector = this.RULE('createConnector', (): StatementBody => {
    const what = this.OR<Alternatives<'source' | 'sink'>>([
      { ALT: () => (this.CONSUME(K.SOURCE), 'source') },
      { ALT: () => (this.CONSUME(K.SINK), 'sink') },
    ])
    this.CONSUME(K.CONNECTOR)
    const ifNotExists = this.SUBRULE(this.ifNotExists)
    const name = this.SUBRULE(this.identifier)
    this.CONSUME(K.WITH)
    return { kind: 'create-connector', what, ifNotExists, name, properties: this.SUBRULE(this.properties) }
  })

  /**
   * createAlert : ALERT ifNotExists identifier AS query (FOR duration)? (KEEP FIRING FOR duration)?
   *               (RESOLVE WHEN expression)? (NO DATA AFTER duration THEN (FIRE | KEEP | RESOLVE))?
   *               (SEVERITY STRING)? (LABELS alertTexts)? (ANNOTATIONS alertTexts)?
   *               (NOTIFY identifier (',' identifier)* (REPEAT EVERY duration)?)?
   */
  createAlert = this.RULE('createAlert', (orReplace: boolean): StatementBody => {
    this.CONSUME(K.ALERT)
    const ifNotExists = this.SUBRULE(this.ifNotExists)
    const name = this.SUBRULE(this.identifier)
    this.CONSUME(K.AS)
    const query = this.SUBRULE(this.query)
    this.ACTION(() => {
      const extra = query.emit ?? query.limit
      if (extra === null) return
      throw new SqlError('SQL_SYNTAX', {
        message: `The query of an alert has no ${query.emit === null ? 'LIMIT' : 'EMIT'}.`,
        hint: 'Leave it out: an alert follows its query for as long as the alert exists.',
        at: extra.at,
        stage: 'parse',
      })
    })
    const hold = this.OPTION(() => {
      this.CONSUME(K.FOR)
      return this.SUBRULE(this.duration)
    })
    const keepFiringFor = this.OPTION2(() => {
      this.CONSUME(K.KEEP)
      this.CONSUME(K.FIRING)
      this.CONSUME2(K.FOR)
      return this.SUBRULE2(this.duration)
    })
    const resolveWhen = this.OPTION3(() => {
      this.CONSUME(K.RESOLVE)
      this.CONSUME(K.WHEN)
      return this.SUBRULE(this.expression)
    })
    const noData = this.OPTION4(() => this.SUBRULE(this.noData))
    const severity = this.OPTION5(() => {
      this.CONSUME(K.SEVERITY)
      return this.SUBRULE(this.string)
    })
    const words: Partial<Record<'labels' | 'annotations' | 'notify' | 'repeatEvery', IToken>> = {}
    const labels = this.OPTION6(() => {
      words.labels = this.CONSUME(K.LABELS)
      return this.SUBRULE(this.alertTexts)
    })
    const annotations = this.OPTION7(() => {
      words.annotations = this.CONSUME(K.ANNOTATIONS)
      return this.SUBRULE2(this.alertTexts)
    })
    const notify: Identifier[] = []
    let repeatEvery: Duration | null = null
    this.OPTION8(() => {
      words.notify = this.CONSUME(K.NOTIFY)
      this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => notify.push(this.SUBRULE2(this.identifier)) })
      this.OPTION9(() => {
        words.repeatEvery = this.CONSUME(K.REPEAT)
        this.CONSUME(K.EVERY)
        repeatEvery = this.SUBRULE4(this.duration)
      })
    })
    return {
      kind: 'create-alert',
      orReplace,
      ifNotExists,
      name,
      query,
      for: hold ?? null,
      keepFiringFor: keepFiringFor ?? null,
      resolveWhen: resolveWhen ?? null,
      noData: noData ?? null,
      severity: severity ?? null,
      labels: labels ?? [],
      annotations: annotations ?? [],
      notify,
      repeatEvery,
      clauses: {
        labels: placeOrNull(words.labels),
        annotations: placeOrNull(words.annotations),
        notify: placeOrNull(words.notify),
        repeatEvery: placeOrNull(words.repeatEvery),
      },
    }
  })

  /** noData : NO DATA AFTER duration THEN (FIRE | KEEP | RESOLVE) */
  noData = this.RULE('noData', (): NonNullable<CreateAlertStatement['noData']> => {
    const start = this.CONSUME(K.NO)
    this.CONSUME(K.DATA)
    this.CONSUME(K.AFTER)
    const after = this.SUBRULE(this.duration)
    this.CONSUME(K.THEN)
    const then = this.OR<Alternatives<'FIRE' | 'KEEP' | 'RESOLVE'>>([
      { ALT: () => (this.CONSUME(K.FIRE), 'FIRE') },
      { ALT: () => (this.CONSUME(K.KEEP), 'KEEP') },
      { ALT: () => (this.CONSUME(K.RESOLVE), 'RESOLVE') },
    ])
    return { after, then, at: this.placeFrom(start) }
  })

  /** alertTexts : '(' identifier '=' STRING (',' identifier '=' STRING)* ')' */
  alertTexts = this.RULE('alertTexts', (): AlertText[] => {
    const texts: AlertText[] = []
    this.CONSUME(T.OpenParen)
    this.AT_LEAST_ONE_SEP({
      SEP: T.Comma,
      DEF: () => {
        const start = this.LA(1)
        const name = this.SUBRULE(this.identifier)
        this.CONSUME(T.Equal)
        const value = this.SUBRULE(this.string)
        texts.push({ kind: 'alert-text', name, value, at: this.placeFrom(start) })
      },
    })
    this.CONSUME(T.CloseParen)
    return texts
  })

  // ------------------------------------------------------------------------- INSERT, DROP, ALTER

  /** insert : INSERT INTO identifier ((WITH properties)? query | columns? VALUES valueRow (',' valueRow)*) */
  insert = this.RULE('insert', (): StatementBody => {
    this.CONSUME(K.INSERT)
    this.CONSUME(K.INTO)
    const target = this.SUBRULE(this.identifier)
    return this.OR<Alternatives<StatementBody>>([
      {
        ALT: () => {
          const properties =
            this.OPTION({
              GATE: () => this.isAhead(2, T.OpenParen),
              DEF: () => {
                this.CONSUME(K.WITH)
                return this.SUBRULE(this.properties)
              },
            }) ?? []
          return { kind: 'insert-select', target, properties, query: this.SUBRULE(this.query) }
        },
      },
      {
        ALT: () => {
          const columns = this.OPTION2(() => this.SUBRULE(this.columns))
          this.CONSUME(K.VALUES)
          const rows: ValueRow[] = []
          this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => rows.push(this.SUBRULE(this.valueRow)) })
          return { kind: 'insert-values', target, columns: columns ?? null, rows }
        },
      },
    ])
  })

  /** columns : '(' identifier (',' identifier)* ')' */
  columns = this.RULE('columns', (): Identifier[] => {
    const columns: Identifier[] = []
    this.CONSUME(T.OpenParen)
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => columns.push(this.SUBRULE(this.identifier)) })
    this.CONSUME(T.CloseParen)
    return columns
  })

  /** valueRow : values */
  valueRow = this.RULE('valueRow', (): ValueRow => {
    const start = this.LA(1)
    const values = this.SUBRULE(this.values)
    return { kind: 'value-row', values, at: this.placeFrom(start) }
  })

  /** values : '(' (value (',' value)*)? ')' */
  values = this.RULE('values', (): Expression[] => {
    const values: Expression[] = []
    this.CONSUME(T.OpenParen)
    this.MANY_SEP({ SEP: T.Comma, DEF: () => values.push(this.SUBRULE(this.value)) })
    this.CONSUME(T.CloseParen)
    return values
  })

  /** drop : DROP (streamOrTable ifExists identifier (DELETE TOPIC)? | (TYPE | CONNECTOR | ALERT) ifExists identifier) */
  drop = this.RULE('drop', (): StatementBody => {
    this.CONSUME(K.DROP)
    return this.OR<Alternatives<StatementBody>>([
      {
        ALT: () => {
          const what = this.SUBRULE(this.streamOrTable)
          const ifExists = this.SUBRULE(this.ifExists)
          const name = this.SUBRULE(this.identifier)
          let deleteTopic = false
          this.OPTION(() => {
            this.CONSUME(K.DELETE)
            this.CONSUME(K.TOPIC)
            deleteTopic = true
          })
          return { kind: 'drop-source', what, ifExists, name, deleteTopic }
        },
      },
      {
        ALT: () => {
          const what = this.OR2<Alternatives<'type' | 'connector' | 'alert'>>([
            { ALT: () => (this.CONSUME(K.TYPE), 'type') },
            { ALT: () => (this.CONSUME(K.CONNECTOR), 'connector') },
            { ALT: () => (this.CONSUME(K.ALERT), 'alert') },
          ])
          const ifExists = this.SUBRULE2(this.ifExists)
          return { kind: 'drop', what, ifExists, name: this.SUBRULE2(this.identifier) }
        },
      },
    ])
  })

  /** alter : ALTER (SYSTEM STRING '=' STRING | streamOrTable identifier addColumn (',' addColumn)*) */
  alter = this.RULE('alter', (): StatementBody => {
    this.CONSUME(K.ALTER)
    return this.OR<Alternatives<StatementBody>>([
      {
        ALT: () => {
          this.CONSUME(K.SYSTEM)
          const property = this.SUBRULE(this.string)
          this.CONSUME(T.Equal)
          return { kind: 'alter-system', property, value: this.SUBRULE2(this.string) }
        },
      },
      {
        ALT: () => {
          const what = this.SUBRULE(this.streamOrTable)
          const name = this.SUBRULE(this.identifier)
          const columns: ColumnDefinition[] = []
          this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => columns.push(this.SUBRULE(this.addColumn)) })
          return { kind: 'alter-source', what, name, columns } satisfies Body<AlterSourceStatement>
        },
      },
    ])
  })

  /** addColumn : ADD COLUMN? identifier type */
  addColumn = this.RULE('addColumn', (): ColumnDefinition => {
    this.CONSUME(K.ADD)
    this.OPTION({
      GATE: () => this.isNameAhead(3), // else COLUMN itself is the column's name
      DEF: () => this.CONSUME(K.COLUMN),
    })
    const start = this.LA(1)
    const name = this.SUBRULE(this.identifier)
    const type = this.SUBRULE(this.type)
    return { kind: 'column-definition', name, type, constraint: null, at: this.placeFrom(start) }
  })

  // ---------------------------------------------------------------- looking at things, control

  /**
   * show : (LIST | SHOW) (ALL? TOPICS EXTENDED? | (STREAMS | TABLES | QUERIES) EXTENDED?
   *      | FUNCTIONS | TYPES | PROPERTIES | VARIABLES | ALERTS
   *      | (SOURCE | SINK)? CONNECTORS | CONNECTOR PLUGINS)
   */
  show = this.RULE('show', (): StatementBody => {
    this.OR([{ ALT: () => this.CONSUME(K.LIST) }, { ALT: () => this.CONSUME(K.SHOW) }])
    let all = false
    let extended = false
    const what = this.OR2<Alternatives<ShowWhat>>([
      {
        ALT: () => {
          this.OPTION(() => {
            this.CONSUME(K.ALL)
            all = true
          })
          this.CONSUME(K.TOPICS)
          extended = this.SUBRULE(this.extended)
          return 'topics'
        },
      },
      {
        ALT: () => {
          const kind = this.OR3<Alternatives<ShowWhat>>([
            { ALT: () => (this.CONSUME(K.STREAMS), 'streams') },
            { ALT: () => (this.CONSUME(K.TABLES), 'tables') },
            { ALT: () => (this.CONSUME(K.QUERIES), 'queries') },
          ])
          extended = this.SUBRULE2(this.extended)
          return kind
        },
      },
      { ALT: () => (this.CONSUME(K.FUNCTIONS), 'functions') },
      { ALT: () => (this.CONSUME(K.TYPES), 'types') },
      { ALT: () => (this.CONSUME(K.PROPERTIES), 'properties') },
      { ALT: () => (this.CONSUME(K.VARIABLES), 'variables') },
      { ALT: () => (this.CONSUME(K.ALERTS), 'alerts') },
      { ALT: () => (this.CONSUME(K.CONNECTORS), 'connectors') },
      { ALT: () => (this.CONSUME(K.SOURCE), this.CONSUME2(K.CONNECTORS), 'source-connectors') },
      { ALT: () => (this.CONSUME(K.SINK), this.CONSUME3(K.CONNECTORS), 'sink-connectors') },
      { ALT: () => (this.CONSUME(K.CONNECTOR), this.CONSUME(K.PLUGINS), 'connector-plugins') },
    ])
    return { kind: 'show', what, extended, all }
  })

  /** extended : EXTENDED? */
  extended = this.RULE('extended', (): boolean => {
    let written = false
    this.OPTION(() => {
      this.CONSUME(K.EXTENDED)
      written = true
    })
    return written
  })

  /** describe : DESCRIBE ((STREAMS | TABLES) EXTENDED? | FUNCTION identifier | CONNECTOR identifier | identifier EXTENDED?) */
  describe = this.RULE('describe', (): StatementBody => {
    this.CONSUME(K.DESCRIBE)
    return this.OR<Alternatives<StatementBody>>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          ALT: (): StatementBody => {
            const what = this.OR2<Alternatives<'streams' | 'tables'>>([
              { ALT: () => (this.CONSUME(K.STREAMS), 'streams') },
              { ALT: () => (this.CONSUME(K.TABLES), 'tables') },
            ])
            return { kind: 'describe-all', what, extended: this.SUBRULE(this.extended) }
          },
        },
        {
          GATE: () => this.isNameAhead(2),
          ALT: (): StatementBody => {
            this.CONSUME(K.FUNCTION)
            return { kind: 'describe-function', name: this.SUBRULE(this.identifier) }
          },
        },
        {
          ALT: (): StatementBody => {
            this.CONSUME(K.CONNECTOR)
            return { kind: 'describe-connector', name: this.SUBRULE2(this.identifier) }
          },
        },
        {
          ALT: (): StatementBody => {
            const name = this.SUBRULE3(this.identifier)
            return { kind: 'describe', name, extended: this.SUBRULE2(this.extended) }
          },
        },
      ],
    })
  })

  /** explain : EXPLAIN (identifier | statement) — a lone word is a query's id */
  explain = this.RULE('explain', (): StatementBody => {
    this.CONSUME(K.EXPLAIN)
    const start = this.LA(1)
    const target = this.OR<Alternatives<Identifier | Statement>>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.isAhead(2, T.Semicolon) || this.isAhead(2, EOF),
          ALT: () => this.SUBRULE(this.identifier),
        },
        { ALT: () => this.complete(this.SUBRULE(this.statement), start) },
      ],
    })
    return { kind: 'explain', target }
  })

  /** print : PRINT nameText (FROM BEGINNING)? ((INTERVAL | SAMPLE) INTEGER_VALUE)? (LIMIT INTEGER_VALUE)? */
  print = this.RULE('print', (): StatementBody => {
    this.CONSUME(K.PRINT)
    const topic = this.SUBRULE(this.nameText)
    let fromBeginning = false
    this.OPTION(() => {
      this.CONSUME(K.FROM)
      this.CONSUME(K.BEGINNING)
      fromBeginning = true
    })
    const interval = this.OPTION2(() => {
      this.OR([{ ALT: () => this.CONSUME(K.INTERVAL) }, { ALT: () => this.CONSUME(K.SAMPLE) }])
      return this.wholeNumber(this.CONSUME(T.IntegerNumber))
    })
    const limit = this.OPTION3(() => {
      this.CONSUME(K.LIMIT)
      return this.wholeNumber(this.CONSUME2(T.IntegerNumber))
    })
    return { kind: 'print', topic, fromBeginning, interval: interval ?? null, limit: limit ?? null }
  })

  /** nameText : identifier | STRING — the name keeps its case */
  nameText = this.RULE('nameText', (): NameText => {
    return this.OR<Alternatives<NameText>>([
      {
        ALT: () => {
          const { text, at } = this.SUBRULE(this.identifier)
          return { kind: 'name-text', text, at }
        },
      },
      {
        ALT: () => {
          const { value, at } = this.SUBRULE(this.string)
          return { kind: 'name-text', text: value, at }
        },
      },
    ])
  })

  /** queryControl : (TERMINATE | PAUSE | RESUME) (ALL | identifier) */
  queryControl = this.RULE('queryControl', (): StatementBody => {
    const kind = this.OR<Alternatives<'terminate' | 'pause' | 'resume'>>([
      { ALT: () => (this.CONSUME(K.TERMINATE), 'terminate') },
      { ALT: () => (this.CONSUME(K.PAUSE), 'pause') },
      { ALT: () => (this.CONSUME(K.RESUME), 'resume') },
    ])
    const id = this.OR2<Alternatives<Identifier | null>>([
      { ALT: () => (this.CONSUME(K.ALL), null) },
      { ALT: () => this.SUBRULE(this.identifier) },
    ])
    return { kind, id }
  })

  // --------------------------------------------------------------------- session, checks, scripts

  /** set : SET STRING '=' STRING */
  set = this.RULE('set', (): StatementBody => {
    this.CONSUME(K.SET)
    const property = this.SUBRULE(this.string)
    this.CONSUME(T.Equal)
    return { kind: 'set', property, value: this.SUBRULE2(this.string) }
  })

  /** unset : UNSET STRING */
  unset = this.RULE('unset', (): StatementBody => {
    this.CONSUME(K.UNSET)
    return { kind: 'unset', property: this.SUBRULE(this.string) }
  })

  /** define : DEFINE identifier '=' STRING */
  define = this.RULE('define', (): StatementBody => {
    this.CONSUME(K.DEFINE)
    const name = this.SUBRULE(this.identifier)
    this.CONSUME(T.Equal)
    return { kind: 'define', name, value: this.SUBRULE(this.string) }
  })

  /** undefine : UNDEFINE identifier */
  undefine = this.RULE('undefine', (): StatementBody => {
    this.CONSUME(K.UNDEFINE)
    return { kind: 'undefine', name: this.SUBRULE(this.identifier) }
  })

  /**
   * assert : ASSERT (NOT EXISTS)? (assertTopic | assertSchema)
   *        | ASSERT VALUES identifier columns? VALUES values
   *        | ASSERT NULL VALUES identifier columns? KEY values
   *        | ASSERT streamOrTable identifier columnDefinitions? (WITH properties)?
   */
  assert = this.RULE('assert', (): StatementBody => {
    this.CONSUME(K.ASSERT)
    return this.OR<Alternatives<StatementBody>>([
      {
        ALT: () => {
          let exists = true
          this.OPTION(() => {
            this.CONSUME(K.NOT)
            this.CONSUME(K.EXISTS)
            exists = false
          })
          return this.OR2<Alternatives<StatementBody>>([
            { ALT: () => this.SUBRULE(this.assertTopic, { ARGS: [exists] }) },
            { ALT: () => this.SUBRULE(this.assertSchema, { ARGS: [exists] }) },
          ])
        },
      },
      {
        ALT: () => {
          this.CONSUME(K.VALUES)
          const source = this.SUBRULE(this.identifier)
          const columns = this.OPTION2(() => this.SUBRULE(this.columns))
          this.CONSUME2(K.VALUES)
          return {
            kind: 'assert-values',
            source,
            columns: columns ?? null,
            values: this.SUBRULE(this.values),
          }
        },
      },
      {
        ALT: () => {
          this.CONSUME(K.NULL)
          this.CONSUME3(K.VALUES)
          const source = this.SUBRULE2(this.identifier)
          const columns = this.OPTION3(() => this.SUBRULE2(this.columns))
          this.CONSUME(K.KEY)
          return {
            kind: 'assert-tombstone',
            source,
            columns: columns ?? null,
            keys: this.SUBRULE2(this.values),
          }
        },
      },
      {
        ALT: () => {
          const what = this.SUBRULE(this.streamOrTable)
          const name = this.SUBRULE3(this.identifier)
          const columns = this.OPTION4(() => this.SUBRULE(this.columnDefinitions)) ?? []
          const properties =
            this.OPTION5(() => {
              this.CONSUME(K.WITH)
              return this.SUBRULE(this.properties)
            }) ?? []
          return { kind: 'assert-source', what, name, columns, properties }
        },
      },
    ])
  })

  /** assertTopic : TOPIC nameText (WITH properties)? timeout */
  assertTopic = this.RULE('assertTopic', (exists: boolean): StatementBody => {
    this.CONSUME(K.TOPIC)
    const topic = this.SUBRULE(this.nameText)
    const properties =
      this.OPTION(() => {
        this.CONSUME(K.WITH)
        return this.SUBRULE(this.properties)
      }) ?? []
    return { kind: 'assert-topic', exists, topic, properties, timeout: this.SUBRULE(this.timeout) }
  })

  /** assertSchema : SCHEMA (SUBJECT nameText)? (ID literal)? timeout */
  assertSchema = this.RULE('assertSchema', (exists: boolean): StatementBody => {
    this.CONSUME(K.SCHEMA)
    const subject = this.OPTION(() => {
      this.CONSUME(K.SUBJECT)
      return this.SUBRULE(this.nameText)
    })
    const id = this.OPTION2(() => {
      this.CONSUME(K.ID)
      return this.SUBRULE(this.literal)
    })
    const timeout = this.SUBRULE(this.timeout)
    return { kind: 'assert-schema', exists, subject: subject ?? null, id: id ?? null, timeout }
  })

  /** timeout : (TIMEOUT duration)? */
  timeout = this.RULE('timeout', (): Duration | null => {
    const timeout = this.OPTION(() => {
      this.CONSUME(K.TIMEOUT)
      return this.SUBRULE(this.duration)
    })
    return timeout ?? null
  })

  /** runScript : RUN SCRIPT STRING */
  runScript = this.RULE('runScript', (): StatementBody => {
    this.CONSUME(K.RUN)
    this.CONSUME(K.SCRIPT)
    return { kind: 'run-script', file: this.SUBRULE(this.string) }
  })
}

function placeOrNull(token: IToken | undefined): { readonly at: Position } | null {
  return token === undefined ? null : { at: placeOf(token) }
}
