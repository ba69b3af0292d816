import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { CrashPoint } from '../../src/base/crash-points.ts'
import type { Breakage } from './breakage.ts'

/** A process kills itself at this pass through a crash point. */
export interface Kill {
  readonly point: CrashPoint
  readonly pass: number
}

/** How one process runs, and how it ends. */
export interface Life {
  /** Of what is random in it: names of topics' files among others, so never the same in two lives. */
  readonly seed: number
  readonly sliceBytes: number
  readonly commitIntervalMs: number
  readonly transactionBytesMax: number
  readonly kill: Kill | null
  /** It is killed so long after it began to open the directory. */
  readonly killAfterMs: number | null
  readonly breakage: Breakage | null
}

export type LifeEnd =
  | { readonly kind: 'killed' }
  | {
      readonly kind: 'finished'
      readonly passes: Readonly<Record<CrashPoint, number>>
      readonly tookMs: number
    }
  | { readonly kind: 'failed'; readonly detail: string }

/** A life that hangs is ended and reported. */
const LIFE_MS_MAX = 120_000

export function runLife(directory: string, life: Life): Promise<LifeEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [
      join(import.meta.dirname, 'child.ts'),
      directory,
      JSON.stringify(life),
    ])
    let out = ''
    let errors = ''
    let startedMs = performance.now()
    let isStuck = false
    let timer: NodeJS.Timeout | undefined
    const limit = setTimeout(() => {
      isStuck = true
      child.kill('SIGKILL')
    }, LIFE_MS_MAX)
    child.stdout.on('data', (chunk: Buffer) => {
      if (out === '') {
        startedMs = performance.now()
        if (life.killAfterMs !== null) timer = setTimeout(() => child.kill('SIGKILL'), life.killAfterMs)
      }
      out += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      clearTimeout(limit)
      if (isStuck) resolve({ kind: 'failed', detail: `It did not end. ${errors}` })
      else if (signal === 'SIGKILL') resolve({ kind: 'killed' })
      else if (code === 0 && errors === '') {
        const passes = JSON.parse(out.slice(1)) as Record<CrashPoint, number>
        resolve({ kind: 'finished', passes, tookMs: performance.now() - startedMs })
      } else resolve({ kind: 'failed', detail: `It ended with ${code ?? signal}: ${errors}` })
    })
  })
}
