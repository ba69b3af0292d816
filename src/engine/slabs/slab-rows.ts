import { assert } from '../../base/assert.ts'
import { NumberVector, TextVector, ValueVector, type Vector } from '../../formats/vector.ts'
import type { AggregateNode } from '../../plan/plan-node.ts'
import type { Row } from '../../plan/sql-value.ts'
import { KeyCodec } from '../../state/key-codec.ts'
import type { StoreKey } from '../../state/store.ts'
import type { Batch } from '../batch.ts'
import type { OperatorContext } from '../operator.ts'
import { Stage } from '../stage.ts'
import type { SlabAggregate, SlabArguments } from './slab-loop.ts'

/** Where the key of each row lies; start −1: part of it is null. */
export interface KeyRanges {
  readonly bytes: Uint8Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

/** How the rows of an aggregate's input become keys and arguments of slots, and slots become result columns. */
export class SlabRows {
  readonly aggregates: readonly SlabAggregate[]
  /** Doubles of the aggregates in a new group. */
  readonly initial: readonly number[]
  /** Changes whenever the meaning of a slot or of its key changes. */
  readonly fingerprint: string
  readonly #keys: KeyCodec
  /** A single STRING key: its bytes in a record are its bytes in a slot. */
  readonly #plainKey: boolean
  readonly #keyColumns: number
  readonly #arguments: Stage
  readonly #argumentCount: number

  constructor(node: AggregateNode, context: OperatorContext) {
    const keyTypes = node.schema.columns.filter((c) => c.role === 'key').map((c) => c.type)
    this.#keyColumns = keyTypes.length
    this.#keys = new KeyCodec(keyTypes)
    this.#plainKey = keyTypes.length === 1 && keyTypes[0]!.kind === 'STRING'
    const aggregates = slabAggregates(node, context)
    assert(aggregates, 'all aggregates have fixed-size state')
    this.aggregates = aggregates
    this.initial = aggregates.flatMap((a) => a.slots.initial)
    const args = node.aggregates.flatMap((a) => a.args)
    this.#argumentCount = args.length
    this.#arguments = new Stage(
      [
        {
          kind: 'project',
          columns: args,
          schema: { columns: args.map((a, i) => ({ name: `ARG_${i}`, type: a.type, role: 'value' })) },
        },
      ],
      node.input.schema,
      {
        table: false,
        context: { functions: context.functions, functionContext: context.functionContext },
        onError: context.expressionError,
      },
    )
    this.fingerprint = JSON.stringify([
      keyTypes,
      node.aggregates.map((a) => [a.function, a.type]),
      this.initial.length,
    ])
  }

  /** Where each row's key lies: in the records themselves, or encoded into an array of their own. */
  keyRanges(batch: Batch): KeyRanges {
    const first = batch.vectors[0]
    if (this.#plainKey && first?.kind === 'text' && first.decoded === null) return first
    const starts = new Int32Array(batch.rows).fill(-1)
    const ends = new Int32Array(batch.rows)
    let bytes = new Uint8Array(batch.size * 16)
    let length = 0
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const values = batch.slice(row, 0, this.#keyColumns)
      if (values.includes(null)) continue
      const key = this.#keys.encode(values)
      if (length + key.length > bytes.length) {
        const larger = new Uint8Array(bytes.length * 2 + key.length)
        larger.set(bytes)
        bytes = larger
      }
      starts[row] = length
      for (let i = 0; i < key.length; i++) bytes[length++] = key.charCodeAt(i)
      ends[row] = length
    }
    return { bytes, starts, ends }
  }

  argumentVectors(batch: Batch): SlabArguments {
    if (this.#argumentCount === 0) return { values: [], nulls: [] }
    const vectors = this.#arguments.run(batch).vectors.map((v) => asNumbers(v!, batch))
    return { values: vectors.map((v) => v.values), nulls: vectors.map((v) => v.nulls) }
  }

  /** The key columns of slots whose key bytes are [starts[row], ends[row]) of `bytes`. */
  keyVectors({ bytes, starts, ends }: KeyRanges): Vector[] {
    if (this.#plainKey) return [new TextVector(bytes, starts, ends)]
    const rows = Array.from(starts, (start, row) => this.#keys.decode(latin1(bytes, start, ends[row]!)))
    return Array.from(
      { length: this.#keyColumns },
      (_, column) => new ValueVector(rows.map((row) => row[column]!)),
    )
  }

  keyValues(key: StoreKey): Row {
    return this.#keys.decode(key)
  }

  /** One vector per aggregate, from states that start at `at(row)`. */
  results(state: Float64Array, rows: number, at: (row: number) => number): NumberVector[] {
    return this.aggregates.map(({ slots, offset }) => {
      const vector = new NumberVector(rows)
      for (let row = 0; row < rows; row++) {
        const place = at(row) + offset
        if (slots.isNull(state, place)) vector.nulls[row] = 1
        else vector.values[row] = slots.result(state, place)
      }
      return vector
    })
  }

  /** The aggregates' results of one state. */
  resultValues(state: Float64Array): (number | null)[] {
    return this.aggregates.map(({ slots, offset }) =>
      slots.isNull(state, offset) ? null : slots.result(state, offset),
    )
  }
}

/** The aggregates of a node with their places in a slot, or null if one has no fixed-size state. */
export function slabAggregates(node: AggregateNode, context: OperatorContext): SlabAggregate[] | null {
  const aggregates: SlabAggregate[] = []
  let offset = 0
  let argument = 0
  for (const call of node.aggregates) {
    const bound = context.functions.aggregateBody(
      call.function,
      call.signature,
      call.args.map((a) => a.type),
      call.parameters,
      call.type,
      context.functionContext,
    )
    const { slots } = bound
    if (slots === null || call.args.length > 1) return null
    if (
      call.args.some((a) => a.type.kind !== 'INTEGER' && a.type.kind !== 'BIGINT' && a.type.kind !== 'DOUBLE')
    )
      return null
    aggregates.push({ slots, offset, argument: call.args.length === 0 ? -1 : argument })
    argument += call.args.length
    offset += slots.width
  }
  return aggregates
}

function asNumbers(vector: Vector, batch: Batch): NumberVector {
  if (vector.kind === 'number') return vector
  const numbers = new NumberVector(batch.rows)
  for (let n = 0; n < batch.size; n++) {
    const row = batch.position(n)
    const value = vector.value(row)
    if (value === null) numbers.nulls[row] = 1
    else numbers.values[row] = Number(value)
  }
  return numbers
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!)
  return text
}
