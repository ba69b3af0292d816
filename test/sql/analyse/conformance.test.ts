import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

import { NotSupportedError, SqlError } from '../../../src/base/errors.ts'
import { planFromJson, planToJson } from '../../../src/plan/plan-json.ts'
import { printSchema } from '../../../src/plan/schema.ts'
import { parseStatements } from '../../../src/sql/parse.ts'
import { prepare } from '../../../src/sql/prepare.ts'
import { session, type Session } from './memory-catalog.ts'

/** The parts of a conformance case that analysis answers for. */
interface Case {
  readonly id: string
  readonly statements: readonly string[]
  readonly properties?: Readonly<Record<string, unknown>>
  readonly topics?: readonly {
    readonly name: string
    readonly partitions?: number
    readonly keySchema?: unknown
    readonly valueSchema?: unknown
  }[]
  readonly expectedException?: { readonly type: string }
  readonly post?: { readonly sources?: readonly { readonly name: string; readonly schema?: string }[] }
}

const FOLDER = '../shared/conformance/ksqldb/query'

function readCases(): readonly Case[] {
  if (!existsSync(FOLDER)) return []
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))
  return files.flatMap((name) => {
    // The files are the project's own test data; their shape is what their page says.
    const { tests } = JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as { tests: Case[] }
    // What is registered before the first statement, only the runner of cases knows.
    return tests.filter((one) =>
      (one.topics ?? []).every((t) => t.keySchema === undefined && t.valueSchema === undefined),
    )
  })
}

function sessionFor(one: Case): Session {
  const given = Object.entries(one.properties ?? {}).map(([k, v]) => [k, String(v)] as const)
  const settings = Object.fromEntries([...given, ['millrace.compatibility', 'true']])
  const fresh = session({ settings, otherTopics: 4, keepExistingPartitions: true })
  for (const topic of one.topics ?? []) fresh.catalog.topics.set(topic.name, topic.partitions ?? 1)
  return fresh
}

/** Prepares all statements; the error that stopped it, or null. */
function prepareAll(one: Case, fresh: Session): unknown {
  try {
    for (const statement of parseStatements(one.statements.join('\n'))) {
      if (statement.kind === 'create-source') {
        const value = (name: string): unknown => statement.properties.find((p) => p.name === name)?.value
        const topic = value('KAFKA_TOPIC')
        const partitions = value('PARTITIONS')
        const named =
          typeof topic === 'object' && topic !== null && 'value' in topic ? String(topic.value) : ''
        const count =
          typeof partitions === 'object' && partitions !== null && 'text' in partitions
            ? Number(partitions.text)
            : 4
        if (!fresh.catalog.topics.has(named)) fresh.catalog.topics.set(named, count)
      }
      const command = prepare(statement, fresh.context)
      if ('plan' in command) {
        const json = planToJson(command.plan)
        if (planToJson(planFromJson(json)) !== json)
          throw new Error('The plan changed on its way through JSON.')
      }
      fresh.catalog.apply(command)
    }
    return null
  } catch (error) {
    return error
  }
}

/** A column list as a schema's text, read by the project itself. */
function schemaText(columns: string, like: Session): string | null {
  const reader = session()
  for (const [name, type] of like.catalog.types) reader.catalog.types.set(name, type)
  // System columns can be results but not be declared.
  if (/\bROW(TIME|OFFSET|PARTITION) /.test(columns)) return null
  const command = reader.run(
    `CREATE STREAM x (${columns.replaceAll('PRIMARY KEY', 'KEY')}) WITH (kafka_topic='x', format='JSON');`,
  )
  return command.kind === 'create-source' ? printSchema(command.source.schema) : null
}

const cases = readCases()

describe.skipIf(cases.length === 0)('conformance cases, as far as analysis goes', () => {
  test('statements that must work are accepted, with the schemas they must have', () => {
    const wrong: string[] = []
    for (const one of cases) {
      const refusable =
        one.expectedException !== undefined && !one.expectedException.type.endsWith('StreamsException')
      if (refusable) continue
      const fresh = sessionFor(one)
      const error = prepareAll(one, fresh)
      if (error instanceof NotSupportedError) continue
      if (error !== null) {
        wrong.push(`${one.id}: ${error instanceof Error ? error.message : 'no error'}`)
        continue
      }
      for (const { name, schema } of one.post?.sources ?? []) {
        const wanted = schema === undefined ? null : schemaText(schema, fresh)
        const source = fresh.catalog.source(name)
        if (source === undefined) wrong.push(`${one.id}: there is no ${name}`)
        else if (wanted !== null && printSchema(source.schema) !== wanted) {
          wrong.push(`${one.id}: ${name} is ${printSchema(source.schema)}, not ${wanted}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('statements that must be refused are refused on purpose, with a place', () => {
    const wrong: string[] = []
    for (const one of cases) {
      const refusable =
        one.expectedException !== undefined && !one.expectedException.type.endsWith('StreamsException')
      if (!refusable) continue
      const error = prepareAll(one, sessionFor(one))
      if (error instanceof NotSupportedError) continue
      if (!(error instanceof SqlError) || error.at === undefined)
        wrong.push(`${one.id}: ${error instanceof Error ? error.message : 'no error'}`)
    }
    expect(wrong).toEqual([])
  })
})
