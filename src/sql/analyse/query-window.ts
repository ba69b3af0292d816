import { SqlError } from '../../base/errors.ts'
import type { WindowSpec } from '../../plan/plan-node.ts'
import type { Duration, WindowClause } from '../ast.ts'

const DAY_MS = 86_400_000

/**
 * A WINDOW clause with its defaults: grace 24 h less the window's size (0 with EMIT FINAL), retention
 * size plus grace.
 */
export function windowSpec(clause: WindowClause, emitFinal: boolean): WindowSpec {
  const size = clause.kind === 'session' ? clause.gap : clause.size
  checkPositive(size, clause.kind === 'session' ? 'gap' : 'SIZE')
  const graceMs = clause.grace?.ms ?? (emitFinal ? 0 : Math.max(DAY_MS - size.ms, 0))
  const retentionMs = clause.retention?.ms ?? size.ms + graceMs
  if (clause.retention !== null && retentionMs < size.ms + graceMs) {
    throw new SqlError('SQL_WINDOW_RETENTION', {
      message: `RETENTION must be at least the window's size plus its grace period, ${size.ms + graceMs} ms, not ${retentionMs} ms.`,
      at: clause.retention.at,
      hint:
        clause.grace === null
          ? 'Without GRACE PERIOD rows may be up to 24 hours late: add a shorter one.'
          : undefined,
    })
  }
  const rest = { graceMs, retentionMs }
  switch (clause.kind) {
    case 'tumbling':
      return { type: 'TUMBLING', sizeMs: size.ms, ...rest }
    case 'session':
      return { type: 'SESSION', gapMs: size.ms, ...rest }
    case 'hopping':
      checkPositive(clause.advance, 'ADVANCE BY')
      if (clause.advance.ms > size.ms) {
        throw new SqlError('SQL_WINDOW_ADVANCE', {
          message: `ADVANCE BY must not be longer than SIZE, but ${clause.advance.ms} ms is longer than ${size.ms} ms.`,
          at: clause.advance.at,
        })
      }
      return { type: 'HOPPING', sizeMs: size.ms, advanceMs: clause.advance.ms, ...rest }
  }
}

function checkPositive(duration: Duration, what: string): void {
  if (duration.ms > 0 && Number.isSafeInteger(duration.ms)) return
  throw new SqlError('SQL_WINDOW_SIZE', {
    message: `A window's ${what} must be longer than 0.`,
    at: duration.at,
  })
}
