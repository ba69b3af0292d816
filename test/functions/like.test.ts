import { test as property } from '@fast-check/vitest'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { likeFunction, likeMatcher } from '../../src/functions/like.ts'

test.each([
  ['foo', 'foo', null, true],
  ['foobar', 'foo%', null, true],
  ['a foo b', '%foo%', null, true],
  ['fo', 'foo%', null, false],
  ['foo', 'f_o', null, true],
  ['foo', '_', null, false],
  ['', '%', null, true],
  ['', '_', null, false],
  ['100%', '100!%', '!', true],
  ['1000', '100!%', '!', false],
  ['a!b', 'a!!b', '!', true],
  ['a\nb', 'a_b', null, false],
  ['a\nb', 'a%b', null, false],
  ['a\nb', 'a\nb', null, true],
  ['a\nbc', 'a\n%', null, true],
  ['a.b', 'a.b', null, true],
  ['axb', 'a.b', null, false],
  ['aab', '%ab', null, true],
  ['abcabd', '%ab_', null, true],
] as const)('%j LIKE %j ESCAPE %j is %s', (text, pattern, escape, expected) => {
  expect(likeMatcher(pattern, escape)(text)).toBe(expected)
})

test('a pattern may not end with its escape', () => {
  expect(() => likeMatcher('a!', '!')).toThrow('ends with its escape')
})

test('a changing pattern is noticed', () => {
  const like = likeFunction(null)
  expect([like('a', 'a'), like('a', 'b'), like('b', 'b')]).toEqual([true, false, true])
})

const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 12 })
const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '%', '_'), maxLength: 8 })
property.prop([letters, patterns])('matches what the regular expression matches', (text, pattern) => {
  const expression = new RegExp(`^${pattern.replaceAll('%', '.*').replaceAll('_', '.')}$`)
  // `$` and `^` without the flag m are the ends of the text.
  expect(likeMatcher(pattern, null)(text)).toBe(expression.test(text))
})
