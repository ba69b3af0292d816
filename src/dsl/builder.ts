import { printType, quoteName } from '../plan/sql-type.ts'
import type { ColumnType, ColumnTypes, RowOf } from './column-type.ts'
import { Aggregate, column, constant, Expression } from './expression.ts'
import type { Window } from './window.ts'

/**
 * Something a Millrace can be told to define: a stream or table with the statements that make it. The
 * builder writes SQL, so that it means exactly what the statement means, down to names and plan.
 */
export interface Definition<Row> {
  readonly kind: 'stream' | 'table'
  readonly name: string
  /** What has to be there first. */
  readonly needs: readonly Definition<unknown>[]
  /** CREATE …, ending with a semicolon. */
  readonly statement: string
  /** Only for the compiler: never set. */
  readonly rowType?: Row
}

export interface SourceOptions<K extends ColumnTypes, V extends ColumnTypes> {
  readonly topic: string
  readonly key?: K
  readonly columns: V
  /** Default JSON. */
  readonly format?: 'JSON' | 'DELIMITED' | 'KAFKA'
  readonly keyFormat?: 'KAFKA' | 'JSON' | 'DELIMITED'
  /** Makes the topic if it is missing. */
  readonly partitions?: number
  /** The column that holds event time. */
  readonly timestamp?: keyof V & string
}

export interface SinkOptions {
  readonly topic?: string
  readonly format?: 'JSON' | 'DELIMITED' | 'KAFKA'
  readonly keyFormat?: 'KAFKA' | 'JSON' | 'DELIMITED'
  readonly partitions?: number
}

/** The columns of rows, as expressions. */
export type Columns<Row> = { readonly [K in keyof Row]-?: Expression<NonNullable<Row[K]>> }

/** Declares a stream over a topic: every record is a row. */
export function stream<V extends ColumnTypes, K extends ColumnTypes = Record<never, never>>(
  name: string,
  options: SourceOptions<K, V>,
): Stream<RowOf<K> & RowOf<V>> {
  return new Stream(declare('stream', name, options))
}

/** Declares a table over a topic: a record replaces the row of its key; a null value deletes it. */
export function table<V extends ColumnTypes, K extends ColumnTypes>(
  name: string,
  options: SourceOptions<K, V> & { readonly key: K },
): Table<RowOf<K> & RowOf<V>> {
  return new Table(declare('table', name, options))
}

/** The statements that make `definitions` and what they need, each once, in the order they have to run. */
export function statementsFor(definitions: readonly Definition<unknown>[]): readonly string[] {
  const statements = new Set<string>()
  const visit = (definition: Definition<unknown>): void => {
    definition.needs.forEach(visit)
    statements.add(definition.statement)
  }
  definitions.forEach(visit)
  return [...statements]
}

/** What all builders know: where rows come from and which count. Immutable: each step returns a new one. */
interface From {
  readonly source: Definition<unknown>
  readonly where: readonly Expression<boolean>[]
}

abstract class Rows<Row> {
  protected readonly from: From

  constructor(from: From) {
    this.from = from
  }

  protected get columns(): Columns<Row> {
    return columnsProxy()
  }
}

/** Rows of a stream: filter, project, group, and give the result a name. */
export class StreamRows<Row> extends Rows<Row> {
  filter(predicate: (columns: Columns<Row>) => Expression<boolean>): StreamRows<Row> {
    return new StreamRows({ ...this.from, where: [...this.from.where, predicate(this.columns)] })
  }

  /** Key columns have to be among those selected. */
  select<S extends Readonly<Record<string, Expression<unknown>>>>(
    selection: (columns: Columns<Row>) => S,
  ): Projection<{ readonly [K in keyof S]: S[K] extends Expression<infer T> ? T | null : never }> {
    return new Projection('STREAM', this.from, selected(selection(this.columns)))
  }

  groupBy<K extends keyof Row & string>(...keys: [K, ...K[]]): Grouped<Row, Pick<Row, K>> {
    return new Grouped(this.from, keys, null)
  }

  /** The rows as they are, as a stream of their own. */
  to(name: string, options: SinkOptions = {}): Stream<Row> {
    return new Stream(create('STREAM', name, options, this.from, '*', ''))
  }
}

/** A stream: something to build on, and a definition. */
export class Stream<Row> extends StreamRows<Row> implements Definition<Row> {
  readonly kind = 'stream'
  readonly name: string
  readonly needs: readonly Definition<unknown>[]
  readonly statement: string
  declare readonly rowType?: Row

  constructor(definition: Definition<Row>) {
    super({ source: definition, where: [] })
    this.name = definition.name
    this.needs = definition.needs
    this.statement = definition.statement
  }
}

/** Rows of a table. */
export class TableRows<Row> extends Rows<Row> {
  filter(predicate: (columns: Columns<Row>) => Expression<boolean>): TableRows<Row> {
    return new TableRows({ ...this.from, where: [...this.from.where, predicate(this.columns)] })
  }

  select<S extends Readonly<Record<string, Expression<unknown>>>>(
    selection: (columns: Columns<Row>) => S,
  ): Projection<{ readonly [K in keyof S]: S[K] extends Expression<infer T> ? T | null : never }> {
    return new Projection('TABLE', this.from, selected(selection(this.columns)))
  }

  groupBy<K extends keyof Row & string>(...keys: [K, ...K[]]): Grouped<Row, Pick<Row, K>> {
    return new Grouped(this.from, keys, null)
  }

  to(name: string, options: SinkOptions = {}): Table<Row> {
    return new Table(create('TABLE', name, options, this.from, '*', ''))
  }
}

export class Table<Row> extends TableRows<Row> implements Definition<Row> {
  readonly kind = 'table'
  readonly name: string
  readonly needs: readonly Definition<unknown>[]
  readonly statement: string
  declare readonly rowType?: Row

