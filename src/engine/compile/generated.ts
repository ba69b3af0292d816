import { assert } from '../../base/assert.ts'
import { arithmeticFunction } from '../../functions/arithmetic.ts'
import type { Vector } from '../../formats/vector.ts'
import type { Expr } from '../../plan/expression.ts'
import type { Schema } from '../../plan/schema.ts'
import type { SqlType } from '../../plan/sql-type.ts'
import type { Batch } from '../batch.ts'
import { truth } from './closure.ts'
import { compileOverBatch, type CompileContext, type ExpressionErrorHandler } from './cursor.ts'

/**
 * A kernel: filters and computed columns over one input, as one loop over a batch's rows.
 *
 * @param selected  positions to visit, or null for 0 … count−1
 * @param passed  receives the positions of rows all filters let through, in order
 * @param outputs  one vector per computed column; entries of passed rows are set
 * @returns how many rows passed
 */
export type KernelLoop = (
  batch: Batch,
  vectors: readonly (Vector | null)[],
  selected: Int32Array | null,
  count: number,
  passed: Int32Array,
  outputs: readonly Vector[],
) => number

/** What kind of vector a computed column fills. */
export type OutputKind = 'number' | 'boolean' | 'value'

export interface GeneratedKernel {
  readonly loop: KernelLoop
  readonly outputKinds: readonly OutputKind[]
}

/** Whether this process may turn text into code. */
export const canGenerateCode: boolean = (() => {
  try {
    // oxlint-disable-next-line no-implied-eval -- the question is whether this is allowed
    return (new Function('return 1')() as number) === 1
  } catch {
    return false
  }
})()

/**
 * The kinds of the vectors a kernel sees, one letter per column: n number, w number with 64-bit integers
 * beyond the doubles, b boolean, t text, v values, - not there. A kernel's code is made for one of these.
 */
export function vectorKinds(vectors: readonly (Vector | null)[], columns: readonly number[]): string {
  let kinds = ''
  for (const column of columns) {
    const vector = vectors[column] ?? null
    kinds +=
      vector === null ? '-' : vector.kind === 'number' ? (vector.wide === null ? 'n' : 'w') : vector.kind[0]!
  }
  return kinds
}

/**
 * Makes the loop for one combination of vector kinds. The source holds only names made here; constants,
 * functions and vectors enter by reference, so no text of a user or a record ever becomes code.
 */
export function generateKernel(
  filters: readonly Expr[],
  outputs: readonly Expr[],
  schema: Schema,
  columns: readonly number[],
  kinds: string,
  context: CompileContext,
  onError: ExpressionErrorHandler,
): GeneratedKernel {
  const writer = new KernelWriter(schema, columns, kinds, context, onError)
  const body: string[] = []
  for (const filter of filters) {
    const code = writer.condition(filter)
    body.push(
      code.throws
        ? `let pass = false; try { pass = ${code.text} } catch (error) { report(batch, i, error) } if (!pass) continue;`
        : `if (!(${code.text})) continue;`,
    )
    body[body.length - 1] = `{ ${body.at(-1)!} }`
  }
  const outputKinds: OutputKind[] = []
  outputs.forEach((output, n) => {
    const code = writer.code(output)
    outputKinds.push(code.form)
    body.push(writer.store(code, n))
  })
  const names = [...writer.references.keys()]
  const source = `'use strict';
return function kernel(batch, vectors, selected, count, passed, outputs) {
${writer.prologue()}
${outputKinds.map((kind, n) => (kind === 'value' ? `const ov${n} = outputs[${n}].values;` : `const ov${n} = outputs[${n}].values, on${n} = outputs[${n}].nulls;`)).join('\n')}
let n = 0;
for (let k = 0; k < count; k++) {
const i = selected === null ? k : selected[k];
${body.join('\n')}
passed[n++] = i;
}
return n;
}`
  // oxlint-disable-next-line no-implied-eval -- `source` holds only names made above
  const make = new Function('report', ...names, source) as (...args: unknown[]) => KernelLoop
  return { loop: make(onError, ...writer.references.values()), outputKinds }
}

/** The same loop without generated code. */
export function closureKernel(
  filters: readonly Expr[],
  outputs: readonly Expr[],
  schema: Schema,
  context: CompileContext,
  onError: ExpressionErrorHandler,
): GeneratedKernel {
  const conditions = filters.map((f) => compileOverBatch(f, schema, context, onError))
  const computed = outputs.map((o) => compileOverBatch(o, schema, context, onError))
  return {
    outputKinds: outputs.map(() => 'value'),
    loop(batch, _vectors, selected, count, passed, into) {
      let n = 0
      rows: for (let k = 0; k < count; k++) {
        const row = selected === null ? k : selected[k]!
        for (const condition of conditions) {
          try {
            if (!truth(condition(batch, row))) continue rows
          } catch (error) {
            onError(batch, row, error)
            continue rows
          }
        }
        for (let c = 0; c < computed.length; c++) {
          const vector = into[c]!
          assert(vector.kind === 'value', 'closure kernels fill value vectors')
          try {
            vector.values[row] = computed[c]!(batch, row)
          } catch (error) {
            onError(batch, row, error)
            vector.values[row] = null
          }
        }
        passed[n++] = row
      }
      return n
    },
  }
}

