import type { Millrace } from '../runtime/millrace.ts'
import { styled, type Terminal } from './terminal.ts'

/** Says once that the log lacks space or files or has closed, and once that it is well again. */
export class HealthNotes {
  readonly #millrace: Millrace
  #told = 'open'

  constructor(millrace: Millrace) {
    this.#millrace = millrace
  }

  /** Writes a line if something has changed since the last one. */
  tell(terminal: Terminal): void {
    const { state, detail } = this.#millrace.health()
    if (state === this.#told || state === 'closed') return
    this.#told = state
    if (state === 'open') {
      terminal.err(`${styled(terminal, 'green', 'note:')} The log is open again: nothing waits any more.\n`)
    } else if (state === 'closed after I/O error') {
      terminal.err(
        `${styled(terminal, 'red', 'error:')} The log is ${state}: ${detail}\n` +
          `  ${styled(terminal, 'cyan', 'hint:')} What was acknowledged is safe. Look at the disk, then start again.\n`,
      )
    } else {
      terminal.err(`${styled(terminal, 'yellow', 'warning:')} The log is ${state}: ${detail}\n`)
    }
  }
}
