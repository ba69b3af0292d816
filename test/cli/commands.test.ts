import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CommandContext } from '../../src/cli/command-context.ts'
import { consumeCommand } from '../../src/cli/command-consume.ts'
import { produceCommand } from '../../src/cli/command-produce.ts'
import { runCommand } from '../../src/cli/command-run.ts'
import { sqlCommand } from '../../src/cli/command-sql.ts'
import { topicsCommand } from '../../src/cli/command-topics.ts'
import { EXIT } from '../../src/cli/error-text.ts'
import { program } from '../../src/cli/main.ts'
import { runShell } from '../../src/cli/shell.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { FakeTerminal } from './fake-terminal.ts'

let directory: string
let dataDir: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
  dataDir = join(directory, 'data')
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** Runs a command as the command line would. */
async function run(
  command: (context: CommandContext) => Promise<number>,
  stop = new AbortController().signal,
) {
  const terminal = new FakeTerminal()
  const code = await command({
    terminal,
    stop,
    open: (options) => Millrace.open({ ...options, durability: 'os' }),
  })
  return { code, output: terminal.output, errors: terminal.errors }
}

const sql = (execute: string, json = false) =>
  run((context) => sqlCommand(context, { dataDir, execute, json }))

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

const CSV = 'id,speed,at\nV001,45,1000\nV002,60.5,2000\nV001,50,3000\nV003,,4000\n'

async function produced(): Promise<void> {
  const input = await file('input.csv', CSV)
  const { code, output } = await run((context) =>
    produceCommand(context, 'vehicle.telemetry', {
      dataDir,
      file: input,
      key: 'id',
      timestamp: 'at',
      partitions: 2,
    }),
  )
  expect({ code, output }).toEqual({
    code: EXIT.done,
    output: 'Wrote 4 records to topic vehicle.telemetry (2 partitions).\n',
  })
}

const STREAM =
  "CREATE STREAM telemetry (id STRING KEY, speed DOUBLE) WITH (kafka_topic = 'vehicle.telemetry', value_format = 'JSON');"

describe('produce, consume, topics', () => {
  test('what is produced is consumed', async () => {
    await produced()
    const { code, output } = await run((context) =>
      consumeCommand(context, 'vehicle.telemetry', { dataDir, fromBeginning: true, json: true }),
    )
    const records = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(code).toBe(EXIT.done)
    expect(records.toSorted((a, b) => Number(a['timestamp']) - Number(b['timestamp']))).toMatchObject([
      {
        topic: 'vehicle.telemetry',
        key: 'V001',
        timestamp: 1000,
        value: '{"id":"V001","speed":45,"at":1000}',
        headers: [],
      },
      { key: 'V002', timestamp: 2000, value: '{"id":"V002","speed":60.5,"at":2000}' },
      { key: 'V001', timestamp: 3000 },
      { key: 'V003', timestamp: 4000, value: '{"id":"V003","speed":null,"at":4000}' },
    ])
    const topics = await run((context) => topicsCommand(context, { dataDir, json: true }))
    expect(topics.output).toContain('{"topic":"vehicle.telemetry","partitions":2,"records":4}\n')
  })

  test('--max ends early, and reading from the end says so', async () => {
    await produced()
    const two = await run((context) =>
      consumeCommand(context, 'vehicle.telemetry', { dataDir, fromBeginning: true, max: 2 }),
    )
    expect(two.output.trim().split('\n')).toHaveLength(2)
    const none = await run((context) => consumeCommand(context, 'vehicle.telemetry', { dataDir }))
    expect(none).toMatchObject({ code: EXIT.done, output: '' })
    expect(none.errors).toContain('--from-beginning')
  })

  test('an unknown topic is one sentence', async () => {
    const { code, errors } = await run((context) => consumeCommand(context, 'nothing', { dataDir }))
    expect(code).toBe(EXIT.failed)
    expect(errors).toMatch(/^error: .*nothing.*\n/)
  })

  test('a bad line names its place and tells what was written', async () => {
    const input = await file('input.csv', 'id,at\nV1,1\nV2,soon\n')
    const { code, errors } = await run((context) =>
      produceCommand(context, 't', { dataDir, file: input, timestamp: 'at' }),
    )
    expect(code).toBe(EXIT.failed)
    expect(errors).toBe(
      'error: Line 3: the column "at" holds "soon", which is no time.\n  hint: Times are epoch milliseconds or ISO 8601.\n1 record before it was written to t.\n',
    )
  })
})

