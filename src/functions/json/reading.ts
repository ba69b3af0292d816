import { arrayOf, BOOLEAN, INTEGER, mapOf, STRING, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { rememberLast } from '../memo.ts'
import { scalarFunction } from '../scalar-function.ts'
import { typeVariable, variadic } from '../type-pattern.ts'
import { jsonText, parseJson, printJson, type JsonNode } from './json-node.ts'
import { followJsonPath, parseJsonPath } from './json-path.ts'

export const extractJsonField = scalarFunction({
  name: 'EXTRACTJSONFIELD',
  category: 'json',
  summary: 'What lies at a path within JSON: a string as it is, anything else as JSON text.',
  args: { json: STRING, path: STRING },
  returns: STRING,
  bind() {
    const stepsOf = rememberLast(parseJsonPath)
    return (json: string, path: string) => {
      const steps = stepsOf(path)
      const root = parseJson(json)
      const node = root && followJsonPath(root, steps)
      return node && jsonText(node)
    }
  },
  examples: [
    [`EXTRACTJSONFIELD('{"a": {"b c": [1.50, "x"]}}', '$.a["b c"][0]')`, '1.50'],
    [`EXTRACTJSONFIELD('{"a": {"b c": [1.50, "x"]}}', '$.a["b c"][1]')`, 'x'],
    [`EXTRACTJSONFIELD('{"a": {"b": [1, null]}}', '$.a')`, '{"b":[1,null]}'],
    [`EXTRACTJSONFIELD('{"a": null}', '$.a')`, 'null'],
    [`EXTRACTJSONFIELD('{"a": 1}', '$.b')`, null],
    [`EXTRACTJSONFIELD('[1, 2]', '$[1]')`, '2'],
    [`EXTRACTJSONFIELD('"text"', '$')`, 'text'],
  ],
})

export const isJsonString = scalarFunction({
  name: 'IS_JSON_STRING',
  category: 'json',
  summary: 'Whether a text is JSON.',
  args: { text: STRING },
  returns: BOOLEAN,
  nulls: 'accept',
  body(text: string | null) {
    try {
      return text !== null && parseJson(text) !== null
    } catch {
      // The answer, not a failure.
      return false
    }
  },
  examples: [
    ["IS_JSON_STRING('[1, 2e3]')", true],
    ["IS_JSON_STRING('[1,')", false],
    ["IS_JSON_STRING('')", false],
    ['IS_JSON_STRING(NULL)', false],
  ],
})

export const jsonArrayContains = scalarFunction({
  name: 'JSON_ARRAY_CONTAINS',
  category: 'json',
  summary: 'Whether a JSON array has an element of the same type and value.',
  args: { json: STRING, item: typeVariable('T') },
  returns: BOOLEAN,
  nulls: 'accept',
  bind:
    ([, type]) =>
    (json: string | null, item: SqlValue) => {
      const array = parsedOrNull(json)
      return array?.kind === 'array' && array.items.some((node) => isSame(node, item, type!))
    },
  examples: [
    [`JSON_ARRAY_CONTAINS('["Red", "Pink"]', 'Pink')`, true],
    ["JSON_ARRAY_CONTAINS('[1.0]', 1)", false],
    ["JSON_ARRAY_CONTAINS('[1.0]', 1E0)", true],
    ["JSON_ARRAY_CONTAINS('[[1]]', 1)", false],
    ["JSON_ARRAY_CONTAINS('[null]', NULL)", true],
    ["JSON_ARRAY_CONTAINS('{', 1)", false],
  ],
})

function parsedOrNull(json: string | null): JsonNode | null {
  try {
    return json === null ? null : parseJson(json)
  } catch {
    // What is no JSON contains nothing.
    return null
  }
}

function isSame(node: JsonNode, item: SqlValue, type: SqlType): boolean {
  switch (node.kind) {
    case 'null':
      return item === null
    case 'boolean':
    case 'string':
      return node.value === item
    case 'number': {
      if (item === null) return false
      const isWhole = /^-?\d+$/.test(node.text)
      if (type.kind === 'DOUBLE') return !isWhole && Number(node.text) === item
      return (
        isWhole &&
        (type.kind === 'INTEGER' || type.kind === 'BIGINT') &&
        BigInt(node.text) === BigInt(item as number)
      )
    }
    default:
      return false
  }
}

export const jsonArrayLength = scalarFunction({
  name: 'JSON_ARRAY_LENGTH',
  category: 'json',
  summary: 'How many elements a JSON array has; null if it is no array.',
  args: { json: STRING },
  returns: INTEGER,
  body(json: string) {
    const node = parseJson(json)
    return node?.kind === 'array' ? node.items.length : null
  },
  examples: [
    ["JSON_ARRAY_LENGTH('[1, [2, 3]]')", 2],
    ["JSON_ARRAY_LENGTH('{}')", null],
  ],
})

export const jsonConcat = scalarFunction({
  name: 'JSON_CONCAT',
  category: 'json',
  summary: 'JSON objects merged, or the elements of arrays and other values in one array.',
  args: { jsons: variadic(STRING) },
  returns: STRING,
  body(...jsons: string[]) {
    if (jsons.length === 0) throw new TypeError('JSON_CONCAT needs at least one argument.')
    const nodes = jsons.map(parseJson)
    if (nodes.includes(null)) return null
    return printJson(joined(nodes as JsonNode[]))
  },
  examples: [
    [`JSON_CONCAT('{"a": 1}', '{"a": 2, "b": 3}')`, '{"a":2,"b":3}'],
    ["JSON_CONCAT('[1]', '2', '[3, 4]')", '[1,2,3,4]'],
    [`JSON_CONCAT('[1]', '{"a": 1}')`, '[1,{"a":1}]'],
    ["JSON_CONCAT('[1]', NULL)", null],
  ],
})

function joined(nodes: readonly JsonNode[]): JsonNode {
  const objects = nodes.filter((node) => node.kind === 'object')
  if (objects.length === nodes.length) {
    return { kind: 'object', fields: new Map(objects.flatMap((node) => [...node.fields])) }
  }
  return { kind: 'array', items: nodes.flatMap((node) => (node.kind === 'array' ? node.items : [node])) }
}

export const jsonItems = scalarFunction({
  name: 'JSON_ITEMS',
  category: 'json',
  summary: 'The elements of a JSON array as JSON texts.',
  args: { json: STRING },
  returns: arrayOf(STRING),
  body(json: string) {
    const node = parseJson(json)
    if (node?.kind !== 'array') throw new TypeError('JSON_ITEMS needs a JSON array.')
    return node.items.map(printJson)
  },
  examples: [[`JSON_ITEMS('[{"a": 1}, "x", 2.0]')`, ['{"a":1}', '"x"', '2.0']]],
})

export const jsonKeys = scalarFunction({
  name: 'JSON_KEYS',
  category: 'json',
  summary: 'The names in a JSON object; null if it is no object.',
  args: { json: STRING },
  returns: arrayOf(STRING),
  body(json: string) {
    const node = parseJson(json)
    return node?.kind === 'object' ? [...node.fields.keys()] : null
  },
  examples: [
    [`JSON_KEYS('{"b": 1, "a": {"c": 2}}')`, ['b', 'a']],
    ["JSON_KEYS('[]')", null],
  ],
})

export const jsonRecords = scalarFunction({
  name: 'JSON_RECORDS',
  category: 'json',
  summary: 'The fields of a JSON object as a map of texts; null if it is no object.',
  args: { json: STRING },
  returns: mapOf(STRING, STRING),
  body(json: string) {
    const node = parseJson(json)
    return node?.kind === 'object'
      ? new Map([...node.fields].map(([name, value]) => [name, jsonText(value)]))
      : null
  },
  examples: [
    [`JSON_RECORDS('{"a": 3, "b": "x", "c": [1, 2]}')`, { a: '3', b: 'x', c: '[1,2]' }],
    ["JSON_RECORDS('1')", null],
  ],
})
