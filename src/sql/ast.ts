import type { Position } from '../base/errors.ts'

/*
 * The syntax tree: what the user wrote, as plain readonly data. Nothing is resolved or typed here, and
 * nothing is checked beyond the grammar. Positions point into the text given to the parser.
 */

/** A name as written. */
export interface Identifier {
  readonly kind: 'identifier'
  /** The name it means: upper case unless it was quoted. */
  readonly name: string
  /** The characters as written, without the quotes (for names that keep their case, such as topics and labels). */
  readonly text: string
  readonly quoted: boolean
  readonly at: Position
}

// ---------------------------------------------------------------------------------------- statements

export type Statement =
  | QueryStatement
  | CreateSourceStatement
  | CreateAsStatement
  | CreateAlertStatement
  | CreateTypeStatement
  | CreateConnectorStatement
  | InsertSelectStatement
  | InsertValuesStatement
  | DropSourceStatement
  | DropStatement
  | AlterSourceStatement
  | QueryControlStatement
  | ExplainStatement
  | ShowStatement
  | DescribeStatement
  | DescribeAllStatement
  | DescribeFunctionStatement
  | DescribeConnectorStatement
  | PrintStatement
  | SetStatement
  | UnsetStatement
  | AlterSystemStatement
  | DefineStatement
  | UndefineStatement
  | AssertTopicStatement
  | AssertSchemaStatement
  | AssertValuesStatement
  | AssertTombstoneStatement
  | AssertSourceStatement
  | RunScriptStatement

interface StatementBase {
  /** The whole statement, `;` included. */
  readonly at: Position
  /** The statement's text, `;` included, comments inside kept, variables replaced. */
  readonly text: string
}

/** A query on its own: with `emit` a push query, else a pull query. */
export interface QueryStatement extends StatementBase {
  readonly kind: 'query-statement'
  readonly query: Query
}

/** CREATE [OR REPLACE] [SOURCE] STREAM | TABLE … with or without columns. */
export interface CreateSourceStatement extends StatementBase {
  readonly kind: 'create-source'
  readonly what: 'stream' | 'table'
  readonly orReplace: boolean
  /** CREATE SOURCE …: read-only. */
  readonly source: boolean
  readonly ifNotExists: boolean
  readonly name: Identifier
  /** Empty: none written. */
  readonly columns: readonly ColumnDefinition[]
  readonly properties: readonly Property[]
}

/** CREATE [OR REPLACE] STREAM | TABLE … AS query. */
export interface CreateAsStatement extends StatementBase {
  readonly kind: 'create-as'
  readonly what: 'stream' | 'table'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly name: Identifier
  readonly properties: readonly Property[]
  readonly query: Query
}

/** CREATE [OR REPLACE] ALERT … AS query … Clauses that were not written are null or empty. */
export interface CreateAlertStatement extends StatementBase {
  readonly kind: 'create-alert'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly name: Identifier
  /** Without EMIT and LIMIT. */
  readonly query: Query
  readonly for: Duration | null
  readonly keepFiringFor: Duration | null
  readonly resolveWhen: Expression | null
  readonly noData: {
    readonly after: Duration
    readonly then: 'FIRE' | 'KEEP' | 'RESOLVE'
    readonly at: Position
  } | null
  readonly severity: StringLiteral | null
  readonly labels: readonly AlertText[]
  readonly annotations: readonly AlertText[]
  /** Channels; empty: no NOTIFY. */
  readonly notify: readonly Identifier[]
  readonly repeatEvery: Duration | null
  /** Where the clauses begin whose parts don't say so; null: not written. */
  readonly clauses: {
    readonly labels: { readonly at: Position } | null
    readonly annotations: { readonly at: Position } | null
    readonly notify: { readonly at: Position } | null
    readonly repeatEvery: { readonly at: Position } | null
  }
}

/** One of LABELS or ANNOTATIONS: the name keeps its case (`name.text`). */
export interface AlertText {
  readonly kind: 'alert-text'
  readonly name: Identifier
  readonly value: StringLiteral
  readonly at: Position
}

export interface CreateTypeStatement extends StatementBase {
  readonly kind: 'create-type'
  readonly ifNotExists: boolean
  readonly name: Identifier
  readonly type: TypeNode
}

export interface CreateConnectorStatement extends StatementBase {
  readonly kind: 'create-connector'
  readonly what: 'source' | 'sink'
  readonly ifNotExists: boolean
  readonly name: Identifier
  readonly properties: readonly Property[]
}

