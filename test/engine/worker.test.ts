import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { readFully } from '../../src/base/file-system.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import type { CommitOutcome } from '../../src/log/log.ts'
import { seededRandom } from '../../src/base/random.ts'
import { PROCESSING_LOG_TOPIC } from '../../src/runtime/processing-log.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { TestWorker, type QueryChoice, type TestWorkerOptions } from './worker-harness.ts'

const opened: TestWorker[] = []

async function open(options: Partial<TestWorkerOptions> = {}): Promise<TestWorker> {
  const worker = await TestWorker.open({ fileSystem: new MemoryFileSystem(), ...options })
  opened.push(worker)
  return worker
}

afterEach(async () => {
  for (const worker of opened.splice(0)) await worker.close()
})

const READINGS = `CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);`
const OTHERS = `CREATE STREAM o (id STRING KEY, w INT) WITH (kafka_topic = 'o', value_format = 'JSON', partitions = 1);`
const COUNTS = `CREATE TABLE c AS SELECT id, COUNT(*) AS n, SUM(v) AS total FROM s GROUP BY id;`
const COPY = `CREATE STREAM p AS SELECT id, v + 1 AS v FROM s;`

const reading = (key: string, v: number, t = 0): [string, unknown, number] => [key, { V: v }, t]

test('closed and opened again, a query goes on from its last commit', async () => {
  const fileSystem = new MemoryFileSystem()
  const first = await open({ fileSystem })
  await first.add(`${READINGS} ${COUNTS}`)
  await first.produce('s', [reading('a', 1), reading('a', 2)])
  await first.worker.untilIdle()
  opened.splice(0)
  await first.close()
  const second = await open({ fileSystem })
  await second.add(`${READINGS} ${COUNTS}`)
  await second.produce('s', [reading('a', 4)])
  await second.worker.untilIdle()
  expect(await second.lines('C')).toEqual([
    'a {"N":1,"TOTAL":1}',
    'a {"N":2,"TOTAL":3}',
    'a {"N":3,"TOTAL":7}',
  ])
  expect(second.offsets('q0')).toEqual(['s-0 3'])
})

describe('state that is restored', () => {
  const twoPartitions = (a: number, b: number): [string, unknown, number, number][] => [
    ['a', { V: a }, 0, 0],
    ['b', { V: b }, 0, 1],
  ]
  /** A partition's changelog waits to be read. */
  const held = (
    heldPartition = 1,
  ): { read: NonNullable<TestWorker['interception']['readState']>; letGo: (error?: Error) => void } => {
    let letGo!: (error?: Error) => void
    const wait = new Promise<void>((resolve, reject) => {
      letGo = (error) => (error === undefined ? resolve() : reject(error))
    })
    return {
      letGo,
      read: async (log, topic, partition, ...rest) => {
        if (partition === heldPartition) await wait
        return log.read(topic, partition, ...rest)
      },
    }
  }

  /** A worker over what one before it left: a query over two partitions that has committed these rounds of readings. */
  async function openBehind(
    query: string,
    rounds: readonly ReturnType<typeof twoPartitions>[],
  ): Promise<TestWorker> {
    const fileSystem = new MemoryFileSystem()
    const first = await open({ fileSystem })
    await first.add(`${READINGS} ${query}`, [], 2)
    for (const readings of rounds) {
      await first.produce('s', readings)
      await first.worker.untilIdle()
    }
    opened.splice(0)
    await first.close()
    return open({ fileSystem })
  }

  /** Counts of two partitions, committed; the worker after it, adding its query while partition 1 is held back. */
  async function reopened(): Promise<{
    t: TestWorker
    added: Promise<void>
    letGo: (error?: Error) => void
  }> {
    const t = await openBehind(COUNTS, [
      twoPartitions(1, 10),
      [...twoPartitions(2, 20), ...twoPartitions(3, 30)],
    ])
    const { read, letGo } = held()
    t.interception.readState = read
    // So that partition 0 comes first.
    await t.produce('s', [['a', { V: 4 }, 0, 0]])
    const added = t.add(`${READINGS} ${COUNTS}`, [], 2)
    return { t, added, letGo }
  }

  test('partition by partition: those that are there work while others are still on their way', async () => {
    const { t, added, letGo } = await reopened()
    await expect.poll(() => t.lines('C')).toContain('a {"N":4,"TOTAL":10}')
    await t.produce('s', twoPartitions(5, 50))
    await expect.poll(() => t.lines('C')).toContain('a {"N":5,"TOTAL":15}')
    expect(t.worker.status('q0')).toMatchObject({ state: 'RESTORING', restoring: { tasks: 2 } })
    expect(t.offsets('q0')).toEqual(['s-0 5', 's-1 3'])
    const rows = async (): Promise<number> => {
      let count = 0
      for await (const batch of t.worker.readCommitted('q0', {
        keys: null,
        from: null,
        to: null,
        startFromMs: -Infinity,
        startToMs: Infinity,
      }))
        count += batch.size
      return count
    }
    await expect(rows()).rejects.toMatchObject({ code: 'STATE_RESTORING' })
    letGo()
    await added
    expect(t.worker.status('q0')!.state).toBe('RUNNING')
    await t.worker.untilIdle()
    expect((await t.lines('C')).at(-1)).toBe('b {"N":4,"TOTAL":110}')
    expect(t.offsets('q0')).toEqual(['s-0 5', 's-1 4'])
    expect(await rows()).toBe(2)
  })

  test('with the least of it first, of those with input', async () => {
    const t = await openBehind(COUNTS, [
      twoPartitions(1, 10),
      [['a', { V: 2 }, 0, 0]],
      [['a', { V: 3 }, 0, 0]],
    ])
    const { read, letGo } = held(0)
    t.interception.readState = read
    await t.produce('s', twoPartitions(4, 40))
    const added = t.add(`${READINGS} ${COUNTS}`, [], 2)
    await expect.poll(() => t.lines('C')).toContain('b {"N":2,"TOTAL":50}')
    expect(t.offsets('q0')).toEqual(['s-0 3', 's-1 2'])
    letGo()
    await added
    await t.worker.untilIdle()
    expect(t.offsets('q0')).toEqual(['s-0 4', 's-1 2'])
  })

  test('one of them that fails stops the query, which is restored whole before it goes on', async () => {
    const { t, added, letGo } = await reopened()
    await expect.poll(() => t.lines('C')).toContain('a {"N":4,"TOTAL":10}')
    letGo(new Error('no such luck'))
    await added
    await expect.poll(() => t.worker.status('q0')).toMatchObject({ state: 'ERROR', error: 'no such luck' })
    await t.produce('s', twoPartitions(5, 50))
    delete t.interception.readState
    t.clock.advanceTo(t.clock.nowMs() + 60_000)
    await expect.poll(() => t.worker.status('q0')?.state).toBe('RUNNING')
    await t.worker.untilIdle()
    expect(await t.lines('C')).toEqual(
      expect.arrayContaining(['a {"N":5,"TOTAL":15}', 'b {"N":4,"TOTAL":110}']),
    )
    expect(t.offsets('q0')).toEqual(['s-0 5', 's-1 4'])
  })

  test('may be closed on its way, and is there the next time', async () => {
    const { t, added, letGo } = await reopened()
    await expect.poll(() => t.lines('C')).toContain('a {"N":4,"TOTAL":10}')
    const removed = t.worker.remove('q0')
    letGo()
    await Promise.all([added, removed])
    delete t.interception.readState
    await t.produce('s', twoPartitions(5, 50))
    await t.add(`${READINGS} ${COUNTS}`, [], 2)
    await t.worker.untilIdle()
    expect(t.offsets('q0')).toEqual(['s-0 5', 's-1 4'])
    expect((await t.lines('C')).filter((line) => line.startsWith('b')).at(-1)).toBe('b {"N":4,"TOTAL":110}')
  })

  test('of queries whose partitions meet is there before they work', async () => {
    const BY_V = `CREATE TABLE byv AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;`
    const t = await openBehind(BY_V, [twoPartitions(1, 10)])
    const { read, letGo } = held()
    t.interception.readState = read
    await t.produce('s', twoPartitions(1, 10))
    const added = t.add(`${READINGS} ${BY_V}`, [], 2)
    await expect.poll(() => t.worker.status('q0')?.restoring).toMatchObject({ tasks: 2 })
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(t.offsets('q0')).toEqual(['s-0 1', 's-1 1'])
    letGo()
    await added
    await t.worker.untilIdle()
    expect(t.offsets('q0')).toEqual(['s-0 2', 's-1 2'])
  })
})

