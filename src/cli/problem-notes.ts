import type { RuntimeProblem } from '../runtime/millrace.ts'
import { styled, type Terminal } from './terminal.ts'

/** What went wrong in queries since it was last told: a line per query that failed or skipped rows. */
export class ProblemNotes {
  /** Newest failure, or first sample, by query id. */
  readonly #failures = new Map<string, string>()
  readonly #samples = new Map<string, { readonly problem: RuntimeProblem; count: number }>()

  add(problem: RuntimeProblem): void {
    if (problem.kind === 'query-failed') {
      this.#failures.set(problem.queryId, problem.detail)
      return
    }
    const sample = this.#samples.get(problem.queryId)
    if (sample === undefined) this.#samples.set(problem.queryId, { problem, count: 1 })
    else sample.count++
  }

  /** Writes the lines, and forgets them. */
  tell(terminal: Terminal): void {
    for (const [id, detail] of this.#failures) {
      terminal.err(`${styled(terminal, 'red', 'error:')} Query ${id} stopped: ${detail}\n`)
    }
    for (const [id, { problem, count }] of this.#samples) {
      const { detail } = problem
      if (problem.kind === 'state-rebuilt') {
        terminal.err(`${styled(terminal, 'yellow', 'note:')} Query ${id}: ${detail}\n`)
        continue
      }
      const what = count === 1 ? 'something' : 'several things'
      const end = /[.!?]$/.test(detail) ? '' : '.'
      terminal.err(
        `${styled(terminal, 'yellow', 'note:')} Query ${id} met ${what} it could not use. ${detail}${end}${whereToLook(problem)}\n`,
      )
    }
    this.#failures.clear()
    this.#samples.clear()
  }
}

/** Queries of a session write no log and keep no counts. */
function whereToLook({ queryId, kind }: RuntimeProblem): string {
  if (queryId.startsWith('transient_')) return ''
  return kind === 'record-unreadable' || kind === 'expression-failed'
    ? ' See the stream PROCESSING_LOG.'
    : ` EXPLAIN ${queryId}; has the counts.`
}