/**
 * A piece of code for one row `i`.
 *
 * - `number`: `text` is a double; where `isNull` (cheap, pure) holds it means nothing.
 * - `boolean`: `text` is a JavaScript boolean, likewise.
 * - `value`: `text` is a value of the dialect or null.
 */
interface Code {
  readonly form: OutputKind
  readonly text: string
  readonly isNull: string | null
  readonly throws: boolean
}

class KernelWriter {
  readonly references = new Map<string, unknown>()
  readonly #schema: Schema
  readonly #columns: readonly number[]
  readonly #kinds: string
  readonly #context: CompileContext
  readonly #onError: ExpressionErrorHandler
  readonly #used = new Map<number, string>()

  constructor(
    schema: Schema,
    columns: readonly number[],
    kinds: string,
    context: CompileContext,
    onError: ExpressionErrorHandler,
  ) {
    this.#schema = schema
    this.#columns = columns
    this.#kinds = kinds
    this.#context = context
    this.#onError = onError
  }

  prologue(): string {
    const lines = ['const timestamps = batch.timestamps;']
    for (const [column, kind] of this.#used) {
      lines.push(
        kind === 'n' || kind === 'b'
          ? `const v${column} = vectors[${column}].values, z${column} = vectors[${column}].nulls;`
          : kind === 't'
            ? `const t${column} = vectors[${column}], s${column} = t${column}.starts;`
            : `const x${column} = vectors[${column}];`,
      )
    }
    return lines.join('\n')
  }

  /** Code that is true exactly where the condition is true; nulls of BOOLEAN columns are errors. */
  condition(expr: Expr): Code {
    const code = this.code(expr)
    if (code.form === 'boolean' && code.isNull === null) return code
    return { form: 'boolean', text: `${this.#truth()}(${valueText(code)})`, isNull: null, throws: true }
  }

  store(code: Code, n: number): string {
    let text: string
    if (code.form === 'value') text = `ov${n}[i] = ${code.text};`
    else {
      const flag = code.isNull === null ? '0' : `${code.isNull} ? 1 : 0`
      text =
        code.form === 'number'
          ? `ov${n}[i] = ${code.text}; on${n}[i] = ${flag};`
          : `ov${n}[i] = (${code.text}) ? 1 : 0; on${n}[i] = ${flag};`
    }
    if (!code.throws) return text
    const failed = code.form === 'value' ? `ov${n}[i] = null;` : `on${n}[i] = 1;`
    return `try { ${text} } catch (error) { report(batch, i, error); ${failed} }`
  }

  code(expr: Expr): Code {
    switch (expr.kind) {
      case 'literal':
        return this.#literal(expr.value)
      case 'column':
        return this.#column(expr.name, expr.type)
      case 'arithmetic':
        return this.#arithmetic(expr) ?? this.#closure(expr)
      case 'comparison':
        return this.#comparison(expr) ?? this.#closure(expr)
      case 'logical': {
        const left = this.condition(expr.left)
        const right = this.condition(expr.right)
        return {
          form: 'boolean',
          text: `(${left.text} ${expr.op === 'AND' ? '&&' : '||'} ${right.text})`,
          isNull: null,
          throws: left.throws || right.throws,
        }
      }
      case 'not': {
        const operand = this.condition(expr.operand)
        return { form: 'boolean', text: `!${operand.text}`, isNull: null, throws: operand.throws }
      }
      case 'is-null': {
        const operand = this.code(expr.operand)
        if (operand.form === 'value') {
          return {
            form: 'boolean',
            text: `(${operand.text} ${expr.negated ? '!==' : '==='} null)`,
            isNull: null,
            throws: operand.throws,
          }
        }
        const isNull = operand.isNull ?? 'false'
        return {
          form: 'boolean',
          text: expr.negated ? `!(${isNull})` : `(${isNull})`,
          isNull: null,
          throws: operand.throws,
        }
      }
      case 'negate': {
        const operand = this.code(expr.operand)
        if (operand.form !== 'number' || expr.type.kind !== 'DOUBLE') return this.#closure(expr)
        return { ...operand, text: `(-${operand.text})` }
      }
      case 'cast': {
        const operand = this.code(expr.operand)
        const widens =
          (expr.operand.type.kind === 'INTEGER' &&
            (expr.type.kind === 'BIGINT' || expr.type.kind === 'DOUBLE')) ||
          (expr.operand.type.kind === 'BIGINT' && expr.type.kind === 'DOUBLE')
        return widens && operand.form === 'number' ? operand : this.#closure(expr)
      }
      default:
        return this.#closure(expr)
    }
  }

