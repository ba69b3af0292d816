import { BIGINT, INTEGER, STRING } from '../plan/sql-type.ts'
import type { Schema } from '../plan/schema.ts'
import { withMillrace, type CommandContext, type CommonOptions } from './command-context.ts'
import { EXIT } from './error-text.ts'
import { printResult } from './result-printer.ts'
import { recordCount } from './waiting-text.ts'

export interface TopicsCommandOptions extends CommonOptions {
  /** Millrace's own topics too. */
  readonly all?: boolean
  readonly json?: boolean
}

const SCHEMA: Schema = {
  columns: [
    { name: 'topic', type: STRING, role: 'key' },
    { name: 'partitions', type: INTEGER, role: 'value' },
    { name: 'records', type: BIGINT, role: 'value' },
  ],
}

/** `millrace topics`: all topics with their partitions and records. @returns the exit code */
export async function topicsCommand(context: CommandContext, options: TopicsCommandOptions): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const rows = millrace.log
      .topics()
      .filter((topic) => options.all === true || !topic.internal)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((topic) => [topic.name, topic.partitions, recordCount(millrace, topic.name)])
    await printResult({ kind: 'rows', statement: '', schema: SCHEMA, rows, notes: [] }, context.terminal, {
      json: options.json === true,
      stop: context.stop,
    })
    return EXIT.done
  })
}
