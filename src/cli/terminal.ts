import { styleText } from 'node:util'

/** Where a command writes, and what that place can show. */
export interface Terminal {
  /** Results. */
  out(text: string): void
  /** Progress, hints and errors. */
  err(text: string): void
  /** Whether a person reads `out` as it comes: lines are drawn, progress is shown. */
  readonly isInteractive: boolean
  readonly hasColour: boolean
  /** Columns of the terminal. */
  readonly width: number
}

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'cyan' | 'green'

/** Text in a style, where the terminal shows styles. */
export function styled(terminal: Terminal, style: Style, text: string): string {
  return terminal.hasColour ? styleText(style, text, { validateStream: false }) : text
}

/** The process's own terminal. No colour when piped, with NO_COLOR, or on a dumb terminal. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process
  const isInteractive = stdout.isTTY === true
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    isInteractive,
    hasColour: isInteractive && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    get width() {
      return stdout.columns ?? 80
    },
  }
}
