import { BYTES, STRING } from '../../plan/sql-type.ts'
import type { Random } from '../../base/random.ts'
import { scalarFunction } from '../scalar-function.ts'

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function randomUuid(random: Random): string {
  const bytes = Uint8Array.from({ length: 16 }, () => random.below(256))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return uuidText(bytes)
}

export const uuid = scalarFunction({
  name: 'UUID',
  category: 'string',
  summary: 'A random UUID (version 4), or 16 bytes written as one.',
  overloads: [
    {
      args: {},
      returns: STRING,
      bind:
        (_args, _returns, { random }) =>
        () =>
          randomUuid(random),
    },
    {
      args: { bytes: BYTES },
      returns: STRING,
      body: (bytes: Uint8Array) => (bytes.length === 16 ? uuidText(bytes) : null),
    },
  ],
  examples: [
    ["UUID(TO_BYTES('00112233445566778899aabbccddeeff', 'hex'))", '00112233-4455-6677-8899-aabbccddeeff'],
    ["UUID(TO_BYTES('0011', 'hex'))", null],
    ['LEN(UUID())', 36],
  ],
})
