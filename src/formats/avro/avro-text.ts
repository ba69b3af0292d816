import { unreachable } from '../../base/assert.ts'
import { SchemaError, type WireType } from '../wire-type.ts'

/** What records of values are called unless a statement names them. */
export const AVRO_VALUE_NAME = 'io.confluent.ksql.avro_schemas.KsqlDataSourceSchema'

/**
 * The Avro schema for a type, as text. Everything inside may be null and is null by default; records within are
 * called after the fields that lead to them. A MAP whose keys may be null is a list of entries, because Avro's
 * own maps have plain keys.
 *
 * @param fullName  of the outermost record, with its namespace
 * @throws SchemaError for names Avro does not allow
 */
export function avroText(type: WireType, fullName: string): string {
  const dot = fullName.lastIndexOf('.')
  const namespace = dot < 0 ? null : fullName.slice(0, dot)
  for (const part of fullName.split('.')) checkName(part)
  return JSON.stringify(avroOf(type, fullName.slice(dot + 1), namespace, namespace))
}

/** Every name Avro takes: letters, digits and underscores, and no digit first. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

export function checkName(name: string): void {
  if (!NAME.test(name)) {
    throw new SchemaError(
      `Avro names are made of letters, digits and underscores and don't start with a digit, unlike \`${name}\`.`,
    )
  }
}

/** `shownNamespace`: stated with a record that no other record surrounds; those within inherit it. */
function avroOf(
  type: WireType,
  name: string,
  namespace: string | null,
  shownNamespace: string | null,
): unknown {
  switch (type.kind) {
    case 'boolean':
    case 'string':
    case 'bytes':
      return type.kind
    case 'int32':
      return 'int'
    case 'int64':
      return 'long'
    case 'float32':
      return 'float'
    case 'float64':
      return 'double'
    case 'date':
      return logical('int', 'date', 'Date')
    case 'time':
      return logical('int', 'time-millis', 'Time')
    case 'timestamp':
      return logical('long', 'timestamp-millis', 'Timestamp')
    case 'decimal':
      return {
        type: 'bytes',
        scale: type.scale,
        precision: type.precision,
        'connect.version': 1,
        'connect.parameters': {
          scale: String(type.scale),
          'connect.decimal.precision': String(type.precision),
        },
        'connect.name': 'org.apache.kafka.connect.data.Decimal',
        logicalType: 'decimal',
      }
    case 'array':
      return { type: 'array', items: nullable(type.element, name, namespace, shownNamespace) }
    case 'map': {
      if (type.key.kind === 'string' && !type.key.optional) {
        return { type: 'map', values: nullable(type.value, `${name}_MapValue`, namespace, shownNamespace) }
      }
      return {
        type: 'array',
        items: {
          type: 'record',
          name,
          ...(shownNamespace === null ? {} : { namespace: shownNamespace }),
          fields: [
            { name: 'key', type: nullable(type.key, `${name}_MapKey`, namespace), default: null },
            { name: 'value', type: nullable(type.value, `${name}_MapValue`, namespace), default: null },
          ],
          'connect.internal.type': 'MapEntry',
        },
      }
    }
    case 'struct':
      return {
        type: 'record',
        name,
        ...(shownNamespace === null ? {} : { namespace: shownNamespace }),
        fields: type.fields.map((field) => {
          checkName(field.name)
          return {
            name: field.name,
            type: nullable(field.type, `${name}_${field.name}`, namespace),
            ...(field.type.optional ? { default: null } : {}),
          }
        }),
        'connect.name': namespace === null ? name : `${namespace}.${name}`,
      }
    default:
      return unreachable(type)
  }
}

function nullable(
  type: WireType,
  name: string,
  namespace: string | null,
  shownNamespace: string | null = null,
): unknown {
  const inner = avroOf(type, name, namespace, shownNamespace)
  return type.optional ? ['null', inner] : inner
}

function logical(type: string, name: string, connectName: string): unknown {
  return {
    type,
    'connect.version': 1,
    'connect.name': `org.apache.kafka.connect.data.${connectName}`,
    logicalType: name,
  }
}
