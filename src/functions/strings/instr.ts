import { INTEGER, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'
import { optional } from '../type-pattern.ts'

export const instr = scalarFunction({
  name: 'INSTR',
  category: 'string',
  summary:
    'Where a text occurs within another, from 1; 0 if it does not. A negative start searches backwards.',
  args: { text: STRING, part: STRING, position: optional(INTEGER), occurrence: optional(INTEGER) },
  returns: INTEGER,
  nulls: { text: 'accept', part: 'accept', position: 'reject', occurrence: 'reject' },
  body: findPart,
  examples: [
    ["INSTR('corporate floor', 'or')", 2],
    ["INSTR('corporate floor', 'or', 4)", 5],
    ["INSTR('corporate floor', 'or', -3, 2)", 2],
    ["INSTR('corporate floor', 'or', 1, 4)", 0],
    ["INSTR('short', 'or', -4)", 0],
    ["INSTR(NULL, 'or')", 0],
  ],
})

function findPart(text: string | null, part: string | null, position = 1, occurrence = 1): number {
  if (text === null || part === null || position === 0 || Math.abs(position) > text.length) return 0
  const step = position > 0 ? 1 : -1
  let at = position > 0 ? position - 1 : text.length + position
  // Occurrences may overlap.
  for (let found = 0; at >= 0; at += step) {
    at = step > 0 ? text.indexOf(part, at) : text.lastIndexOf(part, at)
    if (at < 0 || at >= text.length) return 0
    if (++found === occurrence) return at + 1
  }
  return 0
}
