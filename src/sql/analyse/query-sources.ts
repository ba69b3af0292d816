import { SqlError } from '../../base/errors.ts'
import type { DataSource } from '../../plan/data-source.ts'
import type { Identifier, JoinRelation, ReadRelation, Relation } from '../ast.ts'
import { isOn, type PrepareContext } from './context.ts'
import type { KeyedNode } from './keyed-node.ts'
import { didYouMean } from './nearest-name.ts'

/** A stream or table a query reads, under the name it has there. */
export interface QuerySource {
  readonly alias: string
  readonly source: DataSource
  readonly relation: ReadRelation
  /** Set for a sub-query: what computes its rows. `source` then describes these, and no topic. */
  readonly derived: KeyedNode | null
}

/** A sub-query planned. */
export type Derive = (
  relation: Exclude<ReadRelation, { readonly kind: 'source-relation' }>,
  alias: string,
) => {
  readonly source: DataSource
  readonly derived: KeyedNode
}

/** What a query reads: the first source, and the joins to it from left to right. */
export interface QuerySources {
  readonly all: readonly QuerySource[]
  /** `joins[i]` adds `all[i + 1]`. */
  readonly joins: readonly JoinRelation[]
}

/** A stream or table by name. @throws SqlError `SQL_UNKNOWN_SOURCE` with the nearest name */
export function findSource(name: Identifier, context: PrepareContext): DataSource {
  const source = context.catalog.source(name.name)
  if (source !== undefined) return source
  const names = context.catalog.sourceNames()
  const otherCase = names.find((n) => n.toUpperCase() === name.name.toUpperCase())
  throw new SqlError('SQL_UNKNOWN_SOURCE', {
    message: `There is no stream or table ${name.text}.`,
    at: name.at,
    hint:
      otherCase === undefined
        ? (didYouMean(name.name, names) ?? 'SHOW STREAMS and SHOW TABLES list what there is.')
        : otherCase === otherCase.toUpperCase()
          ? `Did you mean ${otherCase}? Names in quotes keep their case: remove the quotes.`
          : `Did you mean "${otherCase}"? Names without quotes are upper case: put it in quotes.`,
  })
}

/** The sources of a FROM clause. @throws SqlError for unknown sources and aliases used twice */
export function querySources(from: Relation, context: PrepareContext, derive: Derive): QuerySources {
  const joins: JoinRelation[] = []
  const relations: ReadRelation[] = []
  let relation = from
  while (relation.kind === 'join-relation') {
    joins.unshift(relation)
    relations.unshift(relation.right)
    relation = relation.left
  }
  relations.unshift(relation)
  const all = relations.map((r): QuerySource => {
    if (r.kind === 'source-relation') {
      const alias = (r.alias ?? r.name).name
      return { alias, source: findSource(r.name, context), relation: r, derived: null }
    }
    const alias = r.kind === 'subquery-relation' ? (r.alias?.name ?? 'SUBQUERY') : 'UNION'
    return { alias, relation: r, ...derive(r, alias) }
  })
  for (const [i, one] of all.entries()) {
    const same = all
      .slice(0, i)
      .find((other) => one.derived === null && other.source.name === one.source.name)
    if (same !== undefined && isOn(context.settings, 'millrace.compatibility', false)) {
      throw new SqlError('SQL_SELF_JOIN', {
        message: `${one.source.name} can't be joined with itself.`,
        at: one.relation.at,
        hint: 'Copy it with CREATE … AS SELECT * FROM … and join the copy.',
      })
    }
    if (all.slice(0, i).some((other) => other.alias === one.alias)) {
      throw new SqlError('SQL_DUPLICATE_ALIAS', {
        message:
          same === undefined
            ? `The alias ${one.alias} is used twice.`
            : `${one.source.name} is joined with itself under one name.`,
        at: one.relation.at,
        hint: `Give it an alias of its own: ${one.source.name} AS ….`,
      })
    }
  }
  return { all, joins }
}
