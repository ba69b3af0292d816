import { compileOverRow } from '../engine/compile/cursor.ts'
import type { FunctionContext, FunctionRegistry } from '../functions/function.ts'
import type { Command } from '../plan/command.ts'
import type { SourceCatalog } from '../plan/data-source.ts'
import type { FormatRules } from '../plan/format-rules.ts'
import type { Statement } from '../sql/ast.ts'
import { prepare } from '../sql/prepare.ts'

/** What a statement's meaning depends on. */
export interface PrepareInput {
  readonly catalog: SourceCatalog
  readonly functions: FunctionRegistry
  readonly functionContext: FunctionContext
  readonly formats: FormatRules
  readonly settings: ReadonlyMap<string, string>
  /** A topic with another number of partitions than the statement asks for is used as it is. */
  readonly keepExistingPartitions: boolean
}

/** @throws SqlError when the statement is refused, NotSupportedError when it isn't built yet */
export function prepareStatement(statement: Statement, input: PrepareInput): Command {
  const { functions, functionContext } = input
  return prepare(statement, {
    catalog: input.catalog,
    functions,
    formats: input.formats,
    settings: input.settings,
    keepExistingPartitions: input.keepExistingPartitions,
    evaluate: (expr) =>
      compileOverRow(
        expr,
        { columns: [] },
        { functions, functionContext },
      )([], {
        timestampMs: functionContext.clock.nowMs(),
      }),
  })
}
