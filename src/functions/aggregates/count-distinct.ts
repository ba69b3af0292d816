import { BIGINT, BYTES, structOf, type SqlType } from '../../plan/sql-type.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import { identityFunction } from '../comparison.ts'
import type { BoundAggregate } from '../function.ts'
import { ANY } from '../type-pattern.ts'

/*
 * HyperLogLog with 2^14 registers of one byte each: standard error 0.81 %. Up to EXACT_MAX different values
 * the sketch is the ascending list of their 64-bit hashes instead, 8 bytes each, big-endian: exact and
 * small. The two are told apart by their size.
 */
const REGISTER_BITS = 14
const REGISTERS = 1 << REGISTER_BITS
const EXACT_MAX = 256
const HASH_BYTES = 8

type State = readonly [sketch: Uint8Array]

/** 64 bits as two unsigned halves. */
interface Hash {
  readonly high: number
  readonly low: number
}

function bindCountDistinct(type: SqlType): BoundAggregate {
  const identity = identityFunction(type)
  return {
    stateType: structOf([{ name: 'SKETCH', type: BYTES }]),
    initial: () => [new Uint8Array(0)],
    add(state, [value]) {
      if (value === null) return state
      const [sketch] = state as State
      const next = withHash(sketch, hashOf(String(identity(value!))))
      return next === sketch ? state : [next]
    },
    undo: null,
    merge(earlier, later) {
      const [a] = earlier as State
      const [b] = later as State
      if (isDense(a) && isDense(b)) return [a.map((rank, i) => Math.max(rank, b[i]!))]
      const [larger, smaller] = isDense(a) ? [a, b] : [b, a]
      return [hashesOf(smaller).reduce(withHash, larger)]
    },
    result(state) {
      const [sketch] = state as State
      return isDense(sketch) ? estimate(sketch) : sketch.length / HASH_BYTES
    },
    slots: null,
  }
}

function isDense(sketch: Uint8Array): boolean {
  return sketch.length === REGISTERS
}

function viewOf(sketch: Uint8Array): DataView {
  return new DataView(sketch.buffer, sketch.byteOffset, sketch.byteLength)
}

function hashesOf(sketch: Uint8Array): readonly Hash[] {
  const view = viewOf(sketch)
  return Array.from({ length: sketch.length / HASH_BYTES }, (_, i) => ({
    high: view.getUint32(i * HASH_BYTES),
    low: view.getUint32(i * HASH_BYTES + 4),
  }))
}

/** The sketch with one more hash; the same object if that changes nothing. */
function withHash(sketch: Uint8Array, hash: Hash): Uint8Array {
  if (isDense(sketch)) {
    const register = registerOf(hash)
    const rank = rankOf(hash)
    if (sketch[register]! >= rank) return sketch
    const next = sketch.slice()
    next[register] = rank
    return next
  }
  const at = positionOf(sketch, hash)
  if (at < 0) return sketch
  if (sketch.length < EXACT_MAX * HASH_BYTES) {
    const next = new Uint8Array(sketch.length + HASH_BYTES)
    next.set(sketch.subarray(0, at))
    next.set(sketch.subarray(at), at + HASH_BYTES)
    const view = viewOf(next)
    view.setUint32(at, hash.high)
    view.setUint32(at + 4, hash.low)
    return next
  }
  const dense = new Uint8Array(REGISTERS)
  for (const each of [...hashesOf(sketch), hash]) {
    const register = registerOf(each)
    dense[register] = Math.max(dense[register]!, rankOf(each))
  }
  return dense
}

/** Byte position where the hash belongs in the list; −1: it is there. */
function positionOf(sketch: Uint8Array, hash: Hash): number {
  const view = viewOf(sketch)
  let from = 0
  let to = sketch.length / HASH_BYTES
  while (from < to) {
    const middle = (from + to) >>> 1
    const high = view.getUint32(middle * HASH_BYTES)
    const low = view.getUint32(middle * HASH_BYTES + 4)
    if (high === hash.high && low === hash.low) return -1
    if (high < hash.high || (high === hash.high && low < hash.low)) from = middle + 1
    else to = middle
  }
  return from * HASH_BYTES
}

function registerOf({ high }: Hash): number {
  return high >>> (32 - REGISTER_BITS)
}

/** Position of the first 1 among the bits that don't choose the register, from 1. */
function rankOf({ high, low }: Hash): number {
  const rest = (high << REGISTER_BITS) >>> 0
  return rest !== 0 ? Math.clz32(rest) + 1 : 32 - REGISTER_BITS + Math.clz32(low) + 1
}

function estimate(registers: Uint8Array): number {
  let harmonic = 0
  let zeros = 0
  for (const rank of registers) {
    harmonic += 2 ** -rank
    if (rank === 0) zeros++
  }
  const alpha = 0.7213 / (1 + 1.079 / REGISTERS)
  const raw = (alpha * REGISTERS * REGISTERS) / harmonic
  // Few values: counting the empty registers is more exact.
  return Math.round(raw <= 2.5 * REGISTERS && zeros > 0 ? REGISTERS * Math.log(REGISTERS / zeros) : raw)
}

/** Well-mixed bits of a text: two 32-bit lanes of multiply and rotate, each finished as in MurmurHash3. */
function hashOf(text: string): Hash {
  let a = 0x9747b28c ^ text.length
  let b = 0x3c6ef372
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0xcc9e2d51)
    a = (a << 15) | (a >>> 17)
    b = Math.imul(b ^ unit, 0x1b873593)
    b = ((b << 13) | (b >>> 19)) + a
  }
  return { high: mixed(a ^ Math.imul(b, 5)), low: mixed(b) }
}

function mixed(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

export const countDistinct = aggregateFunction({
  name: 'COUNT_DISTINCT',
  summary: 'About how many different values there are (exact while they are few, else within one percent).',
  args: { value: ANY },
  returns: BIGINT,
  undoable: false,
  bind: ([type]) => bindCountDistinct(type!),
})
