/** What a program may hand over as a record's key or value. */
export type NewData = Uint8Array | string | number | boolean | null | object

/** Bytes as they are, a string as UTF-8, null as null; anything else as JSON. @throws TypeError for what JSON can't hold */
export function encodeData(data: NewData): Uint8Array | null {
  if (data === null || data instanceof Uint8Array) return data
  if (typeof data === 'string') return Buffer.from(data)
  const text = JSON.stringify(data) as string | undefined
  if (text === undefined) throw new TypeError('A record takes bytes, text, null, or what JSON can hold.')
  return Buffer.from(text)
}
