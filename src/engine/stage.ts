import { BooleanVector, NumberVector, ValueVector, type Vector } from '../formats/vector.ts'
import { columnsOf } from '../plan/columns-of.ts'
import type { Expr } from '../plan/expression.ts'
import type { Schema } from '../plan/schema.ts'
import { Batch } from './batch.ts'
import type { CompileContext, ExpressionErrorHandler } from './compile/cursor.ts'
import {
  canGenerateCode,
  closureKernel,
  generateKernel,
  vectorKinds,
  type GeneratedKernel,
  type OutputKind,
} from './compile/generated.ts'

const RECORD_COLUMNS = ['ROWTIME', 'ROWPARTITION', 'ROWOFFSET']

/** One stateless step of a plan, over the schema of the step before. */
export type StageStep =
  | { readonly kind: 'filter'; readonly predicate: Expr }
  | { readonly kind: 'project'; readonly columns: readonly Expr[]; readonly schema: Schema }

/**
 * A maximal chain of filters and projections, as compiled loops over batches. Rows keep their positions;
 * plain columns are passed on as they are; a failing expression is null and reported, a failing filter
 * drops the row.
 *
 * On a table's changes the chain applies to the new and to the old row alike: a row that stops passing
 * becomes a deletion, one that passed neither before nor now is nothing.
 */
export class Stage {
  readonly #kernels: readonly Kernel[]
  readonly #table: boolean

  constructor(
    steps: readonly StageStep[],
    input: Schema,
    options: {
      readonly table: boolean
      readonly context: CompileContext
      readonly onError: ExpressionErrorHandler
      /** Without generated code, also where it would be allowed. */
      readonly closures?: boolean
    },
  ) {
    this.#table = options.table
    const closures = options.closures === true || !canGenerateCode
    this.#kernels = kernelParts(steps, input).map(
      (part) => new Kernel(part, options.context, options.onError, closures),
    )
  }

  /** Whether the chain does nothing at all. */
  get isEmpty(): boolean {
    return this.#kernels.length === 0
  }

  run(batch: Batch): Batch {
    let current = batch
    for (const kernel of this.#kernels) {
      current = this.#table ? runOverTable(kernel, current) : kernel.run(current)
      if (current.size === 0) return current
    }
    return current
  }
}

interface KernelPart {
  readonly input: Schema
  readonly filters: readonly Expr[]
  readonly outputs: readonly Expr[] | null
  readonly schema: Schema
}

/**
 * Cuts a chain into kernels, each of which reads only columns of its own input: a step that reads a
 * computed column starts a new one, one that reads a passed-on column is rewritten to the original.
 */
function kernelParts(steps: readonly StageStep[], input: Schema): KernelPart[] {
  interface OpenPart extends KernelPart {
    readonly filters: Expr[]
  }
  const parts: KernelPart[] = []
  let part: OpenPart | null = null
  let schema = input
  for (const step of steps) {
    const expressions: readonly Expr[] = step.kind === 'filter' ? [step.predicate] : step.columns
    const current = part as OpenPart | null
    if (current !== null && current.outputs !== null) {
      const plain = new Map<string, Expr>()
      const { outputs } = current
      current.schema.columns.forEach((column, i) => plain.set(column.name, outputs[i]!))
      const reads = new Set(expressions.flatMap((e) => [...columnsOf(e)]))
      const rewritable = [...reads].every((name) => !plain.has(name) || plain.get(name)!.kind === 'column')
      // A filter behind a projection goes into the same loop only if nothing computed would be wasted or repeated.
      if (rewritable && (step.kind === 'project' || outputs.every((o) => o.kind === 'column'))) {
        const rewrite = (e: Expr): Expr => replaceColumns(e, plain)
        if (step.kind === 'filter') current.filters.push(rewrite(step.predicate))
        else part = { ...current, outputs: step.columns.map(rewrite), schema: step.schema }
        if (step.kind === 'project') schema = step.schema
        continue
      }
      parts.push(current)
      part = null
    }
    const open: OpenPart = (part as OpenPart | null) ?? { input: schema, filters: [], outputs: null, schema }
    if (step.kind === 'filter') {
      open.filters.push(step.predicate)
      part = open
    } else {
      part = { ...open, outputs: step.columns, schema: step.schema }
      schema = step.schema
    }
  }
  if (part !== null) parts.push(part)
  return parts
}

