import { javaDoubleText } from '../base/java-double.ts'

/** Room that any number needs. */
export const NUMBER_BYTES_MAX = 32

/** The two digits of 0 … 99. */
const TENS_DIGIT = Uint8Array.from({ length: 100 }, (_, n) => 0x30 + Math.floor(n / 10))
const ONES_DIGIT = Uint8Array.from({ length: 100 }, (_, n) => 0x30 + (n % 10))

/**
 * Writes a safe integer as decimal digits.
 *
 * @param at  where to write; at least {@link NUMBER_BYTES_MAX} bytes must be there
 * @returns the place after it
 */
export function writeInteger(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    bytes[at++] = 0x2d
    value = -value
  }
  if (value < 1e9) return writeSmall(bytes, at, value | 0)
  const high = Math.floor(value / 1e9)
  return writeNine(bytes, writeSmall(bytes, at, high | 0), (value - high * 1e9) | 0)
}

/** A whole number in [0, 2^31). */
function writeSmall(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = 0x30 + value
    return at + 1
  }
  if (value < 100) {
    bytes[at] = TENS_DIGIT[value]!
    bytes[at + 1] = ONES_DIGIT[value]!
    return at + 2
  }
  if (value < 1e4) {
    const high = (value / 100) | 0
    if (value < 1000) bytes[at++] = 0x30 + high
    else at = writePair(bytes, at, high)
    return writePair(bytes, at, value - high * 100)
  }
  const high = (value / 1e4) | 0
  return writeFour(bytes, writeSmall(bytes, at, high), value - high * 1e4)
}

/** Two digits of a whole number below 100. */
function writePair(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = TENS_DIGIT[value]!
  bytes[at + 1] = ONES_DIGIT[value]!
  return at + 2
}

/** Four digits of a whole number below 10,000. */
function writeFour(bytes: Uint8Array, at: number, value: number): number {
  const high = (value / 100) | 0
  return writePair(bytes, writePair(bytes, at, high), value - high * 100)
}

/** Six digits of a whole number below a million. */
function writeSix(bytes: Uint8Array, at: number, value: number): number {
  const high = (value / 1e4) | 0
  return writeFour(bytes, writePair(bytes, at, high), value - high * 1e4)
}

/** Nine digits of a whole number below 10⁹. */
function writeNine(bytes: Uint8Array, at: number, value: number): number {
  const first = (value / 1e8) | 0
  const rest = value - first * 1e8
  const high = (rest / 1e4) | 0
  bytes[at] = 0x30 + first
  return writeFour(bytes, writeFour(bytes, at + 1, high), rest - high * 1e4)
}

/** Exactly `digits` digits of a whole number in [0, 2^31), with zeros in front. */
function writePadded(bytes: Uint8Array, at: number, value: number, digits: number): number {
  const after = at + digits
  for (let place = after - 1; place >= at; place--) {
    const rest = (value / 10) | 0
    bytes[place] = 0x30 + value - rest * 10
    value = rest
  }
  return after
}

/**
 * Writes a finite double as `javaDoubleText` does, straight to bytes.
 *
 * @param at  where to write; at least {@link NUMBER_BYTES_MAX} bytes must be there
 * @returns the place after it
 */
export function writeJavaDouble(bytes: Uint8Array, at: number, value: number): number {
  const magnitude = value < 0 ? -value : value
  if (!(magnitude >= 1e-3 && magnitude < 1e7)) return writeAscii(bytes, at, javaDoubleText(value))
  const start = at
  if (value < 0) bytes[at++] = 0x2d
  // A decimal of at most 15 digits that reads back the same is the shortest one.
  const tenths = (magnitude * 10 + 0.5) | 0
  if (tenths / 10 === magnitude) {
    const whole = (tenths / 10) | 0
    at = writeSmall(bytes, at, whole)
    bytes[at] = 0x2e
    bytes[at + 1] = 0x30 + tenths - whole * 10
    return at + 2
  }
  const whole = magnitude | 0
  const millionths = Math.round(magnitude * 1e6)
  if (millionths / 1e6 === magnitude) {
    at = writeSmall(bytes, at, whole)
    bytes[at] = 0x2e
    at = writeSix(bytes, at + 1, (millionths - whole * 1e6) | 0)
    while (bytes[at - 1] === 0x30) at--
    return at
  }
  const after = writeShortest(bytes, at, magnitude)
  return after > 0 ? after : writeAscii(bytes, start, javaDoubleText(value))
}

