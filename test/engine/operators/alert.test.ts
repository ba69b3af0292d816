import { describe as suite, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import { ALERT_EVENT_COLUMNS } from '../../../src/plan/alert-events.ts'
import type { AggregateNode, AlertNode, PlanNode } from '../../../src/plan/plan-node.ts'
import { keyColumns, valueColumns } from '../../../src/plan/schema.ts'
import { BIGINT, STRING } from '../../../src/plan/sql-type.ts'
import {
  column,
  COUNT,
  describe,
  greater,
  Harness,
  schemaOf,
  source,
  type HarnessOptions,
  type TestRow,
} from './harness.ts'

const stream = source('s', 'stream', { ID: STRING, N: BIGINT })
const table = source('t', 'table', { ID: STRING, N: BIGINT })
const windowed: AggregateNode = {
  kind: 'aggregate',
  input: stream,
  schema: schemaOf({ ID: STRING }, { N: BIGINT }),
  output: 'table',
  windowed: { type: 'TUMBLING', sizeMs: 10 },
  aggregates: [COUNT],
  window: { type: 'TUMBLING', sizeMs: 10, graceMs: 0, retentionMs: 10 },
  emit: 'final',
}

function alert(input: PlanNode, rules: Partial<AlertNode> = {}): AlertNode {
  return {
    kind: 'alert',
    input,
    name: 'HOT',
    condition: greater(column('N', BIGINT), 10),
    forMs: 0,
    keepFiringForMs: 0,
    resolveWhen: null,
    noData: null,
    severity: 'high',
    schema: {
      columns: [...keyColumns(input.schema), ...ALERT_EVENT_COLUMNS, ...valueColumns(input.schema)],
    },
    output: 'stream',
    windowed: null,
    ...rules,
  }
}

/** `key state since..at [window] value` */
function events(lines: readonly string[]): string[] {
  return lines.map((line) => {
    const [, key, body] = /^(.*) = "HOT","high",(.*) @\d+$/.exec(line)!
    const [state, since, at, start, end, ...values] = body!.split(',')
    const window = start === 'null' ? '' : ` [${start}..${end}]`
    return `${key} ${JSON.parse(state!)} ${since}..${at}${window} ${values.join(',')}`
  })
}

async function follow(
  node: AlertNode,
  rows: readonly TestRow[],
  options?: HarnessOptions,
): Promise<string[]> {
  const harness = new Harness(node, [node.input], options)
  await harness.feedOneByOne(rows)
  return events(harness.out)
}

const row = (t: number, n: number | null, key = 'a'): TestRow => ({ key, value: n === null ? null : [n], t })
const rows = (...pairs: readonly (readonly [number, number])[]): TestRow[] => pairs.map(([t, n]) => row(t, n))

suite('over a stream', () => {
  test('fires when the condition holds and resolves when it ceases', async () => {
    expect(await follow(alert(stream), rows([1, 5], [2, 11], [3, 12], [4, 9], [5, 8]))).toEqual([
      '"a" firing 2..2 11',
      '"a" resolved 2..4 9',
    ])
  })

  test('FOR: pending until an evaluation that much later; a negative one starts the clock anew', async () => {
    const node = alert(stream, { forMs: 10 })
    expect(await follow(node, rows([0, 11], [9, 11], [10, 1], [11, 11], [20, 11], [21, 11]))).toEqual([
      '"a" pending 0..0 11',
      '"a" pending 11..11 11',
      '"a" firing 11..21 11',
    ])
    // Another key's rows don't say that the condition goes on holding.
    expect(await follow(node, [row(0, 11), row(50, 1, 'b')])).toEqual(['"a" pending 0..0 11'])
  })

  test('KEEP FIRING FOR outlasts a lull and then resolves by time', async () => {
    const node = alert(stream, { keepFiringForMs: 10 })
    expect(await follow(node, rows([0, 11], [5, 1], [9, 11], [12, 1], [14, 1]))).toEqual([
      '"a" firing 0..0 11',
    ])
    expect(await follow(node, [...rows([0, 11], [12, 1], [14, 1]), row(30, 1, 'b')])).toEqual([
      '"a" firing 0..0 11',
      '"a" resolved 0..22 1',
    ])
    expect(await follow(node, rows([0, 11], [5, 1], [15, 12]))).toEqual([
      '"a" firing 0..0 11',
      '"a" resolved 0..15 1',
      '"a" firing 15..15 12',
    ])
  })

  test('RESOLVE WHEN decides alone while firing', async () => {
    const node = alert(stream, {
      resolveWhen: { ...greater(column('N', BIGINT), 3), op: '=' } as AlertNode['resolveWhen'],
    })
    expect(await follow(node, rows([0, 11], [1, 5], [2, 3], [3, 5]))).toEqual([
      '"a" firing 0..0 11',
      '"a" resolved 0..2 3',
    ])
  })

  test('rows older than the last one of a firing key are late', async () => {
    const harness = new Harness(alert(stream), [stream])
    await harness.feed(rows([5, 11], [4, 1], [6, 12]))
    expect(events(harness.out)).toEqual(['"a" firing 5..5 11'])
    expect(harness.dropped).toEqual(['late'])
  })

  test('NO DATA … THEN FIRE: silence fires, data resolves', async () => {
    const node = alert(stream, { noData: { afterMs: 10, then: 'FIRE' } })
    expect(await follow(node, [row(0, 5), row(9, 5, 'b'), row(12, 5, 'b'), row(13, 5), row(14, 5)])).toEqual([
      '"a" firing 0..10 5',
      '"a" resolved 0..13 5',
    ])
    const harness = new Harness(node, [stream])
    await harness.feed([row(0, 5), row(3, 5, 'b')])
    expect(harness.operator.nextTimerMs()).toBe(10)
    await harness.runOut()
    expect(events(harness.out)).toEqual(['"a" firing 0..10 5', '"b" firing 3..13 5'])
  })

  test('NO DATA … THEN RESOLVE and KEEP', async () => {
    const quiet = [row(0, 11), row(20, 1, 'b')]
    const resolving = alert(stream, { noData: { afterMs: 10, then: 'RESOLVE' }, keepFiringForMs: 5 })
    expect(await follow(resolving, quiet)).toEqual(['"a" firing 0..0 11', '"a" resolved 0..10 11'])
    const keeping = alert(stream, { noData: { afterMs: 10, then: 'KEEP' } })
    expect(await follow(keeping, quiet)).toEqual(['"a" firing 0..0 11'])
  })

  test('a stream without a key has one instance; a null key has none', async () => {
    const keyless: PlanNode = {
      ...stream,
      schema: { columns: stream.schema.columns.map((c) => ({ ...c, role: 'value' as const })) },
    }
    const node = alert(keyless)
    const harness = new Harness(node, [keyless])
    await harness.feed([
      { key: [], value: ['x', 11], t: 1 },
      { key: [], value: ['y', 1], t: 2 },
    ])
    expect(events(harness.out)).toEqual([' firing 1..1 "x",11', ' resolved 1..2 "y",1'])
    const keyed = new Harness(alert(stream), [stream])
    await keyed.feed([{ key: null, value: [11], t: 0 }])
    expect(keyed.dropped).toEqual(['null-key'])
  })
})

suite('over a table', () => {
  test('the condition goes on holding between changes; a deletion ends it', async () => {
    const node = alert(table, { forMs: 10 })
    expect(await follow(node, [row(0, 11), row(9, 1, 'b'), row(12, 1, 'b'), row(15, null)])).toEqual([
      '"a" pending 0..0 11',
      '"a" firing 0..10 11',
      '"a" resolved 0..15 11',
    ])
  })

  test('a change with an older timestamp counts all the same', async () => {
    expect(await follow(alert(table), rows([5, 11], [3, 1]))).toEqual([
      '"a" firing 5..5 11',
      '"a" resolved 5..5 1',
    ])
  })
})

suite('over windows', () => {
  const window = (start: number, t: number, n: number | null, key = 'a'): TestRow => ({
    ...row(t, n, key),
    window: [start, start + 10],
  })

  test('windows are evaluations in their order, at their last event time', async () => {
    const node = alert(windowed, { forMs: 10 })
    const seen = [
      window(0, 8, 11),
      window(10, 17, 11),
      window(20, 29, 12),
      window(10, 19, 1),
      window(30, 31, 2),
    ]
    const harness = new Harness(node, [windowed])
    await harness.feed(seen)
    expect(events(harness.out)).toEqual([
      '"a" pending 8..8 [0..10] 11',
      '"a" firing 8..29 [20..30] 12',
      '"a" resolved 8..31 [30..40] 2',
    ])
    expect(harness.dropped).toEqual(['late'])
  })

  test('a window without a row is a negative evaluation', async () => {
    const seen = [window(0, 8, 11), window(10, 15, 1, 'b'), window(20, 25, 1, 'b')]
    expect(await follow(alert(windowed), seen)).toEqual([
      '"a" firing 8..8 [0..10] 11',
      '"a" resolved 8..20 [0..10] 11',
    ])
    const harness = new Harness(alert(windowed), [windowed])
    await harness.feed(seen.slice(0, 2))
    await harness.runOut()
    expect(events(harness.out).at(-1)).toBe('"a" resolved 8..20 [0..10] 11')
    expect(harness.stores.size('instances')).toBe(0)
    expect(harness.stores.size('timers')).toBe(0)
  })

  test('with NO DATA a missing window says nothing', async () => {
    const node = alert(windowed, { noData: { afterMs: 30, then: 'RESOLVE' } })
    const seen = [window(0, 8, 11), window(20, 25, 1, 'b'), window(30, 39, 1, 'b')]
    expect(await follow(node, seen)).toEqual(['"a" firing 8..8 [0..10] 11', '"a" resolved 8..38 [0..10] 11'])
  })
})

test('pull queries see what is pending and firing', async () => {
  const node = alert(stream, { forMs: 10 })
  const harness = new Harness(node, [stream])
  await harness.feed([row(0, 11), row(1, 11, 'b'), row(2, 1, 'c'), row(10, 12)])
  const read: string[] = []
  const everything = { keys: null, from: null, to: null, startFromMs: 0, startToMs: 1000 }
  for await (const batch of harness.operator.readCommitted!(everything)) read.push(...describe(batch))
  expect(events(read)).toEqual(['"a" firing 0..10 12', '"b" pending 1..1 11'])
})

const anyRules = fc.record({
  forMs: fc.constantFrom(0, 5, 20),
  keepFiringForMs: fc.constantFrom(0, 7),
  noData: fc.option(
    fc.record({
      afterMs: fc.constantFrom(4, 15),
      then: fc.constantFrom('FIRE' as const, 'KEEP' as const, 'RESOLVE' as const),
    }),
    { nil: null },
  ),
})
const anyRows = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    value: fc.tuple(fc.constantFrom(5, 11)),
    t: fc.nat(60),
  }),
  { maxLength: 30 },
)
const anyInput = fc.constantFrom<PlanNode>(stream, table, windowed)
const onInput = (input: PlanNode, given: readonly TestRow[]): TestRow[] =>
  given.map((one): TestRow => {
    if (input.windowed === null) return one
    const start = Math.floor(one.t / 10) * 10
    return { ...one, window: [start, start + 10] }
  })

