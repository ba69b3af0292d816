import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { seededRandom, type Random } from '../../src/base/random.ts'
import type { Verdict } from './content.ts'
import { kindOf, randomDamage, tailStart, truncated, usedLength, type Damage } from './damage.ts'
import { DirectoryFaults } from './directory-faults.ts'
import { runDiskFault } from './disk-faults.ts'
import { isOfLog, makeImages, type Image } from './image.ts'
import { LogFaults } from './log-faults.ts'

/** `bytes`: damaged files of the log. `state`: of a whole directory, on a real disk. `disk`: a disk that fails. */
export const SUITES = ['bytes', 'state', 'disk'] as const
export type Suite = (typeof SUITES)[number]

export interface FaultOptions {
  readonly seed: number
  readonly count: number
  readonly suites: readonly Suite[]
  /** Where directories are made. */
  readonly scratch: string
  readonly onWrong?: (line: string) => void
}

export interface FaultReport {
  readonly cases: number
  /** Nothing was missing afterwards, or only a torn end that nobody can tell from one never written. */
  readonly repaired: number
  /** An error named the damage; or, on a failing disk, that some of the work was refused. */
  readonly refused: number
  readonly wrong: number
  /** Truncations of tails, one byte after the other: how many there are, and how many were made. */
  readonly tails: number
  readonly tailsDone: number
}

/** Of a hundred cases. */
const SHARES: Readonly<Record<Suite, number>> = { bytes: 73, state: 12, disk: 15 }
/** Of each kind of file, so many truncations at least, file after file until there are enough. */
const TAILS_PER_KIND = 2000

/** Runs `count` cases that the seed chooses. */
export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  await mkdir(options.scratch, { recursive: true })
  const scratch = await mkdtemp(join(options.scratch, 'millrace-fault-'))
  // The log's own timers keep no process alive.
  const alive = setInterval(() => {}, 1000)
  try {
    return await new Battery(options, scratch).run()
  } finally {
    clearInterval(alive)
    await rm(scratch, { recursive: true })
  }
}

class Battery {
  readonly #options: FaultOptions
  readonly #scratch: string
  readonly #random: Random
  readonly #report = { cases: 0, repaired: 0, refused: 0, wrong: 0, tails: 0, tailsDone: 0 }

  constructor(options: FaultOptions, scratch: string) {
    this.#options = options
    this.#scratch = scratch
    this.#random = seededRandom(options.seed)
  }

  async run(): Promise<FaultReport> {
    const { suites, count } = this.#options
    const images = suites.some((suite) => suite !== 'disk') ? await makeImages(this.#scratch) : []
    const shares = suites.reduce((sum, suite) => sum + SHARES[suite], 0)
    for (const suite of suites) {
      const cases = Math.ceil((count * SHARES[suite]) / shares)
      await (suite === 'disk' ? this.#disk(cases) : this.#files(suite, cases, images))
    }
    return this.#report
  }

  async #disk(cases: number): Promise<void> {
    for (let i = 0; i < cases; i++) {
      const seed = this.#options.seed * 1_000_003 + i
      const verdict = await runDiskFault(seed)
      this.#tell(`disk case ${seed}, ${verdict.trouble}`, verdict)
    }
  }

  async #files(suite: 'bytes' | 'state', cases: number, images: readonly Image[]): Promise<void> {
    const random = this.#random
    const runners: (LogFaults | DirectoryFaults)[] = []
    for (const image of images) {
      runners.push(suite === 'bytes' ? await LogFaults.of(image) : new DirectoryFaults(image, this.#scratch))
    }
    const tails = images.flatMap((image) =>
      tailsOf(image, (path) => isOfLog(path) === (suite === 'bytes'), random),
    )
    shuffle(tails, random)
    this.#report.tails += tails.length
    for (let i = 0; i < cases;) {
      // Two thirds of the cases walk through the tails, while there are any.
      const tail = i % 3 > 0 ? tails.pop() : undefined
      const image = tail?.image ?? images[random.below(images.length)]!
      const damage =
        tail === undefined
          ? choose(image, suite, random)
          : truncated(tail.path, image.files.get(tail.path)!, tail.length)
      if (damage === null) continue
      if (tail !== undefined) this.#report.tailsDone++
      const verdict = await runners[images.indexOf(image)]!.run(damage, i)
      this.#tell(`${suite} case ${i}, ${image.name} ${damage.path} ${damage.detail}`, verdict)
      i++
    }
  }

  #tell(what: string, { kind, detail }: Verdict): void {
    const report = this.#report
    report.cases++
    if (kind === 'refused') report.refused++
    else if (kind === 'whole') report.repaired++
    else {
      report.wrong++
      this.#options.onWrong?.(`${what}: ${detail}`)
    }
  }
}

function choose(image: Image, suite: 'bytes' | 'state', random: Random): Damage | null {
  const all = [...image.files.keys()]
  let paths = all.filter((path) => isOfLog(path))
  // A whole directory is opened for damage to its log, too, now and then.
  if (suite === 'state' && random.below(3) > 0) paths = all.filter((path) => !isOfLog(path))
  const top = paths.filter((path) => !path.includes('/'))
  if (top.length < paths.length) {
    paths = top.length > 0 && random.below(3) === 0 ? top : paths.filter((path) => path.includes('/'))
  }
  return randomDamage(image.files, paths[random.below(paths.length)]!, random)
}

interface Tail {
  readonly image: Image
  readonly path: string
  readonly length: number
}

/** Truncations at every byte of the ends of files, of every kind of file there is. */
function tailsOf(image: Image, isMeant: (path: string) => boolean, random: Random): Tail[] {
  const tails: Tail[] = []
  const counts = new Map<string, number>()
  const paths = [...image.files.keys()].filter(isMeant)
  shuffle(paths, random)
  for (const path of paths) {
    const kind = kindOf(path)
    const count = counts.get(kind) ?? 0
    if (count >= TAILS_PER_KIND) continue
    const bytes = image.files.get(path)!
    const end = usedLength(bytes)
    const start = tailStart(path, bytes)
    for (let length = start; length < end; length++) tails.push({ image, path, length })
    counts.set(kind, count + end - start)
  }
  return tails
}

function shuffle(items: unknown[], random: Random): void {
  for (let i = items.length - 1; i > 0; i--) {
    const other = random.below(i + 1)
    const item = items[i]
    items[i] = items[other]
    items[other] = item
  }
}
