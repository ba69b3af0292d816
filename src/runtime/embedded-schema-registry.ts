import {
  schemaKey,
  type RegisteredSchema,
  type SchemaRegistry,
  type SchemaText,
} from '../formats/schema-registry.ts'

/**
 * A change of the registry, as it is stored: the later one of a subject and version replaces the earlier. A
 * deleted version keeps its schema, because records may still name its number.
 */
export interface StoredSchema {
  readonly subject: string
  readonly version: number
  readonly schema: RegisteredSchema
  readonly deleted: boolean
}

/**
 * The schemas of one Millrace. Takes every schema for any subject: what fits a stream or table is checked where
 * it is declared.
 *
 * Invariant: nothing counts before `store` has made it durable; equal schemas have one number.
 */
export class EmbeddedSchemaRegistry implements SchemaRegistry {
  readonly #store: (change: readonly StoredSchema[]) => Promise<void>
  readonly #byId = new Map<number, RegisteredSchema>()
  readonly #ids = new Map<string, number>()
  /** Versions of each subject by their numbers. */
  readonly #subjects = new Map<string, Map<number, RegisteredSchema>>()
  /** Registrations come one after the other, so that two of one schema get one number. */
  #turn: Promise<unknown> = Promise.resolve()

  /** @param store  makes changes durable, all or none */
  constructor(store: (changes: readonly StoredSchema[]) => Promise<void> = () => Promise.resolve()) {
    this.#store = store
  }

  /** Takes over what was stored, oldest first. */
  restore(changes: readonly StoredSchema[]): void {
    for (const change of changes) this.#apply(change)
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#byId.get(id)
  }

  latest(subject: string): RegisteredSchema | undefined {
    const versions = this.#subjects.get(subject)
    return versions?.get(Math.max(...versions.keys()))
  }

  idOf(schema: SchemaText): number | undefined {
    return this.#ids.get(schemaKey(schema))
  }

  subjects(): readonly string[] {
    return [...this.#subjects.keys()].sort()
  }

  load(): Promise<void> {
    return Promise.resolve()
  }

  register(subject: string, schema: SchemaText): Promise<RegisteredSchema> {
    return this.#inTurn(() => this.#register(subject, schema, this.idOf(schema) ?? this.#nextId()))
  }

  /** Registers under a number of the caller's choice, as when schemas are copied from elsewhere. */
  registerAs(subject: string, schema: SchemaText, id: number): Promise<RegisteredSchema> {
    return this.#inTurn(() => this.#register(subject, schema, id))
  }

  deleteSubject(subject: string): Promise<void> {
    return this.#inTurn(async () => {
      const versions = [...(this.#subjects.get(subject) ?? [])]
      if (versions.length === 0) return
      const changes = versions.map(([version, schema]) => ({ subject, version, schema, deleted: true }))
      await this.#store(changes)
      this.restore(changes)
    })
  }

  async #register(subject: string, schema: SchemaText, id: number): Promise<RegisteredSchema> {
    const key = schemaKey(schema)
    for (const known of this.#subjects.get(subject)?.values() ?? []) {
      if (known.id === id && schemaKey(known) === key) return known
    }
    const { language, text, references } = schema
    const registered: RegisteredSchema = { id, language, text, references }
    const version = Math.max(0, ...(this.#subjects.get(subject)?.keys() ?? [])) + 1
    const change = { subject, version, schema: registered, deleted: false }
    await this.#store([change])
    this.#apply(change)
    return registered
  }

  #apply({ subject, version, schema, deleted }: StoredSchema): void {
    const versions = this.#subjects.get(subject) ?? new Map<number, RegisteredSchema>()
    this.#subjects.set(subject, versions)
    this.#byId.set(schema.id, schema)
    const key = schemaKey(schema)
    if (!this.#ids.has(key)) this.#ids.set(key, schema.id)
    if (!deleted) {
      versions.set(version, schema)
      return
    }
    versions.delete(version)
    if (versions.size === 0) this.#subjects.delete(subject)
  }

  #nextId(): number {
    return Math.max(0, ...this.#byId.keys()) + 1
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }
}
