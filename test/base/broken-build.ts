import { registerHooks } from 'node:module'

/** A line of the product that is changed on purpose, to see that a battery notices. */
export interface Breakage {
  /** Within `src/`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

/**
 * Breaks the product in this process, for modules imported from now on.
 *
 * @throws Error once the module is imported, if it has no such line any more
 */
export function breakBuild({ file, from, to }: Breakage): void {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      if (!url.endsWith(`/src/${file}`)) return loaded
      const source =
        typeof loaded.source === 'string'
          ? loaded.source
          : Buffer.from(loaded.source as Uint8Array).toString()
      if (!source.includes(from)) throw new Error(`${file} has no line “${from}” to break.`)
      return { ...loaded, source: source.replace(from, to) }
    },
  })
}
