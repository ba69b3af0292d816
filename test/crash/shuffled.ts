import type { Random } from '../../src/base/random.ts'

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items]
  return Array.from({ length: items.length }, () => left.splice(random.below(left.length), 1)[0]!)
}
