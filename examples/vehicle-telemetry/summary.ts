import { styled, type Terminal } from '../../src/cli/terminal.ts'
import type { Millrace, QueryStatus } from '../../src/index.ts'
import { endsOf, recordCount, sum } from './topic-ends.ts'
import { grouped } from './view-text.ts'

/** What one run did. */
export interface Summary {
  readonly records: number
  readonly seconds: number
  /** All records of the topic, from earlier runs too. */
  readonly recordsInTopic: number
  readonly windows: number
  readonly overspeed: number
  readonly fired: number
  readonly resolved: number
  readonly firing: number
  /** Rows that counted for nothing, in words; one line for queries that left out as many. */
  readonly skipped: readonly string[]
}

/** Where the outputs of earlier runs end: what lies before is not this run's. */
export type Starts = ReadonlyMap<string, readonly number[]>

export function outputEnds(millrace: Millrace): Starts {
  const topics = millrace.queries().flatMap((query) => query.topic ?? [])
  return new Map(topics.map((topic) => [topic, endsOf(millrace, topic)]))
}

/** Counts what is committed since `starts`. */
export async function summarise(
  millrace: Millrace,
  starts: Starts,
  run: { readonly topic: string; readonly records: number; readonly seconds: number },
): Promise<Summary> {
  const queries = millrace.queries()
  let fired = 0
  let resolved = 0
  let firing = 0
  for (const { writes, topic, kind } of queries) {
    if (kind !== 'alert' || topic === null || writes === null) continue
    const from = starts.get(topic) ?? []
    for await (const { partition, offset, value } of millrace.consume(topic, { from: 'beginning' })) {
      if (value === null || offset < (from[partition] ?? 0)) continue
      const { STATE } = JSON.parse(Buffer.from(value).toString()) as { readonly STATE: string }
      if (STATE === 'firing') fired++
      else if (STATE === 'resolved') resolved++
    }
    const [open] = await millrace.sql(`SELECT * FROM ${writes}_state WHERE state = 'firing';`)
    if (open?.kind === 'rows') firing += open.rows.length
  }
  const [windows] = await millrace.sql('SELECT * FROM vehicle_minutes;')
  const overspeedTopic = queries.find((query) => query.writes === 'OVERSPEED')?.topic ?? 'OVERSPEED'
  const overspeedStart = starts.get(overspeedTopic) ?? []
  return {
    records: run.records,
    seconds: run.seconds,
    recordsInTopic: recordCount(millrace, run.topic),
    windows: windows?.kind === 'rows' ? windows.rows.length : 0,
    overspeed: recordCount(millrace, overspeedTopic) - sum(overspeedStart),
    fired,
    resolved,
    firing,
    skipped: skippedText(queries),
  }
}

function skippedText(queries: readonly QueryStatus[]): string[] {
  const alike = new Map<string, string[]>()
  for (const { writes, id, counters } of queries) {
    const reasons = [
      ...Object.entries(counters.dropped),
      ['failed expressions', counters.expressionErrors] as const,
    ]
    for (const [reason, count] of reasons) {
      if (count === 0) continue
      const what = `${grouped(count)} ${reason}`
      alike.set(what, [...(alike.get(what) ?? []), writes ?? id])
    }
  }
  return [...alike].map(([what, names]) => {
    const where = / (?:undecodable|failed expressions)$/.test(what) ? ', see stream PROCESSING_LOG' : ''
    return `${what} (by ${names.join(', ')}${where})`
  })
}

/** The summary as lines. */
export function summaryLines(
  summary: Summary,
  terminal: Terminal,
  where: { readonly dataDirectory: string; readonly again: string },
): string[] {
  const { records, seconds, recordsInTopic } = summary
  const perSecond = seconds > 0 ? `, ${grouped(records / seconds)} a second` : ''
  const earlier = recordsInTopic > records ? `; ${grouped(recordsInTopic)} with earlier runs` : ''
  const stillFiring = summary.firing > 0 ? `, ${grouped(summary.firing)} still firing` : ''
  const figures: [string, string][] = [
    ['records', `${grouped(records)} in${perSecond}${earlier}`],
    ['windows', `${grouped(summary.windows)} of a vehicle and a minute, in table VEHICLE_MINUTES`],
    ['overspeed', `${grouped(summary.overspeed)} readings, in stream OVERSPEED`],
    ['alerts', `${grouped(summary.fired)} fired, ${grouped(summary.resolved)} resolved${stillFiring}`],
  ]
  for (const text of summary.skipped) figures.push(['skipped', text])
  figures.push(['data', where.dataDirectory])
  const shell = `npm run -s millrace -- sql --data-dir ${where.dataDirectory}`
  return [
    '',
    ...figures.map(([name, text]) => `  ${styled(terminal, 'dim', name.padEnd(10))} ${text}`),
    '',
    where.again,
    `Ask for more: ${styled(terminal, 'bold', shell)}`,
    `  and there: SELECT * FROM vehicle_minutes WHERE vehicle_id = '…';  SHOW ALERTS;`,
  ]
}
