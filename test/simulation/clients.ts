import { StorageError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { Producer } from '../../src/log/log.ts'
import type { ProducerIdentity } from '../../src/log/producer-coordinator.ts'
import { RecordBatchWriter } from '../../src/log/record-batch.ts'
import { wrong, type Difference } from './expectations.ts'
import type { Content } from './log-content.ts'
import type { Setup } from './machine.ts'
import type { Scheduler } from './scheduler.ts'

/** One life of the machine, as clients elsewhere see it. */
export interface Life {
  readonly log: EmbeddedLog
  readonly scheduler: Scheduler
  readonly random: Random
  readonly setup: Setup
  /** Whether operations of the disk may fail. */
  readonly isFailing: boolean
  /** Numbers whatever is handed to the log, in order. */
  readonly nextOrder: () => number
}

/** What is found wrong when a log was opened again. */
export type Check = (content: Content, life: Life) => Difference[]

/** Somebody who writes to the log, over all lives of the machine. */
export interface Client {
  readonly topics: readonly string[]
  /** Looks at what has survived, before anything else happens to the log; goes on from there. */
  recovered(content: Content, life: Life): Difference[]
  /** Works for as long as the life lasts, or until its share of the work is done. */
  run(life: Life, share: number): Promise<void>
  /** What is wrong once everything is done. */
  finished(content: Content): Difference[]
}

const encoder = new TextEncoder()

/** A record to be written; `value` differs from that of every other record of its topic. */
export interface NewRecord {
  readonly topic: string
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
  readonly timestampMs: number
}

function bytesOf(text: string | null): Uint8Array | null {
  return text === null ? null : encoder.encode(text)
}

function textOf({ key, value, timestampMs }: NewRecord): string {
  return value === null ? `${key} = null` : `${key} = ${value} @${timestampMs}`
}

/** After a refusal: whether the log is closed, or the machine off, and the life ends. */
function isOver({ log, scheduler }: Life): boolean {
  return scheduler.isStopped || log.health().state.startsWith('closed')
}

/** @throws what no client should see */
function expectStorageError(error: unknown, life: Life): void {
  if (error instanceof StorageError || isOver(life)) return
  throw error
}

interface IdempotentBatch {
  readonly partition: number
  readonly records: readonly NewRecord[]
  identity: ProducerIdentity | null
  sequence: number
  /** As it was answered; null: not yet. */
  baseOffset: number | null
  /** Number of the first attempt in this life that was not refused; null: there was none. */
  order: number | null
}

/**
 * A client of Kafka's protocol: batches with sequences, several on their way, sent again and again until they
 * are answered, over power cuts too. Each must be there once.
 */
export class IdempotentClient implements Client {
  readonly topics: readonly string[]
  readonly #topic: string
  /** Per partition in order. */
  readonly #batches: readonly IdempotentBatch[][]
  /** One entry per partition. */
  readonly #identities: (ProducerIdentity | null)[]
  readonly #problems: Difference[] = []

  constructor(topic: string, records: readonly (readonly NewRecord[])[], random: Random) {
    this.#topic = topic
    this.topics = [topic]
    this.#identities = records.map(() => null)
    this.#batches = records.map((ofPartition, partition) => {
      const batches: IdempotentBatch[] = []
      for (let at = 0; at < ofPartition.length;) {
        const size = 1 + random.below(4)
        const part = ofPartition.slice(at, at + size)
        batches.push({ partition, records: part, identity: null, sequence: 0, baseOffset: null, order: null })
        at += size
      }
      return batches
    })
  }

  recovered(content: Content, life: Life): Difference[] {
    const differences: Difference[] = this.#problems.splice(0)
    this.#batches.forEach((batches, partition) => {
      // What was answered may be gone again, the producer id itself too: it cannot be continued.
      if (life.setup.durability === 'os') this.#identities[partition] = null
      const place = `${this.#topic}-${partition}`
      const found = content.lines(place)
      let offset = 0
      for (const batch of batches) {
        const lines = batch.records.map(textOf)
        const there = found.slice(offset, offset + lines.length)
        if (there.join('\n') === lines.join('\n')) {
          if (batch.baseOffset !== null && batch.baseOffset !== offset) {
            differences.push(
              wrong(`${place}: a batch was answered with offset ${batch.baseOffset} and lies at ${offset}`),
            )
          }
          content.survived(batch.order)
          batch.baseOffset = offset
          offset += lines.length
        } else {
          if (there.length > 0) {
            differences.push(
              wrong(
                `${place}: at offset ${offset} stands ${there.join('; ')} instead of ${lines.join('; ')}`,
              ),
            )
            offset = found.length
          }
          if (batch.baseOffset !== null && life.setup.durability === 'fsync') {
            differences.push({ kind: 'lost', detail: `${place}: ${lines.join('; ')} was acknowledged` })
          }
          content.lost(batch.order)
          batch.baseOffset = null
        }
        batch.order = null
      }
      if (found.length > offset) {
        differences.push({
          kind: 'doubled',
          detail: `${place}: ${found.slice(offset).join('; ')} is too many`,
        })
      }
    })
    return differences
  }

  async run(life: Life, share: number): Promise<void> {
    await Promise.all(
      this.#batches.map(async (batches, partition) => {
        const left = batches.filter((b) => b.baseOffset === null).length
        let todo = Math.ceil(left * share)
        while (todo > 0 && !isOver(life)) {
          if (this.#identities[partition] === null && !(await this.#initialise(partition, life))) continue
          const window = batches
            .filter((b) => b.baseOffset === null)
            .slice(0, Math.min(todo, 1 + life.random.below(4)))
          this.#number(batches, this.#identities[partition]!)
          const sent = window.flatMap((batch) => {
            const attempt = (): Promise<boolean> => this.#send(batch, life)
            // Now and then it is sent again before it is answered.
            return life.random.below(8) === 0 ? [attempt(), attempt()] : [attempt()]
          })
          await Promise.all(sent)
          todo -= window.filter((b) => b.baseOffset !== null).length
          await life.scheduler.sleep(life.random.below(3) * life.random.below(60))
        }
      }),
    )
  }

  finished(): Difference[] {
    return this.#problems.splice(0)
  }

  async #initialise(partition: number, life: Life): Promise<boolean> {
    try {
      this.#identities[partition] = await life.log.coordinator.initialise(null, 60_000)
      return true
    } catch (error) {
      expectStorageError(error, life)
      await life.scheduler.sleep(100)
      return false
    }
  }

  /** Sequences follow each other within one identity. */
  #number(batches: readonly IdempotentBatch[], identity: ProducerIdentity): void {
    let next = 0
    for (const batch of batches) {
      if (batch.identity !== identity) {
        if (batch.baseOffset !== null) continue
        batch.identity = identity
        batch.sequence = next
      }
      next = batch.sequence + batch.records.length
    }
  }

  async #send(batch: IdempotentBatch, life: Life): Promise<boolean> {
    const { producerId, epoch } = batch.identity!
    const writer = new RecordBatchWriter({
      producer: { id: producerId, epoch, baseSequence: batch.sequence, transactional: false },
    })
    for (const { key, value, timestampMs } of batch.records) {
      const keyBytes = bytesOf(key)
      const valueBytes = bytesOf(value)
      writer.append(
        timestampMs,
        keyBytes,
        0,
        keyBytes?.length ?? 0,
        valueBytes,
        0,
        valueBytes?.length ?? 0,
        null,
      )
    }
    const order = life.nextOrder()
    const wasOpen = batch.order === null
    if (wasOpen) batch.order = order
    try {
      const offset = await life.log.coordinator.produce(this.#topic, batch.partition, writer.finish())
      if (life.scheduler.isStopped) return false
      if (batch.baseOffset !== null && batch.baseOffset !== offset) {
        this.#problems.push(
          wrong(
            `${this.#topic}-${batch.partition}: a batch was answered with offsets ${batch.baseOffset} and ${offset}`,
          ),
        )
      }
      batch.baseOffset = offset
      return true
    } catch (error) {
      expectStorageError(error, life)
      // Refused: nothing of it was written.
      if (wasOpen && !isOver(life) && batch.order === order) batch.order = null
      return false
    }
  }
}

