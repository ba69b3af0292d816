/** What a store's `load…` returns: nothing to wait for, or a promise. */
export type Loading = Promise<void> | undefined

/** One thing to wait for out of several; undefined when all of them are there. */
export function allLoaded(...loads: readonly Loading[]): Loading {
  const waiting = loads.filter((load) => load !== undefined)
  if (waiting.length === 0) return undefined
  if (waiting.length === 1) return waiting[0]
  return Promise.all(waiting).then(() => undefined)
}

/** Runs `next` once `first` is there: at once when nothing is to be waited for. */
export function afterLoading(first: Loading, next: () => Loading): Loading {
  return first === undefined ? next() : first.then(next)
}
