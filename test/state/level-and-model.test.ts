import { fc, test as property } from '@fast-check/vitest'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { LevelStorage } from '../../src/state/level-storage.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import type { StateStorage } from '../../src/state/state-storage.ts'

/* The simulation runs on a model of LevelDB: here the two get the same, and what damage does to one the other does. */

const scratch = mkdtempSync(join(tmpdir(), 'millrace-level-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const CACHE_BYTES = 1 << 20
const level = (name: string): Promise<LevelStorage> => LevelStorage.open(join(scratch, name), CACHE_BYTES)

const key = fc.integer({ min: 0, max: 40 }).map((n) => `p${String.fromCharCode(n * 6)}\xff${n}`)
const value = fc.uint8Array({ maxLength: 600 })
const step = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    changes: fc.array(fc.tuple(key, fc.option(value)), { maxLength: 9 }),
  }),
  fc.record({ kind: fc.constant('clear' as const), from: key, to: key }),
  fc.record({
    kind: fc.constant('read' as const),
    keys: fc.array(key, { maxLength: 9 }),
    from: key,
    to: key,
  }),
  fc.record({ kind: fc.constant('reopen' as const) }),
)

describe('LevelDB and its model', () => {
  let runs = 0

  property.prop([fc.array(step, { minLength: 5, maxLength: 40 })], { numRuns: 15 })(
    'hold the same after the same writes, clears and restarts',
    async (steps) => {
      const name = `same-${runs++}`
      const disk = new ModelDisk()
      let real: StateStorage = await level(name)
      let model: StateStorage = disk.open()
      for (const one of steps) {
        if (one.kind === 'write') {
          const writes = one.changes.map(([of, to]) => ({ key: of, value: to }))
          await real.write(writes)
          await model.write(writes)
        } else if (one.kind === 'clear') {
          const [from, to] = [one.from, one.to].toSorted((a, b) => (a < b ? -1 : 1)) as [string, string]
          await real.clear(from, to)
          await model.clear(from, to)
        } else if (one.kind === 'reopen') {
          await real.close()
          await model.close()
          real = await level(name)
          model = disk.open()
        } else {
          const found = (await real.getMany(one.keys)).map(text)
          expect(found).toEqual((await model.getMany(one.keys)).map(text))
          expect(await entries(real, one.from, one.to)).toEqual(await entries(model, one.from, one.to))
        }
      }
      expect(await entries(real, '', '\xff\xff')).toEqual(await entries(model, '', '\xff\xff'))
      await real.close()
    },
  )

  test('lose a run of writes where a log is damaged, at the end or in the middle, and give no other value', async () => {
    const count = 60
    const random = seededRandom(5)
    const storage = await level('log')
    const expected = new Map<string, string>()
    for (let i = 0; i < count; i++) {
      const bytes = new Uint8Array(500 + random.below(6000)).fill(i)
      await storage.write([{ key: name(i), value: bytes }])
      expected.set(name(i), text(bytes)!)
    }
    // As a killed process leaves it: closing would do no more, but this is what a crash is.
    const crashed = join(scratch, 'crashed')
    cpSync(join(scratch, 'log'), crashed, { recursive: true })
    await storage.close()

    const shapes = { whole: 0, tail: 0, hole: 0, refused: 0 }
    for (let n = 0; n < 40; n++) {
      const directory = join(scratch, `damaged-${n}`)
      cpSync(crashed, directory, { recursive: true })
      const path = join(
        directory,
        readdirSync(directory).find((file) => /^\d+\.log$/.test(file))!,
      )
      const bytes = readFileSync(path)
      if (n % 3 === 0) writeFileSync(path, bytes.subarray(0, random.below(bytes.length)))
      else {
        bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
        writeFileSync(path, bytes)
      }
      shapes[await shapeOf(directory, expected, count)]++
      rmSync(directory, { recursive: true })
    }
    // The model's crashes have the very same shapes.
    expect(shapes.tail).toBeGreaterThan(5)
    expect(shapes.hole).toBeGreaterThan(5)
    expect(shapes.refused).toBe(0)

    const modelled = { whole: 0, tail: 0, hole: 0 }
    for (let seed = 0; seed < 40; seed++) {
      const disk = new ModelDisk()
      const model = disk.open()
      for (const [at, bytes] of expected)
        await model.write([{ key: at, value: Buffer.from(bytes, 'latin1') }])
      disk.crash(seed % 2 === 0 ? 'lost-tail' : 'hole', seededRandom(seed))
      modelled[shape(await entries(disk.open(), '', '\xff'), expected, count)]++
    }
    expect(modelled.tail).toBeGreaterThan(5)
    expect(modelled.hole).toBeGreaterThan(5)
  })
})

async function shapeOf(
  directory: string,
  expected: ReadonlyMap<string, string>,
  count: number,
): Promise<'whole' | 'tail' | 'hole' | 'refused'> {
  let storage: LevelStorage
  try {
    storage = await LevelStorage.open(directory, CACHE_BYTES)
  } catch (error) {
    expect(error).toMatchObject({ code: 'STATE_OPEN_FAILED' })
    return 'refused'
  }
  const found = await entries(storage, '', '\xff')
  await storage.close()
  return shape(found, expected, count)
}

/** What is missing: nothing, the last writes, or a run of writes before them. Nothing else may be. */
function shape(
  found: readonly (readonly [string, string])[],
  expected: ReadonlyMap<string, string>,
  count: number,
): 'whole' | 'tail' | 'hole' {
  for (const [at, bytes] of found) expect(bytes === expected.get(at), `value of ${at}`).toBe(true)
  const there = new Set(found.map(([at]) => at))
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !there.has(name(i)))
  if (missing.length === 0) return 'whole'
  const [first] = missing
  expect(missing).toEqual(Array.from({ length: missing.length }, (_, i) => first! + i))
  return missing.at(-1) === count - 1 ? 'tail' : 'hole'
}

function name(i: number): string {
  return `k${String(i).padStart(3, '0')}`
}

function text(bytes: Uint8Array | null | undefined): string | null {
  return bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('latin1')
}

async function entries(
  storage: StateStorage,
  from: string,
  to: string,
): Promise<(readonly [string, string])[]> {
  const found: (readonly [string, string])[] = []
  for await (const [at, bytes] of storage.iterate(from, to)) found.push([at, text(bytes)!])
  return found
}
