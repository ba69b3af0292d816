import type { Breakage } from '../base/broken-build.ts'

/** Builds that a fault battery must catch, and the suite that does. */
export const BREAKAGES: Readonly<Record<string, Breakage & { readonly suite: 'bytes' | 'state' | 'disk' }>> =
  {
    'ignored-batch-crc': {
      suite: 'bytes',
      file: 'log/record-batch.ts',
      from: 'return readU32(bytes, start + AT_CRC) === crc32c(bytes.subarray(start + AT_ATTRIBUTES, end))',
      to: 'return end > start',
    },
    'unread-changelog': {
      suite: 'state',
      file: 'state/task-state.ts',
      from: 'open.position = saved.position',
      to: 'open.position = this.#changelogEnd(open)',
    },
    'skipped-journal-sync': {
      suite: 'disk',
      file: 'log/journal.ts',
      from: 'await this.#files[active].sync()',
      to: '',
    },
  }
