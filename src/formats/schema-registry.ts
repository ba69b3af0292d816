export type SchemaLanguage = 'AVRO' | 'PROTOBUF' | 'JSON'

/** A schema as it is registered: its text, and the texts it imports by name. */
export interface SchemaText {
  readonly language: SchemaLanguage
  readonly text: string
  /** Empty for most; what the text imports comes before what imports it. */
  readonly references: readonly SchemaReference[]
}

export interface SchemaReference {
  /** What the schema calls it, e.g. `event.proto`. */
  readonly name: string
  readonly text: string
}

/** A schema with the number that stands for it in the bytes of records. */
export interface RegisteredSchema extends SchemaText {
  /** One number per distinct schema, whatever its subjects. */
  readonly id: number
}

/**
 * Where schemas of keys and values are kept: numbered, and per *subject* (`<topic>-key`, `<topic>-value`) in
 * versions. Reading and planning ask synchronously for what is known; {@link SchemaRegistry.load} makes it
 * known where the registry is elsewhere.
 */
export interface SchemaRegistry {
  /** The schema of this number, if it is known here. */
  byId(id: number): RegisteredSchema | undefined
  /** The newest version of a subject, if it is known here. */
  latest(subject: string): RegisteredSchema | undefined
  /** The number of exactly this schema, if it is known here. */
  idOf(schema: SchemaText): number | undefined
  /**
   * Fetches what isn't known here yet, and subjects anew; nothing happens for those that don't exist.
   *
   * @throws StorageError `SCHEMA_REGISTRY_UNREACHABLE`
   */
  load(wanted: { readonly ids?: readonly number[]; readonly subjects?: readonly string[] }): Promise<void>
  /**
   * Makes a schema the newest version of a subject; where it is one already, nothing happens. Durable when it
   * resolves.
   *
   * @throws StorageError `SCHEMA_REFUSED` where the registry does not take it
   */
  register(subject: string, schema: SchemaText): Promise<RegisteredSchema>
  /** All versions of a subject go; its schemas keep their numbers. */
  deleteSubject(subject: string): Promise<void>
  /** Subjects known here. */
  subjects(): readonly string[]
}

export function subjectOf(topic: string, side: 'key' | 'value'): string {
  return `${topic}-${side}`
}

/** Two schemas of one key are the same one: layout of JSON does not count, nor how a plain Avro type is written. */
export function schemaKey({ language, text, references }: SchemaText): string {
  return JSON.stringify([language, compact(language, text), references.map((r) => [r.name, r.text])])
}

function compact(language: SchemaLanguage, text: string): string {
  if (language === 'PROTOBUF') return text.trim()
  try {
    const schema: unknown = JSON.parse(text)
    return JSON.stringify(language === 'AVRO' ? shortened(schema) : schema)
  } catch {
    return text // not JSON: whoever compiles it says so
  }
}

/** `{"type": "int"}` is another way to write `"int"`. */
function shortened(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return schema
  const [only, ...others] = Object.entries(schema)
  return only?.[0] === 'type' && typeof only[1] === 'string' && others.length === 0 ? only[1] : schema
}
