/**
 * Items by the time at which they fall due: a binary heap of times over a map of items, so that taking
 * what is due costs by what is taken and not by what waits. Of one pass; state lies in stores.
 */
export class DueQueue<T> {
  readonly #heap: number[] = []
  readonly #items = new Map<number, Map<string, T>>()

  /** @param id  tells the item from others of the same time; adding it again replaces it */
  add(dueMs: number, id: string, item: T): void {
    let items = this.#items.get(dueMs)
    if (items === undefined) {
      items = new Map()
      this.#items.set(dueMs, items)
      this.#push(dueMs)
    }
    items.set(id, item)
  }

  remove(dueMs: number, id: string): void {
    this.#items.get(dueMs)?.delete(id)
  }

  /** Takes out what is due at or before `untilMs`, by time; items of one time by id. */
  take(untilMs: number): T[] {
    const due: T[] = []
    while (this.#heap.length > 0 && this.#heap[0]! <= untilMs) {
      const dueMs = this.#pop()
      const items = [...this.#items.get(dueMs)!].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      this.#items.delete(dueMs)
      for (const [, item] of items) due.push(item)
    }
    return due
  }

  /** Takes out the items of the earliest time that has any, if that is at or before `untilMs`; by id. */
  takeEarliest(untilMs: number): T[] {
    while (this.#heap.length > 0 && this.#heap[0]! <= untilMs) {
      const due = this.take(this.#heap[0]!)
      // All items of a time may have been removed.
      if (due.length > 0) return due
    }
    return []
  }

  clear(): void {
    this.#heap.length = 0
    this.#items.clear()
  }

  #push(dueMs: number): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(dueMs)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]! <= dueMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = dueMs
  }

  #pop(): number {
    const heap = this.#heap
    const top = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= last) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return top
  }
}
