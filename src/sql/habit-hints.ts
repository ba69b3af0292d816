import * as T from './tokens.ts'
import { K } from './tokens.ts'
import { is, type Mistake, type Recogniser, type WrittenHint } from './mistake.ts'

/*
 * Habits people bring: words of other dialects and of psql, clauses in another place, signs that mean the same
 * elsewhere. Each recogniser knows one family of them by what stands where the parser stopped.
 */

/** In the order in which they are asked. */
export const HABITS: readonly Recogniser[] = [
  showWhat,
  describeWhat,
  dropWhat,
  createWhat,
  queryControl,
  alterWhat,
  propertyName,
  orderOfRows,
  alertQuery,
  columnParts,
  createParts,
  joins,
  windows,
  constructors,
  operators,
  functionForms,
  definitions,
]

function word(token: Mistake['found']): string {
  return token?.image.toUpperCase() ?? ''
}

/** Whether the statement begins with one of these words. */
function begins(mistake: Mistake, ...types: T.TokenType[]): boolean {
  return is(mistake.tokens[0], ...types)
}

function hinted(hint: string | undefined, message?: string): WrittenHint | undefined {
  if (hint === undefined) return undefined
  return message === undefined ? { hint } : { hint, message }
}

const SHOWN: Readonly<Record<string, string>> = {
  STREAM: 'Did you mean STREAMS?',
  TABLE: 'Did you mean TABLES?',
  TOPIC: 'Did you mean TOPICS?',
  QUERY: 'Did you mean QUERIES?',
  FUNCTION: 'Did you mean FUNCTIONS?',
  TYPE: 'Did you mean TYPES?',
  ALERT: 'Did you mean ALERTS?',
  PROPERTY: 'Did you mean PROPERTIES?',
  SETTINGS: 'Did you mean PROPERTIES?',
  COLUMNS: 'DESCRIBE name lists the columns of a stream or table.',
  CREATE: 'DESCRIBE name EXTENDED shows the statement that made a stream or table.',
  DATABASES: 'There is one catalog: SHOW STREAMS, SHOW TABLES.',
  SCHEMAS: 'There is one catalog: SHOW STREAMS, SHOW TABLES.',
  PROCESSLIST: 'Did you mean QUERIES?',
}

function showWhat(mistake: Mistake): WrittenHint | undefined {
  return begins(mistake, K.SHOW, K.LIST) && mistake.index === 1
    ? hinted(SHOWN[word(mistake.found)])
    : undefined
}

function describeWhat(mistake: Mistake): WrittenHint | undefined {
  if (!begins(mistake, K.DESCRIBE) || mistake.index !== 1) return undefined
  if (is(mistake.found, K.EXTENDED)) return { hint: 'EXTENDED comes last: DESCRIBE name EXTENDED.' }
  if (is(mistake.found, K.QUERY)) return { hint: 'EXPLAIN id shows a query.' }
  return undefined
}

const DROPPED: Readonly<Record<string, string>> = {
  TOPIC:
    'DROP STREAM name DELETE TOPIC deletes a topic with its stream; `millrace topics delete` deletes one alone.',
  VIEW: 'What a query keeps up to date is a table or a stream: DROP TABLE, DROP STREAM.',
  QUERY: 'TERMINATE id ends a query.',
  DATABASE: 'There is one catalog; DROP takes one stream or table at a time.',
  SCHEMA: 'There is one catalog; DROP takes one stream or table at a time.',
  INDEX: 'There are no indexes: a table is looked up by its primary key.',
}

function dropWhat(mistake: Mistake): WrittenHint | undefined {
  if (!begins(mistake, K.DROP) || mistake.index !== 1 || mistake.found === undefined) return undefined
  const known = DROPPED[word(mistake.found)]
  if (known !== undefined) return { hint: known }
  const isName = is(mistake.found, T.Identifier, T.QuotedIdentifier) && is(mistake.after, T.Semicolon)
  return isName
    ? { hint: `Say what it is: DROP STREAM ${mistake.found.image} or DROP TABLE ${mistake.found.image}.` }
    : undefined
}

