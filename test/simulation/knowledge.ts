import { offsetsGroup } from '../../src/engine/query-spec.ts'
import type { CommitGroup, CommitOutcome } from '../../src/log/log.ts'
import { AT_BATCH_LENGTH, AT_LAST_OFFSET_DELTA, readI32 } from '../../src/log/record-batch.ts'
import { wrong, type Difference } from './expectations.ts'
import type { Content } from './log-content.ts'
import type { Listening } from './machine.ts'
import type { Scheduler } from './scheduler.ts'

interface Commit {
  readonly order: number
  /** Records per place, and offsets per group and place. */
  readonly records: ReadonlyMap<string, number>
  readonly offsets: ReadonlyMap<string, number>
  outcome: CommitOutcome['kind'] | 'refused' | 'open'
}

/**
 * What the engine has handed to the log and taken from it: each commit is whole or not at all, those that
 * survive are the first ones in the order of the journal, with the input they had read; nothing that was
 * acknowledged or seen is lost.
 */
export class Knowledge {
  /** Whether what was acknowledged survives a power cut. */
  readonly #isDurable: boolean
  /** Topics whose records may go. */
  readonly #cleaned: readonly string[]
  #order = 0
  #commits: Commit[] = []
  /** As they were when the log was opened last: next offsets of places, and committed offsets. */
  #ends = new Map<string, number>()
  #offsets = new Map<string, number>()
  #lines = new Map<string, readonly string[]>()
  /** How far the engine has read. */
  readonly #seen = new Map<string, number>()

  constructor(isDurable: boolean, cleaned: readonly string[]) {
    this.#isDurable = isDurable
    this.#cleaned = cleaned
  }

  nextOrder(): number {
    return this.#order++
  }

  listening(scheduler: Scheduler): Listening {
    return {
      onCommit: (group) => {
        const commit = { order: this.nextOrder(), ...contentOf(group), outcome: 'open' as Commit['outcome'] }
        this.#commits.push(commit)
        return (outcome) => {
          if (!scheduler.isStopped) commit.outcome = outcome
        }
      },
      onRead: (topic, partition, nextOffset) => {
        if (scheduler.isStopped) return
        const place = `${topic}-${partition}`
        this.#seen.set(place, Math.max(this.#seen.get(place) ?? 0, nextOffset))
      },
    }
  }

  /** @param content  that clients have told what they know of the order */
  recovered(content: Content): Difference[] {
    const differences = [...this.#compareCommits(content), ...this.#compareLines(content)]
    for (const [place, seen] of this.#seen) {
      const { end } = content.ends(place)
      if (end < seen && this.#isDurable) {
        differences.push({
          kind: 'lost',
          detail: `${place} ends at ${end}, and readers have seen it up to ${seen}`,
        })
      }
    }
    this.#seen.clear()
    this.#commits = []
    this.#ends = new Map(content.places().map((place) => [place, content.ends(place).end]))
    this.#offsets = offsetsOf(content)
    for (const [name, offset] of this.#offsets) {
      if (!name.startsWith(offsetsGroup(''))) continue
      const { end } = content.ends(name.slice(name.indexOf(' ') + 1))
      if (offset > end) differences.push(wrong(`${name} is committed up to ${offset}, and ends at ${end}`))
    }
    if (content.lowestLost < content.highestSurvived) {
      differences.push(
        wrong(
          `what was handed over as number ${content.highestSurvived} is there, and number ${content.lowestLost} is not`,
        ),
      )
    }
    return differences
  }

  /** How many of the commits are there: the places they wrote to and their offsets say the same. */
  #compareCommits(content: Content): Difference[] {
    const commits = this.#commits.filter(({ outcome }) => outcome !== 'refused' && outcome !== 'fenced')
    const written = new Set(commits.flatMap(({ records }) => [...records.keys()]))
    const groups = new Set(commits.flatMap(({ offsets }) => [...offsets.keys()]))
    const found = offsetsOf(content)
    const ends = new Map([...written].map((place) => [place, this.#ends.get(place) ?? 0]))
    const offsets = new Map([...groups].map((name) => [name, this.#offsets.get(name)]))
    const matches = (): boolean =>
      [...ends].every(([place, end]) => content.ends(place).end === end) &&
      [...offsets].every(([name, offset]) => found.get(name) === offset)
    let fewest = matches() ? 0 : -1
    let most = fewest
    commits.forEach((commit, i) => {
      for (const [place, count] of commit.records) ends.set(place, ends.get(place)! + count)
      for (const [name, offset] of commit.offsets) offsets.set(name, offset)
      if (!matches()) return
      if (fewest < 0) fewest = i + 1
      most = i + 1
    })
    if (most < 0) {
      const texts = [...ends].map(([place, end]) => `${place} ${content.ends(place).end} of ${end}`)
      const offsetTexts = [...offsets].map(([name, offset]) => `${name} ${found.get(name)} of ${offset}`)
      return [wrong(`commits are there in part: ${[...texts, ...offsetTexts].join(', ')}`)]
    }
    if (fewest > 0) content.survived(commits[fewest - 1]!.order)
    content.lost(commits[most]?.order ?? null)
    const acknowledged = commits.findLastIndex(({ outcome }) => outcome === 'committed')
    if (acknowledged < most || !this.#isDurable) return []
    return [
      {
        kind: 'lost',
        detail: `commit ${acknowledged + 1} of the engine was acknowledged, and ${most} are there`,
      },
    ]
  }

  /** What could be read when the log was opened last is there, and nothing else in its place. */
  #compareLines(content: Content): Difference[] {
    const differences: Difference[] = []
    const next = new Map<string, readonly string[]>()
    for (const place of content.places()) {
      if (this.#cleaned.some((topic) => place.startsWith(`${topic}-`)) || place.includes('-changelog-'))
        continue
      const lines = content.lines(place)
      next.set(place, lines)
      const before = this.#lines.get(place) ?? []
      const at = before.findIndex((line, i) => line !== lines[i])
      if (at >= 0) differences.push(wrong(`${place}: record ${at} is ${lines[at]} and was ${before[at]}`))
    }
    for (const [place, before] of this.#lines) {
      if (before.length > 0 && !next.has(place))
        differences.push({ kind: 'lost', detail: `${place} is gone` })
    }
    this.#lines = next
    return differences
  }
}

function offsetsOf(content: Content): Map<string, number> {
  return new Map(
    content
      .groups()
      .flatMap((group) =>
        content
          .offsets(group)
          .map(({ topic, partition, offset }) => [`${group} ${topic}-${partition}`, offset] as const),
      ),
  )
}

function contentOf(group: CommitGroup): Pick<Commit, 'records' | 'offsets'> {
  const records = new Map<string, number>()
  for (const { topic, partition, batches } of group.appends) {
    let count = 0
    for (let at = 0; at < batches.length; at += 12 + readI32(batches, at + AT_BATCH_LENGTH)) {
      count += readI32(batches, at + AT_LAST_OFFSET_DELTA) + 1
    }
    const place = `${topic}-${partition}`
    records.set(place, (records.get(place) ?? 0) + count)
  }
  const offsets = new Map<string, number>()
  for (const { group: name, offsets: ofGroup } of group.offsets) {
    for (const { topic, partition, offset } of ofGroup) offsets.set(`${name} ${topic}-${partition}`, offset)
  }
  return { records, offsets }
}
