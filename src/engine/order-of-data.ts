import { inputsOf, type PlanNode } from '../plan/plan-node.ts'
import type { QuerySpec } from './query-spec.ts'

/** The same queries, those that write a topic before those that read it; otherwise as given. A circle is cut somewhere. */
export function inOrderOfData<Q extends { readonly spec: QuerySpec }>(queries: readonly Q[]): Q[] {
  const ordered = new Set<Q>()
  const entered = new Set<Q>()
  const visit = (query: Q): void => {
    if (entered.has(query)) return
    entered.add(query)
    const read = topicsRead(query.spec.plan.root)
    for (const other of queries) if (read.has(other.spec.plan.sink?.topic ?? '')) visit(other)
    ordered.add(query)
  }
  queries.forEach(visit)
  return [...ordered]
}

function topicsRead(root: PlanNode): ReadonlySet<string> {
  const topics = new Set<string>()
  const visit = (node: PlanNode): void => {
    if (node.kind === 'source') topics.add(node.source.topic)
    inputsOf(node).forEach(visit)
  }
  visit(root)
  return topics
}
