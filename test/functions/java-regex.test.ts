import { describe, expect, test } from 'vitest'
import { allMatches, compileJavaRegex, groupText, javaReplacement } from '../../src/functions/java-regex.ts'

/** All matches of a Java pattern, each with its groups. */
function matches(pattern: string, text: string): (string | null)[][] {
  const regex = compileJavaRegex(pattern)
  return Array.from(allMatches(regex, text), (match) =>
    Array.from({ length: regex.groupCount + 1 }, (_, group) => groupText(match, group)),
  )
}

const whole = (pattern: string, text: string): (string | null)[] =>
  matches(pattern, text).map(([all]) => all!)

test.each([
  ['a+b', 'aab ab', ['aab', 'ab']],
  ['\\d{2,}', '1 22 333', ['22', '333']],
  ['[a-c&&[^b]]+', 'abca', ['a', 'ca']],
  ['[^a-c&&[^x]]', 'axy', ['x', 'y']],
  ['[a[0-9]]+', 'a1b2', ['a1', '2']],
  ['[]x]+', 'a]x', [']x']],
  ['[-a]+', 'b-a', ['-a']],
  ['[\\w&&[^\\d_]]+', 'ab_12', ['ab']],
  ['\\Qa.b\\E+', 'a.bb axb', ['a.bb']],
  ['(?i)straße', 'STRAßE', ['STRAßE']],
  ['a(?i)b|c', 'aB C A', ['aB', 'C']],
  ['(?i:a)b', 'Ab AB', ['Ab']],
  ['x*+x', 'xxx', []],
  ['(?>a|ab)c', 'abc ac', ['ac']],
  ['a++b', 'aab', ['aab']],
  ['\\p{Alpha}+', 'abÄ1', ['ab']],
  ['\\p{L}+', 'abÄ1', ['abÄ']],
  ['\\p{IsLatin}+', 'abΓ', ['ab']],
  ['\\p{javaUpperCase}', 'aB', ['B']],
  ['\\P{Lu}', 'aB', ['a']],
  ['[\\p{Punct}]+', 'a,.b', [',.']],
  ['\\x41\\u0042\\x{43}\\0104', 'ABCD', ['ABCD']],
  ['a$', 'ba\n', ['a']],
  ['(?m)^\\w+$', 'ab\r\ncd\n', ['ab', 'cd']],
  ['^a', 'b\na', []],
  ['\\Aa\\z', 'a', ['a']],
  ['a\\Z', 'a\n', ['a']],
  ['.', '\u0085a', ['a']],
  ['(?s).', '\n', ['\n']],
  ['\\R', 'a\r\nb\n', ['\r\n', '\n']],
  ['\\h+', 'a \tb', [' \t']],
  ['(?x) a b # two letters', 'ab', ['ab']],
  ['(?<=a)b', 'ab bb', ['b']],
  ['a{2}?', 'aaaa', ['aa', 'aa']],
  ['\\s+', 'a\u00a0 b', [' ']],
  ['}', 'a}', ['}']],
  ['\\G\\d', '12a3', ['1', '2']],
  ['\\G\\d*', '12ab', ['12', '']],
  ['\\G(?:a|b)', 'abcab', ['a', 'b']],
  ['\\p{InGreek}+', 'aαβb', ['αβ']],
  ['[\\p{InCyrillic}a]+', 'baж', ['aж']],
  ['\\P{InBasic_Latin}', 'aé', ['é']],
  ['\\p{blk=Latin-1 Supplement}', 'aé', ['é']],
  ['\\X', 'e\u0301a', ['e\u0301', 'a']],
  ['\\X', 'a\r\nb', ['a', '\r\n', 'b']],
  ['\\X', '👨‍👩‍👧🇩🇪🇫🇷👍🏽', ['👨‍👩‍👧', '🇩🇪', '🇫🇷', '👍🏽']],
  ['\\X', '각\u1100\u1161\u11a8', ['각', '\u1100\u1161\u11a8']],
] as const)('%s in %j', (pattern, text, expected) => {
  expect(whole(pattern, text)).toEqual(expected)
})

describe('groups', () => {
  test('keep their numbers beside atomic ones', () => {
    expect(matches('(a)*+(b)', 'aab')).toEqual([['aab', 'a', 'b']])
    expect(matches('(?>(x)y)(z)', 'xyz')).toEqual([['xyz', 'x', 'z']])
  })

  test('are referred to by number and by name', () => {
    expect(whole('(a|b)\\1', 'ab bb')).toEqual(['bb'])
    expect(whole('(?<letter>a|b)\\k<letter>', 'ab bb')).toEqual(['bb'])
    // There is no group 10, so this is group 1 and a zero.
    expect(whole('(a)\\10', 'aa0')).toEqual(['aa0'])
  })

  test('that took no part are null', () => {
    expect(matches('(a)|(b)', 'b')).toEqual([['b', null, 'b']])
  })
})

test.each([
  '(',
  'a)',
  '[a',
  '*a',
  'a{2',
  '\\',
  '\\y',
  'a\\G',
  '\\Ga|b',
  '(?z)a',
  '(?<1>a)',
  '\\p{InNowhere}',
  '\\N{DIGIT ONE}',
  '\\k<no>',
])('%s is refused', (pattern) => {
  expect(() => compileJavaRegex(pattern)).toThrow(RangeError)
})

test('replacements know groups and escapes', () => {
  const regex = compileJavaRegex('(?<first>a)(b)')
  const match = regex.expression.exec('ab')!
  const replaced = (text: string): string => javaReplacement(text, regex)(match)
  expect(replaced('$2$1')).toBe('ba')
  expect(replaced('${first}!')).toBe('a!')
  expect(replaced('\\$1\\\\')).toBe('$1\\')
  // Group 1 and a zero.
  expect(replaced('$10')).toBe('a0')
  expect(() => replaced('$3')).toThrow("no group '3'")
  expect(() => replaced('${last}')).toThrow("no group 'last'")
  expect(() => replaced('a\\')).toThrow('ends with a backslash')
})
