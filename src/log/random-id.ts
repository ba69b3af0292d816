import type { Random } from '../base/random.ts'

/** 128 random bits as 22 characters of URL-safe base64: the form of Kafka's topic ids. */
export function randomId(random: Random): string {
  const bytes = Buffer.alloc(16)
  for (let i = 0; i < 16; i++) bytes[i] = random.below(256)
  return bytes.toString('base64url')
}
