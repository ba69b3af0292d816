import type { Expected } from './queries.ts'

export interface Difference {
  /** `lost`: expected and missing. `doubled`: one copy too many. `wrong`: anything else. */
  readonly kind: 'lost' | 'doubled' | 'wrong'
  readonly detail: string
}

/** An output record: its key as latin1, and value and timestamp as text; null: a deletion. */
export interface OutputRecord {
  readonly key: string
  readonly value: string | null
}

/**
 * In what the records of an output topic differ from what was expected.
 *
 * @param merges  whether changes of one commit may have become one
 */
export function compareOutput(
  place: string,
  found: readonly (readonly OutputRecord[])[],
  expected: Expected,
  merges: boolean,
): Difference[] {
  switch (expected.kind) {
    case 'sequence':
      return expected.partitions.flatMap((lines, partition) => {
        const others = (found[partition] ?? []).map(lineOf)
        const differences = compareBags(`${place}-${partition}`, others, lines)
        if (differences.length > 0 || others.every((line, i) => line === lines[i])) return differences
        return [
          wrong(`${place}-${partition}: the order is ${others.join('; ')} instead of ${lines.join('; ')}`),
        ]
      })
    case 'bag':
      return compareBags(place, found.flat().map(lineOf), expected.lines)
    case 'changes':
      return expected.partitions.flatMap((changes, partition) => {
        const others = found[partition] ?? []
        if (merges) return compareMerged(`${place}-${partition}`, others, changes)
        return compareBags(
          `${place}-${partition}`,
          others.map(lineOf),
          changes.map(([key, value]) => lineOf({ key, value })),
        )
      })
    case 'counts':
      return compareCounts(place, found.flat(), expected.last)
    case 'choices':
      return compareChoices(place, found.flat().map(lineOf), expected.rows)
  }
}

export function compareBags(
  place: string,
  found: readonly string[],
  expected: readonly string[],
): Difference[] {
  const counts = new Map<string, number>()
  for (const line of expected) counts.set(line, (counts.get(line) ?? 0) + 1)
  const known = new Set(counts.keys())
  const differences: Difference[] = []
  for (const line of found) {
    const left = counts.get(line) ?? 0
    if (left > 0) counts.set(line, left - 1)
    else {
      differences.push({
        kind: known.has(line) ? 'doubled' : 'wrong',
        detail: `${place}: ${printable(line)} is one too many`,
      })
    }
  }
  for (const [line, count] of counts) {
    for (let n = 0; n < count; n++) {
      differences.push({ kind: 'lost', detail: `${place}: ${printable(line)} is missing` })
    }
  }
  return differences
}

/** Per key some of the changes in order, with the last one. Of deletions only the end counts. */
function compareMerged(
  place: string,
  found: readonly OutputRecord[],
  changes: readonly (readonly [string, string | null])[],
): Difference[] {
  const allowed = new Map<string, (string | null)[]>()
  for (const [key, value] of changes) allowed.set(key, [...(allowed.get(key) ?? []), value])
  const differences: Difference[] = []
  const next = new Map<string, number>()
  const last = new Map<string, string | null>()
  for (const { key, value } of found) {
    last.set(key, value)
    const values = allowed.get(key) ?? []
    const at = values.indexOf(value, next.get(key) ?? 0)
    if (at >= 0) next.set(key, at + 1)
    else if (value !== null || !values.includes(null)) {
      const isRepeated = values.includes(value)
      differences.push({
        kind: isRepeated ? 'doubled' : 'wrong',
        detail: `${place}: ${printable(lineOf({ key, value }))} ${isRepeated ? 'comes again or out of order' : 'never comes record at a time'}`,
      })
    }
  }
  for (const [key, values] of allowed) {
    const expected = values.at(-1)!
    const other = last.get(key) ?? null
    if (other === expected) continue
    const detail = `${place}: ${printable(lineOf({ key, value: other }))} is the last instead of ${expected}`
    differences.push({ kind: other === null ? 'lost' : 'wrong', detail })
  }
  return differences
}

function compareCounts(
  place: string,
  found: readonly OutputRecord[],
  expected: ReadonlyMap<string, string>,
): Difference[] {
  const differences: Difference[] = []
  const last = new Map<string, string>()
  const countOf = (text: string | undefined): number => Number(/"C":(\d+)/.exec(text ?? '')?.[1] ?? 0)
  for (const { key, value } of found) {
    const text = value!.slice(0, value!.lastIndexOf(' @'))
    if (countOf(text) <= countOf(last.get(key))) {
      differences.push({
        kind: 'doubled',
        detail: `${place}: ${key} = ${text} comes after ${last.get(key)}`,
      })
    }
    last.set(key, text)
  }
  const lines = (map: ReadonlyMap<string, string>): string[] => [...map].map(([k, v]) => `${k} = ${v}`)
  return [...differences, ...compareBags(`${place}, last values`, lines(last), lines(expected))]
}

function compareChoices(
  place: string,
  found: readonly string[],
  expected: readonly (readonly string[])[],
): Difference[] {
  const left = [...found]
  const differences: Difference[] = []
  for (const choices of expected) {
    const at = left.findIndex((line) => choices.includes(line))
    if (at >= 0) left.splice(at, 1)
    else differences.push({ kind: 'lost', detail: `${place}: ${printable(choices[0]!)} is missing` })
  }
  const known = new Set(expected.flat())
  for (const line of left) {
    differences.push({
      kind: known.has(line) ? 'doubled' : 'wrong',
      detail: `${place}: ${printable(line)} is one too many`,
    })
  }
  return differences
}

export function wrong(detail: string): Difference {
  return { kind: 'wrong', detail }
}

export function lineOf({ key, value }: OutputRecord): string {
  return `${key} = ${value ?? 'gone'}`
}

function printable(line: string): string {
  return line.replaceAll(/[^ -~]+/g, (bytes) => `<${Buffer.from(bytes, 'latin1').toString('hex')}>`)
}
