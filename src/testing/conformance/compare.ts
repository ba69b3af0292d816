import { isJsonObject, JsonNumber, printJsonTree, type JsonTree } from './json-tree.ts'

/**
 * A value as it came out, with as much of its kind as comparing needs.
 *
 * Numbers are `integer`, `decimal` (its scale counts) or binary `float`.
 */
export type ActualValue =
  | null
  | boolean
  | string
  | { readonly kind: 'integer'; readonly value: bigint }
  /** In any JSON number notation. */
  | { readonly kind: 'decimal'; readonly text: string }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | readonly ActualValue[]
  | ReadonlyMap<string, ActualValue>

/** What a JSON document's values compare as. `exact` false: numbers with a point or exponent are binary. */
export function actualFromJson(tree: JsonTree, exact: boolean): ActualValue {
  if (tree === null || typeof tree === 'boolean' || typeof tree === 'string') return tree
  if (tree instanceof JsonNumber) {
    if (!/[.eE]/.test(tree.text)) return { kind: 'integer', value: BigInt(tree.text) }
    return exact ? { kind: 'decimal', text: tree.text } : { kind: 'float', value: Number(tree.text) }
  }
  if (isJsonObject(tree)) {
    return new Map([...tree].map(([name, value]) => [name, actualFromJson(value, exact)]))
  }
  return tree.map((item) => actualFromJson(item, exact))
}

/**
 * Compares by the kind of what was expected.
 *
 * @returns null if equal, else where and how they differ
 */
export function difference(expected: JsonTree, actual: ActualValue | undefined, path = ''): string | null {
  const differs = (): string =>
    `${path === '' ? '' : `${path}: `}expected ${printJsonTree(expected)}, got ${printActual(actual)}`
  if (expected === null) return actual === null || actual === undefined ? null : differs()
  if (actual === null || actual === undefined) return differs()
  if (typeof expected === 'boolean') return actual === expected ? null : differs()
  if (typeof expected === 'string') return equalsString(expected, actual) ? null : differs()
  if (expected instanceof JsonNumber) return equalsNumber(expected.text, actual) ? null : differs()
  if (isJsonObject(expected)) {
    if (!isActualMap(actual)) return differs()
    if (actual.size !== expected.size) return differs()
    for (const [name, value] of expected) {
      const found = actual.get(name) ?? actual.get(name.toUpperCase())
      const inside = difference(value, found, path === '' ? name : `${path}.${name}`)
      if (inside !== null) return inside
    }
    return null
  }
  if (!isActualList(actual) || actual.length !== expected.length) return differs()
  for (const [i, item] of expected.entries()) {
    const inside = difference(item, actual[i], `${path}[${i}]`)
    if (inside !== null) return inside
  }
  return null
}

/** For messages: JSON, with kinds told apart where JSON can't. */
export function printActual(actual: ActualValue | undefined): string {
  if (actual === undefined) return 'nothing'
  if (actual === null || typeof actual === 'boolean') return String(actual)
  if (typeof actual === 'string') return JSON.stringify(actual)
  if (isActualList(actual)) return `[${actual.map(printActual).join(',')}]`
  if (isActualMap(actual)) {
    return `{${[...actual].map(([n, v]) => `${JSON.stringify(n)}:${printActual(v)}`).join(',')}}`
  }
  switch (actual.kind) {
    case 'integer':
      return String(actual.value)
    case 'decimal':
      return actual.text
    case 'float':
      return `${actual.value} (binary)`
    case 'bytes':
      return `bytes ${base64(actual.value)}`
  }
}

function equalsString(expected: string, actual: ActualValue): boolean {
  if (typeof actual === 'string') return actual === expected
  if (actual === null || typeof actual !== 'object' || !('kind' in actual)) return false
  if (actual.kind === 'bytes') return base64(actual.value) === expected
  return actual.kind === 'decimal' && DECIMAL.test(expected) && sameDecimal(expected, actual.text, true)
}

function equalsNumber(expected: string, actual: ActualValue): boolean {
  if (actual === null || typeof actual !== 'object' || !('kind' in actual)) return false
  const hasExponent = /[eE]/.test(expected)
  switch (actual.kind) {
    case 'integer':
      return hasExponent
        ? Number(expected) === Number(actual.value)
        : BigInt(expected.split('.')[0]!) === actual.value
    case 'float':
      return hasExponent
        ? Number(expected) === actual.value
        : Math.abs(Number(expected) - actual.value) < 0.000001
    case 'decimal':
      if (hasExponent) return Number(expected) === Number(actual.text)
      if (!expected.includes('.')) {
        return decimalParts(actual.text).scale <= 0 && sameDecimal(expected, actual.text, false)
      }
      return sameDecimal(expected, actual.text, true)
    case 'bytes':
      return false
  }
}

const DECIMAL = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/

function sameDecimal(a: string, b: string, sameScale: boolean): boolean {
  const left = decimalParts(a)
  const right = decimalParts(b)
  if (sameScale && left.scale !== right.scale) return false
  const scale = Math.max(left.scale, right.scale)
  return left.digits * 10n ** BigInt(scale - left.scale) === right.digits * 10n ** BigInt(scale - right.scale)
}

/** value = digits × 10^−scale */
function decimalParts(text: string): { readonly digits: bigint; readonly scale: number } {
  const [mantissa, exponent] = text.toLowerCase().split('e') as [string, string | undefined]
  const [whole, fraction = ''] = mantissa.split('.') as [string, string | undefined]
  return { digits: BigInt(whole + fraction), scale: fraction.length - Number(exponent ?? 0) }
}

function isActualList(actual: ActualValue): actual is readonly ActualValue[] {
  return Array.isArray(actual)
}

function isActualMap(actual: ActualValue): actual is ReadonlyMap<string, ActualValue> {
  return actual instanceof Map
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
