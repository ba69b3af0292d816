import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import {
  type AssignedMember,
  type Assignor,
  ASSIGNORS,
  partitionKey,
  rangeAssignor,
  roundRobinAssignor,
  stickyAssignor,
  type TopicPartition,
} from '../../src/log/assignors.ts'

const member = (memberId: string, topics: string, owned = ''): AssignedMember => ({
  memberId,
  sortId: memberId,
  topics: topics.split(' '),
  owned: owned === '' ? [] : owned.split(' ').map(place),
})

function place(text: string): TopicPartition {
  return { topic: text[0]!, partition: Number(text.slice(1)) }
}

/** `{ m1: 't0 t1', … }` */
function assigned(
  assignor: Assignor,
  members: readonly AssignedMember[],
  sizes: Readonly<Record<string, number>>,
): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [id, partitions] of assignor(members, (topic) => sizes[topic] ?? 0)) {
    result[id] = partitions.map(({ topic, partition }) => `${topic}${partition}`).join(' ')
  }
  return result
}

describe('range', () => {
  test('4 partitions over 3, 2, 5 members', () => {
    const over = (n: number) =>
      Object.values(
        assigned(
          rangeAssignor,
          Array.from({ length: n }, (_, i) => member(`m${i}`, 't')),
          { t: 4 },
        ),
      )
    expect(over(3)).toEqual(['t0 t1', 't2', 't3'])
    expect(over(2)).toEqual(['t0 t1', 't2 t3'])
    expect(over(5)).toEqual(['t0', 't1', 't2', 't3', ''])
  })

  test('topic by topic, so that the first members get the odd ones of each', () => {
    expect(assigned(rangeAssignor, [member('b', 's t'), member('a', 's t')], { s: 3, t: 3 })).toEqual({
      a: 's0 s1 t0 t1',
      b: 's2 t2',
    })
  })

  test('only to those who subscribe', () => {
    expect(assigned(rangeAssignor, [member('a', 's'), member('b', 's t')], { s: 2, t: 2 })).toEqual({
      a: 's0',
      b: 's1 t0 t1',
    })
  })
})

describe('round-robin', () => {
  test('deals over topics', () => {
    expect(assigned(roundRobinAssignor, [member('a', 's t'), member('b', 's t')], { s: 3, t: 3 })).toEqual({
      a: 's0 s2 t1',
      b: 's1 t0 t2',
    })
  })

  test('skips those who do not subscribe', () => {
    const members = [member('a', 's'), member('b', 's t'), member('c', 's t u')]
    expect(assigned(roundRobinAssignor, members, { s: 1, t: 2, u: 3 })).toEqual({
      a: 's0',
      b: 't0',
      c: 't1 u0 u1 u2',
    })
  })
})

describe('cooperative-sticky', () => {
  test('a third member takes over as few as it has to', () => {
    const members = [member('a', 't', 't0 t1 t2'), member('b', 't', 't3 t4 t5'), member('c', 't')]
    expect(assigned(stickyAssignor, members, { t: 6 })).toEqual({ a: 't1 t2', b: 't4 t5', c: 't0 t3' })
  })

  test('those of a member that left go round, all others stay', () => {
    const members = [member('a', 't', 't0 t3'), member('c', 't', 't2 t5')]
    expect(assigned(stickyAssignor, members, { t: 6 })).toEqual({ a: 't0 t1 t3', c: 't2 t4 t5' })
  })
})

const group = fc.record({
  sizes: fc.record({
    s: fc.integer({ min: 0, max: 7 }),
    t: fc.integer({ min: 0, max: 7 }),
    u: fc.integer({ min: 0, max: 7 }),
  }),
  members: fc.array(fc.subarray(['s', 't', 'u'], { minLength: 1 }), { minLength: 1, maxLength: 6 }),
})

property.prop([group, fc.constantFrom(...(Object.keys(ASSIGNORS) as (keyof typeof ASSIGNORS)[]))])(
  'each partition has one owner, which subscribes to it',
  ({ sizes, members }, name) => {
    const given = members.map((topics, i) => member(`m${i}`, topics.join(' ')))
    const seen = new Set<string>()
    for (const [id, partitions] of ASSIGNORS[name](given, (topic) => sizes[topic as 's'] ?? 0)) {
      for (const partition of partitions) {
        expect(seen.has(partitionKey(partition))).toBe(false)
        seen.add(partitionKey(partition))
        expect(members[Number(id.slice(1))]).toContain(partition.topic)
      }
    }
    const topics = new Set(members.flat())
    expect(seen.size).toBe([...topics].reduce((sum, topic) => sum + sizes[topic as 's'], 0))
  },
)

property.prop([fc.integer({ min: 1, max: 20 }), fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })])(
  'sticky: balanced, and nothing moves that need not',
  (size, comings) => {
    let members: AssignedMember[] = [member('m0', 't')]
    for (const [i, comes] of comings.entries()) {
      const before = members
      members = comes || members.length === 1 ? [...members, member(`m${i + 1}`, 't')] : members.slice(1)
      const result = stickyAssignor(members, () => size)
      const loads = [...result.values()].map(({ length }) => length)
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      const stays = new Set(members.map(({ memberId }) => memberId))
      const ownerBefore = new Map(before.flatMap((m) => m.owned.map((p) => [p.partition, m.memberId])))
      let moved = 0
      for (const [id, partitions] of result) {
        for (const { partition } of partitions) {
          const owner = ownerBefore.get(partition)
          if (owner !== undefined && owner !== id && stays.has(owner)) moved++
        }
      }
      // Whoever came takes its share; nobody else moves.
      expect(moved).toBeLessThanOrEqual(comes || before.length === 1 ? Math.ceil(size / members.length) : 0)
      members = members.map((m) => ({ ...m, owned: result.get(m.memberId)! }))
    }
  },
)
