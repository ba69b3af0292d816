import type { QueryPlan } from '../../src/plan/plan-node.ts'
import { TestDriver } from '../../src/testing/driver.ts'

/** A row of an input topic as its record says it. */
export interface InputRow {
  readonly topic: string
  readonly key: string
  readonly n: number
  readonly v: number
  readonly zone: string
  readonly timestampMs: number
  /** Of a table: the key goes. */
  readonly isDeletion: boolean
}

/** Rows of an input topic, one list per partition, in order. */
export type InputOf = (topic: string) => readonly (readonly InputRow[])[]

/** What must come out of a query. Lines are `key = value @timestamp`, keys as latin1. */
export type Expected =
  /** Exactly these, per partition in order. */
  | { readonly kind: 'sequence'; readonly partitions: readonly (readonly string[])[] }
  /** Exactly these, in any order and partition. */
  | { readonly kind: 'bag'; readonly lines: readonly string[] }
  /** Per partition every change, record at a time; those of one commit may have become one. */
  | { readonly kind: 'changes'; readonly partitions: readonly (readonly Change[])[] }
  /** Rows counted over partitions: C goes up, and the last value is this. */
  | { readonly kind: 'counts'; readonly last: ReadonlyMap<string, string> }
  /** One per row of the left side; its value is one of those. */
  | { readonly kind: 'choices'; readonly rows: readonly (readonly string[])[] }

export interface TableRows {
  readonly lines: readonly string[]
  /** Those whose windows are closed: they may have been forgotten. */
  readonly closed: ReadonlySet<string>
}

/** A change of a table: `[key, value @timestamp]`, null for a deletion. */
export type Change = readonly [string, string | null]

export interface Query {
  readonly name: string
  /** Input topics it needs, and the query whose output it reads. */
  readonly inputs: readonly string[]
  readonly after: string | null
  expected(input: InputOf): Expected
  /** Rows of its table, `key = values`; null: it has none. */
  rows(input: InputOf): TableRows | null
}

export const INPUT_TOPICS = ['readings', 'orders', 'payments', 'users', 'moves'] as const

const SQL: Readonly<Record<string, string>> = {
  HIGH: `CREATE STREAM high AS SELECT id, n, v FROM readings WHERE v > 50;`,
  TOTALS: `CREATE TABLE totals AS SELECT id, COUNT(*) AS c, SUM(v) AS s FROM readings GROUP BY id;`,
  PER_WINDOW: `CREATE TABLE per_window AS SELECT id, COUNT(*) AS c, MAX(v) AS top FROM readings
    WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY id;`,
  FINALS: `CREATE TABLE finals AS SELECT id, COUNT(*) AS c, SUM(v) AS s FROM readings
    WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY id EMIT FINAL;`,
  LISTS: `CREATE TABLE lists AS SELECT id, COLLECT_LIST(n) AS ns FROM readings
    WINDOW TUMBLING (SIZE 20 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY id;`,
  SESSIONS: `CREATE TABLE sessions AS SELECT id, COUNT(*) AS c, SUM(v) AS s FROM readings
    WINDOW SESSION (4 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY id;`,
  PER_ZONE: `CREATE TABLE per_zone AS SELECT zone, COUNT(*) AS c, SUM(v) AS s FROM readings GROUP BY zone;`,
  BY_ZONE: `CREATE STREAM by_zone AS SELECT zone, id, n FROM readings PARTITION BY zone;`,
  HIGH_COUNTS: `CREATE TABLE high_counts AS SELECT id, COUNT(*) AS c FROM high GROUP BY id;`,
  NAMED: `CREATE STREAM named AS SELECT o.id AS id, o.n AS o, u.n AS u FROM orders o LEFT JOIN users u ON o.id = u.id;`,
  PAID: `CREATE STREAM paid AS SELECT o.id AS id, o.n AS o, p.n AS p FROM orders o
    LEFT JOIN payments p WITHIN 4 SECONDS GRACE PERIOD 5 SECONDS ON o.id = p.id;`,
  HOT: `CREATE ALERT hot AS SELECT id, n FROM orders WHERE v > 80 SEVERITY 'warning';`,
  MOVED: `CREATE STREAM moved AS SELECT id, n FROM moves;`,
}

