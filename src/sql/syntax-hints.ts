import type { IToken } from 'chevrotain'
import type { SyntaxFailure } from './parser.ts'
import { HABITS } from './habit-hints.ts'
import { is, type Mistake, type Recogniser, type WrittenHint } from './mistake.ts'
import { nearWords } from './syntax-repair.ts'
import * as T from './tokens.ts'
import { K } from './tokens.ts'

/** Mistakes people make, each recognised by what stands where the parser stopped. */
export function hintFor(tokens: readonly IToken[], failure: SyntaxFailure): WrittenHint | undefined {
  const mistake: Mistake = {
    found: tokens[failure.index],
    before: tokens[failure.index - 1],
    after: tokens[failure.index + 1],
    tokens,
    index: failure.index,
    expects: (type) => failure.expected.includes(type),
    inside: (rule) => failure.rules.includes(rule),
    rule: failure.rules.at(-1) ?? '',
  }
  for (const recognise of MISTAKES) {
    const hint = recognise(mistake)
    if (hint !== undefined) return hint
  }
  return undefined
}

const MISTAKES: readonly Recogniser[] = [
  unfinishedToken,
  undefinedVariable,
  outsideTheDialect,
  subQuery,
  clauseOrder,
  missingFrom,
  windowParts,
  calendarUnits,
  emitWhat,
  textQuotes,
  comparisons,
  distinct,
  valuesRows,
  outerJoin,
  castSign,
  ...HABITS,
  strayCharacter,
]

function unfinishedToken({ found }: Mistake): WrittenHint | undefined {
  if (is(found, T.UnterminatedString))
    return { hint: "Close the text with '; a ' inside a text is written ''." }
  if (is(found, T.UnterminatedName)) {
    const quote = found!.image[0]!
    return {
      hint: `Close the name with ${quote}.${quote === '"' ? " Texts are in single quotes: 'text'." : ''}`,
    }
  }
  if (is(found, T.UnterminatedComment)) return { hint: 'Close the comment with */.' }
  return undefined
}

function undefinedVariable({ found }: Mistake): WrittenHint | undefined {
  if (!is(found, T.Variable)) return undefined
  const name = found!.image.replaceAll(/[${}]/g, '')
  return { hint: `Give it a value first: DEFINE ${name} = 'value';` }
}

/** Words of other dialects at the start of a statement or after a query. */
function outsideTheDialect({ found, before, rule, index }: Mistake): WrittenHint | undefined {
  const word = found?.image.toUpperCase() ?? ''
  if (index === 0 && rule === 'statement') {
    const hint = FOREIGN_STATEMENTS[word]
    if (hint !== undefined) return { message: `There is no ${word} statement.`, hint }
    if (nearWords(word).length === 0) {
      return { hint: 'Statements begin with a word such as SELECT, CREATE, INSERT, DROP, SHOW or DESCRIBE.' }
    }
  }
  const setOperation = [before, found].find(
    (token) => token !== undefined && SET_OPERATIONS.has(token.image.toUpperCase()),
  )
  if (
    setOperation !== undefined &&
    is(setOperation === before ? found : before, K.SELECT, K.ALL, T.Identifier)
  ) {
    return {
      message: `There is no ${setOperation.image.toUpperCase()}${setOperation.image.toUpperCase() === 'UNION' ? ' without ALL' : ''}.`,
      hint:
        setOperation.image.toUpperCase() === 'UNION'
          ? 'UNION ALL keeps every row, also equal ones.'
          : 'Let several INSERT INTO … SELECT statements write to one stream.',
    }
  }
  return undefined
}

const FOREIGN_STATEMENTS: Readonly<Record<string, string>> = {
  UPDATE: 'Rows are changed by writing a new row for the key: INSERT INTO … VALUES ….',
  DELETE: 'Rows of a table end with a record that has their key and no value.',
  TRUNCATE: 'DROP … DELETE TOPIC removes a source with its records.',
  MERGE: 'INSERT INTO … VALUES … replaces the row of its key in a table.',
  USE: 'There is one catalog.',
  BEGIN: 'Every statement stands for itself.',
  COMMIT: 'Every statement stands for itself.',
}

const SET_OPERATIONS: ReadonlySet<string> = new Set(['UNION', 'INTERSECT', 'EXCEPT'])

function subQuery({ found, after, inside }: Mistake): WrittenHint | undefined {
  const isSelect = is(found, K.SELECT) || (is(found, T.OpenParen) && is(after, K.SELECT))
  if (!isSelect || !inside('query')) return undefined
  return {
    message: 'A query cannot stand inside another one.',
    hint: 'It can in FROM: SELECT … FROM (SELECT …) AS name. Elsewhere join what it gives.',
  }
}

