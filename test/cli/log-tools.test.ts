import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/error-text.ts'
import { program } from '../../src/cli/main.ts'
import { CODECS } from '../../src/log/compression.ts'
import { AT_ATTRIBUTES, CODEC_MASK, readI16 } from '../../src/log/record-batch.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { FakeTerminal } from './fake-terminal.ts'

/** What Kafka's console tools do, by the command line. */

let directory: string
let dataDir: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-tools-'))
  dataDir = join(directory, 'data')
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
  process.exitCode = undefined
})

const open = (): Promise<Millrace> => Millrace.open({ dataDirectory: dataDir, durability: 'os' })

/** Runs a command line against the data directory; `{}` stands for an argument of its own. */
async function millrace(line: string, ...args: string[]) {
  const terminal = new FakeTerminal()
  const words = line
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => (word === '{}' ? args.shift()! : word))
  await program(() => ({
    terminal,
    stop: new AbortController().signal,
    open: (options) => Millrace.open({ ...options, durability: 'os' }),
  })).parseAsync(['node', 'millrace', ...words, '--data-dir', dataDir])
  const code = Number(process.exitCode ?? 0)
  process.exitCode = undefined
  return { code, output: terminal.output, errors: terminal.errors }
}

async function file(text: string, name = 'input'): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

/** Lines of a topic, as given by `--print`. */
const lines = async (options: string, topic = 't'): Promise<string[]> =>
  (await millrace(`consume ${topic} --from-beginning ${options}`)).output.split('\n').slice(0, -1)

describe('produce', () => {
  test('lines of text: values; key and value; headers, key and value; null', async () => {
    await millrace('produce t --format text --file {}', await file('plain\n\n a line \n'))
    await millrace(
      'produce t --format text --key-separator {} --null-marker NULL --file {}',
      ':',
      await file('k:v:w\nk:NULL\nNULL:v\n:v\n'),
    )
    await millrace(
      'produce t --format text --headers --key-separator {} --header {} --file {}',
      '\\t',
      'all=x',
      await file('a:1,b:2\tk\tv\n\tk\tw\n'),
    )
    expect(await lines('--print headers,key,value --null-marker ~')).toEqual([
      '\t~\tplain',
      '\t~\t',
      '\t~\t a line ',
      '\tk\tv:w',
      '\tk\t~',
      '\t~\tv',
      '\t\tv',
      'all:x,a:1,b:2\tk\tv',
      'all:x\tk\tw',
    ])
  })

  test('a line without its separator is named; what came before it is written', async () => {
    const { code, errors } = await millrace(
      'produce t --format text --key-separator = --file {}',
      await file('a=1\nb\n'),
    )
    expect(code).toBe(EXIT.failed)
    expect(errors).toContain('Line 2 has no "=" after its key.')
    expect(errors).toContain('1 record before it was written to t.')
  })

  test('what consume --json writes is read back as it was: a copy of a topic', async () => {
    const db = await open()
    await db.createTopic('t', { partitions: 3 })
    await db.produce('t', [
      { key: new Uint8Array([0xff, 0]), value: 'x', timestampMs: 5, partition: 2 },
      { key: 'k', value: null, timestampMs: 6, partition: 0, headers: [{ key: 'h', value: null }] },
      { key: null, value: 'é "quoted"', timestampMs: 7, partition: 1 },
    ])
    await db.close()
    const copied = await file((await millrace('consume t --from-beginning --json')).output)
    await millrace('produce copy --partitions 3 --format records --file {}', copied)
    const sorted = async (topic: string) => (await lines('--json', topic)).toSorted()
    expect((await sorted('copy')).map((line) => line.replace('"copy"', '"t"'))).toEqual(await sorted('t'))
    // Where there are fewer partitions, they go by their keys.
    expect((await millrace('produce one --format records --file {}', copied)).code).toBe(EXIT.done)
    expect(await lines('--json', 'one')).toHaveLength(3)
  })

  test('numbers keep all their digits, as keys too', async () => {
    const big = '12345678901234567890'
    await millrace(
      'produce t --key id --file {}',
      await file(`{"id":${big},"v":0.1234567890123456789}\n{"id":[${big},1],"v":1}\n`),
    )
    expect(await lines('--print key,value')).toEqual([
      `${big}\t{"id":${big},"v":0.1234567890123456789}`,
      `[${big},1]\t{"id":[${big},1],"v":1}`,
    ])
  })

  test('compression, acks and partition', async () => {
    await millrace('topics create t --partitions 3')
    const input = await file('x'.repeat(500))
    for (const [i, [codec, acks]] of [
      ['gzip', '0'],
      ['snappy', '1'],
      ['lz4', 'all'],
    ].entries()) {
      const { output } = await millrace(
        `produce t --format text --partition ${i} --compression ${codec} --acks ${acks} --file {}`,
        input,
      )
      expect(output).toBe('Wrote 1 record to topic t (3 partitions).\n')
    }
    const db = await open()
    for (const [partition, codec] of ['gzip', 'snappy', 'lz4'].entries()) {
      const { bytes } = await db.log.read('t', partition, 0, 1)
      expect(CODECS[readI16(bytes, AT_ATTRIBUTES) & CODEC_MASK]).toBe(codec)
    }
    await db.close()
  })

  test('options that do not go together say which does', async () => {
    const input = await file('x')
    for (const [options, hint] of [
      ['--key-separator :', '--format text'],
      ['--format text --key id', '--key-separator'],
      ['--format records --timestamp at', 'bring their own'],
    ]) {
      const { code, errors } = await millrace(`produce t ${options} --file {}`, input)
      expect(code).toBe(EXIT.failed)
      expect(errors).toContain(hint)
    }
    expect((await millrace('topics')).output).not.toContain('t ')
  })
})

