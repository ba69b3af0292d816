import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'

/**
 * Entries of a map in the order in which a java.util.HashMap would give them. SQL promises no order, but
 * folding a map shows one, and ksqlDB's results are those of this one.
 */
export function inHashOrder(
  map: ReadonlyMap<SqlValue, SqlValue>,
  keyType: SqlType,
): readonly (readonly [SqlValue, SqlValue])[] {
  const entries = [...map]
  if (entries.length < 2) return entries
  // Tables of maps read from records are just as large as they need: at most three quarters full.
  let buckets = 1
  while (entries.length > buckets * 0.75) buckets *= 2
  const bucketOf = (key: SqlValue): number => {
    const hash = javaHash(key, keyType)
    return (hash ^ (hash >>> 16)) & (buckets - 1)
  }
  return entries
    .map((entry) => ({ entry, bucket: bucketOf(entry[0]) }))
    .sort((a, b) => a.bucket - b.bucket)
    .map(({ entry }) => entry)
}

/** Java's hashCode of a key; 0 for types whose keys are rare. */
function javaHash(key: SqlValue, type: SqlType): number {
  if (key === null) return 0
  switch (type.kind) {
    case 'STRING': {
      let hash = 0
      const text = key as string
      for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
      return hash
    }
    case 'BOOLEAN':
      return key === true ? 1231 : 1237
    case 'INTEGER':
      return key as number
    case 'BIGINT': {
      const bits = BigInt.asUintN(64, BigInt(key as number | bigint))
      return Number((bits >> 32n) ^ (bits & 0xffffffffn)) | 0
    }
    case 'DOUBLE': {
      const view = new DataView(new ArrayBuffer(8))
      view.setFloat64(0, key as number)
      return view.getInt32(0) ^ view.getInt32(4)
    }
    default:
      return 0
  }
}
