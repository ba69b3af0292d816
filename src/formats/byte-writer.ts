const encoder = new TextEncoder()

/**
 * A growing byte buffer. `bytes` and `length` are open to hot loops: call {@link reserve}, write into
 * `bytes` from `length` on, then move `length`.
 */
export class ByteWriter {
  bytes: Uint8Array
  /** The same memory as `bytes`. */
  view: DataView
  length = 0

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Makes room for `extra` more bytes. `bytes` may be another array afterwards. */
  reserve(extra: number): void {
    if (this.length + extra <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + extra))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
    this.view = new DataView(grown.buffer)
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  copy(source: Uint8Array, start: number, end: number): void {
    const size = end - start
    this.reserve(size)
    if (size < 48) {
      for (let at = start, to = this.length; at < end; at++, to++) this.bytes[to] = source[at]!
    } else {
      this.bytes.set(source.subarray(start, end), this.length)
    }
    this.length += size
  }

  /** UTF-8; unpaired surrogates become U+FFFD. */
  text(value: string): void {
    this.reserve(value.length * 3)
    const { bytes } = this
    let to = this.length
    if (value.length < 64) {
      let at = 0
      for (; at < value.length; at++) {
        const unit = value.charCodeAt(at)
        if (unit > 127) break
        bytes[to++] = unit
      }
      if (at === value.length) {
        this.length = to
        return
      }
    }
    this.length += encoder.encodeInto(value, bytes.subarray(this.length)).written
  }

  clear(): void {
    this.length = 0
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }
}
