import { expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import type { AggregateNode, WindowSpec } from '../../../src/plan/plan-node.ts'
import { BIGINT, STRING } from '../../../src/plan/sql-type.ts'
import {
  COUNT,
  Harness,
  collect,
  column,
  lastPerRow,
  run,
  schemaOf,
  source,
  sum,
  withoutOld,
  type HarnessOptions,
  type TestRow,
} from './harness.ts'

const input = source('events', 'stream', { ID: STRING, N: BIGINT })

function aggregate(window: WindowSpec | null, emit: 'changes' | 'final' = 'changes'): AggregateNode {
  return {
    kind: 'aggregate',
    input,
    schema: schemaOf({ ID: STRING }, { COUNT: BIGINT, SUM: BIGINT }),
    output: 'table',
    windowed:
      window === null
        ? null
        : { type: window.type, sizeMs: window.type === 'SESSION' ? null : window.sizeMs },
    aggregates: [COUNT, sum(column('N', BIGINT))],
    window,
    emit,
  }
}

const tumbling = (sizeMs: number, graceMs: number, retentionMs = sizeMs + graceMs): WindowSpec => ({
  type: 'TUMBLING',
  sizeMs,
  graceMs,
  retentionMs,
})
const hopping = (sizeMs: number, advanceMs: number, graceMs: number): WindowSpec => ({
  type: 'HOPPING',
  sizeMs,
  advanceMs,
  graceMs,
  retentionMs: sizeMs + graceMs,
})
const session = (gapMs: number, graceMs: number): WindowSpec => ({
  type: 'SESSION',
  gapMs,
  graceMs,
  retentionMs: gapMs + graceMs,
})

const at = (...times: number[]): TestRow[] => times.map((t) => ({ key: 'a', value: [1], t }))
const results = async (
  node: AggregateNode,
  rows: readonly TestRow[],
  options?: HarnessOptions,
): Promise<string[]> => run(node, [input], rows, options)

test('a group adds up; its timestamp is the highest of its rows', async () => {
  const rows: TestRow[] = [
    { key: 'a', value: [5], t: 10 },
    { key: 'b', value: [1], t: 20 },
    { key: 'a', value: [2], t: 3 },
  ]
  expect(await results(aggregate(null), rows)).toEqual([
    '"a" = 1,5 @10',
    '"b" = 1,1 @20',
    '"a" = 2,7 (was 1,5) @10',
  ])
})

test('rows without a key or a value count for nothing and are counted', async () => {
  const harness = new Harness(aggregate(null), [input])
  await harness.feed([
    { key: null, value: [1], t: 0 },
    { key: 'a', value: null, t: 0 },
    { key: 'a', value: [null], t: 0 },
  ])
  expect(harness.out).toEqual(['"a" = 1,0 @0'])
  expect(harness.dropped).toEqual(['null-key', 'null-value'])
})

test('with the cache a cycle emits each group once, replacing what was last emitted', async () => {
  const harness = new Harness(aggregate(null), [input], { cache: true })
  await harness.feed([...at(1, 2), { key: 'b', value: [9], t: 1 }, ...at(3)])
  expect(harness.out).toEqual([])
  harness.operator.flush()
  expect(harness.out).toEqual(['"a" = 3,3 @3', '"b" = 1,9 @1'])
  await harness.feed(at(4, 5))
  harness.operator.flush()
  expect(harness.out.slice(2)).toEqual(['"a" = 5,5 (was 3,3) @5'])
})

test('an aggregate that fails stops the query', async () => {
  const node: AggregateNode = {
    ...aggregate(null),
    aggregates: [collect(column('ID', STRING))],
    schema: schemaOf({ ID: STRING }, { ALL: { kind: 'ARRAY', element: STRING } }),
  }
  await expect(results(node, [{ key: 'broken', value: [1], t: 0 }])).rejects.toMatchObject({
    code: 'QUERY_AGGREGATE_FAILED',
  })
})

test('a row belongs to the window of its time until the window closes', async () => {
  const harness = new Harness(aggregate(tumbling(10, 5)), [input])
  await harness.feed(at(3, 12, 14, 9, 15, 9))
  expect(withoutOld(harness.out)).toEqual([
    '"a" [0..10] = 1,1 @3',
    '"a" [10..20] = 1,1 @12',
    '"a" [10..20] = 2,2 @14',
    '"a" [0..10] = 2,2 @9',
    '"a" [10..20] = 3,3 @15',
  ])
  expect(harness.dropped).toEqual(['late'])
})

test('hopping windows overlap; a row that is late for some still counts in others', async () => {
  const harness = new Harness(aggregate(hopping(10, 5, 0)), [input])
  await harness.feed(at(12, 15, 13, 4))
  expect(withoutOld(harness.out)).toEqual([
    '"a" [5..15] = 1,1 @12',
    '"a" [10..20] = 1,1 @12',
    '"a" [10..20] = 2,2 @15',
    '"a" [15..25] = 1,1 @15',
    '"a" [10..20] = 3,3 @15',
  ])
  expect(harness.dropped).toEqual(['late'])
})

test('EMIT FINAL emits a window once, when stream time reaches its end plus grace', async () => {
  expect(await results(aggregate(tumbling(10, 5), 'final'), at(1, 11, 3, 14))).toEqual([])
  expect(await results(aggregate(tumbling(10, 5), 'final'), at(1, 11, 3, 14, 15, 3))).toEqual([
    '"a" [0..10] = 2,2 @3',
  ])
})

test('EMIT FINAL goes by start and then key', async () => {
  const rows: TestRow[] = ['b', 'a', 'c'].map((key, i) => ({ key, value: [1], t: i * 10 }))
  const more: TestRow[] = [
    { key: 'z', value: [1], t: 15 },
    { key: 'x', value: [1], t: 100 },
  ]
  const node = aggregate(tumbling(10, 20), 'final')
  expect(await results(node, [...rows, ...more])).toEqual([
    '"b" [0..10] = 1,1 @0',
    '"a" [10..20] = 1,1 @10',
    '"z" [10..20] = 1,1 @15',
    '"c" [20..30] = 1,1 @20',
  ])
})

test('a leap of stream time loses no window, except where ksqlDB loses it', async () => {
  const node = aggregate(tumbling(2, 1), 'final')
  const rows = at(0, 1, 2, 1, 0, 5)
  expect(await results(node, rows)).toEqual(['"a" [0..2] = 4,4 @1', '"a" [2..4] = 1,1 @2'])
  expect(await results(node, rows, { compatibility: true })).toEqual(['"a" [2..4] = 1,1 @2'])
  expect(
    await results(aggregate(hopping(5, 2, 1), 'final'), at(0, 1, 2, 1, 6, 5, 10), { compatibility: true }),
  ).toEqual(['"a" [0..5] = 4,4 @2', '"a" [4..9] = 2,2 @6'])
})

test('silence closes windows: time runs to the last open one and no further', async () => {
  const harness = new Harness(aggregate(tumbling(10, 5), 'final'), [input])
  expect(harness.operator.nextTimerMs()).toBe(0)
  await harness.advance(0)
  expect(harness.operator.nextTimerMs()).toBe(null)
  await harness.feed(at(1, 14))
  expect(harness.operator.nextTimerMs()).toBe(15)
  await harness.advance(14)
  expect(harness.out).toEqual([])
  await harness.runOut()
  expect(harness.out).toEqual(['"a" [0..10] = 1,1 @1', '"a" [10..20] = 1,1 @14'])
  expect(harness.operator.nextTimerMs()).toBe(null)
  // What silence closed stays closed.
  await harness.feed(at(19))
  expect(harness.dropped).toEqual(['late'])
})

test('sessions at most the gap apart are one; what they replace is taken back first', async () => {
  expect(await results(aggregate(session(5, 100)), at(0, 12, 7, 8))).toEqual([
    '"a" [0..0] = 1,1 @0',
    '"a" [12..12] = 1,1 @12',
    '"a" [12..12] = gone (was 1,1) @12',
    '"a" [7..12] = 2,2 @12',
    '"a" [7..12] = gone (was 2,2) @12',
    '"a" [7..12] = 3,3 @12',
  ])
  expect(withoutOld(await results(aggregate(session(5, 100)), at(0, 10, 5)))).toEqual([
    '"a" [0..0] = 1,1 @0',
    '"a" [10..10] = 1,1 @10',
    '"a" [0..0] = gone @0',
    '"a" [10..10] = gone @10',
    '"a" [0..10] = 3,3 @10',
  ])
})

test('merged sessions keep the order of their rows', async () => {
  const node: AggregateNode = {
    ...aggregate(session(5, 100)),
    aggregates: [collect(column('N', BIGINT))],
    schema: schemaOf({ ID: STRING }, { ALL: { kind: 'ARRAY', element: STRING } }),
  }
  const rows: TestRow[] = [10, 0, 5].map((t) => ({ key: 'a', value: [`${t}`], t }))
  expect((await results(node, rows)).at(-1)).toBe('"a" [0..10] = ["0","10","5"] @10')
})

test('a row is late when the session it would belong to is', async () => {
  const harness = new Harness(aggregate(session(5, 10)), [input])
  await harness.feed(at(0, 14, 4, 6, 40, 24, 15))
  expect(harness.dropped).toEqual(['late', 'late'])
  expect(lastPerRow(harness.out)).toEqual([
    '"a" [0..0] = gone @0',
    '"a" [0..4] = gone @4',
    '"a" [0..6] = 3,3 @6',
    '"a" [14..14] = 1,1 @14',
    '"a" [40..40] = 1,1 @40',
  ])
})

test('EMIT FINAL of sessions shows no retractions', async () => {
  const node = aggregate(session(5, 6), 'final')
  expect(await results(node, at(0, 4, 8, 12, 14, 30, 29, 17, 42))).toEqual([
    '"a" [0..14] = 5,5 @14',
    '"a" [29..30] = 2,2 @30',
  ])
})

test('silence closes sessions', async () => {
  const harness = new Harness(aggregate(session(5, 6), 'final'), [input])
  await harness.feed(at(0, 4))
  await harness.feed([{ key: 'b', value: [1], t: 9 }])
  await harness.runOut()
  expect(harness.out).toEqual(['"a" [0..4] = 2,2 @4', '"b" [9..9] = 1,1 @9'])
})

const windows: readonly (WindowSpec | null)[] = [
  null,
  tumbling(10, 7),
  tumbling(5, 0, 40),
  hopping(12, 4, 5),
  session(4, 6),
]
const anyRow = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  value: fc.tuple(fc.integer({ min: 0, max: 9 })),
  t: fc.integer({ min: 0, max: 120 }),
})
const anyNode = fc
  .tuple(fc.constantFrom(...windows), fc.constantFrom('changes' as const, 'final' as const))
  .map(([window, emit]) => aggregate(window, window === null ? 'changes' : emit))