function replaceColumns(expr: Expr, by: ReadonlyMap<string, Expr>): Expr {
  if (expr.kind === 'column') return by.get(expr.name) ?? expr
  const replaced: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(expr)) {
    replaced[name] = name === 'type' || name === 'parameters' ? value : replaceWithin(value, by)
  }
  return replaced as unknown as Expr
}

function replaceWithin(value: unknown, by: ReadonlyMap<string, Expr>): unknown {
  if (Array.isArray(value)) return value.map((item) => replaceWithin(item, by))
  if (value !== null && typeof value === 'object') {
    if ('kind' in value && value.kind !== 'lambda') return replaceColumns(value as Expr, by)
    if ('body' in value) return { ...value, body: replaceWithin(value.body, by) }
    if ('when' in value || 'key' in value) {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, replaceWithin(v, by)]))
    }
  }
  return value
}

/** How an output column comes about: passed on from the input, or computed into a vector of its own. */
type Output = { readonly from: number } | { readonly computed: number }

class Kernel {
  readonly #part: KernelPart
  readonly #context: CompileContext
  readonly #onError: ExpressionErrorHandler
  readonly #closures: boolean
  /** Columns of the input that the generated loop reads. */
  readonly #reads: readonly number[]
  readonly #outputs: readonly Output[] | null
  readonly #computed: readonly Expr[]
  /** Which of the computed columns read ROWTIME and its kin: those belong to a row's value. */
  readonly #ofRecord: readonly number[]
  readonly #byKinds = new Map<string, GeneratedKernel>()
  #passed = new Int32Array(0)

