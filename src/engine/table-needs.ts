import { inputsOf, type PlanNode, type SourceNode } from '../plan/plan-node.ts'

/**
 * Whether a table read from a topic has to be kept by its reader, so that changes carry the rows they
 * replace and pull queries find them. Joins and alerts keep what they need themselves.
 */
export function keepsOldRows(root: PlanNode, source: SourceNode): boolean {
  const consumer = pathTo(root, source)
    .slice(0, -1)
    .findLast((node) => node.kind !== 'project')
  switch (consumer?.kind) {
    case 'stream-table-join':
    case 'table-table-join':
    case 'foreign-key-join':
    case 'alert':
      return false
    default:
      return true
  }
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
