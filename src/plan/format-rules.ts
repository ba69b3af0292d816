import type { FormatSpec } from './data-source.ts'
import type { Column } from './schema.ts'
import type { SqlType } from './sql-type.ts'

/** What statements may ask of the formats without knowing them; `runtime` fills it from the list of formats. */
export interface FormatRules {
  /** Names that statements may use, upper case. */
  names(): readonly string[]
  /** How a format may be used, or undefined if there is no such format. */
  describe(name: string): FormatDescription | undefined
  /** Why columns can't be held in this format, as a sentence, or null if they can. Only for executable formats. */
  refuses(side: 'key' | 'value', columns: readonly Column[], spec: FormatSpec): string | null
  /**
   * The columns of the newest schema registered for one side of a topic, or, where the spec gives a schema's
   * number, of that one. Only for formats that infer columns.
   */
  registeredColumns(side: 'key' | 'value', topic: string, spec: FormatSpec): RegisteredColumns
}

export type RegisteredColumns =
  | {
      readonly kind: 'columns'
      readonly columns: readonly { readonly name: string; readonly type: SqlType }[]
    }
  /** Nothing is registered there. */
  | { readonly kind: 'missing' }
  /** There is a schema, but it can't be used; the reason is a sentence. */
  | { readonly kind: 'unusable'; readonly reason: string }

export interface FormatDescription {
  /** False: the name is valid but this version can neither read nor write it. */
  readonly executable: boolean
  /** What {@link FormatSpec.properties} it knows. */
  readonly properties: readonly string[]
  readonly supportsKey: boolean
  readonly supportsValue: boolean
  /** Whether columns can be taken from a registered schema instead of being declared. */
  readonly infersColumns: boolean
  /** Which forms a single column may have; the first is the default. Empty: the question doesn't arise. */
  readonly wrappings: readonly ('wrapped' | 'unwrapped')[]
}
