import { columnsOf } from '../plan/columns-of.ts'
import type { Expr } from '../plan/expression.ts'
import type { PlanNode, SourceNode } from '../plan/plan-node.ts'

/**
 * Which columns of each source a plan reads (positions in the source's schema): what is worth decoding.
 * A table that is kept whole, for its old values or for a join, needs all of its columns.
 */
export function neededColumns(root: PlanNode): ReadonlyMap<SourceNode, ReadonlySet<number>> {
  const needed = new Map<SourceNode, ReadonlySet<number>>()
  visit(root, 'all', needed)
  return needed
}

type Needed = 'all' | ReadonlySet<string>

function visit(node: PlanNode, wanted: Needed, into: Map<SourceNode, ReadonlySet<number>>): void {
  switch (node.kind) {
    case 'source': {
      const all = wanted === 'all' || node.output === 'table'
      const positions = new Set<number>()
      node.schema.columns.forEach((c, i) => {
        if (all || c.role === 'key' || wanted.has(c.name)) positions.add(i)
      })
      into.set(node, positions)
      return
    }
    case 'filter':
      visit(node.input, wanted === 'all' ? 'all' : union(wanted, [node.predicate]), into)
      return
    case 'project':
      visit(node.input, union([], node.columns), into)
      return
    case 'rekey':
      visit(node.input, union([], [...node.keys, ...node.values]), into)
      return
    case 'aggregate':
      visit(
        node.input,
        union(
          [],
          node.aggregates.flatMap((a) => a.args),
        ),
        into,
      )
      return
    case 'flat-map':
    case 'lag':
    case 'table-aggregate':
    case 'alert':
      visit(node.input, 'all', into)
      return
    case 'union':
      for (const input of node.inputs) visit(input, 'all', into)
      return
    default:
      visit(node.left, 'all', into)
      visit(node.right, 'all', into)
  }
}

function union(names: Iterable<string>, exprs: readonly Expr[]): ReadonlySet<string> {
  const all = new Set(names)
  for (const expr of exprs) for (const name of columnsOf(expr)) all.add(name)
  return all
}
