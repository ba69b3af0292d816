import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkSetting, checkSettingName, SETTINGS } from '../../src/runtime/settings.ts'
import { whyWithoutEffect } from '../../src/runtime/settings-without-effect.ts'
import { Millrace } from '../../src/index.ts'

/** Settings of ksqlDB that do nothing here are only listed there. */
const WITHOUT_EFFECT = 'src/runtime/settings-without-effect.ts'
const files = globSync('src/**/*.ts').filter(
  (file) => !file.startsWith('src/log/') && file !== WITHOUT_EFFECT,
)
const texts = files.map((file) => readFileSync(file, 'utf8'))

/** Taken with their default only, or not at all. */
const REFUSED: ReadonlySet<string> = new Set([
  'max.task.idle.ms',
  'ksql.cast.strings.preserve.nulls',
  'ksql.nested.error.set.null',
])

test('every setting the code asks for can be set, and every one that can be set is asked for', () => {
  const name =
    /'((?:ksql|auto|cache|commit|max|millrace|processing)\.[a-z_]+(?:\.[a-z_]+)+|processing\.guarantee|millrace\.compatibility)'/g
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const [, found] of text.matchAll(name)) counts.set(found!, (counts.get(found!) ?? 0) + 1)
  }
  const known = new Set(SETTINGS.map((s) => s.name))
  // Settings of topics, wherever they are looked up, are the log's own.
  const asked = [...counts.keys()].filter((n) => !REFUSED.has(n) && n !== 'max.message.bytes')
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

test.each([
  ['task.timeout.ms', '1'],
  ['ksql.streams.num.stream.threads', '4'],
  ['commit.interval.ms', '2000'],
  ['ksql.streams.producer.linger.ms', '5'],
  ['auto.commit.interval.ms', null],
  ['ksql.nested.error.set.null', 'TRUE'],
])(
  "a script's SET of %s is taken, and said to do nothing; what is unknown is refused",
  async (name, value) => {
    const millrace = await Millrace.open()
    const set = millrace.sql(`SET '${name}' = '${value ?? '1'}';`)
    if (value === null)
      await expect(set).rejects.toMatchObject({ code: 'SQL_UNKNOWN_SETTING', at: { column: 5 } })
    else {
      expect(await set).toMatchObject([{ message: expect.stringMatching(/ changes nothing here: \w.*\.$/) }])
      expect(await millrace.sql(`UNSET '${name}';`)).toHaveLength(1)
    }
    await millrace.close()
  },
)

test('the newer name of the cache is the same setting', () => {
  expect(checkSetting('statestore.cache.max.bytes', '0')).toBe(null)
  expect(() => checkSetting('statestore.cache.max.bytes', 'much')).toThrow("cannot be 'much'")
})

test('UNSET of what is no setting is refused with the nearest', () => {
  expect(() => checkSettingName('auto.offset.rest')).toThrow("There is no setting 'auto.offset.rest'.")
})

test('what SET can change is never said to do nothing', () => {
  expect(SETTINGS.filter((s) => s.editable && whyWithoutEffect(s.name) !== null)).toEqual([])
})
