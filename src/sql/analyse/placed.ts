import { SqlError, type Position } from '../../base/errors.ts'

/** Runs a look-up that knows no places, giving its errors the place of what was looked up. */
export function placed<T>(at: Position, resolve: () => T): T {
  try {
    return resolve()
  } catch (error) {
    throw withPlace(error, at)
  }
}

/** The error with a place, if it is one of a statement and has none. */
export function withPlace(error: unknown, at: Position): unknown {
  if (!(error instanceof SqlError) || error.at !== undefined) return error
  const { message, hint, cause, stage } = error
  return new SqlError(error.code, { message, hint, cause, at, stage })
}
