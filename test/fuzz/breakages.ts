import type { Breakage } from '../base/broken-build.ts'

/** Builds that a fuzz battery must catch, and the suite that does. */
export const BREAKAGES: Readonly<
  Record<string, Breakage & { readonly suite: 'sql' | 'records' | 'batches' }>
> = {
  'unchecked-batch-length': {
    suite: 'batches',
    file: 'log/walk-records.ts',
    from: '|| end > bytes.length) throw',
    to: ') throw',
  },
  'silent-bad-records': {
    suite: 'records',
    file: 'runtime/processing-log.ts',
    from: 'if (unreadable.length === 0 && failures.length === 0) return []',
    to: 'if (unreadable.length < 1000) return []',
  },
}
