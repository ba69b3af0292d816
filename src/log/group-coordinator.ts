import type { Clock, Timer } from '../base/clock.ts'
import { StorageError } from '../base/errors.ts'
import { Listeners } from '../base/listeners.ts'
import {
  type AssignorName,
  ASSIGNORS,
  partitionKey,
  partitionOfKey,
  type TopicPartition,
} from './assignors.ts'
import type { GroupDescription, GroupMember } from './log.ts'
import { isInternalName } from './topic-config.ts'

export interface JoinRequest {
  readonly group: string
  /** Of a static member, which keeps its partitions over a restart. */
  readonly instanceId: string | null
  readonly clientId: string
  /** What it subscribes to now; patterns are resolved again and again. */
  readonly topics: () => readonly string[]
  readonly assignor: AssignorName
  readonly sessionTimeoutMs: number
}

/** What a member is told: what it has to give up, and what is its own. */
export interface Reconciliation {
  readonly generation: number
  /** To be given up: others wait for it. The member calls again once it has. */
  readonly revoked: readonly TopicPartition[]
  readonly owned: readonly TopicPartition[]
}

interface Member {
  readonly memberId: string
  readonly request: JoinRequest
  topics: readonly string[]
  generation: number
  /** Keys of partitions. Nobody else owns them until this member gives them up or goes. */
  readonly owned: Set<string>
  target: ReadonlySet<string>
  deadlineMs: number
}

interface Group {
  generation: number
  readonly members: Map<string, Member>
  /** Topics and their sizes as of the last assignment. */
  layout: string
  joined: number
  /**
   * How many partitions its topics had when its members asked for them. What comes later is new to the group, and
   * read from its start.
   */
  readonly asked: Map<string, number>
  /** When the last member went. */
  emptySinceMs: number
}

/**
 * Members of consumer groups, and who owns which partition.
 *
 * There is no moment at which all of a group stands still: a change of members, subscriptions or partitions
 * gives the group a new generation and a new target; each member gives up what is not its own any more, then
 * others may have it. A partition never has two owners.
 *
 * Membership lives as long as the process; committed offsets are in the log.
 */
export class GroupCoordinator {
  readonly #clock: Clock
  readonly #partitionsOf: (topic: string) => number
  readonly #groups = new Map<string, Group>()
  readonly #listeners = new Listeners()
  #timer: Timer | null = null

  /** @param partitionsOf number of partitions of a topic, 0 if there is none */
  constructor(clock: Clock, partitionsOf: (topic: string) => number) {
    this.#clock = clock
    this.#partitionsOf = partitionsOf
  }

  /**
   * Adds a member. A static member takes the place of the one with its instance id, partitions included;
   * that one is fenced.
   *
   * @returns its member id
   */
  join(request: JoinRequest): string {
    let group = this.#groups.get(request.group)
    if (group === undefined) {
      group = { generation: 0, members: new Map(), layout: '', joined: 0, asked: new Map(), emptySinceMs: 0 }
      this.#groups.set(request.group, group)
    }
    this.#expire(request.group)
    for (const member of group.members.values()) {
      if (member.request.assignor !== request.assignor) {
        throw new StorageError('LOG_INCONSISTENT_GROUP', {
          message: `Group ${request.group} assigns by '${member.request.assignor}'; a member cannot ask for '${request.assignor}'.`,
        })
      }
    }
    // In order of joining, so that assignors which sort members follow it.
    const memberId = `${request.clientId}-${String(++group.joined).padStart(10, '0')}`
    const topics = request.topics()
    this.#noteAsked(group, topics)
    const deadlineMs = this.#clock.monotonicMs() + request.sessionTimeoutMs
    const member: Member = {
      memberId,
      request,
      topics,
      generation: group.generation,
      owned: new Set(),
      target: new Set(),
      deadlineMs,
    }
    const previous =
      request.instanceId === null
        ? undefined
        : [...group.members.values()].find((other) => other.request.instanceId === request.instanceId)
    if (previous === undefined) {
      group.members.set(memberId, member)
      this.#assign(group)
      return memberId
    }
    // In its place, so that with the same subscription nothing moves.
    group.members.delete(previous.memberId)
    group.members.set(memberId, member)
    for (const key of previous.owned) member.owned.add(key)
    member.target = previous.target
    if (previous.topics.join() !== topics.join()) this.#assign(group)
    return memberId
  }

