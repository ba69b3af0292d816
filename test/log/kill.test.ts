import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { CrashPoint } from '../../src/base/crash-points.ts'
import { openLog } from '../../src/log/open-log.ts'
import { values } from './log-reading.ts'

const POINTS: readonly (readonly [CrashPoint, pass: number])[] = [
  ['journal-before-write', 8],
  ['journal-after-write', 8],
  ['journal-after-sync', 8],
  ['segments-after-write', 8],
  ['ends-published', 8],
  ['segment-before-roll', 5],
  ['segment-after-roll', 5],
  ['checkpoint-before-write', 1],
  ['checkpoint-after-write', 1],
  ['cleaner-before-swap', 1],
  ['cleaner-after-swap', 1],
  ['segments-retired', 1],
  ['recovery-after-replay', 1],
  ['recovery-before-journal', 1],
  ['recovery-after-checkpoint', 1],
]

/** Runs the committing process until it kills itself; resolves to how many commits it heard acknowledged. */
async function runUntilKilled(directory: string, point: CrashPoint, pass: number): Promise<number> {
  const child = spawn(process.execPath, [
    join(import.meta.dirname, 'commit-until-killed.ts'),
    directory,
    point,
    String(pass),
  ])
  let out = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const signal = await new Promise((resolve) => child.on('close', (_, by) => resolve(by)))
  expect(signal, errors).toBe('SIGKILL')
  return out.length
}

test.each(POINTS)(
  'killed at "%s", everything acknowledged is there and every commit is whole',
  async (point, pass) => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-kill-'))
    try {
      let acknowledged = 0
      // The second life starts from what the first left behind.
      for (let life = 0; life < 2; life++) {
        acknowledged += await runUntilKilled(directory, point, pass)
        const log = await openLog({ directory, journalBytesMax: 1 << 20 })
        if (log.topic('c') !== undefined) {
          const found = (await values(log, 'a')).map((value) => parseInt(value, 10))
          expect(found).toEqual(found.map((_, i) => i))
          expect((await values(log, 'b')).map((value) => parseInt(value, 10))).toEqual(found)
          expect(log.committedOffsets('g')[0]?.offset ?? 0).toBe(found.length)
          // Whatever the cleaner was at: the last records of the keys are there, in order.
          const cleaned = (await values(log, 'c')).map((value) => parseInt(value, 10))
          const last = found.slice(-5)
          expect(cleaned.slice(cleaned.length - last.length)).toEqual(last)
          expect(cleaned).toEqual([...cleaned].sort((a, b) => a - b))
          expect(found.length).toBeGreaterThanOrEqual(acknowledged)
          acknowledged = found.length
        } else {
          expect(acknowledged).toBe(0)
        }
        await log.close()
      }
      if (!point.startsWith('recovery')) expect(acknowledged).toBeGreaterThan(0)
    } finally {
      await rm(directory, { recursive: true })
    }
  },
)
