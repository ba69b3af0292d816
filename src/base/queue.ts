/** Taken from the array at once when so many places at its beginning are free. */
const FREE_MAX = 1024

/**
 * First in, first out. An array's own `shift` moves everything behind it once an array is large: a queue of
 * 200,000 sends took the process a minute to work off.
 */
export class Queue<T> {
  #items: (T | undefined)[] = []
  /** Place of the first item; those before it are free. */
  #start = 0

  get length(): number {
    return this.#items.length - this.#start
  }

  /** Undefined: it is empty. */
  get first(): T | undefined {
    return this.#items[this.#start]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** Takes out the first one; undefined: it is empty. */
  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#start]
    this.#items[this.#start++] = undefined
    if (this.#start >= FREE_MAX && this.#start * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#start)
      this.#start = 0
    }
    return item
  }
}
