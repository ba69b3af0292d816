import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/error-text.ts'
import { program } from '../../src/cli/main.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { FakeTerminal } from './fake-terminal.ts'

let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
})

afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true })
  process.exitCode = undefined
})

const open = (): Promise<Millrace> => Millrace.open({ dataDirectory: dataDir, durability: 'os' })

/** Runs a command line against the data directory. */
async function millrace(line: string): Promise<{ code: number; output: string; errors: string }> {
  const terminal = new FakeTerminal()
  await program(() => ({
    terminal,
    stop: new AbortController().signal,
    open: (options) => Millrace.open({ ...options, durability: 'os' }),
  })).parseAsync(['node', 'millrace', ...line.split(' '), '--data-dir', dataDir])
  const code = Number(process.exitCode ?? 0)
  process.exitCode = undefined
  return { code, output: terminal.output, errors: terminal.errors }
}

describe('topics', () => {
  test('create, describe, alter, add partitions, delete', async () => {
    expect(await millrace('topics create t --partitions 2 --config retention.ms=1000')).toEqual({
      code: EXIT.done,
      output: 'Created topic t (2 partitions).\n',
      errors: '',
    })
    expect((await millrace('topics describe t --json')).output).toBe(
      '{"partition":0,"log_start":0,"end":0,"stable_end":0}\n' +
        '{"partition":1,"log_start":0,"end":0,"stable_end":0}\n' +
        '{"setting":"retention.ms","value":"1000","is_default":false}\n',
    )
    await millrace('topics alter t --config cleanup.policy=compact --reset retention.ms')
    const { output } = await millrace('topics describe t --all')
    expect(output).toMatch(/cleanup\.policy +compact +false/)
    expect(output).toMatch(/retention\.ms +-1 +true/)
    expect((await millrace('topics add-partitions t 3')).output).toContain('Topic t has 3 partitions now.')
    expect((await millrace('topics --json')).output).toContain('{"topic":"t","partitions":3,"records":0}\n')
    expect((await millrace('topics delete t')).output).toBe('Deleted topic t.\n')
    expect((await millrace('topics --json')).output).not.toContain('"t"')
  })

  test('what cannot be done is refused, and says why', async () => {
    await millrace('topics create t')
    for (const [line, reason] of [
      ['topics create t', 'exists already'],
      ['topics create u --config no.such=1', "there is no topic setting 'no.such'"],
      ['topics alter t --config retention.ms=long', "'long' is not a value for retention.ms"],
      ['topics alter t', 'Nothing is to be altered'],
      ['topics add-partitions t 1', 'cannot get 1'],
      ['topics describe u', 'There is no topic u.'],
      ['topics delete u', 'There is no topic u.'],
      ['topics delete _millrace-definitions', "Millrace's own"],
    ] as const) {
      const { code, errors } = await millrace(line)
      expect(errors, line).toContain(reason)
      expect(code, line).not.toBe(EXIT.done)
    }
  })

  test('a topic that a stream reads is neither deleted nor grown', async () => {
    const db = await open()
    await db.sql(
      "CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic = 't', value_format = 'JSON', partitions = 1);",
    )
    await db.close()
    for (const line of ['topics delete t', 'topics add-partitions t 2']) {
      expect((await millrace(line)).errors).toContain('it holds the records of stream S')
    }
  })
})

describe('groups', () => {
  beforeEach(async () => {
    const db = await open()
    await db.createTopic('t', { partitions: 2 })
    const producer = db.log.producer()
    for (let i = 0; i < 5; i++) {
      await producer.send({
        topic: 't',
        partition: 0,
        key: null,
        value: Buffer.from(`${i}`),
        timestampMs: i * 1000,
      })
    }
    const consumer = db.log.consumer({ group: 'g', offsetReset: 'earliest', maxPollRecords: 2 })
    consumer.subscribe(['t'])
    while ((await consumer.poll()).length === 0);
    await consumer.close()
    await db.close()
  })

  test('list and describe show lag', async () => {
    expect((await millrace('groups --json')).output).toBe(
      '{"group":"g","state":"empty","members":0,"query":null,"topics":"t","lag":3}\n',
    )
    expect((await millrace('groups describe g --json')).output).toBe(
      '{"topic":"t","partition":0,"committed":2,"end":5,"lag":3,"expired":0,"member":null}\n',
    )
    expect((await millrace('groups describe nobody')).errors).toContain('There is no group nobody.')
  })

  test('reset shows what it would do, and does it when told to', async () => {
    const resetTo = async (how: string): Promise<number> => {
      const { output } = await millrace(`groups reset g --json ${how}`)
      return (JSON.parse(output) as { new_offset: number }).new_offset
    }
    expect(await resetTo('--to-earliest')).toBe(0)
    expect(await resetTo('--to-latest')).toBe(5)
    expect(await resetTo('--to-offset 4')).toBe(4)
    expect(await resetTo('--to-offset 400')).toBe(5)
    expect(await resetTo('--shift-by -1')).toBe(1)
    expect(await resetTo('--to-time 2500')).toBe(3)
    expect(await resetTo('--to-time 1970-01-01T00:00:01Z')).toBe(1)
    const shown = await millrace('groups reset g --to-earliest')
    expect(shown.output).toContain('Nothing was changed. Add --execute to do it.')
    expect((await millrace('groups --json')).output).toContain('"lag":3')
    await millrace('groups reset g --to-earliest --execute')
    expect((await millrace('groups --json')).output).toContain('"lag":5')
    await millrace('groups reset new --topic t:1 --to-latest --execute')
    expect((await millrace('groups describe new --json')).output).toContain('"partition":1,"committed":0')
    for (const [how, reason] of [
      ['', 'A reset needs one target, and has 0.'],
      ['--to-latest --to-earliest', 'has 2'],
      ['--to-time soon', "'soon' is not a time."],
      ['--to-latest --topic no', 'There is no topic no.'],
      ['--to-latest --topic t:7', 'has no partition 7'],
    ] as const) {
      expect((await millrace(`groups reset g ${how}`.trim())).errors).toContain(reason)
    }
  })

  test('delete forgets its offsets', async () => {
    expect((await millrace('groups delete g')).output).toBe('Deleted group g.\n')
    expect((await millrace('groups --json')).output).toBe('')
  })

  test("a query's own group is shown, and not touched", async () => {
    const db = await open()
    await db.sql(
      "CREATE STREAM s (v INT) WITH (kafka_topic = 't', value_format = 'JSON'); CREATE STREAM out AS SELECT * FROM s EMIT CHANGES;",
    )
    await db.untilIdle()
    const query = db.queries()[0]!.id
    await db.close()
    const { output } = await millrace('groups --json')
    expect(output).toContain(`"query":"${query}"`)
    const group = `_millrace-query-${query}`
    for (const line of [`groups reset ${group} --to-earliest --execute`, `groups delete ${group}`]) {
      expect((await millrace(line)).errors).toContain(`belong to the state of query ${query}`)
    }
  })
})