describe('consume', () => {
  beforeEach(async () => {
    const db = await open()
    await db.createTopic('t', { partitions: 2 })
    for (let i = 0; i < 6; i++) {
      await db.produce('t', [{ key: `k${i}`, value: `v${i}`, timestampMs: 1000 * i, partition: i % 2 }])
    }
    await db.close()
  })

  const values = async (options: string): Promise<string> =>
    (await millrace(`consume t --print value ${options}`)).output.trim().replaceAll('\n', ' ')

  test('from a partition, an offset, a time', async () => {
    expect(await values('--from-beginning --partition 1')).toBe('v1 v3 v5')
    expect(await values('--partition 1 --offset 1')).toBe('v3 v5')
    expect(await values('--partition 0 --offset earliest --max 2')).toBe('v0 v2')
    expect(await values('--partition 0 --offset latest')).toBe('')
    expect(await values('--partition 0 --from-time 3000')).toBe('v4')
    expect(await values('--partition 1 --from-time 1970-01-01T00:00:03Z')).toBe('v3 v5')
    expect(await values('--from-beginning --partition 0 --partition 1 --max 6')).toHaveLength(17)
  })

  test('as a group: it goes on where it was, and shows nothing twice', async () => {
    expect(await values('--group g')).toBe('')
    expect((await millrace('groups describe g --json')).output).toContain('"committed":3,"end":3,"lag":0')
    expect(await values('--group h --from-beginning --max 4')).toHaveLength(11)
    expect(await values('--group h --from-beginning')).toHaveLength(5)
    expect(await values('--group h')).toBe('')
    const db = await open()
    await db.produce('t', [{ value: 'new' }])
    await db.close()
    expect(await values('--group g')).toBe('new')
    expect(await values('--group h --timeout 50')).toBe('new')
  })

  test('--timeout waits, then ends', async () => {
    expect(await values('--from-beginning --partition 0 --timeout 50')).toBe('v0 v2 v4')
    expect(await values('--timeout 20')).toBe('')
  })

  test('aborted and open transactions are for those who ask', async () => {
    const db = await open()
    const producer = db.log.producer({ transactionalId: 'x' })
    const send = (value: string) =>
      producer.send({ topic: 't', partition: 0, key: null, value: Buffer.from(value) })
    await producer.beginTransaction()
    await send('aborted')
    await producer.abortTransaction()
    await producer.beginTransaction()
    await send('open')
    await db.close()
    expect(await values('--partition 0 --offset 3')).toBe('')
    expect(await values('--partition 0 --offset 3 --isolation read_uncommitted')).toBe('aborted open')
  })

  test('the fields of a line are chosen, with what stands between them', async () => {
    const { output } = await millrace(
      'consume t --partition 0 --offset 2 --print partition,offset,timestamp,key,value --separator {}',
      ' | ',
    )
    expect(output).toBe('0 | 2 | 4000 | k4 | v4\n')
  })

  test('keys and values are read by their format', async () => {
    const db = await open()
    const bigint = Buffer.alloc(8)
    bigint.writeBigInt64BE(-12345678901234567n)
    const double = Buffer.alloc(8)
    double.writeDoubleBE(2.5)
    await db.createTopic('n', { partitions: 1 })
    await db.produce('n', [{ key: bigint, value: double }])
    await db.sql(`
      CREATE STREAM s (Id STRING KEY, "reading" STRUCT<"Celsius" DOUBLE>, "at" BIGINT) WITH
        (kafka_topic = 's', key_format = 'AVRO', value_format = 'PROTOBUF', partitions = 1);
      INSERT INTO s VALUES ('a', STRUCT("Celsius" := 21.5), 9007199254740993);
      CREATE STREAM j (v INT) WITH (kafka_topic = 'j', value_format = 'JSON_SR', partitions = 1);
      INSERT INTO j VALUES (7);`)
    await db.untilIdle()
    await db.close()
    const [n] = await lines('--print key,value --key-format bigint --value-format double', 'n')
    expect(n).toBe('-12345678901234567\t2.5')
    expect(await lines('--print key --key-format hex', 'n')).toEqual([`"${bigint.toString('hex')}"`])
    const record = '{"reading":{"Celsius":21.5},"at":9007199254740993}'
    expect(await lines('--print key,value', 's')).toEqual([`"a"\t${record}`])
    const [json] = await lines('--json --key-format avro --value-format protobuf', 's')
    expect(json).toContain(`"key":"a","value":${record}`)
    expect(await lines('--print value', 'j')).toEqual(['{"V":7}'])
    const wrong = await millrace('consume s --from-beginning --value-format avro')
    expect(wrong.code).toBe(EXIT.failed)
    expect(wrong.errors).toContain('they are of PROTOBUF')
  })

  test('options that do not go together are refused', async () => {
    for (const [options, reason] of [
      ['--from-beginning --offset 3', 'one place only'],
      ['--group g --partition 0', 'its own places'],
      ['--offset soon', "'soon' is not an offset"],
      ['--from-time soon', "'soon' is not a time"],
      ['--partition 7', 'no partition 7'],
    ]) {
      const { code, errors } = await millrace(`consume t ${options}`)
      expect(errors, options).toContain(reason)
      expect(code, options).toBe(EXIT.failed)
    }
  })
})

