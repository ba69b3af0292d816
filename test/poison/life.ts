import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { CrashPoint } from '../../src/base/crash-points.ts'

/** How one process runs, and how it ends. */
export interface Life {
  readonly sliceBytes: number
  /** It kills itself at this pass through a crash point; null: it runs to the end. */
  readonly kill: { readonly point: CrashPoint; readonly pass: number } | null
}

const LIFE_MS_MAX = 600_000

/** @returns whether it was killed. @throws Error if it failed otherwise */
export function runLife(directory: string, life: Life): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'child.ts'), directory, JSON.stringify(life)],
      { timeout: LIFE_MS_MAX, killSignal: 'SIGABRT', stdio: ['ignore', 'inherit', 'pipe'] },
    )
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(true)
      else if (code === 0) resolve(false)
      else reject(new Error(`A life ended with ${code ?? signal}. ${errors}`))
    })
  })
}