test('a query that starts takes a few rows first, and more at each step', async () => {
  const t = await open({ commitIntervalMs: 0 })
  await t.createTopics(['s'])
  const producer = t.log.producer({ lingerMs: 1000 })
  const sent = Array.from({ length: 3000 }, (_, n) =>
    producer.send({ topic: 's', key: null, value: Buffer.from(`{"V":${n}}`), timestampMs: n }),
  )
  await producer.flush()
  await Promise.all(sent)
  await producer.close()
  await t.add(`${READINGS} ${COPY}`)
  await t.worker.untilIdle()
  const perCommit: number[] = []
  const end = t.log.ends('P', 0).lastStable
  for (let offset = 0; offset < end;) {
    const { nextOffset } = await t.log.read('P', 0, offset, 1)
    perCommit.push(nextOffset - offset)
    offset = nextOffset
  }
  expect(perCommit).toEqual([128, 512, 2048, 312])
})

test('a committed offset beyond the end of its topic stops the query with an error', async () => {
  const t = await open()
  await t.createTopics(['s'])
  await t.produce('s', [reading('a', 1)])
  await t.log.commit({
    owner: await t.log.claim('other'),
    appends: [],
    offsets: [{ group: '_millrace-query-q0', offsets: [{ topic: 's', partition: 0, offset: 5 }] }],
  })
  await t.add(`${READINGS} ${COPY}`)
  await expect.poll(() => t.worker.status('q0')!.state).toBe('ERROR')
  expect(t.worker.status('q0')!.error).toBe(
    'The query has read topic s, partition 0 up to offset 5, but it ends at 1.',
  )
})