describe('sql -e', () => {
  test('rows stand under their columns; the last ";" may be left out', async () => {
    await produced()
    const { code, output, errors } = await sql(`${STREAM} SELECT id, speed FROM telemetry WHERE speed > 55`)
    expect({ code, errors }).toEqual({ code: EXIT.done, errors: '' })
    expect(output).toContain('ID    SPEED\nV002   60.5\n(1 row)\n')
  })

  test('variables of -d may stand before an end without ";"', async () => {
    await produced()
    await sql(STREAM)
    const answer = (execute: string) =>
      run((context) => sqlCommand(context, { dataDir, execute, define: ['low=50', 'id=V002'] }))
    const query = 'SELECT id FROM telemetry WHERE speed > '
    expect(await answer(query + '${low}')).toMatchObject({ code: EXIT.done, output: 'ID\nV002\n(1 row)\n' })
    expect(await answer(query + "0 AND id = '${id}'")).toMatchObject({ output: 'ID\nV002\n(1 row)\n' })
  })

  test('--json is one object per row and nothing else', async () => {
    await produced()
    const { output } = await sql(
      `SET 'auto.offset.reset' = 'earliest'; ${STREAM} SELECT * FROM telemetry WHERE id = 'V001' EMIT CHANGES LIMIT 2;`,
      true,
    )
    expect(output).toBe('{"ID":"V001","SPEED":45.0}\n{"ID":"V001","SPEED":50.0}\n')
  })

  test('a syntax error anywhere runs nothing', async () => {
    const { code, output, errors } = await sql('SHOW STREAMS;\nSHOW TABLS;\nSHOW TOPCS;')
    expect({ code, output }).toEqual({ code: EXIT.failed, output: '' })
    expect(errors).toContain('  2 | SHOW TABLS;\n    |      ^^^^^\n')
    expect(errors).toContain('  3 | SHOW TOPCS;\n')
  })

  test('a missing ";" at the end is not told of beside another error', async () => {
    const { errors } = await sql('CREATE STREAM s (id STRING KEY v INT)')
    expect(errors.match(/^error:/gm)).toHaveLength(1)
    expect((await sql('SELECT id FROM')).errors).toContain('error:')
  })

  test('a refused statement ends the rest, with its place in the whole text', async () => {
    const { code, output, errors } = await sql('SHOW TABLES;\n SELECT * FROM nothing;\nSHOW STREAMS;')
    expect(code).toBe(EXIT.failed)
    expect(output).not.toContain('FLEET')
    expect(errors).toContain('  2 |  SELECT * FROM nothing;\n    |                ^^^^^^^\n')
  })

  test('what a query could not use is told once, with where to look', async () => {
    const input = await file(
      'input.ndjson',
      '{"id":"a","speed":1}\n{"id":"b","speed":{}}\n{"id":"c","speed":[]}\n{"id":"d","speed":2}\n',
    )
    await run((context) => produceCommand(context, 'vehicle.telemetry', { dataDir, file: input, key: 'id' }))
    const { output, errors } = await sql(
      `SET 'auto.offset.reset' = 'earliest'; ${STREAM} SELECT id, speed FROM telemetry EMIT CHANGES LIMIT 2;`,
      true,
    )
    expect(output).toBe('{"ID":"a","SPEED":1.0}\n{"ID":"d","SPEED":2.0}\n')
    expect(errors).toMatch(
      /^note: Query transient_\d+ met several things it could not use\. The value of the record at topic vehicle\.telemetry, partition 0, offset 1 cannot be read: .*\.\n$/,
    )
  })

  test('a dropped row is told of in words, with where the counts are', async () => {
    const { errors } = await sql(
      `CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
       CREATE TABLE t AS SELECT id, SUM(v) AS v FROM s GROUP BY id;
       INSERT INTO s (v) VALUES (3); SELECT * FROM t;`,
    )
    expect(errors).toBe(
      'note: Query CTAS_T_0 met something it could not use. A row was dropped: its key is null. EXPLAIN CTAS_T_0; has the counts.\n',
    )
  })

  test('a locked directory is refused with a code of its own', async () => {
    const other = await Millrace.open({ dataDirectory: dataDir })
    try {
      const { code, errors } = await sql('SHOW STREAMS;')
      expect(code).toBe(EXIT.storage)
      expect(errors.split('\n')[0]).toMatch(/^error: /)
    } finally {
      await other.close()
    }
  })
})

