/**
 * Lines at the end of the terminal that are drawn over again in place. What is drawn last stays.
 *
 * Invariant: the cursor is hidden from the first draw until {@link end}, and stands below the last line.
 */
export class Screen {
  readonly #write: (text: string) => void
  #lines = 0
  #width = 0

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  /**
   * @param lines  not wider than the terminal, fewer than it has rows
   * @param width  of the terminal; when it changes, what was drawn is somewhere else, and all is cleared
   */
  draw(lines: readonly string[], width: number): void {
    let start = `\u001b[${this.#lines}A\r`
    if (this.#lines === 0) start = HIDE_CURSOR
    else if (width !== this.#width) start = '\u001b[2J\u001b[H'
    const text = lines.map((line) => `${line}\u001b[K\n`).join('')
    this.#write(`${start}${text}\u001b[J`)
    this.#lines = lines.length
    this.#width = width
  }

  end(): void {
    if (this.#lines > 0) this.#write(SHOW_CURSOR)
    this.#lines = 0
  }
}

const HIDE_CURSOR = '\u001b[?25l'
export const SHOW_CURSOR = '\u001b[?25h'
