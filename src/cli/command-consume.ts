import { SqlError } from '../base/errors.ts'
import type { ConsumedRecord, Consumer, ConsumerOptions, Isolation } from '../log/log.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { withMillrace, type CommandContext, type CommonOptions } from './command-context.ts'
import type { DataFormat, Field } from './choices.ts'
import { DataReader } from './data-reader.ts'
import { EXIT } from './error-text.ts'
import { existing, type Place } from './places.ts'
import { headersLine, recordJsonOf, recordLineOf } from './record-text.ts'
import { styled } from './terminal.ts'
import { timeMsFrom } from './times.ts'

export interface ConsumeCommandOptions extends CommonOptions {
  readonly fromBeginning?: boolean
  readonly max?: number
  /** Go on when the end is reached. */
  readonly follow?: boolean
  readonly json?: boolean
  /** None: all. */
  readonly partition?: readonly number[]
  /** `earliest`, `latest` or a number. */
  readonly offset?: string
  readonly fromTime?: string
  readonly group?: string
  /** End after so many ms without a record. */
  readonly timeout?: number
  readonly isolation?: Isolation
  readonly keyFormat?: DataFormat
  readonly valueFormat?: DataFormat
  /** Fields of a line, in their order; none: all of them, for people. */
  readonly print?: readonly Field[]
  readonly separator?: string
  readonly nullMarker?: string
}

/** `millrace consume TOPIC`: writes the records of a topic as they lie there. @returns the exit code */
export async function consumeCommand(
  context: CommandContext,
  topic: string,
  options: ConsumeCommandOptions,
): Promise<number> {
  const { terminal, stop } = context
  const { json = false, max = Infinity } = options
  return withMillrace(context, options, async (millrace) => {
    existing(millrace, topic)
    const reading = await Reading.start(millrace, topic, options)
    const textOf = printer(millrace, options)
    const wake = (): void => reading.consumer.wakeUp()
    stop.addEventListener('abort', wake)
    let count = 0
    try {
      while (count < max && !stop.aborted) {
        const records = await reading.next()
        if (records === null) break
        let text = ''
        for (const record of records.slice(0, max - count)) {
          text += `${await textOf(record)}\n`
          reading.printed(record)
          count++
        }
        if (text === '') continue
        terminal.out(text)
        await reading.commit()
      }
      await reading.commit()
    } finally {
      stop.removeEventListener('abort', wake)
      await reading.consumer.close()
    }
    if (count === 0 && !json && !stop.aborted) {
      const hint = reading.beganAtEnd
        ? 'Nothing was read: reading begins at the end. Use --from-beginning, or --follow to wait for records.'
        : `The topic ${topic} has no records there.`
      terminal.err(`${styled(terminal, 'dim', hint)}\n`)
    }
    return EXIT.done
  })
}

type Printer = (record: ConsumedRecord) => Promise<string>

function printer(millrace: Millrace, options: ConsumeCommandOptions): Printer {
  const { json = false, print = [], separator = '\t', nullMarker = 'null' } = options
  const keys = new DataReader(options.keyFormat ?? 'auto', millrace.schemas)
  const values = new DataReader(options.valueFormat ?? 'auto', millrace.schemas)
  if (json)
    return async (record) =>
      recordJsonOf(record, await keys.json(record.key), await values.json(record.value))
  if (print.length === 0)
    return async (record) =>
      recordLineOf(record, await keys.line(record.key), await values.line(record.value))
  const fieldOf = (record: ConsumedRecord, field: Field): Promise<string> | string => {
    switch (field) {
      case 'key':
        return record.key === null ? nullMarker : keys.line(record.key)
      case 'value':
        return record.value === null ? nullMarker : values.line(record.value)
      case 'headers':
        return headersLine(record, ':', ',')
      case 'timestamp':
        return String(record.timestampMs)
      default:
        return String(record[field])
    }
  }
  return async (record) =>
    (await Promise.all(print.map(async (field) => fieldOf(record, field)))).join(separator)
}

/** How often a reader that follows looks for new partitions. */
const LOOK_MS = 1000

/** Reads from where the options say, to the end there was at the start or on and on. */
class Reading {
  readonly consumer: Consumer
  readonly beganAtEnd: boolean
  readonly #millrace: Millrace
  readonly #topic: string
  readonly #options: ConsumeCommandOptions
  /** Where reading ends, by partition. */
  readonly #ends = new Map<number, number>()
  readonly #goesOn: boolean
  #idleSinceMs = performance.now()
  /** Next offset to commit, by partition. */
  readonly #done = new Map<number, number>()

