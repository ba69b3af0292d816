/**
 * Writes docs/functions.md from the declarations of the functions (`npm run -s docs`). Results of examples
 * are what SQL gives for them, as the shell shows it.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ManualClock } from '../src/base/clock.ts'
import { seededRandom } from '../src/base/random.ts'
import { jsonText } from '../src/cli/value-text.ts'
import { printSignature } from '../src/functions/overloads.ts'
import { functionsByName, type FunctionDeclaration } from '../src/functions/registry.ts'
import type { FunctionCategory, NullRule, ScalarFunction } from '../src/functions/scalar-function.ts'
import { TestDriver } from '../src/testing/driver.ts'

/** In the order of the page. */
const HEADINGS: Readonly<Record<Exclude<FunctionCategory, 'user'>, string>> = {
  mathematics: 'Mathematics',
  string: 'Text',
  'date and time': 'Date and time',
  'null handling': 'Nulls',
  collection: 'Arrays and maps',
  lambda: 'Lambda functions',
  json: 'JSON in text',
  url: 'URLs',
  binary: 'Bytes to numbers',
  other: 'Others',
  aggregate: 'Aggregates',
  table: 'Table functions',
}

const INTRODUCTION = `# Functions

This page is made from the declarations in \`src/functions\` by \`npm run -s docs\`; don't edit it. In the shell,
\`SHOW FUNCTIONS;\` lists the functions and \`DESCRIBE FUNCTION LPAD;\` shows one.

How to read a signature: \`[INTEGER]\` is an argument that may be left out, \`STRING...\` stands for any number of
them, \`T\` is the same type wherever it occurs, \`ANY\` any type, \`LAMBDA (T) => R\` a function written like
\`x => x + 1\`. An argument is converted where its type widens: INTEGER → BIGINT → DECIMAL → DOUBLE.

Unless something else is said, a null argument makes the result null. A call that fails gives null too; it is
counted in the figures of its query (\`EXPLAIN query_id;\`), and the query goes on. Results are shown as the shell
shows them: text in quotes, BYTES in base64.
`

/** The whole page. */
export async function functionReference(): Promise<string> {
  const driver = new TestDriver({
    clock: new ManualClock(Date.UTC(2026, 1, 3, 4, 5, 6)),
    random: seededRandom(7),
  })
  await driver.sql(
    "CREATE STREAM one (n INT) WITH (kafka_topic = 'one', value_format = 'JSON', partitions = 1);",
  )
  await driver.produce('one', { value: { N: 1 } })
  const contents: string[] = []
  const sections: string[] = []
  for (const [category, heading] of Object.entries(HEADINGS)) {
    const declarations = [...functionsByName.values()]
      .filter((declaration) => declaration.category === category)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const links = declarations.map(({ name }) => `[${name}](#${name.toLowerCase()})`)
    contents.push(`- **${heading}**: ${links.join(', ')}`)
    const entries: string[] = []
    for (const declaration of declarations) entries.push(await entry(declaration, driver))
    sections.push(`## ${heading}\n\n${ABOUT[category] ?? ''}${entries.join('\n')}`)
  }
  return `${INTRODUCTION}\n${contents.join('\n')}\n\n${sections.join('\n')}`
}

const ABOUT: Readonly<Record<string, string>> = {
  aggregate:
    'Aggregates need a GROUP BY. Rows whose argument is null are passed over unless the description says otherwise. ' +
    'Where it says so, an aggregate can take back a row and may be used over tables.\n\n',
  table: 'A table function in a SELECT makes one row of each value it gives.\n\n',
}

async function entry(declaration: FunctionDeclaration, driver: TestDriver): Promise<string> {
  const { name, summary, overloads } = declaration
  const lines = [`### ${name}`, '', [summary, ...remarks(declaration)].join(' '), '', '```text']
  for (const overload of overloads) lines.push(printSignature(name, overload))
  lines.push('```', '')
  if (declaration.kind === 'aggregate') return lines.join('\n')
  lines.push('| example | result |', '|---|---|')
  for (const [call, rows] of declaration.examples) {
    const result = declaration.kind === 'table' ? listOf(rows) : await resultOf(call, driver)
    lines.push(`| ${code(call)} | ${code(result)} |`)
  }
  lines.push('')
  return lines.join('\n')
}

function remarks(declaration: FunctionDeclaration): readonly string[] {
  if (declaration.kind === 'table') return []
  if (declaration.kind === 'aggregate') {
    return declaration.overloads.every((overload) => overload.undoable) ? ['Also over tables.'] : []
  }
  const rejected = argumentsWith(declaration, 'reject')
  const accepted = argumentsWith(declaration, 'accept')
  return [
    ...(accepted.length === 0 ? [] : [`May be null: ${accepted.join(', ')}.`]),
    ...(rejected.length === 0 ? [] : [`Fails if null: ${rejected.join(', ')}.`]),
  ]
}

/** Names of the arguments with this rule for nulls, in any of the overloads. */
function argumentsWith(declaration: ScalarFunction, rule: NullRule): readonly string[] {
  const names = declaration.overloads.flatMap(({ args, nulls }) =>
    Object.keys(args).filter((name) => (typeof nulls === 'object' ? nulls[name] : nulls) === rule),
  )
  return [...new Set(names)].map((name) => `\`${name}\``)
}

async function resultOf(call: string, driver: TestDriver): Promise<string> {
  const [result] = await driver.sql(`SELECT ${call} AS r FROM one;`)
  if (result?.kind !== 'rows') throw new Error(`${call} is no expression`)
  return jsonText(result.schema.columns[0]!.type, result.rows[0]![0]!)
}

function listOf(rows: unknown): string {
  return (rows as readonly unknown[]).map((row) => JSON.stringify(row)).join(', ') || 'no row'
}

/** Inside a table, a bar would end the cell. */
function code(text: string): string {
  const ticks = text.includes('`') ? '``' : '`'
  return `${ticks}${text.replaceAll('|', '\\|')}${ticks}`
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'functions.md'), await functionReference())
}
