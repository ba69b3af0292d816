import type { Millrace } from '../runtime/millrace.ts'
import type { Relation } from '../sql/ast.ts'
import { parseAll } from '../sql/parse.ts'

/** Why a running query has given no row yet, as far as its inputs tell. */
export function waitingText(millrace: Millrace, statementText: string): string | undefined {
  const statement = parseAll(statementText, { variables: false }).statements[0]
  if (statement?.kind !== 'query-statement') return undefined
  const inputs = sourcesOf(statement.query.from).flatMap((name) => {
    const topic = millrace.catalog.source(name)?.topic
    return topic === undefined ? [] : [{ topic, count: recordCount(millrace, topic) }]
  })
  if (inputs.length === 0) return undefined
  const holdings = inputs.map(
    ({ topic, count }) =>
      `topic ${topic} has ${count.toLocaleString('en')} ${count === 1 ? 'record' : 'records'}`,
  )
  const hint = inputs.some(({ count }) => count > 0)
    ? " Rows from before the query are shown after SET 'auto.offset.reset' = 'earliest';"
    : ''
  return `No rows yet: ${holdings.join(', ')}.${hint}`
}

function sourcesOf(relation: Relation): readonly string[] {
  switch (relation.kind) {
    case 'source-relation':
      return [relation.name.name]
    case 'join-relation':
      return [...sourcesOf(relation.left), ...sourcesOf(relation.right)]
    case 'subquery-relation':
      return sourcesOf(relation.query.from)
    case 'union-relation':
      return relation.branches.flatMap((branch) => sourcesOf(branch.from))
  }
}

/** Records in a topic, all partitions together. */
export function recordCount(millrace: Millrace, topic: string): number {
  const partitions = millrace.log.topic(topic)?.partitions ?? 0
  let count = 0
  for (let partition = 0; partition < partitions; partition++) {
    const { logStart, lastStable } = millrace.log.ends(topic, partition)
    count += lastStable - logStart
  }
  return count
}
