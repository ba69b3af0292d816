import type { SourceCatalog } from '../plan/data-source.ts'
import { PSEUDO_COLUMNS } from '../plan/schema.ts'
import { tokenize } from '../sql/lexer.ts'
import { printName } from '../sql/print-expression.ts'
import { WORDS } from '../sql/tokens.ts'

/** What there is to complete. */
export interface Completable {
  readonly catalog: Pick<SourceCatalog, 'sourceNames' | 'source' | 'typeNames' | 'queryIds'>
  readonly functionNames: () => readonly string[]
  /** Commands of the shell, with their backslash. */
  readonly shellCommands: readonly string[]
}

/**
 * Completes the word before the cursor.
 *
 * @param typed  everything typed so far of the statement, up to the cursor
 * @returns the whole words it may become, and the word itself
 */
export function complete(typed: string, completable: Completable): [string[], string] {
  const command = /^\s*(\\\w*)$/.exec(typed)
  if (command !== null)
    return [completable.shellCommands.filter((name) => name.startsWith(command[1]!)), command[1]!]
  const word = /[A-Za-z0-9_@`]*$/.exec(typed)![0]
  const candidates = candidatesFor(typed.slice(0, typed.length - word.length), word, completable)
  const bare = word.replace('`', '').toUpperCase()
  const fits = candidates.filter((name) => name.replace('`', '').toUpperCase().startsWith(bare))
  const isLower = word !== '' && word === word.toLowerCase()
  const cased = fits.map((name) => (isLower && !name.startsWith('`') ? name.toLowerCase() : name))
  return [[...new Set(cased)].toSorted(), word]
}

/** Words after which only the name of a stream or table makes sense, or of a query. */
const BEFORE_SOURCE = /\b(?:FROM|JOIN|INTO|DESCRIBE|STREAM|TABLE|EXISTS)\s+$/i
const BEFORE_QUERY = /\b(?:TERMINATE|PAUSE|RESUME|EXPLAIN)\s+$/i

function candidatesFor(
  before: string,
  word: string,
  { catalog, functionNames }: Completable,
): readonly string[] {
  const sources = catalog.sourceNames().map((name) => printName({ name }))
  if (BEFORE_SOURCE.test(before))
    return /DESCRIBE\s+$/i.test(before) ? [...sources, 'FUNCTION', 'EXTENDED'] : sources
  if (BEFORE_QUERY.test(before)) return [...catalog.queryIds(), 'ALL', 'SELECT']
  const qualifier = /([A-Za-z0-9_@]+)\.$/.exec(before)?.[1]?.toUpperCase()
  if (qualifier !== undefined) {
    const named = catalog.source(qualifier) === undefined ? namesIn(before) : [qualifier]
    return columnsOf(named, catalog)
  }
  if (word === '') return []
  return [
    ...columnsOf(namesIn(before), catalog),
    ...PSEUDO_COLUMNS,
    ...sources,
    ...functionNames().map((name) => `${name}(`),
    ...catalog.typeNames(),
    ...WORDS.keys(),
  ]
}

function columnsOf(names: readonly string[], catalog: Completable['catalog']): readonly string[] {
  return names.flatMap((name) => catalog.source(name)?.schema.columns.map((c) => printName(c)) ?? [])
}

/** All names in a text; those of sources among them count. */
function namesIn(text: string): readonly string[] {
  return [...new Set(tokenize(text).map((token) => token.image.replaceAll('`', '')))].flatMap((name) => [
    name,
    name.toUpperCase(),
  ])
}
