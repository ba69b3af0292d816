import type { ArrayMemory } from '../base/array-memory.ts'
import type { Column } from '../plan/schema.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import { nullVector, setValue } from './column-vectors.ts'
import type { ColumnDecoder, DecodeFailure } from './format.ts'
import { coerceJson, isObject, JsonMismatch, type JsonPath, memberFinder } from './json-coercion.ts'
import { JsonSyntaxError, parseJson, type JsonNode } from './json-text.ts'
import { JsonScanner } from './json-scanner.ts'
import type { Vector } from './vector.ts'

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is wrong with one record. */
class JsonRecordError extends Error {
  override readonly name = 'JsonRecordError'
}

export class JsonDecoder implements ColumnDecoder {
  readonly #columns: readonly Column[]
  readonly #unwrapped: boolean
  readonly #scanner: JsonScanner | null

  /**
   * @param form  how to read records: `general` is the plain form the others must equal, `scanned` walks their
   *   bytes without generating code
   */
  constructor(
    columns: readonly Column[],
    unwrapped: boolean,
    form: 'general' | 'scanned' | 'generated' = 'generated',
  ) {
    this.#columns = columns
    this.#unwrapped = unwrapped
    this.#scanner = form === 'general' || unwrapped ? null : new JsonScanner(columns, form === 'generated')
  }

  decode(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    wanted: readonly number[],
    failures: DecodeFailure[],
    memory?: ArrayMemory,
  ): (Vector | null)[] {
    const vectors: (Vector | null)[] = this.#columns.map(() => null)
    for (const column of wanted)
      vectors[column] = nullVector(this.#columns[column]!.type, count, bytes, memory)
    const scanner = this.#scanner
    scanner?.begin(bytes, vectors)
    for (let row = 0; row < count; row++) {
      if (scanner !== null) row = scanner.scanRows(starts, ends, row, count)
      if (row === count) break
      if (starts[row]! < 0 || scanner?.scan(starts[row]!, ends[row]!, row) === true) continue
      this.#decodeGenerally(bytes.subarray(starts[row], ends[row]), row, vectors, wanted, failures)
    }
    return vectors
  }

  #decodeGenerally(
    record: Uint8Array,
    row: number,
    vectors: readonly (Vector | null)[],
    wanted: readonly number[],
    failures: DecodeFailure[],
  ): void {
    let values: readonly SqlValue[] | null = null
    try {
      values = this.#values(parseRecord(record))
    } catch (error) {
      if (!(error instanceof JsonRecordError || error instanceof JsonMismatch)) throw error
      failures.push({ row, reason: error.message })
    }
    for (const column of wanted) setValue(vectors[column]!, row, values === null ? null : values[column]!)
  }

  #values(node: JsonNode): readonly SqlValue[] {
    const columns = this.#columns
    if (node === null) return columns.map(() => null)
    if (this.#unwrapped) return [coerceJson(node, columns[0]!.type, [])]
    if (!isObject(node)) throw new JsonMismatch('The record is not a JSON object, at $')
    this.#scanner?.learn([...node.keys()])
    const find = memberFinder(node)
    const path: JsonPath = []
    return columns.map(({ name, type }) => {
      path.length = 0
      path.push(name)
      return coerceJson(find(name), type, path)
    })
  }
}

function parseRecord(record: Uint8Array): JsonNode {
  let text: string
  try {
    text = strictUtf8.decode(record)
  } catch (cause) {
    throw new JsonRecordError('The record is not UTF-8', { cause })
  }
  try {
    return parseJson(text)
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause
    throw new JsonRecordError(`The record is not JSON: ${cause.message}`, { cause })
  }
}
