import type { ConsumedRecord } from '../runtime/statement-result.ts'

/**
 * A record as one JSON object: topic, partition, offset, timestamp (epoch ms), key, value, headers. Keys
 * and values are text; bytes that are no UTF-8 are `{"base64": "…"}`.
 */
export function recordJson(record: ConsumedRecord): string {
  return JSON.stringify({
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestampMs,
    key: dataJson(record.key),
    value: dataJson(record.value),
    headers: record.headers.map(({ key, value }) => ({ key, value: dataJson(value) })),
  })
}

/** A record as one line for people. */
export function recordLine(record: ConsumedRecord): string {
  const time = isoTime(record.timestampMs)
  const headers = record.headers.map(({ key, value }) => `${key}=${dataLine(value)}`).join(' ')
  return (
    `${record.partition}:${record.offset}  ${time}  ${dataLine(record.key)}  ${dataLine(record.value)}` +
    (headers === '' ? '' : `  ${headers}`)
  )
}

function isoTime(timestampMs: number): string {
  const date = new Date(timestampMs)
  return Number.isNaN(date.getTime()) ? String(timestampMs) : date.toISOString()
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined // not text: the caller shows the bytes
  }
}

function dataJson(bytes: Uint8Array | null): string | null | { readonly base64: string } {
  if (bytes === null) return null
  return textOf(bytes) ?? { base64: Buffer.from(bytes).toString('base64') }
}

function dataLine(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const text = textOf(bytes)
  if (text === undefined || /\p{Cc}/u.test(text)) return `0x${Buffer.from(bytes).toString('hex')}`
  return text
}
