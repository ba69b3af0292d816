import { SqlError } from '../../base/errors.ts'
import { subjectOf } from '../../formats/schema-registry.ts'
import type { EmbeddedSchemaRegistry } from '../../runtime/embedded-schema-registry.ts'
import type { Statement } from '../../sql/ast.ts'
import { TestDriver } from '../driver.ts'
import type { CaseTopic } from './case-file.ts'

/**
 * Registers the schemas there are before the first statement: those with numbers of their own, then those of
 * declared columns, then those of the case's topics. The order counts, because statements name numbers.
 *
 * @param makeDriver  a driver with the case's settings and topics, to throw away
 */
export async function registerCaseSchemas(
  registry: EmbeddedSchemaRegistry,
  topics: readonly CaseTopic[],
  statements: readonly Statement[],
  makeDriver: () => TestDriver,
): Promise<void> {
  const given = topics.flatMap(({ name, key, value }) => [
    ...(key === null ? [] : [{ subject: subjectOf(name, 'key'), schema: key }]),
    ...(value === null ? [] : [{ subject: subjectOf(name, 'value'), schema: value }]),
  ])
  if (given.length === 0) return
  for (const { subject, schema } of given) {
    if (schema.id !== null) await registry.registerAs(subject, schema, schema.id)
  }
  const scratch = makeDriver()
  const register = async (target: EmbeddedSchemaRegistry): Promise<void> => {
    for (const { subject, schema } of given) await target.register(subject, schema)
  }
  await register(scratch.registry)
  for (const statement of statements) {
    const before = new Set(scratch.registry.subjects())
    if (!(await declares(scratch, statement))) continue
    for (const side of ['key', 'value'] as const) {
      const source = scratch.catalog.source(statement.kind === 'create-source' ? statement.name.name : '')
      if (source === undefined) continue
      const subject = subjectOf(source.topic, side)
      const schema = scratch.registry.latest(subject)
      if (schema !== undefined && !before.has(subject)) await registry.register(subject, schema)
    }
  }
  for (const { subject, schema } of given) {
    if (schema.id === null) await registry.register(subject, schema)
  }
}

/** Runs a statement that declares columns or types; one that is wrong is passed over, and fails when it is run. */
async function declares(driver: TestDriver, statement: Statement): Promise<boolean> {
  const declaresColumns = statement.kind === 'create-source' && statement.columns.length > 0
  if (!declaresColumns && statement.kind !== 'create-type') return false
  try {
    await driver.statement(statement)
    return true
  } catch (error) {
    if (error instanceof SqlError) return false
    throw error
  }
}