const VIEW = 'CREATE TABLE name AS SELECT … keeps what a query gives up to date, as a materialized view does.'
const ONE_CATALOG = 'There is one catalog: streams and tables are made at once.'
const CREATED: Readonly<Record<string, string>> = {
  VIEW,
  MATERIALIZED: VIEW,
  INDEX:
    'A table is looked up by its primary key: CREATE TABLE name AS SELECT … GROUP BY other makes one by another.',
  TOPIC:
    'CREATE STREAM name (…) WITH (KAFKA_TOPIC = …, PARTITIONS = n, …) makes its topic, `millrace topics create` one alone.',
  DATABASE: ONE_CATALOG,
  SCHEMA: ONE_CATALOG,
  FUNCTION: 'Functions are written in TypeScript: docs/user-functions.md.',
  TEMPORARY: 'SELECT … EMIT CHANGES is a query that ends with its reader.',
  TEMP: 'SELECT … EMIT CHANGES is a query that ends with its reader.',
  CONNECTOR: 'Say which: CREATE SOURCE CONNECTOR or CREATE SINK CONNECTOR.',
}

function createWhat(mistake: Mistake): WrittenHint | undefined {
  const isFirst = mistake.index === 1 || (mistake.index === 3 && is(mistake.before, K.REPLACE))
  return begins(mistake, K.CREATE) && isFirst ? hinted(CREATED[word(mistake.found)]) : undefined
}

function queryControl(mistake: Mistake): WrittenHint | undefined {
  if (!begins(mistake, K.TERMINATE, K.PAUSE, K.RESUME) || mistake.index !== 1) return undefined
  if (is(mistake.found, K.QUERY, K.QUERIES)) {
    return {
      hint: `Leave ${word(mistake.found)} out: ${word(mistake.tokens[0])} id, or ${word(mistake.tokens[0])} ALL.`,
    }
  }
  return is(mistake.found, T.Semicolon)
    ? { hint: 'SHOW QUERIES lists the ids; ALL stands for every query.' }
    : undefined
}

function alterWhat(mistake: Mistake): WrittenHint | undefined {
  if (!begins(mistake, K.ALTER) || !mistake.expects(K.ADD)) return undefined
  if (!['DROP', 'RENAME', 'MODIFY', 'ALTER', 'CHANGE'].includes(word(mistake.found))) return undefined
  return {
    message: 'Columns can only be added.',
    hint: 'ALTER STREAM name ADD COLUMN column type. For anything else DROP the stream or table and declare it anew.',
  }
}

/** A property whose name is another word. */
function propertyName(mistake: Mistake): WrittenHint | undefined {
  if (!mistake.inside('property') || !is(mistake.before, T.OpenParen, T.Comma)) return undefined
  if (!is(mistake.found, K.TOPIC)) return undefined
  return { message: 'There is no property TOPIC.', hint: "Write KAFKA_TOPIC = '…'." }
}

/** ORDER BY and OFFSET before EMIT. */
function orderOfRows(mistake: Mistake): WrittenHint | undefined {
  if (!is(mistake.found, K.EMIT)) return undefined
  const clause = mistake.tokens
    .slice(0, mistake.index)
    .findLast((token) => is(token, K.ORDER, K.OFFSET, K.FROM))
  if (clause === undefined || !is(clause, K.ORDER, K.OFFSET)) return undefined
  const name = is(clause, K.ORDER) ? 'ORDER BY' : 'OFFSET'
  return {
    message: `Rows that come without end have no order: ${name} is only possible in pull queries.`,
    hint: `Leave out ${name}, or EMIT.`,
  }
}

function alertQuery(mistake: Mistake): WrittenHint | undefined {
  if (!is(mistake.found, K.EMIT, K.LIMIT)) return undefined
  if (!is(mistake.tokens[1], K.ALERT) && !is(mistake.tokens[3], K.ALERT)) return undefined
  return {
    message: `The query of an alert has no ${word(mistake.found)}.`,
    hint: 'Leave it out: an alert follows its query for as long as the alert exists.',
  }
}