test('RUN SCRIPT runs a file, within another too; its errors name the file, and nothing follows them', async () => {
  const inner = await file('inner.sql', "INSERT INTO s VALUES ('a');\nSELECT nope FROM s;\n")
  const outer = await file('outer.sql', `RUN SCRIPT '${inner}';\nSHOW TYPES;`)
  const { code, output, errors } = await sql(
    `CREATE STREAM s (a STRING) WITH (KAFKA_TOPIC = 's', PARTITIONS = 1, VALUE_FORMAT = 'JSON'); RUN SCRIPT '${outer}'`,
  )
  expect(code).toBe(EXIT.failed)
  expect(output).toBe('Stream S created.\n1 row inserted into S.\n')
  expect(errors).toContain(`${inner}: error: The SELECT column nope does not exist in stream S.`)
  expect(errors).toContain('  2 | SELECT nope FROM s;')
})

test('a script that runs itself ends', async () => {
  const path = join(directory, 'loop.sql')
  await file('loop.sql', `RUN SCRIPT '${path}';`)
  const { code, errors } = await sql(`RUN SCRIPT '${path}';`)
  expect(code).toBe(EXIT.failed)
  expect(errors).toContain('is run by 16 scripts within each other.')
  expect((await sql("RUN SCRIPT 'nowhere.sql';")).errors).toContain('There is no file nowhere.sql.')
})

describe('run', () => {
  test('--until-idle ends when all is done, and going on doubles nothing', async () => {
    await produced()
    const script = await file(
      'a.sql',
      `SET 'auto.offset.reset' = 'earliest';\n${STREAM}\nCREATE STREAM fast AS SELECT * FROM telemetry WHERE speed > 47;\n` +
        "CREATE STREAM copy (id STRING KEY, speed DOUBLE) WITH (kafka_topic = 'copy', value_format = 'JSON', partitions = 2);\n" +
        'INSERT INTO copy SELECT * FROM fast;\n',
    )
    for (let time = 0; time < 2; time++) {
      const { code, errors } = await run((context) =>
        runCommand(context, [script], { dataDir, untilIdle: true }),
      )
      expect({ code, errors }).toEqual({
        code: EXIT.done,
        errors: time === 0 ? '' : '4 statements were passed over: what they make is there already.\n',
      })
      const { output } = await sql('SELECT id, speed FROM copy;', true)
      expect(output.trim().split('\n').toSorted()).toEqual([
        '{"ID":"V001","SPEED":50.0}',
        '{"ID":"V002","SPEED":60.5}',
      ])
    }
  })

  test('it goes on until it is stopped', async () => {
    const script = await file('a.sql', STREAM.replace("kafka_topic = '", "partitions = 1, kafka_topic = '"))
    const stop = new AbortController()
    const running = run((context) => runCommand(context, [script], { dataDir }), stop.signal)
    setTimeout(() => stop.abort(), 300)
    expect(await running).toMatchObject({ code: EXIT.done })
  })

  test('a missing file is wrong usage, an error names file and line', async () => {
    expect(await run((context) => runCommand(context, ['missing.sql'], { dataDir }))).toMatchObject({
      code: EXIT.usage,
    })
    const script = await file('a.sql', 'SHOW STREAMS;\n\nDROP STREAM nothing;\n')
    const { code, errors } = await run((context) =>
      runCommand(context, [script], { dataDir, untilIdle: true }),
    )
    expect(code).toBe(EXIT.failed)
    expect(errors).toContain(`${script}: error: `)
    expect(errors).toContain('  3 | DROP STREAM nothing;\n')
  })
})