  constructor(definition: Definition<Row>) {
    super({ source: definition, where: [] })
    this.name = definition.name
    this.needs = definition.needs
    this.statement = definition.statement
  }
}

/** Computed columns, waiting for a name. */
export class Projection<Row> {
  readonly #what: 'STREAM' | 'TABLE'
  readonly #from: From
  readonly #select: string

  constructor(what: 'STREAM' | 'TABLE', from: From, select: string) {
    this.#what = what
    this.#from = from
    this.#select = select
  }

  to(name: string, options: SinkOptions = {}): Stream<Row> | Table<Row> {
    const definition = create<Row>(this.#what, name, options, this.#from, this.#select, '')
    return this.#what === 'STREAM' ? new Stream(definition) : new Table(definition)
  }
}

/** Rows by key, perhaps by window. */
export class Grouped<Row, Key> {
  readonly #from: From
  readonly #keys: readonly string[]
  readonly #window: Window | null

  constructor(from: From, keys: readonly string[], window: Window | null) {
    this.#from = from
    this.#keys = keys
    this.#window = window
  }

  window(window: Window): Grouped<Row, Key> {
    return new Grouped(this.#from, this.#keys, window)
  }

  aggregate<A extends Readonly<Record<string, Aggregate<unknown>>>>(
    aggregates: A | ((columns: Columns<Row>) => A),
  ): Aggregated<Key & { readonly [K in keyof A]: A[K] extends Aggregate<infer T> ? T | null : never }> {
    const chosen = typeof aggregates === 'function' ? aggregates(columnsProxy()) : aggregates
    const keys = this.#keys.map(quoteName)
    const select = [
      ...keys,
      ...Object.entries(chosen).map(([name, a]) => `${a.text} AS ${quoteName(name)}`),
    ].join(', ')
    const window = this.#window === null ? '' : ` WINDOW ${this.#window.text}`
    return new Aggregated(this.#from, select, window, ` GROUP BY ${keys.join(', ')}`, 'CHANGES')
  }
}

/** Aggregates, waiting for a name. */
export class Aggregated<Row> {
  readonly #from: From
  readonly #select: string
  readonly #window: string
  readonly #groupBy: string
  readonly #emit: 'CHANGES' | 'FINAL'

  constructor(from: From, select: string, window: string, groupBy: string, emit: 'CHANGES' | 'FINAL') {
    this.#from = from
    this.#select = select
    this.#window = window
    this.#groupBy = groupBy
    this.#emit = emit
  }

  /** One row per key and window, when the window closes, in place of every change. */
  final(): Aggregated<Row> {
    return new Aggregated(this.#from, this.#select, this.#window, this.#groupBy, 'FINAL')
  }

  to(name: string, options: SinkOptions = {}): Table<Row> {
    return new Table(
      create('TABLE', name, options, this.#from, this.#select, this.#groupBy, this.#window, this.#emit),
    )
  }
}

function declare<K extends ColumnTypes, V extends ColumnTypes, Row>(
  kind: 'stream' | 'table',
  name: string,
  options: SourceOptions<K, V>,
): Definition<Row> {
  const keyWord = kind === 'stream' ? 'KEY' : 'PRIMARY KEY'
  const column = ([columnName, type]: [string, ColumnType<unknown>], mark: string): string =>
    `${quoteName(columnName)} ${printType(type.sql)}${mark}`
  const columns = [
    ...Object.entries(options.key ?? {}).map((entry) => column(entry, ` ${keyWord}`)),
    ...Object.entries(options.columns).map((entry) => column(entry, '')),
  ]
  const properties = {
    KAFKA_TOPIC: options.topic,
    KEY_FORMAT: options.keyFormat,
    VALUE_FORMAT: options.format ?? 'JSON',
    PARTITIONS: options.partitions,
    TIMESTAMP: options.timestamp === undefined ? undefined : quoteName(options.timestamp),
  }
  return {
    kind,
    name,
    needs: [],
    statement: `CREATE ${kind.toUpperCase()} IF NOT EXISTS ${quoteName(name)} (${columns.join(', ')})${withText(properties)};`,
  }
}

function create<Row>(
  what: 'STREAM' | 'TABLE',
  name: string,
  options: SinkOptions,
  from: From,
  select: string,
  groupBy: string,
  window = '',
  emit: 'CHANGES' | 'FINAL' = 'CHANGES',
): Definition<Row> {
  const properties = {
    KAFKA_TOPIC: options.topic,
    KEY_FORMAT: options.keyFormat,
    VALUE_FORMAT: options.format,
    PARTITIONS: options.partitions,
  }
  const where = from.where.length === 0 ? '' : ` WHERE ${from.where.map((w) => w.text).join(' AND ')}`
  return {
    kind: what === 'STREAM' ? 'stream' : 'table',
    name,
    needs: [from.source],
    statement:
      `CREATE ${what} IF NOT EXISTS ${quoteName(name)}${withText(properties)} AS` +
      ` SELECT ${select} FROM ${quoteName(from.source.name)}${window}${where}${groupBy} EMIT ${emit};`,
  }
}

function withText(properties: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(properties).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${constant(value)}`],
  )
  return given.length === 0 ? '' : ` WITH (${given.join(', ')})`
}

function selected(selection: Readonly<Record<string, Expression<unknown>>>): string {
  return Object.entries(selection)
    .map(([name, expression]) => `${expression.text} AS ${quoteName(name)}`)
    .join(', ')
}

/** Any name is a column: whether it exists, the compiler knows before, and the statement after. */
function columnsProxy<Row>(): Columns<Row> {
  return new Proxy({} as Columns<Row>, {
    get: (_, name) => (typeof name === 'string' ? column(name) : undefined),
  })
}
