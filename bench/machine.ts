import { execFileSync } from 'node:child_process'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join } from 'node:path'

/** What a result was measured on. */
export function describeMachine(directory: string): Record<string, unknown> {
  const fileSystem = execFileSync('stat', ['-f', '-c', '%T', directory], { encoding: 'utf8' }).trim()
  return {
    cpu: cpus()[0]!.model,
    cores: cpus().length,
    kernel: release(),
    fileSystem,
    fsyncMs: probeFsync(directory),
  }
}

/** Durable writes of 4 KiB, a thousand times. */
function probeFsync(directory: string): { p50: number; p99: number } {
  const folder = mkdtempSync(join(directory, 'probe-'))
  const file = openSync(join(folder, 'probe'), 'w')
  const block = Buffer.alloc(4096, 1)
  const times: number[] = []
  for (let i = 0; i < 1000; i++) {
    const before = performance.now()
    writeSync(file, block, 0, block.length, i * block.length)
    fdatasyncSync(file)
    times.push(performance.now() - before)
  }
  closeSync(file)
  rmSync(folder, { recursive: true })
  times.sort((a, b) => a - b)
  return { p50: Number(times[500]!.toFixed(2)), p99: Number(times[990]!.toFixed(2)) }
}
