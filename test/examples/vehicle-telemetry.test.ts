import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fleetReadings } from '../../examples/vehicle-telemetry/simulator.ts'
import { Millrace, type ConsumedRecord } from '../../src/index.ts'

const MAIN = join(import.meta.dirname, '../../examples/vehicle-telemetry/main.ts')
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-example-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the example in a process of its own. @param killAfterMs  it gets SIGKILL so long after its first line */
function start(args: readonly string[], killAfterMs = 0): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], { cwd: directory }, (_, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    )
    if (killAfterMs > 0)
      child.stdout!.once('data', () => setTimeout(() => child.kill('SIGKILL'), killAfterMs))
  })
}

async function all(records: AsyncIterable<ConsumedRecord>): Promise<ConsumedRecord[]> {
  const found: ConsumedRecord[] = []
  for await (const record of records) found.push(record)
  return found
}

async function rowsOf(millrace: Millrace, sql: string): Promise<unknown[][]> {
  const [result] = await millrace.sql(sql)
  if (result?.kind !== 'rows') throw new Error(`no rows: ${sql}`)
  return result.rows.map((row) => [...row])
}

describe('the simulator', () => {
  test('started, killed and started again: no reading is lost or doubled, and the tables are right', async () => {
    const dataDir = join(directory, 'data')
    const args = ['--data-dir', dataDir, '--duration']
    const first = await start([...args, '2s'])
    expect(first).toMatchObject({ code: 0, err: '' })
    expect(first.out).toMatch(/records\s+\d+ in/)
    await start([...args, '20s'], 2_000)
    const third = await start([...args, '2s'])
    expect(third).toMatchObject({ code: 0, err: '' })
    expect(third.out).toContain('with earlier runs')

    const millrace = await Millrace.open({ dataDirectory: dataDir })
    try {
      const written = (await all(millrace.consume('vehicle.telemetry', { from: 'beginning' })))
        .map((r) => ({
          ...JSON.parse(Buffer.from(r.value!).toString()),
          key: Buffer.from(r.key!).toString(),
        }))
        .sort((a, b) => a.ts - b.ts)
      const readings = fleetReadings(written[0].ts, 9)
      const expected = written.map(() => {
        const reading = readings.next().value
        return { ...reading, key: reading.vehicle_id }
      })
      expect(written.length).toBeGreaterThan(80)
      expect(written).toEqual(expected)

      await millrace.untilIdle()
      const minutes = Map.groupBy(expected, (r) => `${r.vehicle_id} ${Math.floor(r.ts / 60_000) * 60_000}`)
      const rows = await rowsOf(
        millrace,
        'SELECT vehicle_id, windowstart, readings, top_speed FROM vehicle_minutes;',
      )
      expect(new Set(rows.map(String))).toEqual(
        new Set(
          [...minutes].map(
            ([id, rs]) => `${id.replace(' ', ',')},${rs.length},${Math.max(...rs.map((r) => r.speed))}`,
          ),
        ),
      )
      const fast = await all(millrace.consume('OVERSPEED', { from: 'beginning' }))
      expect(fast).toHaveLength(expected.filter((r) => r.speed > 80).length)
    } finally {
      await millrace.close()
    }
  }, 30_000)
})

