import { NotSupportedError, SqlError } from '../../base/errors.ts'
import type { FormatName, FormatSpec } from '../../plan/data-source.ts'
import type { FormatDescription } from '../../plan/format-rules.ts'
import type { Column } from '../../plan/schema.ts'
import { printType, type SqlType } from '../../plan/sql-type.ts'
import { isOn, type PrepareContext } from './context.ts'
import { didYouMean } from './nearest-name.ts'
import type { Properties } from './properties.ts'

/** WITH properties that concern formats; the same in CREATE and CREATE … AS. */
export const FORMAT_PROPERTIES = [
  'FORMAT',
  'KEY_FORMAT',
  'VALUE_FORMAT',
  'WRAP_SINGLE_VALUE',
  'KEY_DELIMITER',
  'VALUE_DELIMITER',
  'KEY_SCHEMA_ID',
  'VALUE_SCHEMA_ID',
  'KEY_SCHEMA_FULL_NAME',
  'VALUE_SCHEMA_FULL_NAME',
  'VALUE_AVRO_SCHEMA_FULL_NAME',
  'KEY_PROTOBUF_NULLABLE_REPRESENTATION',
  'VALUE_PROTOBUF_NULLABLE_REPRESENTATION',
] as const

type Side = 'key' | 'value'

/** The format names a WITH clause states, checked against each other; undefined where it states none. */
export function statedFormats(properties: Properties): {
  readonly key: string | undefined
  readonly value: string | undefined
} {
  const both = properties.text('FORMAT')
  const key = properties.text('KEY_FORMAT')
  const value = properties.text('VALUE_FORMAT')
  for (const [name, given] of [
    ['KEY_FORMAT', key],
    ['VALUE_FORMAT', value],
  ] as const) {
    if (both !== undefined && given !== undefined) {
      throw new SqlError('SQL_FORMAT_TWICE', {
        message: `FORMAT and ${name} can't both be given: FORMAT sets the formats of key and value.`,
        at: properties.place(name),
        hint: 'Give FORMAT alone, or KEY_FORMAT and VALUE_FORMAT.',
      })
    }
  }
  return { key: key ?? both, value: value ?? both }
}

/** A format by its name in any case. */
export function findFormat(
  name: string,
  properties: Properties,
  context: PrepareContext,
): {
  readonly name: FormatName
  readonly rules: FormatDescription
} {
  const upper = name.trim().toUpperCase()
  const rules = context.formats.describe(upper)
  // The cast holds because the list of formats is what `describe` knows.
  if (rules !== undefined) return { name: upper as FormatName, rules }
  throw new SqlError('SQL_UNKNOWN_FORMAT', {
    message: `There is no format ${name}.`,
    at:
      ['FORMAT', 'KEY_FORMAT', 'VALUE_FORMAT']
        .filter((p) => properties.has(p))
        .map((p) => properties.place(p))[0] ?? properties.at,
    hint: didYouMean(upper, context.formats.names()) ?? `Formats are ${context.formats.names().join(', ')}.`,
  })
}

/**
 * How one side is encoded: the format with its properties, checked against the columns.
 *
 * @param inherited  properties of the same format taken over from the source of a derived stream or table
 */
export function formatSpec(
  side: Side,
  format: string,
  columns: readonly Column[],
  properties: Properties,
  context: PrepareContext,
  inherited: FormatSpec | null,
): FormatSpec {
  const { name, rules } = findFormat(format, properties, context)
  const own = statedFormatProperties(side, properties)
  for (const [property, written] of own.names) {
    if (!rules.properties.includes(property)) {
      throw new SqlError('SQL_FORMAT_PROPERTY', {
        message: `The format ${name} has no property ${written}.`,
        at: properties.place(written),
      })
    }
  }
  const spec: FormatSpec = {
    name,
    properties: { ...(inherited?.name === name ? inheritable(inherited.properties) : {}), ...own.values },
    wrapping:
      side === 'key' ? keyWrapping(columns, rules) : valueWrapping(columns, name, rules, properties, context),
  }
  checkColumns(side, columns, spec, rules, properties, context)
  return spec
}

/** Refuses, by name, formats this version can't handle. Last, after everything a user can get wrong. */
export function checkExecutable(
  specs: readonly FormatSpec[],
  properties: Properties,
  context: PrepareContext,
): void {
  for (const spec of specs) {
    if (context.formats.describe(spec.name)?.executable !== true) {
      throw new NotSupportedError(`The format ${spec.name}`, properties.at)
    }
  }
}

/** The properties a WITH clause gives one side's format, and the words it uses for them. */
export function statedFormatProperties(
  side: Side,
  properties: Properties,
): {
  readonly values: Record<string, string>
  readonly names: readonly (readonly [string, string])[]
} {
  const upper = side.toUpperCase()
  const values: Record<string, string> = {}
  const names: (readonly [string, string])[] = []
  const take = (written: string, property: string, read: (text: string) => string): void => {
    if (!properties.has(written)) return
    values[property] = read(
      String(property === 'schemaId' ? properties.whole(written) : properties.text(written)),
    )
    names.push([property, written])
  }
  take(`${upper}_DELIMITER`, 'delimiter', (text) => delimiter(text, `${upper}_DELIMITER`, properties))
  if (
    side === 'value' &&
    properties.has('VALUE_AVRO_SCHEMA_FULL_NAME') &&
    properties.has('VALUE_SCHEMA_FULL_NAME')
  ) {
    throw new SqlError('SQL_FORMAT_PROPERTY', {
      message: "VALUE_AVRO_SCHEMA_FULL_NAME and VALUE_SCHEMA_FULL_NAME can't both be given.",
      at: properties.place('VALUE_AVRO_SCHEMA_FULL_NAME'),
    })
  }
  const fullNames =
    side === 'value' ? ['VALUE_SCHEMA_FULL_NAME', 'VALUE_AVRO_SCHEMA_FULL_NAME'] : ['KEY_SCHEMA_FULL_NAME']
  for (const written of fullNames) {
    take(written, 'fullSchemaName', (text) => {
      if (text.trim() === '') throw properties.invalid(written, 'a name')
      return text.trim()
    })
  }
  const nullable = `${upper}_PROTOBUF_NULLABLE_REPRESENTATION`
  take(nullable, 'nullableRepresentation', (text) => {
    const value = text.trim().toUpperCase()
    if (value !== 'OPTIONAL' && value !== 'WRAPPER')
      throw properties.invalid(nullable, "'OPTIONAL' or 'WRAPPER'")
    return value
  })
  take(`${upper}_SCHEMA_ID`, 'schemaId', (text) => text)
  return { values, names: names.filter(([property]) => property !== 'schemaId') }
}

