import { parseArgs } from 'node:util'

export interface BatteryArguments {
  readonly seed: number
  readonly count: number
  /** A breakage by name. */
  readonly break: string | null
  readonly suite: string | null
}

/** What `--seed S --count N --suite NAME --break NAME` say; ends the process where they say nothing sensible. */
export function batteryArguments(
  defaultCount: number,
  suites: readonly string[],
  breakages: readonly string[],
): BatteryArguments {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: String(defaultCount) },
      seed: { type: 'string', default: '1' },
      suite: { type: 'string' },
      break: { type: 'string' },
    },
  })
  const refuse = (sentence: string): never => {
    console.error(sentence)
    process.exit(2)
  }
  for (const name of ['count', 'seed'] as const) {
    if (!/^\d{1,9}$/.test(values[name])) refuse(`--${name} takes a whole number, not ${values[name]}.`)
  }
  if (values.suite !== undefined && !suites.includes(values.suite))
    refuse(`--suite takes one of ${suites.join(', ')}.`)
  if (values.break !== undefined && !breakages.includes(values.break)) {
    refuse(`--break takes one of ${breakages.join(', ')}.`)
  }
  return {
    seed: Number(values.seed),
    count: Number(values.count),
    suite: values.suite ?? null,
    break: values.break ?? null,
  }
}
