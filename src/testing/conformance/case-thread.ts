/** The thread in which cases run. */
import { parentPort } from 'node:worker_threads'
import { assert } from '../../base/assert.ts'
import { casesOf, type UnreadCase } from './case-file.ts'
import type { CaseAnswer, CaseRequest } from './case-pool.ts'
import { runCase } from './run-case.ts'

const port = parentPort
assert(port !== null, 'the module runs as a thread')

let cases: readonly UnreadCase[] = []

port.on('message', (request: CaseRequest) => {
  const answer = async (): Promise<CaseAnswer> => {
    if (request.kind === 'load') {
      cases = casesOf(request.text) ?? []
      return { kind: 'loaded' }
    }
    return { kind: 'outcome', outcome: await runCase(cases[request.index]!) }
  }
  void answer().then((result) => port.postMessage(result))
})
