import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { StorageError } from '../../src/base/errors.ts'
import { mountSmallDisk } from '../base/small-disk.ts'
import { files, Fixture } from './state-fixture.ts'

/* LevelDB does its own I/O: a real file system of 6 MB, where this process may mount one. */

const directory = mkdtempSync(join(tmpdir(), 'millrace-level-full-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const isMounted = mountSmallDisk(directory, 6)

test.skipIf(!isMounted)(
  'a checkpoint that finds the disk full is given up, loses nothing, and is written once there is space',
  { timeout: 60_000 },
  async () => {
    const ballast = join(directory, 'ballast')
    const f = new Fixture({ directory: join(directory, 'state'), fileSystem: files })
    await f.start()
    for (let fillings = 0; fillings < 3; fillings++) {
      for (let i = 0; i < 3; i++) {
        await f.cycle(200, 1500)
        await f.worker.checkpoint()
      }
      fillUp(ballast)
      let failed: unknown = null
      for (let i = 0; i < 40 && failed === null; i++) {
        await f.cycle(400, 1500)
        await f.worker.checkpoint().catch((error: unknown) => (failed = error))
      }
      expect(failed, 'the disk was full').not.toBeNull()
      // Whoever goes on learns that the state has to be opened again.
      expect(() => f.task.flush()).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }) as StorageError)
      rmSync(ballast)
      await f.task.close()
      await f.openTask()
      await f.expectState()
      await f.cycle(200, 1500)
      await f.worker.checkpoint()
      await f.worker.close()
      await f.start()
      await f.expectState()
    }
    await f.worker.close()
  },
)

/** Takes all the space there is. */
function fillUp(path: string): void {
  for (let bytes = 4 << 20; bytes >= 4096;) {
    try {
      writeFileSync(path, new Uint8Array(bytes), { flag: 'a' })
    } catch {
      bytes >>= 1
    }
  }
}
