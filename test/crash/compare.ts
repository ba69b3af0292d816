import type { Reference } from './reference.ts'
import type { OutputRecord, OutputTopic, Results } from './results.ts'

export interface Difference {
  /** `lost`: expected and missing. `doubled`: one copy too many. `wrong`: anything else. */
  readonly kind: 'lost' | 'doubled' | 'wrong'
  readonly detail: string
}

/** In what a run differs from the undisturbed one, and from what record-at-a-time processing allows. */
export function compareResults(found: Results, expected: Results, reference: Reference): Difference[] {
  const differences: Difference[] = []
  for (const topic of expected.topics) {
    const other = found.topics.find((t) => t.topic === topic.topic)
    if (other === undefined) {
      differences.push({ kind: 'lost', detail: `topic ${topic.topic}` })
      continue
    }
    topic.partitions.forEach((records, partition) => {
      const place = `${topic.topic}-${partition}`
      const others = other.partitions[partition] ?? []
      differences.push(
        ...(topic.kind === 'exact'
          ? compareBags(place, others.map(textOf), records.map(textOf))
          : compareLast(place, others, records)),
      )
    })
    differences.push(...compareOrder(other, reference))
  }
  for (const [name, rows] of expected.tables) {
    differences.push(...compareBags(`rows of ${name}`, found.tables.get(name) ?? [], rows))
  }
  for (const { kind, detail } of compareBags('offset', found.offsets, expected.offsets)) {
    // Of two lines that differ, one tells.
    if (kind !== 'lost') differences.push({ kind: 'wrong', detail })
  }
  return differences
}

/** Every value a table put out occurs, in order per key, record at a time. */
export function compareOrder(topic: OutputTopic, reference: Reference): Difference[] {
  if (topic.kind === 'exact') return []
  const differences: Difference[] = []
  topic.partitions.forEach((records, partition) => {
    const allowed = reference.values(topic.topic, topic.exchanged ? null : partition)
    const next = new Map<string, number>()
    for (const { key, value } of records) {
      const values = allowed.get(key) ?? []
      const at = values.indexOf(value, next.get(key) ?? 0)
      if (at >= 0) next.set(key, at + 1)
      else {
        differences.push({
          kind: values.includes(value) ? 'doubled' : 'wrong',
          detail: `${topic.topic}-${partition}: ${textOf({ key, value })} ${values.includes(value) ? 'comes again or out of order' : 'never comes record at a time'}`,
        })
      }
    }
  })
  return differences
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
    else
      differences.push({
        kind: known.has(line) ? 'doubled' : 'wrong',
        detail: `${place}: ${line} is one too many`,
      })
  }
  for (const [line, count] of counts) {
    for (let n = 0; n < count; n++) differences.push({ kind: 'lost', detail: `${place}: ${line} is missing` })
  }
  return differences
}

function compareLast(
  place: string,
  found: readonly OutputRecord[],
  expected: readonly OutputRecord[],
): Difference[] {
  const last = lastValues(found)
  const differences: Difference[] = []
  for (const [key, value] of lastValues(expected)) {
    const other = last.get(key)
    last.delete(key)
    if (other === value) continue
    differences.push(
      other === undefined
        ? { kind: 'lost', detail: `${place}: ${textOf({ key, value })} is missing` }
        : { kind: 'wrong', detail: `${place}: ${textOf({ key, value: other })} instead of ${value}` },
    )
  }
  for (const [key, value] of last) {
    differences.push({ kind: 'wrong', detail: `${place}: ${textOf({ key, value })} is one too many` })
  }
  return differences
}

/** A key that was deleted last is a key without value. */
function lastValues(records: readonly OutputRecord[]): Map<string, string> {
  const last = new Map<string, string>()
  for (const { key, value } of records) {
    if (value === null) last.delete(key)
    else last.set(key, value)
  }
  return last
}

function textOf({ key, value }: OutputRecord): string {
  const printable = key.replaceAll(/[^ -~]+/g, (bytes) => `<${Buffer.from(bytes, 'latin1').toString('hex')}>`)
  return `${printable} = ${value ?? 'gone'}`
}
