import Big from 'big.js'

/*
 * DECIMAL values are Big. Zero has one form, without a sign. Exact work that Big's rounded division
 * cannot do goes through the unscaled integer: value = unscaled / 10^scale.
 */

/** How digits beyond a scale are dropped. */
export type Rounding = 'down' | 'half-up' | 'half-even' | 'floor' | 'ceiling' | 'half-ceiling'

/** The value with at most `scale` digits after the point; a negative scale rounds left of it. */
export function roundDecimal(value: Big, scale: number, rounding: Rounding): Big {
  switch (rounding) {
    case 'down':
      return unsignedZero(value.round(scale, 0))
    case 'half-up':
      return unsignedZero(value.round(scale, 1))
    case 'half-even':
      return unsignedZero(value.round(scale, 2))
    case 'floor':
      return unsignedZero(value.round(scale, value.s < 0 ? 3 : 0))
    case 'ceiling':
      return unsignedZero(value.round(scale, value.s < 0 ? 0 : 3))
    case 'half-ceiling': {
      // Ties go up: add half a unit of the last place, then floor.
      const half = new Big(`5e${-scale - 1}`)
      return roundDecimal(value.plus(half), scale, 'floor')
    }
  }
}

/** The value as a DECIMAL(precision, scale), rounded half up. @throws RangeError its whole part has too many digits */
export function fitDecimal(value: Big, precision: number, scale: number): Big {
  if (wholeDigits(value) > precision - scale) {
    throw new RangeError(
      `Numeric field overflow: ${value.toFixed()} does not fit DECIMAL(${precision}, ${scale}).`,
    )
  }
  return roundDecimal(value, scale, 'half-up')
}

/** Digits before the point, 0 for |value| < 1. */
function wholeDigits(value: Big): number {
  return value.c[0] === 0 ? 0 : Math.max(0, value.e + 1)
}

/** value × 10^scale; the value must have at most `scale` digits after the point. */
export function unscaled(value: Big, scale: number): bigint {
  return BigInt(value.toFixed(scale).replace('.', ''))
}

export function fromUnscaled(digits: bigint, scale: number): Big {
  return new Big(`${digits}e${-scale}`)
}

/** Big keeps the sign of a zero, SQL has none. */
export function unsignedZero(value: Big): Big {
  return value.c[0] === 0 && value.s < 0 ? value.abs() : value
}

/** The value as Java's BigDecimal.toString gives it: with an exponent where it is tiny. */
export function bigDecimalText(value: Big, scale: number): string {
  const digits = unscaled(value.abs(), scale).toString()
  const adjusted = digits.length - 1 - scale
  const sign = value.s < 0 && value.c[0] !== 0 ? '-' : ''
  if (adjusted >= -6) return sign + value.abs().toFixed(scale)
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
  return `${sign}${digits[0]}${fraction}E${adjusted}`
}
