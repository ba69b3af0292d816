/** The partitioned log by itself: `import { openLog } from 'millrace/log'`. */
export { openLog, type LogOptions } from './open-log.ts'
export type {
  CommittedOffset,
  ConsumedRecord,
  Consumer,
  ConsumerOptions,
  Delivery,
  GroupDescription,
  GroupMember,
  Isolation,
  Log,
  LogHealth,
  OffsetReset,
  PartitionEnds,
  Producer,
  ProducerOptions,
  ProducerRecord,
  RecordHeader,
  TopicDescription,
  TopicSpec,
  TransactionDescription,
  UnplacedRecord,
} from './log.ts'
export type { AssignorName, TopicPartition } from './assignors.ts'
export { StorageError } from '../base/errors.ts'
