/** The candidate most like what was written, as a question for a hint, or undefined if none is close. */
export function didYouMean(written: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  // At least one letter must be right: of one-letter names any would be near.
  let bestDistance = Math.min(Math.max(1, Math.floor(written.length / 3)), written.length - 1) + 1
  for (const candidate of candidates) {
    const sameLetters = candidate.toUpperCase() === written.toUpperCase()
    const distance = sameLetters ? 0 : editDistance(written.toUpperCase(), candidate.toUpperCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best === undefined ? undefined : `Did you mean ${best}?`
}

/** Names listed in a hint, at most. */
const LISTED_MAX = 12

/** The nearest name as a question, or, where none is near and they are few, all there are. */
export function nearestOrAll(written: string, names: readonly string[], what: string): string | undefined {
  const nearest = didYouMean(written, names)
  if (nearest !== undefined || names.length === 0) return nearest
  return names.length <= LISTED_MAX ? `${what} ${names.join(', ')}.` : undefined
}

/** Letters added, removed, changed or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min(change, previous[j]! + 1, row[j - 1]! + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) best = Math.min(best, beforePrevious[j - 2]! + 1)
      row.push(best)
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length]!
}
