import { SqlError, type Position } from '../../base/errors.ts'
import type { PullAccess, PullWindowBounds } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import type { ComparisonOp, Expr } from '../../plan/expression.ts'
import { printExpression } from '../../plan/print-expression.ts'
import { keyColumns } from '../../plan/schema.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import { constantValue } from './constant.ts'
import { isOn, type PrepareContext } from './context.ts'

/** One comparison of a column with a constant, the column on the left. */
interface Bound {
  readonly column: string
  readonly op: ComparisonOp
  readonly values: readonly SqlValue[]
}

/** The largest number of conjunctions a WHERE clause is taken apart into; beyond it the table is scanned. */
const DISJUNCTS_MAX = 1000

/** How little of a table must be read to answer a pull query. The whole WHERE is applied to what is read. */
export function pullAccess(
  source: DataSource,
  where: Expr | null,
  at: Position,
  context: PrepareContext,
): PullAccess {
  const disjuncts = where === null ? null : disjunctsOf(where)
  const bounds = disjuncts?.map((atoms) => atoms.flatMap((atom) => boundOf(atom, context)))
  const window = source.windowedKey === null ? null : windowBounds(bounds ?? [[]])
  const keyNames = keyColumns(source.schema).map((c) => c.name)
  const only = bounds?.length === 1 ? bounds[0]! : []
  const equalities = (name: string): readonly Bound[] => only.filter((x) => x.column === name && x.op === '=')
  const twice = keyNames.find(
    (n) => equalities(n).length > 1 && equalities(n).some((x) => x.values.length > 1),
  )
  if (twice !== undefined && source.kind === 'table') {
    throw new SqlError('SQL_KEY_CONDITION_TWICE', {
      message: `The key column ${twice} can't be in an IN list and in another comparison too.`,
      at,
      hint: 'Leave one of the conditions.',
    })
  }
  if (bounds !== undefined && source.kind === 'table') {
    const keys = bounds.map((b) => keysOf(keyNames, b))
    if (keys.every((k) => k !== null)) return { kind: 'keys', keys: distinct(keys.flat()), window }
    const range =
      bounds.length === 1 && source.windowedKey === null ? rangeOf(source, bounds[0]!, context) : null
    if (range !== null) return range
  }
  if (source.kind === 'table' && !isOn(context.settings, 'ksql.query.pull.table.scan.enabled', true)) {
    const odd = bounds?.findIndex((b) => keysOf(keyNames, b) === null) ?? -1
    const what =
      odd < 0
        ? 'there is no WHERE clause'
        : `${disjuncts![odd]!.map(printExpression).join(' AND ')} doesn't pin the key`
    throw new SqlError('SQL_TABLE_SCAN_DISABLED', {
      message: `The query would read all of ${source.name}: ${what}, and table scans are switched off.`,
      at,
      hint: `Compare ${keyNames.join(', ')} by = with constants, or set 'ksql.query.pull.table.scan.enabled' to 'true'.`,
    })
  }
  return { kind: 'scan', window }
}

/** The condition as alternatives of conjunctions; null if there would be too many. */
function disjunctsOf(expr: Expr): readonly (readonly Expr[])[] | null {
  if (expr.kind === 'logical') {
    const left = disjunctsOf(expr.left)
    const right = disjunctsOf(expr.right)
    if (left === null || right === null) return null
    if (expr.op === 'OR') return left.length + right.length > DISJUNCTS_MAX ? null : [...left, ...right]
    if (left.length * right.length > DISJUNCTS_MAX) return null
    return left.flatMap((l) => right.map((r) => [...l, ...r]))
  }
  return [[expr]]
}