describe('a query that fails', () => {
  test('in a step is left out of its cycle, and goes on from its last commit when the reason is gone', async () => {
    const t = await open()
    await t.add(`${READINGS} ${OTHERS} ${COUNTS} CREATE STREAM p AS SELECT id, w FROM o;`)
    t.interception.read = (log, topic, ...rest) =>
      topic === 's' ? Promise.reject(new Error('no such luck')) : log.read(topic, ...rest)
    await t.produce('s', [reading('a', 1)])
    await t.produce('o', [['a', { W: 7 }, 0]])
    await t.worker.untilIdle()
    expect(t.worker.status('q0')).toMatchObject({ state: 'ERROR', error: 'no such luck' })
    expect(t.problems.map((p) => p.queryId)).toContain('q0')
    expect(await t.lines('P')).toEqual(['a {"W":7}'])
    delete t.interception.read
    t.clock.advanceTo(t.clock.nowMs() + 60_000)
    await expect.poll(() => t.worker.status('q0')?.state).toBe('RUNNING')
    await t.worker.untilIdle()
    expect(await t.lines('C')).toEqual(['a {"N":1,"TOTAL":1}'])
  })

  test('at the commit does not hold up the others of its cycle', async () => {
    const t = await open()
    await t.add(`${READINGS} ${COPY} ${COUNTS}`)
    await t.log.deleteTopic('P')
    await t.produce('s', [reading('a', 1), reading('a', 2)])
    await t.worker.untilIdle()
    expect(t.worker.status('q0')).toMatchObject({ state: 'ERROR', error: 'There is no topic P.' })
    expect(t.worker.status('q1')).toMatchObject({ state: 'RUNNING', error: null })
    expect((await t.lines('C')).at(-1)).toBe('a {"N":2,"TOTAL":3}')
    expect(t.offsets('q1')).toEqual(['s-0 2'])
    expect(t.offsets('q0')).toEqual([])
  })

  test('over damaged bytes says where they are and does not try again', async () => {
    const fileSystem = new MemoryFileSystem()
    const first = await open({ fileSystem })
    await first.createTopics(['s', 'o'])
    const producer = first.log.producer()
    for (const v of [1, 2, 3]) {
      await producer.send({
        topic: 's',
        key: Buffer.from('a'),
        value: Buffer.from(`{"V":${v}}`),
        timestampMs: 0,
      })
    }
    const directory = `/data/topics/${first.log.topic('s')!.id}/0`
    opened.splice(0)
    await first.close()
    const [segment] = (await fileSystem.list(directory)).filter((name) => name.endsWith('.log'))
    const file = await fileSystem.open(`${directory}/${segment}`, 'write')
    const bytes = new Uint8Array(await file.size())
    await readFully(file, bytes, 0)
    await file.write(Uint8Array.of(bytes.at(-3)! ^ 1), bytes.length - 3)
    await file.close()

    const t = await open({ fileSystem })
    await t.add(`${READINGS} ${OTHERS} ${COUNTS} CREATE STREAM p AS SELECT id, w FROM o;`)
    await t.produce('o', [['a', { W: 7 }, 0]])
    await t.worker.untilIdle()
    const status = t.worker.status('q0')!
    expect(status.state).toBe('ERROR')
    expect(status.error).toMatch(/topic s, partition 0.*offset 2/i)
    expect(await t.lines('P')).toEqual(['a {"W":7}'])
    const tries = t.problems.length
    t.clock.advanceTo(t.clock.nowMs() + 10 * 60_000)
    await t.produce('o', [['a', { W: 8 }, 0]])
    await t.worker.untilIdle()
    expect(t.problems).toHaveLength(tries)
    expect(t.worker.status('q0')!.state).toBe('ERROR')
  })
})

describe('a commit whose fate is unknown', () => {
  test.each([
    ['was not done', false],
    ['was done', true],
  ])('and that %s: every record counts once', async (_, isDone) => {
    const t = await open()
    await t.add(`${READINGS} ${COPY} ${COUNTS}`)
    let left = 2
    t.interception.commit = async (log, group) => {
      if (group.owner.name !== 'worker' || left-- <= 0) return log.commit(group)
      if (isDone) await log.commit(group)
      return { kind: 'unknown', cause: new Error('the disk went away') } satisfies CommitOutcome
    }
    await t.produce('s', [reading('a', 1), reading('b', 2)])
    await t.produce('s', [reading('a', 4)])
    await t.worker.untilIdle()
    expect(left).toBeLessThanOrEqual(0)
    expect(await t.lines('P')).toEqual(['a {"V":2}', 'b {"V":3}', 'a {"V":5}'])
    expect((await t.lines('C')).slice(-1)).toEqual(['a {"N":2,"TOTAL":5}'])
    expect(await t.lines('C')).toHaveLength(3)
    expect(t.worker.status('q1')!.state).toBe('RUNNING')
  })
})

