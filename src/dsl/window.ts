/** A length of time: the sum of its parts. */
export interface Duration {
  readonly days?: number
  readonly hours?: number
  readonly minutes?: number
  readonly seconds?: number
  readonly milliseconds?: number
}

/** A window as WINDOW takes it. */
export interface Window {
  readonly text: string
}

export interface WindowOptions {
  /** How late a record may be. Default: 24 hours minus the size. */
  readonly grace?: Duration
  /** How long a window is kept for questions. */
  readonly retention?: Duration
}

/** Windows of one size, each beginning where the last ended. */
export function tumbling(size: Duration, options: WindowOptions = {}): Window {
  return { text: `TUMBLING (SIZE ${durationText(size)}${optionsText(options)})` }
}

/** Windows of one size that begin every `advance`. */
export function hopping(size: Duration, advance: Duration, options: WindowOptions = {}): Window {
  return {
    text: `HOPPING (SIZE ${durationText(size)}, ADVANCE BY ${durationText(advance)}${optionsText(options)})`,
  }
}

/** Windows that last as long as a key's rows are less than `gap` apart. */
export function session(gap: Duration, options: WindowOptions = {}): Window {
  return { text: `SESSION (${durationText(gap)}${optionsText(options)})` }
}

export function durationMs(duration: Duration): number {
  const { days = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0 } = duration
  const ms = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
  if (!Number.isSafeInteger(ms) || ms < 0)
    throw new TypeError('A duration is a whole number of milliseconds, not negative.')
  return ms
}

function durationText(duration: Duration): string {
  return `${durationMs(duration)} MILLISECONDS`
}

function optionsText({ grace, retention }: WindowOptions): string {
  const kept = retention === undefined ? '' : `, RETENTION ${durationText(retention)}`
  return `${kept}${grace === undefined ? '' : `, GRACE PERIOD ${durationText(grace)}`}`
}