  /**
   * Tells a member where it stands, and takes note of what it has given up.
   *
   * @param kept what it owns by its own account
   * @throws StorageError `LOG_UNKNOWN_MEMBER`: join again; `LOG_FENCED_INSTANCE`: another one took its place
   */
  reconcile(
    groupName: string,
    memberId: string,
    kept: readonly TopicPartition[],
    instanceId: string | null,
  ): Reconciliation {
    const { group, member } = this.#member(groupName, memberId, instanceId)
    member.deadlineMs = this.#clock.monotonicMs() + member.request.sessionTimeoutMs
    const topics = member.request.topics()
    this.#noteAppeared(group)
    if (topics.join() !== member.topics.join()) {
      member.topics = topics
      this.#assign(group)
    } else if (this.#layout(group) !== group.layout) {
      this.#assign(group)
    }
    const stillOwned = new Set(kept.map(partitionKey))
    let released = false
    for (const key of member.owned) {
      // What it was granted and has not seen yet is not given up.
      if (stillOwned.has(key) || member.target.has(key)) continue
      member.owned.delete(key)
      released = true
    }
    if (released) this.#notify()
    const revoked = [...member.owned].filter((key) => !member.target.has(key))
    if (revoked.length === 0) {
      for (const key of member.target) {
        const taken = [...group.members.values()].some((other) => other !== member && other.owned.has(key))
        if (!taken) member.owned.add(key)
      }
      member.generation = group.generation
    }
    return {
      generation: member.generation,
      revoked: revoked.map(partitionOfKey),
      owned: [...member.owned].filter((key) => member.target.has(key)).map(partitionOfKey),
    }
  }

  /** A member asks for other topics than before. It is given them when it calls {@link reconcile}. */
  subscribed(groupName: string, memberId: string): void {
    const group = this.#groups.get(groupName)
    const member = group?.members.get(memberId)
    if (group !== undefined && member !== undefined) this.#noteAsked(group, member.request.topics(), member)
  }

