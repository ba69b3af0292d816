import { expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import { tableRekey } from '../../../src/engine/operators/table-rekey.ts'
import type { TableAggregateNode } from '../../../src/plan/plan-node.ts'
import { BIGINT, STRING } from '../../../src/plan/sql-type.ts'
import { ColdStores } from './cold-stores.ts'
import {
  batchOf,
  column,
  COUNT,
  describe,
  Harness,
  run,
  schemaOf,
  source,
  sum,
  testContext,
  type TestRow,
} from './harness.ts'

const table = source('t', 'table', { ID: STRING, G: STRING, N: BIGINT })

test('a table keeps the last row of each key and says what it replaces', async () => {
  const harness = new Harness(table, [table])
  await harness.feedOneByOne([
    { key: 'a', value: ['g', 1], t: 5 },
    { key: 'a', value: ['g', 2], t: 3 },
    { key: null, value: ['g', 3], t: 4 },
    { key: 'a', value: null, t: 6 },
    { key: 'a', value: null, t: 7 },
  ])
  expect(harness.out).toEqual([
    '"a" = "g",1 @5',
    '"a" = "g",2 (was "g",1) @3',
    '"a" = gone (was "g",2) @6',
    '"a" = gone @7',
  ])
  expect(harness.dropped).toEqual(['null-key'])
  expect(harness.stores.size('rows')).toBe(0)
})

test('rows of a windowed table are told apart by their window', async () => {
  for (const windowed of [
    { type: 'TUMBLING', sizeMs: 10 },
    { type: 'SESSION', sizeMs: null },
  ] as const) {
    const node = source('w', 'table', { ID: STRING, N: BIGINT }, windowed)
    const rows: TestRow[] = [
      { key: 'a', value: [1], t: 1, window: [0, 10] },
      { key: 'a', value: [2], t: 2, window: [10, 20] },
      { key: 'a', value: [3], t: 3, window: [0, 10] },
      { key: 'a', value: null, t: 4, window: [10, 20] },
    ]
    const harness = new Harness(node, [node])
    await harness.feed(rows)
    expect(harness.out).toEqual([
      '"a" [0..10] = 1 @1',
      '"a" [10..20] = 2 @2',
      '"a" [0..10] = 3 (was 1) @3',
      '"a" [10..20] = gone (was 2) @4',
    ])
    const read: string[] = []
    const everything = { keys: null, from: null, to: null, startFromMs: 0, startToMs: 1000 }
    for await (const batch of harness.operator.readCommitted!(everything)) read.push(...describe(batch))
    expect(read).toEqual(['"a" [0..10] = 3 @3'])
  }
})

const grouped: TableAggregateNode = {
  kind: 'table-aggregate',
  input: table,
  groupBy: [column('G', STRING)],
  schema: schemaOf({ G: STRING }, { COUNT: BIGINT, SUM: BIGINT }),
  output: 'table',
  windowed: null,
  aggregates: [COUNT, sum(column('N', BIGINT))],
}

/** Both halves of GROUP BY over a table, as if its partitions were one. */
async function group(rows: readonly TestRow[], cache = false): Promise<string[]> {
  const changes = await new Promise<TestRow[]>((resolve) => {
    const last = new Map<unknown, TestRow['value']>()
    resolve(
      rows.map((row) => {
        const old = last.get(row.key) ?? null
        last.set(row.key, row.value)
        return { ...row, old }
      }),
    )
  })
  const rekey = tableRekey(
    grouped,
    testContext(
      new ColdStores(),
      {},
      () => {},
      () => {},
    ),
  )
  const harness = new Harness(grouped, [grouped], { cache })
  for (const change of changes) {
    const batch = rekey(batchOf(table.schema, [change]))
    if (batch.size === 0) continue
    harness.stores.evict()
    await harness.operator.prepare(0, batch)
    harness.operator.process(0, batch)
  }
  harness.operator.flush()
  return harness.out
}

test('a changed row is undone in its old group and added to its new one', async () => {
  const rows: TestRow[] = [
    { key: 'a', value: ['g', 1], t: 1 },
    { key: 'b', value: ['g', 2], t: 2 },
    { key: 'a', value: ['g', 5], t: 3 },
    { key: 'a', value: ['h', 5], t: 2 },
    { key: 'b', value: null, t: 9 },
    { key: 'c', value: null, t: 9 },
  ]
  expect(await group(rows)).toEqual([
    '"g" = 1,1 @1',
    '"g" = 2,3 (was 1,1) @2',
    '"g" = 2,7 (was 2,3) @3',
    '"g" = 1,2 (was 2,7) @3',
    '"h" = 1,5 @2',
    '"g" = 0,0 (was 1,2) @9',
  ])
})

test('a null group is no group', async () => {
  expect(
    await group([
      { key: 'a', value: [null, 1], t: 1 },
      { key: 'a', value: ['g', 1], t: 2 },
      { key: 'a', value: [null, 1], t: 3 },
    ]),
  ).toEqual(['"g" = 1,1 @2', '"g" = 0,0 (was 1,1) @3'])
})

property.prop([
  fc.array(
    fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      value: fc.option(fc.tuple(fc.constantFrom('g', 'h', null), fc.nat(9)), { nil: null }),
      t: fc.nat(20),
    }),
    { maxLength: 30 },
  ),
  fc.boolean(),
])('groups are those of the last rows, with and without the cache', async (rows, cache) => {
  const groups = new Map<string, string>()
  for (const line of await group(rows, cache)) groups.set(line.slice(0, 3), line.replace(/ (\(was|@).*/, ''))
  const last = new Map(rows.map((row) => [row.key, row.value]))
  for (const g of ['g', 'h']) {
    const members = [...last.values()]
      .filter((value) => value !== null && value[0] === g)
      .map((value) => value![1])
    const expected = `"${g}" = ${members.length},${members.reduce((a, b) => a + b, 0)}`
    const found = groups.get(`"${g}"`)
    if (members.length > 0 || found !== undefined) expect(found).toBe(expected)
  }
})

test('windowless aggregates and joins have nothing to do by themselves', async () => {
  expect(await run(table, [table], [])).toEqual([])
  expect(new Harness(table, [table]).operator.nextTimerMs()).toBe(null)
})
