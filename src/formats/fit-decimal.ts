import Big from 'big.js'

/** Whether a value is held by DECIMAL(precision, scale) exactly, without rounding. */
export function fitsDecimal(value: Big, precision: number, scale: number): boolean {
  if (value.c[0] === 0) return true
  // value = c[0].c[1]… × 10^e, without trailing zeros
  return value.e < precision - scale && value.c.length - 1 - value.e <= scale
}

const DECIMAL_TEXT = /^\+?(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/

/** Reads decimal text as Java's BigDecimal does (a leading plus and an exponent are taken); undefined if it is none. */
export function parseDecimal(text: string): Big | undefined {
  if (text.length > 1000) return undefined
  const match = DECIMAL_TEXT.exec(text)
  return match === null || text.startsWith('+-') ? undefined : new Big(match[1]!)
}
