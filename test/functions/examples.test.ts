import { describe, expect, test } from 'vitest'
import { library } from '../../src/functions/library.ts'
import { evaluate, evaluateTable } from './evaluate.ts'

for (const declaration of library) {
  if (declaration.kind === 'aggregate') continue
  describe(declaration.name, () => {
    test.each(declaration.examples)('%s', (sql, expected) => {
      expect(declaration.kind === 'table' ? evaluateTable(sql) : evaluate(sql)).toEqual(expected)
    })
  })
}

test('every function has a summary, and every scalar function examples', () => {
  for (const declaration of library) {
    expect(declaration.summary, declaration.name).toMatch(/\S.*\.$/)
    if (declaration.kind !== 'aggregate') expect(declaration.examples, declaration.name).not.toEqual([])
  }
})