  #literal(value: unknown): Code {
    if (typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0)) {
      return { form: 'number', text: value < 0 ? `(${value})` : String(value), isNull: null, throws: false }
    }
    if (typeof value === 'boolean')
      return { form: 'boolean', text: String(value), isNull: null, throws: false }
    return {
      form: 'value',
      text: value === null ? 'null' : this.#reference('c', value),
      isNull: null,
      throws: false,
    }
  }

  #column(name: string, type: SqlType): Code {
    const column = this.#schema.columns.findIndex((c) => c.name === name)
    if (column < 0) {
      if (name === 'ROWTIME') return { form: 'number', text: 'timestamps[i]', isNull: null, throws: false }
      return this.#closure({ kind: 'column', name, type })
    }
    const kind = this.#kinds[this.#columns.indexOf(column)]
    assert(kind !== undefined && kind !== '-', `column ${name} of a batch is materialised`)
    this.#used.set(column, kind)
    switch (kind) {
      case 'n':
        return { form: 'number', text: `v${column}[i]`, isNull: `z${column}[i] === 1`, throws: false }
      case 'b':
        return {
          form: 'boolean',
          text: `(v${column}[i] === 1)`,
          isNull: `z${column}[i] === 1`,
          throws: false,
        }
      case 't':
        return { form: 'value', text: `t${column}.value(i)`, isNull: `s${column}[i] < 0`, throws: false }
      default:
        return { form: 'value', text: `x${column}.value(i)`, isNull: null, throws: false }
    }
  }

  #arithmetic(expr: Extract<Expr, { kind: 'arithmetic' }>): Code | null {
    const left = this.code(expr.left)
    const right = this.code(expr.right)
    if (left.form !== 'number' || right.form !== 'number') return null
    const isNull = either(left.isNull, right.isNull)
    const throws = left.throws || right.throws
    if (expr.type.kind === 'DOUBLE')
      return { form: 'number', text: `(${left.text} ${expr.op} ${right.text})`, isNull, throws }
    if (expr.type.kind === 'INTEGER' && (expr.op === '+' || expr.op === '-')) {
      return { form: 'number', text: `((${left.text} ${expr.op} ${right.text}) | 0)`, isNull, throws }
    }
    if (expr.type.kind !== 'INTEGER' && expr.type.kind !== 'BIGINT') return null
    const apply = this.#reference(
      'f',
      arithmeticFunction(expr.op, expr.left.type, expr.right.type, expr.type),
    )
    const call = `${apply}(${left.text}, ${right.text})`
    return {
      form: 'value',
      text: isNull === null ? call : `(${isNull} ? null : ${call})`,
      isNull: null,
      throws: throws || expr.op === '/' || expr.op === '%',
    }
  }

  #comparison(expr: Extract<Expr, { kind: 'comparison' }>): Code | null {
    const op = JAVASCRIPT_OPERATOR[expr.op]
    if (op === undefined) return null
    const left = this.code(expr.left)
    const right = this.code(expr.right)
    if (left.form === 'number' && right.form === 'number') {
      const isNull = either(left.isNull, right.isNull)
      // NaN is neither equal to nor different from anything.
      const compared =
        expr.op === '<>' && expr.left.type.kind === 'DOUBLE'
          ? `(${left.text} < ${right.text} || ${left.text} > ${right.text})`
          : `${left.text} ${op} ${right.text}`
      return {
        form: 'boolean',
        text: isNull === null ? `(${compared})` : `(!(${isNull}) && ${compared})`,
        isNull: null,
        throws: left.throws || right.throws,
      }
    }
    if (
      expr.left.type.kind === 'STRING' &&
      expr.right.kind === 'literal' &&
      (expr.op === '=' || expr.op === '<>')
    ) {
      // null equals nothing, and differs from nothing
      const guard = expr.op === '=' ? '' : left.isNull === null ? null : `!(${left.isNull}) && `
      if (guard === null) return null
      return {
        form: 'boolean',
        text: `(${guard}${left.text} ${op} ${right.text})`,
        isNull: null,
        throws: left.throws,
      }
    }
    return null
  }

  #closure(expr: Expr): Code {
    const closure = compileOverBatch(expr, this.#schema, this.#context, this.#onError)
    return { form: 'value', text: `${this.#reference('f', closure)}(batch, i)`, isNull: null, throws: true }
  }

  #truth(): string {
    if (!this.references.has('truth')) {
      this.references.set('truth', truth)
    }
    return 'truth'
  }

  #reference(prefix: string, value: unknown): string {
    const name = `${prefix}_${this.references.size}`
    this.references.set(name, value)
    return name
  }
}

const JAVASCRIPT_OPERATOR: Partial<Record<string, string>> = {
  '=': '===',
  '<>': '!==',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
}

function valueText(code: Code): string {
  if (code.form === 'value' || code.isNull === null) return code.text
  return `(${code.isNull} ? null : ${code.text})`
}

function either(a: string | null, b: string | null): string | null {
  return a === null ? b : b === null || b === a ? a : `${a} || ${b}`
}
