import { SqlError, type Position } from '../../base/errors.ts'

/** Runs a look-up that knows no places, giving its errors the place of what was looked up. */
export function placed<T>(at: Position, resolve: () => T): T {
  try {
    return resolve()
  } catch (error) {
    if (error instanceof SqlError && error.at === undefined) {
      const { message, hint, cause, stage } = error
      throw new SqlError(error.code, { message, hint, cause, at, stage })
    }
    throw error
  }
}
