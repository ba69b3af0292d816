import { assert } from '../base/assert.ts'
import { filter as keep, map, Subject, type Observable } from '../base/rx.ts'
import type { Format } from '../formats/format.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { PlanNode, SourceNode } from '../plan/plan-node.ts'
import { inputsOf } from '../plan/plan-node.ts'
import type { TaskStores } from '../state/store.ts'
import type { Batch } from './batch.ts'
import { EntryBoundary, Failure, OperatorBoundary, UnionBoundary, type Boundary } from './boundary.ts'
import { compileOverBatch, compileOverRow, type CompileContext } from './compile/cursor.ts'
import { flatMap } from './flat-map.ts'
import { idOf, isExchange, type ExchangeNode, type SubTopology } from './graph.ts'
import type { DropReason, Operator, OperatorContext, ReadRange } from './operator.ts'
import { createOperator } from './operators/create-operator.ts'
import { tableRekey } from './operators/table-rekey.ts'
import { Silence } from './silence.ts'
import { runsOnSlabs, slabOperator } from './slabs/slab-operator.ts'
import { Stage, type StageStep } from './stage.ts'
import { keepsOldRows, oldRowsAreRead } from './table-needs.ts'

/** What counts and samples what went wrong with single rows of a query. */
export interface QueryObserver {
  dropped(reason: DropReason, batch: Batch, row: number, detail?: string): void
  expressionError(batch: Batch, row: number, error: unknown): void
}

export interface TaskEnvironment {
  readonly compile: CompileContext
  readonly formatOf: (name: FormatName) => Format | undefined
  readonly clock: OperatorContext['clock']
  readonly cache: boolean
  readonly compatibility: boolean
  readonly observer: QueryObserver
  /** Structural names of the plan's nodes. */
  readonly ids: ReadonlyMap<PlanNode, string>
}

/**
 * One sub-topology over one partition: its operators and stages, wired as an RxJS graph that carries
 * batches. Single-threaded and deterministic; the task drives: whoever feeds it calls {@link feed} and
 * then {@link drain}, and when that is done everything fed has left through `exit` or lies in state.
 */
export class Task {
  readonly partition: number
  /** Since rows last came; at first, since the task began. */
  readonly silence: Silence
  readonly #sources = new Map<SourceNode, Subject<Batch>>()
  readonly #entries = new Map<ExchangeNode, EntryBoundary>()
  /** Inputs of a boundary stand before it. */
  readonly #boundaries: Boundary[] = []
  readonly #operators = new Map<PlanNode, Operator>()
  readonly #failure = new Failure()
  readonly #environment: TaskEnvironment
  readonly #stores: TaskStores
  readonly #root: PlanNode
  readonly #leadsToExchange: boolean

