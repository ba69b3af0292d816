import {
  ASCII_CLASSES,
  GRAPHEME,
  LINE_BREAKS,
  NAMED_CLASSES,
  UNICODE_CLASSES,
  VERTICAL,
} from './java-regex-classes.ts'
import { unicodeBlock } from './unicode-blocks.ts'

/**
 * A pattern of java.util.regex as a native one. Each capturing group of the Java pattern is a named group
 * here (`g1`, `g2`, …): possessive quantifiers and atomic groups need groups of their own, so that numbers
 * would not agree.
 */
export interface JavaRegex {
  /** With the flags g and v. */
  readonly expression: RegExp
  readonly groupCount: number
  /** Numbers of the groups that have a name in the Java pattern. */
  readonly groupNames: ReadonlyMap<string, number>
}

/** Text of a group of a match (0: all of it); null if it took no part. */
export function groupText(match: RegExpExecArray, group: number): string | null {
  return (group === 0 ? match[0] : match.groups?.[`g${group}`]) ?? null
}

/** @throws RangeError the pattern is invalid, or uses what cannot be translated (\N, \G but at the front) */
export function compileJavaRegex(pattern: string): JavaRegex {
  const isAnchored = pattern.startsWith(LAST_MATCH)
  const translator = new Translator(isAnchored ? pattern.slice(LAST_MATCH.length) : pattern)
  const source = translator.translate()
  if (isAnchored && translator.hasAlternatives)
    throw new RangeError(`The pattern '${pattern}' has \\G in only one of its alternatives.`)
  try {
    return {
      expression: new RegExp(source, isAnchored ? 'gvy' : 'gv'),
      groupCount: translator.groupCount,
      groupNames: translator.groupNames,
    }
  } catch (cause) {
    throw new RangeError(`'${pattern}' is not a regular expression.`, { cause })
  }
}

/** All matches in a text, as find() of a Java Matcher gives them one after the other. */
export function* allMatches(regex: JavaRegex, text: string): Generator<RegExpExecArray> {
  for (const match of text.matchAll(regex.expression)) {
    yield match
    // The search goes on a character further, where the last match has not ended.
    if (regex.expression.sticky && match[0] === '') return
  }
}

/** Reads a replacement text: `$1`, `${name}` and backslash escapes. @throws RangeError it names no group */
export function javaReplacement(replacement: string, regex: JavaRegex): (match: RegExpExecArray) => string {
  const parts: (string | number)[] = []
  for (let at = 0; at < replacement.length; at++) {
    const unit = replacement[at]!
    if (unit === '\\') {
      at++
      if (at === replacement.length) throw new RangeError('A replacement ends with a backslash.')
      parts.push(replacement[at]!)
    } else if (unit !== '$') {
      parts.push(unit)
    } else if (replacement[at + 1] === '{') {
      const end = replacement.indexOf('}', at)
      const name = replacement.slice(at + 2, end)
      const group = regex.groupNames.get(name)
      if (end < 0 || group === undefined) throw new RangeError(`The pattern has no group '${name}'.`)
      parts.push(group)
      at = end
    } else {
      const digits = /^\d+/.exec(replacement.slice(at + 1))?.[0] ?? ''
      // As many digits as still name a group, but at least one.
      let length = 1
      while (length < digits.length && Number(digits.slice(0, length + 1)) <= regex.groupCount) length++
      const group = Number(digits.slice(0, length))
      if (digits === '' || group > regex.groupCount) {
        throw new RangeError(`The pattern has no group '${digits.slice(0, 1)}'.`)
      }
      parts.push(group)
      at += length
    }
  }
  return (match) =>
    parts.map((part) => (typeof part === 'string' ? part : (groupText(match, part) ?? ''))).join('')
}

/** Where the last match ended, or the text begins. */
const LAST_MATCH = '\\G'

interface Flags {
  readonly ignoreCase: boolean
  readonly dotAll: boolean
  readonly multiline: boolean
  readonly comments: boolean
  readonly unixLines: boolean
  readonly unicodeClasses: boolean
}

