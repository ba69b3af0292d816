import stringWidth from 'string-width'
import { MillraceError, SqlError, StorageError, type Position } from '../base/errors.ts'
import { styled, type Terminal } from './terminal.ts'

/**
 * An error for a person: what is wrong, the line of the statement with a caret under the place, and what
 * to do. Errors that aren't ours keep their stack: they are bugs.
 *
 * @param text  what the error's position points into
 */
export function errorText(error: unknown, terminal: Terminal, text?: string): string {
  if (!(error instanceof MillraceError)) {
    const shown =
      error instanceof Error ? (platformSentence(error) ?? error.stack ?? error.message) : String(error)
    return `${styled(terminal, 'red', 'error:')} ${shown}\n`
  }
  let shown = `${styled(terminal, 'red', 'error:')} ${error.message}\n`
  if (error instanceof SqlError && error.at !== undefined && text !== undefined)
    shown += excerpt(text, error.at, terminal)
  if (error.hint !== undefined) shown += `  ${styled(terminal, 'cyan', 'hint:')} ${error.hint}\n`
  return shown
}

/** A missing file, a refused permission and the like, in a plain sentence; `undefined` for other errors. */
function platformSentence(error: NodeJS.ErrnoException): string | undefined {
  if (!isPlatformError(error)) return undefined
  const { path } = error
  if (path === undefined) return error.message
  if (error.syscall === 'mkdir') return `The directory ${path} cannot be made (${error.code}).`
  switch (error.code) {
    case 'ENOENT':
      return `There is no file ${path}.`
    case 'EISDIR':
      return `${path} is a directory, not a file.`
    case 'ENOTDIR':
      return `${path} is a file, not a directory.`
    case 'EACCES':
    case 'EPERM':
      return `Permission to use ${path} is missing.`
    case 'EROFS':
      return `${path} cannot be written: its file system is read-only.`
    default:
      return error.message
  }
}

function isPlatformError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && 'syscall' in error
}

/** @returns the exit code for an error that opening the data directory ended with */
export function exitCodeForOpening(error: unknown): number {
  return isPlatformError(error) ? EXIT.storage : exitCodeFor(error)
}

/** The line of a place, numbered, with carets under it. */
function excerpt(text: string, at: Position, terminal: Terminal): string {
  const line = text.split(/\r\n|\r|\n/)[at.line - 1]
  if (line === undefined) return ''
  const start = at.column - 1
  const untabbed = (part: string): string => part.replaceAll('\t', '    ')
  const before = untabbed(line.slice(0, start))
  const under = untabbed(line.slice(start, start + at.length))
  const number = String(at.line)
  const carets = '^'.repeat(Math.max(1, stringWidth(under)))
  const gap = ' '.repeat(stringWidth(before))
  return (
    `  ${styled(terminal, 'dim', `${number} |`)} ${untabbed(line)}\n` +
    `  ${styled(terminal, 'dim', `${' '.repeat(number.length)} |`)} ${gap}${styled(terminal, 'red', carets)}\n`
  )
}

/** What the process should end with after an error. */
export function exitCodeFor(error: unknown): number {
  return error instanceof StorageError && !REQUESTS.has(error.code) ? EXIT.storage : EXIT.failed
}

/** What a request got wrong: the data directory is well. */
const REQUESTS: ReadonlySet<string> = new Set([
  'LOG_INVALID_TIMESTAMP',
  'LOG_INVALID_TOPIC',
  'LOG_KEY_MISSING',
  'LOG_RECORD_TOO_LARGE',
  'LOG_TOPIC_EXISTS',
  'LOG_UNKNOWN_PARTITION',
  'LOG_UNKNOWN_TOPIC',
])

/** Exit codes of all commands. */
export const EXIT = {
  done: 0,
  /** A statement or request was refused, or a query failed. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** The data directory cannot be used: locked, full, damaged, not ours. */
  storage: 3,
  /** Ended by Ctrl-C before it was done. */
  interrupted: 130,
} as const
