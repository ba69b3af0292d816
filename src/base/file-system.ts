/**
 * Every file call of Millrace goes through this interface (LevelDB's own I/O is the one exception), so
 * that torn writes, full disks, short writes and failing syncs can be tested from a seed.
 *
 * Failures reject with the platform's error (`code` ENOSPC, EIO, ENOENT …); callers translate them.
 * Writes may be short without an error: use {@link writeFully}.
 */
export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<FileHandle>
  /** Names (not paths) of the entries of a directory, sorted. */
  list(path: string): Promise<readonly string[]>
  /** Creates a directory and its missing parents. */
  makeDirectory(path: string): Promise<void>
  /** Makes the entries of a directory durable: created, renamed and removed files. */
  syncDirectory(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  removeFile(path: string): Promise<void>
  /** Removes a file or a directory with all it holds; missing is fine. */
  removeTree(path: string): Promise<void>
  exists(path: string): Promise<boolean>
  /** Takes an exclusive lock for this process, held until released or the process dies; null if another holds it. */
  lock(path: string): Promise<FileLock | null>
  /** Bytes free for this user on the file system holding `path`. */
  freeBytes(path: string): Promise<number>
}

/** `read`: must exist. `write`: must exist, read and write. `create`: read and write, created if missing. */
export type OpenMode = 'read' | 'write' | 'create'

export interface FileHandle {
  /** Reads into `into` from `position`; resolves to the number of bytes read, 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Writes some or all of `bytes` at `position`; resolves to the number of bytes written. */
  write(bytes: Uint8Array, position: number): Promise<number>
  /** Makes written data durable (fdatasync). After a rejection the file's state is unknown: never retry. */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface FileLock {
  release(): Promise<void>
}

/** Writes all of `bytes`, looping over short writes. A write of 0 bytes is a failure. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const written = await file.write(done === 0 ? bytes : bytes.subarray(done), position + done)
    if (written <= 0) throw Object.assign(new Error('A write stored no bytes.'), { code: 'EIO' })
    done += written
  }
}

/** Reads exactly `into.length` bytes, or fewer at the end of the file; resolves to how many. */
export async function readFully(file: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const read = await file.read(done === 0 ? into : into.subarray(done), position + done)
    if (read === 0) break
    done += read
  }
  return done
}