/** What a derived source takes over: how fields are told apart, but no schema's name or id. */
function inheritable(properties: Readonly<Record<string, string>>): Record<string, string> {
  const { delimiter: separator, nullableRepresentation } = properties
  return {
    ...(separator === undefined ? {} : { delimiter: separator }),
    ...(nullableRepresentation === undefined ? {} : { nullableRepresentation }),
  }
}

function delimiter(text: string, written: string, properties: Properties): string {
  const word = text.trim().toUpperCase()
  if (word === 'TAB') return '\t'
  if (word === 'SPACE') return ' '
  if (text === '') {
    throw new SqlError('SQL_INVALID_PROPERTY', {
      message: `${written} can't be empty.`,
      at: properties.place(written),
      hint: "For a blank or a tab write 'SPACE' or 'TAB'.",
    })
  }
  if (text.length !== 1) throw properties.invalid(written, "one character, 'TAB' or 'SPACE'")
  return text
}

/** A single key column stands alone where the format can do both. */
function keyWrapping(columns: readonly Column[], rules: FormatDescription): FormatSpec['wrapping'] {
  return columns.length === 1 && rules.wrappings.includes('unwrapped') && rules.wrappings.length > 1
    ? 'unwrapped'
    : null
}

function valueWrapping(
  columns: readonly Column[],
  name: FormatName,
  rules: FormatDescription,
  properties: Properties,
  context: PrepareContext,
): FormatSpec['wrapping'] {
  const stated = properties.flag('WRAP_SINGLE_VALUE')
  if (stated !== undefined) {
    const wanted = stated ? 'wrapped' : 'unwrapped'
    if (columns.length > 1) {
      throw new SqlError('SQL_WRAP_SINGLE_VALUE', {
        message: `WRAP_SINGLE_VALUE is for a single value column; here are ${columns.length}.`,
        at: properties.place('WRAP_SINGLE_VALUE'),
      })
    }
    if (!rules.wrappings.includes(wanted)) {
      throw new SqlError('SQL_WRAP_SINGLE_VALUE', {
        message: `The format ${name} can't have WRAP_SINGLE_VALUE = ${stated}.`,
        at: properties.place('WRAP_SINGLE_VALUE'),
      })
    }
    return columns.length === 1 ? wanted : null
  }
  if (columns.length !== 1 || rules.wrappings.length < 2) return null
  if (!context.settings.has('ksql.persistence.wrap.single.values')) return null
  return isOn(context.settings, 'ksql.persistence.wrap.single.values', true) ? 'wrapped' : 'unwrapped'
}

function checkColumns(
  side: Side,
  columns: readonly Column[],
  spec: FormatSpec,
  rules: FormatDescription,
  properties: Properties,
  context: PrepareContext,
): void {
  if (side === 'key') checkKeyTypes(columns, properties)
  if (columns.length === 0) return
  const supported = side === 'key' ? rules.supportsKey : rules.supportsValue
  const reason = supported
    ? rules.executable
      ? context.formats.refuses(side, columns, spec)
      : refusedByRegistryFormat(columns, spec.name)
    : `The format ${spec.name} can't be used for ${side}s.`
  if (reason === null) return
  throw new SqlError('SQL_FORMAT_REFUSES', {
    message: reason,
    at: properties.at,
    hint: `Choose another ${side === 'key' ? 'KEY_FORMAT' : 'VALUE_FORMAT'}, or change the columns.`,
  })
}

/** MAPs have no one serialised form, so equal keys would not meet. */
export function checkKeyTypes(columns: readonly Column[], where: { readonly at: SqlError['at'] }): void {
  for (const column of columns) {
    if (containsMap(column.type, () => true)) {
      throw new SqlError('SQL_MAP_KEY', {
        message: `The key column ${column.name} is ${printType(column.type)}: MAPs are not possible in keys, because equal ones may be written differently.`,
        at: where.at,
      })
    }
  }
}

function containsMap(type: SqlType, which: (key: SqlType) => boolean): boolean {
  switch (type.kind) {
    case 'MAP':
      return which(type.key) || containsMap(type.value, which)
    case 'ARRAY':
      return containsMap(type.element, which)
    case 'STRUCT':
      return type.fields.some((f) => containsMap(f.type, which))
    default:
      return false
  }
}

/** What AVRO, PROTOBUF and JSON_SR can't hold; they are checked here as long as nothing else knows them. */
function refusedByRegistryFormat(columns: readonly Column[], name: FormatName): string | null {
  const odd = columns.find((c) => containsMap(c.type, (key) => key.kind !== 'STRING'))
  return odd === undefined
    ? null
    : `The format ${name} only has MAPs with STRING keys, but ${odd.name} is ${printType(odd.type)}.`
}
