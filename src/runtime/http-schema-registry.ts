import { StorageError } from '../base/errors.ts'
import {
  schemaKey,
  type RegisteredSchema,
  type SchemaLanguage,
  type SchemaReference,
  type SchemaRegistry,
  type SchemaText,
} from '../formats/schema-registry.ts'

export interface HttpSchemaRegistryOptions {
  /** For requests, e.g. `Authorization`. A name and password in the URL become that header. */
  readonly headers?: Readonly<Record<string, string>>
  /** Default 10 s. */
  readonly timeoutMs?: number
}

/** What the registry answers for one version of a subject, or a schema by its number. */
interface Answer {
  readonly id?: number
  readonly schema?: string
  readonly schemaType?: string
  readonly references?: readonly AnswerReference[]
}

interface AnswerReference {
  readonly name: string
  readonly subject: string
  readonly version: number
}

/** A reference with the place it has in the registry, which a registration has to name. */
interface PlacedReference extends SchemaReference {
  readonly subject: string
  readonly version: number
}

const TYPE = 'application/vnd.schemaregistry.v1+json'
const NOT_FOUND = 404

/**
 * A client of a Confluent-compatible schema registry. What was once read by number never changes and is kept;
 * the newest version of a subject is that of the last {@link load} or {@link register}.
 *
 * ```ts
 * const millrace = await Millrace.open({ schemaRegistry: new HttpSchemaRegistry('http://localhost:8081') })
 * ```
 */
export class HttpSchemaRegistry implements SchemaRegistry {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #timeoutMs: number
  readonly #byId = new Map<number, RegisteredSchema>()
  readonly #ids = new Map<string, number>()
  readonly #latest = new Map<string, RegisteredSchema>()
  /** Numbers the registry said it has not. */
  readonly #unknown = new Set<number>()

  constructor(url: string, options: HttpSchemaRegistryOptions = {}) {
    const parsed = new URL(url)
    const { username, password } = parsed
    parsed.username = ''
    parsed.password = ''
    this.#url = parsed.href.replace(/\/+$/, '')
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    this.#headers = {
      ...(username === '' ? {} : { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
      ...options.headers,
    }
    this.#timeoutMs = options.timeoutMs ?? 10_000
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#byId.get(id)
  }

  latest(subject: string): RegisteredSchema | undefined {
    return this.#latest.get(subject)
  }

  idOf(schema: SchemaText): number | undefined {
    return this.#ids.get(schemaKey(schema))
  }

  subjects(): readonly string[] {
    return [...this.#latest.keys()].sort()
  }

  async load(wanted: {
    readonly ids?: readonly number[]
    readonly subjects?: readonly string[]
  }): Promise<void> {
    for (const id of wanted.ids ?? []) {
      if (this.#byId.has(id) || this.#unknown.has(id)) continue
      const answer = await this.#request('GET', `/schemas/ids/${id}`)
      if (answer === null) this.#unknown.add(id)
      else this.#keep({ ...(await this.#textOf(answer)), id })
    }
    for (const subject of wanted.subjects ?? []) {
      const answer = await this.#request('GET', `/subjects/${encodeURIComponent(subject)}/versions/latest`)
      if (answer?.id === undefined) this.#latest.delete(subject)
      else this.#latest.set(subject, this.#keep({ ...(await this.#textOf(answer)), id: answer.id }))
    }
  }

  async register(subject: string, schema: SchemaText): Promise<RegisteredSchema> {
    const newest = this.#latest.get(subject)
    if (newest !== undefined && schemaKey(newest) === schemaKey(schema)) return newest
    const references = schema.references.map((reference): AnswerReference => {
      if (isPlaced(reference)) {
        const { name, subject: place, version } = reference
        return { name, subject: place, version }
      }
      throw refused(subject, `what it imports as ${reference.name} has no subject in the registry`)
    })
    const answer = await this.#request('POST', `/subjects/${encodeURIComponent(subject)}/versions`, {
      schema: schema.text,
      ...(schema.language === 'AVRO' ? {} : { schemaType: schema.language }),
      ...(references.length === 0 ? {} : { references }),
    })
    if (answer?.id === undefined) throw refused(subject, 'its answer has no number')
    const registered = this.#keep({
      id: answer.id,
      language: schema.language,
      text: schema.text,
      references: schema.references,
    })
    this.#latest.set(subject, registered)
    return registered
  }

  async deleteSubject(subject: string): Promise<void> {
    await this.#request('DELETE', `/subjects/${encodeURIComponent(subject)}`)
    this.#latest.delete(subject)
  }

  #keep(schema: RegisteredSchema): RegisteredSchema {
    // Its number may have been known from another text of the same schema: the first one stays.
    const known = this.#byId.get(schema.id) ?? schema
    this.#byId.set(schema.id, known)
    this.#unknown.delete(schema.id)
    this.#ids.set(schemaKey(schema), schema.id)
    return known
  }

  async #textOf(answer: Answer): Promise<SchemaText> {
    const references: PlacedReference[] = []
    await this.#collect(answer.references ?? [], references)
    return { language: languageOf(answer.schemaType), text: answer.schema ?? '', references }
  }

  /** References of references come before those that name them, each once. */
  async #collect(wanted: readonly AnswerReference[], into: PlacedReference[]): Promise<void> {
    for (const { name, subject, version } of wanted) {
      if (into.some((known) => known.name === name)) continue
      const answer = await this.#request(
        'GET',
        `/subjects/${encodeURIComponent(subject)}/versions/${version}`,
      )
      if (answer?.schema === undefined) continue // whoever compiles the schema says what is missing
      await this.#collect(answer.references ?? [], into)
      into.push({ name, text: answer.schema, subject, version })
    }
  }

  /** @returns null for what the registry has not */
  async #request(method: string, path: string, body?: unknown): Promise<Answer | null> {
    let response: Response
    let text: string
    try {
      response = await fetch(`${this.#url}${path}`, {
        method,
        headers: { Accept: TYPE, ...(body === undefined ? {} : { 'Content-Type': TYPE }), ...this.#headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(this.#timeoutMs),
      })
      text = await response.text()
    } catch (cause) {
      throw new StorageError('SCHEMA_REGISTRY_UNREACHABLE', {
        message: `The schema registry at ${this.#url} does not answer: ${(cause as Error).message}`,
        hint: 'Check its address, and whether it runs.',
        cause,
      })
    }
    if (response.status === NOT_FOUND) return null
    if (!response.ok) {
      throw new StorageError('SCHEMA_REFUSED', {
        message: `The schema registry answers ${method} ${path} with ${response.status}: ${text.slice(0, 500)}`,
      })
    }
    try {
      const answer: unknown = JSON.parse(text)
      return typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer : {}
    } catch (cause) {
      throw new StorageError('SCHEMA_REGISTRY_UNREACHABLE', {
        message: `What answers at ${this.#url} is no schema registry: it sent ${text.slice(0, 80)}`,
        cause,
      })
    }
  }
}

function isPlaced(reference: SchemaReference): reference is PlacedReference {
  return 'subject' in reference && 'version' in reference
}

function languageOf(type: string | undefined): SchemaLanguage {
  return type === 'PROTOBUF' || type === 'JSON' ? type : 'AVRO'
}

function refused(subject: string, why: string): StorageError {
  return new StorageError('SCHEMA_REFUSED', {
    message: `The schema for ${subject} can't be registered: ${why}.`,
  })
}
