export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

export function spread(values: readonly number[], digits = 0): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const round = (value: number): number => Number(value.toFixed(digits))
  return { min: round(sorted[0]!), median: round(sorted[sorted.length >> 1]!), max: round(sorted.at(-1)!) }
}
