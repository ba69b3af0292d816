import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Batch } from '../../src/engine/batch.ts'
import { Stage, type StageStep } from '../../src/engine/stage.ts'
import {
  BooleanVector,
  NumberVector,
  TextVector,
  ValueVector,
  type Vector,
} from '../../src/formats/vector.ts'
import { functionRegistry } from '../../src/functions/registry.ts'
import type { Expr } from '../../src/plan/expression.ts'
import type { Schema } from '../../src/plan/schema.ts'
import { BIGINT, BOOLEAN, DOUBLE, INTEGER, STRING, type SqlType } from '../../src/plan/sql-type.ts'
import type { Row, SqlValue } from '../../src/plan/sql-value.ts'

const SCHEMA: Schema = {
  columns: [
    { name: 'ID', type: STRING, role: 'key' },
    { name: 'I', type: INTEGER, role: 'value' },
    { name: 'L', type: BIGINT, role: 'value' },
    { name: 'D', type: DOUBLE, role: 'value' },
    { name: 'B', type: BOOLEAN, role: 'value' },
    { name: 'S', type: STRING, role: 'value' },
  ],
}

const column = (name: string): Expr => ({
  kind: 'column',
  name,
  type: SCHEMA.columns.find((c) => c.name === name)!.type,
})
const literal = (value: SqlValue, type: SqlType): Expr => ({ kind: 'literal', value, type })

const doubles: fc.Arbitrary<Expr> = fc.letrec<{ e: Expr }>((tie) => ({
  e: fc.oneof(
    { maxDepth: 3 },
    fc.constant(column('D')),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => literal(v, DOUBLE)),
    fc
      .tuple(fc.constantFrom('+', '-', '*', '/', '%'), tie('e'), tie('e'))
      .map(([op, left, right]): Expr => ({ kind: 'arithmetic', op: op as '+', left, right, type: DOUBLE })),
    tie('e').map((operand): Expr => ({ kind: 'negate', operand, type: DOUBLE })),
    fc.constant<Expr>({ kind: 'cast', operand: column('I'), type: DOUBLE }),
  ),
})).e

const whole = (name: 'I' | 'L', type: SqlType): fc.Arbitrary<Expr> =>
  fc.oneof(
    fc.constant(column(name)),
    fc.integer().map((v) => literal(v, type)),
    fc.tuple(fc.constantFrom('+', '-', '*', '/', '%'), fc.integer()).map(([op, v]): Expr => ({
      kind: 'arithmetic',
      op: op as '+',
      left: column(name),
      right: literal(v, type),
      type,
    })),
  )

const conditions: fc.Arbitrary<Expr> = fc.letrec<{ e: Expr }>((tie) => ({
  e: fc.oneof(
    { maxDepth: 3 },
    fc.constant(column('B')),
    fc.constantFrom<[Expr, SqlType]>([column('S'), STRING]).chain(([left]) =>
      fc
        .tuple(fc.constantFrom('=', '<>', '<', 'IS DISTINCT FROM'), fc.constantFrom('a', 'b', 'é'))
        .map(([op, v]): Expr => ({
          kind: 'comparison',
          op: op as '=',
          left,
          right: literal(v, STRING),
          type: BOOLEAN,
        })),
    ),
    fc
      .oneof(
        fc.tuple(doubles, doubles),
        fc.tuple(whole('I', INTEGER), whole('I', INTEGER)),
        fc.tuple(whole('L', BIGINT), whole('L', BIGINT)),
      )
      .chain(([left, right]) =>
        fc
          .constantFrom('=', '<>', '<', '<=', '>', '>=', 'IS NOT DISTINCT FROM')
          .map((op): Expr => ({ kind: 'comparison', op: op as '=', left, right, type: BOOLEAN })),
      ),
    fc
      .tuple(fc.constantFrom('AND' as const, 'OR' as const), tie('e'), tie('e'))
      .map(([op, left, right]): Expr => ({ kind: 'logical', op, left, right, type: BOOLEAN })),
    tie('e').map((operand): Expr => ({ kind: 'not', operand, type: BOOLEAN })),
    fc
      .tuple(fc.constantFrom('I', 'L', 'D', 'B', 'S'), fc.boolean())
      .map(([name, negated]): Expr => ({ kind: 'is-null', operand: column(name), negated, type: BOOLEAN })),
  ),
})).e