  constructor(part: KernelPart, context: CompileContext, onError: ExpressionErrorHandler, closures: boolean) {
    this.#part = part
    this.#context = context
    this.#onError = onError
    this.#closures = closures
    const computed: Expr[] = []
    const indexOf = (name: string): number => part.input.columns.findIndex((c) => c.name === name)
    this.#outputs =
      part.outputs?.map((expr) => {
        const from = expr.kind === 'column' ? indexOf(expr.name) : -1
        if (from >= 0) return { from }
        computed.push(expr)
        return { computed: computed.length - 1 }
      }) ?? null
    this.#computed = computed
    this.#ofRecord = computed.flatMap((expr, i) => {
      const read = columnsOf(expr)
      return RECORD_COLUMNS.some((name) => read.has(name)) ? [i] : []
    })
    const names = new Set([...part.filters, ...computed].flatMap((e) => [...columnsOf(e)]))
    this.#reads = [...names].map(indexOf).filter((i) => i >= 0)
  }

  get filters(): boolean {
    return this.#part.filters.length > 0
  }

  get schema(): Schema {
    return this.#part.schema
  }

  /** Null-value rows pass a projection as they are and no filter. */
  run(batch: Batch): Batch {
    // A filter drops rows without a value; new keys are computed for them, from the key and nulls.
    const { vectors, selection } = this.compute(batch, this.filters ? batch.absent : null)
    return new Batch({
      schema: this.#part.schema,
      vectors,
      selection,
      rows: batch.rows,
      timestamps: batch.timestamps,
      absent: batch.absent,
      windows: batch.windows,
      order: batch.order,
      origin: batch.origin,
      headers: batch.headers,
    })
  }

  /** Filters and computes over the rows that are present. @param absent 1: skip; without filters it still counts */
  compute(
    batch: Batch,
    absent: Uint8Array | null,
  ): { vectors: (Vector | null)[]; selection: Int32Array | null } {
    let { selection } = batch
    let results: readonly Vector[] = []
    if (this.filters || this.#computed.length > 0) {
      const kinds = this.#closures ? '' : vectorKinds(batch.vectors, this.#reads)
      let kernel = this.#byKinds.get(kinds)
      if (kernel === undefined) {
        const { filters, input } = this.#part
        kernel = this.#closures
          ? closureKernel(filters, this.#computed, input, this.#context, this.#onError)
          : generateKernel(filters, this.#computed, input, this.#reads, kinds, this.#context, this.#onError)
        this.#byKinds.set(kinds, kernel)
      }
      if (this.#passed.length < batch.rows) this.#passed = new Int32Array(batch.rows)
      results = kernel.outputKinds.map((kind) => newVector(kind, batch.rows))
      const present = absent === null ? selection : presentRows(batch, absent)
      const count = present === null ? batch.rows : present.length
      const passed = kernel.loop(batch, batch.vectors, present, count, this.#passed, results)
      if (this.filters) selection = passed === batch.rows ? null : this.#passed.slice(0, passed)
      if (batch.absent !== null) {
        for (const i of this.#ofRecord) clearAbsent(results[i]!, batch.absent)
      }
    }
    const vectors =
      this.#outputs === null
        ? [...batch.vectors]
        : this.#outputs.map((o) => ('from' in o ? batch.vectors[o.from]! : results[o.computed]!))
    return { vectors, selection }
  }
}

function newVector(kind: OutputKind, rows: number): Vector {
  switch (kind) {
    case 'number':
      return new NumberVector(rows)
    case 'boolean':
      return new BooleanVector(rows)
    case 'value':
      return new ValueVector(new Array<null>(rows).fill(null))
  }
}

/** Rows without a value have none of what is computed from their record either. */
function clearAbsent(vector: Vector, absent: Uint8Array): void {
  for (let row = 0; row < absent.length; row++) {
    if (absent[row] === 0) continue
    if (vector.kind === 'value') vector.values[row] = null
    else if (vector.kind !== 'text') vector.nulls[row] = 1
  }
}

function presentRows(batch: Batch, absent: Uint8Array): Int32Array {
  const present = new Int32Array(batch.size)
  let count = 0
  for (let n = 0; n < batch.size; n++) {
    const row = batch.position(n)
    if (absent[row] === 0) present[count++] = row
  }
  return present.subarray(0, count)
}

/** A kernel over a table's changes: new and old rows are filtered and computed alike. */
function runOverTable(kernel: Kernel, batch: Batch): Batch {
  const { old } = batch
  const now = kernel.compute(batch, batch.absent)
  const oldBatch =
    old === null
      ? null
      : new Batch({
          schema: batch.schema,
          vectors: batch.schema.columns.map((c, i) =>
            c.role === 'key' ? batch.vectors[i]! : old.vectors[i]!,
          ),
          rows: batch.rows,
          timestamps: batch.timestamps,
          selection: batch.selection,
          windows: batch.windows,
          origin: batch.origin,
        })
  const before = oldBatch === null ? null : kernel.compute(oldBatch, old!.absent)
  let { absent } = batch
  let oldAbsent = old?.absent ?? null
  let { selection } = batch
  if (kernel.filters) {
    absent = new Uint8Array(batch.rows).fill(1)
    for (const row of allOf(now.selection, batch.rows)) absent[row] = 0
    if (before !== null) {
      oldAbsent = new Uint8Array(batch.rows).fill(1)
      for (const row of allOf(before.selection, batch.rows)) oldAbsent[row] = 0
      const kept: number[] = []
      for (let n = 0; n < batch.size; n++) {
        const row = batch.position(n)
        // A deletion of what never was stays a deletion; what passes neither way is nothing.
        if (absent[row] === 0 || oldAbsent[row] === 0 || (batch.isAbsent(row) && old!.absent[row] === 1))
          kept.push(row)
      }
      selection = Int32Array.from(kept)
    }
  }
  return new Batch({
    schema: kernel.schema,
    vectors: now.vectors,
    rows: batch.rows,
    timestamps: batch.timestamps,
    selection,
    absent,
    old: before === null ? null : { vectors: before.vectors, absent: oldAbsent! },
    windows: batch.windows,
    order: batch.order,
    origin: batch.origin,
    headers: batch.headers,
  })
}

function allOf(selection: Int32Array | null, rows: number): Iterable<number> {
  if (selection !== null) return selection
  const all = new Int32Array(rows)
  for (let row = 0; row < rows; row++) all[row] = row
  return all
}
