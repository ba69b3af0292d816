import { createToken, Lexer, type TokenType } from 'chevrotain'

/*
 * The words and signs of the dialect. A non-reserved word is a keyword where the grammar asks for it and
 * a name everywhere else; a reserved word is a name only in quotes.
 */

const RESERVED_WORDS = [
  'ADVANCE', 'ALL', 'AND', 'AS', 'BEGINNING', 'BETWEEN', 'BY', 'CASE', 'CAST', 'CATALOG', 'CONNECTOR',
  'CONNECTORS', 'CREATE', 'DAYS', 'DECIMAL', 'DELETE', 'DESCRIBE', 'DISTINCT', 'DROP', 'ELSE', 'END',
  'EXISTS', 'EXPORT', 'EXTENDED', 'FALSE', 'FROM', 'FULL', 'GROUP', 'HAVING', 'HOPPING', 'HOURS', 'IN',
  'INNER', 'INSERT', 'INTO', 'IS', 'JOIN', 'LEFT', 'LIKE', 'LIMIT', 'LIST', 'LOAD', 'MATERIALIZED',
  'MILLISECOND', 'MILLISECONDS', 'MINUTES', 'MONTHS', 'NAMESPACE', 'NOT', 'NULL', 'ON', 'OR', 'OUTER',
  'PAUSE', 'PRINT', 'PROPERTIES', 'QUERIES', 'QUERY', 'RENAME', 'RESUME', 'RETENTION', 'RIGHT', 'RUN',
  'SAMPLE', 'SCRIPT', 'SECONDS', 'SELECT', 'SIZE', 'STREAM', 'STREAMS', 'TABLE', 'TERMINATE', 'THEN', 'TO',
  'TOPIC', 'TOPICS', 'TRUE', 'TUMBLING', 'UNSET', 'VALUES', 'VIEW', 'WHEN', 'WHERE', 'WINDOW', 'WITH',
  'WITHIN', 'YEARS',
] as const // oxfmt-ignore

const NON_RESERVED_WORDS = [
  'ADD', 'ALTER', 'ANALYZE', 'ARRAY', 'ASSERT', 'CHANGES', 'COLUMN', 'COLUMNS', 'DATE', 'DAY', 'DEFINE',
  'EMIT', 'ESCAPE', 'EXPLAIN', 'FINAL', 'FUNCTION', 'FUNCTIONS', 'GRACE', 'HEADER', 'HEADERS', 'HOUR', 'ID',
  'IF', 'INTEGER', 'INTERVAL', 'KEY', 'MAP', 'MINUTE', 'MONTH', 'PARTITION', 'PARTITIONS', 'PERIOD',
  'PLUGINS', 'PRIMARY', 'REPLACE', 'RESET', 'SCHEMA', 'SECOND', 'SESSION', 'SET', 'SHOW', 'SINK', 'SOURCE',
  'STRING', 'STRUCT', 'SUBJECT', 'SYSTEM', 'TABLES', 'TIME', 'TIMEOUT', 'TIMESTAMP', 'TYPE', 'TYPES',
  'UNDEFINE', 'VARIABLES', 'YEAR', 'ZONE',
  // Alerts are ours: scripts written for ksqlDB may use these words as names.
  'AFTER', 'ALERT', 'ALERTS', 'ANNOTATIONS', 'DATA', 'EVERY', 'FIRE', 'FIRING', 'FOR', 'KEEP', 'LABELS',
  'NO', 'NOTIFY', 'REPEAT', 'RESOLVE', 'SEVERITY',
  // So are the clauses ksqlDB doesn't have.
  'ASC', 'DESC', 'FIRST', 'LAST', 'NULLS', 'OFFSET', 'ORDER', 'UNION',
  // ksqlDB reserves it, but times are often called so: it is a keyword before TIME ZONE only.
  'AT',
] as const // oxfmt-ignore

export type Word = (typeof RESERVED_WORDS)[number] | (typeof NON_RESERVED_WORDS)[number]