test('a timer that was set anew hides none behind it', async () => {
  const harness = new Harness(alert(table, { forMs: 5, noData: { afterMs: 15, then: 'FIRE' } }), [table])
  await harness.feed([row(0, 5), row(1, 5, 'b'), row(1, 11), row(16, 5)])
  expect(events(harness.out)).toContain('"b" firing 1..16 5')
})

property.prop([anyInput, anyRules, anyRows])(
  'batching never changes an answer',
  async (input, rules, given) => {
    const all = onInput(input, given)
    const whole = new Harness(alert(input, rules), [input])
    await whole.feed(all)
    const single = new Harness(alert(input, rules), [input])
    await single.feedOneByOne(all)
    expect(whole.out).toEqual(single.out)
    expect(whole.dropped).toEqual(single.dropped)
  },
)

property.prop([anyInput, anyRules, anyRows, fc.nat(30), fc.nat(5)])(
  'a failed cycle and a restart leave no trace',
  async (input, rules, given, cut, lost) => {
    const all = onInput(input, given)
    const undisturbed = new Harness(alert(input, rules), [input])
    await undisturbed.feed(all)
    await undisturbed.runOut()
    const first = new Harness(alert(input, rules), [input])
    await first.feed(all.slice(0, cut))
    const committed = first.stores.commit()
    const before = first.out.length
    await first.feed(all.slice(cut, cut + lost))
    const second = new Harness(alert(input, rules), [input], { committed })
    await second.feed(all.slice(cut))
    await second.runOut()
    expect([...first.out.slice(0, before), ...second.out]).toEqual(undisturbed.out)
  },
)

property.prop([anyInput, anyRules, anyRows])(
  'per key: pending, firing and resolved in turn',
  async (input, rules, given) => {
    const harness = new Harness(alert(input, rules), [input])
    await harness.feed(onInput(input, given))
    await harness.runOut()
    for (const key of ['a', 'b', 'c']) {
      const states = events(harness.out)
        .filter((event) => event.startsWith(`"${key}"`))
        .map((event) => event.split(' ')[1]!)
      let firing = false
      for (const state of states) {
        if (state === 'resolved') expect(firing).toBe(true)
        else expect(firing).toBe(false)
        if (state === 'pending') expect(rules.forMs).toBeGreaterThan(0)
        firing = state === 'firing'
      }
    }
  },
)
