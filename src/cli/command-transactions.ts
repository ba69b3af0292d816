import { SqlError } from '../base/errors.ts'
import type { TransactionDescription } from '../log/log.ts'
import { BIGINT, INTEGER, STRING, TIMESTAMP } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { type CommandContext, type CommonOptions, withMillrace } from './command-context.ts'
import { EXIT } from './error-text.ts'
import { columns, printRows } from './print-rows.ts'

export interface TransactionsCommandOptions extends CommonOptions {
  readonly json?: boolean
}

const LIST = columns({
  transactional_id: STRING,
  producer_id: BIGINT,
  epoch: INTEGER,
  state: STRING,
  open_since: TIMESTAMP,
  timeout_ms: BIGINT,
  partitions: INTEGER,
})

/** `millrace transactions`: all transactional ids. @returns the exit code */
export async function transactionsCommand(
  context: CommandContext,
  options: TransactionsCommandOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const rows = millrace.log
      .transactions()
      .toSorted((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1))
      .map(({ transactionalId, producerId, epoch, openSinceMs, timeoutMs, partitions }): Row => {
        const state = openSinceMs === null ? 'empty' : 'open'
        return [transactionalId, producerId, epoch, state, openSinceMs, timeoutMs, partitions.length]
      })
    await printRows(context, LIST, rows, options.json)
    return EXIT.done
  })
}

const OPEN = columns({
  topic: STRING,
  partition: INTEGER,
  first_offset: BIGINT,
  group: STRING,
  offset: BIGINT,
})

/** `millrace transactions describe`: where it has records, and the offsets it will commit. @returns the exit code */
export async function transactionDescribeCommand(
  context: CommandContext,
  id: string,
  options: TransactionsCommandOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const { partitions, offsets, openSinceMs } = known(millrace, id)
    if (options.json !== true && openSinceMs === null) {
      context.terminal.out(`Transactional id ${id} has nothing open.\n`)
      return EXIT.done
    }
    const rows: Row[] = [
      ...partitions.map(({ topic, partition, firstOffset }): Row => [
        topic,
        partition,
        firstOffset,
        null,
        null,
      ]),
      ...offsets.map(({ topic, partition, group, offset }): Row => [topic, partition, null, group, offset]),
    ]
    await printRows(context, OPEN, rows, options.json)
    return EXIT.done
  })
}

/** `millrace transactions abort`: ends what a producer that is gone has left open. @returns the exit code */
export async function transactionAbortCommand(
  context: CommandContext,
  id: string,
  options: CommonOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const { openSinceMs } = known(millrace, id)
    if (openSinceMs === null) {
      context.terminal.out(`Transactional id ${id} has nothing open.\n`)
      return EXIT.done
    }
    await millrace.log.abortTransaction(id)
    context.terminal.out(`Aborted the transaction of ${id}. A producer that still has it open is fenced.\n`)
    return EXIT.done
  })
}

function known(millrace: Millrace, id: string): TransactionDescription {
  const found = millrace.log.transactions().find(({ transactionalId }) => transactionalId === id)
  if (found !== undefined) return found
  throw new SqlError('CLI_UNKNOWN_TRANSACTIONAL_ID', {
    message: `There is no transactional id ${id}.`,
    hint: 'millrace transactions lists them.',
  })
}
