import type { FunctionRegistry } from '../../functions/function.ts'
import type { Settings } from '../../plan/command.ts'
import type { SourceCatalog } from '../../plan/data-source.ts'
import type { Expr } from '../../plan/expression.ts'
import type { FormatRules } from '../../plan/format-rules.ts'
import type { SqlValue } from '../../plan/sql-value.ts'

/** All that a statement's meaning depends on, as it is when the statement's turn comes. */
export interface PrepareContext {
  readonly catalog: SourceCatalog
  readonly functions: FunctionRegistry
  readonly formats: FormatRules
  readonly settings: Settings
  /** Computes an expression without columns, such as a key in a pull query. Throws where it fails. */
  readonly evaluate: (expr: Expr) => SqlValue
  /** A topic that exists with another number of partitions than the statement asks for is used as it is. */
  readonly keepExistingPartitions?: boolean | undefined
}

/** A boolean setting by its full name. */
export function isOn(settings: Settings, name: string, otherwise: boolean): boolean {
  const text = settings.get(name)
  return text === undefined ? otherwise : text.trim().toLowerCase() === 'true'
}
