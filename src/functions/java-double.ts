/**
 * A DOUBLE as Java writes it: the shortest digits that read back the same; plain from 10^-3 up to 10^7,
 * else one digit before the point and an exponent: `1.0`, `0.001`, `1.0E7`, `4.9E-324`, `NaN`.
 */
export function doubleText(value: number): string {
  if (Number.isInteger(value) && value > -1e7 && value < 1e7) {
    return Object.is(value, -0) ? '-0.0' : `${value}.0`
  }
  const magnitude = Math.abs(value)
  if (magnitude >= 1e-3 && magnitude < 1e7) return String(value)
  if (!Number.isFinite(value)) return String(value)
  // Java insists on two digits where JavaScript needs one, and then takes the nearest two.
  if (magnitude === 5e-324) return value < 0 ? '-4.9E-324' : '4.9E-324'
  const text = value.toExponential()
  const cut = text.indexOf('e')
  const digits = text.slice(0, cut)
  const exponent = text.slice(text[cut + 1] === '+' ? cut + 2 : cut + 1)
  return `${digits.includes('.') ? digits : `${digits}.0`}E${exponent}`
}

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