describe('while a commit is under way', () => {
  const WINDOWS = `CREATE TABLE w AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY id;`
  const everything = { keys: null, from: null, to: null, startFromMs: -Infinity, startToMs: Infinity }

  /** A worker whose commits wait for {@link HeldCommits.release}. */
  class HeldCommits {
    readonly t: TestWorker
    readonly #waiting: ((fate: { readonly isDone: boolean; readonly isKnown: boolean }) => void)[] = []
    isHolding = true
    inFlightMax = 0

    private constructor(t: TestWorker) {
      this.t = t
      let inFlight = 0
      t.interception.commit = async (log, group) => {
        if (group.owner.name !== 'worker' || !this.isHolding) return log.commit(group)
        this.inFlightMax = Math.max(this.inFlightMax, ++inFlight)
        const { isDone, isKnown } = await new Promise<{ isDone: boolean; isKnown: boolean }>((resolve) =>
          this.#waiting.push(resolve),
        )
        inFlight--
        const unknown: CommitOutcome = { kind: 'unknown', cause: new Error('the disk went away') }
        const outcome = isDone ? await log.commit(group) : unknown
        return isKnown ? outcome : unknown
      }
    }

    /** Queries q0: copies, q1: counts, q2: counts by window; the commit of the first two records is held. */
    static async open(): Promise<HeldCommits> {
      const t = await open({ cache: true, commitIntervalMs: 10 })
      await t.add(`${READINGS} ${COPY} ${COUNTS} ${WINDOWS}`)
      const held = new HeldCommits(t)
      await t.produce('s', [reading('a', 1), reading('b', 2)])
      await held.untilHeld()
      return held
    }

    async untilHeld(): Promise<void> {
      await expect
        .poll(() => {
          this.t.clock.advanceTo(this.t.clock.nowMs() + 5)
          return this.#waiting.length
        })
        .toBe(1)
    }

    release(fate = { isDone: true, isKnown: true }): void {
      this.#waiting.shift()!(fate)
    }

    async untilRead(rows: number): Promise<void> {
      for (const id of ['q0', 'q1', 'q2']) {
        await expect
          .poll(() => {
            // It looks for input a few times per commit.
            this.t.clock.advanceTo(this.t.clock.nowMs() + 1)
            return this.t.worker.status(id)!.rowsIn
          })
          .toBe(rows)
      }
    }

    async committedRows(id: string): Promise<unknown[][]> {
      const rows: unknown[][] = []
      for await (const batch of this.t.worker.readCommitted(id, everything as never)) {
        for (let n = 0; n < batch.size; n++) rows.push(batch.slice(batch.position(n), 0, 2))
      }
      return rows
    }

    /** Everything came out once, and the state says so. */
    async expectAllOnce(): Promise<void> {
      const { t } = this
      this.isHolding = false
      await expect
        .poll(() => {
          t.clock.advanceTo(t.clock.nowMs() + 1_000)
          return ['q0', 'q1', 'q2'].map((id) => t.offsets(id).join(' '))
        })
        .toEqual(['s-0 3', 's-0 3', 's-0 3'])
      await expect
        .poll(() => this.committedRows('q1'))
        .toEqual([
          ['a', 2],
          ['b', 1],
        ])
      expect(await this.committedRows('q2')).toEqual([
        ['a', 2],
        ['b', 1],
      ])
      expect(await t.lines('P')).toEqual(['a {"V":2}', 'b {"V":3}', 'a {"V":5}'])
      expect((await t.lines('C')).findLast((line) => line.startsWith('a'))).toBe('a {"N":2,"TOTAL":5}')
      expect((await t.lines('W')).findLast((line) => line.startsWith('a'))).toBe('a {"N":2}')
    }
  }

  test('the next cycle works, and readers see what is committed', async () => {
    const held = await HeldCommits.open()
    const { t } = held
    await t.produce('s', [reading('a', 4)])
    await held.untilRead(3)
    for (const id of ['q1', 'q2']) expect(await held.committedRows(id)).toEqual([])
    expect(await t.lines('P')).toEqual([])
    held.release()
    await held.untilHeld()
    for (const id of ['q1', 'q2']) {
      expect(await held.committedRows(id)).toEqual([
        ['a', 1],
        ['b', 1],
      ])
      expect(t.offsets(id)).toEqual(['s-0 2'])
    }
    held.release()
    await held.expectAllOnce()
  })

  test('the cycle after the next one waits for it', async () => {
    const held = await HeldCommits.open()
    const { t } = held
    await t.produce('s', [reading('a', 4)])
    await held.untilRead(3)
    t.clock.advanceTo(t.clock.nowMs() + 100)
    // Wakes the worker, which finds that the cycle should have ended twice over.
    await t.produce('s', [['late', { V: 9 }, 0]])
    await new Promise((resolve) => setTimeout(resolve, 20))
    await t.produce('s', [['later', { V: 9 }, 0]])
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(t.worker.status('q0')!.rowsIn).toBeLessThan(5)
    expect(held.inFlightMax).toBe(1)
    held.isHolding = false
    held.release()
    await expect
      .poll(() => {
        t.clock.advanceTo(t.clock.nowMs() + 5)
        return t.worker.status('q0')!.rowsIn
      })
      .toBe(5)
    expect(held.inFlightMax).toBe(1)
  })

  test.each([
    ['was not done', false],
    ['was done', true],
  ])('of unknown fate that %s, the open cycle goes back with it', async (_, isDone) => {
    const held = await HeldCommits.open()
    const { t } = held
    await t.produce('s', [reading('a', 4)])
    await held.untilRead(3)
    held.release({ isDone, isKnown: false })
    await held.expectAllOnce()
  })

  test('a query that fails in the open cycle goes on from that commit', async () => {
    const held = await HeldCommits.open()
    const { t } = held
    t.interception.read = (log, topic, ...rest) =>
      topic === 's' ? Promise.reject(new Error('no such luck')) : log.read(topic, ...rest)
    await t.produce('s', [reading('a', 4)])
    await new Promise((resolve) => setTimeout(resolve, 20))
    held.isHolding = false
    held.release()
    await expect.poll(() => t.worker.status('q0')!.state).toBe('ERROR')
    delete t.interception.read
    await held.expectAllOnce()
  })
})

test('a cycle ends before its time when it has as much to write as one commit takes', async () => {
  const t = await open({ commitIntervalMs: 1_000_000, transactionBytesMax: 2_000 })
  await t.add(`${READINGS} ${COPY}`)
  const endMs = t.clock.nowMs() + 900_000
  const untilRead = async (rows: number): Promise<void> => {
    const look = (): number => {
      // It looks for input a few times per commit.
      if (t.clock.nowMs() < endMs) t.clock.advanceTo(t.clock.nowMs() + 40_000)
      return t.worker.status('q0')!.rowsIn
    }
    await expect.poll(look, { interval: 1 }).toBe(rows)
  }
  await t.produce('s', [reading('a', 1)])
  await untilRead(1)
  expect(t.offsets('q0')).toEqual([])
  await t.produce('s', [reading('a'.repeat(3_000), 2)])
  await untilRead(2)
  await expect.poll(() => t.offsets('q0')).toEqual(['s-0 2'])
  expect(t.clock.nowMs()).toBeLessThanOrEqual(endMs)
})

