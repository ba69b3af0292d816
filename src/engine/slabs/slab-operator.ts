import type { AggregateNode } from '../../plan/plan-node.ts'
import type { Operator, OperatorContext } from '../operator.ts'
import { GroupAggregateOperator } from './group-aggregate.ts'
import { SlabAggregateOperator } from './slab-aggregate.ts'
import { slabAggregates } from './slab-rows.ts'

/** Whether a node can run on slabs: emission per cycle, no sessions, numeric aggregates. */
export function runsOnSlabs(node: AggregateNode, context: OperatorContext): boolean {
  return (
    context.cache &&
    !context.compatibility &&
    node.window?.type !== 'SESSION' &&
    slabAggregates(node, context) !== null
  )
}

export function slabOperator(node: AggregateNode, context: OperatorContext): Operator {
  return node.window === null
    ? new GroupAggregateOperator(node, context)
    : new SlabAggregateOperator(node, context)
}
