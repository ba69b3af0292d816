import type { FunctionRegistry } from '../../functions/function.ts'
import type { Settings } from '../../plan/command.ts'
import type { SourceCatalog } from '../../plan/data-source.ts'
import type { FormatRules } from '../../plan/format-rules.ts'

/** All that a statement's meaning depends on, as it is when the statement's turn comes. */
export interface PrepareContext {
  readonly catalog: SourceCatalog
  readonly functions: FunctionRegistry
  readonly formats: FormatRules
  readonly settings: Settings
  /** A topic that exists with another number of partitions than the statement asks for is used as it is. */
  readonly keepExistingPartitions?: boolean | undefined
}

/** A boolean setting by its full name. */
export function isOn(settings: Settings, name: string, otherwise: boolean): boolean {
  const text = settings.get(name)
  return text === undefined ? otherwise : text.trim().toLowerCase() === 'true'
}
