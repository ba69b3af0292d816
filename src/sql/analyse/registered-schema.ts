import { SqlError, type Position } from '../../base/errors.ts'
import type { FormatSpec } from '../../plan/data-source.ts'
import type { Column } from '../../plan/schema.ts'
import { printType, quoteName, sameType } from '../../plan/sql-type.ts'
import type { PrepareContext } from './context.ts'
import { findFormat, statedFormatProperties } from './format-spec.ts'
import type { Properties } from './properties.ts'

type Side = 'key' | 'value'

/**
 * The columns of a side that declares none, from its topic's newest registered schema or the one whose number
 * the statement gives; none where the format's schemas aren't registered.
 *
 * @throws SqlError when there is no schema or it can't be used
 */
export function inferredColumns(
  side: Side,
  format: string,
  topic: string,
  properties: Properties,
  context: PrepareContext,
): readonly Column[] {
  const { name, rules } = findFormat(format, properties, context)
  if (!rules.infersColumns || !rules.executable) return []
  const spec: FormatSpec = {
    name,
    properties: statedFormatProperties(side, properties).values,
    wrapping: side === 'value' && properties.flag('WRAP_SINGLE_VALUE') === false ? 'unwrapped' : null,
  }
  return registered(side, topic, spec, properties, context).map((column) => ({ ...column, role: side }))
}

/**
 * Checks the columns a query gives against the schema whose number the statement gives: they have to be its
 * first fields, with the same types; further fields stay empty.
 */
export function checkAgainstSchemaId(
  side: Side,
  columns: readonly Column[],
  topic: string,
  spec: FormatSpec,
  properties: Properties,
  context: PrepareContext,
): void {
  const id = `${side.toUpperCase()}_SCHEMA_ID`
  if (!properties.has(id)) return
  const rules = context.formats.describe(spec.name)
  if (rules?.infersColumns !== true) {
    throw new SqlError('SQL_SCHEMA_ID', {
      message: `${id} needs a format whose schemas are registered, not ${spec.name}.`,
      at: properties.place(id),
    })
  }
  // Several columns never stand alone, so the schema is of the record they make.
  const wrapping = columns.length > 1 ? 'wrapped' : spec.wrapping
  const fields = registered(side, topic, { ...spec, wrapping }, properties, context)
  // A value that stands alone has no name in its schema.
  const unnamed =
    rules.wrappings.includes('unwrapped') &&
    (side === 'key' ? columns.length === 1 : spec.wrapping === 'unwrapped')
  const wrong = columns.filter((column, i) => {
    const field = fields[i]
    return (
      field === undefined || !sameType(field.type, column.type) || (!unnamed && field.name !== column.name)
    )
  })
  if (wrong.length === 0) return
  throw new SqlError('SQL_SCHEMA_ID_MISMATCH', {
    message: `These ${side} columns are not those of the registered schema, in its order: ${print(wrong)}. It has ${print(fields)}.`,
    at: properties.place(id),
  })
}

function registered(
  side: Side,
  topic: string,
  spec: FormatSpec,
  properties: Properties,
  context: PrepareContext,
): readonly { readonly name: string; readonly type: Column['type'] }[] {
  const found = context.formats.registeredColumns(side, topic, spec)
  const id = spec.properties['schemaId']
  const place: Position =
    id === undefined ? properties.place('KAFKA_TOPIC') : properties.place(`${side.toUpperCase()}_SCHEMA_ID`)
  const which = id === undefined ? `the ${side}s of topic ${topic}` : `the number ${id}`
  if (found.kind === 'missing') {
    throw new SqlError('SQL_NO_REGISTERED_SCHEMA', {
      message: `No schema is registered for ${which}.`,
      at: place,
      hint: id === undefined ? `Register one, or declare the ${side} columns.` : undefined,
    })
  }
  if (found.kind === 'unusable') {
    throw new SqlError('SQL_UNUSABLE_SCHEMA', {
      message: `The schema registered for ${which} can't be used: ${found.reason}`,
      at: place,
    })
  }
  if (found.columns.length === 0) {
    throw new SqlError('SQL_UNUSABLE_SCHEMA', {
      message: `The schema registered for ${which} has no fields.`,
      at: place,
    })
  }
  return found.columns
}

function print(columns: readonly { readonly name: string; readonly type: Column['type'] }[]): string {
  return columns.map((c) => `${quoteName(c.name)} ${printType(c.type)}`).join(', ')
}

/** Avro gives records names: those of keys are called after their stream or table. */
export function withKeySchemaName(spec: FormatSpec, source: string): FormatSpec {
  if (spec.name !== 'AVRO' || spec.properties['fullSchemaName'] !== undefined) return spec
  const camelCase = source
    .split('_')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
    .join('')
  return {
    ...spec,
    properties: { ...spec.properties, fullSchemaName: `io.confluent.ksql.avro_schemas.${camelCase}Key` },
  }
}