property.prop([anyNode, fc.array(anyRow, { maxLength: 40 }), fc.boolean()])(
  'batching never changes an answer',
  async (node, rows, compatibility) => {
    const whole = new Harness(node, [input], { compatibility })
    await whole.feed(rows)
    const single = new Harness(node, [input], { compatibility })
    await single.feedOneByOne(rows)
    expect(whole.out).toEqual(single.out)
    expect(whole.dropped).toEqual(single.dropped)
  },
)

property.prop([anyNode, fc.array(anyRow, { maxLength: 40 }), fc.nat(40)])(
  'the cache never changes the last answer',
  async (node, rows, cut) => {
    const plain = new Harness(node, [input])
    await plain.feed(rows)
    const cached = new Harness(node, [input], { cache: true })
    await cached.feed(rows.slice(0, cut))
    cached.operator.flush()
    await cached.feed(rows.slice(cut))
    cached.operator.flush()
    const present = (lines: string[]): string[] => lastPerRow(lines).filter((line) => !line.includes('gone'))
    expect(present(cached.out)).toEqual(present(plain.out))
  },
)

property.prop([anyNode, fc.array(anyRow, { maxLength: 40 }), fc.nat(40), fc.nat(10)])(
  'a failed cycle and a restart leave no trace',
  async (node, rows, cut, lost) => {
    const undisturbed = new Harness(node, [input])
    await undisturbed.feed(rows)
    await undisturbed.runOut()
    const first = new Harness(node, [input])
    await first.feed(rows.slice(0, cut))
    first.operator.flush()
    const committed = first.stores.commit()
    const before = first.out.length
    await first.feed(rows.slice(cut, cut + lost))
    const second = new Harness(node, [input], { committed })
    await second.feed(rows.slice(cut))
    await second.runOut()
    expect([...first.out.slice(0, before), ...second.out]).toEqual(undisturbed.out)
  },
)