describe('transactions of others in the input', () => {
  const V = (v: number): Buffer => Buffer.from(JSON.stringify({ V: v }))

  test.each([
    ['committed', ['a {"V":2}', 'a {"V":3}', 'a {"V":4}']],
    ['aborted', ['a {"V":2}', 'a {"V":4}']],
  ] as const)('are waited for, and what lies behind them: one that is %s', async (end, lines) => {
    const t = await open()
    await t.createTopics(['s'])
    await t.produce('s', [reading('a', 1)])
    const producer = t.log.producer({ transactionalId: 'x' })
    await producer.beginTransaction()
    await producer.send({ topic: 's', partition: 0, key: Buffer.from('a'), value: V(2), timestampMs: 0 })
    await t.produce('s', [reading('a', 3)])
    await t.add(`${READINGS} ${COPY}`)
    await t.worker.untilIdle()
    expect(await t.lines('P')).toEqual(['a {"V":2}'])
    expect(t.offsets('q0')).toEqual(['s-0 1'])
    await (end === 'committed' ? producer.commitTransaction() : producer.abortTransaction())
    await t.worker.untilIdle()
    expect(await t.lines('P')).toEqual(lines)
  })
})

describe('processing.guarantee', () => {
  const guarantee = (value: string): QueryChoice => ({ settings: new Map([['processing.guarantee', value]]) })

  test.each([
    ['exactly_once_v2', []],
    ['at_least_once', ['a {"V":2}']],
  ])('%s: what is visible before the cycle ends', async (value, lines) => {
    const t = await open({ commitIntervalMs: 10 })
    await t.add(`${READINGS} ${COPY}`, [guarantee(value)])
    await t.produce('s', [reading('a', 1)])
    // It looks for input a few times per commit.
    t.clock.advanceTo(t.clock.nowMs() + 3)
    await expect.poll(() => t.worker.status('q0')!.rowsIn).toBe(1)
    await expect.poll(() => t.lines('P')).toEqual(lines)
    expect(t.offsets('q0')).toEqual([])
    t.clock.advanceTo(t.clock.nowMs() + 10)
    await expect.poll(() => t.offsets('q0')).toEqual(['s-0 1'])
    expect(await t.lines('P')).toEqual(['a {"V":2}'])
  })

  test.each([
    ['exactly_once_v2', 1],
    ['at_least_once', 2],
  ])(
    '%s, after a power cut before the offsets: everything comes out as often as that says',
    async (value, times) => {
      const fileSystem = new SimulatedFileSystem()
      const first = await open({ fileSystem })
      await first.createTopics(['s'])
      await first.produce('s', [reading('a', 1), reading('a', 2)])
      let asItWas: SimulatedFileSystem | null = null
      first.interception.commit = (log, group) => {
        if (group.owner.name === 'worker' && group.offsets.length > 0) {
          asItWas ??= fileSystem.afterPowerCut(seededRandom(1))
        }
        return log.commit(group)
      }
      await first.add(`${READINGS} ${COPY}`, [guarantee(value)])
      await first.worker.untilIdle()
      const second = await open({ fileSystem: asItWas! })
      await second.add(`${READINGS} ${COPY}`, [guarantee(value)])
      await second.worker.untilIdle()
      expect(await second.lines('P')).toEqual(
        Array.from({ length: times }, () => ['a {"V":2}', 'a {"V":3}']).flat(),
      )
    },
  )

  test('at_least_once, after a power cut before the offsets: state has counted the same input again', async () => {
    const fileSystem = new SimulatedFileSystem()
    const first = await open({ fileSystem })
    let asItWas: SimulatedFileSystem | null = null
    first.interception.commit = (log, group) => {
      if (group.owner.name === 'worker' && group.offsets.length > 0) {
        asItWas ??= fileSystem.afterPowerCut(seededRandom(1))
      }
      return log.commit(group)
    }
    await first.add(`${READINGS} ${COUNTS}`, [guarantee('at_least_once')])
    await first.produce('s', [reading('a', 5)])
    await first.worker.untilIdle()
    const second = await open({ fileSystem: asItWas! })
    await second.add(`${READINGS} ${COUNTS}`, [guarantee('at_least_once')])
    await second.worker.untilIdle()
    expect((await second.lines('C')).at(-1)).toBe('a {"N":2,"TOTAL":10}')
  })

  test('at_least_once, many cycles and appends one behind the other: nothing is lost or mixed up', async () => {
    const t = await open({ transactionBytesMax: 1 })
    await t.add(`${READINGS} ${COPY} ${COUNTS}`, [guarantee('at_least_once'), guarantee('at_least_once')])
    for (let n = 0; n < 20; n++) {
      await t.produce(
        's',
        Array.from({ length: n }, (_, i) => reading('a', n * 100 + i)),
      )
    }
    await t.worker.untilIdle()
    const expected = Array.from({ length: 20 }, (_, n) =>
      Array.from({ length: n }, (__, i) => `a {"V":${n * 100 + i + 1}}`),
    ).flat()
    expect(await t.lines('P')).toEqual(expected)
    expect((await t.lines('C')).at(-1)).toContain(`"N":${expected.length},`)
  })

  test('at_least_once, appends that are refused: the query goes on from its last commit', async () => {
    const t = await open()
    await t.add(`${READINGS} ${COPY}`, [guarantee('at_least_once')])
    let refusals = 2
    t.interception.commit = (log, group) =>
      group.owner.name === 'worker' && refusals-- > 0
        ? Promise.reject(new Error('not now'))
        : log.commit(group)
    await t.produce('s', [reading('a', 1)])
    await expect.poll(() => t.worker.status('q0')!.error).toBe('not now')
    await t.produce('s', [reading('a', 2)])
    await expect
      .poll(() => {
        t.clock.advanceTo(t.clock.nowMs() + 1_000)
        return t.offsets('q0')
      })
      .toEqual(['s-0 2'])
    expect(await t.lines('P')).toEqual(['a {"V":2}', 'a {"V":3}'])
  })
})

