import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { RecordHeader } from '../log/log.ts'
import type { NewRecord } from '../runtime/millrace.ts'
import { InputError } from './input-records.ts'

export interface TextOptions {
  /** Between key and value; absent: lines are values. */
  readonly keySeparator?: string | undefined
  /** Whether lines begin with headers, `name:value,name:value`, and a tab. */
  readonly headers?: boolean | undefined
  /** A key or value of exactly this text is null. */
  readonly nullMarker?: string | undefined
}

/** A line of text is a record: its value, or key and value, or headers, key and value. */
export async function* textRecords(input: Readable, options: TextOptions): AsyncIterable<NewRecord> {
  const { keySeparator, headers = false, nullMarker } = options
  const dataOf = (text: string): string | null => (text === nullMarker ? null : text)
  let number = 0
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++
    let rest = line
    const record: { headers?: readonly RecordHeader[]; key?: string | null } = {}
    if (headers) {
      const at = cut(rest, '\t', number, 'headers')
      record.headers = headersFrom(rest.slice(0, at), number, nullMarker)
      rest = rest.slice(at + 1)
    }
    if (keySeparator !== undefined) {
      const at = cut(rest, keySeparator, number, 'key')
      record.key = dataOf(rest.slice(0, at))
      rest = rest.slice(at + keySeparator.length)
    }
    yield { ...record, value: dataOf(rest) }
  }
}

function cut(line: string, separator: string, number: number, what: string): number {
  const at = line.indexOf(separator)
  if (at >= 0) return at
  throw new InputError('INPUT_LINE', {
    message: `Line ${number} has no ${JSON.stringify(separator)} after its ${what}.`,
  })
}

function headersFrom(text: string, number: number, nullMarker: string | undefined): RecordHeader[] {
  if (text === '' || text === nullMarker) return []
  return text.split(',').map((pair) => headerFrom(pair, ':', `Line ${number}`, nullMarker))
}

/** @throws InputError unless it is a name, `separator` and a value */
export function headerFrom(
  text: string,
  separator: string,
  place: string,
  nullMarker?: string,
): RecordHeader {
  const at = text.indexOf(separator)
  if (at < 0) {
    throw new InputError('INPUT_LINE', {
      message: `${place}: the header '${text}' has no value: it lacks '${separator}'.`,
    })
  }
  const value = text.slice(at + separator.length)
  return { key: text.slice(0, at), value: value === nullMarker ? null : Buffer.from(value) }
}

/**
 * Lines as `millrace consume --json` writes them: an object with key, value, headers, timestamp and partition.
 * What was text or bytes becomes the same bytes again.
 */
export async function* writtenRecords(input: Readable): AsyncIterable<NewRecord> {
  let number = 0
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++
    if (line.trim() === '') continue
    const place = `Line ${number}`
    const record = recordFrom(line, place)
    const { timestamp, partition, headers = [] } = record
    if (!Array.isArray(headers)) throw notWritten(place, 'headers are no list')
    yield {
      key: bytesFrom(record['key'] ?? null, place),
      value: bytesFrom(record['value'] ?? null, place),
      headers: headers.map((header: unknown) => {
        const { key, value } = (header ?? {}) as { readonly key?: unknown; readonly value?: unknown }
        if (typeof key !== 'string') throw notWritten(place, 'a header has no key')
        return { key, value: bytesFrom(value ?? null, place) }
      }),
      ...(timestamp === undefined ? {} : { timestampMs: wholeFrom(timestamp, place, 'timestamp') }),
      ...(partition === undefined ? {} : { partition: wholeFrom(partition, place, 'partition') }),
    }
  }
}

function recordFrom(line: string, place: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new InputError('INPUT_JSON', {
      message: `${place} is not JSON: ${(cause as Error).message}.`,
      cause,
    })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw notWritten(place, 'it is no object')
}

function bytesFrom(data: unknown, place: string): Uint8Array | null {
  if (data === null) return null
  if (typeof data === 'string') return Buffer.from(data)
  const { base64 } = data as { readonly base64?: unknown }
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64')
  throw notWritten(place, 'a key, value or header is neither text, null nor {"base64": …}')
}

function wholeFrom(value: unknown, place: string, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw notWritten(place, `its ${what} is no whole number`)
}

function notWritten(place: string, reason: string): InputError {
  return new InputError('INPUT_JSON', {
    message: `${place} is no record: ${reason}.`,
    hint: 'Lines are as millrace consume --json writes them.',
  })
}