function columnParts(mistake: Mistake): WrittenHint | undefined {
  const { found, before, after } = mistake
  if (is(before, K.DECIMAL) && mistake.expects(T.OpenParen)) {
    return { hint: 'Say how many digits, and how many of them after the point: DECIMAL(10, 2).' }
  }
  const atColumn = mistake.inside('columnDefinitions') || is(mistake.tokens[0], K.ALTER)
  if (!atColumn) return undefined
  if (is(found, K.NOT) && is(after, K.NULL)) {
    return {
      message: 'Any column may be null.',
      hint: 'Leave NOT NULL out; WHERE column IS NOT NULL passes over such rows.',
    }
  }
  if (['DEFAULT', 'UNIQUE', 'REFERENCES', 'CHECK', 'AUTO_INCREMENT'].includes(word(found))) {
    return {
      message: `Columns have no ${word(found)}.`,
      hint: 'A column has a name, a type and, where it is one, KEY or PRIMARY KEY.',
    }
  }
  return undefined
}

function createParts(mistake: Mistake): WrittenHint | undefined {
  const { found, before, after, tokens, index } = mistake
  if (!begins(mistake, K.CREATE)) return undefined
  const hasQuery = tokens.slice(0, index).some((token) => is(token, K.SELECT))
  if (is(found, K.WITH) && hasQuery && is(after, T.OpenParen)) {
    return {
      message: 'WITH (…) stands behind the query.',
      hint: 'It comes before AS: CREATE … name WITH (…) AS SELECT ….',
    }
  }
  if (is(found, T.OpenParen) && is(before, T.CloseParen) && !hasQuery && is(tokens[index + 2], T.Equal)) {
    return { hint: 'Perhaps WITH is missing before "(".' }
  }
  if (is(found, T.Dot) && !hasQuery && !tokens.slice(0, index).some((token) => is(token, T.OpenParen))) {
    return {
      hint: 'Names of streams and tables have letters, digits, _ and -; there is one catalog, so nothing comes before them.',
    }
  }
  return undefined
}

function joins(mistake: Mistake): WrittenHint | undefined {
  const { found, after, expects, index, tokens } = mistake
  const on = 'Say which rows belong together: ON left.column = right.column.'
  if (is(found, T.Comma) && !mistake.inside('selectItem')) {
    const clause = tokens.slice(0, index).findLast((token) => is(token, ...CLAUSE_STARTS))
    if (is(clause, K.FROM) && expects(T.Semicolon)) {
      return { message: 'FROM names one source.', hint: `Put sources together with JOIN. ${on}` }
    }
  }
  if (is(after, K.JOIN) && ['CROSS', 'NATURAL'].includes(word(found))) {
    return { message: `There is no ${word(found)} JOIN.`, hint: on }
  }
  if (!expects(K.ON)) return undefined
  if (word(found) === 'USING') return { message: 'There is no USING.', hint: on }
  if (is(found, T.Semicolon, ...CLAUSE_STARTS)) return { message: 'The join has no ON.', hint: on }
  return undefined
}

const CLAUSE_STARTS: readonly T.TokenType[] = [
  K.SELECT,
  K.FROM,
  K.WINDOW,
  K.WHERE,
  K.GROUP,
  K.PARTITION,
  K.HAVING,
  K.EMIT,
  K.LIMIT,
]

function windows(mistake: Mistake): WrittenHint | undefined {
  const { found, after, expects, rule } = mistake
  if (expects(K.TUMBLING) && expects(K.HOPPING)) {
    return {
      hint: 'Windows are TUMBLING, HOPPING or SESSION. One that slides is HOPPING with a short ADVANCE BY.',
    }
  }
  if ((rule === 'timeUnit' || rule === 'reservedTimeUnit') && !/^(YEAR|MONTH|WEEK)S?$/.test(word(found))) {
    return { hint: 'Say in what: DAYS, HOURS, MINUTES, SECONDS or MILLISECONDS.' }
  }
  if (mistake.inside('session') && is(found, K.SIZE)) {
    return { hint: 'A session has no size but a gap that ends it: SESSION (30 SECONDS).' }
  }
  const inWindow = ['tumbling', 'hopping', 'session'].some((name) => mistake.inside(name))
  if (inWindow && is(found, T.Comma) && is(after, K.RETENTION)) {
    return { hint: 'RETENTION comes before GRACE PERIOD, each after a comma.' }
  }
  if (is(found, T.CloseParen) && expects(T.Comma) && mistake.inside('within')) {
    return { hint: 'Write WITHIN 1 HOUR, or WITHIN (1 HOUR, 2 HOURS) for before and after.' }
  }
  return undefined
}

