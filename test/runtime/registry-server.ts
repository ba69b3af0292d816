import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Version {
  readonly id: number
  readonly body: { readonly schema: string; readonly schemaType?: string; readonly references?: unknown }
}

/** A schema registry of a test, as far as its clients use one. */
export class RegistryServer {
  readonly requests: string[] = []
  readonly subjects = new Map<string, Version[]>()
  authorization: string | undefined
  #nextId = 1
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        this.requests.push(`${request.method} ${request.url}`)
        this.authorization = request.headers.authorization
        const answer = this.#answer(request.method!, request.url!, Buffer.concat(chunks).toString())
        response.writeHead(answer === null ? 404 : 200, { 'content-type': 'application/json' })
        response.end(JSON.stringify(answer ?? { error_code: 404 }))
      })
    })
  }

  static async start(): Promise<RegistryServer> {
    const registry = new RegistryServer()
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve))
    return registry
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  add(subject: string, body: Version['body']): number {
    const versions = this.subjects.get(subject) ?? []
    this.subjects.set(subject, versions)
    const all = [...this.subjects.values()].flat()
    const same = all.find((v) => JSON.stringify(v.body) === JSON.stringify(body))
    const id = same?.id ?? this.#nextId++
    if (!versions.some((v) => v.id === id)) versions.push({ id, body })
    return id
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(method: string, url: string, body: string): object | null {
    const [kind, name = '', what, number] = url.slice(1).split('/').map(decodeURIComponent)
    if (kind === 'schemas') {
      const found = [...this.subjects.values()].flat().find((v) => v.id === Number(what))
      return found === undefined ? null : found.body
    }
    const versions = this.subjects.get(name)
    if (method === 'POST') return { id: this.add(name, JSON.parse(body) as Version['body']) }
    if (versions === undefined) return null
    if (method === 'DELETE') return this.subjects.delete(name) ? {} : null
    const found = number === 'latest' ? versions.at(-1) : versions[Number(number) - 1]
    return found === undefined ? null : { id: found.id, ...found.body }
  }
}
