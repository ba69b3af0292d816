import type { Segment } from './partition.ts'

const BYTES_MIN = 16 << 10
const BYTES_MAX = 256 << 10
/** So many appends of the size of the last fit, at least. */
const APPENDS = 8

/**
 * The newest bytes of an active segment, in memory: those who read as fast as is written don't ask the file system
 * (a fifth of the time of a pipeline that keeps up). Large appends pass it by.
 */
export class Tail {
  #bytes = new Uint8Array(0)
  #segment: Segment | null = null
  /** Position in the segment of the first byte, and how many there are. */
  #from = 0
  #length = 0

  /** Takes note of what was published at `position`. */
  append(segment: Segment, position: number, bytes: Uint8Array): void {
    if (segment !== this.#segment || position !== this.#from + this.#length) this.#begin(segment, position)
    if (bytes.length * APPENDS > BYTES_MAX) {
      this.#begin(segment, position + bytes.length)
      return
    }
    if (bytes.length * APPENDS > this.#bytes.length) {
      this.#bytes = new Uint8Array(Math.max(BYTES_MIN, bytes.length * APPENDS))
      this.#begin(segment, position)
    }
    if (this.#length + bytes.length > this.#bytes.length) this.#begin(segment, position)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Fills `into` with the bytes from `position` on; false if they are not all here. */
  read(segment: Segment, position: number, into: Uint8Array): boolean {
    const at = position - this.#from
    if (segment !== this.#segment || at < 0 || at + into.length > this.#length) return false
    into.set(this.#bytes.subarray(at, at + into.length))
    return true
  }

  #begin(segment: Segment, position: number): void {
    this.#segment = segment
    this.#from = position
    this.#length = 0
  }
}
