import type { WindowSpec } from '../../plan/plan-node.ts'

export type TimeWindowSpec = Exclude<WindowSpec, { type: 'SESSION' }>

/** How far apart the starts of neighbouring windows lie, in ms. */
export function advanceOf(window: TimeWindowSpec): number {
  return window.type === 'HOPPING' ? window.advanceMs : window.sizeMs
}

/** Start of the first window that holds `timestampMs`; the others follow at every advance up to it. No window starts before 0. */
export function firstWindowStart(window: TimeWindowSpec, timestampMs: number): number {
  const advanceMs = advanceOf(window)
  return Math.max(0, Math.floor((timestampMs - window.sizeMs + advanceMs) / advanceMs) * advanceMs)
}

/** Whether a window no longer takes records: stream time has reached its end plus grace. */
export function isClosed(window: TimeWindowSpec, startMs: number, streamTimeMs: number): boolean {
  return startMs + window.sizeMs + window.graceMs <= streamTimeMs
}

/** Start of the newest window that is closed at `streamTimeMs`; negative when none is. */
export function newestClosedStart(window: TimeWindowSpec, streamTimeMs: number): number {
  const advanceMs = advanceOf(window)
  return Math.floor((streamTimeMs - window.graceMs - window.sizeMs) / advanceMs) * advanceMs
}
