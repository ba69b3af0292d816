/** Paths to sync. One that is changed again while it is synced stays. */
export class DirtyPaths {
  readonly #changes = new Map<string, number>()
  #change = 0

  add(path: string): void {
    this.#changes.set(path, ++this.#change)
  }

  /** Syncs every path; resolves once all that was dirty at the call is durable. */
  async sync(syncPath: (path: string) => Promise<void>): Promise<void> {
    const paths = [...this.#changes]
    while (paths.length > 0) {
      await Promise.all(
        paths.splice(0, 64).map(async ([path, change]) => {
          await syncPath(path)
          if (this.#changes.get(path) === change) this.#changes.delete(path)
        }),
      )
    }
  }
}
