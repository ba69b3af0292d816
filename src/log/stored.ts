/** A committed offset with the topic by its id: a re-created topic starts without offsets. */
export interface StoredOffset {
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly metadata: string
  /** When it was committed; missing: by a version that did not say, or by the engine, whose offsets never expire. */
  readonly atMs?: number
}

/** A segment as checkpoints and swaps name it. */
export interface StoredSegment {
  readonly base: number
  /** How often it has been cleaned; missing: never. */
  readonly generation?: number
  /**
   * Of a cleaned one: its batches follow each other without a gap in their offsets, so that a damaged base
   * offset shows. Missing: of a version that left gaps.
   */
  readonly dense?: boolean
  readonly bytes: number
  readonly createdMs: number
  /** When its last batch was appended; missing in version 1, where it counts as the creation time. */
  readonly appendedMs?: number
}
