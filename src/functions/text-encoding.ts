/** Encodings of bytes as text, as named in SQL (in any case). */
export type TextEncoding = 'hex' | 'utf8' | 'ascii' | 'base64'

/** @throws RangeError there is no such encoding */
export function textEncoding(name: string): TextEncoding {
  const encoding = name.toLowerCase()
  if (encoding === 'hex' || encoding === 'utf8' || encoding === 'ascii' || encoding === 'base64')
    return encoding
  throw new RangeError(`'${name}' is not an encoding: choose hex, utf8, ascii or base64.`)
}

/** @throws RangeError the text is not hex or base64 where it should be */
export function bytesOf(text: string, encoding: TextEncoding): Uint8Array {
  switch (encoding) {
    case 'hex':
      return hexBytes(text)
    case 'utf8':
      return new TextEncoder().encode(text)
    case 'ascii':
      // One ? for each character that is none.
      return Uint8Array.from(Array.from(text), (character) => {
        const code = character.codePointAt(0)!
        return code < 128 ? code : 63
      })
    case 'base64': {
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.replaceAll('=', '').length % 4 === 1) {
        throw new RangeError(`'${text}' is not base64.`)
      }
      return Uint8Array.from(Buffer.from(text, 'base64'))
    }
  }
}

/** hex in lower case; bytes that are no character of the encoding become U+FFFD. */
export function textOf(bytes: Uint8Array, encoding: TextEncoding): string {
  switch (encoding) {
    case 'hex':
      return Buffer.from(bytes).toString('hex')
    case 'utf8':
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
    case 'ascii':
      return Array.from(bytes, (byte) => (byte < 128 ? String.fromCharCode(byte) : '\ufffd')).join('')
    case 'base64':
      return Buffer.from(bytes).toString('base64')
  }
}

/* `4578`, `0x4578` (an odd digit count gets a leading 0) or `X'4578'`. */
function hexBytes(text: string): Uint8Array {
  let digits = text
  if (text.startsWith('0x')) {
    digits = text.slice(2)
    if (digits.length % 2 === 1) digits = `0${digits}`
  } else if (/^[xX]'.*'$/s.test(text)) {
    digits = text.slice(2, -1)
  }
  if (digits.length % 2 === 1 || !/^[0-9a-fA-F]*$/.test(digits)) throw new RangeError(`'${text}' is not hex.`)
  return Uint8Array.from(Buffer.from(digits, 'hex'))
}
