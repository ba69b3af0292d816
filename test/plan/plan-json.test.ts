import Big from 'big.js'
import { expect, test } from 'vitest'

import { planFromJson, planToJson } from '../../src/plan/plan-json.ts'
import type { QueryPlan } from '../../src/plan/plan-node.ts'
import { BIGINT, BYTES, decimal, DOUBLE, mapOf, STRING, type SqlType } from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'

const VALUES: readonly (readonly [SqlType, SqlValue])[] = [
  [BIGINT, 9223372036854775807n],
  [decimal(5, 2), new Big('1.50')],
  [BYTES, new Uint8Array([0, 255])],
  [DOUBLE, Number.NaN],
  [DOUBLE, Number.NEGATIVE_INFINITY],
  [mapOf(STRING, BIGINT), new Map<SqlValue, SqlValue>([['a', 1n]])],
  [STRING, '$bigint'],
  [STRING, null],
]

function planOf(values: readonly (readonly [SqlType, SqlValue])[]): QueryPlan {
  const format = { name: 'JSON', properties: {}, wrapping: null } as const
  const schema = { columns: values.map(([type], i) => ({ name: `C${i}`, type, role: 'value' as const })) }
  return {
    version: 1,
    limit: null,
    sink: null,
    root: {
      kind: 'project',
      schema,
      output: 'stream',
      windowed: null,
      columns: values.map(([type, value]) => ({ kind: 'literal', type, value })),
      input: {
        kind: 'source',
        schema,
        output: 'stream',
        windowed: null,
        source: {
          name: 'S',
          kind: 'stream',
          topic: 's',
          schema,
          keyFormat: format,
          valueFormat: format,
          windowedKey: null,
          timestamp: null,
          headers: [],
          readOnly: false,
          statement: '',
          createdBy: null,
        },
      },
    },
  }
}

test('every kind of value survives', () => {
  const plan = planOf(VALUES)
  expect(planFromJson(planToJson(plan))).toEqual(plan)
})

test('another version and other text are refused', () => {
  expect(() => planFromJson(planToJson(planOf(VALUES)).replace('"version":1', '"version":2'))).toThrow(
    expect.objectContaining({ code: 'PLAN_UNREADABLE' }),
  )
  expect(() => planFromJson('{')).toThrow(expect.objectContaining({ code: 'PLAN_UNREADABLE' }))
})