const rows = fc.array(
  fc.tuple(
    fc.string(),
    fc.option(fc.integer()),
    fc.option(fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constant(2n ** 60n))),
    fc.option(fc.double({ noNaN: true })),
    fc.option(fc.boolean()),
    fc.option(fc.constantFrom('a', 'b', 'é', '')),
  ),
  { maxLength: 12 },
) as fc.Arbitrary<Row[]>

/** The same rows as the vectors a decoder makes, or as plain values. */
function batchOf(data: readonly Row[], typed: boolean): Batch {
  const vectors = SCHEMA.columns.map((c, i) =>
    vectorOf(
      c.type,
      data.map((row) => row[i]!),
      typed,
    ),
  )
  return new Batch({
    schema: SCHEMA,
    vectors,
    rows: data.length,
    timestamps: Float64Array.from(data, (_, i) => i),
  })
}

function vectorOf(type: SqlType, values: SqlValue[], typed: boolean): Vector {
  if (!typed) return new ValueVector(values)
  if (type.kind === 'STRING') {
    const texts = values.map((v) => Buffer.from((v as string | null) ?? ''))
    const starts = new Int32Array(values.length)
    const ends = new Int32Array(values.length)
    let at = 0
    values.forEach((v, i) => {
      starts[i] = v === null ? -1 : at
      at += texts[i]!.length
      ends[i] = at
    })
    return new TextVector(new Uint8Array(Buffer.concat(texts)), starts, ends)
  }
  const vector = type.kind === 'BOOLEAN' ? new BooleanVector(values.length) : new NumberVector(values.length)
  values.forEach((v, i) => {
    if (v === null) vector.nulls[i] = 1
    else if (vector.kind === 'boolean') vector.values[i] = v === true ? 1 : 0
    else if (typeof v === 'bigint') vector.setWide(i, v)
    else vector.values[i] = v as number
  })
  return vector
}

function run(steps: readonly StageStep[], batch: Batch, closures: boolean): unknown {
  const errors: number[] = []
  const stage = new Stage(steps, SCHEMA, {
    table: false,
    closures,
    context: {
      functions: functionRegistry,
      functionContext: { clock: systemClock, random: seededRandom(1), settings: new Map() },
    },
    onError: (_batch, row) => errors.push(row),
  })
  const result = stage.run(batch)
  const out: unknown[] = []
  for (let n = 0; n < result.size; n++) {
    const row = result.position(n)
    out.push([row, ...(result.size === 0 ? [] : result.slice(row, 0, result.schema.columns.length))])
  }
  return { out, failed: errors.length > 0 }
}

const project = (columns: readonly Expr[]): StageStep => ({
  kind: 'project',
  columns,
  schema: { columns: columns.map((e, i) => ({ name: `C${i}`, type: e.type, role: 'value' })) },
})

test.prop([rows, conditions, doubles, whole('L', BIGINT), conditions])(
  'generated code, over vectors or values, equals closures',
  (data, where, number, integer, flag) => {
    const steps: StageStep[] = [
      { kind: 'filter', predicate: where },
      project([column('ID'), number, integer, flag, column('S')]),
    ]
    const expected = run(steps, batchOf(data, false), true)
    expect(run(steps, batchOf(data, true), false)).toEqual(expected)
    expect(run(steps, batchOf(data, false), false)).toEqual(expected)
  },
)

test.prop([rows, doubles])(
  'a filter over a computed column sees what the projection made',
  (data, number) => {
    const steps: StageStep[] = [
      project([number, column('I')]),
      {
        kind: 'filter',
        predicate: {
          kind: 'comparison',
          op: '>',
          left: { kind: 'column', name: 'C0', type: DOUBLE },
          right: literal(0, DOUBLE),
          type: BOOLEAN,
        },
      },
    ]
    expect(run(steps, batchOf(data, true), false)).toEqual(run(steps, batchOf(data, false), true))
  },
)

test('a null-value row passes a projection and no filter', () => {
  const data: Row[] = [['k', null, null, null, null, null]]
  const batch = batchOf(data, true).with({ absent: Uint8Array.of(1) })
  const options = {
    table: false,
    context: {
      functions: functionRegistry,
      functionContext: { clock: systemClock, random: seededRandom(1), settings: new Map() },
    },
    onError: () => {},
  }
  const projection = new Stage([project([column('D')])], SCHEMA, options).run(batch)
  expect([projection.size, projection.isAbsent(0)]).toEqual([1, true])
  const isNull: Expr = { kind: 'is-null', operand: column('D'), negated: false, type: BOOLEAN }
  expect(new Stage([{ kind: 'filter', predicate: isNull }], SCHEMA, options).run(batch).size).toBe(0)
})
