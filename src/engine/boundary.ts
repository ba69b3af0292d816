import { Subject } from '../base/rx.ts'
import type { Batch } from './batch.ts'
import { concatenate, mergeByTime } from './gather.ts'
import type { Operator } from './operator.ts'

/** The explicit channel for errors inside a graph: rxjs alone would lose or delay them. */
export class Failure {
  #error: unknown = null

  /** Only the first one counts. */
  set(error: unknown): void {
    this.#error ??= error
  }

  /** @throws the error that was set */
  check(): void {
    if (this.#error !== null) throw this.#error
  }

  /** The last handler of a pipeline: after a failure nothing more is handled. */
  guard(handle: (batch: Batch) => void): (batch: Batch) => void {
    return (batch) => {
      if (this.#error !== null) return
      try {
        handle(batch)
      } catch (error) {
        this.set(error)
      }
    }
  }
}

/** A place in a task's graph where batches wait until the task drains it: before each stateful step. */
export interface Boundary {
  readonly output: Subject<Batch>
  /** Works off what waits. Returns a promise only when something had to be loaded. */
  drain(): Promise<void> | undefined
  flush(): void
}

/** Batches for a stateful operator, one inbox per input. */
export class OperatorBoundary implements Boundary {
  readonly output: Subject<Batch>
  readonly operator: Operator
  readonly #inboxes: Batch[][]

  constructor(operator: Operator, inputs: number, output: Subject<Batch>) {
    this.operator = operator
    this.output = output
    this.#inboxes = Array.from({ length: inputs }, () => [])
  }

  receive(input: number, batch: Batch): void {
    if (batch.size > 0) this.#inboxes[input]!.push(batch)
  }

  drain(): Promise<void> | undefined {
    const waiting = this.#inboxes.map((inbox) => (inbox.length === 0 ? null : concatenate(inbox.splice(0))))
    const inputs = waiting.flatMap((batch, input) => (batch === null ? [] : [{ input, batch }]))
    if (inputs.length === 0) return undefined
    const loads = inputs
      .map(({ input, batch }) => this.operator.prepare(input, batch))
      .filter((p) => p !== undefined)
    const process = (): void => {
      if (inputs.length > 1 && this.operator.processMerged !== undefined) this.operator.processMerged(waiting)
      else for (const { input, batch } of inputs) this.operator.process(input, batch)
    }
    if (loads.length > 0) return Promise.all(loads).then(process)
    process()
    return undefined
  }

  flush(): void {
    this.operator.flush()
  }
}

/** Rows of several streams that become one: merged by time over the inputs. */
export class UnionBoundary implements Boundary {
  readonly output = new Subject<Batch>()
  readonly #inboxes: Batch[][]

  constructor(inputs: number) {
    this.#inboxes = Array.from({ length: inputs }, () => [])
  }

  receive(input: number, batch: Batch): void {
    if (batch.size > 0) this.#inboxes[input]!.push(batch)
  }

  drain(): undefined {
    const waiting = this.#inboxes.flatMap((inbox) =>
      inbox.length === 0 ? [] : [concatenate(inbox.splice(0))],
    )
    if (waiting.length > 0) this.output.next(mergeByTime(waiting))
  }

  flush(): void {}
}

/** Rows that came through an exchange: merged by time over the partitions they came from. */
export class EntryBoundary implements Boundary {
  readonly output = new Subject<Batch>()
  #from = new Map<number, Batch[]>()

  receive(fromPartition: number, batch: Batch): void {
    const waiting = this.#from.get(fromPartition)
    if (waiting === undefined) this.#from.set(fromPartition, [batch])
    else waiting.push(batch)
  }

  drain(): undefined {
    if (this.#from.size === 0) return
    const inOrder = [...this.#from].sort(([a], [b]) => a - b).map(([, batches]) => concatenate(batches))
    this.#from = new Map()
    this.output.next(mergeByTime(inOrder))
  }

  flush(): void {}
}
