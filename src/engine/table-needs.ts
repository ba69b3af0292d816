import { inputsOf, type PlanNode, type SourceNode } from '../plan/plan-node.ts'

/**
 * Whether a table read from a topic has to be kept by its reader, so that changes carry the rows they
 * replace and pull queries find them. Joins keep their own copy of what they look up, and need no old rows.
 */
export function keepsOldRows(root: PlanNode, source: SourceNode): boolean {
  const path = pathTo(root, source)
  const consumer = path.findLast((node) => node.kind !== 'source')
  return !(consumer?.kind === 'stream-table-join' && path.at(-2) === consumer)
}

/** Whether, between a node and the end of its task, anything but projections handles its changes. */
export function oldRowsAreRead(root: PlanNode, node: PlanNode): boolean {
  return pathTo(root, node)
    .slice(0, -1)
    .some((above) => above.kind !== 'project')
}

/** Nodes from `root` down to `source`, both included. */
function pathTo(root: PlanNode, source: PlanNode): PlanNode[] {
  if (root === source) return [root]
  for (const input of inputsOf(root)) {
    const path = pathTo(input, source)
    if (path.length > 0) return [root, ...path]
  }
  return []
}