  static async start(millrace: Millrace, topic: string, options: ConsumeCommandOptions): Promise<Reading> {
    const { group, fromBeginning = false, offset, fromTime, partition = [] } = options
    const starts = [fromBeginning, offset !== undefined, fromTime !== undefined].filter(Boolean)
    if (starts.length > 1) {
      throw new SqlError('CLI_ONE_TARGET', {
        message: 'Reading can begin in one place only.',
        hint: 'Give one of --from-beginning, --offset, --from-time.',
      })
    }
    if (group !== undefined && (partition.length > 0 || offset !== undefined || fromTime !== undefined)) {
      throw new SqlError('CLI_ONE_TARGET', {
        message: 'A group has its own places to read from.',
        hint: 'Leave out --partition, --offset and --from-time; millrace groups reset moves a group.',
      })
    }
    const reading = new Reading(millrace, topic, options)
    if (group === undefined) await reading.#assign(partition)
    else reading.consumer.subscribe([topic])
    return reading
  }

  private constructor(millrace: Millrace, topic: string, options: ConsumeCommandOptions) {
    const { group, fromBeginning = false, max } = options
    this.#millrace = millrace
    this.#topic = topic
    this.#options = options
    this.#goesOn = options.follow === true || options.timeout !== undefined
    this.beganAtEnd =
      !fromBeginning &&
      options.fromTime === undefined &&
      (options.offset === undefined || options.offset === 'latest') &&
      (group === undefined || millrace.log.committedOffsets(group).length === 0)
    const consumerOptions: ConsumerOptions = {
      ...(group === undefined ? {} : { group }),
      offsetReset: fromBeginning ? 'earliest' : 'latest',
      autoCommit: false,
      isolation: options.isolation ?? 'read_committed',
      // A stop ends soon, and what a group has not been shown is not lost to it.
      maxPollRecords: Math.min(500, max ?? 500),
    }
    this.consumer = millrace.log.consumer(consumerOptions)
    const { partitions } = millrace.log.topic(topic)!
    for (let partition = 0; partition < partitions; partition++)
      this.#ends.set(partition, this.#end(partition))
  }

  #end(partition: number): number {
    const { lastStable, highWatermark } = this.#millrace.log.ends(this.#topic, partition)
    return this.#options.isolation === 'read_uncommitted' ? highWatermark : lastStable
  }

  async #assign(named: readonly number[]): Promise<void> {
    const all = Array.from({ length: this.#millrace.log.topic(this.#topic)!.partitions }, (_, p) => p)
    const places = (named.length > 0 ? named : all).map((partition) => ({ topic: this.#topic, partition }))
    this.consumer.assign(places)
    await this.#seek(places)
  }

  async #seek(places: readonly Place[]): Promise<void> {
    const { offset, fromTime } = this.#options
    if (fromTime !== undefined) return this.consumer.seekToTime(timeMsFrom(fromTime), places)
    if (offset === 'earliest') return this.consumer.seekToBeginning(places)
    if (offset === undefined || offset === 'latest') return
    if (!/^\d+$/.test(offset)) {
      throw new SqlError('CLI_BAD_OFFSET', {
        message: `'${offset}' is not an offset.`,
        hint: "Give a number, 'earliest' or 'latest'.",
      })
    }
    for (const place of places) this.consumer.seek(place, Number(offset))
  }

  /** What comes next, perhaps nothing yet; null: this is the end. */
  async next(): Promise<readonly ConsumedRecord[] | null> {
    const { timeout = Infinity, group, partition = [] } = this.#options
    if (!this.#goesOn) {
      const polled = await this.consumer.poll()
      const records = polled.filter((record) => record.offset < (this.#ends.get(record.partition) ?? 0))
      return records.length === 0 && (await this.#atEnd()) ? null : records
    }
    const leftMs = this.#idleSinceMs + timeout - performance.now()
    if (leftMs <= 0) return null
    const records = await this.consumer.poll(Math.min(LOOK_MS, leftMs))
    if (records.length > 0) this.#idleSinceMs = performance.now()
    else if (group === undefined && partition.length === 0) this.#findNew()
    return records
  }

  async #atEnd(): Promise<boolean> {
    for (const at of this.consumer.assignment()) {
      if ((await this.consumer.position(at)) < (this.#ends.get(at.partition) ?? 0)) return false
    }
    return true
  }

  /** Partitions the topic has got meanwhile are read from their start. */
  #findNew(): void {
    const known = this.consumer.assignment()
    const { partitions } = this.#millrace.log.topic(this.#topic) ?? { partitions: 0 }
    if (partitions <= known.length) return
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic: this.#topic, partition }))
    this.consumer.assign(all)
    this.consumer.seekToBeginning(all.slice(known.length))
  }

  printed({ partition, offset }: ConsumedRecord): void {
    this.#done.set(partition, offset + 1)
  }

  async commit(): Promise<void> {
    if (this.#options.group === undefined) return
    // Where nothing was printed the group stands where it began, behind markers and what was aborted.
    for (const at of this.consumer.assignment()) {
      const position = await this.consumer.position(at)
      const end = this.#goesOn ? Infinity : (this.#ends.get(at.partition) ?? 0)
      if (!this.#done.has(at.partition)) this.#done.set(at.partition, Math.min(position, end))
    }
    const topic = this.#topic
    await this.consumer.commit([...this.#done].map(([partition, offset]) => ({ topic, partition, offset })))
  }
}
