import { BIGINT, STRING, TIMESTAMP } from './sql-type.ts'
import type { Column } from './schema.ts'

/**
 * The columns every alert event starts with, after the key columns of the alert's query and before the
 * columns of its SELECT list.
 *
 * STATE is `pending`, `firing` or `resolved`. SINCE is the event time from which the condition holds
 * (for `resolved`: held), AT the event time of this change. The window's bounds (epoch ms) are null
 * where the query has no windows.
 */
export const ALERT_EVENT_COLUMNS: readonly Column[] = [
  { name: 'ALERT', type: STRING, role: 'value' },
  { name: 'SEVERITY', type: STRING, role: 'value' },
  { name: 'STATE', type: STRING, role: 'value' },
  { name: 'SINCE', type: TIMESTAMP, role: 'value' },
  { name: 'AT', type: TIMESTAMP, role: 'value' },
  { name: 'WINDOW_START', type: BIGINT, role: 'value' },
  { name: 'WINDOW_END', type: BIGINT, role: 'value' },
]
