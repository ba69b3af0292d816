import { createRequire } from 'node:module'
import type * as protobufjs from 'protobufjs'

const require = createRequire(import.meta.url)
let loaded: typeof protobufjs | null = null

/** The Protobuf library, read when the first schema needs it: it takes 50 ms, and most programs have none. */
export function protobufLibrary(): typeof protobufjs {
  // The cast holds because the package's types describe what it exports.
  loaded ??= require('protobufjs') as typeof protobufjs
  return loaded
}
