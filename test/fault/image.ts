import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { MillraceError } from '../../src/base/errors.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { readContent, TIMES, type Content } from './content.ts'

/** A data directory as a pipeline left it, file by file, and what it held when it was left. */
export interface Image {
  readonly name: string
  /** By path within the directory. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Of the log. */
  readonly content: Content
  /** What the pipeline shows once it runs again. */
  readonly whole: Whole
  /** Rows of each table once {@link workOn} has been worked off, too. */
  readonly nextTables: Tables
}

/** Of a whole data directory. */
export interface Whole {
  readonly content: Content
  /** Streams, tables and queries with their definitions, a line each. */
  readonly definitions: readonly string[]
  readonly tables: Tables
}

/** Rows of each table as text, sorted; a table that cannot be read is its error. */
export type Tables = ReadonlyMap<string, readonly string[] | Error>

const NOW_MS = 1_700_000_000_000

/** The wall clock stands: what a run writes depends on its input only. State is checkpointed all the time. */
export const STILL_CLOCK: Clock = {
  ...systemClock,
  nowMs: () => NOW_MS,
  monotonicMs: () => performance.now() * 200,
}

/** Whatever is in small segments rolls them, several times. */
const SMALL = { 'segment.bytes': '4000', 'index.interval.bytes': '600' }

const PIPELINE = `
CREATE STREAM readings (id STRING KEY, v INT, zone STRING) WITH (kafka_topic='readings', value_format='JSON');
CREATE TABLE names (id STRING PRIMARY KEY, name STRING) WITH (kafka_topic='names', value_format='JSON');
CREATE STREAM high AS SELECT * FROM readings WHERE v > 500;
CREATE TABLE totals AS SELECT id, COUNT(*) AS n, SUM(v) AS total FROM readings GROUP BY id;
CREATE TABLE per_minute AS SELECT id, COUNT(*) AS n, MAX(v) AS top FROM readings
  WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY id;
CREATE TABLE sessions AS SELECT id, COUNT(*) AS n FROM readings WINDOW SESSION (5 SECONDS) GROUP BY id;
CREATE TABLE zones AS SELECT zone, COUNT(*) AS n FROM readings GROUP BY zone;
CREATE STREAM named AS SELECT r.id, r.v, n.name FROM readings r LEFT JOIN names n ON r.id = n.id;
`
const TABLES = ['totals', 'per_minute', 'sessions', 'zones']

const input = (seed: number, count: number, fromMs: number): Parameters<Millrace['produce']>[1] => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, i) => ({
    key: `k${random.below(40)}`,
    value: random.below(40) === 0 ? '{ not json' : { v: random.below(1000), zone: `z${random.below(5)}` },
    timestampMs: NOW_MS + fromMs + i * 300,
  }))
}

export function openPipeline(directory: string): Promise<Millrace> {
  return Millrace.open({
    dataDirectory: directory,
    commitIntervalMs: 200,
    clock: STILL_CLOCK,
    random: seededRandom(7),
  })
}

/** More input; what comes of it depends on all state. */
export async function workOn(millrace: Millrace): Promise<void> {
  await millrace.produce('readings', input(99, 40, 90_000))
}

export async function readWhole(millrace: Millrace, random: Random): Promise<Whole> {
  const definitions = millrace.queries().map(({ id, statement }) => `${id} ${statement}`)
  const names: string[] = []
  for (const list of ['STREAMS', 'TABLES']) {
    for (const row of await rowsOf(millrace, `SHOW ${list};`)) {
      definitions.push(JSON.stringify(row))
      names.push(String(row[0]))
    }
  }
  for (const name of names) definitions.push(JSON.stringify(await rowsOf(millrace, `DESCRIBE ${name};`)))
  const content = await readContent(millrace.log, random, TIMES)
  return { content, definitions, tables: await readTables(millrace) }
}

export async function readTables(millrace: Millrace): Promise<Tables> {
  const tables = new Map<string, string[] | Error>()
  for (const name of TABLES) {
    try {
      const rows = await rowsOf(millrace, `SELECT * FROM ${name};`)
      tables.set(name, rows.map((row) => JSON.stringify(row)).toSorted())
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      tables.set(name, error)
    }
  }
  return tables
}

async function rowsOf(millrace: Millrace, sql: string): Promise<readonly (readonly unknown[])[]> {
  const [result] = await millrace.sql(sql)
  if (result?.kind !== 'rows') throw new Error(`${sql} gave ${result?.kind ?? 'nothing'}.`)
  return result.rows
}

/**
 * Runs the pipeline and copies its directory at two moments: `killed`, in the middle of its second life (part
 * of the log under a checkpoint, part in the journal only, state checkpointed), and `closed`.
 */
export async function makeImages(scratch: string): Promise<Image[]> {
  await mkdir(scratch, { recursive: true })
  const base = await mkdtemp(join(scratch, 'image-'))
  try {
    const live = join(base, 'live')
    await writeLogPart(live)
    let millrace = await openPipeline(live)
    await millrace.sql(PIPELINE)
    await millrace.produce(
      'names',
      Array.from({ length: 30 }, (_, i) => ({ key: `k${i}`, value: { name: `n${i}` } })),
    )
    await millrace.produce('readings', input(1, 150, 0))
    await millrace.untilIdle()
    await millrace.close()
    millrace = await openPipeline(live)
    await millrace.produce('readings', input(2, 90, 48_000))
    await millrace.untilIdle()
    await millrace.produce('names', [
      { key: 'k1', value: { name: 'again' } },
      { key: 'k2', value: null },
    ])
    await millrace.untilIdle()
    // The log seals its journal once it is idle.
    await new Promise((resolve) => setTimeout(resolve, 250))
    const killed = join(base, 'killed')
    await cp(live, killed, { recursive: true })
    await millrace.close()
    const images: Image[] = []
    for (const [name, directory] of [
      ['killed', killed],
      ['closed', live],
    ] as const) {
      images.push(await readImage(name, directory, join(base, `${name}-read`)))
    }
    return images
  } finally {
    await rm(base, { recursive: true })
  }
}