  constructor(
    topology: SubTopology,
    partition: number,
    stores: TaskStores,
    environment: TaskEnvironment,
    exit: (batch: Batch) => void,
  ) {
    this.partition = partition
    this.silence = new Silence(environment.clock)
    this.#environment = environment
    this.#stores = stores
    this.#root = topology.root
    this.#leadsToExchange = topology.exit.kind === 'exchange'
    let output = this.#build(topology.root)
    const leaves = topology.exit
    if (leaves.kind === 'exchange') {
      const { node } = leaves
      output =
        node.kind === 'rekey'
          ? this.#stage(output, node.input, [
              { kind: 'project', columns: [...node.keys, ...node.values], schema: node.schema },
              ...notNullKeys(node),
            ])
          : output.pipe(map(tableRekey(node, this.#operatorContext(node, new Subject<Batch>()))))
    }
    output.subscribe({ next: this.#failure.guard(exit), error: (error: unknown) => this.#failure.set(error) })
  }

  feed(source: SourceNode, batch: Batch): void {
    const subject = this.#sources.get(source)
    assert(subject, 'a task is fed through its own sources')
    assert(subject.observed, 'the graph of a task is subscribed')
    this.silence.end()
    subject.next(batch)
    this.#failure.check()
  }

  /** Hands over rows of an exchange; they are worked off by the next {@link drain}. */
  receive(node: ExchangeNode, fromPartition: number, batch: Batch): void {
    const entry = this.#entries.get(node)
    assert(entry, 'a task receives from its own exchanges')
    this.silence.end()
    entry.receive(fromPartition, batch)
  }

  async drain(): Promise<void> {
    for (const boundary of this.#boundaries) {
      const loading = boundary.drain()
      if (loading !== undefined) await loading
      this.#failure.check()
    }
  }

  /** Works off everything, then lets operators emit what their caches hold, each after those before it. */
  async flush(): Promise<void> {
    for (const boundary of this.#boundaries) {
      const loading = boundary.drain()
      if (loading !== undefined) await loading
      boundary.flush()
      this.#failure.check()
    }
  }

  /** The next event time at which an operator has something to do by itself; null: nothing waits. */
  nextTimerMs(): number | null {
    let next: number | null = null
    for (const operator of this.#operators.values()) {
      const timer = operator.nextTimerMs()
      if (timer !== null && (next === null || timer < next)) next = timer
    }
    return next
  }

  /** Event time moves on without a record. */
  async advance(streamTimeMs: number): Promise<void> {
    for (const boundary of this.#boundaries) {
      const loading = boundary.drain()
      if (loading !== undefined) await loading
      if (boundary instanceof OperatorBoundary) await boundary.operator.advance(streamTimeMs)
      this.#failure.check()
    }
  }

  /** Committed rows of the task's result, if it is a table kept in a store. */
  async *readCommitted(range: ReadRange): AsyncIterable<Batch> {
    const steps: StageStep[] = []
    let node = this.#root
    while ((node.kind === 'filter' || node.kind === 'project') && !this.#operators.has(node)) {
      steps.unshift(stepOf(node))
      node = node.input
    }
    const operator = this.#operators.get(node)
    assert(
      operator !== undefined && 'readCommitted' in operator,
      'the result of the query is kept in a store',
    )
    // Rows as they are, and no changes: one that doesn't pass HAVING or WHERE isn't there.
    const stage = this.#newStage(node, steps, false)
    for await (const batch of operator.readCommitted!(range)) yield stage.run(batch)
  }

  #build(node: PlanNode): Observable<Batch> {
    if (isExchange(node)) {
      const entry = new EntryBoundary()
      this.#entries.set(node as ExchangeNode, entry)
      this.#boundaries.push(entry)
      return node.kind === 'table-aggregate' ? this.#operator(node, [entry.output]) : entry.output
    }
    switch (node.kind) {
      case 'source': {
        const subject = new Subject<Batch>()
        this.#sources.set(node, subject)
        return node.output === 'table' && keepsOldRows(this.#root, node)
          ? this.#operator(node, [subject])
          : subject
      }
      case 'filter':
      case 'project':
      case 'rekey': {
        const steps: StageStep[] = []
        let base: PlanNode = node
        while (
          base.kind === 'filter' ||
          base.kind === 'project' ||
          (base.kind === 'rekey' && !isExchange(base))
        ) {
          steps.unshift(stepOf(base))
          base = base.input
        }
        return this.#stage(this.#build(base), base, steps)
      }
      case 'flat-map':
        return this.#build(node.input).pipe(
          map(flatMap(node, this.#environment.compile.functions, this.#environment.compile, this.#onError)),
          keep((batch) => batch.size > 0),
        )
      case 'union': {
        const boundary = new UnionBoundary(node.inputs.length)
        node.inputs.forEach((input, i) =>
          this.#build(input).subscribe({
            next: this.#failure.guard((batch) => boundary.receive(i, batch)),
            error: (error: unknown) => this.#failure.set(error),
          }),
        )
        this.#boundaries.push(boundary)
        return boundary.output
      }
      default:
        return this.#operator(
          node,
          inputsOf(node).map((input) => this.#build(input)),
        )
    }
  }

  #operator(node: PlanNode, inputs: readonly Observable<Batch>[]): Observable<Batch> {
    const output = new Subject<Batch>()
    const context = this.#operatorContext(node, output)
    const operator =
      node.kind === 'aggregate' && runsOnSlabs(node, context)
        ? slabOperator(node, context)
        : createOperator(node, context)
    const boundary = new OperatorBoundary(operator, inputs.length, output)
    inputs.forEach((input, i) =>
      input.subscribe({
        next: this.#failure.guard((batch) => boundary.receive(i, batch)),
        error: (error: unknown) => this.#failure.set(error),
      }),
    )
    this.#boundaries.push(boundary)
    this.#operators.set(node, operator)
    return output
  }

  #operatorContext(node: PlanNode, output: Subject<Batch>): OperatorContext {
    const { compile, clock, cache, compatibility, observer, ids } = this.#environment
    return {
      stores: storesUnder(idOf(ids, node), this.#stores),
      partition: this.partition,
      functions: compile.functions,
      functionContext: compile.functionContext,
      clock,
      cache,
      compatibility,
      oldRows: this.#leadsToExchange || oldRowsAreRead(this.#root, node),
      emit: (batch) => {
        if (batch.size === 0) return
        output.next(batch)
        this.#failure.check()
      },
      drop: (reason, batch, row, detail) => observer.dropped(reason, batch, row, detail),
      expressionError: this.#onError,
      compileRow: (expr, schema) => compileOverRow(expr, schema, compile),
      compileBatch: (expr, schema) => {
        const evaluate = compileOverBatch(expr, schema, compile, this.#onError)
        return (batch, row) => {
          try {
            return evaluate(batch, row)
          } catch (error) {
            this.#onError(batch, row, error)
            return null
          }
        }
      },
    }
  }

  #stage(input: Observable<Batch>, base: PlanNode, steps: readonly StageStep[]): Observable<Batch> {
    const stage = this.#newStage(base, steps)
    return stage.isEmpty
      ? input
      : input.pipe(
          map((batch) => stage.run(batch)),
          keep((batch) => batch.size > 0),
        )
  }

  #newStage(base: PlanNode, steps: readonly StageStep[], table = base.output === 'table'): Stage {
    return new Stage(steps, base.schema, {
      table,
      context: this.#environment.compile,
      onError: this.#onError,
    })
  }