const NO_FLAGS: Flags = {
  ignoreCase: false,
  dotAll: false,
  multiline: false,
  comments: false,
  unixLines: false,
  unicodeClasses: false,
}

const FLAG_LETTERS: Readonly<Record<string, keyof Flags | null>> = {
  i: 'ignoreCase',
  s: 'dotAll',
  m: 'multiline',
  x: 'comments',
  d: 'unixLines',
  U: 'unicodeClasses',
  // Letters already fold beyond ASCII here.
  u: null,
}

const CONTROL_ESCAPES: Readonly<Record<string, string>> = {
  t: '\t',
  n: '\n',
  r: '\r',
  f: '\f',
  a: '\x07',
  e: '\x1b',
}

/** Reads a Java pattern once, from left to right, writing the native source. */
class Translator {
  groupCount = 0
  /** Whether the pattern as a whole is a choice. */
  hasAlternatives = false
  readonly groupNames = new Map<string, number>()
  readonly #pattern: string
  #at = 0
  #depth = 0
  #atomicCount = 0

  constructor(pattern: string) {
    this.#pattern = pattern
  }

  translate(): string {
    const source = this.#alternatives(NO_FLAGS)
    if (this.#at < this.#pattern.length) throw this.#error("an unmatched ')'")
    // A reference to a group that isn't there never matches.
    return source.replace(/\\k<g(\d+)>/g, (reference, group: string) =>
      Number(group) <= this.groupCount ? reference : '(?!)',
    )
  }

  /** Up to the closing parenthesis or the end. Flags set on the way hold up to there. */
  #alternatives(outer: Flags): string {
    let flags = outer
    let source = ''
    while (this.#at < this.#pattern.length) {
      const unit = this.#pattern[this.#at]!
      if (unit === ')') break
      if (unit === '|') {
        if (this.#depth === 0) this.hasAlternatives = true
        source += '|'
        this.#at++
        continue
      }
      if (flags.comments && this.#skipComment()) continue
      const inline = /^\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?\)/.exec(this.#pattern.slice(this.#at))
      if (inline !== null) {
        flags = this.#changedFlags(flags, inline[1]!, inline[2] ?? '')
        this.#at += inline[0].length
        continue
      }
      if (this.#pattern.startsWith('\\Q', this.#at)) {
        source += this.#quotation(flags)
        continue
      }
      source += this.#quantified(this.#atom(flags))
    }
    return source
  }

  #atom(flags: Flags): string {
    const unit = this.#pattern[this.#at]!
    switch (unit) {
      case '(':
        return this.#group(flags)
      case '[':
        this.#at++
        return this.#withCase(this.#bracketClass(flags), flags)
      case '.':
        this.#at++
        if (flags.dotAll) return '[\\s\\S]'
        return flags.unixLines ? '[^\\n]' : `[^${LINE_BREAKS}]`
      case '^':
        this.#at++
        return flags.multiline ? `(?:^|(?<=${lineStart(flags)})(?!$))` : '^'
      case '$':
        this.#at++
        return flags.multiline ? `${lineEnd(flags, '|$')})` : `${lineEnd(flags, '?$')})`
      case '\\':
        return this.#escape(flags)
      case '*':
      case '+':
      case '?':
        throw this.#error(`nothing to repeat before '${unit}'`)
      default:
        return this.#withCase(literal(this.#codePoint()), flags)
    }
  }

  /** Adds a quantifier, if one follows. A possessive one is a look-ahead that never gives back. */
  #quantified(atom: string): string {
    const found = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(this.#pattern.slice(this.#at))
    if (found === null) {
      if (this.#pattern[this.#at] === '{') throw this.#error("an incomplete '{'")
      return atom
    }
    this.#at += found[0].length
    const isAssertion =
      atom.startsWith('(?=') || atom.startsWith('(?!') || atom.startsWith('(?<') || atom === '^'
    const repeated = `${isAssertion && !atom.startsWith('(?<g') ? `(?:${atom})` : atom}${found[0]}`
    if (this.#pattern[this.#at] === '?') {
      this.#at++
      return `${repeated}?`
    }
    if (this.#pattern[this.#at] !== '+') return repeated
    this.#at++
    return this.#atomic(repeated)
  }

  #atomic(source: string): string {
    const name = `a${++this.#atomicCount}`
    return `(?:(?=(?<${name}>${source}))\\k<${name}>)`
  }

  #group(flags: Flags): string {
    const rest = this.#pattern.slice(this.#at)
    const named = /^\(\?<([a-zA-Z][a-zA-Z0-9]*)>/.exec(rest)
    const scoped = /^\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?:/.exec(rest)
    const opening = /^\(\?(?:=|!|<=|<!|>)/.exec(rest)?.[0]
    const length = named?.[0].length ?? scoped?.[0].length ?? opening?.length ?? 1
    if (length === 1 && rest.startsWith('(?')) throw this.#error(`an unknown group '${rest.slice(0, 3)}'`)
    this.#at += length
    let number = 0
    if (named !== null || length === 1) {
      number = ++this.groupCount
      if (named !== null) this.groupNames.set(named[1]!, number)
    }
    this.#depth++
    const inner = this.#alternatives(
      scoped === null ? flags : this.#changedFlags(flags, scoped[1]!, scoped[2] ?? ''),
    )
    this.#depth--
    if (this.#pattern[this.#at] !== ')') throw this.#error("a missing ')'")
    this.#at++
    if (number > 0) return `(?<g${number}>${inner})`
    if (opening === '(?>') return this.#atomic(inner)
    return opening === undefined ? `(?:${inner})` : `${opening}${inner})`
  }

  #escape(flags: Flags): string {
    const unit = this.#pattern[this.#at + 1]
    if (unit === undefined) throw this.#error('a backslash at the end')
    const letter = unit.toLowerCase()
    const classes = flags.unicodeClasses ? UNICODE_CLASSES : ASCII_CLASSES
    if (letter in classes) {
      this.#at += 2
      return `[${unit === letter ? '' : '^'}${classes[letter]}]`
    }
    switch (unit) {
      case 'p':
      case 'P':
        return this.#withCase(`[${this.#property(unit === 'P')}]`, flags)
      case 'b':
      case 'B':
        this.#at += 2
        return `\\${unit}`
      case 'A':
        this.#at += 2
        return '^'
      case 'z':
        this.#at += 2
        return '(?=$)'
      case 'Z':
        this.#at += 2
        return `${lineEnd(flags, '?$')})`
      case 'R':
        this.#at += 2
        return `(?:\\r\\n|[${VERTICAL}])`
      case 'k': {
        const named = /^\\k<([a-zA-Z][a-zA-Z0-9]*)>/.exec(this.#pattern.slice(this.#at))
        const group = named === null ? undefined : this.groupNames.get(named[1]!)
        if (named === null || group === undefined)
          throw this.#error('a reference to a group that is not there')
        this.#at += named[0].length
        return this.#withCase(`(?:\\k<g${group}>)`, flags)
      }
      case 'X':
        this.#at += 2
        return GRAPHEME
      case 'G':
      case 'N':
        throw this.#error(`\\${unit}, which is not supported`)
    }
    if (unit >= '1' && unit <= '9') return this.#withCase(this.#backReference(), flags)
    return this.#withCase(literal(this.#escapedCharacter()), flags)
  }

  /** As many digits as still name a group that has begun, but at least one. */
  #backReference(): string {
    const digits = /^\d+/.exec(this.#pattern.slice(this.#at + 1))![0]
    let length = 1
    while (length < digits.length && Number(digits.slice(0, length + 1)) <= this.groupCount) length++
    this.#at += 1 + length
    return `(?:\\k<g${digits.slice(0, length)}>)`
  }

  /** After the opening bracket. */
  #bracketClass(flags: Flags): string {
    const isNegated = this.#pattern[this.#at] === '^'
    if (isNegated) this.#at++
    const operands = ['']
    for (let first = true; ; first = false) {
      const unit = this.#pattern[this.#at]
      if (unit === undefined) throw this.#error("a missing ']'")
      if (unit === ']' && !first) break
      if (this.#pattern.startsWith('&&', this.#at)) {
        this.#at += 2
        operands.push('')
        continue
      }
      operands[operands.length - 1] += this.#classItem(flags)
    }
    this.#at++
    const filled = operands.filter((operand) => operand !== '')
    const content = filled.length > 1 ? filled.map((operand) => `[${operand}]`).join('&&') : (filled[0] ?? '')
    return `[${isNegated ? '^' : ''}${content}]`
  }

  #classItem(flags: Flags): string {
    const unit = this.#pattern[this.#at]!
    if (unit === '[') {
      this.#at++
      return this.#bracketClass(flags)
    }
    if (flags.comments && /\s/.test(unit)) {
      this.#at++
      return ''
    }
    if (unit === '\\') {
      const escape = this.#pattern[this.#at + 1] ?? ''
      const letter = escape.toLowerCase()
      const classes = flags.unicodeClasses ? UNICODE_CLASSES : ASCII_CLASSES
      if (letter in classes) {
        this.#at += 2
        return escape === letter ? classes[letter]! : `[^${classes[letter]}]`
      }
      if (letter === 'p') return this.#property(escape === 'P')
      if (escape === 'Q') return Array.from(this.#quotedText(), classLiteral).join('')
    }
    const from = this.#classCharacter()
    // A hyphen before the end or before a nested class is only a hyphen.
    const next = this.#pattern[this.#at + 1]
    if (this.#pattern[this.#at] !== '-' || next === undefined || next === ']' || next === '[') {
      return classLiteral(from)
    }
    this.#at++
    return `${classLiteral(from)}-${classLiteral(this.#classCharacter())}`
  }

  #classCharacter(): string {
    return this.#pattern[this.#at] === '\\' ? this.#escapedCharacter() : this.#codePoint()
  }

  /** An escape that stands for one character, read; the character. */
  #escapedCharacter(): string {
    const rest = this.#pattern.slice(this.#at)
    const coded =
      /^\\x([0-9a-fA-F]{2})/.exec(rest) ??
      /^\\x\{([0-9a-fA-F]+)\}/.exec(rest) ??
      /^\\u([0-9a-fA-F]{4})/.exec(rest)
    if (coded !== null) {
      this.#at += coded[0].length
      const unit = parseInt(coded[1]!, 16)
      // Two escapes may spell one character.
      const low =
        unit >= 0xd800 && unit <= 0xdbff ? /^\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(rest.slice(6)) : null
      if (low === null) return String.fromCodePoint(unit)
      this.#at += low[0].length
      return String.fromCharCode(unit, parseInt(low[1]!, 16))
    }
    const octal = /^\\0([0-3][0-7]{2}|[0-7]{1,2})/.exec(rest)
    if (octal !== null) {
      this.#at += octal[0].length
      return String.fromCharCode(parseInt(octal[1]!, 8))
    }
    const control = /^\\c([\s\S])/.exec(rest)
    if (control !== null) {
      this.#at += 3
      return String.fromCharCode(control[1]!.charCodeAt(0) ^ 64)
    }
    const unit = rest[1] ?? ''
    if (unit in CONTROL_ESCAPES) {
      this.#at += 2
      return CONTROL_ESCAPES[unit]!
    }
    if (/[a-zA-Z0-9]/.test(unit) || unit === '') throw this.#error(`an unknown escape '\\${unit}'`)
    this.#at++
    return this.#codePoint()
  }

