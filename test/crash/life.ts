import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CrashPoint } from '../../src/base/crash-points.ts'
import type { Breakage } from './breakage.ts'

/** A process kills itself at this pass through a crash point. */
export interface Kill {
  readonly point: CrashPoint
  readonly pass: number
}

/** Which pipeline runs: one of every kind of query, or the one that is recomputed. */
export type Pipeline = 'wide' | 'fleet'

/** How one process runs, and how it ends. */
export interface Life {
  readonly pipeline: Pipeline
  /** Of what is random in it: names of topics' files among others, so never the same in two lives. */
  readonly seed: number
  readonly sliceBytes: number
  readonly commitIntervalMs: number
  readonly transactionBytesMax: number
  readonly kill: Kill | null
  /** It is killed so long after it was armed. */
  readonly killAfterMs: number | null
  /**
   * Passes through crash points count, and `killAfterMs` runs, once every query has committed this share of the
   * readings; null: at once.
   */
  readonly armAtShare: number | null
  /** A crash point that does not come for so long after that stands for any other place. */
  readonly patienceMs: number
  /** Whether the pipeline's statements have been run by an earlier life. */
  readonly isDefined: boolean
  /** Where what is done to files is recorded, for a power cut; null: nowhere. */
  readonly record: { readonly folder: string; readonly count: number } | null
  /** Its number, if a producer goes on beside the pipeline, which tells what is acknowledged; null: none. */
  readonly acknowledges: number | null
  readonly breakage: Breakage | null
}

export type LifeEnd =
  | { readonly kind: 'killed'; readonly place: string }
  | {
      readonly kind: 'finished'
      readonly passes: Readonly<Record<CrashPoint, number>>
      readonly tookMs: number
    }
  | { readonly kind: 'failed'; readonly detail: string }

export interface LifeListener {
  /** A record is durable; see `Acknowledgements`. */
  readonly onAcknowledged?: (told: string) => void
  /** All statements have run. */
  readonly onDefined?: () => void
}

/** Lines a life prints, each a word and what belongs to it. */
export const SAYS = {
  armed: 'armed',
  defined: 'defined',
  acknowledged: 'acknowledged',
  /** It kills itself at a place. */
  killed: 'killed',
  passes: 'passes',
} as const

export const RANDOM_TIME = 'random time'

/** Code made of TypeScript is kept from life to life. */
const COMPILE_CACHE = join(tmpdir(), 'millrace-crash-compiled')

/** A life that hangs is ended and reported. */
const LIFE_MS_MAX = 600_000

export function runLife(directory: string, life: Life, listener: LifeListener = {}): Promise<LifeEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'child.ts'), directory, JSON.stringify(life)],
      { env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE } },
    )
    let errors = ''
    let startedMs = performance.now()
    let isStuck = false
    let place: string = RANDOM_TIME
    let passes: Record<CrashPoint, number> | null = null
    let timer: NodeJS.Timeout | undefined
    const limit = setTimeout(() => {
      isStuck = true
      child.kill('SIGKILL')
    }, LIFE_MS_MAX)
    const hear = (line: string): void => {
      const [word, rest] = [line.split(' ', 1)[0]!, line.slice(line.indexOf(' ') + 1)]
      switch (word) {
        case SAYS.armed:
          startedMs = performance.now()
          if (life.killAfterMs !== null) timer = setTimeout(() => child.kill('SIGKILL'), life.killAfterMs)
          return
        case SAYS.defined:
          listener.onDefined?.()
          return
        case SAYS.acknowledged:
          listener.onAcknowledged?.(rest)
          return
        case SAYS.killed:
          place = rest
          return
        case SAYS.passes:
          passes = JSON.parse(rest) as Record<CrashPoint, number>
      }
    }
    let begun = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (begun + text).split('\n')
      // What has no end was cut off by the kill.
      begun = lines.pop()!
      lines.forEach(hear)
    })
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      clearTimeout(limit)
      if (isStuck) resolve({ kind: 'failed', detail: `It did not end. ${errors}` })
      else if (errors !== '') resolve({ kind: 'failed', detail: errors })
      else if (signal === 'SIGKILL') resolve({ kind: 'killed', place })
      else if (code === 0 && passes !== null) {
        resolve({ kind: 'finished', passes, tookMs: performance.now() - startedMs })
      } else resolve({ kind: 'failed', detail: `It ended with ${code ?? signal}.` })
    })
  })
}
