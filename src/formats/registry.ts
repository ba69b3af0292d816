import { delimited } from './delimited.ts'
import type { Format } from './format.ts'
import { json } from './json.ts'
import { kafka } from './kafka.ts'
import { none } from './none.ts'

/** Every format a statement may name. */
export const formats: readonly Format[] = [none, kafka, delimited, json]

const byName: ReadonlyMap<string, Format> = new Map(formats.map((format) => [format.name, format]))

/** The format of a name, in any case; undefined if there is none of this name (yet). */
export function formatOf(name: string): Format | undefined {
  return byName.get(name.toUpperCase())
}
