/** Where typed arrays come from. Their content is undefined, except that bytes are zero. */
export interface ArrayMemory {
  float64(length: number): Float64Array<ArrayBuffer>
  int32(length: number): Int32Array<ArrayBuffer>
  uint8(length: number): Uint8Array<ArrayBuffer>
}

/** Arrays of their own, for as long as anybody holds them. */
export const ownArrays: ArrayMemory = {
  float64: (length) => new Float64Array(length),
  int32: (length) => new Int32Array(length),
  uint8: (length) => new Uint8Array(length),
}

/**
 * Arrays cut from one block that is used again: everything handed out is void after {@link reset}. New
 * memory has to be touched and collected, which costs more than what is written into it.
 */
export class ArrayArena implements ArrayMemory {
  #block: ArrayBuffer
  #used = 0
  /** Bytes asked for since the last reset. */
  #wanted = 0

  constructor(bytes: number) {
    this.#block = new ArrayBuffer(bytes)
  }

  /** Everything handed out is free again; grows the block to what was asked for. */
  reset(): void {
    if (this.#wanted > this.#block.byteLength)
      this.#block = new ArrayBuffer(this.#wanted + (this.#wanted >> 2))
    this.#used = 0
    this.#wanted = 0
  }

  float64(length: number): Float64Array<ArrayBuffer> {
    const at = this.#take(length * 8)
    return at < 0 ? new Float64Array(length) : new Float64Array(this.#block, at, length)
  }

  int32(length: number): Int32Array<ArrayBuffer> {
    const at = this.#take(length * 4)
    return at < 0 ? new Int32Array(length) : new Int32Array(this.#block, at, length)
  }

  uint8(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(length)
    return at < 0 ? new Uint8Array(length) : new Uint8Array(this.#block, at, length).fill(0)
  }

  /** Start of so many free bytes, a multiple of 8; −1: the block is full. */
  #take(bytes: number): number {
    const size = (bytes + 7) & ~7
    this.#wanted += size
    if (this.#used + size > this.#block.byteLength) return -1
    const at = this.#used
    this.#used += size
    return at
  }
}
