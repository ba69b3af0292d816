import { StorageError } from '../../src/base/errors.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { compareContent, readContent, readPartition, refusal, type Content, type Verdict } from './content.ts'
import type { Damage } from './damage.ts'
import { simulated, STILL_CLOCK, type Image } from './image.ts'
import { newestFrames, type FramePlace } from './journal-frames.ts'

/** One image of a log, opened again and again with one file damaged. */
export class LogFaults {
  readonly #image: Image
  readonly #frames: readonly FramePlace[]

  constructor(image: Image) {
    this.#image = image
    this.#frames = newestFrames(image.files)
  }

  /** Opens the log with the damage done, reads all of it, works on, and opens it again. */
  async run(damage: Damage, seed: number): Promise<Verdict> {
    const files = new Map(this.#image.files)
    if (damage.bytes === null) files.delete(damage.path)
    else files.set(damage.path, damage.bytes)
    const random = seededRandom(seed)
    const disk = await simulated(files)
    const mayLoseEnd = this.#mayLoseEnd(damage)
    const open = (): Promise<Log> =>
      openLog({ directory: '/data', fileSystem: disk, clock: STILL_CLOCK, random })
    let log: Log | null = null
    try {
      log = await open()
      const content = await readContent(log, random)
      const verdict = compareContent(content, this.#image.content, mayLoseEnd)
      if (verdict.kind === 'wrong') return verdict
      const from = await fromAnywhere(log, content, random)
      if (from !== null) return from
      await log.close()
      // Whatever it made of the damage, it stays with it.
      log = await open()
      const again = compareContent(await readContent(log, random), this.#image.content, mayLoseEnd)
      if (again.kind !== verdict.kind || again.detail !== verdict.detail) {
        return {
          kind: 'wrong',
          detail: `${verdict.kind} (${verdict.detail}), then ${again.kind} (${again.detail})`,
        }
      }
      return verdict
    } catch (error) {
      return refusal(error)
    } finally {
      await log?.close().catch(() => {})
    }
  }

  /**
   * The end of the journal may be torn: whether the damage begins in a frame behind which no frame is left
   * that knows of it. A journal that is shorter than it was is never a torn one.
   */
  #mayLoseEnd(damage: Damage): boolean {
    if (!damage.path.startsWith('journal') || damage.kind === 'delete' || damage.kind === 'truncate')
      return false
    const hit = (frame: FramePlace): boolean =>
      frame.file === damage.path && damage.from < frame.to && frame.from < damage.to
    const first = this.#frames.findIndex(hit)
    return first >= 0 && this.#frames.slice(first + 1).every(hit)
  }
}

/** Reading from any offset gives what reading from the start gives behind it. */
async function fromAnywhere(log: Log, content: Content, random: Random): Promise<Verdict | null> {
  for (const [place, { records }] of content.partitions) {
    if (records instanceof StorageError || records.length === 0) continue
    const [, topic, partition] = /^(.*)-(\d+)$/s.exec(place)!
    const at = random.below(records.length)
    const from = Number.parseInt(records[at]!, 10)
    const found = await readPartition(log, topic!, Number(partition), from, random)
    if (found.length === records.length - at && found.every((line, i) => line === records[at + i])) continue
    return { kind: 'wrong', detail: `${place}: reading from ${from} gives something else` }
  }
  return null
}
