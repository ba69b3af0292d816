/** The figures of a report, for people: a line per figure, its spread over the rounds as median (min–max). */
export function tableOf(results: readonly object[]): string {
  const rows: (readonly [string, string, string])[] = []
  for (const result of results) {
    const { measurement, workload, commitIntervalMs, ...figures } = result as Record<string, unknown> & {
      commitIntervalMs?: number
    }
    const name = [measurement, workload, commitIntervalMs === undefined ? '' : `${commitIntervalMs} ms`]
      .filter((part) => part !== undefined && part !== '')
      .join(', ')
    for (const [figure, value] of leaves('', figures)) rows.push([name, figure, value])
  }
  const width = (column: 0 | 1): number => Math.max(0, ...rows.map((row) => row[column].length))
  const [first, second] = [width(0), width(1)]
  return rows
    .map(([name, figure, value]) => `${name.padEnd(first)}  ${figure.padEnd(second)}  ${value}\n`)
    .join('')
}

const NO_FIGURES = new Set(['mode', 'engine', 'inputSha256', 'verified'])

function leaves(path: string, value: unknown): [string, string][] {
  if (isSpread(value)) {
    const { min, median, max } = value
    return [[path, `${shown(median)} (${shown(min)}–${shown(max)})`]]
  }
  if (typeof value === 'number') return [[path, shown(value)]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    NO_FIGURES.has(name) ? [] : leaves(path === '' ? name : `${path}.${name}`, inner),
  )
}

function isSpread(value: unknown): value is { min: number; median: number; max: number } {
  return typeof value === 'object' && value !== null && 'median' in value
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 3 })
}
