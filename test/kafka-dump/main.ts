/*
 * Segments we wrote, read by Kafka's own tool: `npm run -s test:kafka-dump [-- --seed N]`.
 *
 * `kafka.tools.DumpLogSegments --deep-iteration` (org.apache.kafka:kafka_2.13, through Maven) and our own
 * readers must say the same of every batch, record and index entry. Without Java or Maven it says so and
 * skips; --break flips a byte first, and must then fail.
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { dumpFile } from './dump-segment.ts'
import { writeSegments } from './write-segments.ts'

const run = promisify(execFile)
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024

/** What the segments must hold for this to say something. */
const FEATURES = [
  'compresscodec: none',
  'compresscodec: gzip',
  'compresscodec: snappy',
  'compresscodec: lz4',
  'compresscodec: zstd',
  ' LogAppendTime: ',
  'endTxnMarker: COMMIT',
  'endTxnMarker: ABORT',
  'isTransactional: true isControl: false',
  ' count: 0 ',
  'deleteHorizonMs: OptionalLong[',
  'headerKeys: [h0,h1]',
  'timestamp: ',
]

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const seedAt = args.indexOf('--seed')
  const seed = seedAt < 0 ? 1 : Number(args[seedAt + 1])
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-dump-'))
  try {
    for (const [tool, argument] of [
      ['java', '-version'],
      ['mvn', '-version'],
    ] as const) {
      if (!(await isThere(tool, argument))) {
        console.log(`kafka-dump: skipped, there is no ${tool === 'java' ? 'Java' : 'Maven'} here`)
        return 0
      }
    }
    const classPath = await kafkaClassPath(directory)
    await writeSegments(join(directory, 'data'), seed)
    const files = await readableFiles(join(directory, 'data', 'topics'), join(directory, 'files'))
    if (args.includes('--break')) await breakOne(files)
    const theirs = await dumpedByKafka(classPath, files)
    let batches = 0
    let records = 0
    let entries = 0
    let different = 0
    const missing = new Set(FEATURES)
    for (const file of files) {
      const ours = await dumpFile(file).catch((error: Error) => [error.message])
      const said = theirs.get(file) ?? []
      for (let i = 0; i < Math.max(ours.length, said.length); i++) {
        if (ours[i] === said[i] && ours[i]?.includes('isvalid: false') !== true) continue
        if (different++ < 5) console.log(`${file}\n  kafka: ${said[i]}\n  ours:  ${ours[i]}`)
      }
      for (const feature of missing) if (ours.some((line) => line.includes(feature))) missing.delete(feature)
      batches += ours.filter((line) => line.startsWith('baseOffset')).length
      records += ours.filter((line) => line.startsWith('|')).length
      if (!file.endsWith('.log')) entries += ours.length
    }
    const segments = files.filter((file) => file.endsWith('.log')).length
    console.log(
      `kafka-dump: ${segments} segments, ${batches} batches, ${records} records, ${entries} index entries, ` +
        `different ${different} (seed ${seed})`,
    )
    if (missing.size > 0) console.log(`kafka-dump: the segments lack ${[...missing].join(', ')}`)
    return different === 0 && missing.size === 0 && records > 0 && entries > 0 ? 0 : 1
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function isThere(tool: string, argument: string): Promise<boolean> {
  return run(tool, [argument]).then(
    () => true,
    () => false,
  )
}

async function kafkaClassPath(directory: string): Promise<string> {
  const file = join(directory, 'class-path')
  const pom = join(import.meta.dirname, 'pom.xml')
  await run('mvn', ['-q', '-B', '-f', pom, 'dependency:build-classpath', `-Dmdep.outputFile=${file}`], {
    maxBuffer: OUTPUT_BYTES_MAX,
  })
  return (await readFile(file, 'utf8')).trim()
}

/**
 * Copies segments and indexes to where Kafka's tool finds what belongs together: it looks for the segment of
 * an index under the base offset alone, so the number of the cleaning goes from the name.
 */
async function readableFiles(topics: string, to: string): Promise<string[]> {
  const files: string[] = []
  for (const topic of (await readdir(topics)).sort()) {
    for (const partition of await readdir(join(topics, topic))) {
      const from = join(topics, topic, partition)
      // As Kafka names it; ids may begin with a minus.
      const target = join(to, `t${topic}-${partition}`)
      await mkdir(target, { recursive: true })
      for (const name of (await readdir(from)).sort()) {
        if (name.endsWith('.indexsum')) continue
        const parts = name.split('.')
        const path = join(target, `${parts[0]}.${parts.at(-1)}`)
        await copyFile(join(from, name), path)
        files.push(path)
      }
    }
  }
  return files
}

async function breakOne(files: readonly string[]): Promise<void> {
  const path = files.find((file) => file.endsWith('.log'))!
  const bytes = await readFile(path)
  bytes[Math.floor(bytes.length / 2)]! ^= 1
  await writeFile(path, bytes)
}

/** What the tool says, line by line, per file. */
async function dumpedByKafka(classPath: string, files: readonly string[]): Promise<Map<string, string[]>> {
  const lines = new Map<string, string[]>()
  const { stdout } = await run(
    'java',
    [
      '-cp',
      classPath,
      'kafka.tools.DumpLogSegments',
      '--deep-iteration',
      '--print-data-log',
      '--files',
      files.join(','),
    ],
    { maxBuffer: OUTPUT_BYTES_MAX },
  ).catch((error: Error & { readonly stderr?: string; readonly stdout?: string }) => {
    // It stops at what it cannot read; what it said so far is compared all the same.
    const reason = error.stderr?.split('\n').find((line) => line.includes('xception')) ?? error.message
    console.log(`kafka-dump: Kafka's tool stopped: ${reason}`)
    return { stdout: error.stdout ?? '' }
  })
  let current: string[] = []
  for (const line of stdout.split('\n')) {
    if (line.startsWith('Dumping ')) {
      current = []
      const path = line.slice('Dumping '.length)
      lines.set(files.find((file) => file === path || basename(file) === path) ?? path, current)
    } else if (line !== '') {
      current.push(line)
    }
  }
  return lines
}