  readonly #onError = (batch: Batch, row: number, error: unknown): void =>
    this.#environment.observer.expressionError(batch, row, error)
}

function stepOf(node: Extract<PlanNode, { kind: 'filter' | 'project' | 'rekey' }>): StageStep {
  switch (node.kind) {
    case 'filter':
      return { kind: 'filter', predicate: node.predicate }
    case 'project':
      return { kind: 'project', columns: node.columns, schema: node.schema }
    case 'rekey':
      return { kind: 'project', columns: [...node.keys, ...node.values], schema: node.schema }
  }
}

/** Rows whose new key holds a null are no use to an aggregate or a join. */
function notNullKeys(node: Extract<ExchangeNode, { kind: 'rekey' }>): StageStep[] {
  if (node.nullKeys === 'keep') return []
  return node.schema.columns
    .filter((c) => c.role === 'key')
    .map((c) => ({
      kind: 'filter',
      predicate: {
        kind: 'is-null',
        operand: { kind: 'column', name: c.name, type: c.type },
        negated: true,
        type: { kind: 'BOOLEAN' },
      },
    }))
}

/** A task's stores under names that start with the operator's. */
function storesUnder(prefix: string, stores: TaskStores): TaskStores {
  return {
    keyValue: (name, codec) => stores.keyValue(`${prefix}-${name}`, codec),
    window: (name, codec, options) => stores.window(`${prefix}-${name}`, codec, options),
    session: (name, codec, options) => stores.session(`${prefix}-${name}`, codec, options),
    managed: (name, make) => stores.managed(`${prefix}-${name}`, make),
  }
}