describe('a recorded file', () => {
  const CSV = [
    'id,at,speed,note',
    'b,1970-01-01T00:01:10Z,30,',
    'a,60000,10.5,one',
    'a,1970-01-01T00:30:00Z,20,"two, too"',
    'b,61000,,',
  ].join('\n')

  function replay(csv: string, ...more: string[]): Promise<Ended> {
    writeFileSync(join(directory, 'day.csv'), `${csv}\n`)
    return start(['--input', 'day.csv', '--key', 'id', '--timestamp', 'at', ...more])
  }

  test('is replayed in order of time, windows close, the exit code is 0', async () => {
    const ended = await replay(CSV)
    expect(ended).toMatchObject({ code: 0, err: '' })
    expect(ended.out).toMatch(/records\s+4 in/)
    expect(ended.out).toMatch(/windows\s+3 of/)
    expect(ended.out).toMatch(/overspeed\s+1 /)
    const millrace = await Millrace.open({ dataDirectory: join(directory, 'data/replay-day') })
    try {
      const written = await all(millrace.consume('vehicle.telemetry', { from: 'beginning' }))
      expect(
        written
          .map((r) => [
            r.timestampMs,
            Buffer.from(r.key!).toString(),
            JSON.parse(Buffer.from(r.value!).toString()),
          ])
          .sort((x, y) => Number(x[0]) - Number(y[0])),
      ).toEqual([
        [60_000, 'a', { id: 'a', at: 60_000, speed: 10.5, note: 'one' }],
        [61_000, 'b', { id: 'b', at: 61_000, speed: null, note: null }],
        [70_000, 'b', { id: 'b', at: '1970-01-01T00:01:10Z', speed: 30, note: null }],
        [1_800_000, 'a', { id: 'a', at: '1970-01-01T00:30:00Z', speed: 20, note: 'two, too' }],
      ])
      expect(
        await rowsOf(
          millrace,
          'SELECT vehicle_id, windowstart, readings, average_speed FROM vehicle_minutes;',
        ),
      ).toEqual(
        expect.arrayContaining([
          ['a', 60_000, 1, 10.5],
          ['b', 60_000, 2, 30],
          ['a', 1_800_000, 1, 20],
        ]),
      )
    } finally {
      await millrace.close()
    }
  })

  test('replayed again adds nothing; longer, the rest; another one is refused; --fresh starts anew', async () => {
    expect((await replay(CSV)).code).toBe(0)
    const again = await replay(CSV)
    expect(again).toMatchObject({ code: 0, err: '' })
    expect(again.out).toContain('nothing was added')
    const longer = await replay(`${CSV}\nc,1970-01-01T00:40:00Z,3,`)
    expect(longer).toMatchObject({ code: 0, err: '' })
    expect(longer.out).toMatch(/records\s+1 in.*5 with earlier runs/)
    const other = await replay(CSV.replace('10.5', '10.6'))
    expect(other.code).toBe(2)
    expect(other.err).toContain('holds another recording')
    const fresh = await replay(CSV.replace('10.5', '10.6'), '--fresh')
    expect(fresh).toMatchObject({ code: 0, err: '' })
    expect(fresh.out).toMatch(/records\s+4 in/)
    expect(fresh.out).not.toContain('earlier runs')
  }, 30_000)

  test('what cannot be read and what has no key is counted in the summary, and the rest goes on', async () => {
    const ended = await replay('id,at,speed\na,1000,12\na,2000,fast\n,3000,7\nb,70000,8')
    expect(ended.code).toBe(0)
    expect(ended.out).toMatch(/windows\s+2 of/)
    expect(ended.out).toMatch(/skipped\s+1 null-key \(by VEHICLE_MINUTES/)
    expect(ended.out).toMatch(/skipped\s+1 undecodable \(by VEHICLE_MINUTES.*PROCESSING_LOG/)
  })

  test('killed on the way and started again, it ends as if it had not been', async () => {
    const rows = Array.from({ length: 4_000 }, (_, i) => `v${i % 7},${i * 1_000},${i % 40}`)
    const csv = ['id,at,speed', ...rows].join('\n')
    writeFileSync(join(directory, 'day.csv'), csv)
    await start(['--input', 'day.csv', '--key', 'id', '--timestamp', 'at', '--rate', '1000x'], 1_000)
    const ended = await replay(csv)
    expect(ended).toMatchObject({ code: 0, err: '' })
    expect(ended.out).toContain('of 4,000 readings are there from an earlier run')
    expect(ended.out).toContain('4,000 with earlier runs')
    const millrace = await Millrace.open({ dataDirectory: join(directory, 'data/replay-day') })
    try {
      const counts = Map.groupBy(rows, (_, i) => `v${i % 7},${Math.floor(i / 60) * 60_000}`)
      const windows = await rowsOf(millrace, 'SELECT vehicle_id, windowstart, readings FROM vehicle_minutes;')
      expect(windows.map(String).sort()).toEqual([...counts].map(([id, all]) => `${id},${all.length}`).sort())
      const fast = await all(millrace.consume('OVERSPEED', { from: 'beginning' }))
      expect(fast).toHaveLength(rows.filter((_, i) => i % 40 > 25).length)
    } finally {
      await millrace.close()
    }
  }, 30_000)

  test('at a rate it takes its time', async () => {
    const startedMs = performance.now()
    const ended = await replay('id,at,speed\na,0,1\na,10000,2', '--rate', '10x')
    expect(ended.code).toBe(0)
    expect(performance.now() - startedMs).toBeGreaterThan(1_000)
  })

  test.each([
    [['--input', 'none.csv', '--key', 'id', '--timestamp', 'at'], 'There is no file none.csv.'],
    [['--input', 'day.csv', '--key', 'vehicle', '--timestamp', 'at'], 'The file has no column "vehicle".'],
    [
      ['--input', 'day.csv', '--key', 'id', '--timestamp', 'note'],
      'the column "note" holds "", which is no time.',
    ],
    [['--nope'], "unknown option '--nope'"],
  ])('%j: one plain sentence, exit code 2', async (args, sentence) => {
    writeFileSync(join(directory, 'day.csv'), `${CSV}\n`)
    const ended = await start(args)
    expect(ended.code).toBe(2)
    expect(ended.out).toBe('')
    expect(ended.err).toContain(sentence)
    expect(ended.err).not.toContain('    at ')
  })

  test('--fresh leaves directories alone that are not ours', async () => {
    const ended = await replay(CSV, '--fresh', '--data-dir', '.')
    expect(ended.code).toBe(2)
    expect(ended.err).toContain('and . is none')
  })
})
