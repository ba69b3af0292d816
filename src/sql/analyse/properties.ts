import { SqlError, type Position } from '../../base/errors.ts'
import type { Literal, Property } from '../ast.ts'
import { didYouMean } from './nearest-name.ts'

/** What people write for properties that are named otherwise. */
const PROPERTIES_ELSEWHERE: Readonly<Record<string, string>> = {
  TOPIC: "KAFKA_TOPIC = '…'",
  TOPIC_NAME: "KAFKA_TOPIC = '…'",
  KEY: 'KEY or PRIMARY KEY behind the column in the column list',
  REPLICATION_FACTOR: 'REPLICAS = n',
  RETENTION: 'RETENTION_MS = n, in milliseconds',
  DELIMITER: "VALUE_DELIMITER = '…' or KEY_DELIMITER = '…'",
  WINDOW: "WINDOW_TYPE = '…'",
}

/** The entries of a WITH clause by upper-case name, checked for being known and given once. */
export class Properties {
  readonly #byName = new Map<string, Property>()
  /** Where the clause, or the statement without one, stands. */
  readonly at: Position

  constructor(properties: readonly Property[], known: readonly string[], at: Position) {
    this.at = properties[0]?.at ?? at
    for (const property of properties) {
      if (!known.includes(property.name)) {
        throw new SqlError('SQL_UNKNOWN_PROPERTY', {
          message: `There is no property ${property.text} here.`,
          at: property.at,
          hint:
            PROPERTIES_ELSEWHERE[property.name] === undefined
              ? didYouMean(property.name, known)
              : `Write ${PROPERTIES_ELSEWHERE[property.name]}.`,
        })
      }
      if (this.#byName.has(property.name)) {
        throw new SqlError('SQL_DUPLICATE_PROPERTY', {
          message: `The property ${property.name} is given twice.`,
          at: property.at,
        })
      }
      this.#byName.set(property.name, property)
    }
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  place(name: string): Position {
    return this.#byName.get(name)?.at ?? this.at
  }

  valuePlace(name: string): Position {
    return this.#byName.get(name)?.value.at ?? this.at
  }

  text(name: string): string | undefined {
    const property = this.#byName.get(name)
    if (property === undefined) return undefined
    if (property.value.kind === 'string') return property.value.value
    throw this.invalid(property, 'a text in quotes')
  }

  /** A whole number, also one given as text. */
  whole(name: string): number | undefined {
    const property = this.#byName.get(name)
    if (property === undefined) return undefined
    const text = literalText(property.value)
    const value = Number(text)
    if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value))
      throw this.invalid(property, 'a whole number')
    return value
  }

  flag(name: string): boolean | undefined {
    const property = this.#byName.get(name)
    if (property === undefined) return undefined
    const text = literalText(property.value).toLowerCase()
    if (text !== 'true' && text !== 'false') throw this.invalid(property, 'true or false')
    return text === 'true'
  }

  /** The error for a property whose value cannot be; `needed` says what could. */
  invalid(property: Property | string, needed: string): SqlError {
    const entry = typeof property === 'string' ? this.#byName.get(property)! : property
    return new SqlError('SQL_INVALID_PROPERTY', {
      message: `${entry.name} needs ${needed}, got ${literalText(entry.value, true)}.`,
      at: entry.value.at,
    })
  }
}

function literalText(literal: Literal, quoted = false): string {
  switch (literal.kind) {
    case 'string':
    case 'typed-literal':
      return quoted ? `'${literal.value}'` : literal.value
    case 'boolean':
      return String(literal.value)
    case 'null':
      return 'NULL'
    default:
      return literal.text
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  DAY: 86_400_000,
  HOUR: 3_600_000,
  MINUTE: 60_000,
  SECOND: 1000,
  MILLISECOND: 1,
}

/** A length of time, which must be given, such as '30 SECONDS'; in ms. */
export function propertyMs(name: string, properties: Properties): number {
  const match = /^(\d+)\s+([A-Za-z]+?)[Ss]?$/.exec(properties.text(name)?.trim() ?? '')
  const unit = match === null ? undefined : UNIT_MS[match[2]!.toUpperCase()]
  const ms = match === null || unit === undefined ? 0 : Number(match[1]) * unit
  if (ms > 0 && Number.isSafeInteger(ms)) return ms
  throw properties.invalid(name, "a length of time such as '30 SECONDS'")
}