/**
 * An ordinary producer whose records, over several topics, come in the order of their time. After a power cut
 * it looks what has survived and goes on behind it.
 */
export class OrderedClient implements Client {
  readonly topics: readonly string[]
  readonly #records: readonly NewRecord[]
  readonly #acks: 1 | 'all'
  readonly #lingerMs: number
  #next = 0
  #acknowledged = 0

  constructor(topics: readonly string[], records: readonly NewRecord[], random: Random) {
    this.topics = topics
    this.#records = records
    this.#acks = random.below(4) === 0 ? 1 : 'all'
    this.#lingerMs = random.below(3) === 0 ? 5 : 0
  }

  recovered(content: Content, life: Life): Difference[] {
    const differences: Difference[] = []
    const ends = new Map<string, number>()
    this.#next = 0
    let isCut = false
    for (const record of this.#records) {
      const place = `${record.topic}-${record.partition}`
      const at = ends.get(place) ?? 0
      const line = content.lines(place)[at]
      if (line === textOf(record)) {
        if (isCut) differences.push(wrong(`${place}: ${line} is there, and records before it are not`))
        ends.set(place, at + 1)
        this.#next++
      } else {
        isCut = true
      }
    }
    for (const topic of this.topics) {
      for (let partition = 0; partition < life.setup.partitions; partition++) {
        const place = `${topic}-${partition}`
        const more = content.lines(place).slice(ends.get(place) ?? 0)
        if (more.length > 0)
          differences.push({ kind: 'doubled', detail: `${place}: ${more.join('; ')} is too many` })
      }
    }
    if (this.#next < this.#acknowledged && life.setup.durability === 'fsync') {
      const lost = this.#records[this.#next]!
      differences.push({
        kind: 'lost',
        detail: `${lost.topic}-${lost.partition}: ${textOf(lost)} was acknowledged`,
      })
    }
    this.#acknowledged = this.#next
    return differences
  }

