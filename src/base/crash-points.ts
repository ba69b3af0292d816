/**
 * Named places on the commit path where a crash test may end the process.
 *
 * A no-op in production. A crash test installs a handler that kills the process (SIGKILL, so nothing is
 * flushed or closed) when the n-th pass through a place comes. Names are stable: tests list them.
 */
export const CRASH_POINTS = [
  'journal-before-write',
  'journal-after-write',
  'journal-after-sync',
  'segments-after-write',
  'ends-published',
  'segment-before-roll',
  'segment-after-roll',
  'checkpoint-before-write',
  'checkpoint-after-write',
  'cleaner-before-swap',
  'cleaner-after-swap',
  'segments-retired',
  'recovery-after-replay',
  'recovery-before-journal',
  'recovery-after-checkpoint',
  'cycle-before-flush',
  'cycle-after-flush',
  'cycle-after-commit',
  'state-before-checkpoint',
  'state-after-checkpoint',
] as const

export type CrashPoint = (typeof CRASH_POINTS)[number]

let handler: ((point: CrashPoint) => void) | null = null

/** Marks that execution passes `point`. */
export function crashPoint(point: CrashPoint): void {
  if (handler !== null) handler(point)
}

/** Installs (or, with null, removes) the one handler of this process. For crash tests and measurements only. */
export function onCrashPoint(next: ((point: CrashPoint) => void) | null): void {
  handler = next
}
