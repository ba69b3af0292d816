/**
 * Lines at the end of the terminal that are drawn over again in place. What is drawn last stays.
 *
 * Invariant: the cursor is hidden from the first draw until {@link end}, and stands below the last line.
 */
export class Screen {
  readonly #write: (text: string) => void
  #lines = 0

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  /** @param lines  not wider than the terminal, fewer than it has rows */
  draw(lines: readonly string[]): void {
    const up = this.#lines === 0 ? '\u001b[?25l' : `\u001b[${this.#lines}A\r`
    const text = lines.map((line) => `${line}\u001b[K\n`).join('')
    this.#write(`${up}${text}\u001b[J`)
    this.#lines = lines.length
  }

  end(): void {
    if (this.#lines > 0) this.#write('\u001b[?25h')
    this.#lines = 0
  }
}
