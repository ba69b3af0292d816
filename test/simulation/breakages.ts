import type { Breakage } from '../base/broken-build.ts'

/** Builds that the simulation must catch. */
export const BREAKAGES: Readonly<Record<string, Breakage>> = {
  'skipped-journal-sync': {
    file: 'log/journal.ts',
    from: 'await this.#files[active].sync()',
    to: '',
  },
  'publish-before-sync': {
    file: 'log/log-writer.ts',
    from: 'await journal.sync()',
    to: 'void journal.sync().catch(() => {})',
  },
  'checkpoint-before-segment-sync': {
    file: 'log/checkpointer.ts',
    from: 'await segmentFiles.syncAll()',
    to: '',
  },
  'checkpoint-past-frames-on-their-way': {
    file: 'log/checkpointer.ts',
    from: 'state.checkpoint(this.#applied,',
    to: 'state.checkpoint(journal.end,',
  },
  'ignored-frame-crc': {
    file: 'log/journal.ts',
    from: 'if (frameCrc(bytes, 0, bytes.length) !== crc) return null',
    to: '',
  },
  'commit-in-several-frames': {
    file: 'log/log-writer.ts',
    from: 'const frames = written.map(({ entries }) => entries.map(encodeEntry))',
    to: 'const frames = written.flatMap(({ entries }) => entries.map((entry) => [encodeEntry(entry)]))',
  },
  'recovery-without-sync': {
    file: 'log/open-log.ts',
    from: "await files.use(path, 'write', (file) => file.sync())",
    to: 'void 0',
  },
  'forgotten-producers': {
    file: 'log/partition.ts',
    from: '...this.producers.stored(),',
    to: '...this.producers.stored(), producers: [],',
  },
  'offsets-before-outputs': {
    file: 'engine/cycle-commit.ts',
    from: 'return await log.commit({',
    to: `await log.commit({
      owner,
      appends: [],
      offsets: taken.map(({ query, offsets }) => ({ group: offsetsGroup(query.spec.id), offsets })),
    })
    return await log.commit({`,
  },
  'ignored-page-checksum': {
    file: 'state/page-table.ts',
    from: 'if (value.length < 5 || readChecksum(value) !== pageChecksum(key, value)) throw damaged(key)',
    to: '',
  },
  'unread-changelog': {
    file: 'state/task-state.ts',
    from: 'open.position = saved.position',
    to: 'open.position = this.#changelogEnd(open)',
  },
}
