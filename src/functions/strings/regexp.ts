import { arrayOf, INTEGER, STRING } from '../../plan/sql-type.ts'
import { allMatches, compileJavaRegex, groupText, javaReplacement, type JavaRegex } from '../java-regex.ts'
import { rememberLast } from '../memo.ts'
import { scalarFunction } from '../scalar-function.ts'
import { optional } from '../type-pattern.ts'

/** Whether the pattern has the group. @throws RangeError the group is negative */
function hasGroup(regex: JavaRegex, group: number): boolean {
  if (group < 0) throw new RangeError(`A group cannot be negative: ${group}.`)
  return group <= regex.groupCount
}

export const regexpExtract = scalarFunction({
  name: 'REGEXP_EXTRACT',
  category: 'string',
  summary: 'The first match of a pattern within a text, or one group of it.',
  args: { pattern: STRING, text: STRING, group: optional(INTEGER) },
  returns: STRING,
  bind() {
    const compile = rememberLast(compileJavaRegex)
    return (pattern: string, text: string, group = 0) => {
      const regex = compile(pattern)
      if (!hasGroup(regex, group)) return null
      regex.expression.lastIndex = 0
      const match = regex.expression.exec(text)
      return match && groupText(match, group)
    }
  },
  examples: [
    ["REGEXP_EXTRACT('(.*) (.*)', 'hello there', 2)", 'there'],
    ["REGEXP_EXTRACT('l+', 'hello')", 'll'],
    ["REGEXP_EXTRACT('x', 'hello')", null],
    ["REGEXP_EXTRACT('(l)', 'hello', 2)", null],
  ],
})

export const regexpExtractAll = scalarFunction({
  name: 'REGEXP_EXTRACT_ALL',
  category: 'string',
  summary: 'All matches of a pattern within a text, or one group of each.',
  args: { pattern: STRING, text: STRING, group: optional(INTEGER) },
  returns: arrayOf(STRING),
  bind() {
    const compile = rememberLast(compileJavaRegex)
    return (pattern: string, text: string, group = 0) => {
      const regex = compile(pattern)
      if (!hasGroup(regex, group)) return null
      return Array.from(allMatches(regex, text), (match) => groupText(match, group))
    }
  },
  examples: [
    ["REGEXP_EXTRACT_ALL('test.', 'some_test_string_testabab')", ['test_', 'testa']],
    ["REGEXP_EXTRACT_ALL('(a)|b', 'ab', 1)", ['a', null]],
    ["REGEXP_EXTRACT_ALL('x', 'ab')", []],
  ],
})

export const regexpReplace = scalarFunction({
  name: 'REGEXP_REPLACE',
  category: 'string',
  summary: 'The text with every match of a pattern replaced; $1 and ${name} stand for groups.',
  args: { text: STRING, pattern: STRING, replacement: STRING },
  returns: STRING,
  bind() {
    const compile = rememberLast(compileJavaRegex)
    return (text: string, pattern: string, replacement: string) => {
      const regex = compile(pattern)
      const expand = javaReplacement(replacement, regex)
      let replaced = ''
      let at = 0
      for (const match of allMatches(regex, text)) {
        replaced += text.slice(at, match.index) + expand(match)
        at = match.index + match[0].length
      }
      return replaced + text.slice(at)
    }
  },
  examples: [
    ["REGEXP_REPLACE('foobar', '(o+)', '<$1>')", 'f<oo>bar'],
    ["REGEXP_REPLACE('abc', '', '-')", '-a-b-c-'],
    ["REGEXP_REPLACE('5', '5', '\\$1')", '$1'],
    ["REGEXP_REPLACE('aXb', '(?i)x', '')", 'ab'],
  ],
})

export const regexpSplitToArray = scalarFunction({
  name: 'REGEXP_SPLIT_TO_ARRAY',
  category: 'string',
  summary: 'The parts of a text between matches of a pattern.',
  args: { text: STRING, pattern: STRING },
  returns: arrayOf(STRING),
  bind() {
    const compile = rememberLast(compileJavaRegex)
    return (text: string, pattern: string) => splitAt(text, compile(pattern))
  },
  examples: [
    ["REGEXP_SPLIT_TO_ARRAY('xay', '[xy]')", ['', 'a', '']],
    ["REGEXP_SPLIT_TO_ARRAY('aabcda', '(ab|cd)')", ['a', '', 'a']],
    ["REGEXP_SPLIT_TO_ARRAY('abc', '')", ['a', 'b', 'c']],
    ["REGEXP_SPLIT_TO_ARRAY('a-b--', '-*')", ['a', '', 'b']],
  ],
})

function splitAt(text: string, regex: JavaRegex): readonly string[] {
  regex.expression.lastIndex = 0
  const mayBeEmpty = regex.expression.exec('') !== null
  const parts: string[] = []
  let at = 0
  for (const match of allMatches(regex, text)) {
    const end = match.index + match[0].length
    // Java gives no empty part for an empty match at the very front.
    if (mayBeEmpty && end === 0) continue
    parts.push(text.slice(at, match.index))
    at = end
  }
  parts.push(text.slice(at))
  if (mayBeEmpty) while (parts.length > 1 && parts.at(-1) === '') parts.pop()
  return parts
}