export interface InsertSelectStatement extends StatementBase {
  readonly kind: 'insert-select'
  readonly target: Identifier
  readonly properties: readonly Property[]
  readonly query: Query
}

export interface InsertValuesStatement extends StatementBase {
  readonly kind: 'insert-values'
  readonly target: Identifier
  /** null: no list written, i.e. all columns. */
  readonly columns: readonly Identifier[] | null
  /** One or more; each has at least its parentheses. */
  readonly rows: readonly ValueRow[]
}

/** The values of one row of INSERT … VALUES. */
export interface ValueRow {
  readonly kind: 'value-row'
  readonly values: readonly Expression[]
  readonly at: Position
}

export interface DropSourceStatement extends StatementBase {
  readonly kind: 'drop-source'
  readonly what: 'stream' | 'table'
  readonly ifExists: boolean
  readonly name: Identifier
  readonly deleteTopic: boolean
}

export interface DropStatement extends StatementBase {
  readonly kind: 'drop'
  readonly what: 'type' | 'connector' | 'alert'
  readonly ifExists: boolean
  readonly name: Identifier
}

/** ALTER STREAM | TABLE name ADD [COLUMN] …, … */
export interface AlterSourceStatement extends StatementBase {
  readonly kind: 'alter-source'
  readonly what: 'stream' | 'table'
  readonly name: Identifier
  /** Without constraints. */
  readonly columns: readonly ColumnDefinition[]
}

/** TERMINATE, PAUSE, RESUME. */
export interface QueryControlStatement extends StatementBase {
  readonly kind: 'terminate' | 'pause' | 'resume'
  /** null: ALL. */
  readonly id: Identifier | null
}

export interface ExplainStatement extends StatementBase {
  readonly kind: 'explain'
  readonly target: Identifier | Statement
}

/** LIST | SHOW. */
export interface ShowStatement extends StatementBase {
  readonly kind: 'show'
  readonly what: ShowWhat
  readonly extended: boolean
  /** SHOW ALL TOPICS. */
  readonly all: boolean
}

export type ShowWhat =
  | 'topics'
  | 'streams'
  | 'tables'
  | 'queries'
  | 'functions'
  | 'types'
  | 'properties'
  | 'variables'
  | 'alerts'
  | 'connectors'
  | 'source-connectors'
  | 'sink-connectors'
  | 'connector-plugins'

/** DESCRIBE of a stream, table or alert by name. */
export interface DescribeStatement extends StatementBase {
  readonly kind: 'describe'
  readonly name: Identifier
  readonly extended: boolean
}

export interface DescribeAllStatement extends StatementBase {
  readonly kind: 'describe-all'
  readonly what: 'streams' | 'tables'
  readonly extended: boolean
}

export interface DescribeFunctionStatement extends StatementBase {
  readonly kind: 'describe-function'
  readonly name: Identifier
}

export interface DescribeConnectorStatement extends StatementBase {
  readonly kind: 'describe-connector'
  readonly name: Identifier
}

export interface PrintStatement extends StatementBase {
  readonly kind: 'print'
  readonly topic: NameText
  readonly fromBeginning: boolean
  /** INTERVAL n or SAMPLE n: shows every n-th record. */
  readonly interval: number | null
  readonly limit: number | null
}

/** A name that keeps its case even unquoted and may be a string literal: topics and subjects. */
export interface NameText {
  readonly kind: 'name-text'
  readonly text: string
  readonly at: Position
}

export interface SetStatement extends StatementBase {
  readonly kind: 'set'
  readonly property: StringLiteral
  readonly value: StringLiteral
}

export interface UnsetStatement extends StatementBase {
  readonly kind: 'unset'
  readonly property: StringLiteral
}

export interface AlterSystemStatement extends StatementBase {
  readonly kind: 'alter-system'
  readonly property: StringLiteral
  readonly value: StringLiteral
}

export interface DefineStatement extends StatementBase {
  readonly kind: 'define'
  readonly name: Identifier
  readonly value: StringLiteral
}

export interface UndefineStatement extends StatementBase {
  readonly kind: 'undefine'
  readonly name: Identifier
}

export interface AssertTopicStatement extends StatementBase {
  readonly kind: 'assert-topic'
  /** false: ASSERT NOT EXISTS. */
  readonly exists: boolean
  readonly topic: NameText
  readonly properties: readonly Property[]
  readonly timeout: Duration | null
}

export interface AssertSchemaStatement extends StatementBase {
  readonly kind: 'assert-schema'
  readonly exists: boolean
  readonly subject: NameText | null
  readonly id: Literal | null
  readonly timeout: Duration | null
}

