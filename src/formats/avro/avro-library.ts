import { createRequire } from 'node:module'
import type * as avsc from 'avsc'

const require = createRequire(import.meta.url)
let loaded: typeof avsc | null = null

/** The Avro library, read when the first schema needs it: most programs have none. */
export function avroLibrary(): typeof avsc {
  // The cast holds because the package's types describe what it exports.
  loaded ??= require('avsc') as typeof avsc
  return loaded
}
