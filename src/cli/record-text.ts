import type { ConsumedRecord, PrintedPart, PrintedRecord } from '../runtime/statement-result.ts'
import { isoText } from './times.ts'

/**
 * A record as one JSON object: topic, partition, offset, timestamp (epoch ms), key, value, headers. Keys
 * and values are text; bytes that are no UTF-8 are `{"base64": "…"}`.
 */
export function recordJson(record: ConsumedRecord): string {
  return recordJsonOf(record, JSON.stringify(dataJson(record.key)), JSON.stringify(dataJson(record.value)))
}

/** The same, where formats have been found: what a schema made readable is text. */
export function printedJson(record: PrintedRecord): string {
  const data = (bytes: Uint8Array | null, { formats, text }: PrintedPart): string =>
    JSON.stringify(BY_SCHEMA.has(formats[0] ?? '') ? text : dataJson(bytes))
  return recordJsonOf(record, data(record.key, record.keyPart), data(record.value, record.valuePart))
}

const BY_SCHEMA: ReadonlySet<string> = new Set(['AVRO', 'PROTOBUF', 'JSON_SR'])

/** @param key  as JSON, as is `value` */
export function recordJsonOf(record: ConsumedRecord, key: string, value: string): string {
  const { topic, partition, offset, timestampMs: timestamp } = record
  const place = JSON.stringify({ topic, partition, offset, timestamp })
  const headers = record.headers.map((header) => ({ key: header.key, value: dataJson(header.value) }))
  return `${place.slice(0, -1)},"key":${key},"value":${value},"headers":${JSON.stringify(headers)}}`
}

/** A record as one line for people. */
export function recordLine(record: ConsumedRecord): string {
  return recordLineOf(record, dataLine(record.key), dataLine(record.value))
}

/** The same, where formats have been found. */
export function printedLine(record: PrintedRecord): string {
  return recordLineOf(record, partLine(record.keyPart.text), partLine(record.valuePart.text))
}

export function recordLineOf(record: ConsumedRecord, key: string, value: string): string {
  const headers = headersLine(record)
  return (
    `${record.partition}:${record.offset}  ${isoText(record.timestampMs)}  ${key}  ${value}` +
    (headers === '' ? '' : `  ${headers}`)
  )
}

/** Line breaks within a value would look like further records. */
function partLine(text: string | null): string {
  return text === null ? 'null' : text.replaceAll(/\p{Cc}/gu, (c) => JSON.stringify(c).slice(1, -1))
}

/** What the formats of a topic seem to be: said with the first record, and when a later one is of none of them. */
export class FormatLines {
  readonly #sides = {
    key: { title: 'Key format', left: null as readonly string[] | null },
    value: { title: 'Value format', left: null as readonly string[] | null },
  }

  /** The lines to be said before this record. */
  linesFor(record: PrintedRecord): readonly string[] {
    return [
      ...this.#lineFor('key', record.keyPart.formats),
      ...this.#lineFor('value', record.valuePart.formats),
    ]
  }

  #lineFor(side: 'key' | 'value', formats: readonly string[]): readonly string[] {
    const known = this.#sides[side]
    if (formats.length === 0 || known.left?.length === 0) return []
    if (known.left === null) {
      known.left = formats
      return [`${known.title}: ${formats.join(' or ')}`]
    }
    known.left = known.left.filter((format) => formats.includes(format))
    return known.left.length > 0 ? [] : [`${known.title}: MIXED`]
  }
}

export function headersLine(record: ConsumedRecord, between = '=', separator = ' '): string {
  return record.headers.map(({ key, value }) => `${key}${between}${dataLine(value)}`).join(separator)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined // not text: the caller shows the bytes
  }
}

type DataJson = string | null | { readonly base64: string }

export function dataJson(bytes: Uint8Array | null): DataJson {
  if (bytes === null) return null
  return textOf(bytes) ?? { base64: Buffer.from(bytes).toString('base64') }
}

export function dataLine(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const text = textOf(bytes)
  if (text === undefined || /\p{Cc}/u.test(text)) return `0x${Buffer.from(bytes).toString('hex')}`
  return text
}