describe('topics', () => {
  beforeEach(async () => {
    const db = await open()
    await db.createTopic('t', { partitions: 2 })
    for (const timestampMs of [3000, 9000, 5000]) {
      await db.produce('t', [{ value: 'v', timestampMs, partition: 0 }])
    }
    await db.close()
  })

  const offsets = async (options: string): Promise<(number | null)[]> =>
    (await millrace(`topics offsets ${options} --json`)).output
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { offset: number | null }).offset)

  test('offsets: earliest, latest, newest, by time, of all or of one', async () => {
    // Beside it, the processing log.
    expect((await offsets('')).slice(-2)).toEqual([3, 0])
    expect(await offsets('t --time earliest')).toEqual([0, 0])
    expect(await offsets('t:0 --time newest')).toEqual([1])
    expect(await offsets('t --time newest')).toEqual([1, null])
    expect(await offsets('t:0 --time 4000')).toEqual([1])
    expect(await offsets('t:0 --time 1970-01-01T00:00:10Z')).toEqual([null])
    expect((await millrace('topics offsets u')).errors).toContain('There is no topic u.')
    expect((await millrace('topics offsets t --time never')).errors).toContain("'never' is not a time.")
  })

  test('delete-records moves the log start', async () => {
    expect((await millrace('topics delete-records t --before 0:1 --json')).output).toBe(
      '{"partition":0,"log_start":1}\n',
    )
    expect(await offsets('t --time earliest')).toEqual([1, 0])
    await millrace('topics delete-records t --before-time 4000')
    expect(await offsets('t --time earliest')).toEqual([1, 0])
    await millrace('topics delete-records t --before 0:end')
    expect(await offsets('t --time earliest')).toEqual([3, 0])
    for (const [options, reason] of [
      ['', 'No records of topic t are named.'],
      ['--before 1', 'does not say before which offset'],
      ['--before 0:4', 'cannot be deleted'],
      ['--before 5:0', 'no partition 5'],
    ] as const) {
      expect((await millrace(`topics delete-records t ${options}`.trim())).errors).toContain(reason)
    }
    expect((await millrace('topics delete-records _millrace-definitions --before 0:0')).errors).toContain(
      "Millrace's own",
    )
  })

  test('create --if-not-exists and delete --if-exists do not mind', async () => {
    expect(await millrace('topics create t --if-not-exists')).toMatchObject({
      code: EXIT.done,
      output: 'Topic t exists already.\n',
    })
    expect((await millrace('topics create u --if-not-exists')).output).toContain('Created topic u')
    expect((await millrace('topics delete nothing --if-exists')).code).toBe(EXIT.done)
    expect((await millrace('topics delete u --if-exists')).output).toBe('Deleted topic u.\n')
  })
})

