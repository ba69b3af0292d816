import type { Column } from '../plan/schema.ts'
import type { SqlType } from '../plan/sql-type.ts'
import { setValue } from './column-vectors.ts'
import { PLAIN_BYTE, isBlank, skipBlanks, skipText, skipValue } from './json-bytes.ts'
import { coerceJson, JsonMismatch } from './json-coercion.ts'
import {
  BOOLEAN,
  generateScan,
  GENERAL,
  type GeneratedScan,
  type JsonMember,
  type MemberAction,
  NUMBER,
  TEXT,
  UNKNOWN,
  WANTED_BIGINT,
  WANTED_BOOLEAN,
  WANTED_DOUBLE,
  WANTED_INTEGER,
  WANTED_TEXT,
} from './json-scan-code.ts'
import { parseJson } from './json-text.ts'
import type { Vector } from './vector.ts'

/** Powers of ten that doubles hold exactly. */
const TENS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`))

const NULL_WORD = 0x6c6c756e
const TRUE_WORD = 0x65757274
const ALSE_WORD = 0x65736c61

/** More names than this aren't remembered: such objects are dictionaries, not rows. */
const MEMBERS_MAX = 256

/** How often code is generated anew for another order of members before the scanner does without. */
const GENERATIONS_MAX = 8

/** In batches of fewer rows it isn't worth asking whether the generated code still fits the records. */
const ROWS_TO_JUDGE_MIN = 64

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

const NO_NUMBERS = new Float64Array(0)
const NO_FLAGS = new Uint8Array(0)
const NO_PLACES = new Int32Array(0)

/**
 * Reads objects of scalars straight from their bytes, remembering the names and their order from earlier
 * records.
 *
 * Whatever it accepts it reads exactly as the general form does (parseJson, coerceJson); whatever it isn't sure
 * about it leaves to that: {@link scan} says no, and what it wrote to the row until then has to be overwritten.
 * Missing members are left as they are in the vectors, that is null.
 *
 * Measured on 187-byte telemetry: 80–95 ns a record with generated code, 220 without, 5 µs in the general form.
 */
export class JsonScanner {
  readonly #columns: readonly Column[]
  readonly #mayGenerate: boolean
  #bytes: Uint8Array = NO_FLAGS
  #view: DataView = new DataView(new ArrayBuffer(0))
  #vectors: readonly (Vector | null)[] = []

  /*
   * The remembered members, one entry each, in the order in which they are expected. Names are compared with
   * their quotes and colon, four bytes at a time; the last four overlap those before where the length isn't a
   * multiple of four.
   */
  #members: JsonMember[] = []
  #columnOf = NO_PLACES
  #lengths = NO_PLACES
  /** Where a member's words start in `#words`; one entry more than members. */
  #wordStarts = new Int32Array(1)
  #words = NO_PLACES

  /* What to do per member, for the columns wanted and the vectors of this batch. */
  #actions = NO_FLAGS
  #numbers: Float64Array[] = []
  #flags: Uint8Array[] = []
  #nulls: Uint8Array[] = []
  #starts: Int32Array[] = []
  #ends: Int32Array[] = []

  /** Per member the last record that had it, by `#stamp`: finds duplicates. */
  #seen = new Float64Array(0)
  #stamp = 0
  /** How the record scanned last was laid out: its members in order, and blanks after commas and colons. */
  readonly #order = new Int32Array(MEMBERS_MAX)
  #orderLength = 0
  #hasBlankAfterComma = false
  #hasBlankAfterColon = false

  #generated: GeneratedScan | null = null
  #isGeneratedStale = false
  #generations = 0
  #style = { blankAfterComma: false, blankAfterColon: false }
  #rowsTried = 0
  #rowsRefused = 0

  /** @param mayGenerate  false: no code is made from text, all is done by {@link scan} */
  constructor(columns: readonly Column[], mayGenerate: boolean) {
    this.#columns = columns
    this.#mayGenerate = mayGenerate
  }

  /** Readies the scanner for a batch: `vectors` as given by nullVector, one per column, null for those not wanted. */
  begin(bytes: Uint8Array, vectors: readonly (Vector | null)[]): void {
    this.#judgeGenerated()
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#vectors = vectors
    this.#bind()
  }

  /**
   * Reads rows from `from` on as long as they are laid out as expected; null rows are passed over.
   *
   * @returns the first row not read, which {@link scan} or the general form may know how to read
   */
  scanRows(starts: Int32Array, ends: Int32Array, from: number, count: number): number {
    if (this.#isGeneratedStale) this.#generate()
    if (this.#generated === null) return from
    const stop = this.#generated(
      this.#bytes,
      this.#view,
      starts,
      ends,
      from,
      count,
      this.#numbers,
      this.#flags,
      this.#nulls,
      this.#starts,
      this.#ends,
    )
    this.#rowsTried += stop - from
    if (stop < count) {
      this.#rowsTried++
      this.#rowsRefused++
    }
    return stop
  }

  /**
   * Remembers the names of a record that {@link scan} did not accept.
   *
   * @param names  in the order of the record, each once
   */
  learn(names: readonly string[]): void {
    if (names.length > MEMBERS_MAX || !names.every(isPlainName)) return
    const known = new Set(this.#members.map((member) => member.name))
    if (names.every((name) => known.has(name))) return
    const added = new Set(names)
    const kept = this.#members.filter((member) => !added.has(member.name)).map((member) => member.name)
    if (names.length + kept.length > MEMBERS_MAX || !this.#remember([...names, ...kept]))
      this.#remember(names)
  }

  #remember(names: readonly string[]): boolean {
    const columnOf = names.map((name) => this.#findColumn(name))
    const used = columnOf.filter((column) => column >= 0)
    // two names for one column: which of them counts depends on the record
    if (new Set(used).size < used.length) return false
    const words: number[] = []
    const wordStarts = [0]
    this.#members = names.map((name, i) => {
      const bytes = new TextEncoder().encode(`"${name}":`)
      const view = new DataView(bytes.buffer)
      for (let at = 0; at < bytes.length; at += 4)
        words.push(view.getInt32(Math.min(at, bytes.length - 4), true))
      wordStarts.push(words.length)
      return { name, column: columnOf[i]!, bytes }
    })
    this.#columnOf = Int32Array.from(columnOf)
    this.#lengths = Int32Array.from(this.#members, (member) => member.bytes.length)
    this.#wordStarts = Int32Array.from(wordStarts)
    this.#words = Int32Array.from(words)
    this.#seen = new Float64Array(names.length)
    this.#actions = NO_FLAGS
    this.#bind()
    return true
  }

  /** The column a member of this name is for, or −1. */
  #findColumn(name: string): number {
    const exact = this.#columns.findIndex((column) => column.name === name)
    if (exact >= 0) return exact
    const upperCased = name.toUpperCase()
    return this.#columns.findIndex((column) => column.name === upperCased)
  }

  #bind(): void {
    const members = this.#members.length
    const actions = new Uint8Array(members)
    this.#numbers = new Array(members).fill(NO_NUMBERS)
    this.#flags = new Array(members).fill(NO_FLAGS)
    this.#nulls = new Array(members).fill(NO_FLAGS)
    this.#starts = new Array(members).fill(NO_PLACES)
    this.#ends = new Array(members).fill(NO_PLACES)
    for (let member = 0; member < members; member++) {
      const column = this.#columnOf[member]!
      const vector = column < 0 ? null : (this.#vectors[column] ?? null)
      actions[member] = column < 0 ? UNKNOWN : actionOf(this.#columns[column]!.type, vector !== null)
      if (vector === null) continue
      if (vector.kind === 'number') {
        this.#numbers[member] = vector.values
        this.#nulls[member] = vector.nulls
      } else if (vector.kind === 'boolean') {
        this.#flags[member] = vector.values
        this.#nulls[member] = vector.nulls
      } else if (vector.kind === 'text') {
        this.#starts[member] = vector.starts
        this.#ends[member] = vector.ends
      }
    }
    if (
      members !== this.#actions.length ||
      actions.some((action, member) => action !== this.#actions[member])
    ) {
      this.#actions = actions
      this.#isGeneratedStale = this.#mayGenerate
    }
  }

  #generate(): void {
    this.#isGeneratedStale = false
    this.#rowsTried = 0
    this.#rowsRefused = 0
    this.#generated = null
    if (this.#members.length === 0 || this.#generations === GENERATIONS_MAX) return
    this.#generated = generateScan(this.#members, [...this.#actions] as MemberAction[], this.#style, {
      skipText,
      plainTextEnd,
      skipValue,
      unusualNumber: (first, end, row, member) => this.#unusualNumber(first, end, row, member),
      generalValue: (first, after, row, member) => this.#generalValue(first, after, row, member),
    })
  }

  /** When most records were refused, code for the layout of the last one may fit better. */
  #judgeGenerated(): void {
    if (this.#rowsTried < ROWS_TO_JUDGE_MIN) return
    if (this.#generated !== null && this.#rowsRefused * 2 > this.#rowsTried) {
      const order = [...this.#order.subarray(0, this.#orderLength)].map(
        (member) => this.#members[member]!.name,
      )
      const others = this.#members.map((member) => member.name).filter((name) => !order.includes(name))
      this.#style = { blankAfterComma: this.#hasBlankAfterComma, blankAfterColon: this.#hasBlankAfterColon }
      this.#generations++
      this.#remember([...order, ...others])
      this.#isGeneratedStale = true
    }
    this.#rowsTried = 0
    this.#rowsRefused = 0
  }

  /**
   * Reads one record into row `row` of the vectors, in whatever order its members come.
   *
   * @returns whether that was possible; if not, the row holds remains
   */
  scan(start: number, recordEnd: number, row: number): boolean {
    const bytes = this.#bytes
    let end = recordEnd
    while (end > start && isBlank(bytes[end - 1]!)) end--
    // the closing brace stops every run of digits, so that those need no check of their own
    if (end - start < 2 || bytes[end - 1] !== 0x7d) return false
    let at = skipBlanks(bytes, start, end)
    if (bytes[at] !== 0x7b) return false
    const view = this.#view
    const members = this.#members.length
    const stamp = ++this.#stamp
    this.#orderLength = 0
    this.#hasBlankAfterComma = false
    this.#hasBlankAfterColon = false
    if (bytes[++at]! <= 0x20) at = skipBlanks(bytes, at, end)
    if (bytes[at] === 0x7d) return at === end - 1
    for (let expected = 0; ; expected++) {
      const member =
        expected < members && this.#isNameAt(at, end, expected) ? expected : this.#memberAt(at, end, expected)
      let action: number = UNKNOWN
      if (member >= 0) {
        if (this.#seen[member] === stamp) return false
        this.#seen[member] = stamp
        this.#order[this.#orderLength++] = member
        expected = member
        at += this.#lengths[member]!
        action = this.#actions[member]!
      } else {
        at = this.#skipUnknownName(at, end)
        if (at < 0) return false
      }
      let byte = bytes[at]!
      if (byte <= 0x20) {
        this.#hasBlankAfterColon = true
        at = skipBlanks(bytes, at, end)
        byte = bytes[at]!
      }
      if (byte === 0x6e && action !== UNKNOWN) {
        if (at + 4 >= end || view.getInt32(at, true) !== NULL_WORD) return false
        at += 4
      } else if (action === NUMBER) {
        if (byte === 0x2d) byte = bytes[++at]!
        if (byte === 0x30) {
          byte = bytes[++at]!
        } else {
          if (byte < 0x31 || byte > 0x39) return false
          do byte = bytes[++at]!
          while (byte >= 0x30 && byte <= 0x39)
        }
        if (byte === 0x2e) {
          byte = bytes[++at]!
          if (byte < 0x30 || byte > 0x39) return false
          do byte = bytes[++at]!
          while (byte >= 0x30 && byte <= 0x39)
        }
        if ((byte | 32) === 0x65) {
          // one digit is enough for the grammar before an exponent
          at = skipValue(bytes, at - 1, end, 1)
          if (at < 0) return false
        }
      } else if (action <= WANTED_BIGINT) {
        at = this.#number(at, end, row, member, action)
        if (at < 0) return false
      } else if (action <= WANTED_TEXT) {
        if (byte !== 0x22) return false
        const from = ++at
        while (PLAIN_BYTE[bytes[at]!] === 1 && at < end) at++
        if (bytes[at] !== 0x22) {
          at = this.#unusualText(from, end, row, member)
          if (at < 0) return false
        } else if (action === WANTED_TEXT) {
          this.#starts[member]![row] = from
          this.#ends[member]![row] = at
        }
        at++
      } else if (action <= WANTED_BOOLEAN) {
        if (at + 5 > end) return false
        let value = 0
        if (view.getInt32(at, true) === TRUE_WORD) {
          value = 1
          at += 4
        } else if (byte === 0x66 && view.getInt32(at + 1, true) === ALSE_WORD) {
          at += 5
        } else return false
        if (action === WANTED_BOOLEAN) {
          this.#flags[member]![row] = value
          this.#nulls[member]![row] = 0
        }
      } else {
        const first = at
        at = skipValue(bytes, first, end, 1)
        if (at < 0 || (action === GENERAL && !this.#generalValue(first, at, row, member))) return false
      }
      if (at >= end) return false
      if (bytes[at]! <= 0x20) at = skipBlanks(bytes, at, end)
      byte = bytes[at]!
      if (byte !== 0x2c) return byte === 0x7d && at === end - 1
      if (bytes[++at]! <= 0x20) {
        this.#hasBlankAfterComma = true
        at = skipBlanks(bytes, at, end)
      }
    }
  }

  /** The member whose name stands at `at`: the expected one or else any; −1 if it is none of them. */
  #memberAt(at: number, end: number, expected: number): number {
    const members = this.#members.length
    for (let member = expected; member < members; member++) if (this.#isNameAt(at, end, member)) return member
    const before = Math.min(expected, members)
    for (let member = 0; member < before; member++) if (this.#isNameAt(at, end, member)) return member
    return -1
  }

  #isNameAt(at: number, end: number, member: number): boolean {
    const length = this.#lengths[member]!
    if (at + length >= end) return false
    const view = this.#view
    const words = this.#words
    const lastWord = this.#wordStarts[member + 1]! - 1
    let place = at
    for (let word = this.#wordStarts[member]!; word < lastWord; word++, place += 4) {
      if (view.getInt32(place, true) !== words[word]) return false
    }
    return view.getInt32(at + length - 4, true) === words[lastWord]
  }

  /** The place after a name and its colon, −1 if the name may be that of a column. */
  #skipUnknownName(at: number, end: number): number {
    const bytes = this.#bytes
    if (bytes[at] !== 0x22) return -1
    const quote = plainTextEnd(bytes, at + 1, end)
    if (quote < 0 || this.#findColumn(utf8.decode(bytes.subarray(at + 1, quote))) >= 0) return -1
    const colon = skipBlanks(bytes, quote + 1, end)
    return bytes[colon] === 0x3a ? colon + 1 : -1
  }

  /** A wanted number: the place after it, or −1. */
  #number(first: number, end: number, row: number, member: number, action: number): number {
    const bytes = this.#bytes
    let at = first
    let byte = bytes[at]!
    const isNegative = byte === 0x2d
    if (isNegative) byte = bytes[++at]!
    let digit = byte - 0x30
    if (digit < 0 || digit > 9) return -1
    // up to nine digits in `high`, the rest in `low`: both stay small integers
    let high = digit
    let low = 0
    let digits = 1
    let point = 0
    byte = bytes[++at]!
    if (digit !== 0) {
      for (;;) {
        digit = byte - 0x30
        if (digit < 0 || digit > 9) break
        if (digits < 9) high = (high * 10 + digit) | 0
        else low = (low * 10 + digit) | 0
        digits++
        byte = bytes[++at]!
      }
    }
    if (byte === 0x2e) {
      point = at
      byte = bytes[++at]!
      if (byte < 0x30 || byte > 0x39) return -1
      for (;;) {
        digit = byte - 0x30
        if (digit < 0 || digit > 9) break
        if (digits < 9) high = (high * 10 + digit) | 0
        else low = (low * 10 + digit) | 0
        digits++
        byte = bytes[++at]!
      }
    }
    if (digits > 15 || (byte | 32) === 0x65) return this.#unusualNumber(first, end, row, member)
    let value = digits > 9 ? high * TENS[digits - 9]! + low : high
    if (action === WANTED_DOUBLE) {
      if (point > 0) value /= TENS[at - point - 1]!
      this.#numbers[member]![row] = isNegative ? -value : value
    } else {
      if (point > 0) return -1
      if (isNegative) value = 0 - value
      if (action === WANTED_INTEGER && value !== (value | 0)) return -1
      this.#numbers[member]![row] = value
    }
    this.#nulls[member]![row] = 0
    return at
  }

  /** A wanted number of more than 15 digits or with an exponent: the place after it, or −1. */
  #unusualNumber(first: number, end: number, row: number, member: number): number {
    const bytes = this.#bytes
    const at = skipValue(bytes, first, end, 1)
    if (at < 0) return -1
    if (this.#actions[member] === WANTED_DOUBLE) {
      this.#numbers[member]![row] = Number(utf8.decode(bytes.subarray(first, at)))
      this.#nulls[member]![row] = 0
      return at
    }
    return this.#generalValue(first, at, row, member) ? at : -1
  }

  /** Text that isn't all plain ASCII: the place of its closing quote, or −1. */
  #unusualText(from: number, end: number, row: number, member: number): number {
    const bytes = this.#bytes
    const at = skipText(bytes, from, end)
    if (at < 0 || this.#actions[member] !== WANTED_TEXT) return at
    if (bytes.subarray(from, at).includes(0x5c))
      return this.#generalValue(from - 1, at + 1, row, member) ? at : -1
    this.#starts[member]![row] = from
    this.#ends[member]![row] = at
    return at
  }

  /** A value by the general rules. The place was checked to hold one JSON value. */
  #generalValue(first: number, after: number, row: number, member: number): boolean {
    const column = this.#columnOf[member]!
    const text = utf8.decode(this.#bytes.subarray(first, after))
    try {
      const value = coerceJson(parseJson(text), this.#columns[column]!.type, [])
      const vector = this.#vectors[column] ?? null
      if (vector !== null) setValue(vector, row, value)
      return true
    } catch (error) {
      // the general form finds the same fault and names its path
      if (error instanceof JsonMismatch) return false
      throw error
    }
  }
}

/** The closing quote of text without escapes, or −1. */
function plainTextEnd(bytes: Uint8Array, from: number, end: number): number {
  const quote = skipText(bytes, from, end)
  return quote >= 0 && bytes.subarray(from, quote).includes(0x5c) ? -1 : quote
}

function actionOf(type: SqlType, isWanted: boolean): MemberAction {
  switch (type.kind) {
    case 'DOUBLE':
      return isWanted ? WANTED_DOUBLE : NUMBER
    case 'INTEGER':
      return isWanted ? WANTED_INTEGER : NUMBER
    case 'BIGINT':
      return isWanted ? WANTED_BIGINT : NUMBER
    // Not every number is one of these, so all are looked at; one that isn't wanted is stored nowhere.
    case 'TIME':
    case 'DATE':
      return WANTED_INTEGER
    case 'TIMESTAMP':
      return WANTED_BIGINT
    case 'STRING':
      return isWanted ? WANTED_TEXT : TEXT
    case 'BOOLEAN':
      return isWanted ? WANTED_BOOLEAN : BOOLEAN
    default:
      return GENERAL
  }
}

/**
 * Whether a name's bytes stand for themselves between quotes and fill at least four with quotes and colon.
 * Names with a closing brace are left out so that a name never matches beyond the end of a record.
 */
function isPlainName(name: string): boolean {
  // eslint-disable-next-line no-control-regex -- these must be written with escapes
  return name !== '' && name.isWellFormed() && !/["\\}\u0000-\u001f]/.test(name)
}
