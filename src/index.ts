/** The public interface of Millrace. */
export type { Parameters, ParameterValue } from './sql/bind-parameters.ts'
export { Millrace } from './runtime/millrace.ts'
export type {
  ConsumeOptions,
  MillraceOptions,
  NewRecord,
  RestoreProgress,
  RuntimeProblem,
  SqlOptions,
} from './runtime/millrace.ts'
export type { LogHealth } from './log/log.ts'
export type { NewData } from './runtime/data.ts'
export type { PushQueryStatus, QueryCounters, QueryStatus } from './runtime/query-status.ts'
export { HttpSchemaRegistry, type HttpSchemaRegistryOptions } from './runtime/http-schema-registry.ts'
export type {
  RegisteredSchema,
  SchemaLanguage,
  SchemaReference,
  SchemaRegistry,
  SchemaText,
} from './formats/schema-registry.ts'
export type { UserFunction } from './runtime/user-functions.ts'
export { RowStream, type StreamedRow } from './runtime/row-stream.ts'
export type { RowObject } from './runtime/row-object.ts'
export type { PlainValue } from './plan/plain-value.ts'
export type {
  ConsumedRecord,
  MessageResult,
  PrintedPart,
  PrintedRecord,
  PrintResult,
  RowsResult,
  StatementResult,
  StreamResult,
  TextResult,
} from './runtime/statement-result.ts'
export {
  FunctionError,
  MillraceError,
  NotSupportedError,
  QueryError,
  RecordError,
  SqlError,
  StorageError,
  type Position,
} from './base/errors.ts'
export { ManualClock, systemClock, type Clock } from './base/clock.ts'
export { seededRandom, type Random } from './base/random.ts'
export type { Schema, Column } from './plan/schema.ts'
export type { SqlType } from './plan/sql-type.ts'
export type { Row, SqlValue } from './plan/sql-value.ts'
export * from './dsl/index.ts'
