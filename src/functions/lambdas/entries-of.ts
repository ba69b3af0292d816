import type { SqlValue } from '../../plan/sql-value.ts'

/** The entries of a map for a lambda. @throws TypeError a value is null, which ksqlDB's maps of results refuse */
export function entriesOf(
  functionName: string,
  map: ReadonlyMap<SqlValue, SqlValue>,
): readonly (readonly [SqlValue, SqlValue])[] {
  const entries = [...map]
  if (entries.some(([, value]) => value === null)) {
    throw new TypeError(`${functionName} does not accept a map with null values.`)
  }
  return entries
}
