import { quoteName } from '../plan/sql-type.ts'

/** What may stand beside an expression of type `T`: another one, or a constant. */
export type Operand<T> = Expression<T> | Constant<T>

export type Constant<T> = Extract<T, number | bigint | string | boolean>

/**
 * A typed SQL expression in the making. Immutable. `text` is its SQL; names and constants from the
 * program are quoted, never pasted.
 */
export class Expression<T> {
  readonly text: string
  /** Only for the compiler: never set. */
  declare readonly valueType?: T

  constructor(text: string) {
    this.text = text
  }

  eq(other: Operand<T>): Expression<boolean> {
    return this.#compare('=', other)
  }
  ne(other: Operand<T>): Expression<boolean> {
    return this.#compare('<>', other)
  }
  lt(other: Operand<T>): Expression<boolean> {
    return this.#compare('<', other)
  }
  le(other: Operand<T>): Expression<boolean> {
    return this.#compare('<=', other)
  }
  gt(other: Operand<T>): Expression<boolean> {
    return this.#compare('>', other)
  }
  ge(other: Operand<T>): Expression<boolean> {
    return this.#compare('>=', other)
  }

  plus(this: Expression<number>, other: Operand<number>): Expression<number>
  plus(this: Expression<string>, other: Operand<string>): Expression<string>
  plus(other: Operand<never>): Expression<unknown> {
    return this.#binary('+', other)
  }
  minus(this: Expression<number>, other: Operand<number>): Expression<number> {
    return this.#binary('-', other)
  }
  times(this: Expression<number>, other: Operand<number>): Expression<number> {
    return this.#binary('*', other)
  }
  dividedBy(this: Expression<number>, other: Operand<number>): Expression<number> {
    return this.#binary('/', other)
  }

  and(this: Expression<boolean>, other: Operand<boolean>): Expression<boolean> {
    return this.#binary('AND', other)
  }
  or(this: Expression<boolean>, other: Operand<boolean>): Expression<boolean> {
    return this.#binary('OR', other)
  }
  not(this: Expression<boolean>): Expression<boolean> {
    return new Expression(`NOT (${this.text})`)
  }

  isNull(): Expression<boolean> {
    return new Expression(`(${this.text} IS NULL)`)
  }
  isNotNull(): Expression<boolean> {
    return new Expression(`(${this.text} IS NOT NULL)`)
  }
  /** SQL's LIKE: % for any text, _ for one character. */
  like(this: Expression<string>, pattern: string): Expression<boolean> {
    return new Expression(`(${this.text} LIKE ${constant(pattern)})`)
  }

  #compare(op: string, other: Operand<T>): Expression<boolean> {
    return this.#binary(op, other)
  }

  #binary<R>(
    op: string,
    other: Operand<never> | Operand<T> | Operand<number> | Operand<boolean>,
  ): Expression<R> {
    return new Expression(`(${this.text} ${op} ${operandText(other)})`)
  }
}

/** A column by its name as written. */
export function column<T>(name: string): Expression<T> {
  return new Expression(quoteName(name))
}

/** Any scalar function of the dialect; `T` is what it returns, for the compiler only. */
export function call<T>(
  name: string,
  ...args: (Expression<unknown> | number | bigint | string | boolean)[]
): Expression<T> {
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) throw new TypeError(`${name} cannot be the name of a function.`)
  return new Expression(`${name.toUpperCase()}(${args.map(operandText).join(', ')})`)
}

/** An aggregate of a group: only inside `aggregate`. */
export class Aggregate<T> {
  readonly text: string
  declare readonly valueType?: T

  constructor(text: string) {
    this.text = text
  }
}

export const count = (of?: Expression<unknown>): Aggregate<number> =>
  new Aggregate(`COUNT(${of === undefined ? '*' : of.text})`)
export const sum = <T extends number | bigint>(of: Expression<T>): Aggregate<T> =>
  new Aggregate(`SUM(${of.text})`)
export const avg = (of: Expression<number> | Expression<number | bigint>): Aggregate<number> =>
  new Aggregate(`AVG(${of.text})`)
export const min = <T>(of: Expression<T>): Aggregate<T> => new Aggregate(`MIN(${of.text})`)
export const max = <T>(of: Expression<T>): Aggregate<T> => new Aggregate(`MAX(${of.text})`)
export const latest = <T>(of: Expression<T>): Aggregate<T> => new Aggregate(`LATEST_BY_OFFSET(${of.text})`)
export const earliest = <T>(of: Expression<T>): Aggregate<T> =>
  new Aggregate(`EARLIEST_BY_OFFSET(${of.text})`)

/** A constant as SQL writes it. @throws TypeError for a number SQL has no literal for */
export function constant(value: number | bigint | string | boolean): string {
  switch (typeof value) {
    case 'string':
      return `'${value.replaceAll("'", "''")}'`
    case 'boolean':
      return value ? 'TRUE' : 'FALSE'
    case 'bigint':
      return String(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no literal in SQL.`)
      // With an exponent it is a DOUBLE, as a program's number is; without, a DECIMAL.
      return Number.isSafeInteger(value)
        ? String(value)
        : value.toExponential().replace('e+', 'E').replace('e', 'E')
  }
}

function operandText(operand: unknown): string {
  if (operand instanceof Expression) return operand.text
  return constant(operand as number | bigint | string | boolean)
}
