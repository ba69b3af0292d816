import type { Breakage } from '../base/broken-build.ts'

/** Builds that the simulation must catch. */
export const BREAKAGES: Readonly<Record<string, Breakage>> = {
  'skipped-journal-sync': {
    file: 'log/journal.ts',
    from: 'await this.#files[active].sync()',
    to: '',
  },
}
