import { assert } from '../../base/assert.ts'
import { MillraceError, NotSupportedError, QueryError, SqlError } from '../../base/errors.ts'
import type { Statement } from '../../sql/ast.ts'
import { parseAll, parseStatements } from '../../sql/parse.ts'
import { TestDriver, type TopicRecord } from '../driver.ts'
import type { CaseRecord, ConformanceCase, UnreadCase } from './case-file.ts'
import { difference } from './compare.ts'
import { registerCaseSchemas } from './case-schemas.ts'
import { checkPostConditions } from './post-conditions.ts'
import { decodeRecord, encodeSide, type CaseSchemas } from './topic-codec.ts'

export interface CaseOutcome {
  readonly status: 'passed' | 'failed' | 'error' | 'unsupported'
  /** One line; null when passed. */
  readonly reason: string | null
}

const PASSED: CaseOutcome = { status: 'passed', reason: null }

/** Runs one case from nothing. Never rejects: whatever goes wrong is the outcome. */
export async function runCase(unread: UnreadCase): Promise<CaseOutcome> {
  try {
    const testCase = unread.read()
    if (testCase.kind === 'rest') {
      return { status: 'unsupported', reason: 'Cases of the HTTP interface are not supported yet.' }
    }
    return await runQueryCase(testCase)
  } catch (error) {
    if (error instanceof NotSupportedError) return { status: 'unsupported', reason: reasonOf(error) }
    if (error instanceof CaseFailure) return failed(error.message)
    return { status: 'error', reason: reasonOf(error) }
  }
}

/** The case's expectation is not met. */
class CaseFailure extends Error {}

async function runQueryCase(testCase: ConformanceCase): Promise<CaseOutcome> {
  const exception = testCase.expectedException
  const expectsStop = exception?.type.endsWith('.StreamsException') === true
  const text = testCase.statements.join('\n')
  const { statements } = parseAll(text)
  const makeDriver = (): TestDriver => {
    const made = new TestDriver({ settings: testCase.properties, compatibility: true })
    createTopics(made, testCase, statements)
    return made
  }
  const driver = makeDriver()
  await registerCaseSchemas(driver.registry, testCase.topics, statements, makeDriver)

  const rejection = await runStatements(driver, text)
  if (rejection !== null) {
    if (rejection.error instanceof NotSupportedError) throw rejection.error
    if (!(rejection.error instanceof SqlError)) throw rejection.error
    const what = reasonOf(rejection.error)
    if (exception === null || expectsStop)
      return failed(`statement ${rejection.index + 1} was rejected: ${what}`)
    const last = testCase.statements.length - 1
    if (rejection.index !== -1 && !rejection.isLast) {
      return failed(`a statement before the last of ${last + 1} was rejected: ${what}`)
    }
    return PASSED
  }
  if (exception !== null && !expectsStop) {
    return failed(
      `all statements were accepted; expected a rejection: ${exception.message ?? exception.type}`,
    )
  }

  const inputs = testCase.inputs.map((record) => ({ topic: record.topic, record: encode(driver, record) }))
  for (const { topic, record } of inputs) driver.append(topic, record)
  try {
    await driver.feedQueries(inputs)
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    return expectsStop ? PASSED : failed(`a query stopped: ${reasonOf(error)}`)
  }
  if (expectsStop)
    return failed(`all inputs were processed; expected a query to stop: ${exception.message ?? ''}`)

  compareOutputs(driver, testCase)
  const problem = testCase.post === null ? null : checkPostConditions(testCase.post, driver)
  return problem === null ? PASSED : failed(problem)
}

/** Topics that exist before the first statement. Statements that can't be read are passed over; they fail when run. */
function createTopics(driver: TestDriver, testCase: ConformanceCase, statements: readonly Statement[]): void {
  for (const { name, partitions } of testCase.topics) driver.createTopic(name, partitions)
  for (const statement of statements) {
    if (statement.kind !== 'create-source' || statement.columns.length === 0) continue
    const property = (name: string): string | undefined => {
      const literal = statement.properties.find((p) => p.name === name)?.value
      if (literal?.kind === 'string') return literal.value
      return literal !== undefined && 'text' in literal ? literal.text : undefined
    }
    const partitions = Number(property('PARTITIONS') ?? 4)
    driver.createTopic(
      property('KAFKA_TOPIC') ?? statement.name.name,
      Number.isInteger(partitions) && partitions > 0 ? partitions : 4,
    )
  }
  for (const { topic } of testCase.inputs) driver.createTopic(topic, 4)
}

