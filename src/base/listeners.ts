/** Those who want to be told of something. In an array: see decision 0010 about maps and sets that come and go. */
export class Listeners {
  #listeners: readonly (() => void)[] = []

  /** @returns how to leave; a listener that was added twice leaves twice */
  add(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners = [...this.#listeners, own]
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== own)
    }
  }

  tell(): void {
    for (const listener of this.#listeners) listener()
  }

  clear(): void {
    this.#listeners = []
  }
}