  /** `\p{…}` or `\pL`, read; the content of a class. */
  #property(isNegated: boolean): string {
    const found = /^\\[pP](?:\{\^?([^}]*)\}|([A-Za-z]))/.exec(this.#pattern.slice(this.#at))
    if (found === null) throw this.#error('an incomplete \\p')
    this.#at += found[0].length
    const content = this.#propertyContent(found[1] ?? found[2]!)
    return isNegated ? `[^${content}]` : content
  }

  #propertyContent(name: string): string {
    const known = NAMED_CLASSES[name]
    if (known !== undefined) return known
    const block = /^(?:In|(?:blk|block)=)(.*)$/i.exec(name)
    if (block !== null && !name.startsWith('in')) {
      const range = unicodeBlock(block[1]!)
      if (range === undefined) throw this.#error(`an unknown block '${block[1]}'`)
      return `\\u{${range[0]}}-\\u{${range[1]}}`
    }
    const assigned = /^(script|sc|general_category|gc)=(.*)$/i.exec(name)
    const bare = name.replace(/^Is/, '')
    const candidates =
      assigned !== null
        ? [
            `${assigned[1]!.toLowerCase().startsWith('s') ? 'Script' : 'General_Category'}=${titled(assigned[2]!)}`,
          ]
        : [bare, titled(bare), `Script=${titled(bare)}`]
    for (const candidate of candidates) {
      try {
        new RegExp(`\\p{${candidate}}`, 'v')
        return `\\p{${candidate}}`
      } catch {
        // Not a property by this name: the next spelling is tried.
      }
    }
    throw this.#error(`\\p{${name}}, which is not supported`)
  }

  #quotation(flags: Flags): string {
    const characters = Array.from(this.#quotedText(), (character) =>
      this.#withCase(literal(character), flags),
    )
    const last = characters.pop()
    return last === undefined ? '' : characters.join('') + this.#quantified(last)
  }

  #quotedText(): string {
    const start = this.#at + 2
    const end = this.#pattern.indexOf('\\E', start)
    this.#at = end < 0 ? this.#pattern.length : end + 2
    return this.#pattern.slice(start, end < 0 ? undefined : end)
  }

  /** White space, or `#` up to the end of the line. */
  #skipComment(): boolean {
    const found = /^(?:[ \t\n\v\f\r]+|#[^\n\r]*)/.exec(this.#pattern.slice(this.#at))
    if (found === null) return false
    this.#at += found[0].length
    return true
  }

  #changedFlags(flags: Flags, on: string, off: string): Flags {
    const changed: Record<keyof Flags, boolean> = { ...flags }
    for (const [letters, value] of [
      [on, true],
      [off, false],
    ] as const) {
      for (const letter of letters) {
        const flag = FLAG_LETTERS[letter]
        if (flag === undefined) throw this.#error(`an unknown flag '${letter}'`)
        if (flag !== null) changed[flag] = value
      }
    }
    return changed
  }

  #withCase(atom: string, flags: Flags): string {
    return flags.ignoreCase ? `(?i:${atom})` : atom
  }

  #codePoint(): string {
    const character = String.fromCodePoint(this.#pattern.codePointAt(this.#at)!)
    this.#at += character.length
    return character
  }

  #error(what: string): RangeError {
    return new RangeError(`The pattern '${this.#pattern}' has ${what} near position ${this.#at + 1}.`)
  }
}

/* Neither lies between the two characters of \r\n. */

function lineStart(flags: Flags): string {
  return flags.unixLines ? '\\n' : '\\n|\\r(?!\\n)|[\\u0085\\u2028\\u2029]'
}

/** A look-ahead for a line break and `rest`; the caller closes it. */
function lineEnd(flags: Flags, rest: string): string {
  return flags.unixLines ? `(?=\\n${rest}` : `(?<!\\r(?=\\n))(?=(?:\\r\\n|[${LINE_BREAKS}])${rest}`
}

function literal(character: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}

/* Letters and digits as they are, all else by number: nothing in a class then has a meaning of its own. */
function classLiteral(character: string): string {
  return /[a-zA-Z0-9]/.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`
}

/** `LATIN` and `latin` as `Latin`, `WHITE_SPACE` as `White_Space`. */
function titled(name: string): string {
  if (name.length <= 2) return name
  return name
    .toLowerCase()
    .split('_')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('_')
}
