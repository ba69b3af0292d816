/** The typed builder. */
export {
  stream,
  table,
  Stream,
  Table,
  type Definition,
  type SinkOptions,
  type SourceOptions,
} from './builder.ts'
export {
  array,
  bigint,
  boolean,
  bytes,
  date,
  decimal,
  double,
  integer,
  map,
  string,
  struct,
  time,
  timestamp,
  type ColumnType,
  type RowOf,
} from './column-type.ts'
export {
  avg,
  call,
  column,
  count,
  earliest,
  latest,
  max,
  min,
  sum,
  Aggregate,
  Expression,
} from './expression.ts'
export { hopping, session, tumbling, type Duration, type Window } from './window.ts'
export {
  aggregateFunction,
  aggregateOverload,
  type AggregateFunctionCall,
  type AggregateSignature,
} from './functions/aggregate.ts'
export {
  anyDecimal,
  anyType,
  nullable,
  optional,
  typeParameter,
  variadic,
  type Argument,
} from './functions/argument.ts'
export { scalarFunction, scalarOverload, type ScalarSignature } from './functions/scalar.ts'
export type { FunctionCall } from './functions/signature.ts'
export { tableFunction, tableOverload, type TableSignature } from './functions/table.ts'
