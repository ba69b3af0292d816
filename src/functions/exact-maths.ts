/*
 * Correctly rounded (but for hopeless ties) exp, log, pow and cbrt. V8's are off by a unit in the last place
 * now and then, and SQL results are compared digit by digit. The work is done in "double-double": a value is
 * the exact sum hi + lo of two doubles with |lo| at most half a unit of hi, about 106 bits.
 * See T. J. Dekker, "A floating-point technique for extending the available precision", 1971.
 */

type Wide = readonly [hi: number, lo: number]

const LN2: Wide = [0.6931471805599453, 2.3190468138462996e-17]

/** eˣ */
export function exactExp(x: number): number {
  if (!(Math.abs(x) < 745.2) || x === 0) return Math.exp(x)
  const [hi, lo] = expWide([x, 0])
  return hi + lo
}

/** Natural logarithm; −Infinity of 0, NaN of negative numbers. */
export function exactLog(x: number): number {
  if (!(x > 0) || x === Infinity) return Math.log(x)
  const [hi, lo] = logWide(x)
  return hi + lo
}

/** base to the power of exponent, by Java's rules. */
export function exactPow(base: number, exponent: number): number {
  const rough = Math.pow(base, exponent)
  if (!Number.isFinite(rough) || rough === 0 || Math.abs(rough) === 1 || exponent === 1) return rough
  if (!Number.isFinite(base) || !Number.isFinite(exponent)) return rough
  const power = multiply(logWide(Math.abs(base)), [exponent, 0])
  if (Math.abs(power[0]) > 744) return rough
  const [hi, lo] = expWide(power)
  const size = hi + lo
  // A result near the smallest normal number was rounded twice; the rough one was not.
  if (size < 1e-300) return rough
  return rough < 0 ? -size : size
}

/** Cube root; keeps the sign. */
export function exactCbrt(x: number): number {
  const root = Math.cbrt(x)
  if (!Number.isFinite(root) || root === 0 || Math.abs(x) < 1e-290) return root
  // One Newton step with the error of root³ computed widely.
  const cube = multiply(multiply([root, 0], [root, 0]), [root, 0])
  return root + (x - cube[0] - cube[1]) / (3 * root * root)
}

function expWide(x: Wide): Wide {
  const twos = Math.round(x[0] / LN2[0])
  const rest = add(x, multiply([-twos, 0], LN2))
  // e^rest = (e^(rest/256))^256; |rest/256| < 0.0014, so that ten terms are enough for 106 bits.
  const small: Wide = [rest[0] / 256, rest[1] / 256]
  let sum: Wide = [0, 0]
  for (let n = 11; n >= 1; n--) sum = divide(multiply(small, add(sum, [1, 0])), n)
  // sum is e^small − 1: (1 + s)² − 1 = 2s + s².
  for (let i = 0; i < 8; i++) sum = add([2 * sum[0], 2 * sum[1]], multiply(sum, sum))
  const [hi, lo] = add([1, 0], sum)
  return scaled(hi, lo, twos)
}

/* Two steps, as 2^twos alone may not be a finite normal number. */
function scaled(hi: number, lo: number, twos: number): Wide {
  const half = Math.trunc(twos / 2)
  const first = 2 ** half
  const second = 2 ** (twos - half)
  // A subnormal result must be rounded once: both parts are joined before the last step.
  if (twos < -1020) return [(hi * first + lo * first) * second, 0]
  return [hi * first * second, lo * first * second]
}

function logWide(x: number): Wide {
  let twos = 0
  let mantissa = x
  // Bring it near 1, where the logarithm is small.
  if (mantissa < 2 ** -1000) {
    mantissa *= 2 ** 100
    twos -= 100
  }
  const exponent = Math.round(Math.log2(mantissa))
  const half = Math.trunc(exponent / 2)
  mantissa = mantissa / 2 ** half / 2 ** (exponent - half)
  twos += exponent
  // ln m = y + ln(m·e^−y), and m·e^−y − 1 = r is tiny.
  const rough = Math.log(mantissa)
  const ratio = multiply([mantissa, 0], expWide([-rough, 0]))
  const r = add(ratio, [-1, 0])
  const correction = add(r, [-(r[0] * r[0]) / 2, 0])
  return add(add([rough, 0], correction), multiply([twos, 0], LN2))
}

function add(a: Wide, b: Wide): Wide {
  const [sum, error] = twoSum(a[0], b[0])
  const [low, lowError] = twoSum(a[1], b[1])
  const [hi, rest] = quickTwoSum(sum, error + low)
  return quickTwoSum(hi, rest + lowError)
}

function multiply(a: Wide, b: Wide): Wide {
  const [product, error] = twoProduct(a[0], b[0])
  return quickTwoSum(product, error + (a[0] * b[1] + a[1] * b[0]))
}

function divide(a: Wide, n: number): Wide {
  const quotient = a[0] / n
  const [product, error] = twoProduct(quotient, n)
  return quickTwoSum(quotient, (a[0] - product - error + a[1]) / n)
}

/** The sum and its rounding error, exactly. */
function twoSum(a: number, b: number): Wide {
  const sum = a + b
  const part = sum - a
  return [sum, a - (sum - part) + (b - part)]
}

/** As {@link twoSum}, for |a| at least |b|. */
function quickTwoSum(a: number, b: number): Wide {
  const sum = a + b
  return [sum, b - (sum - a)]
}

/** The product and its rounding error, exactly. */
function twoProduct(a: number, b: number): Wide {
  const product = a * b
  const [aHigh, aLow] = halves(a)
  const [bHigh, bLow] = halves(b)
  return [product, aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow]
}

function halves(a: number): Wide {
  const shifted = 134217729 * a
  const high = shifted - (shifted - a)
  return [high, a - high]
}
