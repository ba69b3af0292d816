/**
 * A double as Java writes it: the shortest digits that read back the same, plain for 10⁻³ ≤ |x| < 10⁷ with at
 * least one digit after the point (`1.0`, `1234567.0`), otherwise with an exponent (`1.0E7`, `1.0E-4`);
 * `NaN`, `Infinity`, `-Infinity`, `-0.0`.
 */
export function javaDoubleText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  if (!Number.isFinite(value)) return String(value)
  const magnitude = Math.abs(value)
  if (magnitude >= 1e-3 && magnitude < 1e7) {
    const text = String(value)
    return Number.isInteger(value) ? `${text}.0` : text
  }
  const text = value.toExponential()
  const exponentAt = text.indexOf('e')
  let digits = text.slice(0, exponentAt)
  if (!digits.includes('.')) {
    // Java looks among two-digit texts, which are closer than the one-digit one for the smallest subnormals
    if (magnitude < 1e-320) return javaExponent(value.toExponential(1))
    digits += '.0'
  }
  return `${digits}E${text[exponentAt + 1] === '+' ? text.slice(exponentAt + 2) : text.slice(exponentAt + 1)}`
}

function javaExponent(text: string): string {
  return text.replace('e+', 'E').replace('e', 'E')
}

const DECIMAL_DOUBLE = /^[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?)$/
const HEX_DOUBLE = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)[fFdD]?$/

/**
 * Reads a double as Java's `Double.parseDouble` does: surrounding blanks are ignored, a suffix `d` or `f` and
 * hexadecimal floats are taken, too large values are infinite.
 *
 * @returns undefined if the text is no number
 */
export function parseJavaDouble(text: string): number | undefined {
  const trimmed = trimJava(text)
  if (DECIMAL_DOUBLE.test(trimmed)) {
    return Number(/[fFdD]$/.test(trimmed) ? trimmed.slice(0, -1) : trimmed)
  }
  const hex = HEX_DOUBLE.exec(trimmed)
  if (hex === null || (hex[2] === '' && hex[3] === '')) return undefined
  const fraction = hex[3]!
  const mantissa = Number(BigInt(`0x${hex[2]}${fraction}`))
  const value = mantissa * 2 ** (Number(hex[4]) - 4 * fraction.length)
  return hex[1] === '-' ? -value : value
}

/** Java's `String.trim`: cuts everything up to U+0020 at both ends. */
export function trimJava(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && text.charCodeAt(start) <= 32) start++
  while (end > start && text.charCodeAt(end - 1) <= 32) end--
  return text.slice(start, end)
}
