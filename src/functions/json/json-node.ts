/** A JSON value with its numbers as they were written. */
export type JsonNode =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  /** Of a repeated name the last value counts, at the place of the first. */
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, JsonNode> }

/** @returns null for a blank text @throws RangeError it is not JSON */
export function parseJson(text: string): JsonNode | null {
  const parser = new Parser(text)
  return parser.document()
}

/** Compact JSON. */
export function printJson(node: JsonNode): string {
  switch (node.kind) {
    case 'null':
      return 'null'
    case 'boolean':
      return String(node.value)
    case 'number':
      return node.text
    case 'string':
      return JSON.stringify(node.value)
    case 'array':
      return `[${node.items.map(printJson).join(',')}]`
    case 'object':
      return `{${[...node.fields].map(([name, value]) => `${JSON.stringify(name)}:${printJson(value)}`).join(',')}}`
  }
}

/** Strings as they are, anything else as compact JSON. */
export function jsonText(node: JsonNode): string {
  return node.kind === 'string' ? node.value : printJson(node)
}

/* Deeper nesting is refused before it exhausts the stack. */
const DEPTH_MAX = 1000

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): JsonNode | null {
    this.#skipBlanks()
    if (this.#at === this.#text.length) return null
    const node = this.#value(0)
    this.#skipBlanks()
    if (this.#at < this.#text.length) throw this.#error()
    return node
  }

  #value(depth: number): JsonNode {
    if (depth > DEPTH_MAX) throw new RangeError(`The JSON text is nested deeper than ${DEPTH_MAX} levels.`)
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return { kind: 'string', value: this.#string() }
      case 't':
        this.#word('true')
        return { kind: 'boolean', value: true }
      case 'f':
        this.#word('false')
        return { kind: 'boolean', value: false }
      case 'n':
        this.#word('null')
        return { kind: 'null' }
      default:
        return { kind: 'number', text: this.#token(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y) }
    }
  }

  #object(depth: number): JsonNode {
    const fields = new Map<string, JsonNode>()
    this.#at++
    this.#skipBlanks()
    if (this.#text[this.#at] === '}') this.#at++
    else {
      for (;;) {
        this.#skipBlanks()
        const name = this.#string()
        this.#skipBlanks()
        this.#word(':')
        this.#skipBlanks()
        fields.set(name, this.#value(depth + 1))
        this.#skipBlanks()
        if (this.#text[this.#at] !== ',') break
        this.#at++
      }
      this.#word('}')
    }
    return { kind: 'object', fields }
  }

  #array(depth: number): JsonNode {
    const items: JsonNode[] = []
    this.#at++
    this.#skipBlanks()
    if (this.#text[this.#at] === ']') this.#at++
    else {
      for (;;) {
        this.#skipBlanks()
        items.push(this.#value(depth + 1))
        this.#skipBlanks()
        if (this.#text[this.#at] !== ',') break
        this.#at++
      }
      this.#word(']')
    }
    return { kind: 'array', items }
  }

  #string(): string {
    // oxlint-disable-next-line no-control-regex
    const quoted = this.#token(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y)
    return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)
  }

  #token(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) throw this.#error()
    this.#at = pattern.lastIndex
    return found[0]
  }

  #word(word: string): void {
    if (!this.#text.startsWith(word, this.#at)) throw this.#error()
    this.#at += word.length
  }

  #skipBlanks(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++
  }

  #error(): RangeError {
    return new RangeError(`The text is not JSON: something else begins at character ${this.#at + 1}.`)
  }
}
