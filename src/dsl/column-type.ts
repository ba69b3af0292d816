import type Big from 'big.js'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  BYTES,
  DATE,
  decimal as decimalOf,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  structOf,
  TIME,
  TIMESTAMP,
  type SqlType,
} from '../plan/sql-type.ts'

/** A column's SQL type, and as `T` what a program gets for it. */
export interface ColumnType<T> {
  readonly sql: SqlType
  /** Only for the compiler: never set. */
  readonly valueType?: T
}

/** Columns by name. Names are taken as written, upper and lower case included. */
export type ColumnTypes = Readonly<Record<string, ColumnType<unknown>>>

/** The row a program gets of columns: each may be null. */
export type RowOf<C extends ColumnTypes> = {
  readonly [K in keyof C]: C[K] extends ColumnType<infer T> ? T | null : never
}

const of = <T>(sql: SqlType): ColumnType<T> => ({ sql })

export const boolean = (): ColumnType<boolean> => of(BOOLEAN)
export const integer = (): ColumnType<number> => of(INTEGER)
/** A number while it is a safe integer, else a bigint. */
export const bigint = (): ColumnType<number | bigint> => of(BIGINT)
export const double = (): ColumnType<number> => of(DOUBLE)
export const decimal = (precision: number, scale: number): ColumnType<Big> => of(decimalOf(precision, scale))
export const string = (): ColumnType<string> => of(STRING)
export const bytes = (): ColumnType<Uint8Array> => of(BYTES)
/** Epoch milliseconds. */
export const timestamp = (): ColumnType<number> => of(TIMESTAMP)
/** Days since 1970-01-01. */
export const date = (): ColumnType<number> => of(DATE)
/** Milliseconds of the day. */
export const time = (): ColumnType<number> => of(TIME)
export const array = <T>(element: ColumnType<T>): ColumnType<readonly (T | null)[]> =>
  of(arrayOf(element.sql))
export const map = <V>(value: ColumnType<V>): ColumnType<ReadonlyMap<string, V | null>> =>
  of(mapOf(STRING, value.sql))
export const struct = <C extends ColumnTypes>(fields: C): ColumnType<RowOf<C>> =>
  of(structOf(Object.entries(fields).map(([name, type]) => ({ name, type: type.sql }))))
