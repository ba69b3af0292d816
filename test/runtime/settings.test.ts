import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkSetting, SETTINGS } from '../../src/runtime/settings.ts'

const files = globSync('src/**/*.ts').filter((file) => !file.startsWith('src/log/'))
const texts = files.map((file) => readFileSync(file, 'utf8'))

test('every setting the code asks for can be set, and every one that can be set is asked for', () => {
  const name = /'((?:ksql|auto|cache|commit|max|millrace|processing)\.[a-z_]+(?:\.[a-z_]+)+|processing\.guarantee|millrace\.compatibility)'/g
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const [, found] of text.matchAll(name)) counts.set(found!, (counts.get(found!) ?? 0) + 1)
  }
  const known = new Set(SETTINGS.map((s) => s.name))
  // Settings of topics, wherever they are looked up, are the log's own.
  const asked = [...counts.keys()].filter((n) => n !== 'max.task.idle.ms' && n !== 'max.message.bytes')
  expect(asked.filter((n) => !known.has(n))).toEqual([])
  // Functions ask for theirs by `ksql.functions.<name>.<setting>`.
  const byFunctions = (n: string): boolean => n.startsWith('ksql.functions.')
  expect([...known].filter((n) => !byFunctions(n) && (counts.get(n) ?? 0) < 2)).toEqual([])
})

test('a setting nothing follows yet is refused by name', () => {
  expect(() => checkSetting('ksql.streams.max.task.idle.ms', '500')).toThrow(
    "The setting 'ksql.streams.max.task.idle.ms' is not supported yet.",
  )
})