const MIRRORED: Partial<Record<ComparisonOp, ComparisonOp>> = {
  '=': '=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}

function boundOf(atom: Expr, context: PrepareContext): readonly Bound[] {
  if (atom.kind === 'comparison') {
    const op = MIRRORED[atom.op]
    if (op === undefined) return []
    for (const [column, other, direction] of [
      [atom.left, atom.right, atom.op],
      [atom.right, atom.left, op],
    ] as const) {
      const constant = column.kind === 'column' ? constantValue(other, context) : undefined
      if (column.kind === 'column' && constant !== undefined && constant.value !== null) {
        return [{ column: column.name, op: direction, values: [constant.value] }]
      }
    }
  }
  if (atom.kind === 'in' && !atom.negated && atom.operand.kind === 'column') {
    const constants = atom.items.map((item) => constantValue(item, context))
    if (constants.every((c) => c !== undefined)) {
      const values = constants.map((c) => c.value).filter((v) => v !== null)
      return [{ column: atom.operand.name, op: '=', values }]
    }
  }
  return []
}

/** Whole keys that satisfy the equalities, or null where they leave a key column open. */
function keysOf(names: readonly string[], bounds: readonly Bound[]): readonly Row[] | null {
  let keys: readonly Row[] = [[]]
  for (const name of names) {
    const equal = bounds.find((b) => b.column === name && b.op === '=')
    if (equal === undefined) return null
    keys = keys.flatMap((key) => equal.values.map((value) => [...key, value]))
  }
  return names.length === 0 ? null : keys
}

function distinct(keys: readonly Row[]): readonly Row[] {
  const seen = new Map(keys.map((key) => [keyText(key), key]))
  return [...seen.values()]
}

function keyText(key: Row): string {
  return JSON.stringify(key, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`
    return value instanceof Uint8Array ? [...value] : value
  })
}

function rangeOf(source: DataSource, bounds: readonly Bound[], context: PrepareContext): PullAccess | null {
  const keys = keyColumns(source.schema)
  const type = keys[0]?.type.kind
  if (keys.length !== 1 || (type !== 'STRING' && type !== 'BYTES')) return null
  if (!isOn(context.settings, 'ksql.query.pull.range.scan.enabled', true)) return null
  const own = bounds.filter((b) => b.column === keys[0]!.name && b.op !== '=')
  const from = own.find((b) => b.op === '>' || b.op === '>=')
  const to = own.find((b) => b.op === '<' || b.op === '<=')
  if (from === undefined && to === undefined) return null
  return {
    kind: 'range',
    from: from?.values[0] ?? null,
    fromInclusive: from?.op === '>=',
    to: to?.values[0] ?? null,
    toInclusive: to?.op === '<=',
  }
}

/** Bounds wide enough for every alternative. */
function windowBounds(alternatives: readonly (readonly Bound[])[]): PullWindowBounds | null {
  const widest = (column: string, side: 'from' | 'to'): number | null => {
    const limits = alternatives.map((bounds) => limitOf(bounds, column, side))
    if (limits.some((limit) => limit === null)) return null
    const numbers = limits.filter((limit) => limit !== null)
    return side === 'from' ? Math.min(...numbers) : Math.max(...numbers)
  }
  const window = {
    startFromMs: widest('WINDOWSTART', 'from'),
    startToMs: widest('WINDOWSTART', 'to'),
    endFromMs: widest('WINDOWEND', 'from'),
    endToMs: widest('WINDOWEND', 'to'),
  }
  return Object.values(window).every((bound) => bound === null) ? null : window
}

/** The tightest inclusive limit one conjunction sets, in epoch ms. */
function limitOf(bounds: readonly Bound[], column: string, side: 'from' | 'to'): number | null {
  const limits = bounds
    .filter((b) => b.column === column)
    .flatMap(({ op, values }) => {
      const numbers = values.map(Number)
      if (numbers.length === 0) return []
      if (op === '=') return [side === 'from' ? Math.min(...numbers) : Math.max(...numbers)]
      if (side === 'from') return op === '>' ? [numbers[0]! + 1] : op === '>=' ? [numbers[0]!] : []
      return op === '<' ? [numbers[0]! - 1] : op === '<=' ? [numbers[0]!] : []
    })
  if (limits.length === 0) return null
  return side === 'from' ? Math.max(...limits) : Math.min(...limits)
}
