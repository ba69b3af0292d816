/**
 * Aborted by the first Ctrl-C (or SIGTERM), so that work can end in order; a second Ctrl-C ends the
 * process at once, which loses nothing that was committed.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  let count = 0
  const stop = (): void => {
    count++
    if (count > 1) process.exit(130)
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}

/** Resolves when the signal is aborted. */
export function whenStopped(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve(), { once: true })
  })
}
