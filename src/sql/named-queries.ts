import { SqlError } from '../base/errors.ts'
import type { Identifier, Query, ReadRelation, Relation } from './ast.ts'

/** One definition of a WITH clause. */
export interface NamedQuery {
  readonly name: Identifier
  readonly query: Query
}

/** Queries one query may have inside it: names that use names twice grow fast. */
const INNER_QUERIES_MAX = 100

/**
 * The query with each name that WITH defines replaced by its query. A definition sees those before it.
 *
 * @throws SqlError for a name defined twice, and where too many queries would come of it
 */
export function withNamedQueries(query: Query, definitions: readonly NamedQuery[]): Query {
  const named = new Map<string, Query>()
  for (const { name, query: definition } of definitions) {
    if (named.has(name.name)) {
      throw new SqlError('SQL_DUPLICATE_NAME', {
        message: `WITH defines ${name.text} twice.`,
        at: name.at,
        hint: 'Choose another name for one of them.',
        stage: 'parse',
      })
    }
    named.set(name.name, inQuery(definition, named))
  }
  const result = inQuery(query, named)
  if (innerQueries(result, new Map()) > INNER_QUERIES_MAX) {
    throw new SqlError('SQL_TOO_DEEP', {
      message: `More than ${INNER_QUERIES_MAX} queries come of the names that WITH defines.`,
      at: definitions[0]!.name.at,
      hint: 'Make one of them a stream or table of its own with CREATE … AS.',
      stage: 'parse',
    })
  }
  return result
}

function inQuery(query: Query, named: ReadonlyMap<string, Query>): Query {
  return { ...query, from: inRelation(query.from, named) }
}

function inRelation(relation: Relation, named: ReadonlyMap<string, Query>): Relation {
  return relation.kind === 'join-relation'
    ? { ...relation, left: inRelation(relation.left, named), right: inRead(relation.right, named) }
    : inRead(relation, named)
}

function inRead(relation: ReadRelation, named: ReadonlyMap<string, Query>): ReadRelation {
  switch (relation.kind) {
    case 'source-relation': {
      const query = named.get(relation.name.name)
      if (query === undefined) return relation
      return { kind: 'subquery-relation', query, alias: relation.alias ?? relation.name, at: relation.at }
    }
    case 'subquery-relation':
      return { ...relation, query: inQuery(relation.query, named) }
    case 'union-relation':
      return { ...relation, branches: relation.branches.map((branch) => inQuery(branch, named)) }
  }
}

/** Each query is counted once for each place it stands in, and looked at once. */
function innerQueries(query: Query, known: Map<Query, number>): number {
  const before = known.get(query)
  if (before !== undefined) return before
  const count = (relation: Relation): number => {
    switch (relation.kind) {
      case 'join-relation':
        return count(relation.left) + count(relation.right)
      case 'source-relation':
        return 0
      case 'subquery-relation':
        return 1 + innerQueries(relation.query, known)
      case 'union-relation':
        return relation.branches.reduce((sum, branch) => sum + innerQueries(branch, known), 0)
    }
  }
  const total = count(query.from)
  known.set(query, total)
  return total
}