/** Clauses in the order in which they must stand. */
const CLAUSES: readonly { readonly first: T.TokenType; readonly name: string }[] = [
  { first: K.FROM, name: 'FROM' },
  { first: K.WINDOW, name: 'WINDOW' },
  { first: K.WHERE, name: 'WHERE' },
  { first: K.GROUP, name: 'GROUP BY' },
  { first: K.PARTITION, name: 'PARTITION BY' },
  { first: K.HAVING, name: 'HAVING' },
  { first: K.EMIT, name: 'EMIT' },
  { first: K.LIMIT, name: 'LIMIT' },
  { first: K.FOR, name: 'FOR' },
  { first: K.KEEP, name: 'KEEP FIRING FOR' },
  { first: K.RESOLVE, name: 'RESOLVE WHEN' },
  { first: K.NO, name: 'NO DATA AFTER' },
  { first: K.SEVERITY, name: 'SEVERITY' },
  { first: K.LABELS, name: 'LABELS' },
  { first: K.ANNOTATIONS, name: 'ANNOTATIONS' },
  { first: K.NOTIFY, name: 'NOTIFY' },
]

const FIRST_ALERT_CLAUSE = CLAUSES.findIndex(({ first }) => first === K.FOR)

function clauseOrder({ found, tokens, index, expects, rule }: Mistake): WrittenHint | undefined {
  const place = CLAUSES.findIndex(({ first }) => is(found, first))
  if (place === -1 || found === undefined) return undefined
  if (!expects(T.Semicolon) && rule !== 'query') return undefined
  const inAlert = is(tokens[1], K.ALERT) || is(tokens[3], K.ALERT)
  if (inAlert && is(found, K.EMIT, K.LIMIT)) return undefined // an alert has none, wherever it stands
  const seen = new Set<number>()
  let depth = 0
  for (const token of tokens.slice(0, index)) {
    if (token.tokenType === T.OpenParen) depth++
    if (token.tokenType === T.CloseParen) depth--
    if (token.tokenType === K.SELECT) seen.clear()
    const clause = CLAUSES.findIndex(({ first }) => first === token.tokenType)
    if (depth === 0 && clause !== -1) seen.add(clause)
  }
  const { name } = CLAUSES[place]!
  if (seen.has(place)) return { message: `${name} is written twice.`, hint: `Keep one ${name}.` }
  const later = [...seen].filter((clause) => clause > place)
  if (later.length === 0) return undefined
  return {
    message: `${name} comes before ${CLAUSES[Math.min(...later)]!.name}.`,
    hint: `The order is ${(place >= FIRST_ALERT_CLAUSE ? CLAUSES.slice(FIRST_ALERT_CLAUSE) : CLAUSES.slice(0, FIRST_ALERT_CLAUSE)).map((clause) => clause.name).join(', ')}.`,
  }
}

function missingFrom({ found, expects, rule }: Mistake): WrittenHint | undefined {
  if (rule !== 'query' || !expects(K.FROM)) return undefined
  if (found !== undefined && !is(found, T.Semicolon, K.WHERE, K.GROUP, K.EMIT, K.LIMIT, K.HAVING))
    return undefined
  return {
    message: 'The query has no FROM.',
    hint: 'Every query reads a stream or a table: SELECT … FROM name.',
  }
}

function windowParts({ found, expects, rule, inside }: Mistake): WrittenHint | undefined {
  if (rule === 'hopping' && (expects(T.Comma) || expects(K.ADVANCE))) {
    return {
      message: 'The HOPPING window has no ADVANCE BY.',
      hint: 'Write HOPPING (SIZE 30 SECONDS, ADVANCE BY 10 SECONDS), or TUMBLING if windows do not overlap.',
    }
  }
  if ((inside('tumbling') || inside('session')) && is(found, K.ADVANCE)) {
    return { message: 'Only HOPPING windows have ADVANCE BY.', hint: 'Write HOPPING (SIZE …, ADVANCE BY …).' }
  }
  if ((rule === 'tumbling' || rule === 'hopping') && expects(K.SIZE)) {
    return {
      hint: `Write ${rule.toUpperCase()} (SIZE 30 SECONDS${rule === 'hopping' ? ', ADVANCE BY 10 SECONDS' : ''}).`,
    }
  }
  return undefined
}

