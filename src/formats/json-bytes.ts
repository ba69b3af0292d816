/*
 * Walking JSON text as bytes. Each function takes a place and returns the place after what stands there, or
 * −1 if it isn't that. `end` is the end of the record; what lies behind it in `bytes` is never trusted.
 */
import { JSON_DEPTH_MAX } from './json-text.ts'

/** 1: a byte that stands for itself inside a JSON string and is ASCII. */
export const PLAIN_BYTE: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c ? 1 : 0,
)

/** Any one value. `depth` is how many arrays and objects are open around it. */
export function skipValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end) return -1
  switch (bytes[at]) {
    case 0x22:
      return skipString(bytes, at, end)
    case 0x7b:
      return skipObject(bytes, at, end, depth)
    case 0x5b:
      return skipArray(bytes, at, end, depth)
    case 0x74:
      return isWord(bytes, at, end, 0x72, 0x75, 0x65) ? at + 4 : -1
    case 0x66:
      return isWord(bytes, at + 1, end, 0x6c, 0x73, 0x65) && bytes[at + 1] === 0x61 ? at + 5 : -1
    case 0x6e:
      return isWord(bytes, at, end, 0x75, 0x6c, 0x6c) ? at + 4 : -1
    default:
      return skipNumber(bytes, at, end)
  }
}

/** Whether the three bytes after `at` are these. */
function isWord(bytes: Uint8Array, at: number, end: number, b: number, c: number, d: number): boolean {
  return at + 4 <= end && bytes[at + 1] === b && bytes[at + 2] === c && bytes[at + 3] === d
}

/** A string, quotes included. */
export function skipString(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || bytes[at] !== 0x22) return -1
  const quote = skipText(bytes, at + 1, end)
  return quote < 0 ? -1 : quote + 1
}

/** The rest of a string: the place of its closing quote, or −1. */
export function skipText(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end) {
    const byte = bytes[at]!
    if (PLAIN_BYTE[byte] === 1) {
      at++
    } else if (byte === 0x22) {
      return at
    } else if (byte === 0x5c) {
      at = skipEscape(bytes, at, end)
      if (at < 0) return -1
    } else {
      at = skipUtf8(bytes, at, end)
      if (at < 0) return -1
    }
  }
  return -1
}

function skipEscape(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) return -1
  switch (bytes[at + 1]) {
    case 0x22:
    case 0x5c:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at + 2
    case 0x75:
      if (at + 6 > end) return -1
      for (let i = at + 2; i < at + 6; i++) if (!isHexDigit(bytes[i]!)) return -1
      return at + 6
    default:
      return -1
  }
}

function isHexDigit(byte: number): boolean {
  return isDigit(byte) || ((byte | 32) >= 0x61 && (byte | 32) <= 0x66)
}

/** One character of two to four bytes: shortest form, no surrogates, nothing beyond U+10FFFF. */
export function skipUtf8(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!
  if (first < 0xc2) return -1
  const second = at + 1 < end ? bytes[at + 1]! : 0
  if (first < 0xe0) return (second & 0xc0) === 0x80 ? at + 2 : -1
  if (at + 3 > end || (bytes[at + 2]! & 0xc0) !== 0x80) return -1
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return -1
  if (first < 0xf0) return at + 3
  return first < 0xf5 && at + 4 <= end && (bytes[at + 3]! & 0xc0) === 0x80 ? at + 4 : -1
}

/** A number in full JSON grammar. */
export function skipNumber(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  if (at < end && bytes[at] === 0x2d) at++
  if (at < end && bytes[at] === 0x30) {
    at++
  } else {
    at = skipDigits(bytes, at, end)
    if (at < 0) return -1
  }
  if (at < end && bytes[at] === 0x2e) {
    at = skipDigits(bytes, at + 1, end)
    if (at < 0) return -1
  }
  if (at < end && (bytes[at]! | 32) === 0x65) {
    at++
    if (at < end && (bytes[at] === 0x2b || bytes[at] === 0x2d)) at++
    at = skipDigits(bytes, at, end)
  }
  return at
}

/** One digit or more. */
function skipDigits(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && isDigit(bytes[at]!)) at++
  return at === from ? -1 : at
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** Blanks, none or more. */
export function skipBlanks(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && isBlank(bytes[at]!)) at++
  return at
}

/** What JSON takes for white space. */
export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function skipArray(bytes: Uint8Array, from: number, end: number, depth: number): number {
  if (depth >= JSON_DEPTH_MAX) return -1
  let at = skipBlanks(bytes, from + 1, end)
  if (at < end && bytes[at] === 0x5d) return at + 1
  for (;;) {
    at = skipValue(bytes, at, end, depth + 1)
    if (at < 0) return -1
    at = skipBlanks(bytes, at, end)
    if (at >= end) return -1
    if (bytes[at] === 0x5d) return at + 1
    if (bytes[at] !== 0x2c) return -1
    at = skipBlanks(bytes, at + 1, end)
  }
}

function skipObject(bytes: Uint8Array, from: number, end: number, depth: number): number {
  if (depth >= JSON_DEPTH_MAX) return -1
  let at = skipBlanks(bytes, from + 1, end)
  if (at < end && bytes[at] === 0x7d) return at + 1
  for (;;) {
    at = skipString(bytes, at, end)
    if (at < 0) return -1
    at = skipBlanks(bytes, at, end)
    if (at >= end || bytes[at] !== 0x3a) return -1
    at = skipValue(bytes, skipBlanks(bytes, at + 1, end), end, depth + 1)
    if (at < 0) return -1
    at = skipBlanks(bytes, at, end)
    if (at >= end) return -1
    if (bytes[at] === 0x7d) return at + 1
    if (bytes[at] !== 0x2c) return -1
    at = skipBlanks(bytes, at + 1, end)
  }
}
