/** One line on stderr that is overwritten while long work goes on; nothing unless a person watches. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #nowMs: () => number
  #shownAtMs = Number.NEGATIVE_INFINITY
  #isShown = false

  constructor(stream: NodeJS.WriteStream = process.stderr, nowMs: () => number = () => performance.now()) {
    this.#stream = stream
    this.#nowMs = nowMs
  }

  /** Shows what `text` gives, at most five times a second. */
  update(text: () => string): void {
    if (this.#stream.isTTY !== true) return
    const nowMs = this.#nowMs()
    if (nowMs - this.#shownAtMs < INTERVAL_MS) return
    this.#shownAtMs = nowMs
    this.#isShown = true
    const line = text().slice(0, (this.#stream.columns ?? 80) - 1)
    this.#stream.write(`\r\u001b[2K${line}`)
  }

  /** Takes the line away, before anything else is written. */
  clear(): void {
    if (!this.#isShown) return
    this.#isShown = false
    this.#shownAtMs = Number.NEGATIVE_INFINITY
    this.#stream.write('\r\u001b[2K')
  }
}

const INTERVAL_MS = 200
