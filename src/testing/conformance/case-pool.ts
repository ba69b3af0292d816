import { Worker } from 'node:worker_threads'
import { assert } from '../../base/assert.ts'
import type { CaseOutcome } from './run-case.ts'

/** What the thread is asked. */
export type CaseRequest =
  | { readonly kind: 'load'; readonly text: string }
  | { readonly kind: 'run'; readonly index: number }

/** What it answers: `loaded`, or a case's outcome. */
export type CaseAnswer =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'outcome'; readonly outcome: CaseOutcome }

/**
 * Runs cases in a thread, one at a time. A case that takes too long, or ends the thread, is an error of
 * that case; the next one gets a new thread.
 */
export class CasePool {
  readonly #caseMsMax: number
  #worker: Worker | null = null
  #text: string | null = null

  constructor(caseMsMax: number) {
    this.#caseMsMax = caseMsMax
  }

  /** Reads a case file's text; `run` then takes positions in it. */
  async load(text: string): Promise<void> {
    this.#text = text
    if (this.#worker !== null) await this.#ask({ kind: 'load', text })
  }

  async run(index: number): Promise<CaseOutcome> {
    if (this.#worker === null) {
      assert(this.#text !== null, 'a file is loaded before its cases are run')
      this.#worker = new Worker(new URL(`./case-thread${import.meta.url.slice(-3)}`, import.meta.url))
      this.#worker.unref()
      const loaded = await this.#ask({ kind: 'load', text: this.#text })
      if (loaded.kind === 'outcome') return loaded.outcome
    }
    const answer = await this.#ask({ kind: 'run', index })
    assert(answer.kind === 'outcome', 'a run is answered by an outcome')
    return answer.outcome
  }

  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }

  #ask(request: CaseRequest): Promise<CaseAnswer> {
    const worker = this.#worker
    assert(worker !== null, 'there is a thread to ask')
    return new Promise((resolve) => {
      const failed = (reason: string): void => {
        finish({ kind: 'outcome', outcome: { status: 'error', reason } })
        this.#worker = null
        void worker.terminate()
      }
      const onError = (error: unknown): void =>
        failed(`The thread ended: ${error instanceof Error ? error.message : String(error)}`)
      const onExit = (): void => failed('The thread ended.')
      const finish = (answer: CaseAnswer): void => {
        clearTimeout(timer)
        worker.off('message', finish)
        worker.off('error', onError)
        worker.off('exit', onExit)
        resolve(answer)
      }
      const timer = setTimeout(
        () => failed(`The case did not end within ${this.#caseMsMax / 1000} s.`),
        this.#caseMsMax,
      )
      worker.on('message', finish)
      worker.on('error', onError)
      worker.on('exit', onExit)
      worker.postMessage(request)
    })
  }
}
