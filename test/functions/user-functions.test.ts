import { expect, test } from 'vitest'
import type { ScalarBody } from '../../src/functions/function.ts'
import { withUserFunctions, type FunctionDeclaration } from '../../src/functions/registry.ts'
import { scalarFunction, type ScalarOverload } from '../../src/functions/scalar-function.ts'
import { arrayPattern, typeVariable } from '../../src/functions/type-pattern.ts'
import { arrayOf, BIGINT, DOUBLE, INTEGER, STRING, type SqlType } from '../../src/plan/sql-type.ts'
import { exampleContext } from './evaluate.ts'

function mine(...overloads: readonly ScalarOverload[]): FunctionDeclaration {
  return scalarFunction({ name: 'MINE', category: 'user', summary: 'Mine.', overloads, examples: [] })
}

const says = (what: string, type: SqlType, returns: SqlType = STRING): ScalarOverload => ({
  args: { x: type },
  returns,
  body: () => what,
})

/** What the function says when a plan made with `signature` calls it with a value of `type`. */
function called(
  declaration: FunctionDeclaration,
  signature: number,
  type: SqlType,
  returns = STRING,
): unknown {
  const body: ScalarBody = withUserFunctions([declaration]).scalarBody(
    'mine',
    signature,
    [type],
    returns,
    exampleContext,
  )
  return (body as (x: number) => unknown)(1)
}

test('a stored plan finds the signature it was made with by its types, wherever it stands now', () => {
  const before = mine(says('integer', INTEGER), says('double', DOUBLE))
  const after = mine(says('double', DOUBLE), says('bigint', BIGINT), says('integer', INTEGER))
  for (const declaration of [before, after]) {
    expect(called(declaration, 0, INTEGER)).toBe('integer')
    expect(called(declaration, 1, DOUBLE)).toBe('double')
  }
})

test('a stored plan never gets a signature that would need a conversion, or gives another type', () => {
  expect(() => called(mine(says('double', DOUBLE)), 0, INTEGER)).toThrow(
    'The query was made with MINE(INTEGER), which the function registered now does not take.',
  )
  expect(() => called(mine(says('integer', INTEGER, BIGINT)), 0, INTEGER)).toThrow(
    'The query was made with MINE(INTEGER) => STRING; now it gives BIGINT.',
  )
})

test('a NULL whose type stays open is refused when the statement is checked', () => {
  const sizes = mine({ args: { items: arrayPattern(typeVariable('T')) }, returns: INTEGER, body: () => 1 })
  const library = withUserFunctions([sizes])
  expect(() => library.resolveScalar('MINE', [{ kind: 'value', type: null }])).toThrow(
    'MINE is given a NULL whose type cannot be found.',
  )
  expect(library.resolveScalar('MINE', [{ kind: 'value', type: arrayOf(STRING) }]).returns).toEqual(INTEGER)
})
