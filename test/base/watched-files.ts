import type { FileHandle, FileSystem, OpenMode } from '../../src/base/file-system.ts'

/** A file system of which every file that is opened goes through `watch`. */
export function watchedFiles(
  files: FileSystem,
  watch: (file: FileHandle, path: string) => FileHandle,
): FileSystem {
  return new Proxy<FileSystem>(files, {
    get: (target, name) => {
      if (name === 'open')
        return async (path: string, mode: OpenMode) => watch(await files.open(path, mode), path)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** The same of one whose reads of segments are counted, and their bytes. */
export function countingReads(files: FileSystem): {
  readonly fileSystem: FileSystem
  readonly read: { times: number; bytes: number }
} {
  const read = { times: 0, bytes: 0 }
  const counted = (file: FileHandle): FileHandle => ({
    read: async (into, position) => {
      const bytes = await file.read(into, position)
      read.times++
      read.bytes += bytes
      return bytes
    },
    write: (bytes, position) => file.write(bytes, position),
    sync: () => file.sync(),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
  })
  const fileSystem = watchedFiles(files, (file, path) => (path.endsWith('.log') ? counted(file) : file))
  return { fileSystem, read }
}