const bits = new Float64Array(1)
const words = new Uint32Array(bits.buffer)

const TWO_32 = 4294967296
const TWO_64 = TWO_32 * TWO_32

/*
 * The shortest digits of 10⁻³ ≤ x < 10⁷ (Steele and White): the fraction is held exactly in 64 bits behind the
 * point, as two halves; digits are taken off its front until what is left, or what is missing to the next
 * digit, is less than half the distance to the neighbouring double. A number this short or this close to a
 * boundary that doubles can't tell is given up. 70 ns against 150 for String and a copy.
 *
 * Returns the place after the digits, or −1 when given up.
 */
function writeShortest(bytes: Uint8Array, start: number, x: number): number {
  bits[0] = x
  const exponent = ((words[1]! >>> 20) & 0x7ff) - 1023
  // at a power of two the neighbour below is closer than the one above
  if (words[0] === 0 && (words[1]! & 0xfffff) === 0) return -1
  const whole = Math.floor(x)
  let high = (x - whole) * TWO_32
  let low = high - Math.floor(high)
  high -= low
  low *= TWO_32
  // half the distance, in units of the last of the 64 bits
  let half = 2 ** (exponent + 11)

  let product = low * 1e6
  let carry = Math.floor(product / TWO_32)
  low = product - carry * TWO_32
  product = high * 1e6 + carry
  const first = Math.floor(product / TWO_32)
  high = product - first * TWO_32
  half *= 1e6
  let second = -1
  if (exponent <= 11) {
    product = low * 1e6
    carry = Math.floor(product / TWO_32)
    low = product - carry * TWO_32
    product = high * 1e6 + carry
    second = Math.floor(product / TWO_32)
    high = product - second * TWO_32
    half *= 1e6
  }
  let rest = high * TWO_32 + low
  // fewer digits would have done
  if (rest <= half + 4096 || rest >= TWO_64 - half - 4096) return -1

  let tail = 0
  let tailDigits = 0
  for (;;) {
    product = low * 10
    carry = Math.floor(product / TWO_32)
    low = product - carry * TWO_32
    product = high * 10 + carry
    const digit = Math.floor(product / TWO_32)
    high = product - digit * TWO_32
    half *= 10
    tail = tail * 10 + digit
    tailDigits++
    rest = high * TWO_32 + low
    const fromBelow = half - rest
    const fromAbove = rest - (TWO_64 - half)
    if (fromBelow < -4096 && fromAbove < -4096) {
      if (tailDigits === 9) return -1
      continue
    }
    if (fromBelow <= 4096 && fromBelow >= -4096) return -1
    if (fromAbove <= 4096 && fromAbove >= -4096) return -1
    let isUp = fromAbove > 0
    if (isUp && fromBelow > 0) {
      const fromMiddle = rest - TWO_64 / 2
      if (fromMiddle <= 4096 && fromMiddle >= -4096) return -1
      isUp = fromMiddle > 0
    }
    if (isUp) tail++
    if (tail % 10 === 0) return -1
    break
  }
  let at = writeSmall(bytes, start, whole | 0)
  bytes[at] = 0x2e
  at = writeSix(bytes, at + 1, first | 0)
  if (second >= 0) at = writeSix(bytes, at, second | 0)
  return writePadded(bytes, at, tail | 0, tailDigits)
}

function writeAscii(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i)
  return at + text.length
}