/** ASSERT VALUES: the next unread row of the source. */
export interface AssertValuesStatement extends StatementBase {
  readonly kind: 'assert-values'
  readonly source: Identifier
  readonly columns: readonly Identifier[] | null
  readonly values: readonly Expression[]
}

/** ASSERT NULL VALUES: the next row is a tombstone for this key. */
export interface AssertTombstoneStatement extends StatementBase {
  readonly kind: 'assert-tombstone'
  readonly source: Identifier
  readonly columns: readonly Identifier[] | null
  readonly keys: readonly Expression[]
}

/** ASSERT STREAM | TABLE: the source exists with exactly this definition. */
export interface AssertSourceStatement extends StatementBase {
  readonly kind: 'assert-source'
  readonly what: 'stream' | 'table'
  readonly name: Identifier
  readonly columns: readonly ColumnDefinition[]
  readonly properties: readonly Property[]
}

export interface RunScriptStatement extends StatementBase {
  readonly kind: 'run-script'
  readonly file: StringLiteral
}

// ----------------------------------------------------------------------------- parts of statements

export interface ColumnDefinition {
  readonly kind: 'column-definition'
  readonly name: Identifier
  readonly type: TypeNode
  readonly constraint: ColumnConstraint | null
  readonly at: Position
}

/** KEY, PRIMARY KEY, HEADERS, HEADER('key'). */
export type ColumnConstraint =
  | { readonly kind: 'key' | 'primary-key' | 'headers'; readonly at: Position }
  | { readonly kind: 'header'; readonly header: StringLiteral; readonly at: Position }

/** One entry of WITH (…). */
export interface Property {
  readonly kind: 'property'
  /** Upper case: property names have no case. */
  readonly name: string
  /** As written, without quotes (connectors' properties keep their case). */
  readonly text: string
  readonly value: Literal
  /** The name's place; the value has its own. */
  readonly at: Position
}

/** A length of time. The parser only admits units of fixed length. */
export interface Duration {
  readonly kind: 'duration'
  readonly value: bigint
  readonly unit: TimeUnit
  /** value × unit in milliseconds. */
  readonly ms: number
  readonly at: Position
}

/** Always in the plural, however it was written. */
export type TimeUnit = 'DAYS' | 'HOURS' | 'MINUTES' | 'SECONDS' | 'MILLISECONDS'

// ------------------------------------------------------------------------------------------ queries

export interface Query {
  readonly kind: 'query'
  readonly items: readonly SelectItem[]
  readonly from: Relation
  readonly window: WindowClause | null
  readonly where: Expression | null
  /** Empty list (`GROUP BY ()`) is not the same as null (no clause). */
  readonly groupBy: ExpressionList | null
  readonly partitionBy: ExpressionList | null
  readonly having: Expression | null
  readonly emit: { readonly mode: 'changes' | 'final'; readonly at: Position } | null
  /** Pull queries only; empty: no clause. */
  readonly orderBy: readonly OrderItem[]
  readonly limit: { readonly value: number; readonly at: Position } | null
  /** Pull queries only. */
  readonly offset: { readonly value: number; readonly at: Position } | null
  readonly at: Position
}

/** One expression of ORDER BY. */
export interface OrderItem {
  readonly kind: 'order-item'
  readonly expression: Expression
  readonly direction: 'ASC' | 'DESC'
  /** null: not written; then nulls count as larger than everything. */
  readonly nulls: 'FIRST' | 'LAST' | null
  readonly at: Position
}

export interface ExpressionList {
  readonly kind: 'expression-list'
  readonly items: readonly Expression[]
  /** The clause, keywords included. */
  readonly at: Position
}

export type SelectItem =
  /** `*`, or `source.*`. */
  | { readonly kind: 'all-columns'; readonly source: Identifier | null; readonly at: Position }
  /** `struct->*` */
  | { readonly kind: 'all-fields'; readonly operand: Expression; readonly at: Position }
  | {
      readonly kind: 'select-expression'
      readonly expression: Expression
      readonly alias: Identifier | null
      readonly at: Position
    }

export type Relation = ReadRelation | JoinRelation

/** What a query reads, and joins put together. */
export type ReadRelation = SourceRelation | SubqueryRelation | UnionRelation

/** A stream or table by name. */
export interface SourceRelation {
  readonly kind: 'source-relation'
  readonly name: Identifier
  readonly alias: Identifier | null
  readonly at: Position
}

/**
 * A query in FROM. A name defined by WITH is one too: the parser puts the query in each place of the
 * name, so the same tree may stand in several places.
 */
