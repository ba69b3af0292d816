import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const AREAS = 'SQL|RECORD|EXPRESSION|FORMAT|SCHEMA|FUNCTION|QUERY|STATE|WORKER|LOG|PLAN|DEFINITIONS?'
const CODE = new RegExp(`\\b(?:${AREAS})(?:_[A-Z]+)+\\b`, 'g')

/** Columns, properties and functions whose names look like codes. */
const NAMES = new Set([
  'FORMAT_DATE',
  'FORMAT_TIME',
  'FORMAT_TIMESTAMP',
  'QUERY_ID',
  'RECORD_TIME',
  'SCHEMA_FULL_NAME',
  'SCHEMA_ID',
])

const used = new Set(
  globSync('src/**/*.ts')
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(new RegExp(`'(${CODE.source})'`, 'g'))])
    .map((match) => match[1]!)
    .filter((code) => !NAMES.has(code)),
)
const described = readFileSync('docs/errors.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .flatMap((line) => line.split('|')[1]!.match(CODE) ?? [])

test('docs/errors.md describes every code', () => {
  expect(used.size).toBeGreaterThan(150)
  expect([...used].filter((code) => !described.includes(code)).toSorted(), 'to be added to the page').toEqual(
    [],
  )
})

test('docs/errors.md describes no code twice, and none that is gone', () => {
  expect(described.filter((code, i) => described.indexOf(code) !== i)).toEqual([])
  expect(described.filter((code) => !used.has(code))).toEqual([])
})