const SOURCES = `
CREATE STREAM readings (id STRING KEY, n INT, v INT, zone STRING)
  WITH (kafka_topic = 'readings', value_format = 'JSON', partitions = 1);
CREATE STREAM orders (id STRING KEY, n INT, v INT)
  WITH (kafka_topic = 'orders', value_format = 'JSON', partitions = 1);
CREATE STREAM payments (id STRING KEY, n INT, v INT)
  WITH (kafka_topic = 'payments', value_format = 'JSON', partitions = 1);
CREATE TABLE users (id STRING PRIMARY KEY, n INT)
  WITH (kafka_topic = 'users', value_format = 'JSON', partitions = 1);
CREATE STREAM moves (id STRING KEY, n INT)
  WITH (kafka_topic = 'moves', value_format = 'JSON', partitions = 1);
`

/** Plans of all {@link QUERIES}, by name: made once for all seeds. */
export async function makePlans(): Promise<ReadonlyMap<string, QueryPlan>> {
  const driver = new TestDriver()
  await driver.sql(SOURCES + Object.values(SQL).join('\n'))
  const { plans } = driver
  return new Map(Object.keys(SQL).map((name, i) => [name, plans[i]!]))
}

/*
 * The same queries again, each in a few lines over rows in order. Their event time is that of a partition:
 * the highest timestamp of its rows so far, those with a value that cannot be read left out.
 */
export const QUERIES: readonly Query[] = [
  {
    name: 'HIGH',
    inputs: ['readings'],
    after: null,
    expected: (input) => ({
      kind: 'sequence',
      partitions: high(input).map((rows) =>
        rows.map(({ key, n, v, timestampMs }) => `${key} = {"N":${n},"V":${v}} @${timestampMs}`),
      ),
    }),
    rows: () => null,
  },
  {
    name: 'TOTALS',
    inputs: ['readings'],
    after: null,
    expected: (input) => ({
      kind: 'changes',
      partitions: input('readings').map((rows) => totals(rows, true)),
    }),
    rows: (input) => tableRows(input('readings').map((rows) => totals(rows, true))),
  },
  {
    name: 'PER_WINDOW',
    inputs: ['readings'],
    after: null,
    expected: (input) => ({
      kind: 'changes',
      partitions: input('readings').map((rows) => perWindow(rows).changes),
    }),
    rows: (input) =>
      tableRows(
        input('readings').map((rows) => perWindow(rows).changes),
        closedBy(input('readings'), 10_000),
      ),
  },
  {
    name: 'FINALS',
    inputs: ['readings'],
    after: null,
    expected: (input) => ({
      kind: 'bag',
      lines: input('readings').flatMap((rows) =>
        [...perWindow(rows).windows].map(
          ([key, { c, s, lastMs }]) => `${key} = {"C":${c},"S":${s}} @${lastMs}`,
        ),
      ),
    }),
    rows: () => null,
  },
  {
    name: 'LISTS',
    inputs: ['readings'],
    after: null,
    expected: (input) => ({ kind: 'changes', partitions: input('readings').map(lists) }),
    rows: (input) => tableRows(input('readings').map(lists), closedBy(input('readings'), 20_000)),
  },
  {
    name: 'SESSIONS',
    inputs: ['readings'],
    after: null,
    expected: (input) => ({ kind: 'changes', partitions: input('readings').map(sessions) }),
    rows: (input) => tableRows(input('readings').map(sessions), closedBy(input('readings'), GAP_MS)),
  },
  {
    name: 'PER_ZONE',
    inputs: ['readings'],
    after: null,
    expected: (input) => ({ kind: 'counts', last: perZone(input) }),
    rows: (input) => tableRows([[...perZone(input)].map(([zone, value]): Change => [zone, `${value} @0`])]),
  },
  {
    name: 'BY_ZONE',
    inputs: ['readings'],
    after: null,
    expected: (input) => ({
      kind: 'bag',
      lines: input('readings')
        .flat()
        .map(({ zone, key, n, timestampMs }) => `${zone} = {"ID":"${key}","N":${n}} @${timestampMs}`),
    }),
    rows: () => null,
  },
  {
    name: 'HIGH_COUNTS',
    inputs: ['readings'],
    after: 'HIGH',
    expected: (input) => ({ kind: 'changes', partitions: high(input).map((rows) => totals(rows, false)) }),
    rows: (input) => tableRows(high(input).map((rows) => totals(rows, false))),
  },
  {
    name: 'NAMED',
    inputs: ['orders', 'users'],
    after: null,
    expected: (input) => ({
      kind: 'choices',
      rows: input('orders').flatMap((orders, i) => named(orders, input('users')[i]!)),
    }),
    rows: () => null,
  },
  {
    name: 'PAID',
    inputs: ['orders', 'payments'],
    after: null,
    expected: (input) => ({
      kind: 'bag',
      lines: input('orders').flatMap((orders, partition) => paid(orders, input('payments')[partition]!)),
    }),
    rows: () => null,
  },
  {
    name: 'HOT',
    inputs: ['orders'],
    after: null,
    // The key of its events is JSON: another partition.
    expected: (input) => ({ kind: 'bag', lines: input('orders').flatMap(hot) }),
    rows: () => null,
  },
  {
    name: 'MOVED',
    inputs: ['moves'],
    after: null,
    expected: (input) => ({
      kind: 'sequence',
      partitions: input('moves').map((rows) =>
        rows.map(({ key, n, timestampMs }) => `${key} = {"N":${n}} @${timestampMs}`),
      ),
    }),
    rows: () => null,
  },
]