export interface SubqueryRelation {
  readonly kind: 'subquery-relation'
  readonly query: Query
  readonly alias: Identifier | null
  readonly at: Position
}

/** `query UNION ALL query …`, read as `SELECT * FROM` this. The branches have neither EMIT nor what follows it. */
export interface UnionRelation {
  readonly kind: 'union-relation'
  /** At least two. */
  readonly branches: readonly Query[]
  readonly at: Position
}

/** Joins associate to the left. */
export interface JoinRelation {
  readonly kind: 'join-relation'
  readonly type: 'INNER' | 'LEFT' | 'RIGHT' | 'FULL'
  readonly left: Relation
  readonly right: ReadRelation
  readonly within: WithinClause | null
  readonly on: Expression
  /** From the join's keyword to the end of ON. */
  readonly at: Position
}

/** WITHIN n unit (both bounds the same) or WITHIN (before, after), with GRACE PERIOD or null. */
export interface WithinClause {
  readonly kind: 'within'
  readonly before: Duration
  readonly after: Duration
  readonly grace: Duration | null
  readonly at: Position
}

export type WindowClause =
  | (WindowBase & { readonly kind: 'tumbling'; readonly size: Duration })
  | (WindowBase & { readonly kind: 'hopping'; readonly size: Duration; readonly advance: Duration })
  | (WindowBase & { readonly kind: 'session'; readonly gap: Duration })

interface WindowBase {
  readonly name: Identifier | null
  readonly retention: Duration | null
  readonly grace: Duration | null
  readonly at: Position
}

// -------------------------------------------------------------------------------------- expressions

/** Parentheses leave no trace: the tree's shape has them, and printing puts them where they are needed. */
export type Expression =
  | Literal
  | ColumnReference
  | UnaryExpression
  | ArithmeticExpression
  | ConcatExpression
  | ComparisonExpression
  | LogicalExpression
  | NotExpression
  | BetweenExpression
  | InExpression
  | LikeExpression
  | IsNullExpression
  | CaseExpression
  | CastExpression
  | AtTimeZoneExpression
  | SubscriptExpression
  | FieldExpression
  | ArrayExpression
  | MapExpression
  | StructExpression
  | CallExpression
  | LambdaExpression
  | TimeUnitExpression
  | ParameterExpression

export type Literal =
  | StringLiteral
  | NumberLiteral
  | BooleanLiteral
  | NullLiteral
  /** `DECIMAL '1.0'`: `type` as written, only DECIMAL has a meaning. */
  | TypedLiteral

export interface StringLiteral {
  readonly kind: 'string'
  /** Quotes removed, doubled quotes made single. */
  readonly value: string
  readonly at: Position
}

/**
 * `integer`: digits only; `decimal`: with a point; `double`: with an exponent. A minus sign written
 * directly before a number where an operand is expected belongs to it.
 */
export interface NumberLiteral {
  readonly kind: 'integer' | 'decimal' | 'double'
  /** Exactly as written, without blanks between sign and digits. */
  readonly text: string
  readonly at: Position
}

export interface BooleanLiteral {
  readonly kind: 'boolean'
  readonly value: boolean
  readonly at: Position
}

export interface NullLiteral {
  readonly kind: 'null'
  readonly at: Position
}

export interface TypedLiteral {
  readonly kind: 'typed-literal'
  readonly type: Identifier
  readonly value: string
  readonly at: Position
}

/** `c` or `source.c`; also a lambda's parameter. */
export interface ColumnReference {
  readonly kind: 'column'
  readonly source: Identifier | null
  readonly name: Identifier
  readonly at: Position
}

export interface UnaryExpression {
  readonly kind: 'unary'
  readonly op: '+' | '-'
  readonly operand: Expression
  readonly at: Position
}

export interface ArithmeticExpression {
  readonly kind: 'arithmetic'
  readonly op: '+' | '-' | '*' | '/' | '%'
  readonly left: Expression
  readonly right: Expression
  readonly at: Position
}

/** `left || right` */
export interface ConcatExpression {
  readonly kind: 'concat'
  readonly left: Expression
  readonly right: Expression
  readonly at: Position
}

/** `!=` reads as `<>`. */
export interface ComparisonExpression {
  readonly kind: 'comparison'
  readonly op: '=' | '<>' | '<' | '<=' | '>' | '>=' | 'IS DISTINCT FROM' | 'IS NOT DISTINCT FROM'
  readonly left: Expression
  readonly right: Expression
  readonly at: Position
}

