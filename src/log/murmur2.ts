/**
 * Kafka's hash of record keys: murmur2, 32 bits, seed 0x9747b28c. Signed, as Java returns it.
 *
 * @param start inclusive
 * @param end exclusive
 */
export function murmur2(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const length = end - start
  let h = 0x9747b28c ^ length
  let at = start
  for (const last = start + (length & ~3); at < last; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    k = Math.imul(k, 0x5bd1e995)
    k ^= k >>> 24
    h = Math.imul(h, 0x5bd1e995) ^ Math.imul(k, 0x5bd1e995)
  }
  const tail = length & 3
  if (tail > 0) {
    if (tail === 3) h ^= bytes[at + 2]! << 16
    if (tail >= 2) h ^= bytes[at + 1]! << 8
    h = Math.imul(h ^ bytes[at]!, 0x5bd1e995)
  }
  h ^= h >>> 13
  h = Math.imul(h, 0x5bd1e995)
  return h ^ (h >>> 15)
}

/** The partition Kafka's Java client gives a key with this hash. The sign bit is masked, not negated. */
export function partitionOf(hash: number, partitions: number): number {
  return (hash & 0x7fffffff) % partitions
}
