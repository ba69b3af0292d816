import { describe as suite, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import type {
  ForeignKeyJoinNode,
  JoinType,
  PlanNode,
  StreamStreamJoinNode,
  StreamTableJoinNode,
  TableTableJoinNode,
} from '../../../src/plan/plan-node.ts'
import { BIGINT, STRING } from '../../../src/plan/sql-type.ts'
import {
  batchOf,
  column,
  describe,
  Harness,
  run,
  schemaOf,
  source,
  withoutOld,
  type TestRow,
} from './harness.ts'

const leftStream = source('l', 'stream', { ID: STRING, L: STRING })
const rightStream = source('r', 'stream', { ID: STRING, R: STRING })
const leftTable = source('lt', 'table', { ID: STRING, L: STRING })
const rightTable = source('rt', 'table', { ID: STRING, R: STRING })
const joined = schemaOf({ ID: STRING }, { L: STRING, R: STRING })

const l = (key: string | null, value: string | null, t: number): TestRow => ({
  input: 0,
  key,
  value: value === null ? null : [value],
  t,
})
const r = (key: string | null, value: string | null, t: number): TestRow => ({
  ...l(key, value, t),
  input: 1,
})

/** A pass that merges both inputs by time must give what single rows in that order give. */
async function merged(
  node: PlanNode,
  inputs: readonly PlanNode[],
  rows: readonly TestRow[],
): Promise<string[]> {
  const harness = new Harness(node, inputs)
  const batches = inputs.map((input, i) => {
    const own = rows.filter((row) => (row.input ?? 0) === i)
    return own.length === 0 ? null : batchOf(input.schema, own)
  })
  await Promise.all(
    batches.map(async (batch, i) => (batch === null ? undefined : harness.operator.prepare(i, batch))),
  )
  if (rows.length > 0) harness.operator.processMerged!(batches)
  return harness.out
}

suite('a stream joined with a table', () => {
  const join = (type: 'INNER' | 'LEFT'): StreamTableJoinNode => ({
    kind: 'stream-table-join',
    join: type,
    left: leftStream,
    right: rightTable,
    schema: joined,
    output: 'stream',
    windowed: null,
  })
  const rows = [
    l('a', 'early', 1),
    r('a', 'x', 5),
    l('a', 'met', 3),
    r('a', null, 6),
    l('a', 'late', 7),
    l(null, 'keyless', 8),
    l('a', null, 9),
  ]

  test('INNER looks up the row of the moment and keeps the stream time', async () => {
    const harness = new Harness(join('INNER'), [leftStream, rightTable])
    await harness.feedOneByOne(rows)
    expect(harness.out).toEqual(['"a" = "met","x" @3'])
    expect(harness.dropped).toEqual(['null-key', 'null-value'])
  })

  test('LEFT pads rows without a partner, also those without a key', async () => {
    expect(await run(join('LEFT'), [leftStream, rightTable], rows)).toEqual([
      '"a" = "early",null @1',
      '"a" = "met","x" @3',
      '"a" = "late",null @7',
      'null = "keyless",null @8',
    ])
  })

  test('of equal times the table comes first in a merged pass', async () => {
    const given = [l('a', '1', 4), l('a', '2', 5), r('a', 'x', 5), l('a', '3', 6), r('a', 'y', 7)]
    expect(await merged(join('LEFT'), [leftStream, rightTable], given)).toEqual([
      '"a" = "1",null @4',
      '"a" = "2","x" @5',
      '"a" = "3","x" @6',
    ])
  })
})

suite('two streams joined', () => {
  const join = (
    type: JoinType,
    graceMs: number | null,
    [beforeMs, afterMs] = [10, 10],
  ): StreamStreamJoinNode => ({
    kind: 'stream-stream-join',
    join: type,
    left: leftStream,
    right: rightStream,
    beforeMs,
    afterMs,
    graceMs,
    schema: joined,
    output: 'stream',
    windowed: null,
  })
  const inputs = [leftStream, rightStream]

  test('INNER matches within the bounds, both inclusive; the later time wins', async () => {
    const node = join('INNER', null, [3, 5])
    const rows = [
      l('a', 'l', 10),
      r('a', '6', 6),
      r('a', '7', 7),
      r('a', '15', 15),
      r('a', '16', 16),
      r('b', 'b', 10),
    ]
    expect(await run(node, inputs, rows)).toEqual(['"a" = "l","7" @10', '"a" = "l","15" @15'])
    expect(await run(node, inputs, [r('a', '7', 7), r('a', '6', 6), l('a', 'l', 10)])).toEqual([
      '"a" = "l","7" @10',
    ])
  })

  test('with compatibility before and after of a RIGHT join are counted from the right row', async () => {
    const rows = [l('a', '5', 5), l('a', '13', 13), r('a', 'r', 10)]
    expect(await run(join('RIGHT', null, [5, 2]), inputs, rows)).toEqual(['"a" = "13","r" @13'])
    expect(await run(join('RIGHT', null, [5, 2]), inputs, rows, { compatibility: true })).toEqual([
      '"a" = "5","r" @10',
    ])
  })

  test('several rows of one key and time are all joined, in order of arrival', async () => {
    expect(await run(join('INNER', null), inputs, [r('a', '1', 5), r('a', '2', 5), l('a', 'l', 5)])).toEqual([
      '"a" = "l","1" @5',
      '"a" = "l","2" @5',
    ])
  })

  test('without grace an unmatched outer row is padded at once and joined later', async () => {
    expect(await run(join('LEFT', null), inputs, [l('a', 'l', 0), r('a', 'r', 5), r('b', 'r', 6)])).toEqual([
      '"a" = "l",null @0',
      '"a" = "l","r" @5',
    ])
    expect(await run(join('FULL', null), inputs, [r('b', 'r', 6)])).toEqual(['"b" = null,"r" @6'])
  })

  test('with grace it is padded once, when its window closes, before what closed it', async () => {
    const rows = [l('a', 'l', 0), l('b', 'l', 1), r('b', 'r', 2), r('a', 'x', 15), l('c', 'l', 16)]
    expect(await run(join('LEFT', 5), inputs, rows)).toEqual(['"b" = "l","r" @2', '"a" = "l",null @0'])
    expect(await run(join('FULL', 5), inputs, [...rows, l('z', 'z', 31)])).toEqual([
      '"b" = "l","r" @2',
      '"a" = "l",null @0',
      '"a" = null,"x" @15',
    ])
  })

  test('closed together: by time, right side first, then key', async () => {
    const rows = [l('b', 'l', 1), l('a', 'l', 1), r('z', 'r', 1), r('y', 'r', 0), l('q', 'q', 100)]
    expect(await run(join('FULL', 0), inputs, rows)).toEqual([
      '"y" = null,"r" @0',
      '"z" = null,"r" @1',
      '"a" = "l",null @1',
      '"b" = "l",null @1',
    ])
  })

  test('silence closes windows too', async () => {
    const harness = new Harness(join('LEFT', 5), inputs)
    await harness.feed([l('a', 'l', 0), l('b', 'l', 7)])
    expect(harness.operator.nextTimerMs()).toBe(16)
    await harness.runOut()
    expect(harness.out).toEqual(['"a" = "l",null @0', '"b" = "l",null @7'])
  })

  const MINUTE = 60_000
  const leap = [
    l('a', 'A', 0),
    r('a', 'a', MINUTE),
    l('b', 'B', 330_000),
    l('c', 'C', 90_000),
    r('c', 'c', 90_000),
    l('d', 'D', 310_000),
    r('d', 'd', 320_000),
  ]

  test('a late row of an outer side is padded at once; one that is only out of order waits', async () => {
    const node = join('LEFT', MINUTE, [MINUTE, MINUTE])
    expect(await run(node, inputs, leap)).toEqual([
      '"a" = "A","a" @60000',
      '"c" = "C",null @90000',
      '"d" = "D","d" @320000',
    ])
    expect(
      await run(node, inputs, [l('b', 'B', 330_000), l('c', 'C', 260_000), r('c', 'c', 265_000)]),
    ).toEqual(['"c" = "C","c" @265000'])
  })

  test('with compatibility a row whose window lies before stream time is padded at once, grace or not', async () => {
    const node = join('LEFT', MINUTE, [MINUTE, MINUTE])
    const rows = [l('b', 'B', 330_000), l('c', 'C', 260_000), r('c', 'c', 265_000)]
    expect(await run(node, inputs, rows, { compatibility: true })).toEqual([
      '"c" = "C",null @260000',
      '"c" = "C","c" @265000',
    ])
    expect(await run(node, inputs, leap, { compatibility: true })).toEqual([
      '"a" = "A","a" @60000',
      '"c" = "C",null @90000',
      '"d" = "D","d" @320000',
    ])
  })

  test('with compatibility closed windows are looked for once per second of the wall clock', async () => {
    const rows = [l('a', 'A', 0), l('b', 'B', 100), l('c', 'C', 200), l('d', 'D', 300)]
    expect(await run(join('LEFT', 5), inputs, rows)).toEqual([
      '"a" = "A",null @0',
      '"b" = "B",null @100',
      '"c" = "C",null @200',
    ])
    // The test's clock stands still.
    expect(await run(join('LEFT', 5), inputs, rows, { compatibility: true })).toEqual(['"a" = "A",null @0'])
  })

  test('rows without key or value', async () => {
    const harness = new Harness(join('LEFT', 5), inputs)
    await harness.feedOneByOne([l(null, 'l', 0), r(null, 'r', 0), l('a', null, 0)])
    expect(harness.out).toEqual(['null = "l",null @0'])
    expect(harness.dropped).toEqual(['null-key', 'null-value'])
  })

  test('windowed keys match by start; the result has the left window', async () => {
    const left = source('l', 'stream', { ID: STRING, L: STRING }, { type: 'HOPPING', sizeMs: 5 })
    const right = source('r', 'stream', { ID: STRING, R: STRING }, { type: 'TUMBLING', sizeMs: 2 })
    const node: StreamStreamJoinNode = { ...join('INNER', null), left, right, windowed: left.windowed }
    const rows = [
      { ...l('a', 'l', 0), window: [0, 5] as const },
      { ...l('a', 'm', 1), window: [1, 6] as const },
      { ...r('a', 'r', 0), window: [0, 2] as const },
    ]
    expect(await run(node, [left, right], rows)).toEqual(['"a" [0..5] = "l","r" @0'])
  })

  test('session keys match by both ends', async () => {
    const windowed = { type: 'SESSION', sizeMs: null } as const
    const left = source('l', 'stream', { ID: STRING, L: STRING }, windowed)
    const right = source('r', 'stream', { ID: STRING, R: STRING }, windowed)
    const node: StreamStreamJoinNode = { ...join('INNER', null), left, right, windowed }
    const rows = [
      { ...l('a', 'l', 7), window: [2, 7] as const },
      { ...r('a', 'r', 5), window: [2, 5] as const },
      { ...r('a', 's', 7), window: [2, 7] as const },
    ]
    expect(await run(node, [left, right], rows)).toEqual(['"a" [2..7] = "l","s" @7'])
  })

  const anyRows = fc.array(
    fc.record({
      input: fc.constantFrom(0, 1),
      key: fc.constantFrom('a', 'b'),
      value: fc.tuple(fc.constantFrom('x', 'y', 'z')),
      t: fc.nat(80),
    }),
    { maxLength: 40 },
  )
  const anyJoin = fc
    .tuple(
      fc.constantFrom<JoinType>('INNER', 'LEFT', 'RIGHT', 'FULL'),
      fc.constantFrom(null, 0, 7),
      fc.constantFrom<[number, number]>([4, 4], [0, 9], [6, 2]),
    )
    .map(([type, grace, bounds]) => join(type, grace, bounds))

  property.prop([anyJoin, anyRows, fc.boolean()])(
    'batching never changes an answer',
    async (node, rows, compatibility) => {
      const whole = new Harness(node, inputs, { compatibility })
      await whole.feed(rows)
      const single = new Harness(node, inputs, { compatibility })
      await single.feedOneByOne(rows)
      expect(whole.out).toEqual(single.out)
      expect(whole.dropped).toEqual(single.dropped)
      const inOrder = rows.toSorted((a, b) => a.t - b.t || a.input - b.input)
      expect(await merged(node, inputs, inOrder)).toEqual(await run(node, inputs, inOrder))
    },
  )

  property.prop([anyJoin, anyRows, fc.nat(40), fc.nat(5)])(
    'a failed cycle and a restart leave no trace',
    async (node, rows, cut, lost) => {
      const undisturbed = new Harness(node, inputs)
      await undisturbed.feed(rows)
      await undisturbed.runOut()
      const first = new Harness(node, inputs)
      await first.feed(rows.slice(0, cut))
      const committed = first.stores.commit()
      const before = first.out.length
      await first.feed(rows.slice(cut, cut + lost))
      const second = new Harness(node, inputs, { committed })
      await second.feed(rows.slice(cut))
      await second.runOut()
      expect([...first.out.slice(0, before), ...second.out]).toEqual(undisturbed.out)
    },
  )

  property.prop([anyRows, fc.constantFrom<JoinType>('INNER', 'LEFT', 'RIGHT', 'FULL')])(
    'rows in order: every pair within the bounds once, and every lonely outer row once',
    async (rows, type) => {
      const inOrder = rows.toSorted((a, b) => a.t - b.t)
      const node = join(type, 0, [6, 2])
      const harness = new Harness(node, inputs)
      await harness.feed(inOrder)
      await harness.runOut()
      const matches = (left: TestRow, right: TestRow): boolean =>
        left.key === right.key && left.t - 6 <= right.t && right.t <= left.t + 2
      const lefts = inOrder.filter((row) => row.input === 0)
      const rights = inOrder.filter((row) => row.input === 1)
      const line = (key: unknown, a: unknown, b: unknown, t: number): string =>
        `${JSON.stringify(key)} = ${JSON.stringify(a)},${JSON.stringify(b)} @${t}`
      const expected = lefts.flatMap((a) =>
        rights
          .filter((b) => matches(a, b))
          .map((b) => line(a.key, a.value![0], b.value![0], Math.max(a.t, b.t))),
      )
      if (type === 'LEFT' || type === 'FULL') {
        const lonely = lefts.filter((a) => !rights.some((b) => matches(a, b)))
        expected.push(...lonely.map((a) => line(a.key, a.value![0], null, a.t)))
      }
      if (type === 'RIGHT' || type === 'FULL') {
        const lonely = rights.filter((b) => !lefts.some((a) => matches(a, b)))
        expected.push(...lonely.map((b) => line(b.key, null, b.value![0], b.t)))
      }
      expect(harness.out.toSorted()).toEqual(expected.toSorted())
    },
  )
})

suite('two tables joined', () => {
  const join = (type: JoinType): TableTableJoinNode => ({
    kind: 'table-table-join',
    join: type,
    left: leftTable,
    right: rightTable,
    schema: joined,
    output: 'table',
    windowed: null,
  })
  const inputs = [leftTable, rightTable]
  const rows = [
    l('a', '1', 0),
    r('a', 'x', 10),
    r('a', 'y', 5),
    l('a', null, 20),
    r('a', null, 30),
    l('a', null, 40),
    r('b', 'z', 50),
  ]

  test('INNER: a row while both sides have one; no deletion of what never was', async () => {
    expect(await run(join('INNER'), inputs, rows)).toEqual([
      '"a" = "1","x" @10',
      '"a" = "1","y" (was "1","x") @5',
      '"a" = gone (was "1","y") @20',
    ])
  })

  test('LEFT keeps left rows, RIGHT right rows, FULL both', async () => {
    expect(withoutOld(await run(join('LEFT'), inputs, rows))).toEqual([
      '"a" = "1",null @0',
      '"a" = "1","x" @10',
      '"a" = "1","y" @5',
      '"a" = gone @20',
    ])
    expect(withoutOld(await run(join('RIGHT'), inputs, rows))).toEqual([
      '"a" = "1","x" @10',
      '"a" = "1","y" @5',
      '"a" = null,"y" @20',
      '"a" = gone @30',
      '"b" = null,"z" @50',
    ])
    expect(withoutOld(await run(join('FULL'), inputs, rows)).slice(3)).toEqual([
      '"a" = null,"y" @20',
      '"a" = gone @30',
      '"b" = null,"z" @50',
    ])
  })

  const anyRows = fc.array(
    fc.record({
      input: fc.constantFrom(0, 1),
      key: fc.constantFrom('a', 'b', 'c'),
      value: fc.option(fc.tuple(fc.constantFrom('x', 'y')), { nil: null }),
      t: fc.nat(20),
    }),
    { maxLength: 40 },
  )
  property.prop([anyRows, fc.constantFrom<JoinType>('INNER', 'LEFT', 'RIGHT', 'FULL')])(
    'the last rows are the join of both tables, and so are the committed ones',
    async (rows, type) => {
      const harness = new Harness(join(type), inputs)
      await harness.feed(rows)
      const last = (input: number): Map<unknown, TestRow['value']> =>
        new Map(rows.filter((row) => row.input === input).map((row) => [row.key, row.value]))
      const [left, right] = [last(0), last(1)]
      const expected: string[] = []
      for (const key of ['a', 'b', 'c']) {
        const a = left.get(key) ?? null
        const b = right.get(key) ?? null
        const kept =
          (a !== null && b !== null) ||
          (a !== null && (type === 'LEFT' || type === 'FULL')) ||
          (b !== null && (type === 'RIGHT' || type === 'FULL'))
        if (kept)
          expected.push(`"${key}" = ${JSON.stringify(a?.[0] ?? null)},${JSON.stringify(b?.[0] ?? null)}`)
      }
      const withoutTime = (line: string): string => line.replace(/ @.*/, '')
      const present = new Map<string, string>()
      for (const line of withoutOld(harness.out).map(withoutTime)) {
        if (line.includes('gone')) present.delete(line.slice(0, 3))
        else present.set(line.slice(0, 3), line)
      }
      expect([...present.values()].toSorted()).toEqual(expected)
      const everything = { keys: null, from: null, to: null, startFromMs: 0, startToMs: Infinity }
      const read: string[] = []
      for await (const batch of harness.operator.readCommitted!(everything)) read.push(...describe(batch))
      expect(read.map(withoutTime)).toEqual(expected)
    },
  )

  property.prop([anyRows])('batching never changes an answer', async (rows) => {
    const whole = new Harness(join('FULL'), inputs)
    await whole.feed(rows)
    expect(whole.out).toEqual(await run(join('FULL'), inputs, rows))
    const inOrder = rows.toSorted((a, b) => a.t - b.t || a.input - b.input)
    expect(await merged(join('FULL'), inputs, inOrder)).toEqual(await run(join('FULL'), inputs, inOrder))
  })
})

suite('tables joined on a foreign key', () => {
  const left = source('lt', 'table', { ID: STRING, FK: BIGINT, L: STRING })
  const right = source('rt', 'table', { RID: BIGINT, R: STRING })
  const join = (type: 'INNER' | 'LEFT'): ForeignKeyJoinNode => ({
    kind: 'foreign-key-join',
    join: type,
    left,
    right,
    foreignKey: column('FK', BIGINT),
    schema: schemaOf({ ID: STRING }, { FK: BIGINT, L: STRING, R: STRING }),
    output: 'table',
    windowed: null,
  })
  const inputs = [left, right]
  const row = (key: string, value: [number | null, string] | null, t: number): TestRow => ({
    input: 0,
    key,
    value,
    t,
  })
  const named = (key: number, value: string | null, t: number): TestRow => ({
    input: 1,
    key,
    value: value === null ? null : [value],
    t,
  })

  const rows = [
    named(0, 'x', 0),
    row('a', [0, 'l'], 10),
    row('b', [9, 'm'], 11),
    named(0, 'y', 15),
    row('c', [0, 'n'], 16),
    named(0, null, 17),
    row('a', null, 18),
  ]

  test('INNER follows both sides', async () => {
    expect(await run(join('INNER'), inputs, rows)).toEqual([
      '"a" = 0,"l","x" @10',
      '"a" = 0,"l","y" (was 0,"l","x") @15',
      '"c" = 0,"n","y" @16',
      '"a" = gone (was 0,"l","y") @17',
      '"c" = gone (was 0,"n","y") @17',
    ])
    expect((await run(join('INNER'), inputs, rows, { compatibility: true })).at(-1)).toBe('"a" = gone @18')
  })

  test('LEFT keeps every left row', async () => {
    expect(withoutOld(await run(join('LEFT'), inputs, [...rows, row('b', null, 19)]))).toEqual([
      '"a" = 0,"l","x" @10',
      '"b" = 9,"m",null @11',
      '"a" = 0,"l","y" @15',
      '"c" = 0,"n","y" @16',
      '"a" = 0,"l",null @17',
      '"c" = 0,"n",null @17',
      '"a" = gone @18',
      '"b" = gone @19',
    ])
  })

  test('a changed foreign key moves the reference; a null one ends it', async () => {
    const moved = [
      named(1, 'one', 0),
      named(2, 'two', 0),
      row('a', [1, 'l'], 1),
      row('a', [2, 'l'], 2),
      named(1, 'uno', 3),
      row('a', [null, 'l'], 4),
      named(2, 'due', 5),
    ]
    expect(await run(join('INNER'), inputs, moved)).toEqual([
      '"a" = 1,"l","one" @1',
      '"a" = 2,"l","two" (was 1,"l","one") @2',
      '"a" = gone (was 2,"l","two") @4',
    ])
    expect((await run(join('LEFT'), inputs, moved)).at(-1)).toBe('"a" = null,"l",null (was 2,"l","two") @4')
  })

  const anyRows = fc.array(
    fc.oneof(
      fc.record({
        input: fc.constant(0),
        key: fc.constantFrom('a', 'b', 'c'),
        value: fc.option(fc.tuple(fc.constantFrom(1, 2, null), fc.constantFrom('x', 'y')), { nil: null }),
        t: fc.nat(20),
      }),
      fc.record({
        input: fc.constant(1),
        key: fc.constantFrom(1, 2),
        value: fc.option(fc.tuple(fc.constantFrom('p', 'q')), { nil: null }),
        t: fc.nat(20),
      }),
    ),
    { maxLength: 40 },
  )
  property.prop([anyRows, fc.constantFrom('INNER' as const, 'LEFT' as const)])(
    'the committed rows are the join of both tables; batching changes nothing',
    async (rows, type) => {
      const whole = new Harness(join(type), inputs)
      await whole.feed(rows)
      expect(whole.out).toEqual(await run(join(type), inputs, rows))
      const inOrder = rows.toSorted((a, b) => a.t - b.t || a.input - b.input)
      expect(await merged(join(type), inputs, inOrder)).toEqual(await run(join(type), inputs, inOrder))
      const last = (input: number): Map<unknown, TestRow['value']> =>
        new Map(rows.filter((one) => one.input === input).map((one) => [one.key, one.value]))
      const [lefts, rights] = [last(0), last(1)]
      const expected: string[] = []
      for (const key of ['a', 'b', 'c']) {
        const a = lefts.get(key) ?? null
        if (a === null) continue
        const b = rights.get(a[0]) ?? null
        if (b === null && type === 'INNER') continue
        expected.push(`"${key}" = ${[...a, b?.[0] ?? null].map((v) => JSON.stringify(v)).join(',')}`)
      }
      const read: string[] = []
      const everything = { keys: null, from: null, to: null, startFromMs: 0, startToMs: Infinity }
      for await (const batch of whole.operator.readCommitted!(everything)) read.push(...describe(batch))
      expect(read.map((line) => line.replace(/ @.*/, ''))).toEqual(expected)
    },
  )
})
