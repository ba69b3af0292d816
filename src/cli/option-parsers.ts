import { InvalidArgumentError } from 'commander'

/** Values of options, checked as the command line is read. */

export function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value === 0) {
    throw new InvalidArgumentError('It takes a whole number from 1 on.')
  }
  return value
}

/** Of a partition or an offset. */
export function ordinal(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('It takes a whole number from 0 on.')
  }
  return value
}

export function anyWholeNumber(text: string): number {
  const value = Number(text)
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('It takes a whole number.')
  }
  return value
}

export function several(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

export function severalOrdinals(text: string, before: readonly number[]): readonly number[] {
  return [...before, ordinal(text)]
}

export function settings(text: string, before: readonly string[]): readonly string[] {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError('It takes name=value.')
  return [...before, text]
}

export function definitions(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[A-Za-z_][A-Za-z0-9_@]*=/.test(text)) throw new InvalidArgumentError('It takes name=value.')
  return [...before, text]
}
