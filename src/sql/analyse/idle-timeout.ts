import { SqlError } from '../../base/errors.ts'
import type { SourceKind } from '../../plan/data-source.ts'
import { isOn, type PrepareContext } from './context.ts'
import { propertyMs, type Properties } from './properties.ts'

/** The name of the property, where it is there to be given: ksqlDB has none. */
export function idleProperties(context: PrepareContext): readonly string[] {
  return isOn(context.settings, 'millrace.compatibility', false) ? [] : ['IDLE_TIMEOUT']
}

/** IDLE_TIMEOUT = '30 SECONDS': after how much silence time goes on without records, as part of a source. */
export function idleTimeout(properties: Properties, kind: SourceKind): { readonly idleMs?: number } {
  if (!properties.has('IDLE_TIMEOUT')) return {}
  if (kind === 'table') {
    throw new SqlError('SQL_IDLE_TIMEOUT_TABLE', {
      message: 'IDLE_TIMEOUT is only possible for streams: a table keeps its rows however long it is silent.',
      at: properties.place('IDLE_TIMEOUT'),
      hint: 'Give it to the stream the windows are made of.',
    })
  }
  return { idleMs: propertyMs('IDLE_TIMEOUT', properties) }
}
