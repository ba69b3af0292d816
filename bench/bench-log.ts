import { mkdirSync } from 'node:fs'
import { systemClock } from '../src/base/clock.ts'
import { nodeFileSystem } from '../src/base/node-file-system.ts'
import { systemRandom } from '../src/base/random.ts'
import { openLog } from '../src/log/open-log.ts'
import type { Log } from '../src/log/log.ts'

/** The log of a data directory, without an engine. */
export function openBenchLog(directory: string): Promise<Log> {
  mkdirSync(directory, { recursive: true })
  return openLog({ directory, fileSystem: nodeFileSystem, clock: systemClock, random: systemRandom })
}
