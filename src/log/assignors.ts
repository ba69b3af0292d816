/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export type AssignorName = 'range' | 'round-robin' | 'cooperative-sticky'

/** A member of a group, as an assignor sees it. */
export interface AssignedMember {
  readonly memberId: string
  /** Members are in order of this: the instance id of static ones, else the member id. */
  readonly sortId: string
  readonly topics: readonly string[]
  /** What it owns now. */
  readonly owned: readonly TopicPartition[]
}

/**
 * Divides the partitions of all topics the members subscribe to. Each has one owner; members may get none.
 *
 * @param partitionsOf number of partitions of a topic; 0 if there is none
 * @returns partitions by member id, each member in it, sorted by topic and number
 */
export type Assignor = (
  members: readonly AssignedMember[],
  partitionsOf: (topic: string) => number,
) => Map<string, TopicPartition[]>

/**
 * Kafka's default. Per topic, neighbouring partitions go together; the first members get one more where the
 * numbers do not divide.
 */
export const rangeAssignor: Assignor = (members, partitionsOf) => {
  const sorted = sortedMembers(members)
  const assignment = emptyAssignment(sorted)
  for (const topic of subscribedTopics(sorted)) {
    const subscribers = sorted.filter(({ topics }) => topics.includes(topic))
    const count = partitionsOf(topic)
    const share = Math.floor(count / subscribers.length)
    const withOneMore = count % subscribers.length
    let partition = 0
    for (const [i, { memberId }] of subscribers.entries()) {
      const end = partition + share + (i < withOneMore ? 1 : 0)
      for (; partition < end; partition++) assignment.get(memberId)!.push({ topic, partition })
    }
  }
  return assignment
}

/** All partitions, in order, dealt in turn to the members that subscribe to their topic. */
export const roundRobinAssignor: Assignor = (members, partitionsOf) => {
  const sorted = sortedMembers(members)
  const assignment = emptyAssignment(sorted)
  let next = 0
  for (const { topic, partition } of allPartitions(sorted, partitionsOf)) {
    while (!sorted[next % sorted.length]!.topics.includes(topic)) next++
    assignment.get(sorted[next++ % sorted.length]!.memberId)!.push({ topic, partition })
  }
  return assignment
}

/** Balanced first; then as few partitions as possible change their owner. */
export const stickyAssignor: Assignor = (members, partitionsOf) => {
  const sorted = sortedMembers(members)
  const byId = new Map(sorted.map((member) => [member.memberId, member]))
  const owners = new Map<string, string>()
  const load = new Map(sorted.map(({ memberId }) => [memberId, 0]))
  const give = (key: string, memberId: string): void => {
    const before = owners.get(key)
    if (before !== undefined) load.set(before, load.get(before)! - 1)
    owners.set(key, memberId)
    load.set(memberId, load.get(memberId)! + 1)
  }
  const partitions = allPartitions(sorted, partitionsOf)
  const exists = new Set(partitions.map(partitionKey))
  for (const { memberId, topics, owned } of sorted) {
    for (const partition of owned) {
      const key = partitionKey(partition)
      if (exists.has(key) && !owners.has(key) && topics.includes(partition.topic)) give(key, memberId)
    }
  }
  /** The subscriber of a topic with the fewest partitions. */
  const idlest = (topic: string): string => {
    let found = ''
    for (const { memberId, topics } of sorted) {
      if (topics.includes(topic) && (found === '' || load.get(memberId)! < load.get(found)!)) found = memberId
    }
    return found
  }
  for (const partition of partitions) {
    const key = partitionKey(partition)
    if (!owners.has(key)) give(key, idlest(partition.topic))
  }
  // Always from the busiest that has one to give: then nobody takes who has to give later. Each move brings two
  // members closer, so this ends.
  const movable = (): readonly [string, string] | null => {
    let found: readonly [string, string] | null = null
    let most = 0
    for (const partition of partitions) {
      const key = partitionKey(partition)
      const ownersLoad = load.get(owners.get(key)!)!
      if (ownersLoad <= most) continue
      const other = idlest(partition.topic)
      if (ownersLoad <= load.get(other)! + 1) continue
      found = [key, other]
      most = ownersLoad
    }
    return found
  }
  for (let move = movable(); move !== null; move = movable()) give(...move)
  const assignment = emptyAssignment(byId.values())
  for (const partition of partitions) assignment.get(owners.get(partitionKey(partition))!)!.push(partition)
  return assignment
}

export const ASSIGNORS: Readonly<Record<AssignorName, Assignor>> = {
  range: rangeAssignor,
  'round-robin': roundRobinAssignor,
  'cooperative-sticky': stickyAssignor,
}

/** Names a partition; topic names hold no colon. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}

export function partitionOfKey(key: string): TopicPartition {
  const at = key.lastIndexOf(':')
  return { topic: key.slice(0, at), partition: Number(key.slice(at + 1)) }
}

function sortedMembers(members: readonly AssignedMember[]): AssignedMember[] {
  return members.toSorted((a, b) => (a.sortId < b.sortId ? -1 : a.sortId > b.sortId ? 1 : 0))
}

function subscribedTopics(members: readonly AssignedMember[]): string[] {
  return [...new Set(members.flatMap(({ topics }) => topics))].toSorted((a, b) => (a < b ? -1 : 1))
}

function allPartitions(
  members: readonly AssignedMember[],
  partitionsOf: (topic: string) => number,
): TopicPartition[] {
  return subscribedTopics(members).flatMap((topic) =>
    Array.from({ length: partitionsOf(topic) }, (_, partition) => ({ topic, partition })),
  )
}

function emptyAssignment(members: Iterable<AssignedMember>): Map<string, TopicPartition[]> {
  return new Map([...members].map(({ memberId }) => [memberId, []]))
}
