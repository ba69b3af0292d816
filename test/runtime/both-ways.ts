import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Millrace, type RowObject } from '../../src/index.ts'
import { TestDriver } from '../../src/testing/driver.ts'

export interface Fed {
  readonly topic: string
  readonly key?: string | null
  readonly value: object | null
  readonly timestampMs: number
}

export interface Told {
  readonly key: string | null
  readonly value: RowObject | null
  readonly timestampMs: number
}

/**
 * Runs statements and records through the test driver, and through the log with a stop and a start from
 * what is committed in the middle; asserts that a topic ends up with the same records, and returns them.
 * All topics should have one partition.
 */
export async function bothWays(statements: string, records: readonly Fed[], topic: string): Promise<Told[]> {
  const driver = new TestDriver()
  await driver.sql(statements)
  for (const { topic: to, ...record } of records) await driver.produce(to, record)
  const told = driver.records(topic).map(readable)

  const directory = mkdtempSync(join(tmpdir(), 'millrace-'))
  try {
    const options = { dataDirectory: directory, commitIntervalMs: 5 }
    const settings = { 'cache.max.bytes.buffering': '0' }
    const half = Math.ceil(records.length / 2)
    let millrace = await Millrace.open({ ...options, settings })
    await millrace.sql(statements)
    for (const part of [records.slice(0, half), records.slice(half)]) {
      for (const { topic: to, ...record } of part) {
        await millrace.produce(to, [record])
        await millrace.untilIdle()
      }
      await millrace.close()
      millrace = await Millrace.open({ ...options, settings })
    }
    await millrace.untilIdle()
    const logged: Told[] = []
    for await (const record of millrace.consume(topic, { from: 'beginning' })) logged.push(readable(record))
    await millrace.close()
    expect(logged).toEqual(told)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return told
}

function readable(record: {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestampMs: number
}): Told {
  const { key, value, timestampMs } = record
  return {
    key: key === null ? null : Buffer.from(key).toString(),
    value: value === null ? null : (JSON.parse(Buffer.from(value).toString()) as RowObject),
    timestampMs,
  }
}

/** The plan EXPLAIN shows. */
export async function planOf(setup: string, statement: string): Promise<string> {
  const driver = new TestDriver()
  await driver.sql(setup)
  const [result] = await driver.sql(`EXPLAIN ${statement}`)
  if (result?.kind !== 'text') throw new Error('EXPLAIN shows a text')
  return result.text
}

/** Code and column of the refusal of the last statement. */
export async function refused(
  setup: string,
  statement: string,
  compatibility = false,
): Promise<{
  readonly code: string
  readonly column: number | undefined
  readonly hint: string | undefined
}> {
  const driver = new TestDriver({ compatibility })
  await driver.sql(setup)
  const error = await driver.sql(statement).then(
    () => null,
    (e: unknown) => e as { code: string; hint?: string; at?: { column: number } },
  )
  if (error === null) throw new Error(`accepted: ${statement}`)
  return { code: error.code, column: error.at?.column, hint: error.hint }
}
