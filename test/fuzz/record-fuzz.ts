import type { Random } from '../../src/base/random.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import type { FuzzOutcome } from './outcome.ts'

const NASTY = [
  '1e999',
  '-0',
  '"\\ud800"',
  '{"__proto__":{"x":1}}',
  '[[[[[[',
  'nul',
  '"',
  '{"V":1,"V":2}',
  '\u0000',
  '1'.repeat(400),
  '{',
  '}',
  ',',
  '""',
  'true',
  '[]',
  '-9223372036854775809',
  '0.1e',
  '\\u12',
  '/**/',
  '\uFEFF',
]

const SOURCES = {
  JSON: (i: number) => JSON.stringify({ V: i, T: `text ${i}`, A: [i, null], D: i / 8 }),
  DELIMITED: (i: number) => `${i},"text, ${i}",${i / 8}`,
  KAFKA: (i: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(i)
    return bytes
  },
} as const

const COLUMNS = {
  JSON: 'v INT, t STRING, a ARRAY<INT>, d DOUBLE',
  DELIMITED: 'v INT, t STRING, d DOUBLE',
  KAFKA: 'v INT',
} as const

type FormatName = keyof typeof SOURCES

export const FORMATS = Object.keys(SOURCES) as FormatName[]

/** A value some of whose bytes are others, or missing, or doubled. */
function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  let result = Buffer.from(bytes)
  for (let edits = 1 + random.below(3); edits > 0; edits--) {
    const at = random.below(result.length + 1)
    switch (random.below(5)) {
      case 0:
        if (at < result.length) result[at]! ^= 1 << random.below(8)
        break
      case 1:
        result = Buffer.concat([
          result.subarray(0, at),
          result.subarray(Math.min(result.length, at + 1 + random.below(5))),
        ])
        break
      case 2:
        result = Buffer.concat([
          result.subarray(0, at),
          Buffer.from(NASTY[random.below(NASTY.length)]!),
          result.subarray(at),
        ])
        break
      case 3:
        result = result.subarray(0, at)
        break
      default:
        result = Buffer.concat([
          result.subarray(0, at),
          Buffer.from([0xff, 0xc0, random.below(256)]),
          result.subarray(at),
        ])
    }
  }
  return result
}

/**
 * Good records with mutated ones between them through a running query. Each good one comes out as it went in;
 * each other one comes out, or is in the processing log, once.
 */
export async function fuzzRecords(format: FormatName, count: number, random: Random): Promise<FuzzOutcome> {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  try {
    await millrace.sql(
      `CREATE STREAM s (id INT KEY, ${COLUMNS[format]}) WITH (kafka_topic='s', key_format='KAFKA', value_format='${format}', partitions=1);
       CREATE STREAM out WITH (key_format='KAFKA', value_format='JSON') AS SELECT * FROM s;`,
    )
    const good = new Set<number>()
    const records = Array.from({ length: count }, (_, i) => {
      const key = Buffer.alloc(4)
      key.writeInt32BE(i)
      const value = Buffer.from(SOURCES[format](i))
      const isGood = random.below(2) === 0
      if (isGood) good.add(i)
      const spoilsKey = !isGood && random.below(5) === 0
      return {
        key: spoilsKey ? mutated(key, random) : key,
        value: isGood || spoilsKey ? value : mutated(value, random),
        // The offset, so that what comes out tells where it came from.
        timestampMs: i,
      }
    })
    await millrace.produce('s', records)
    await millrace.untilIdle()
    const seen = new Map<number, number>()
    for await (const { value, timestampMs } of millrace.consume('OUT', { from: 'beginning' })) {
      seen.set(timestampMs, (seen.get(timestampMs) ?? 0) + 1)
      if (!good.has(timestampMs)) continue
      const row = JSON.parse(Buffer.from(value!).toString()) as { V: unknown }
      if (row.V !== timestampMs)
        return wrong(`${format}: record ${timestampMs} came out as ${JSON.stringify(row)}`)
    }
    const reported = new Map<number, number>()
    for await (const { value } of millrace.consume('millrace_processing_log', { from: 'beginning' })) {
      const { SOURCE_OFFSET: offset } = JSON.parse(Buffer.from(value!).toString()) as {
        SOURCE_OFFSET: number
      }
      reported.set(offset, (reported.get(offset) ?? 0) + 1)
    }
    for (let i = 0; i < count; i++) {
      const out = seen.get(i) ?? 0
      const told = reported.get(i) ?? 0
      const what = `${format}: record ${i} (${good.has(i) ? 'good' : JSON.stringify(Buffer.from(records[i]!.value).toString('latin1').slice(0, 80))}, key ${records[i]!.key.toString('hex')})`
      if (good.has(i) && (out !== 1 || told !== 0))
        return wrong(`${what} came out ${out} times, was reported ${told} times`)
      if (out + told !== 1) return wrong(`${what} came out ${out} times, was reported ${told} times`)
    }
    return { kind: reported.size === 0 ? 'accepted' : 'refused', detail: `${reported.size} reported` }
  } catch (error) {
    return wrong(`${format}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  } finally {
    await millrace.close()
  }
}

function wrong(detail: string): FuzzOutcome {
  return { kind: 'wrong', detail }
}
