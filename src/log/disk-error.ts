import { MillraceError, StorageError } from '../base/errors.ts'

/** What the platform says of a file, and what to do about it. */
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'Make room on this disk; nothing else is needed.',
  EDQUOT: 'Make room, or raise the quota; nothing else is needed.',
  EMFILE: 'Raise the limit of open files of the process (ulimit -n).',
  ENFILE: 'Raise the limit of open files of the machine.',
  EACCES: 'Give the user of this process the right to read and write the data directory and all in it.',
  EPERM: 'Give the user of this process the right to read and write the data directory and all in it.',
  EROFS: 'Mount the file system for writing, then open the data directory again.',
  ENOTDIR: 'Name a directory, or one that can be made.',
  EIO: 'Look at the disk: the log of the system says what it refused. Then open the data directory again.',
}

/** The code of an error of the platform (ENOSPC, EIO …); null for others. */
export function platformCode(cause: unknown): string | null {
  if (!(cause instanceof Error) || cause instanceof MillraceError || !('code' in cause)) return null
  return typeof cause.code === 'string' && /^E[A-Z0-9]+$/.test(cause.code) ? cause.code : null
}

export function isDiskFull(cause: unknown): boolean {
  const code = platformCode(cause)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** Whether the same write may succeed a little later: somebody makes room, or closes files. */
export function isShortage(cause: unknown): boolean {
  return isDiskFull(cause) || isFileShortage(cause)
}

/** Too many open files: nothing was opened, so nothing has happened to any. */
export function isFileShortage(cause: unknown): boolean {
  const code = platformCode(cause)
  return code === 'EMFILE' || code === 'ENFILE'
}

export function hintFor(cause: unknown): string | undefined {
  return HINTS[platformCode(cause) ?? '']
}

/**
 * An error of the platform as ours: what could not be done, why, and what to do. Others are returned as they
 * are.
 *
 * @param what  a sentence without its full stop
 */
export function diskError(code: string, what: string, cause: unknown): unknown {
  if (platformCode(cause) === null) return cause
  return new StorageError(isDiskFull(cause) ? 'LOG_DISK_FULL' : code, {
    message: `${what}: ${describeCause(cause)}.`,
    hint: hintFor(cause),
    cause,
  })
}

export function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (platformCode(cause) === 'ENOTDIR' && 'path' in cause) {
    return `${String(cause.path)} is a file, not a directory`
  }
  return cause.message
}
