import type { CommittedOffset, Log } from '../../src/log/log.ts'
import { walkRecords } from '../../src/log/walk-records.ts'
import type { OutputRecord } from './expectations.ts'

/** All that can be read of a log, as text; and what its clients found out about the order of its journal. */
export class Content {
  readonly #records: ReadonlyMap<string, ReadonlyMap<number, OutputRecord>>
  readonly #ends: ReadonlyMap<string, { readonly logStart: number; readonly end: number }>
  readonly #offsets: ReadonlyMap<string, readonly CommittedOffset[]>
  /** Numbers of what has survived, and of what has not. */
  highestSurvived = -1
  lowestLost = Infinity

  private constructor(
    records: ReadonlyMap<string, ReadonlyMap<number, OutputRecord>>,
    ends: ReadonlyMap<string, { readonly logStart: number; readonly end: number }>,
    offsets: ReadonlyMap<string, readonly CommittedOffset[]>,
  ) {
    this.#records = records
    this.#ends = ends
    this.#offsets = offsets
  }

  static async read(log: Log): Promise<Content> {
    const records = new Map<string, Map<number, OutputRecord>>()
    const ends = new Map<string, { logStart: number; end: number }>()
    for (const { name, partitions } of log.topics()) {
      for (let partition = 0; partition < partitions; partition++) {
        const place = `${name}-${partition}`
        const { logStart, highWatermark, lastStable } = log.ends(name, partition)
        const found = new Map<number, OutputRecord>()
        records.set(place, found)
        for (let offset = logStart; offset < lastStable;) {
          const slice = await log.read(name, partition, offset, 1 << 20).catch((error: unknown) => {
            // Expired while it was read.
            if (log.ends(name, partition).logStart > offset) return null
            throw error
          })
          if (slice === null) {
            offset = log.ends(name, partition).logStart
            continue
          }
          if (slice.nextOffset <= offset) throw new Error(`${place}: nothing comes at offset ${offset}`)
          const columns = walkRecords(slice.bytes, offset, slice.aborted)
          const part = (from: number, to: number): Buffer =>
            Buffer.from(columns.bytes.buffer, columns.bytes.byteOffset + from, to - from)
          for (let row = 0; row < columns.count; row++) {
            const { keyStarts, keyEnds, valueStarts, valueEnds } = columns
            found.set(columns.offsets[row]!, {
              key: keyStarts[row]! < 0 ? 'null' : part(keyStarts[row]!, keyEnds[row]!).toString('latin1'),
              value:
                valueStarts[row]! < 0
                  ? null
                  : `${part(valueStarts[row]!, valueEnds[row]!).toString()} @${columns.timestamps[row]}`,
            })
          }
          offset = slice.nextOffset
        }
        const { logStart: first } = log.ends(name, partition)
        for (const offset of found.keys()) if (offset < first) found.delete(offset)
        ends.set(place, { logStart: first, end: highWatermark })
      }
    }
    return new Content(
      records,
      ends,
      new Map(log.groups().map((group) => [group, log.committedOffsets(group)])),
    )
  }

  /** Records of a partition by offset, as lines. */
  records(place: string): ReadonlyMap<number, string> {
    return new Map(
      [...(this.#records.get(place) ?? [])].map(([offset, { key, value }]) => [offset, `${key} = ${value}`]),
    )
  }

  outputs(place: string): readonly OutputRecord[] {
    return [...(this.#records.get(place)?.values() ?? [])]
  }

  lines(place: string): readonly string[] {
    return this.outputs(place).map(({ key, value }) => `${key} = ${value}`)
  }

  ends(place: string): { readonly logStart: number; readonly end: number } {
    return this.#ends.get(place) ?? { logStart: 0, end: 0 }
  }

  places(): readonly string[] {
    return [...this.#ends.keys()]
  }

  placesOf(topic: string): readonly string[] {
    return this.places().filter((place) => place.slice(0, place.lastIndexOf('-')) === topic)
  }

  offsets(group: string): readonly CommittedOffset[] {
    return this.#offsets.get(group) ?? []
  }

  groups(): readonly string[] {
    return [...this.#offsets.keys()]
  }

  survived(order: number | null): void {
    if (order !== null) this.highestSurvived = Math.max(this.highestSurvived, order)
  }

  lost(order: number | null): void {
    if (order !== null) this.lowestLost = Math.min(this.lowestLost, order)
  }
}
