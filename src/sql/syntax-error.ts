import type { IToken } from 'chevrotain'
import { SqlError } from '../base/errors.ts'
import { placeAfter, placeOf } from './lexer.ts'
import type { Failure } from './parser.ts'

/** Words the error of a run of tokens. */
export function explainFailure(
  tokens: readonly IToken[],
  failure: Failure,
): { readonly errors: readonly SqlError[]; readonly restartAt: number | null } {
  if (failure.kind === 'refused') return { errors: [failure.error], restartAt: null }
  const token = tokens[failure.index]
  const expected = failure.expected.map((type) => type.LABEL ?? type.name).join(', ')
  const found = token === undefined ? 'the end' : `"${token.image}"`
  const at = token === undefined ? placeAfter(tokens.at(-1)!) : placeOf(token)
  const error = new SqlError('SQL_SYNTAX', {
    message: `Expected ${expected}, found ${found}.`,
    at,
    stage: 'parse',
  })
  return { errors: [error], restartAt: null }
}
