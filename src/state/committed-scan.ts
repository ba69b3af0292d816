import { compareEntries, type Entry } from './entry.ts'
import { readPage, verifyPage, type EntryPlace, type EntryTimes } from './page-table.ts'
import type { ValueCodec } from './store.ts'

/** A committed entry as a scan sees it: the place, and the value it had when the scan began. */
export interface CommittedEntry<V> {
  readonly entry: EntryPlace
  readonly value: V
}

/** What memory knows of a place: undefined hides a stored entry. */
export interface MemoryEntry<V> {
  readonly entry: Entry<V>
  readonly value: V | undefined
}

/** The entries of stored pages that lie inside. Pages come in their order and are verified. */
export async function* readStored<V>(
  pages: AsyncIterable<readonly [string, Uint8Array]>,
  times: EntryTimes,
  codec: ValueCodec<V>,
  isInside: (place: EntryPlace) => boolean,
): AsyncIterable<CommittedEntry<V>> {
  for await (const [storageKey, page] of pages) {
    verifyPage(storageKey, page)
    const found: CommittedEntry<V>[] = []
    readPage(page, times, (key, startMs, endMs, bytes, start, end) => {
      const entry = { key, startMs, endMs }
      if (isInside(entry)) found.push({ entry, value: codec.decode(bytes, start, end) })
    })
    yield* found
  }
}

/** Entries of `memory` (newer) over the stored ones, both ascending. */
export async function* overlay<V>(
  memory: readonly MemoryEntry<V>[],
  stored: AsyncIterable<CommittedEntry<V>> | null,
): AsyncIterable<CommittedEntry<V>> {
  let m = 0
  if (stored !== null) {
    for await (const found of stored) {
      let hidden = false
      for (; m < memory.length; m++) {
        const { entry, value } = memory[m]!
        const order = compareEntries(entry, found.entry)
        if (order > 0) break
        if (order === 0) hidden = true
        if (value !== undefined) yield { entry, value }
      }
      if (!hidden) yield found
    }
  }
  for (; m < memory.length; m++) {
    const { entry, value } = memory[m]!
    if (value !== undefined) yield { entry, value }
  }
}

/** Several ascending sequences as one. */
export async function* mergeOrdered<V>(
  sequences: readonly AsyncIterable<CommittedEntry<V>>[],
): AsyncIterable<CommittedEntry<V>> {
  if (sequences.length === 1) {
    yield* sequences[0]!
    return
  }
  const iterators = sequences.map((sequence) => sequence[Symbol.asyncIterator]())
  const open: { head: CommittedEntry<V>; readonly from: AsyncIterator<CommittedEntry<V>> }[] = []
  try {
    for (const from of iterators) {
      const first = await from.next()
      if (first.done !== true) open.push({ head: first.value, from })
    }
    while (open.length > 0) {
      let least = 0
      for (let i = 1; i < open.length; i++) {
        if (compareEntries(open[i]!.head.entry, open[least]!.head.entry) < 0) least = i
      }
      const { head, from } = open[least]!
      yield head
      const next = await from.next()
      if (next.done === true) open.splice(least, 1)
      else open[least]!.head = next.value
    }
  } finally {
    for (const iterator of iterators) await iterator.return?.()
  }
}
