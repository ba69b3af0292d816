/** Java's `(int) d`: cut toward zero, saturating, NaN is 0. */
export function doubleToInt(value: number): number {
  if (Number.isNaN(value)) return 0
  if (value >= 2147483647) return 2147483647
  if (value <= -2147483648) return -2147483648
  return Math.trunc(value) + 0
}

/** Java's `(long) d`: cut toward zero, saturating, NaN is 0. The canonical form of BIGINT. */
export function doubleToBigint(value: number): number | bigint {
  if (Number.isNaN(value)) return 0
  const whole = Math.trunc(value) + 0
  if (Number.isSafeInteger(whole)) return whole
  if (value >= 2 ** 63) return 9223372036854775807n
  if (value <= -(2 ** 63)) return -9223372036854775808n
  return BigInt(whole)
}
