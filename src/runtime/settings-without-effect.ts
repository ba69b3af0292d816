/*
 * Settings of ksqlDB, Kafka Streams and Kafka's clients that scripts set and that have nothing to act on here.
 * SET takes them, so that a script runs as it is, and says why they do nothing.
 */

const ONE_WORKER = 'one worker runs all queries'
const OWN_LOG = 'the log is part of the process'
const RETRIES = 'a failed query is tried again after a second, doubling up to a minute'

const WHY: Readonly<Record<string, string>> = {
  'num.stream.threads': ONE_WORKER,
  'num.standby.replicas': ONE_WORKER,
  'commit.interval.ms': 'it is given when Millrace is opened, for all queries',
  'buffered.records.per.partition': 'what waits is bounded by the memory given when Millrace is opened',
  'task.timeout.ms': RETRIES,
  'replication.factor': OWN_LOG,
  'bootstrap.servers': OWN_LOG,
  'application.id': OWN_LOG,
  'state.dir': 'it is given when Millrace is opened',
  'topology.optimization': 'plans are always optimised',
  'default.deserialization.exception.handler': "'ksql.fail.on.deserialization.error' decides",
  'default.production.exception.handler': 'a result that cannot be written always stops the query',
  'ksql.fail.on.production.error': 'a result that cannot be written always stops the query',
  'ksql.query.retry.backoff.initial.ms': RETRIES,
  'ksql.query.retry.backoff.max.ms': RETRIES,
  'ksql.query.error.max.queue.size': 'the last error of a query is kept',
  'ksql.query.pull.max.allowed.offset.lag': 'pull queries read what is committed',
  'ksql.query.pull.consistency.token.enabled': 'pull queries read what is committed',
  'ksql.query.pull.interpreter.enabled': 'expressions are always compiled',
  'ksql.query.pull.metrics.enabled': 'figures are always kept',
  'ksql.query.push.v2.enabled': 'push queries read the log',
  'ksql.query.pull.thread.pool.size': ONE_WORKER,
  'ksql.internal.topic.replicas': OWN_LOG,
  'ksql.sink.replicas': OWN_LOG,
  'ksql.lambdas.enabled': 'lambdas are always possible',
  'ksql.variable.substitution.enable': 'variables are always replaced',
  'ksql.service.id': OWN_LOG,
  'ksql.schema.registry.url': 'a registry is given when Millrace is opened',
  'ksql.transient.query.cleanup.service.enable': 'queries of readers leave nothing behind',
}

/** Clients of a broker are set up by these; there is none here. */
const CLIENT_PREFIX = /^(?:consumer|producer|main\.consumer|restore\.consumer|admin|topic)\./
const CLIENT_SETTINGS: ReadonlySet<string> = new Set([
  'acks',
  'batch.size',
  'buffer.memory',
  'compression.type',
  'enable.auto.commit',
  'fetch.max.bytes',
  'fetch.min.bytes',
  'group.id',
  'isolation.level',
  'linger.ms',
  'max.poll.interval.ms',
  'max.poll.records',
  'max.request.size',
  'metadata.max.age.ms',
  'request.timeout.ms',
  'retries',
  'session.timeout.ms',
])

/** Why a setting (by its full name) does nothing here; null: it does something, or is not known at all. */
export function whyWithoutEffect(name: string): string | null {
  if (Object.hasOwn(WHY, name)) return WHY[name]!
  return CLIENT_SETTINGS.has(name) || CLIENT_PREFIX.test(name) ? OWN_LOG : null
}

/** Names for hints. */
export const SETTINGS_WITHOUT_EFFECT: readonly string[] = Object.keys(WHY)
