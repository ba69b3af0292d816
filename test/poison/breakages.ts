import type { Breakage } from '../base/broken-build.ts'

/** Builds that the battery must catch. */
export const BREAKAGES = {
  'untold-records': {
    file: 'engine/worker.ts',
    from: '...outputs, ...entries]',
    to: '...outputs]',
  },
  'told-again': {
    file: 'engine/input-feed.ts',
    from: 'return this.#unreadable.splice(0)',
    to: 'return this.#unreadable.slice(0)',
  },
  'any-event-time': {
    file: 'engine/source-decoder.ts',
    from: 'if (timestampMs < 0)',
    to: 'if (timestampMs < -Infinity)',
  },
  'whole-reasons': {
    file: 'runtime/processing-log.ts',
    from: 'reason.length > REASON_LENGTH_MAX',
    to: 'reason.length > Infinity',
  },
} satisfies Readonly<Record<string, Breakage>>