/**
 * Rows of a table as they are after all changes of each partition.
 *
 * @param isClosed  whether the window of a key is closed
 */
function tableRows(
  partitions: readonly (readonly Change[])[],
  isClosed: (key: string, partition: number) => boolean = () => false,
): TableRows {
  const lines: string[] = []
  const closed = new Set<string>()
  partitions.forEach((changes, partition) => {
    for (const [key, value] of new Map(changes)) {
      if (value === null) continue
      const line = `${key} = ${value.slice(0, value.lastIndexOf(' @'))}`
      lines.push(line)
      if (isClosed(key, partition)) closed.add(line)
    }
  })
  return { lines, closed }
}

/** @param afterMs  how long after the time in a key its window ends: the first of the times in it */
function closedBy(
  partitions: readonly (readonly InputRow[])[],
  afterMs: number,
): (key: string, partition: number) => boolean {
  const streamMs = partitions.map((rows) => rows.reduce((latest, r) => Math.max(latest, r.timestampMs), -1))
  return (key, partition) => {
    const at = key.indexOf('\0')
    const timeMs = Number(Buffer.from(key, 'latin1').readBigInt64BE(at))
    return timeMs + afterMs + GRACE_MS <= streamMs[partition]!
  }
}

function high(input: InputOf): InputRow[][] {
  return input('readings').map((rows) => rows.filter(({ v }) => v > 50))
}

function totals(rows: readonly InputRow[], sums: boolean): Change[] {
  const groups = new Map<string, { c: number; s: number; lastMs: number }>()
  return rows.map(({ key, v, timestampMs }) => {
    const { c, s, lastMs } = groups.get(key) ?? { c: 0, s: 0, lastMs: 0 }
    const next = { c: c + 1, s: s + v, lastMs: Math.max(lastMs, timestampMs) }
    groups.set(key, next)
    return [key, `${sums ? `{"C":${next.c},"S":${next.s}}` : `{"C":${next.c}}`} @${next.lastMs}`]
  })
}

const GRACE_MS = 5_000

/** Rows with the start of their window, those left out that come too late. */
function* inWindows(rows: readonly InputRow[], sizeMs: number): Iterable<{ row: InputRow; startMs: number }> {
  let streamMs = -1
  for (const row of rows) {
    streamMs = Math.max(streamMs, row.timestampMs)
    const startMs = Math.floor(row.timestampMs / sizeMs) * sizeMs
    if (startMs + sizeMs + GRACE_MS > streamMs) yield { row, startMs }
  }
}

interface WindowGroup {
  readonly c: number
  readonly s: number
  readonly top: number
  readonly lastMs: number
}

function perWindow(rows: readonly InputRow[]): { changes: Change[]; windows: Map<string, WindowGroup> } {
  const windows = new Map<string, WindowGroup>()
  const changes: Change[] = []
  for (const { row, startMs } of inWindows(rows, 10_000)) {
    const key = row.key + int64(startMs)
    const { c, s, top, lastMs } = windows.get(key) ?? { c: 0, s: 0, top: -1, lastMs: 0 }
    const next = {
      c: c + 1,
      s: s + row.v,
      top: Math.max(top, row.v),
      lastMs: Math.max(lastMs, row.timestampMs),
    }
    windows.set(key, next)
    changes.push([key, `{"C":${next.c},"TOP":${next.top}} @${next.lastMs}`])
  }
  return { changes, windows }
}