  /** Whether a partition came into being while the group was reading its topic or waiting for it. */
  isNewTo(groupName: string, { topic, partition }: TopicPartition): boolean {
    return partition >= (this.#groups.get(groupName)?.asked.get(topic) ?? Infinity)
  }

  #noteAsked(group: Group, topics: readonly string[], member?: Member): void {
    this.#noteAppeared(group, member)
    for (const topic of topics) {
      if (!group.asked.has(topic)) group.asked.set(topic, this.#partitionsOf(topic))
    }
  }

  /** Topics that have come to match what members ask for, or were made anew, are wholly new to the group. */
  #noteAppeared(group: Group, asking?: Member): void {
    for (const member of group.members.values()) {
      for (const topic of member === asking ? member.topics : member.request.topics()) {
        if (!group.asked.has(topic) || this.#partitionsOf(topic) === 0) group.asked.set(topic, 0)
      }
    }
  }

  /** Keeps the session alive. @throws as {@link reconcile} */
  heartbeat(groupName: string, memberId: string, instanceId: string | null): void {
    const { member } = this.#member(groupName, memberId, instanceId)
    member.deadlineMs = this.#clock.monotonicMs() + member.request.sessionTimeoutMs
  }

  /** Takes a member out; others may have its partitions. Unknown members are fine. */
  leave(groupName: string, memberId: string): void {
    const group = this.#groups.get(groupName)
    if (group === undefined || !group.members.delete(memberId)) return
    this.#membersLeft(group)
  }

  /**
   * Whether offsets may be committed.
   *
   * @param member null: nobody in particular, which needs a group without members
   * @throws StorageError `LOG_GROUP_ACTIVE`, `LOG_UNKNOWN_MEMBER`, `LOG_FENCED_INSTANCE`, `LOG_ILLEGAL_GENERATION`,
   *   `LOG_INTERNAL_GROUP`
   */
  checkCommit(groupName: string, member: GroupMember | null, partitions: readonly TopicPartition[]): void {
    assertUsers(groupName)
    if (member === null) {
      this.assertEmpty(groupName)
      return
    }
    const known = this.#member(groupName, member.memberId, member.instanceId ?? null).member
    const foreign = partitions.find((partition) => !known.owned.has(partitionKey(partition)))
    if (member.generation !== known.generation || foreign !== undefined) {
      throw new StorageError('LOG_ILLEGAL_GENERATION', {
        message:
          foreign === undefined
            ? `Group ${groupName} has moved on: member ${member.memberId} commits for generation ${member.generation}, and is at ${known.generation}.`
            : `Member ${member.memberId} of group ${groupName} does not own topic ${foreign.topic}, partition ${foreign.partition}.`,
      })
    }
  }

  /** @throws StorageError `LOG_GROUP_ACTIVE` if a member reads one of the topics, `LOG_INTERNAL_GROUP` */
  assertUnread(groupName: string, partitions: readonly TopicPartition[]): void {
    assertUsers(groupName)
    this.#expire(groupName)
    for (const { memberId, topics } of this.#groups.get(groupName)?.members.values() ?? []) {
      const read = partitions.find(({ topic }) => topics.includes(topic))
      if (read === undefined) continue
      throw new StorageError('LOG_GROUP_ACTIVE', {
        message: `Group ${groupName} reads topic ${read.topic}: its member ${memberId} has subscribed to it.`,
        hint: 'Stop its consumers first.',
      })
    }
  }

  /** @throws StorageError `LOG_GROUP_ACTIVE` if the group has members */
  assertEmpty(groupName: string): void {
    this.#expire(groupName)
    const count = this.#groups.get(groupName)?.members.size ?? 0
    if (count === 0) return
    throw new StorageError('LOG_GROUP_ACTIVE', {
      message: `Group ${groupName} has ${count} ${count === 1 ? 'member' : 'members'}: only they may commit its offsets.`,
      hint: 'Stop its consumers first.',
    })
  }

  describe(groupName: string): Pick<GroupDescription, 'state' | 'generation' | 'members'> {
    this.#expire(groupName)
    const group = this.#groups.get(groupName)
    if (group === undefined || group.members.size === 0) {
      return { state: 'empty', generation: group?.generation ?? 0, members: [] }
    }
    const members = [...group.members.values()]
    const settled = members.every(
      ({ owned, target }) => owned.size === target.size && [...target].every((key) => owned.has(key)),
    )
    return {
      state: settled ? 'stable' : 'reconciling',
      generation: group.generation,
      members: members.map(({ memberId, request, owned }) => ({
        memberId,
        instanceId: request.instanceId,
        assignment: [...owned].map(partitionOfKey),
      })),
    }
  }

  /** Its offsets are deleted: what comes under this name starts anew. */
  forget(groupName: string): void {
    if (this.#groups.get(groupName)?.members.size === 0) this.#groups.delete(groupName)
  }

  groups(): string[] {
    return [...this.#groups].filter(([, { members }]) => members.size > 0).map(([name]) => name)
  }

  /** Calls `listener` when members may have something to reconcile; returns how to stop. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  close(): void {
    this.#timer?.cancel()
    this.#groups.clear()
  }

  #member(groupName: string, memberId: string, instanceId: string | null): { group: Group; member: Member } {
    this.#expire(groupName)
    const group = this.#groups.get(groupName)
    const member = group?.members.get(memberId)
    if (group !== undefined && member !== undefined) return { group, member }
    if (instanceId !== null) {
      for (const other of group?.members.values() ?? []) {
        if (other.request.instanceId !== instanceId) continue
        throw new StorageError('LOG_FENCED_INSTANCE', {
          message: `Another consumer has taken the place of '${instanceId}' in group ${groupName}.`,
        })
      }
    }
    throw new StorageError('LOG_UNKNOWN_MEMBER', {
      message: `${memberId} is not a member of group ${groupName} any more.`,
      hint: 'It left, or was not heard of for its session timeout.',
    })
  }

  #assign(group: Group): void {
    group.generation++
    group.layout = this.#layout(group)
    const members = [...group.members.values()]
    const [first] = members
    if (first === undefined) return
    const assignment = ASSIGNORS[first.request.assignor](
      members.map(({ memberId, request, topics, owned }) => ({
        memberId,
        sortId: request.instanceId ?? memberId,
        topics,
        owned: [...owned].map(partitionOfKey),
      })),
      this.#partitionsOf,
    )
    for (const member of members) member.target = new Set(assignment.get(member.memberId)!.map(partitionKey))
    this.#notify()
    this.#watch()
  }

  #layout(group: Group): string {
    const topics = new Set([...group.members.values()].flatMap((member) => member.topics))
    return [...topics].map((topic) => `${topic}:${this.#partitionsOf(topic)}`).join()
  }

  /** Takes out members that have not been heard of. */
  #expire(groupName: string): void {
    const group = this.#groups.get(groupName)
    if (group === undefined) return
    const nowMs = this.#clock.monotonicMs()
    let gone = false
    for (const [memberId, { deadlineMs }] of group.members) {
      if (deadlineMs > nowMs) continue
      group.members.delete(memberId)
      gone = true
    }
    if (gone) this.#membersLeft(group)
  }

  #membersLeft(group: Group): void {
    if (group.members.size > 0) {
      this.#assign(group)
      return
    }
    // What it has asked for counts on: members that come back shall miss nothing either.
    group.emptySinceMs = this.#clock.nowMs()
  }

  /** When a group was last without members, as far as this process knows; `Infinity`: it has some. */
  emptySinceMs(groupName: string): number {
    this.#expire(groupName)
    const group = this.#groups.get(groupName)
    if (group === undefined) return 0
    return group.members.size > 0 ? Infinity : group.emptySinceMs
  }

  /** Sees to it that others hear of a dead member. */
  #watch(): void {
    if (this.#timer !== null) return
    let earliestMs = Infinity
    for (const { members } of this.#groups.values()) {
      for (const { deadlineMs } of members.values()) earliestMs = Math.min(earliestMs, deadlineMs)
    }
    if (earliestMs === Infinity) return
    this.#timer = this.#clock.after(Math.max(1, earliestMs - this.#clock.monotonicMs()), () => {
      this.#timer = null
      for (const name of this.#groups.keys()) this.#expire(name)
      this.#watch()
    })
  }

  #notify(): void {
    this.#listeners.tell()
  }
}

/** @throws StorageError `LOG_INTERNAL_GROUP` */
function assertUsers(group: string): void {
  if (!isInternalName(group)) return
  throw new StorageError('LOG_INTERNAL_GROUP', {
    message: `The offsets of group ${group} are Millrace's own: they belong to the state of a query.`,
    hint: 'To read its input again, drop the query and create it anew.',
  })
}
