import type { QueryDefinition } from './catalog.ts'

/** One persistent query as SHOW QUERIES and the live view see it. */
export interface QueryStatus {
  readonly id: string
  readonly statement: string
  readonly kind: QueryDefinition['kind']
  readonly state: 'RUNNING' | 'PAUSED' | 'ERROR'
  /** The sentence that stopped it, in state ERROR. */
  readonly error: string | null
  /** Names of streams and tables read. */
  readonly reads: readonly string[]
  /** The stream or table written; null: none. */
  readonly writes: string | null
  readonly topic: string | null
  readonly counters: QueryCounters
}

/** A running SELECT … EMIT CHANGES. */
export interface PushQueryStatus {
  readonly id: string
  readonly statement: string
  /** About what the rows that wait for its consumer hold; a consumer that is slow holds nobody else up. */
  readonly queuedBytes: number
}

/** Since this process opened the directory. */
export interface QueryCounters {
  readonly recordsIn: number
  readonly recordsOut: number
  /** Rows that counted for nothing, by reason (late, null-key, undecodable …). */
  readonly dropped: Readonly<Record<string, number>>
  /** How many expressions failed on rows; samples are in the stream PROCESSING_LOG. */
  readonly expressionErrors: number
  /** The same by reason: a message without what it quotes. */
  readonly expressionErrorReasons: Readonly<Record<string, number>>
  /** Records of its inputs not yet consumed and committed. */
  readonly lag: number
  /** Highest event time it has seen, epoch ms; null: none yet. */
  readonly eventTimeMs: number | null
  /** Event time at which its next window closes or timer fires; null: nothing waits. */
  readonly nextTimerMs: number | null
}

/** How far a consumer group has come in a partition. */
export interface GroupOffset {
  readonly group: string
  readonly partition: number
  /** The first that is still there. */
  readonly startOffset: number
  /** First not yet written. */
  readonly endOffset: number
  /** First not yet read. */
  readonly offset: number
}
