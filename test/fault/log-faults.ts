import { StorageError } from '../../src/base/errors.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import {
  compareContent,
  readContent,
  readPartition,
  refusal,
  sameContent,
  TIMES,
  type Content,
  type Verdict,
} from './content.ts'
import type { Damage } from './damage.ts'
import { simulated, STILL_CLOCK, type Image } from './image.ts'
import { newestFrames, type FramePlace } from './journal-frames.ts'

/** One image of a log, opened again and again with one file damaged. */
export class LogFaults {
  readonly #image: Image
  readonly #disk: SimulatedFileSystem
  readonly #frames: readonly FramePlace[]
  /** What there is if the journal ends before its frame of this number. */
  readonly #withoutEnd = new Map<number, Content>()

  private constructor(image: Image, disk: SimulatedFileSystem) {
    this.#image = image
    this.#disk = disk
    this.#frames = newestFrames(image.files)
  }

  static async of(image: Image): Promise<LogFaults> {
    return new LogFaults(image, await simulated(image.files))
  }

  /** Opens the log with the damage done, reads all of it, works on, and opens it again. */
  async run(damage: Damage, seed: number): Promise<Verdict> {
    const random = seededRandom(seed)
    const disk = this.#disk.clone()
    await disk.replaceFile(`/data/${damage.path}`, damage.bytes)
    let log: Log | null = null
    try {
      log = await open(disk, random)
      const content = await readContent(log, random)
      let verdict = compareContent(content, this.#image.content)
      if (verdict.kind === 'wrong') {
        if (!(await this.#isTornEnd(damage, content))) return verdict
        verdict = { kind: 'whole', detail: 'cut at the torn end' }
      }
      const from = await fromAnywhere(log, content, random)
      if (from !== null) return from
      await log.close()
      if (seed % 3 > 0) return verdict
      // Whatever it made of the damage, it stays with it.
      log = await open(disk, random)
      const again = await readContent(log, random)
      if (!sameContent(again, content)) {
        return { kind: 'wrong', detail: `opened again, and ${compareContent(again, content).detail}` }
      }
      return verdict
    } catch (error) {
      return refusal(error)
    } finally {
      await log?.close().catch(() => {})
    }
  }

  /**
   * Whether the content is that of a journal which ends before the damage, where no frame is left that knows
   * of what is missing: nobody can tell it from one that was never written. A journal that is shorter than it
   * was is never a torn one.
   */
  async #isTornEnd(damage: Damage, content: Content): Promise<boolean> {
    if (!damage.path.startsWith('journal') || damage.kind === 'delete' || damage.kind === 'truncate')
      return false
    const hit = (frame: FramePlace): boolean =>
      frame.file === damage.path && damage.from < frame.to && frame.from < damage.to
    const first = this.#frames.findIndex(hit)
    if (first < 0 || !this.#frames.slice(first + 1).every(hit)) return false
    for (let end = first; end < this.#frames.length; end++) {
      if (sameContent(await this.#contentWithout(end), content)) return true
    }
    return false
  }

  /** @param end  number of the first frame that is not there */
  async #contentWithout(end: number): Promise<Content> {
    let content = this.#withoutEnd.get(end)
    if (content === undefined) {
      const disk = this.#disk.clone()
      for (const { file, from, to } of this.#frames.slice(end))
        disk.bytesOf(`/data/${file}`).fill(0, from, to)
      const log = await open(disk, seededRandom(1))
      content = await readContent(log, seededRandom(1), TIMES)
      await log.close()
      this.#withoutEnd.set(end, content)
    }
    return content
  }
}

function open(disk: SimulatedFileSystem, random: Random): Promise<Log> {
  // The smaller its new journal, the cheaper is an opening.
  return openLog({
    directory: '/data',
    fileSystem: disk,
    clock: STILL_CLOCK,
    random,
    journalBytesMax: 1 << 16,
  })
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