function lists(rows: readonly InputRow[]): Change[] {
  const windows = new Map<string, { ns: number[]; lastMs: number }>()
  const changes: Change[] = []
  for (const { row, startMs } of inWindows(rows, 20_000)) {
    const key = row.key + int64(startMs)
    const { ns, lastMs } = windows.get(key) ?? { ns: [], lastMs: 0 }
    const next = { ns: [...ns, row.n], lastMs: Math.max(lastMs, row.timestampMs) }
    windows.set(key, next)
    changes.push([key, `{"NS":[${next.ns.join(',')}]} @${next.lastMs}`])
  }
  return changes
}

const GAP_MS = 4_000

function sessions(rows: readonly InputRow[]): Change[] {
  let open: { key: string; startMs: number; endMs: number; c: number; s: number }[] = []
  const changes: Change[] = []
  let streamMs = -1
  for (const { key, v, timestampMs } of rows) {
    streamMs = Math.max(streamMs, timestampMs)
    const isOpen = (endMs: number): boolean => endMs + GAP_MS + GRACE_MS >= streamMs
    const found = open.filter(
      (o) =>
        o.key === key &&
        o.endMs >= timestampMs - GAP_MS &&
        o.startMs <= timestampMs + GAP_MS &&
        isOpen(o.endMs),
    )
    const merged = found.reduce(
      (a, b) => ({
        key,
        startMs: Math.min(a.startMs, b.startMs),
        endMs: Math.max(a.endMs, b.endMs),
        c: a.c + b.c,
        s: a.s + b.s,
      }),
      { key, startMs: timestampMs, endMs: timestampMs, c: 1, s: v },
    )
    if (!isOpen(merged.endMs)) continue
    open = open.filter((o) => !found.includes(o))
    const nameOf = (o: { startMs: number; endMs: number }): string => key + int64(o.endMs) + int64(o.startMs)
    // A session of one instant is updated, any other is replaced, by one of the same bounds too.
    if (merged.startMs < merged.endMs) for (const gone of found) changes.push([nameOf(gone), null])
    open.push(merged)
    changes.push([nameOf(merged), `{"C":${merged.c},"S":${merged.s}} @${merged.endMs}`])
  }
  return changes
}

function perZone(input: InputOf): Map<string, string> {
  const groups = new Map<string, { c: number; s: number }>()
  for (const { zone, v } of input('readings').flat()) {
    const { c, s } = groups.get(zone) ?? { c: 0, s: 0 }
    groups.set(zone, { c: c + 1, s: s + v })
  }
  return new Map([...groups].map(([zone, { c, s }]) => [zone, `{"C":${c},"S":${s}}`]))
}

/**
 * A table is read to its end before the stream starts: a row meets what its key had at the row's time, or
 * something later.
 */
function named(orders: readonly InputRow[], users: readonly InputRow[]): string[][] {
  return orders.map(({ key, n, timestampMs }) => {
    const versions: (number | null)[] = [null]
    for (const user of users) {
      if (user.key !== key) continue
      if (user.timestampMs <= timestampMs) versions.length = 0
      versions.push(user.isDeletion ? null : user.n)
    }
    return versions.map((u) => `${key} = {"O":${n},"U":${u}} @${timestampMs}`)
  })
}

function paid(orders: readonly InputRow[], payments: readonly InputRow[]): string[] {
  return orders.flatMap(({ key, n, timestampMs }) => {
    const found = payments.filter((p) => p.key === key && Math.abs(p.timestampMs - timestampMs) <= 4_000)
    if (found.length === 0) return [`${key} = {"O":${n},"P":null} @${timestampMs}`]
    return found.map((p) => `${key} = {"O":${n},"P":${p.n}} @${Math.max(timestampMs, p.timestampMs)}`)
  })
}

function hot(orders: readonly InputRow[]): string[] {
  const since = new Map<string, number>()
  return orders.flatMap(({ key, n, v, timestampMs }) => {
    const before = since.get(key)
    const isHot = v > 80
    if (isHot === (before !== undefined)) return []
    const sinceMs = before ?? timestampMs
    if (isHot) since.set(key, timestampMs)
    else since.delete(key)
    return [
      `"${key}" = {"ALERT":"HOT","SEVERITY":"warning","STATE":"${isHot ? 'firing' : 'resolved'}","SINCE":${sinceMs},` +
        `"AT":${timestampMs},"WINDOW_START":null,"WINDOW_END":null,"N":${n}} @${timestampMs}`,
    ]
  })
}

/** Eight bytes, as latin1. */
function int64(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes.toString('latin1')
}
