import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Millrace } from '../../src/runtime/millrace.ts'
import { refusal, type Verdict } from './content.ts'
import type { Damage } from './damage.ts'
import { openPipeline, readTables, workOn, writeFiles, type Image } from './image.ts'

/** A whole data directory on a real disk, state included, opened with one file damaged; its queries work on. */
export class DirectoryFaults {
  readonly #image: Image
  readonly #scratch: string

  constructor(image: Image, scratch: string) {
    this.#image = image
    this.#scratch = scratch
  }

  async run(damage: Damage): Promise<Verdict> {
    const files = new Map(this.#image.files)
    if (damage.bytes === null) files.delete(damage.path)
    else files.set(damage.path, damage.bytes)
    const directory = await mkdtemp(join(this.#scratch, 'directory-'))
    let millrace: Millrace | null = null
    try {
      await writeFiles(directory, files)
      millrace = await openPipeline(directory)
      const before = compareTables(await tablesOf(millrace), this.#image.tables)
      if (before !== null) return { kind: 'wrong', detail: `after opening: ${before}` }
      await workOn(millrace)
      const after = compareTables(await tablesOf(millrace), this.#image.nextTables)
      if (after !== null) return { kind: 'wrong', detail: `after more input: ${after}` }
      return { kind: 'whole', detail: '' }
    } catch (error) {
      // State is only a copy of what the changelogs hold; nobody needs the old lock.
      if (damage.path.startsWith('state/') || damage.path === 'lock') {
        return { kind: 'wrong', detail: `not repaired: ${String(error)}` }
      }
      return refusal(error)
    } finally {
      await millrace?.close().catch(() => {})
      await rm(directory, { recursive: true })
    }
  }
}

/** A query whose state could not be read starts again a little later, from its changelogs. */
async function tablesOf(millrace: Millrace): Promise<Map<string, string[]>> {
  for (let tries = 0; ; tries++) {
    try {
      await millrace.untilIdle()
      return await readTables(millrace)
    } catch (error) {
      if (tries === 40 || !String(error).includes('state checkpoint')) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** What differs first, or null. */
function compareTables(
  found: ReadonlyMap<string, readonly string[]>,
  expected: ReadonlyMap<string, readonly string[]>,
): string | null {
  for (const [name, rows] of expected) {
    const others = found.get(name)!
    const missing = rows.find((row) => !others.includes(row))
    if (missing !== undefined) return `${name} lacks ${missing}`
    const surplus = others.find((row) => !rows.includes(row))
    if (surplus !== undefined) return `${name} has ${surplus}`
    if (others.length !== rows.length) return `${name} has ${others.length} rows instead of ${rows.length}`
  }
  return null
}