describe('groups', () => {
  beforeEach(async () => {
    const db = await open()
    await db.createTopic('t', { partitions: 2 })
    const now = Date.now()
    for (let i = 0; i < 4; i++) {
      await db.produce('t', [{ value: `${i}`, partition: 0, timestampMs: now - (4 - i) * 3_600_000 }])
    }
    await db.log.commitOffsets('g', [
      { topic: 't', partition: 0, offset: 1 },
      { topic: 't', partition: 1, offset: 0 },
    ])
    await db.close()
  })

  const resetTo = async (how: string, ...args: string[]): Promise<unknown[]> =>
    (await millrace(`groups reset g --json ${how}`, ...args)).output
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { new_offset: number }).new_offset)

  test('reset by duration, to current, from a file', async () => {
    expect(await resetTo('--by-duration PT2H30M')).toEqual([2, 0])
    expect(await resetTo('--by-duration P1D')).toEqual([0, 0])
    expect(await resetTo('--to-current')).toEqual([1, 0])
    expect(await resetTo('--from-file {}', await file('t,0,3\n'))).toEqual([3])
    expect((await millrace('groups reset g --by-duration soon')).errors).toContain(
      "'soon' is not a duration.",
    )
    const bad = await millrace('groups reset g --from-file {}', await file('t,0,3\nt;1\n'))
    expect(bad.errors).toContain('Line 2 of')
    await millrace('groups reset g --from-file {} --execute', await file('"t",0,3\nt,1,0\n'))
    expect((await millrace('groups describe g --json')).output).toContain('"committed":3,"end":4,"lag":1')
  })

  test('describe counts what expired unread; --members shows who is in it', async () => {
    await millrace('topics delete-records t --before 0:3')
    const { output } = await millrace('groups describe g')
    expect(output).toContain('Group g: empty\n')
    expect(output).toContain('2 records expired or were deleted before the group read them.\n')
    expect((await millrace('groups describe g --json')).output).toContain(
      '"committed":1,"end":4,"lag":1,"expired":2',
    )
    expect((await millrace('groups describe g --members')).output).toContain('(0 rows)')
  })

  test('delete-offsets forgets those of a topic or partition', async () => {
    expect((await millrace('groups delete-offsets g --topic t:1')).output).toBe(
      'Deleted 1 offset of group g.\n',
    )
    expect((await millrace('groups describe g --json')).output).not.toContain('"partition":1')
    expect((await millrace('groups delete-offsets g --topic t:1')).errors).toContain(
      'no committed offsets there',
    )
    await millrace('groups delete-offsets g --topic t')
    expect((await millrace('groups --json')).output).toBe('')
  })
})

test('transactions: what is open is listed, described and aborted', async () => {
  const db = await open()
  await db.createTopic('t', { partitions: 2 })
  const producer = db.log.producer({ transactionalId: 'x', transactionTimeoutMs: 60_000 })
  await producer.beginTransaction()
  await producer.send({ topic: 't', partition: 1, key: null, value: Buffer.from('v') })
  await producer.sendOffsets('g', [{ topic: 't', partition: 0, offset: 0 }])
  await db.close()
  expect((await millrace('transactions --json')).output).toContain(
    '{"transactional_id":"x","producer_id":0,"epoch":0,"state":"open",',
  )
  expect((await millrace('transactions describe x --json')).output).toBe(
    '{"topic":"t","partition":1,"first_offset":0,"group":null,"offset":null}\n' +
      '{"topic":"t","partition":0,"first_offset":null,"group":"g","offset":0}\n',
  )
  expect((await millrace('transactions abort x')).output).toContain('Aborted the transaction of x.')
  expect((await millrace('transactions abort x')).output).toContain('nothing open')
  expect((await millrace('transactions describe x')).output).toContain('nothing open')
  expect((await millrace('transactions --json')).output).toContain('"state":"empty"')
  expect((await millrace('transactions abort y')).errors).toContain('There is no transactional id y.')
  expect((await millrace('topics offsets t:1 --json')).output).toContain('"offset":2')
  expect(await lines('--print value')).toEqual([])
})

test('help says nothing of options that were not given', () => {
  const { commands } = program(() => {
    throw new Error('not run')
  })
  const all = commands.flatMap((command) => [command, ...command.commands])
  expect(all.length).toBeGreaterThan(20)
  for (const command of all) expect(command.helpInformation()).not.toContain('[])')
})