test('fenced by another worker, nothing more is committed and everybody who waits is told', async () => {
  const t = await open()
  await t.add(`${READINGS} ${COPY}`)
  await t.log.claim('worker')
  await t.produce('s', [reading('a', 1)])
  await expect(t.worker.untilIdle()).rejects.toMatchObject({ code: 'WORKER_FENCED' })
  await expect(t.worker.finish()).rejects.toMatchObject({ code: 'WORKER_FENCED' })
  expect(t.worker.status('q0')).toMatchObject({
    state: 'ERROR',
    error: expect.stringContaining('taken over') as string,
  })
  expect(await t.lines('P')).toEqual([])
})

test('a paused query reads nothing until it is resumed', async () => {
  const t = await open()
  await t.add(`${READINGS} ${COPY} ${COUNTS}`)
  await t.worker.pause('q0', true)
  await t.produce('s', [reading('a', 1)])
  await t.worker.untilIdle()
  expect(await t.lines('P')).toEqual([])
  expect(await t.lines('C')).toHaveLength(1)
  expect(t.worker.status('q0')!.state).toBe('PAUSED')
  await t.worker.pause('q0', false)
  await t.worker.untilIdle()
  expect(await t.lines('P')).toEqual(['a {"V":2}'])
})

describe('untilIdle', () => {
  test('resolves when all input is committed, also that which queries write for one another', async () => {
    const t = await open()
    await t.add(`${READINGS} ${COPY} CREATE TABLE c AS SELECT id, SUM(v) AS total FROM p GROUP BY id;`)
    await t.produce(
      's',
      Array.from({ length: 40 }, (_, i) => reading('a', i)),
    )
    await t.worker.untilIdle()
    expect((await t.lines('C')).at(-1)).toBe(`a {"TOTAL":${(40 * 39) / 2 + 40}}`)
    expect(t.offsets('q1')).toEqual(['P-0 40'])
  })

  test('is refused when the worker has stopped', async () => {
    const t = await open()
    await t.worker.stop()
    await expect(t.worker.untilIdle()).rejects.toMatchObject({ code: 'WORKER_STOPPED' })
    await expect(t.worker.pause('q0', true)).rejects.toMatchObject({ code: 'WORKER_STOPPED' })
  })
})

test('queries over one stream share its reading and decoding', async () => {
  const t = await open()
  await t.createTopics(['s'])
  await t.produce(
    's',
    Array.from({ length: 30 }, (_, i) => reading('a', i)),
  )
  let reads = 0
  t.interception.read = (log, topic, ...rest) => {
    if (topic === 's') reads++
    return log.read(topic, ...rest)
  }
  await t.add(`${READINGS} ${COPY} ${COUNTS} CREATE STREAM big AS SELECT id, v FROM s WHERE v > 20;`, [
    { paused: true },
    { paused: true },
    { paused: true },
  ])
  for (const id of ['q0', 'q1', 'q2']) await t.worker.pause(id, false)
  await t.worker.untilIdle()
  const { decodes } = t
  const before = reads
  await t.produce('s', [reading('a', 100)])
  await t.worker.untilIdle()
  expect(reads - before).toBe(1)
  // The value once for all three; BIG's filter and the others' sums need the same column.
  expect(t.decodes - decodes).toBe(1)
  expect((await t.lines('BIG')).at(-1)).toBe('a {"V":100}')
  expect(await t.lines('P')).toHaveLength(31)
})

test('records that cannot be read are told of once, in the commit that passes over them', async () => {
  const t = await open()
  await t.add(`${READINGS} ${COUNTS}`)
  let refusals = 1
  t.interception.commit = (log, group) =>
    group.appends.length > 0 && refusals-- > 0 ? Promise.reject(new Error('not now')) : log.commit(group)
  await t.produce('s', [reading('a', 1), ['a', 'no JSON', 0], reading('a', 2)])
  await expect
    .poll(() => {
      t.clock.advanceTo(t.clock.nowMs() + 1_000)
      return t.offsets('q0')
    })
    .toEqual(['s-0 3'])
  const entries = await t.lines(PROCESSING_LOG_TOPIC)
  expect(entries).toHaveLength(1)
  expect(entries[0]).toContain('"SOURCE_TOPIC":"s","SOURCE_PARTITION":0,"SOURCE_OFFSET":1')
  expect((await t.lines('C')).at(-1)).toBe('a {"N":2,"TOTAL":3}')
  // What was rolled back and came again counts once.
  expect(t.worker.status('q0')).toMatchObject({ rowsIn: 2, rowsOut: 2, unreadable: 1 })
})

test('each is told of once also where a slice is handed over in parts, and other parts of records failed before', async () => {
  const t = await open()
  await t.add(`CREATE STREAM s (id STRING KEY, v INT, at BIGINT)
      WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1, timestamp = 'at');
    ${OTHERS}
    CREATE STREAM j AS SELECT s.id AS id, v, w FROM s JOIN o WITHIN 10 SECONDS ON s.id = o.id;`)
  await t.worker.pause('q0', true)
  // Values are decoded before times are: the failures of a slice are not in the order of offsets.
  const at = (ms: number): [string, unknown, number] => ['a', { V: 1, AT: ms }, 0]
  await t.produce('s', [at(1_000), ['a', { V: 1 }, 0], at(5_000), ['a', 'no JSON', 0], at(9_000)])
  await t.produce('o', [['a', { W: 1 }, 3_000]])
  await t.worker.pause('q0', false)
  await t.worker.untilIdle()
  const offsets = (await t.lines(PROCESSING_LOG_TOPIC)).map((line) => /"SOURCE_OFFSET":(\d+)/.exec(line)![1])
  expect(new Set(offsets)).toEqual(new Set(['1', '3']))
  expect(offsets).toHaveLength(2)
})