/** Topics of all kinds of batches: compressed, transactional with aborts, bulk. */
async function writeLogPart(directory: string): Promise<void> {
  const log = await openLog({ directory, clock: STILL_CLOCK, random: seededRandom(3) })
  await log.createTopic('readings', { partitions: 2, config: SMALL })
  await log.createTopic('names', { partitions: 2 })
  await log.createTopic('HIGH', { partitions: 2, config: SMALL })
  await log.createTopic('raw', { partitions: 1, config: SMALL })
  const random = seededRandom(4)
  for (const compression of ['none', 'gzip', 'zstd', 'lz4', 'snappy'] as const) {
    const producer = log.producer({ compression, batchBytesMax: 700 })
    for (let i = 0; i < 40; i++) {
      const value = Buffer.from(`${compression} ${i} `.repeat(1 + random.below(9)))
      void producer.send({
        topic: 'raw',
        key: Buffer.from(`${i}`),
        value,
        timestampMs: NOW_MS - 5000 + random.below(4000),
      })
    }
    await producer.close()
  }
  const bulk = log.producer({ batchBytesMax: 900_000 })
  await bulk.send({
    topic: 'names',
    partition: 0,
    key: Buffer.from('bulk'),
    value: Buffer.from(JSON.stringify({ name: 'x'.repeat(140_000) })),
  })
  await bulk.close()
  const transactional = log.producer({ transactionalId: 'tx' })
  for (let i = 0; i < 6; i++) {
    await transactional.beginTransaction()
    await transactional.send({
      topic: 'raw',
      partition: 0,
      key: null,
      value: Buffer.from(`tx ${i}`),
      timestampMs: NOW_MS,
    })
    await (i % 2 === 0 ? transactional.commitTransaction() : transactional.abortTransaction())
  }
  await transactional.close()
  await writeCleaned(log)
  await log.commitOffsets('readers', [{ topic: 'raw', partition: 0, offset: 17, metadata: 'seventeen' }])
  await log.close()
}

/** A compacted topic that has been cleaned, with gaps between its batches, and one that has lost its start. */
async function writeCleaned(log: Log): Promise<void> {
  const config = { 'segment.bytes': '2500', 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0' }
  await log.createTopic('latest', { partitions: 1, config })
  await log.createTopic('expired', { partitions: 1, config: { 'segment.bytes': '1500' } })
  const random = seededRandom(5)
  const producer = log.producer({ batchBytesMax: 400 })
  for (let i = 0; i < 120; i++) {
    const key = Buffer.from(`k${i % 7 === 0 ? `once ${i}` : random.below(9)}`)
    const value = random.below(9) === 0 ? null : Buffer.from(`value ${i} `.repeat(1 + random.below(6)))
    for (const topic of ['latest', 'expired']) void producer.send({ topic, key, value, timestampMs: NOW_MS })
    if (i % 8 === 0) await producer.flush()
  }
  await producer.close()
  await log.deleteRecords('expired', 0, 70)
  // The first round writes the checkpoint below which the second may clean.
  await (log as EmbeddedLog).maintain()
  await (log as EmbeddedLog).maintain()
}

async function readImage(name: string, directory: string, scratch: string): Promise<Image> {
  const files = new Map<string, Uint8Array>()
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(relative(directory, path), new Uint8Array(await readFile(path)))
  }
  const log = await openLog({ directory: '/data', fileSystem: await simulated(files) })
  const content = await readContent(log, seededRandom(1), TIMES)
  await log.close()
  await writeFiles(scratch, files)
  const millrace = await openPipeline(scratch)
  try {
    await millrace.untilIdle()
    const whole = await readWhole(millrace, seededRandom(1))
    await workOn(millrace)
    await millrace.untilIdle()
    return { name, files, content, whole, nextTables: await readTables(millrace) }
  } finally {
    await millrace.close()
  }
}

/** Whether a file belongs to the log, and is kept through the file-system interface. */
export function isOfLog(path: string): boolean {
  return path !== 'lock' && !path.startsWith('state/')
}

/** The log's files in memory, under `/data`. Copies of it are cheap. */
export async function simulated(files: ReadonlyMap<string, Uint8Array>): Promise<SimulatedFileSystem> {
  const disk = new SimulatedFileSystem()
  const directories = new Set<string>()
  for (const [path, bytes] of files) {
    if (!isOfLog(path)) continue
    const at = join('/data', path)
    if (!directories.has(dirname(at))) await disk.makeDirectory(dirname(at))
    directories.add(dirname(at))
    const file = await disk.open(at, 'create')
    await file.write(bytes, 0)
    await file.sync()
  }
  for (const directory of directories) {
    for (let at = directory; at !== '/'; at = dirname(at)) await disk.syncDirectory(dirname(at))
    await disk.syncDirectory(directory)
  }
  return disk
}

export async function writeFiles(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), bytes)
  }
}
