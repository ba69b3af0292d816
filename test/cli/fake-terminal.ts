import type { Terminal } from '../../src/cli/terminal.ts'

/** A terminal that remembers what was written. */
export class FakeTerminal implements Terminal {
  output = ''
  errors = ''
  readonly isInteractive: boolean
  readonly hasColour: boolean
  readonly width = 80

  constructor(options: { readonly isInteractive?: boolean; readonly hasColour?: boolean } = {}) {
    this.isInteractive = options.isInteractive ?? false
    this.hasColour = options.hasColour ?? false
  }

  out(text: string): void {
    this.output += text
  }

  err(text: string): void {
    this.errors += text
  }
}