/** Names, quoted or not, and all non-reserved words. */
export const Identifier = createToken({
  name: 'Identifier',
  pattern: /[A-Za-z_][A-Za-z0-9_@]*/,
  label: 'a name',
})
export const QuotedIdentifier = createToken({
  name: 'QuotedIdentifier',
  pattern: /`[^`]*(?:``[^`]*)*`|"[^"]*(?:""[^"]*)*"/,
  categories: [Identifier],
  line_breaks: true,
})
export const DigitIdentifier = createToken({
  name: 'DigitIdentifier',
  pattern: /[0-9][A-Za-z0-9_@]+/,
  categories: [Identifier],
})
/** `${name}`: replaced before parsing; one that is left has no value. */
export const Variable = createToken({ name: 'Variable', pattern: /\$?\$\{[A-Za-z_][A-Za-z0-9_@]*\}/ })

/** `?` or `:name`: a value given with the text. */
export const PositionalParameter = createToken({
  name: 'PositionalParameter',
  pattern: /\?/,
  label: 'a parameter',
})
export const NamedParameter = createToken({
  name: 'NamedParameter',
  pattern: /:[A-Za-z_][A-Za-z0-9_@]*/,
  label: 'a parameter',
})

export const StringText = createToken({
  name: 'StringText',
  pattern: /'[^']*(?:''[^']*)*'(?!')/,
  line_breaks: true,
  label: "a 'text'",
})
export const DoubleNumber = createToken({
  name: 'DoubleNumber',
  pattern: /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][+-]?[0-9]+(?![A-Za-z0-9_@])/,
  label: 'a number',
})
export const DecimalNumber = createToken({
  name: 'DecimalNumber',
  pattern: /[0-9]+\.[0-9]*|\.[0-9]+/,
  label: 'a number',
})
export const IntegerNumber = createToken({
  name: 'IntegerNumber',
  pattern: /[0-9]+(?![A-Za-z0-9_@])/,
  label: 'a whole number',
})

function sign(name: string, text: string): TokenType {
  return createToken({ name, pattern: text, label: `"${text}"` })
}

export const Arrow = sign('Arrow', '->')
export const LambdaArrow = sign('LambdaArrow', '=>')
export const Assign = sign('Assign', ':=')
export const Concat = sign('Concat', '||')
export const LessEqual = sign('LessEqual', '<=')
export const GreaterEqual = sign('GreaterEqual', '>=')
export const NotEqual = createToken({ name: 'NotEqual', pattern: /<>|!=/, label: '"<>"' })
export const Less = sign('Less', '<')
export const Greater = sign('Greater', '>')
export const Equal = sign('Equal', '=')
export const Plus = sign('Plus', '+')
export const Minus = sign('Minus', '-')
export const Star = sign('Star', '*')
export const Slash = sign('Slash', '/')
export const Percent = sign('Percent', '%')
export const Comma = sign('Comma', ',')
export const Dot = sign('Dot', '.')
export const Semicolon = sign('Semicolon', ';')
export const OpenParen = sign('OpenParen', '(')
export const CloseParen = sign('CloseParen', ')')
export const OpenBracket = sign('OpenBracket', '[')
export const CloseBracket = sign('CloseBracket', ']')

const Blank = createToken({ name: 'Blank', pattern: /[ \t\r\n]+/, group: Lexer.SKIPPED, line_breaks: true })
const LineComment = createToken({ name: 'LineComment', pattern: /--[^\n\r]*/, group: Lexer.SKIPPED })
const BlockComment = createToken({
  name: 'BlockComment',
  pattern: /\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\//,
  group: Lexer.SKIPPED,
  line_breaks: true,
})

/** A quote or comment that never ends: takes the rest of the text. */
export const UnterminatedString = createToken({
  name: 'UnterminatedString',
  pattern: /'[^]*/,
  line_breaks: true,
})
export const UnterminatedName = createToken({
  name: 'UnterminatedName',
  pattern: /[`"][^]*/,
  line_breaks: true,
})
export const UnterminatedComment = createToken({
  name: 'UnterminatedComment',
  pattern: /\/\*[^]*/,
  line_breaks: true,
})
/** A character that means nothing in the dialect; the lexer itself never fails. */
export const StrayCharacter = createToken({
  name: 'StrayCharacter',
  pattern: /[\uD800-\uDBFF][\uDC00-\uDFFF]|[^]/,
  line_breaks: false,
})

/** Never matched by the lexer, which reads words as {@link Identifier} and looks them up here. */
export const WORDS: ReadonlyMap<string, TokenType> = new Map([
  ...RESERVED_WORDS.map((word) => [word, wordToken(word, [])] as const),
  ...NON_RESERVED_WORDS.map((word) => [word, wordToken(word, [Identifier])] as const),
])

/** Token types of the words by word. */
export const K = Object.fromEntries(WORDS) as Readonly<Record<Word, TokenType>>

function wordToken(word: string, categories: TokenType[]): TokenType {
  return createToken({ name: `W_${word}`, pattern: Lexer.NA, label: word, categories })
}

const reserved: ReadonlySet<string> = new Set(RESERVED_WORDS)

/** Whether a word, in upper case, must be quoted to be a name. */
export function isReservedWord(word: string): boolean {
  return reserved.has(word)
}

/** In the order in which the lexer tries them. */
export const LEXED_TOKENS: TokenType[] = [
  Blank,
  LineComment,
  BlockComment,
  UnterminatedComment,
  DoubleNumber,
  DecimalNumber,
  IntegerNumber,
  DigitIdentifier,
  Identifier,
  QuotedIdentifier,
  UnterminatedName,
  StringText,
  UnterminatedString,
  Variable,
  PositionalParameter,
  NamedParameter,
  Arrow,
  LambdaArrow,
  Assign,
  Concat,
  NotEqual,
  LessEqual,
  GreaterEqual,
  Less,
  Greater,
  Equal,
  Plus,
  Minus,
  Star,
  Slash,
  Percent,
  Comma,
  Dot,
  Semicolon,
  OpenParen,
  CloseParen,
  OpenBracket,
  CloseBracket,
  StrayCharacter,
]

export const ALL_TOKENS: TokenType[] = [...LEXED_TOKENS, ...WORDS.values()]

export type { TokenType }
