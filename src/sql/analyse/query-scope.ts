import { SqlError } from '../../base/errors.ts'
import { BIGINT, INTEGER, type SqlType } from '../../plan/sql-type.ts'
import type { ColumnReference, Identifier, SelectItem } from '../ast.ts'
import { printExpression } from '../print-expression.ts'
import { didYouMean, nearestOrAll } from './nearest-name.ts'
import type { QuerySource } from './query-sources.ts'
import { referenceText, type Scope, type ScopeColumn } from './scope.ts'

const WINDOW_BOUNDS: ReadonlySet<string> = new Set(['WINDOWSTART', 'WINDOWEND'])

/** A column of one of a query's sources. */
export interface SourceColumn extends ScopeColumn {
  readonly source: QuerySource
  /** Its name in the source; `name` is the one in the plan, `<ALIAS>_<COLUMN>` in joins. */
  readonly column: string
  readonly role: 'key' | 'value' | 'pseudo'
}

/**
 * The columns of all sources of a query, as its expressions see them.
 *
 * Remembers which columns were referred to: joins carry no others.
 */
export class QueryScope implements Scope {
  readonly #sources: readonly QuerySource[]
  readonly #columns: readonly SourceColumn[]
  readonly #clause: string
  readonly #used: Set<string>
  readonly #synthetic: ScopeColumn | null
  readonly #items: readonly SelectItem[]

  /** @param items  the SELECT list: its aliases are no columns, which errors about them say */
  constructor(
    sources: readonly QuerySource[],
    isJoin: boolean,
    clause: string,
    used: Set<string> = new Set(),
    synthetic: ScopeColumn | null = null,
    items: readonly SelectItem[] = [],
  ) {
    this.#sources = sources
    this.#clause = clause
    this.#used = used
    this.#synthetic = synthetic
    this.#items = items
    this.#columns = sources.flatMap((source) => columnsOf(source, isJoin))
  }

  /** The same columns, for another clause's errors. */
  forClause(clause: string): QueryScope {
    return new QueryScope(
      this.#sources,
      this.#sources.length > 1,
      clause,
      this.#used,
      this.#synthetic,
      this.#items,
    )
  }

  /** Names in the plan of the columns referred to so far. */
  get used(): ReadonlySet<string> {
    return this.#used
  }

  /** All columns of a source, or of all: keys, values, then pseudo columns, source by source. */
  columns(source?: QuerySource): readonly SourceColumn[] {
    return source === undefined ? this.#columns : this.#columns.filter((c) => c.source === source)
  }

  use(column: ScopeColumn): ScopeColumn {
    this.#used.add(column.name)
    return column
  }

  has(name: string): boolean {
    return this.#columns.some((c) => c.column === name)
  }

  /** Whether a column of that name is in several sources. */
  isShared(column: string): boolean {
    return this.#columns.filter((c) => c.column === column).length > 1
  }

  findAlias(name: Identifier): QuerySource {
    const byAlias = this.#sources.find((s) => s.alias === name.name)
    if (byAlias !== undefined) return byAlias
    const byName = this.#sources.filter((s) => s.source.name === name.name)
    if (byName.length === 1) return byName[0]!
    if (byName.length > 1) {
      throw new SqlError('SQL_AMBIGUOUS_ALIAS', {
        message: `${name.text} is ambiguous: it could be ${byName.map((s) => s.alias).join(' or ')}.`,
        at: name.at,
        hint: `Write ${byName[0]!.alias}, or the other.`,
      })
    }
    throw new SqlError('SQL_UNKNOWN_ALIAS', {
      message: `${name.text} is not a stream, table or alias of this query.`,
      at: name.at,
      hint: this.has(name.name)
        ? `${name.text} is a column: a field of it is ${name.text}->field.`
        : nearestOrAll(
            name.name,
            this.#sources.map((s) => s.alias),
            this.#sources.length === 1 ? 'Its only source is' : 'There are',
          ),
    })
  }

  find(reference: ColumnReference): SourceColumn | ScopeColumn {
    const source = reference.source === null ? undefined : this.findAlias(reference.source)
    const name = reference.name.name
    if (source === undefined && this.#synthetic?.name === name) return this.#synthetic
    const found = this.columns(source).filter((c) => c.column === name)
    if (found.length === 1) return found[0]!
    if (found.length > 1) {
      throw new SqlError('SQL_AMBIGUOUS_COLUMN', {
        message: `The column ${reference.name.text} is ambiguous: it could be ${found.map((c) => `${c.source.alias}.${name}`).join(' or ')}.`,
        at: reference.at,
        hint: `Write ${found[0]!.source.alias}.${name}.`,
      })
    }
    throw new SqlError('SQL_UNKNOWN_COLUMN', {
      message: `The ${this.#clause} column ${referenceText(reference)} does not exist in ${this.#describe(source)}.`,
      at: reference.at,
      hint: this.#hintFor(reference, source),
    })
  }

  #hintFor(reference: ColumnReference, source: QuerySource | undefined): string | undefined {
    const { name, text, quoted } = reference.name
    if (WINDOW_BOUNDS.has(name)) {
      return 'Only windowed sources have it; of a window of this query it can only be selected.'
    }
    const named = this.#items.find(
      (item) => item.kind === 'select-expression' && item.alias?.name === name && reference.source === null,
    )
    if (named?.kind === 'select-expression') {
      return `${text} is what the SELECT list calls ${printExpression(named.expression)}: write that here.`
    }
    const columns = this.columns(source)
    const isNear = didYouMean(
      name,
      columns.map((c) => c.column),
    )
    // Double quotes are for names here, which surprises who comes from programming languages.
    if (isNear === undefined && quoted && reference.source === null) {
      return `Texts are written in single quotes: '${text}'.`
    }
    if (isNear !== undefined) return isNear
    const declared = columns.filter((c) => c.role !== 'pseudo').map((c) => c.column)
    return nearestOrAll(name, [...new Set(declared)], 'There are')
  }

  resolve(reference: ColumnReference): ScopeColumn {
    return this.use(this.find(reference))
  }

  #describe(source: QuerySource | undefined): string {
    const sources = source === undefined ? this.#sources : [source]
    return sources.map((s) => `${s.source.kind} ${s.source.name}`).join(' or ')
  }
}

function columnsOf(source: QuerySource, isJoin: boolean): SourceColumn[] {
  const make = (column: string, type: SqlType, role: SourceColumn['role']): SourceColumn => ({
    source,
    column,
    role,
    type,
    name: isJoin ? `${source.alias}_${column}` : column,
  })
  const columns = source.source.schema.columns.map((c) => make(c.name, c.type, c.role))
  const pseudo = [make('ROWTIME', BIGINT, 'pseudo')]
  // What a query gives has no place in a topic.
  if (source.derived === null) {
    pseudo.push(make('ROWPARTITION', INTEGER, 'pseudo'), make('ROWOFFSET', BIGINT, 'pseudo'))
  }
  if (source.source.windowedKey !== null) {
    pseudo.push(make('WINDOWSTART', BIGINT, 'pseudo'), make('WINDOWEND', BIGINT, 'pseudo'))
  }
  return [...columns, ...pseudo]
}