function constructors(mistake: Mistake): WrittenHint | undefined {
  const { found, expects, tokens, index } = mistake
  if (expects(T.Assign)) {
    return mistake.inside('struct')
      ? { hint: "Fields are written name := value: STRUCT(name := 'a')." }
      : { hint: "Entries are written key := value: MAP('key' := 1)." }
  }
  if (is(found, T.OpenBracket) && mistake.inside('query') && !is(tokens[index - 1], T.Identifier)) {
    return { hint: 'Write ARRAY[…].' }
  }
  if (found?.image === '{') return { hint: "Write MAP('key' := value) or STRUCT(name := value)." }
  return undefined
}

function operators(mistake: Mistake): WrittenHint | undefined {
  const { found, before, after } = mistake
  if (found?.image === '&') return { hint: 'Write AND.' }
  if (found?.image === '|') return { hint: 'Write OR; || puts texts together.' }
  if (found?.image === '!') return { hint: 'Write NOT.' }
  if (word(found) === 'ILIKE') {
    return { message: 'There is no ILIKE.', hint: "Compare in one case: LCASE(text) LIKE 'a%'." }
  }
  if (is(found, K.EXISTS) && mistake.inside('expression')) {
    return { message: 'There is no EXISTS.', hint: 'JOIN with what is looked for, or use IN with values.' }
  }
  if (is(found, T.CloseParen) && is(before, T.OpenParen) && is(mistake.tokens[mistake.index - 2], K.IN)) {
    return { hint: 'IN takes at least one value.' }
  }
  if (is(found, T.OpenParen) && is(mistake.tokens[mistake.index - 2], T.Arrow)) {
    return { hint: 'A lambda is written with =>: x => UCASE(x).', index: mistake.index - 2 }
  }
  return is(found, T.Equal) && is(after, T.Greater)
    ? { hint: 'A lambda is written with =>, without a space.' }
    : undefined
}

/** Forms that look like functions and have words of their own inside. */
function functionForms(mistake: Mistake): WrittenHint | undefined {
  const { found, before, after, index } = mistake
  const over = [found, before].findIndex((token) => word(token) === 'OVER')
  if (over !== -1 && is(over === 0 ? after : found, T.OpenParen)) {
    return {
      message: 'There are no window functions (OVER).',
      hint: 'LAG(value) looks at an earlier row of the key; WINDOW … GROUP BY aggregates over time.',
      index: index - over,
    }
  }
  if (
    is(found, K.FROM) &&
    mistake.inside('call') &&
    ['YEAR', 'MONTH', 'DAY', 'HOUR', 'MINUTE', 'SECOND'].includes(word(before))
  ) {
    return {
      message: 'There is no EXTRACT.',
      hint: "FORMAT_TIMESTAMP(timestamp, 'yyyy') gives a part of a time, as a text that CAST makes a number.",
    }
  }
  if (word(before) === 'TOP' && is(found, T.IntegerNumber)) {
    return {
      message: 'There is no TOP.',
      hint: `Write LIMIT ${found!.image} at the end of the query.`,
      index: index - 1,
    }
  }
  return undefined
}

function definitions(mistake: Mistake): WrittenHint | undefined {
  if (!begins(mistake, K.DEFINE) || mistake.found === undefined) return undefined
  const { image } = mistake.found
  if (is(mistake.before, T.Equal)) {
    const text = is(mistake.found, T.QuotedIdentifier) ? image.slice(1, -1) : image
    return { hint: `The value is a text in single quotes: '${text}'.` }
  }
  return mistake.index === 1 && is(mistake.found, T.StringText)
    ? { hint: `The name has no quotes: DEFINE ${image.slice(1, -1)} = '…'.` }
    : undefined
}
