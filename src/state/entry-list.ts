import type { Entry } from './entry.ts'

/** Index of the first entry of a key's list (by start, end) at or after the given times. */
export function lowerBoundByTime<V>(list: readonly Entry<V>[], startMs: number, endMs: number): number {
  let low = 0
  let high = list.length
  // Most lists are short, and most look-ups are for the end.
  while (low < high) {
    const middle = (low + high) >> 1
    const entry = list[middle]!
    if (entry.startMs < startMs || (entry.startMs === startMs && entry.endMs < endMs)) low = middle + 1
    else high = middle
  }
  return low
}

/** The entry of exactly these times, if the list has one. */
export function findByTime<V>(
  list: readonly Entry<V>[] | undefined,
  startMs: number,
  endMs: number,
): Entry<V> | undefined {
  if (list === undefined) return undefined
  const entry = list[lowerBoundByTime(list, startMs, endMs)]
  return entry !== undefined && entry.startMs === startMs && entry.endMs === endMs ? entry : undefined
}

/** Puts an entry that isn't there into the list of its key. */
export function addByTime<V>(lists: Map<string, Entry<V>[]>, entry: Entry<V>): void {
  const list = lists.get(entry.key)
  if (list === undefined) {
    lists.set(entry.key, [entry])
    return
  }
  const last = list[list.length - 1]!
  if (last.startMs < entry.startMs) list.push(entry)
  else list.splice(lowerBoundByTime(list, entry.startMs, entry.endMs), 0, entry)
}

/** Takes an entry out of the list of its key; harmless if it isn't in it. */
export function forgetByTime<V>(lists: Map<string, Entry<V>[]>, entry: Entry<V>): void {
  const list = lists.get(entry.key)
  if (list === undefined) return
  const at = lowerBoundByTime(list, entry.startMs, entry.endMs)
  if (list[at] !== entry) return
  if (list.length === 1) lists.delete(entry.key)
  else list.splice(at, 1)
}
