/**
 * JSON as a tree that keeps the number's text: `1`, `1.0` and 19-digit integers stay what they are.
 * Objects keep their members in order. Strict RFC 8259; for case files and for looking at outputs.
 */
export type JsonTree = null | boolean | string | JsonNumber | readonly JsonTree[] | JsonObject

export class JsonNumber {
  /** The token, e.g. `1.50` or `2E3`. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Members in order; the last of several with one name wins. */
export type JsonObject = ReadonlyMap<string, JsonTree>

/** @throws SyntaxError naming the place */
export function parseJsonTree(text: string): JsonTree {
  const reader = new Reader(text)
  const tree = reader.value(0)
  reader.end()
  return tree
}

export function printJsonTree(tree: JsonTree): string {
  if (tree === null || typeof tree === 'boolean') return String(tree)
  if (typeof tree === 'string') return JSON.stringify(tree)
  if (tree instanceof JsonNumber) return tree.text
  if (isJsonObject(tree)) {
    return `{${[...tree].map(([name, value]) => `${JSON.stringify(name)}:${printJsonTree(value)}`).join(',')}}`
  }
  return `[${tree.map(printJsonTree).join(',')}]`
}

export function isJsonObject(tree: JsonTree | undefined): tree is JsonObject {
  return tree instanceof Map
}

export function isJsonArray(tree: JsonTree | undefined): tree is readonly JsonTree[] {
  return Array.isArray(tree)
}

const DEPTH_MAX = 500
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const PLAIN_STRING = /"[^"\\]*"/y
const STRING = /"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): JsonTree {
    if (depth > DEPTH_MAX) throw this.#unexpected('too deeply nested')
    this.#space()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#string()
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default: {
        const token = this.#match(NUMBER)
        if (token === null) throw this.#unexpected('a value was expected')
        return new JsonNumber(token)
      }
    }
  }

  end(): void {
    this.#space()
    if (this.#at < this.#text.length) throw this.#unexpected('the end was expected')
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, JsonTree>()
    this.#at++
    this.#space()
    if (this.#take('}')) return members
    do {
      this.#space()
      const name = this.#string()
      this.#space()
      if (!this.#take(':')) throw this.#unexpected('a colon was expected')
      members.set(name, this.value(depth + 1))
      this.#space()
    } while (this.#take(','))
    if (!this.#take('}')) throw this.#unexpected('a comma or closing brace was expected')
    return members
  }

  #array(depth: number): readonly JsonTree[] {
    const items: JsonTree[] = []
    this.#at++
    this.#space()
    if (this.#take(']')) return items
    do {
      items.push(this.value(depth + 1))
      this.#space()
    } while (this.#take(','))
    if (!this.#take(']')) throw this.#unexpected('a comma or closing bracket was expected')
    return items
  }

  #string(): string {
    const plain = this.#match(PLAIN_STRING)
    const token = plain ?? this.#match(STRING)
    if (token === null) throw this.#unexpected('a string was expected')
    for (let at = 0; at < token.length; at++) {
      if (token.charCodeAt(at) < 0x20) throw this.#unexpected('a string holds a control character')
    }
    return plain === null ? (JSON.parse(token) as string) : plain.slice(1, -1)
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected('a value was expected')
    this.#at += word.length
    return value
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false
    this.#at++
    return true
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) return null
    this.#at = pattern.lastIndex
    return found[0]
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at++
    }
  }

  #unexpected(what: string): SyntaxError {
    return new SyntaxError(`Not JSON at character ${this.#at}: ${what}.`)
  }
}
