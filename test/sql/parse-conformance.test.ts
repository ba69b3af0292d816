import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAll } from '../../src/sql/parse.ts'

/* ksqlDB's cases, where they are at hand: all statements are read but those it cannot read itself. */

const folder = join(import.meta.dirname, '../../../shared/conformance/ksqldb/query')

interface Case {
  readonly id: string
  readonly statements: readonly string[]
  readonly expectedException?: { readonly type?: string }
}

test.skipIf(!existsSync(folder))('statements of the conformance cases', () => {
  const refused: string[] = []
  let read = 0
  for (const file of readdirSync(folder)) {
    const { tests } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { tests: Case[] }
    for (const { id, statements, expectedException } of tests) {
      if (expectedException?.type?.endsWith('ParseFailedException') === true) continue
      const errors = statements.flatMap((statement) => parseAll(statement).errors)
      if (errors.length > 0) refused.push(`${id}: ${errors[0]!.message}`)
      else read++
    }
  }
  expect(refused).toEqual([])
  expect(read).toBeGreaterThan(1000)
})
