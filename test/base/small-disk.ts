import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { afterAll } from 'vitest'

/** Mounts a real file system of so many MB over a directory until the tests of the file are done; false: this process may not. */
export function mountSmallDisk(directory: string, megabytes: number): boolean {
  const isMounted =
    process.platform === 'linux' &&
    existsSync('/bin/mount') &&
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory]).status === 0
  if (isMounted) afterAll(() => void spawnSync('umount', [directory]))
  return isMounted
}
