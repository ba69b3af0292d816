/** A place in a statement's text. */
export interface Position {
  /** 1-based. */
  readonly line: number
  /** 1-based, in UTF-16 code units. */
  readonly column: number
  /** 0-based index into the whole text, in UTF-16 code units. */
  readonly index: number
  /** Length of the place in UTF-16 code units, at least 1. */
  readonly length: number
}

export interface ErrorDetails {
  /** A plain sentence: what is wrong, naming the kind of object and quoting what the user wrote. */
  readonly message: string
  /** What to do about it, where there is something. */
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/** What all errors of Millrace share. `code` is documented and stable; `message` may improve. */
export abstract class MillraceError extends Error {
  readonly code: string
  readonly hint: string | undefined

  constructor(code: string, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.hint = details.hint
  }
}

/** Which step refused a statement: reading its text, or checking what it means. */
export type SqlStage = 'parse' | 'analyse' | 'execute'

/** A statement is refused before it starts; nothing has changed. */
export class SqlError extends MillraceError {
  override readonly name = 'SqlError'
  readonly at: Position | undefined
  readonly stage: SqlStage

  constructor(
    code: string,
    details: ErrorDetails & { readonly at?: Position | undefined; readonly stage?: SqlStage },
  ) {
    super(code, details)
    this.at = details.at
    this.stage = details.stage ?? 'analyse'
  }
}

/** A statement, format or feature that is understood but not built yet. Never a verdict on the statement. */
export class NotSupportedError extends SqlError {
  constructor(feature: string, at?: Position, hint?: string) {
    super('SQL_NOT_SUPPORTED_YET', { message: `${feature} is not supported yet.`, at, hint })
  }
}

/** Where a record lies. */
export interface RecordPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** A record that cannot be used: it goes to the processing log with its place, and the query goes on. */
export class RecordError extends MillraceError {
  override readonly name = 'RecordError'
  readonly place: RecordPlace | undefined

  constructor(code: string, details: ErrorDetails & { readonly place?: RecordPlace | undefined }) {
    super(code, details)
    this.place = details.place
  }
}

/** Disk full, a failed sync, damaged bytes, a locked directory: the environment's problem, named with its place. */
export class StorageError extends MillraceError {
  override readonly name = 'StorageError'
}

/** A query cannot go on: an aggregate or an encoder failed in a way that must stop it. */
export class QueryError extends MillraceError {
  override readonly name = 'QueryError'
}

/** A user's function is refused at its registration, or is missing or changed where a stored query needs it. */
export class FunctionError extends MillraceError {
  override readonly name = 'FunctionError'
}
