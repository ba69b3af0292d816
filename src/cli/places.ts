import { SqlError } from '../base/errors.ts'
import type { TopicDescription } from '../log/log.ts'
import type { Millrace } from '../runtime/millrace.ts'

/** A partition of a topic, as commands name it: `topic:partition`. */
export interface Place {
  readonly topic: string
  readonly partition: number
}

/** @throws SqlError if there is no such topic */
export function existing(millrace: Millrace, name: string): TopicDescription {
  const topic = millrace.log.topic(name)
  if (topic !== undefined) return topic
  throw new SqlError('CLI_UNKNOWN_TOPIC', {
    message: `There is no topic ${name}.`,
    hint: 'millrace topics lists them.',
  })
}

/** All partitions of `topic`, or the one of `topic:partition`. */
export function placesOf(millrace: Millrace, text: string): Place[] {
  const at = text.lastIndexOf(':')
  const topic = existing(millrace, at < 0 ? text : text.slice(0, at))
  if (at < 0)
    return Array.from({ length: topic.partitions }, (_, partition) => ({ topic: topic.name, partition }))
  const partition = Number(text.slice(at + 1))
  millrace.log.ends(topic.name, partition) // There is such a partition.
  return [{ topic: topic.name, partition }]
}

export function sorted<P extends Place>(places: readonly P[]): P[] {
  return places.toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  )
}