  async run(life: Life, share: number): Promise<void> {
    let todo = Math.ceil((this.#records.length - this.#next) * share)
    const producer = life.log.producer({ acks: this.#acks, lingerMs: this.#lingerMs })
    while (todo > 0 && !isOver(life)) {
      const window = this.#records.slice(this.#next, this.#next + Math.min(todo, 1 + life.random.below(5)))
      const answers = await Promise.all(
        window.map(({ topic, partition, key, value, timestampMs }) =>
          producer.send({ topic, partition, key: bytesOf(key), value: bytesOf(value), timestampMs }).then(
            () => true,
            (error: unknown) => {
              expectStorageError(error, life)
              return false
            },
          ),
        ),
      )
      if (life.scheduler.isStopped) return
      if (answers.every(Boolean)) {
        this.#next += window.length
        todo -= window.length
        if (this.#acks === 'all') this.#acknowledged = this.#next
      }
      await life.scheduler.sleep(life.random.below(3) * life.random.below(60))
    }
  }

  finished(): Difference[] {
    return []
  }
}

interface Transaction {
  readonly number: number
  readonly records: readonly NewRecord[]
  readonly commits: boolean
  readonly sendsOffsets: boolean
  state: 'new' | 'begun' | 'ending' | 'committed' | 'aborted'
}

const GROUP = 'movers'

/** A transactional producer, taken over by the next one of its id in every life. Its transactions count whole. */
export class TransactionalClient implements Client {
  readonly topics: readonly string[]
  readonly #topic: string
  readonly #transactions: readonly Transaction[]
  #next = 0

  constructor(topic: string, transactions: readonly (readonly NewRecord[])[], random: Random) {
    this.#topic = topic
    this.topics = [topic]
    this.#transactions = transactions.map((records, number) => ({
      number,
      records,
      commits: random.below(3) > 0,
      sendsOffsets: random.below(2) === 0,
      state: 'new',
    }))
  }

  recovered(content: Content, life: Life): Difference[] {
    return this.#check(content, life.setup.durability === 'fsync')
  }

  finished(content: Content): Difference[] {
    return this.#check(content, true)
  }

  async run(life: Life, share: number): Promise<void> {
    const left = this.#transactions.slice(this.#next)
    let producer: Producer | null = null
    for (const transaction of left.slice(0, Math.ceil(left.length * share))) {
      while (transaction.state === 'new' && !isOver(life)) {
        producer ??= life.log.producer({
          transactionalId: 'mover',
          transactionTimeoutMs: 200 + life.random.below(5_000),
        })
        try {
          await this.#transact(transaction, producer, life)
        } catch (error) {
          expectStorageError(error, life)
          if (life.scheduler.isStopped) return
          // The next producer of the id aborts what is open. What was to be committed may have been.
          producer = null
          transaction.state = afterFailure(transaction.state)
          await life.scheduler.sleep(100)
        }
      }
      if (isOver(life)) break
      this.#next = transaction.number + 1
    }
    // Nothing of an open transaction may stand in the way of readers at the end.
    if (producer === null && !isOver(life) && left.length > 0) {
      const last = life.log.producer({ transactionalId: 'mover' })
      await last.beginTransaction().catch((error: unknown) => expectStorageError(error, life))
    }
  }

  async #transact(transaction: Transaction, producer: Producer, life: Life): Promise<void> {
    await producer.beginTransaction()
    transaction.state = 'begun'
    const sent = transaction.records.map(({ topic, partition, key, value, timestampMs }) => {
      const delivery = producer.send({
        topic,
        partition,
        key: bytesOf(key),
        value: bytesOf(value),
        timestampMs,
      })
      return delivery.catch((error: unknown) => expectStorageError(error, life))
    })
    await Promise.all(sent)
    await life.scheduler.sleep(life.random.below(2) * life.random.below(400))
    if (transaction.sendsOffsets) {
      await producer.sendOffsets(GROUP, [
        { topic: this.#topic, partition: 0, offset: transaction.number + 1 },
      ])
    }
    if (!transaction.commits) {
      await producer.abortTransaction()
      transaction.state = 'aborted'
      return
    }
    transaction.state = 'ending'
    await producer.commitTransaction()
    if (!life.scheduler.isStopped) transaction.state = 'committed'
  }

  #check(content: Content, keepsAcknowledged: boolean): Difference[] {
    const differences: Difference[] = []
    const found = new Map<string, number>()
    for (const place of content.placesOf(this.#topic)) {
      for (const line of content.lines(place)) found.set(line, (found.get(line) ?? 0) + 1)
    }
    let offset = 0
    for (const transaction of this.#transactions) {
      const { number, records, state, sendsOffsets } = transaction
      const lines = records.map(textOf)
      const there = lines.filter((line) => found.has(line))
      for (const line of lines) {
        if ((found.get(line) ?? 0) > 1)
          differences.push({ kind: 'doubled', detail: `${this.#topic}: ${line}` })
      }
      const isThere = there.length > 0
      if (isThere && there.length < lines.length) {
        differences.push(
          wrong(`transaction ${number} is there in part: ${there.join('; ')} of ${lines.join('; ')}`),
        )
      }
      if (isThere && state !== 'committed' && state !== 'ending') {
        differences.push(wrong(`transaction ${number} is ${state}, and can be read: ${there.join('; ')}`))
      }
      if (!isThere && state === 'committed' && keepsAcknowledged) {
        differences.push({ kind: 'lost', detail: `transaction ${number} was committed: ${lines.join('; ')}` })
      }
      if (isThere && sendsOffsets) offset = number + 1
      // What has not survived is decided by now: the next producer aborts what is left of it.
      if (state !== 'new') {
        transaction.state = isThere ? 'committed' : 'aborted'
        this.#next = Math.max(this.#next, number + 1)
      }
    }
    const committed = content.offsets(GROUP).find(({ partition }) => partition === 0)?.offset ?? 0
    if (committed !== offset) {
      differences.push(wrong(`group ${GROUP} has offset ${committed}, and its last transaction ${offset}`))
    }
    return differences
  }
}

function afterFailure(state: Transaction['state']): Transaction['state'] {
  return state === 'begun' ? 'aborted' : state
}

type SideOperation =
  | { readonly kind: 'put'; readonly record: NewRecord }
  | { readonly kind: 'delete-records'; readonly share: number }
  | { readonly kind: 'alter'; readonly changes: Readonly<Record<string, string | null>> }
  | { readonly kind: 'create' | 'delete'; readonly name: string }
  | { readonly kind: 'add-partitions' }

/** A topic that is cleaned or expires, and topics that come and go: what an administrator does beside the engine. */
export class SideClient implements Client {
  readonly topics: readonly string[] = ['side']
  readonly config: Readonly<Record<string, string>>
  readonly #isCompacted: boolean
  readonly #operations: readonly SideOperation[]
  #next = 0
  /** Records that are there, or may be, in order; those with an answer come first. */
  #records: NewRecord[] = []
  #acknowledged = 0
  #logStart = 0
  /** Of a topic: whether it must be there; null: not known. */
  readonly #exists = new Map<string, boolean | null>()
  #partitions = { known: 1, possible: 1 }

  constructor(count: number, random: Random) {
    this.#isCompacted = random.below(2) === 0
    const segments = { 'segment.bytes': String(200 + random.below(400)) }
    this.config = this.#isCompacted
      ? {
          ...segments,
          'cleanup.policy': 'compact',
          'min.cleanable.dirty.ratio': '0',
          'delete.retention.ms': '50',
        }
      : { ...segments, 'retention.bytes': random.below(2) === 0 ? '-1' : '500' }
    const existing: string[] = []
    let partitions = 0
    this.#operations = Array.from({ length: count }, (_, n): SideOperation => {
      const kind = random.below(16)
      if (kind === 0 && !this.#isCompacted) return { kind: 'delete-records', share: random.next() }
      if (kind === 1) return { kind: 'alter', changes: { 'segment.bytes': String(200 + random.below(400)) } }
      if (kind === 2 && existing.length > 0) return { kind: 'delete', name: existing.pop()! }
      if (kind === 3) {
        existing.push(`passing-${n}`)
        return { kind: 'create', name: existing.at(-1)! }
      }
      if (kind === 4 && partitions++ === 0) return { kind: 'add-partitions' }
      const value = random.below(6) === 0 && this.#isCompacted ? null : `${n}${'.'.repeat(random.below(90))}`
      const record = {
        topic: 'side',
        partition: 0,
        key: `s${random.below(5)}`,
        value,
        timestampMs: 1_000_000 + n,
      }
      return { kind: 'put', record }
    })
  }

  recovered(content: Content, life: Life): Difference[] {
    const isKept = life.setup.durability === 'fsync'
    const differences: Difference[] = []
    const { logStart, end } = content.ends('side-0')
    if (end < this.#acknowledged && isKept) {
      const lost = this.#records[end]!
      differences.push({ kind: 'lost', detail: `side-0: ${textOf(lost)} was acknowledged` })
    }
    if (end > this.#records.length)
      differences.push(wrong(`side-0 ends at ${end}, and has had ${this.#records.length} records`))
    if (logStart < this.#logStart && isKept) {
      differences.push(
        wrong(`side-0 starts at ${logStart}, and records before ${this.#logStart} were deleted`),
      )
    }
    this.#records.length = Math.min(this.#records.length, end)
    this.#acknowledged = end
    this.#logStart = logStart
    differences.push(...this.#compare(content))
    for (const [name, exists] of this.#exists) {
      const isThere = life.log.topic(name) !== undefined
      if (exists !== null && exists !== isThere && isKept) {
        differences.push(wrong(`topic ${name} ${isThere ? 'is there, and was deleted' : 'is gone'}`))
      }
      this.#exists.set(name, isThere)
    }
    const partitions = life.log.topic('side')?.partitions ?? 1
    if ((partitions < this.#partitions.known && isKept) || partitions > this.#partitions.possible) {
      differences.push(wrong(`topic side has ${partitions} partitions instead of ${this.#partitions.known}`))
    }
    this.#partitions = { known: partitions, possible: partitions }
    return differences
  }

  async run(life: Life, share: number): Promise<void> {
    const left = this.#operations.slice(this.#next)
    for (const operation of left.slice(0, Math.ceil(left.length * share))) {
      if (isOver(life)) return
      this.#next++
      try {
        await this.#do(operation, life)
      } catch (error) {
        expectStorageError(error, life)
      }
      if (life.scheduler.isStopped) return
      await life.scheduler.sleep(life.random.below(3) * life.random.below(40))
    }
  }

  finished(content: Content): Difference[] {
    return this.#compare(content)
  }

  async #do(operation: SideOperation, life: Life): Promise<void> {
    const { log, scheduler } = life
    switch (operation.kind) {
      case 'put': {
        const { topic, partition, key, value, timestampMs } = operation.record
        this.#records.push(operation.record)
        try {
          await log
            .producer()
            .send({ topic, partition, key: bytesOf(key), value: bytesOf(value), timestampMs })
        } catch (error) {
          if (!isOver(life)) this.#records.pop()
          throw error
        }
        if (!scheduler.isStopped) this.#acknowledged = this.#records.length
        return
      }
      case 'delete-records': {
        const to = Math.floor(operation.share * this.#acknowledged)
        const start = await log.deleteRecords('side', 0, to)
        if (!scheduler.isStopped) this.#logStart = start
        return
      }
      case 'alter':
        await log.alterTopic('side', operation.changes)
        return
      case 'create':
      case 'delete': {
        const isThere = log.topic(operation.name) !== undefined
        if (operation.kind === 'delete' && !isThere) return
        this.#exists.set(operation.name, null)
        if (operation.kind === 'create') await log.createTopic(operation.name, { partitions: 1 })
        else await log.deleteTopic(operation.name)
        if (!scheduler.isStopped) this.#exists.set(operation.name, operation.kind === 'create')
        return
      }
      case 'add-partitions':
        this.#partitions.possible++
        await log.addPartitions('side', this.#partitions.possible)
        if (!scheduler.isStopped) this.#partitions.known = this.#partitions.possible
    }
  }

  /** Each record at its place; of a compacted topic at least the last one of each key that has a value. */
  #compare(content: Content): Difference[] {
    const differences: Difference[] = []
    const { logStart, end } = content.ends('side-0')
    const found = content.records('side-0')
    const last = new Map<string, number>()
    for (const [offset, line] of found) {
      const expected = this.#records[offset]
      if (expected === undefined || line !== textOf(expected)) {
        differences.push(
          wrong(
            `side-0: offset ${offset} is ${line} instead of ${expected === undefined ? 'nothing' : textOf(expected)}`,
          ),
        )
      }
    }
    this.#records.slice(0, end).forEach((record, offset) => {
      if (offset >= logStart) last.set(this.#isCompacted ? record.key! : String(offset), offset)
    })
    for (const offset of last.values()) {
      const record = this.#records[offset]!
      if (record.value !== null && !found.has(offset)) {
        differences.push({ kind: 'lost', detail: `side-0: offset ${offset}, ${textOf(record)}` })
      }
    }
    return differences
  }
}
