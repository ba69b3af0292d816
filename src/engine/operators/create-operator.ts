import { assert } from '../../base/assert.ts'
import type { AggregateNode, PlanNode } from '../../plan/plan-node.ts'
import type { Operator, OperatorContext } from '../operator.ts'
import { AggregateOperator } from './aggregate.ts'
import { AlertOperator } from './alert.ts'
import { ForeignKeyJoinOperator } from './foreign-key-join.ts'
import { LagOperator } from './lag.ts'
import { MaterialiseOperator } from './materialise.ts'
import { SessionAggregateOperator } from './session-aggregate.ts'
import { StreamStreamJoinOperator } from './stream-stream-join.ts'
import { StreamTableJoinOperator } from './stream-table-join.ts'
import { TableAggregateOperator } from './table-aggregate.ts'
import { TableTableJoinOperator } from './table-table-join.ts'
import { TimeWindowAggregateOperator } from './time-window-aggregate.ts'

/**
 * The operator that runs a stateful node. A `source` is that of a table that is kept; a `table-aggregate`
 * is its second half, behind `tableRekey` and the exchange. Inputs in the order of `inputsOf`.
 */
export function createOperator(node: PlanNode, context: OperatorContext): Operator {
  switch (node.kind) {
    case 'source':
      assert(node.output === 'table', 'only tables are kept by their source')
      return new MaterialiseOperator(node.schema, node.windowed, context)
    case 'aggregate':
      return createAggregate(node, context)
    case 'table-aggregate':
      return new TableAggregateOperator(node, context)
    case 'stream-table-join':
      return new StreamTableJoinOperator(node, context)
    case 'stream-stream-join':
      return new StreamStreamJoinOperator(node, context)
    case 'table-table-join':
      return new TableTableJoinOperator(node, context)
    case 'foreign-key-join':
      return new ForeignKeyJoinOperator(node, context)
    case 'lag':
      return new LagOperator(node, context)
    case 'alert':
      return new AlertOperator(node, context)
    default:
      throw new TypeError(`A ${node.kind} node has no operator.`)
  }
}

function createAggregate(node: AggregateNode, context: OperatorContext): Operator {
  if (node.window === null) return new AggregateOperator(node, context)
  return node.window.type === 'SESSION'
    ? new SessionAggregateOperator(node, context)
    : new TimeWindowAggregateOperator(node, context)
}
