import { expect, test } from 'vitest'

import { printPlan } from '../../../src/plan/print.ts'
import { session } from './memory-catalog.ts'

const STREAM =
  "CREATE STREAM s (id STRING KEY, speed DOUBLE, place STRING) WITH (kafka_topic='s', format='JSON');"

/** The plan of the last statement, after the given declarations. */
function plan(declarations: string, statement: string): string {
  const fresh = session()
  fresh.run(declarations)
  const command = fresh.run(statement)
  return 'plan' in command ? printPlan(command.plan) : ''
}

test('a filter runs before the re-key', () => {
  expect(plan(STREAM, 'CREATE STREAM o AS SELECT * FROM s WHERE speed > 120 PARTITION BY place;'))
    .toMatchInlineSnapshot(`
    "sink stream O
      project PLACE KEY, SPEED, ID
        repartition PLACE keep nulls with SPEED, ID
          filter SPEED > 120.0
            source S"
  `)
})