export interface LogicalExpression {
  readonly kind: 'logical'
  readonly op: 'AND' | 'OR'
  readonly left: Expression
  readonly right: Expression
  readonly at: Position
}

export interface NotExpression {
  readonly kind: 'not'
  readonly operand: Expression
  readonly at: Position
}

export interface BetweenExpression {
  readonly kind: 'between'
  readonly operand: Expression
  readonly low: Expression
  readonly high: Expression
  readonly negated: boolean
  readonly at: Position
}

export interface InExpression {
  readonly kind: 'in'
  readonly operand: Expression
  readonly items: readonly Expression[]
  readonly negated: boolean
  readonly at: Position
}

export interface LikeExpression {
  readonly kind: 'like'
  readonly operand: Expression
  readonly pattern: Expression
  readonly escape: StringLiteral | null
  readonly negated: boolean
  readonly at: Position
}

export interface IsNullExpression {
  readonly kind: 'is-null'
  readonly operand: Expression
  readonly negated: boolean
  readonly at: Position
}

/** `operand` null: searched CASE. */
export interface CaseExpression {
  readonly kind: 'case'
  readonly operand: Expression | null
  readonly branches: readonly { readonly when: Expression; readonly then: Expression }[]
  readonly otherwise: Expression | null
  readonly at: Position
}

export interface CastExpression {
  readonly kind: 'cast'
  readonly operand: Expression
  readonly type: TypeNode
  readonly at: Position
}

/** `operand AT TIME ZONE 'zone'` */
export interface AtTimeZoneExpression {
  readonly kind: 'at-time-zone'
  readonly operand: Expression
  readonly zone: StringLiteral
  readonly at: Position
}

/** `operand[index]` */
export interface SubscriptExpression {
  readonly kind: 'subscript'
  readonly operand: Expression
  readonly index: Expression
  readonly at: Position
}

/** `operand->field` */
export interface FieldExpression {
  readonly kind: 'field'
  readonly operand: Expression
  readonly field: Identifier
  readonly at: Position
}

/** `ARRAY[…]` */
export interface ArrayExpression {
  readonly kind: 'array'
  readonly items: readonly Expression[]
  readonly at: Position
}

/** `MAP(k := v, …)` */
export interface MapExpression {
  readonly kind: 'map'
  readonly entries: readonly { readonly key: Expression; readonly value: Expression }[]
  readonly at: Position
}

/** `STRUCT(f := e, …)` */
export interface StructExpression {
  readonly kind: 'struct'
  readonly fields: readonly { readonly name: Identifier; readonly value: Expression }[]
  readonly at: Position
}

/** `f(a, …)` or `f(*)`. */
export interface CallExpression {
  readonly kind: 'call'
  readonly name: Identifier
  /** `f(*)`: then `args` is empty. */
  readonly star: boolean
  readonly args: readonly Expression[]
  readonly at: Position
}

/** `?` or `:name`: stands for a value given with the text; `bindParameters` puts it in its place. */
export interface ParameterExpression {
  readonly kind: 'parameter'
  /** As written: names of parameters keep their case. null: `?`. */
  readonly name: string | null
  readonly at: Position
}

/** `x => body`, `(x, y) => body`; only as an argument of a call. */
export interface LambdaExpression {
  readonly kind: 'lambda'
  readonly parameters: readonly Identifier[]
  readonly body: Expression
  readonly at: Position
}

/**
 * A time unit as an argument of a call: `DATEADD(DAYS, …)`. Only words that cannot be column names
 * become one; `DAY`, `HOUR`, `MINUTE` and `SECOND` are column references to the grammar.
 */
export interface TimeUnitExpression {
  readonly kind: 'time-unit'
  readonly unit: TimeUnit
  readonly at: Position
}

// -------------------------------------------------------------------------------------------- types

export type TypeNode =
  /** A basic type or a name made by CREATE TYPE; parameters (`VARCHAR(10)`) are read and mean nothing. */
  | {
      readonly kind: 'named-type'
      readonly name: Identifier
      readonly parameters: readonly string[]
      readonly at: Position
    }
  | {
      readonly kind: 'decimal-type'
      readonly precision: number
      readonly scale: number
      readonly at: Position
    }
  | { readonly kind: 'array-type'; readonly element: TypeNode; readonly at: Position }
  | {
      readonly kind: 'map-type'
      readonly key: TypeNode
      readonly value: TypeNode
      readonly at: Position
    }
  | {
      readonly kind: 'struct-type'
      readonly fields: readonly { readonly name: Identifier; readonly type: TypeNode }[]
      readonly at: Position
    }