test('a failure nobody foresaw ends the worker, and everybody is told', async () => {
  const t = await open()
  await t.add(`${READINGS} ${COPY}`)
  t.interception.commit = () => {
    t.clock.monotonicMs = () => {
      throw new Error('and another')
    }
    return Promise.reject(new Error('a bug'))
  }
  await t.produce('s', [reading('a', 1)])
  await expect(t.worker.untilIdle()).rejects.toThrow('and another')
  expect(t.worker.status('q0')).toMatchObject({ state: 'ERROR', error: 'and another' })
  await expect(t.worker.stop()).rejects.toThrow('and another')
  opened.splice(0)
  await t.log.close()
})

describe('time', () => {
  const FINALS = `CREATE TABLE f AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 0 SECONDS)
    GROUP BY id EMIT FINAL;`

  async function silentFor(ms: number, choices: readonly QueryChoice[]): Promise<TestWorker> {
    const clock = new ManualClock(5_000_000)
    const t = await open({ clock })
    await t.add(`${READINGS} ${FINALS}`, choices)
    await t.produce('s', [reading('a', 1, 2_000), reading('a', 1, 4_000)])
    await t.worker.untilIdle()
    for (let at = 0; at < ms; at += 500) {
      clock.advanceTo(clock.nowMs() + 500)
      await t.worker.untilIdle()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await t.worker.untilIdle()
    return t
  }

  test('silence counts as time passing where a query says so, by as much as has passed', async () => {
    expect(await (await silentFor(5_000, [{ idleMs: 1_000 }])).lines('F')).toEqual([])
    const t = await silentFor(7_000, [{ idleMs: 1_000 }])
    expect(await t.lines('F')).toEqual(['a {"N":2}'])
    // It has stopped at the end of the window: a record after it is in time.
    await t.produce('s', [reading('a', 1, 10_500)])
    await t.worker.finish()
    expect(await t.lines('F')).toEqual(['a {"N":2}', 'a {"N":1}'])
  })

  test('and not where it does not', async () => {
    expect(await (await silentFor(60_000, [])).lines('F')).toEqual([])
  })

  test('the end of the input closes the windows of queries, and then of those that read their results', async () => {
    const t = await open()
    // The reader of the other's results comes first.
    await t.add(
      `${READINGS} ${FINALS.replace('FROM s', 'FROM p')}`.replace(
        READINGS,
        `${READINGS} CREATE STREAM p (id STRING KEY, v INT) WITH (kafka_topic = 'P', value_format = 'JSON', partitions = 1);`,
      ) +
        `CREATE TABLE w WITH (kafka_topic = 'W') AS SELECT id, SUM(v) AS v FROM s WINDOW TUMBLING (SIZE 1 SECONDS, GRACE PERIOD 0 SECONDS) GROUP BY id EMIT FINAL;` +
        `INSERT INTO p SELECT id, v FROM s WHERE v > 1;`,
    )
    await t.produce('s', [reading('a', 5, 2_000), reading('a', 1, 2_500), reading('a', 7, 4_000)])
    await t.worker.finish()
    expect(await t.lines('W')).toEqual(['a {"V":6}', 'a {"V":7}'])
    expect(await t.lines('F')).toEqual(['a {"N":2}'])
  })
})

describe('inputs that meet', () => {
  const PAIRS = `${READINGS} ${OTHERS}
    CREATE STREAM pairs AS SELECT s.id AS id, v, w FROM s LEFT JOIN o WITHIN 2 SECONDS GRACE PERIOD 1 SECONDS ON s.id = o.id;`
  const ZONES = `CREATE STREAM s (id STRING KEY, v INT, z STRING) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);
    CREATE TABLE zones AS SELECT z, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 3 SECONDS, GRACE PERIOD 0 SECONDS)
      GROUP BY z EMIT FINAL;`

  /** Results where each read gives as many batches of one record as `batches` says, again from the start. */
  async function results(
    batches: readonly number[],
    statements: string,
    sink: string,
    input: (t: TestWorker) => Promise<void>,
  ): Promise<string[]> {
    const t = await open()
    await input(t)
    let n = 0
    t.interception.read = async (log, topic, partition, from, _bytesMax, isolation) => {
      const until = Math.min(from + batches[n++ % batches.length]!, log.ends(topic, partition).lastStable)
      const slices: Uint8Array[] = []
      let nextOffset = from
      while (nextOffset < until) {
        const slice = await log.read(topic, partition, nextOffset, 1, isolation)
        slices.push(slice.bytes.slice())
        nextOffset = slice.nextOffset
      }
      return { bytes: new Uint8Array(Buffer.concat(slices)), nextOffset, aborted: [] }
    }
    await t.add(statements, [], 2)
    await t.worker.untilIdle()
    await t.worker.finish()
    return t.lines(sink)
  }

  const SLICINGS = [[1], [100], [2, 1], [3, 7, 1], [5, 1, 1, 2]]

  test('come by time, whatever the slices: both sides of a join', async () => {
    // Late rows and equal times among them.
    const input = async (t: TestWorker): Promise<void> => {
      await t.createTopics(['s', 'o'])
      const at = [0, 500, 900, 900, 3_000, 400, 2_900, 6_000, 3_100, 6_000, 9_000, 5_000]
      await t.produce(
        's',
        at.map((ms, i) => reading('a', i, ms)),
      )
      await t.produce(
        'o',
        at.map((ms, i) => ['a', { W: i }, ms + (i % 3) * 100]),
      )
    }
    const expected = await results([100], PAIRS, 'PAIRS', input)
    expect(expected.length).toBeGreaterThan(10)
    for (const slicing of SLICINGS) expect(await results(slicing, PAIRS, 'PAIRS', input)).toEqual(expected)
  })

  test('come by time, whatever the slices: partitions whose rows change their key', async () => {
    // A row without zone is dropped on the way; the late one behind it must not come earlier for that.
    const input = async (t: TestWorker): Promise<void> => {
      await t.createTopics(['s'], 2)
      const rows = [
        ['x', 0, 0],
        [null, 5_000, 0],
        ['x', 2_500, 0],
        ['y', 5_100, 0],
        ['x', 1_000, 1],
        ['y', 2_600, 1],
        [null, 4_000, 1],
        ['x', 4_500, 1],
        ['x', 2_700, 1],
        ['y', 8_000, 1],
      ] as const
      for (const [z, ms, partition] of rows) await t.produce('s', [['k', { V: 1, Z: z }, ms, partition]])
    }
    const expected = await results([100], ZONES, 'ZONES', input)
    for (const slicing of SLICINGS) expect(await results(slicing, ZONES, 'ZONES', input)).toEqual(expected)
  })

  const JOINED = `${READINGS}
    CREATE TABLE d (id STRING PRIMARY KEY, name STRING) WITH (kafka_topic = 'd', value_format = 'JSON', partitions = 1);
    CREATE STREAM named AS SELECT s.id AS id, v, name FROM s LEFT JOIN d ON s.id = d.id;`

  test('a table is there before the stream that joins it starts, also after a restart while it is read', async () => {
    const fileSystem = new MemoryFileSystem()
    const first = await open({ fileSystem })
    await first.createTopics(['s', 'd'])
    await first.produce('s', [reading('a', 1, 10), reading('b', 2, 20), reading('c', 3, 30)])
    await first.produce('d', [
      ['a', { NAME: 'old' }, 100],
      ['b', { NAME: 'B' }, 110],
      ['a', { NAME: 'A' }, 120],
    ])
    let left = 2
    // One record at a time, and after two of them none: the worker is closed in the middle of the table.
    first.interception.read = async (log, topic, partition, from, _bytesMax, isolation) =>
      left-- > 0
        ? log.read(topic, partition, from, 1, isolation)
        : { bytes: new Uint8Array(0), nextOffset: from, aborted: [] }
    await first.add(JOINED)
    await expect.poll(() => first.offsets('q0')).toContain('d-0 2')
    opened.splice(0)
    await first.close()
    const second = await open({ fileSystem })
    expect(await second.lines('NAMED')).toEqual([])
    await second.add(JOINED)
    await second.worker.untilIdle()
    expect(await second.lines('NAMED')).toEqual([
      'a {"V":1,"NAME":"A"}',
      'b {"V":2,"NAME":"B"}',
      'c {"V":3,"NAME":null}',
    ])
    // From then on both go on by time.
    await second.produce('d', [['c', { NAME: 'C' }, 200]])
    await second.produce('s', [reading('c', 4, 210)])
    await second.worker.untilIdle()
    expect((await second.lines('NAMED')).at(-1)).toBe('c {"V":4,"NAME":"C"}')
  })
})

describe('a full disk', () => {
  test('is shown, loses nothing that was acknowledged, and the queries go on when there is space', async () => {
    const fileSystem = new SimulatedFileSystem()
    const t = await open({ fileSystem })
    await t.add(`${READINGS} ${COPY} ${COUNTS}`)
    await t.produce('s', [reading('a', 1)])
    await t.worker.untilIdle()
    let isFull = false
    fileSystem.fate = ({ kind, path }) =>
      isFull && kind === 'write' && path.includes('/topics/') ? { code: 'ENOSPC' } : undefined
    isFull = true
    const sent = t.produce('s', [reading('a', 2)])
    await expect.poll(() => t.log.health().state).toBe('disk low')
    isFull = false
    await sent
    await t.worker.untilIdle()
    expect(await t.lines('P')).toEqual(['a {"V":2}', 'a {"V":3}'])
    expect((await t.lines('C')).at(-1)).toBe('a {"N":2,"TOTAL":3}')
  })

  test('that refuses a commit stops the query with the reason, until it can be tried again', async () => {
    const fileSystem = new SimulatedFileSystem()
    const t = await open({ fileSystem })
    const text = 'x'.repeat(400_000)
    await t.add(`CREATE STREAM s (id STRING KEY, v STRING) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);
      CREATE STREAM p AS SELECT id, v FROM s;`)
    await t.worker.pause('q0', true)
    await t.produce('s', [['a', { V: text }, 0]])
    let isFull = true
    fileSystem.fate = ({ kind, path }) =>
      isFull && kind === 'write' && path.includes('/topics/') ? { code: 'ENOSPC' } : undefined
    await t.worker.pause('q0', false)
    await expect.poll(() => t.worker.status('q0')!.state).toBe('ERROR')
    expect(t.worker.status('q0')!.error).toMatch(/full/)
    expect(t.log.ends('P', 0).lastStable).toBe(0)
    isFull = false
    t.clock.advanceTo(t.clock.nowMs() + 60_000)
    await expect.poll(() => t.worker.status('q0')!.state).toBe('RUNNING')
    await t.worker.untilIdle()
    expect(await t.lines('P')).toEqual([`a {"V":"${text}"}`])
  })
})