function calendarUnits({ found, rule }: Mistake): WrittenHint | undefined {
  if (rule !== 'timeUnit' && rule !== 'reservedTimeUnit') return undefined
  const word = found?.image.toUpperCase() ?? ''
  if (!/^(YEAR|MONTH|WEEK)S?$/.test(word)) return undefined
  return {
    message: `${word} is not a unit of a fixed length.`,
    hint: 'Use DAYS, HOURS, MINUTES, SECONDS or MILLISECONDS.',
  }
}

function emitWhat({ rule, found, before }: Mistake): WrittenHint | undefined {
  const stopsAfterEmit = before?.tokenType === K.EMIT && (found === undefined || is(found, T.Semicolon))
  if (rule !== 'emit' && !stopsAfterEmit) return undefined
  return { hint: 'Write EMIT CHANGES for every update, or EMIT FINAL for one row when a window closes.' }
}

/** Names, bare words and double quotes where a text belongs. */
function textQuotes({ found, rule, inside, tokens }: Mistake): WrittenHint | undefined {
  if (found === undefined) return undefined
  if (is(tokens[0], K.SET, K.UNSET)) {
    const isSet = tokens[0]!.tokenType === K.SET
    return {
      hint: `Write ${isSet ? "SET 'auto.offset.reset' = 'earliest'" : "UNSET 'auto.offset.reset'"}; with the texts in single quotes.`,
    }
  }
  const isName =
    found.tokenType === T.Identifier ||
    found.tokenType === T.QuotedIdentifier ||
    T.WORDS.has(found.image.toUpperCase())
  if (isName && (rule === 'string' || (rule === 'literal' && inside('property')))) {
    const text = found.tokenType === T.QuotedIdentifier ? found.image.slice(1, -1) : found.image
    return { hint: `Texts are written in single quotes: '${text}'.` }
  }
  if (
    inside('statementEnd') &&
    tokens[0]!.tokenType === K.PRINT &&
    is(found, T.Dot, T.Minus, T.DecimalNumber)
  ) {
    return { hint: "Topic names with dots or dashes are quoted: PRINT 'my.topic';" }
  }
  return undefined
}

function comparisons({ found, before, inside, expects, index, tokens }: Mistake): WrittenHint | undefined {
  if (is(found, T.Equal) && is(before, T.Equal))
    return { hint: 'Equality is written with one "=".', index: index - 1 }
  if (!is(found, T.Equal, T.NotEqual, T.Less, T.LessEqual, T.Greater, T.GreaterEqual)) return undefined
  if (!inside('query') && !expects(T.Semicolon) && !expects(T.CloseParen)) return undefined
  const chained = tokens
    .slice(0, index)
    .some((token) => is(token, T.Equal, T.NotEqual, T.Less, T.LessEqual, T.Greater, T.GreaterEqual))
  return chained ? { hint: 'Comparisons do not chain: join them with AND, or use BETWEEN.' } : undefined
}

function distinct({ found, inside }: Mistake): WrittenHint | undefined {
  if (!is(found, K.DISTINCT)) return undefined
  return inside('call')
    ? { message: 'DISTINCT is not taken by functions.', hint: 'COUNT_DISTINCT(x) counts distinct values.' }
    : { message: 'There is no SELECT DISTINCT.', hint: 'GROUP BY the columns instead.' }
}

function valuesRows({ found, before, tokens, rule }: Mistake): WrittenHint | undefined {
  if (!is(tokens[0], K.INSERT)) return undefined
  if (is(found, K.SELECT) && rule === 'insert' && is(before, T.CloseParen)) {
    return { hint: 'INSERT INTO … SELECT takes no column list: name the columns with AS in the SELECT list.' }
  }
  return undefined
}

function outerJoin({ found, after }: Mistake): WrittenHint | undefined {
  if (!is(found, K.OUTER) || !is(after, K.JOIN)) return undefined
  return { hint: 'Say which: LEFT OUTER JOIN, RIGHT OUTER JOIN or FULL OUTER JOIN.' }
}

function castSign({ found, after }: Mistake): WrittenHint | undefined {
  if (found?.image !== ':' || after?.image.startsWith(':') !== true) return undefined
  return { hint: 'Write CAST(value AS type).' }
}

function strayCharacter({ found }: Mistake): WrittenHint | undefined {
  if (!is(found, T.StrayCharacter)) return undefined
  const { image } = found!
  if ('‘’“”´'.includes(image)) return { hint: "Texts are written in straight single quotes: 'text'." }
  if (/\p{L}/u.test(image)) return { hint: 'Names with other letters than A to Z are quoted: `name`.' }
  return { hint: 'Leave it out, or quote the name it belongs to.' }
}
