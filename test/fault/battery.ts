import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { seededRandom, type Random } from '../../src/base/random.ts'
import type { Verdict } from './content.ts'
import { randomDamage, truncated, usedLength, type Damage } from './damage.ts'
import { DirectoryFaults } from './directory-faults.ts'
import { runDiskFault } from './disk-faults.ts'
import { makeImages, type Image } from './image.ts'
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
}

/** Of a hundred cases. */
const SHARES: Readonly<Record<Suite, number>> = { bytes: 75, state: 5, disk: 20 }
/** The end of a file is truncated at each of so many bytes. */
const TAIL_BYTES = 150

/** Runs `count` cases that the seed chooses. */
export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  const { seed, count, suites } = options
  await mkdir(options.scratch, { recursive: true })
  const scratch = await mkdtemp(join(options.scratch, 'millrace-fault-'))
  const report = { cases: 0, repaired: 0, refused: 0, wrong: 0 }
  const tell = (what: string, { kind, detail }: Verdict): void => {
    report.cases++
    if (kind === 'refused') report.refused++
    else if (kind === 'whole') report.repaired++
    else {
      report.wrong++
      options.onWrong?.(`${what}: ${detail}`)
    }
  }
  try {
    const images = suites.includes('bytes') || suites.includes('state') ? await makeImages(scratch) : []
    const shares = suites.reduce((sum, suite) => sum + SHARES[suite], 0)
    const random = seededRandom(seed)
    for (const suite of suites) {
      const cases = Math.ceil((count * SHARES[suite]) / shares)
      if (suite === 'disk') {
        for (let i = 0; i < cases; i++) {
          const verdict = await runDiskFault(seed * 1_000_003 + i)
          tell(`disk case ${seed * 1_000_003 + i}, ${verdict.trouble}`, verdict)
        }
        continue
      }
      const runners = images.map((image) =>
        suite === 'bytes' ? new LogFaults(image) : new DirectoryFaults(image, scratch),
      )
      const tails = suite === 'bytes' ? tailsOf(images, random) : []
      for (let i = 0; i < cases;) {
        // A third of the cases walks through the tails, byte by byte.
        const tail = i % 3 === 2 ? tails.pop() : undefined
        const at = tail === undefined ? random.below(images.length) : images.indexOf(tail.image)
        const image = images[at]!
        const chosen = tail?.damage ?? choose(image, suite, random)
        if (chosen === null) continue
        tell(
          `${suite} case ${i}, ${image.name} ${chosen.path} ${chosen.detail}`,
          await runners[at]!.run(chosen, i),
        )
        i++
      }
    }
    return report
  } finally {
    await rm(scratch, { recursive: true })
  }
}

function choose(image: Image, suite: Suite, random: Random): Damage | null {
  const all = [...image.files.keys()]
  const isState = (path: string): boolean => path.startsWith('state/') || path === 'lock'
  const top = all.filter((path) => !path.includes('/') && !isState(path))
  const topics = all.filter((path) => path.startsWith('topics/'))
  const paths = suite === 'state' ? all.filter(isState) : random.below(3) === 0 ? top : topics
  return randomDamage(image.files, paths[random.below(paths.length)]!, random)
}

/** Every truncation of the last bytes of every file of the logs, in an order of the seed. */
function tailsOf(images: readonly Image[], random: Random): { image: Image; damage: Damage }[] {
  const tails: { image: Image; damage: Damage; order: number }[] = []
  for (const image of images) {
    for (const [path, bytes] of image.files) {
      if (path === 'lock' || path.startsWith('state/')) continue
      const end = usedLength(bytes)
      for (let length = Math.max(0, end - TAIL_BYTES); length < end; length++) {
        const damage = truncated(path, bytes, length)
        if (damage !== null) tails.push({ image, damage, order: random.next() })
      }
    }
  }
  return tails.toSorted((a, b) => a.order - b.order)
}