interface Rejection {
  readonly error: unknown
  /** −1: the text as a whole could not be parsed. */
  readonly index: number
  readonly isLast: boolean
}

async function runStatements(driver: TestDriver, text: string): Promise<Rejection | null> {
  let statements: readonly Statement[]
  try {
    statements = parseStatements(text, { variables: new Map() })
  } catch (error) {
    return { error, index: -1, isLast: true }
  }
  for (const [index, statement] of statements.entries()) {
    try {
      await driver.statement(statement)
    } catch (error) {
      return { error, index, isLast: index === statements.length - 1 }
    }
  }
  return null
}

function encode(driver: TestDriver, record: CaseRecord): TopicRecord {
  const source = driver.sourceOf(record.topic)
  // A topic nothing is declared on has no format; nobody reads it either.
  const bytesOf = (side: 'key' | 'value'): Uint8Array | null =>
    source === undefined ? null : encodeSide(side, source, record, driver)
  return {
    key: bytesOf('key'),
    value: bytesOf('value'),
    timestampMs: record.timestampMs ?? 0,
    headers: record.headers,
  }
}

function compareOutputs(driver: TestDriver, testCase: ConformanceCase): void {
  const exactNumbers = testCase.properties.get('use.exact.numeric.comparison') !== 'false'
  for (const topic of new Set(testCase.outputs.map((o) => o.topic))) {
    const expected = testCase.outputs.filter((o) => o.topic === topic)
    const actual = driver.records(topic)
    const source = driver.sourceOf(topic)
    if (source === undefined) throw new CaseFailure(`topic ${topic}: no stream or table writes it`)
    const problems = expected.map((record, i) => {
      const found = actual[i]
      return found === undefined ? 'missing' : compareRecord(record, found, source, exactNumbers, driver)
    })
    const first = problems.findIndex((p) => p !== null)
    if (expected.length !== actual.length) {
      const detail = first < 0 || problems[first] === 'missing' ? '' : `; record ${first}: ${problems[first]}`
      throw new CaseFailure(
        `topic ${topic}: expected ${expected.length} records, got ${actual.length}${detail}`,
      )
    }
    if (first >= 0) throw new CaseFailure(`topic ${topic}, record ${first}: ${problems[first]}`)
  }
}

function compareRecord(
  expected: CaseRecord,
  found: TopicRecord,
  source: NonNullable<ReturnType<TestDriver['sourceOf']>>,
  exactNumbers: boolean,
  schemas: CaseSchemas,
): string | null {
  const actual = decodeRecord(source, found, exactNumbers, schemas)
  const value = difference(expected.value, actual.value, 'value')
  if (value !== null) return value
  const key = difference(expected.key, actual.key, 'key')
  if (key !== null) return key
  const { window } = actual
  if (JSON.stringify(expected.window) !== JSON.stringify(window)) {
    return `window: expected ${JSON.stringify(expected.window)}, got ${JSON.stringify(window)}`
  }
  if (expected.timestampMs !== null && expected.timestampMs !== found.timestampMs) {
    return `timestamp: expected ${expected.timestampMs}, got ${found.timestampMs}`
  }
  const printHeaders = (headers: CaseRecord['headers']): string =>
    JSON.stringify(
      headers.map((h) => [h.key, h.value === null ? null : Buffer.from(h.value).toString('base64')]),
    )
  if (printHeaders(expected.headers) !== printHeaders(found.headers)) {
    return `headers: expected ${printHeaders(expected.headers)}, got ${printHeaders(found.headers)}`
  }
  return null
}

function failed(reason: string): CaseOutcome {
  return { status: 'failed', reason: oneLine(reason) }
}

function reasonOf(error: unknown): string {
  assert(error !== undefined, 'what is thrown is a value')
  if (error instanceof MillraceError) {
    return oneLine(`${error.message}${error.hint === undefined ? '' : ` ${error.hint}`} (${error.code})`)
  }
  if (!(error instanceof Error)) return 'Something that is no error was thrown.'
  const place =
    error.stack
      ?.split('\n')
      .find((line) => line.includes('/src/'))
      ?.trim() ?? ''
  return oneLine(`${error.name}: ${error.message} ${place}`)
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 600)
}
