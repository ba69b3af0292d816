import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { seededRandom } from '../../src/base/random.ts'
import type { Millrace } from '../../src/runtime/millrace.ts'
import { compareContent, firstDifference, namesPlace, refusal, type Verdict } from './content.ts'
import type { Damage } from './damage.ts'
import {
  isOfLog,
  openPipeline,
  readTables,
  readWhole,
  workOn,
  writeFiles,
  type Image,
  type Tables,
} from './image.ts'

/** A whole data directory on a real disk, state included, opened with one file damaged; its queries work on. */
export class DirectoryFaults {
  readonly #image: Image
  readonly #scratch: string

  constructor(image: Image, scratch: string) {
    this.#image = image
    this.#scratch = scratch
  }

  async run(damage: Damage, seed: number): Promise<Verdict> {
    const files = new Map(this.#image.files)
    if (damage.bytes === null) files.delete(damage.path)
    else files.set(damage.path, damage.bytes)
    const directory = await mkdtemp(join(this.#scratch, 'directory-'))
    let millrace: Millrace | null = null
    try {
      await writeFiles(directory, files)
      millrace = await openPipeline(directory)
      const verdict = await this.#look(millrace, seed)
      // State is only a copy of what the changelogs hold; nobody needs the old lock.
      if (verdict.kind !== 'refused' || isOfLog(damage.path)) return verdict
      return { kind: 'wrong', detail: `not repaired: ${verdict.detail}` }
    } catch (error) {
      if (!isOfLog(damage.path)) return { kind: 'wrong', detail: `not repaired: ${String(error)}` }
      return refusal(error)
    } finally {
      await millrace?.close().catch(() => {})
      await rm(directory, { recursive: true })
    }
  }

  async #look(millrace: Millrace, seed: number): Promise<Verdict> {
    const { whole, nextTables } = this.#image
    const wrong = (detail: string): Verdict => ({ kind: 'wrong', detail })
    await settled(millrace)
    const found = await readWhole(millrace, seededRandom(seed))
    const definition = firstDifference(found.definitions, whole.definitions)
    if (definition !== null) return wrong(`definitions: ${definition}`)
    const content = compareContent(found.content, whole.content)
    if (content.kind === 'wrong') return content
    const before = compareTables(found.tables, whole.tables)
    if (before !== null) return wrong(`after opening: ${before}`)
    await workOn(millrace)
    await settled(millrace)
    const after = compareTables(await readTables(millrace), nextTables)
    if (after !== null) return wrong(`after more input: ${after}`)
    const stopped = millrace.queries().find(({ state }) => state === 'ERROR')
    if (stopped === undefined) return content
    return namesPlace(stopped.error ?? '')
      ? { kind: 'refused', detail: stopped.error! }
      : wrong(`query ${stopped.id} stopped without naming the place: ${stopped.error}`)
  }
}

/**
 * All queries are idle, or stopped over damage. One whose state could not be read starts again a little
 * later, from its changelogs.
 */
async function settled(millrace: Millrace): Promise<void> {
  for (let tries = 0; ; tries++) {
    const problem = await millrace.untilIdle().then(
      () => null,
      (error: unknown) => String(error),
    )
    if (problem === null || namesPlace(problem)) return
    if (tries === 40 || !problem.includes('state checkpoint')) throw new Error(problem)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** What differs first, or null. A table whose query stopped over damage says so. */
function compareTables(found: Tables, expected: Tables): string | null {
  for (const [name, rows] of expected) {
    const others = found.get(name)!
    if (others instanceof Error) {
      if (!namesPlace(others.message)) return `${name}: ${others.message}`
      continue
    }
    const difference = firstDifference(others, rows as readonly string[])
    if (difference !== null) return `${name} has ${difference}`
  }
  return null
}
