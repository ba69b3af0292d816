import { dirname, join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { ArrayArena, type ArrayMemory } from '../base/array-memory.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { StorageError } from '../base/errors.ts'
import { type FileLock, type FileSystem, readFully, writeFully } from '../base/file-system.ts'
import { nodeFileSystem } from '../base/node-file-system.ts'
import { type Random, systemRandom } from '../base/random.ts'
import { CHECKPOINT_FILES, type Checkpoint, CheckpointSlots } from './checkpoint.ts'
import { diskError } from './disk-error.ts'
import { EmbeddedLog } from './embedded-log.ts'
import { FilePool } from './file-pool.ts'
import { Journal, JOURNAL_FILES, journalHoldsFrames, type JournalPosition, replayJournal } from './journal.ts'
import { type AppendEntry, decodeEntries } from './journal-entry.ts'
import type { Log } from './log.ts'
import { LogState, TOPICS_DIRECTORY } from './log-state.ts'
import { segmentFile } from './partition.ts'
import { randomId } from './random-id.ts'

export interface LogOptions {
  /** Holds the log and nothing else but what other parts of Millrace keep beside it. */
  readonly directory: string
  readonly fileSystem?: FileSystem
  readonly clock?: Clock
  readonly random?: Random
  /** `fsync` (default): acknowledged means it survives power loss. `os`: it survives the process only. */
  readonly durability?: 'fsync' | 'os'
  /** Size of each of the two journal files; default 64 MiB, at least 64 KiB. */
  readonly journalBytesMax?: number
  /** How often cleaner and retention look for work; default 15 s. */
  readonly maintenanceEveryMs?: number
  /**
   * Committed offsets of a group without members are forgotten after so long; default 7 days, −1: never. Those of
   * queries never are.
   */
  readonly offsetsRetentionMs?: number
}

const LOCK_FILE = 'lock'
/** Kept in the data directory by others of this house. */
const NEIGHBOURS = ['state']

/**
 * Opens the embedded log of a data directory, creating it if the directory is missing or empty, and
 * recovering it if the last process did not close it. One process at a time.
 *
 * @throws StorageError `LOG_LOCKED` if another process has it open, `LOG_FOREIGN_DIRECTORY` if the directory
 *   holds something else, `LOG_DAMAGED` if acknowledged data cannot be read (naming the place),
 *   `LOG_NEWER_VERSION`; `LOG_DISK_FULL`, `LOG_OPEN_FAILED` if the disk refuses something
 */
export async function openLog(options: LogOptions): Promise<Log> {
  const {
    directory,
    fileSystem = nodeFileSystem,
    clock = systemClock,
    random = systemRandom,
    durability = 'fsync',
  } = options
  const journalBytesMax = Math.max(options.journalBytesMax ?? 64 * 1024 * 1024, 64 * 1024)

  let lock: FileLock | null = null
  try {
    // Before anything is created in it.
    await refuseForeign(fileSystem, directory)
    await makeDurableDirectory(fileSystem, directory)
    lock = await fileSystem.lock(join(directory, LOCK_FILE))
    if (lock === null) {
      throw new StorageError('LOG_LOCKED', {
        message: `The data directory ${directory} is in use by another process.`,
        hint: 'Stop that process, or give this one a data directory of its own.',
      })
    }
    return await openLocked(directory, fileSystem, clock, random, durability, journalBytesMax, lock, options)
  } catch (cause) {
    await lock?.release()
    throw diskError('LOG_OPEN_FAILED', `The data directory ${directory} cannot be opened`, cause)
  }
}

async function openLocked(
  directory: string,
  fileSystem: FileSystem,
  clock: Clock,
  random: Random,
  durability: 'fsync' | 'os',
  journalBytesMax: number,
  lock: FileLock,
  { maintenanceEveryMs, offsetsRetentionMs }: LogOptions,
): Promise<Log> {
  const files = new FilePool(fileSystem)
  const { slots, newest, problems } = await CheckpointSlots.open(fileSystem, directory)
  const isNew = newest === null
  const stored = newest ?? (await createEmpty(fileSystem, directory, random, problems))
  const state = new LogState(fileSystem, files, directory, stored)

  await refuseShortJournal(fileSystem, directory, stored)
  const lastSequence = isNew
    ? stored.journal.sequence
    : await recover(fileSystem, files, directory, state, stored, durability)
  crashPoint('recovery-after-replay')

  // A new epoch, at the start of a file: frames of older ones can never be taken for ours again.
  const start: JournalPosition = {
    file: 0,
    position: 0,
    epoch: stored.journal.epoch + 1,
    sequence: lastSequence,
    crc: 0,
  }
  // Nothing of the old journal is needed any more, so its files begin anew: after a failed sync nobody knows
  // what of them is on disk, their length included.
  await slots.write(state.checkpoint(start, [0, 0]))
  crashPoint('recovery-before-journal')
  const journal = await Journal.create(fileSystem, directory, journalBytesMax, start)
  await fileSystem.syncDirectory(directory)
  await slots.write(state.checkpoint(start, journal.durableBytes))
  crashPoint('recovery-after-checkpoint')
  if (!isNew) await removeOrphans(fileSystem, directory, state)

  return new EmbeddedLog({
    directory,
    fileSystem,
    files,
    clock,
    random,
    durability,
    journal,
    slots,
    state,
    lock,
    maintenanceEveryMs,
    offsetsRetentionMs,
  })
}

/** Creates a directory and its missing parents so that they survive power loss. */
async function makeDurableDirectory(fileSystem: FileSystem, directory: string): Promise<void> {
  const parents: string[] = []
  for (let path = directory; !(await fileSystem.exists(path)); path = dirname(path)) {
    parents.push(dirname(path))
    if (dirname(path) === path) break
  }
  await fileSystem.makeDirectory(directory)
  for (const parent of parents) await fileSystem.syncDirectory(parent)
}

/** @throws StorageError `LOG_FOREIGN_DIRECTORY` */
async function refuseForeign(fileSystem: FileSystem, directory: string): Promise<void> {
  if (!(await fileSystem.exists(directory))) return
  const own = [LOCK_FILE, ...CHECKPOINT_FILES, ...JOURNAL_FILES, TOPICS_DIRECTORY, ...NEIGHBOURS]
  const entries = await fileSystem.list(directory)
  if (entries.some((name) => (CHECKPOINT_FILES as readonly string[]).includes(name))) return
  const foreign = entries.find((name) => !own.includes(name))
  if (foreign === undefined) return
  throw new StorageError('LOG_FOREIGN_DIRECTORY', {
    message: `The directory ${directory} is not a data directory of Millrace: it holds '${foreign}'.`,
    hint: 'Name an empty or a new directory.',
  })
}

/** @throws StorageError `LOG_DAMAGED` if the directory is not new: its checkpoints are lost */
async function createEmpty(
  fileSystem: FileSystem,
  directory: string,
  random: Random,
  problems: readonly string[],
): Promise<Checkpoint> {
  const topics = join(directory, TOPICS_DIRECTORY)
  const used =
    ((await fileSystem.exists(topics)) && (await fileSystem.list(topics)).length > 0) ||
    (await journalHoldsFrames(fileSystem, directory))
  if (used) {
    throw new StorageError('LOG_DAMAGED', {
      message: `The data directory ${directory} holds records but no readable checkpoint: ${problems.join('; ')}.`,
      hint: `Restore ${CHECKPOINT_FILES.join(' and ')} together with the rest of the directory from a copy.`,
    })
  }
  return {
    version: 2,
    logId: randomId(random),
    journal: { file: 0, position: 0, epoch: 0, sequence: 0, crc: 0 },
    topics: [],
    groups: [],
    owners: [],
    producerIdNext: 0,
    transactionalIds: [],
  }
}

/** Files that were written ahead never shrink by themselves: what is missing may have held acknowledged frames. */
async function refuseShortJournal(
  fileSystem: FileSystem,
  directory: string,
  { journalBytes = [0, 0] }: Checkpoint,
): Promise<void> {
  for (const file of [0, 1] as const) {
    const path = join(directory, JOURNAL_FILES[file])
    let bytes = 0
    if (await fileSystem.exists(path)) {
      const handle = await fileSystem.open(path, 'read')
      try {
        bytes = await handle.size()
      } finally {
        await handle.close()
      }
    }
    if (bytes >= journalBytes[file]) continue
    throw new StorageError('LOG_DAMAGED', {
      message:
        `The journal is damaged: it ends at byte ${bytes} of ${path}, which had ${journalBytes[file]} bytes. ` +
        `What was acknowledged may have stood there.`,
      hint: 'Restore the data directory from a copy; opening it would lose acknowledged records.',
    })
  }
}

/**
 * Brings segments and state up to the end of the journal and makes all of it durable: what can be read now
 * may so far exist in the page cache only.
 *
 * @returns the sequence of the last frame
 */
async function recover(
  fileSystem: FileSystem,
  files: FilePool,
  directory: string,
  state: LogState,
  stored: Checkpoint,
  durability: 'fsync' | 'os',
): Promise<number> {
  // Topics deleted later in the journal may have lost their files already.
  const deleted = new Set<string>()
  await replayJournal(fileSystem, directory, stored.journal, async ({ body }) => {
    for (const entry of decodeEntries(body)) if (entry.kind === 'delete-topic') deleted.add(entry.id)
  })

  const touched = new Set<string>()
  // What a frame refers to is read into the same memory as that of the frame before.
  const memory = new ArrayArena(0)
  let cutAt: number | null = null
  const { lastSequence } = await replayJournal(fileSystem, directory, stored.journal, async (frame) => {
    if (cutAt !== null) return
    const entries = decodeEntries(frame.body)
    memory.reset()
    const bytes: (Uint8Array | null)[] = []
    for (const entry of entries) {
      if (entry.kind !== 'append' || deleted.has(entry.topicId)) {
        bytes.push(null)
        continue
      }
      const found = await bytesOf(entry, files, directory, memory)
      if (found === null) {
        // Bulk data is synced before its frame is written, unless syncing is left to the system.
        if (durability === 'fsync') {
          throw new StorageError('LOG_DAMAGED', {
            message:
              `Topic ${state.topicById(entry.topicId)?.name ?? entry.topicId}, partition ${entry.partition}: ` +
              `the records from offset ${entry.baseOffset} on are damaged (byte ${entry.position} of ` +
              `${segmentPath(directory, entry)}), and journal frame ${frame.sequence} promised them.`,
            hint: 'Restore the data directory from a copy; opening it would lose acknowledged records.',
          })
        }
        cutAt = frame.sequence
        return
      }
      bytes.push(found)
    }
    for (const [i, entry] of entries.entries()) {
      if ('topicId' in entry && deleted.has(entry.topicId)) continue
      if (entry.kind === 'append') {
        const path = segmentPath(directory, entry)
        if (entry.bytes !== null) {
          await fileSystem.makeDirectory(join(path, '..'))
          await files.use(path, 'create', (file) => writeFully(file, bytes[i]!, entry.position))
        }
        touched.add(path)
      }
      state.apply(entry, bytes[i]!, { sealed: [], deleted: [], retired: [] })
    }
  })

  const directories = new Set<string>([directory])
  for (const topic of state.topics()) {
    for (const partition of topic.parts) {
      if (!(await fileSystem.exists(partition.directory))) {
        partition.giveUpActive()
        continue
      }
      // What was written past the accepted end belongs to nobody.
      // So do segments that were cleaned or expired, and what a cleaner has left half done.
      const known = new Set(
        partition.segments.map(({ base, generation }) => stemOf(segmentFile(base, generation))),
      )
      for (const name of await fileSystem.list(partition.directory)) {
        if (known.has(stemOf(name))) continue
        await fileSystem.removeFile(join(partition.directory, name))
        directories.add(partition.directory)
      }
      const active = partition.segments.at(-1)
      for (const segment of partition.segments) {
        if (segment !== active && !touched.has(segment.path)) continue
        // Bytes that are missing are reported when they are read. What comes next begins a segment of its own.
        if (!(await fileSystem.exists(segment.path))) {
          if (segment === active) partition.giveUpActive()
          continue
        }
        await files.use(segment.path, 'write', async (file) => {
          const size = await file.size()
          if (size < segment.bytes && segment === active) partition.giveUpActive()
          if (size > segment.bytes) {
            await file.truncate(segment.bytes)
            await segment.indexFiles.forgetBehind(segment.bytes)
            touched.add(segment.path)
          }
        })
      }
      if (partition.segments.some(({ path }) => touched.has(path))) {
        directories.add(partition.directory).add(topic.directory).add(join(directory, TOPICS_DIRECTORY))
      }
    }
  }
  for (const path of touched) {
    if (await fileSystem.exists(path)) await files.use(path, 'write', (file) => file.sync())
  }
  for (const path of directories) await fileSystem.syncDirectory(path)
  return cutAt === null ? lastSequence : cutAt - 1
}

/** The name of a segment's file or of one beside it, without what follows the last dot. */
function stemOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.'))
}

/** The batches of a replayed append; null if the segment does not hold what the reference promises. */
async function bytesOf(
  entry: AppendEntry,
  files: FilePool,
  directory: string,
  memory: ArrayMemory,
): Promise<Uint8Array | null> {
  if (entry.bytes !== null) return entry.bytes
  const bytes = memory.uint8(entry.length)
  try {
    const read = await files.use(segmentPath(directory, entry), 'write', (file) =>
      readFully(file, bytes, entry.position),
    )
    return read === entry.length && crc32c(bytes) === entry.bulkCrc ? bytes : null
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return null
    throw cause
  }
}

function segmentPath(directory: string, { topicId, partition, segmentBase }: AppendEntry): string {
  return join(directory, TOPICS_DIRECTORY, topicId, String(partition), segmentFile(segmentBase))
}

/** Directories of topics that are no more. */
async function removeOrphans(fileSystem: FileSystem, directory: string, state: LogState): Promise<void> {
  const topics = join(directory, TOPICS_DIRECTORY)
  if (!(await fileSystem.exists(topics))) return
  for (const id of await fileSystem.list(topics)) {
    if (state.topicById(id) === undefined) await fileSystem.removeTree(join(topics, id))
  }
}