describe('the shell', () => {
  async function shell(lines: readonly string[]): Promise<FakeTerminal> {
    const terminal = new FakeTerminal()
    const input = new PassThrough()
    const millrace = await Millrace.open({})
    try {
      const ended = runShell(millrace, terminal, {
        json: false,
        input,
        output: new PassThrough(),
        historyFile: null,
      })
      for (const line of lines) {
        input.write(`${line}\n`)
        await sleep(20)
      }
      input.write('exit\n')
      expect(await ended).toBe(EXIT.done)
    } finally {
      await millrace.close()
    }
    return terminal
  }

  test('statements go over lines; several may stand on one', async () => {
    const { output, errors } = await shell(['SHOW', '  TYPES', '; SHOW VARIABLES;', "DEFINE v = 'x';"])
    expect(errors).toBe('')
    expect(output.match(/\(0 rows\)/g)).toHaveLength(2)
  })

  test('an error leaves the shell running', async () => {
    const { output, errors } = await shell(['SELECT * FROM', 'nothing;', 'SHOW TYPS;', 'SHOW TYPES;'])
    expect(errors).toContain('  2 | nothing;\n')
    expect(errors).toContain('hint: Did you mean TYPES?')
    expect(output).toContain('(0 rows)')
  })

  test('commands of its own', async () => {
    const { output, errors } = await shell(['\\d', '\\x', '\\timing', '\\nope', 'help', 'history'])
    expect(output).toContain('Expanded rows are on.')
    expect(output).toContain('Timing is on.')
    expect(output).toContain('\\timing')
    expect(errors).toBe('There is no command \\nope; \\? lists them.\n')
  })

  test('a script is run by \\i and by RUN SCRIPT', async () => {
    const script = await file('a.sql', 'CREATE TYPE a AS INT;\nSHOW TYPES;\n')
    const { output, errors } = await shell([
      `\\i ${script}`,
      `RUN SCRIPT '${join(directory, 'missing.sql')}';`,
      'DROP TYPE a;',
    ])
    expect(output).toContain('(1 row)')
    expect(errors).toContain('There is no file')
  })
})

test('a file that cannot be read makes no topic', async () => {
  for (const input of [join(directory, 'missing.csv'), directory]) {
    const { code, errors } = await run((context) => produceCommand(context, 't', { dataDir, file: input }))
    expect(code).toBe(EXIT.failed)
    expect(errors).toMatch(/^error: (There is no file .*missing\.csv|.* is a directory, not a file)\.\n$/)
  }
  const { output } = await run((context) => topicsCommand(context, { dataDir, json: true }))
  expect(output).not.toContain('"t"')
})

test('a data directory that is a file is refused in a sentence, as storage', async () => {
  const path = await file('taken', 'x')
  const { code, errors } = await run((context) => topicsCommand(context, { dataDir: path }))
  expect(errors).toBe(
    `error: The data directory ${path} cannot be opened: ${path} is a file, not a directory.\n` +
      `  hint: Name a directory, or one that can be made.\n`,
  )
  expect(code).toBe(EXIT.storage)
})

test('every command takes --data-dir, and its options', async () => {
  const names = program(() => {
    throw new Error('not run')
  }).commands.map((command) => [
    command.name(),
    command.options.map((option) => option.long).includes('--data-dir'),
  ])
  expect(names).toEqual([
    ['run', true],
    ['sql', true],
    ['produce', true],
    ['consume', true],
    ['topics', true],
    ['groups', true],
    ['transactions', true],
    ['test', true],
  ])
})
