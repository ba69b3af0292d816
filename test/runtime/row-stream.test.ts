import { expect, test } from 'vitest'
import { firstValueFrom, take, toArray } from 'rxjs'
import { INTEGER, STRING, structOf } from '../../src/plan/sql-type.ts'
import { RowStream, type RowSink, type RowSource } from '../../src/runtime/row-stream.ts'
import type { Schema } from '../../src/plan/schema.ts'

const schema: Schema = {
  columns: [
    { name: 'ID', type: STRING, role: 'key' },
    { name: '__proto__', type: structOf([{ name: 'N', type: INTEGER }]), role: 'value' },
  ],
}

function streamOf(source: RowSource, queueBytesMax?: number): { stream: RowStream; closed: () => number } {
  let closed = 0
  const stream: RowStream = new RowStream({
    schema,
    queryId: 'q',
    source,
    onClose: () => closed++,
    ...(queueBytesMax === undefined ? {} : { queueBytesMax: () => queueBytesMax }),
  })
  return { stream, closed: () => closed }
}

const counting = (count: number): RowSource => ({
  async run(sink, stopped) {
    for (let n = 0; n < count && !stopped.aborted; n++) {
      sink.push([`k${n}`, [n]], n, false)
      await sink.ready()
    }
  },
})

test('rows arrive in order as objects, and the stream ends with its source', async () => {
  const { stream, closed } = streamOf(counting(3))
  const rows = []
  for await (const row of stream) rows.push(JSON.stringify(row))
  expect(rows).toEqual([0, 1, 2].map((n) => `{"ID":"k${n}","__proto__":{"N":${n}}}`))
  expect(closed()).toBe(1)
})

test('a consumer that leaves stops the source', async () => {
  const { stream, closed } = streamOf(counting(Infinity), 1000)
  for await (const row of stream) {
    expect(row['ID']).toBe('k0')
    break
  }
  expect(closed()).toBe(1)
})

test('a full queue pauses the source, not more', async () => {
  let pushed = 0
  const source: RowSource = {
    async run(sink: RowSink, stopped) {
      while (!stopped.aborted) {
        sink.push(['x'.repeat(1000), null], pushed++, false)
        await sink.ready()
      }
    },
  }
  const { stream } = streamOf(source, 10_000)
  const rows = stream.rows()[Symbol.asyncIterator]()
  await rows.next()
  await new Promise((resolve) => setImmediate(resolve))
  expect(pushed).toBeGreaterThan(1)
  expect(pushed).toBeLessThan(20)
  const before = pushed
  for (let n = 0; n < 15; n++) await rows.next()
  expect(pushed).toBeGreaterThan(before)
  await stream.close()
})

test('as an Observable', async () => {
  const { stream, closed } = streamOf(counting(Infinity), 1000)
  const rows = await firstValueFrom(stream.observable.pipe(take(2), toArray()))
  expect(rows.map((r) => r['ID'])).toEqual(['k0', 'k1'])
  await stream.close()
  expect(closed()).toBe(1)
})

test('a failing source fails its consumer, after the rows it gave', async () => {
  const { stream } = streamOf({
    async run(sink) {
      sink.push(['a', null], 0, false)
      throw new Error('disk gone')
    },
  })
  const seen: unknown[] = []
  const consume = async (): Promise<void> => {
    for await (const row of stream) seen.push(row['ID'])
  }
  await expect(consume()).rejects.toThrow('disk gone')
  expect(seen).toEqual(['a'])
})

test('closing before anybody consumed is fine, and twice', async () => {
  const { stream, closed } = streamOf(counting(1))
  await stream.close()
  await stream.close()
  expect(closed()).toBe(1)
})

test('a long queue is taken in order, each row as fast as from a short one', { timeout: 8000 }, async () => {
  const count = 200_000
  const { stream } = streamOf({
    run(sink) {
      for (let n = 0; n < count; n++) sink.push(['k', [n]], n, false)
      return Promise.resolve()
    },
  })
  let taken = 0
  for await (const row of stream.rows()) {
    if (row.timestampMs !== taken) throw new Error(`row ${row.timestampMs} came as number ${taken}`)
    taken++
  }
  expect(taken).toBe(count)
})
