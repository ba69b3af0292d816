import { describe, expect, test } from 'vitest'
import { actualFromJson, difference, type ActualValue } from '../../src/testing/conformance/compare.ts'
import { parseJsonTree, printJsonTree } from '../../src/testing/conformance/json-tree.ts'

const compare = (expected: string, actual: string, exact = true): string | null =>
  difference(parseJsonTree(expected), actualFromJson(parseJsonTree(actual), exact))

describe('JSON trees', () => {
  test('keep number tokens and the order of members', () => {
    const text = '{"b":1.10,"a":[1,1.0,-9223372036854775808,1E3,null,true,"x\\u00e9"],"":{}}'
    expect(printJsonTree(parseJsonTree(text))).toBe(text.replace('\\u00e9', 'é'))
  })

  test.each(['', '{', '[1,]', '{"a"}', '01', '1.', '"a', 'nul', '[1] 2', '{"a":1,}', "{'a':1}"])(
    'refuse %j',
    (text) => expect(() => parseJsonTree(text)).toThrow(SyntaxError),
  )

  test('know no limit of JavaScript numbers', () => {
    expect(compare('9223372036854775807', '9223372036854775807')).toBeNull()
    expect(compare('9223372036854775807', '9223372036854775806')).not.toBeNull()
  })
})

describe('comparing', () => {
  test.each([
    ['1', '1'],
    ['1.9', '1'], // of an integer only the whole part counts
    ['1.10', '1.10'],
    ['1', '1E0'],
    ['"a"', '"a"'],
    ['null', 'null'],
    ['{"a":1}', '{"A":1}'],
    ['{"a":null}', '{"a":null}'],
    ['[1,[2]]', '[1,[2]]'],
    ['"1.50"', '1.50'],
    ['4611686018427387904E0', '4.6116860184273879E18'],
  ])('%s is met by %s', (expected, actual) => expect(compare(expected, actual)).toBeNull())

  test.each([
    ['1', '1.0'],
    ['1.1', '1.10'],
    ['1.0', '1.00'],
    ['2', '1'],
    ['"1.5"', '1.50'],
    ['"1"', '1'],
    ['1', '"1"'],
    ['{"A":1}', '{"a":1}'],
    ['{"a":1}', '{"a":1,"b":null}'],
    ['{"a":1,"b":null}', '{"a":1}'],
    ['[1]', '[1,2]'],
    ['[1,2]', '[2,1]'],
    ['null', '0'],
    ['true', 'null'],
    ['false', '0'],
  ])('%s is not met by %s', (expected, actual) => expect(compare(expected, actual)).not.toBeNull())

  test('binary numbers may differ a little', () => {
    expect(compare('1.1', '1.10000001', false)).toBeNull()
    expect(compare('1.1', '1.10001', false)).not.toBeNull()
  })

  test('bytes are met by their base64', () => {
    const bytes: ActualValue = { kind: 'bytes', value: Uint8Array.of(1, 2, 255) }
    expect(difference('AQL/', bytes)).toBeNull()
    expect(difference('AQL+', bytes)).not.toBeNull()
  })

  test('the place of a difference is told', () => {
    expect(compare('{"a":[1,{"b":2}]}', '{"a":[1,{"b":3}]}')).toBe('a[1].b: expected 2, got 3')
  })
})
