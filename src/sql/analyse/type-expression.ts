import { unreachable } from '../../base/assert.ts'
import { SqlError, type Position } from '../../base/errors.ts'
import { arithmeticTyping } from '../../functions/arithmetic.ts'
import { canCast } from '../../functions/cast.ts'
import { comparisonType } from '../../functions/comparison.ts'
import type { ArgumentType, FunctionRegistry } from '../../functions/function.ts'
import type { CaseBranch, ComparisonOp, Expr, Lambda } from '../../plan/expression.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  INTEGER,
  isNumeric,
  mapOf,
  printType,
  sameType,
  STRING,
  structOf,
  type SqlType,
} from '../../plan/sql-type.ts'
import type * as ast from '../ast.ts'
import { printExpression } from '../print-expression.ts'
import { coerce } from './coerce.ts'
import { typeLiteral } from './literals.ts'
import { magicTimestampMs } from './magic-timestamp.ts'
import { functionElsewhere } from './known-elsewhere.ts'
import { didYouMean, nearestOrAll } from './nearest-name.ts'
import { placed } from './placed.ts'
import { resolveType, type TypeNames } from './resolve-type.ts'
import type { Scope } from './scope.ts'
import { unify, type Element } from './unify.ts'
import { isUntypedNull, settleNull, typeOf, UNTYPED_NULL } from './untyped-null.ts'

/** What typing an expression needs to know of its surroundings. */
export interface TypingContext {
  readonly scope: Scope
  readonly functions: FunctionRegistry
  readonly types: TypeNames
  /** The place in words, `WHERE`: for errors. */
  readonly clause: string
  /** Asked first for every node: what stands for it (group expressions, aggregates), or undefined. */
  readonly replace?: ((node: ast.Expression, context: TypingContext) => Expr | undefined) | undefined
  readonly parameters?: ReadonlyMap<string, Expr> | undefined
}

/** Names bound, overloads chosen, conversions written out. @throws SqlError with the place of what is wrong */
export function typeExpression(node: ast.Expression, context: TypingContext): Expr {
  const replaced = context.replace?.(node, context)
  if (replaced !== undefined) return replaced
  switch (node.kind) {
    case 'string':
    case 'integer':
    case 'decimal':
    case 'double':
    case 'boolean':
    case 'null':
    case 'typed-literal':
      return typeLiteral(node)
    case 'column':
      return typeColumn(node, context)
    case 'unary':
      return typeUnary(node, context)
    case 'arithmetic':
      return typeArithmetic(node, context)
    case 'concat':
      return typeCallOf('CONCAT', [node.left, node.right], node.at, context)
    case 'comparison':
      return typeComparison(node.op, node.left, node.right, node.at, context)
    case 'logical': {
      const left = typeCondition(node.left, context)
      const right = typeCondition(node.right, context)
      return { kind: 'logical', op: node.op, left, right, type: BOOLEAN }
    }
    case 'not':
      return { kind: 'not', operand: typeCondition(node.operand, context), type: BOOLEAN }
    case 'between': {
      const low = typeComparison('>=', node.operand, node.low, node.at, context)
      const high = typeComparison('<=', node.operand, node.high, node.at, context)
      const both: Expr = { kind: 'logical', op: 'AND', left: low, right: high, type: BOOLEAN }
      return node.negated ? { kind: 'not', operand: both, type: BOOLEAN } : both
    }
    case 'in':
      return typeIn(node, context)
    case 'like':
      return typeLike(node, context)
    case 'is-null': {
      const operand = settleNull(typeExpression(node.operand, context))
      return { kind: 'is-null', operand, negated: node.negated, type: BOOLEAN }
    }
    case 'case':
      return typeCase(node, context)
    case 'cast':
      return typeCast(node, context)
    case 'at-time-zone':
      throw new SqlError('SQL_AT_TIME_ZONE', {
        message: 'AT TIME ZONE is not part of the dialect.',
        at: node.at,
        hint: "Use CONVERT_TZ(timestamp, 'from', 'to').",
      })
    case 'subscript':
      return typeSubscript(node, context)
    case 'field':
      return typeField(typeExpression(node.operand, context), node)
    case 'array': {
      if (node.items.length === 0) {
        throw new SqlError('SQL_EMPTY_CONSTRUCTOR', {
          message: 'An ARRAY must have at least one element: without one it has no type.',
          at: node.at,
          hint: 'Write CAST(NULL AS ARRAY<type>) for none at all.',
        })
      }
      const unified = unify(elementsOf(node.items, context))
      if (unified === null) {
        throw new SqlError('SQL_UNTYPED_CONSTRUCTOR', {
          message: 'An ARRAY of nothing but NULL has no type.',
          at: node.at,
          hint: 'Write one element as CAST(NULL AS type).',
        })
      }
      return { kind: 'array', items: unified.items, type: arrayOf(unified.type) }
    }
    case 'map':
      return typeMap(node, context)
    case 'struct':
      return typeStruct(node, context)
    case 'call':
      return typeCall(node, context)
    case 'lambda':
      throw new SqlError('SQL_MISPLACED_LAMBDA', {
        message: 'A lambda can only be an argument of a function that takes one.',
        at: node.at,
      })
    case 'time-unit':
      throw new SqlError('SQL_TYPE_MISMATCH', {
        message: `${node.unit} is a unit of time, which is no value.`,
        at: node.at,
      })
    case 'parameter':
      throw new SqlError('SQL_PARAMETER_UNBOUND', {
        message: `The parameter ${printExpression(node)} has no value.`,
        at: node.at,
        hint: 'Give values with the text: query(text, { parameters: […] }), or { parameters: { name: … } }.',
      })
    default:
      return unreachable(node)
  }
}

/** An expression that must be a BOOLEAN: WHERE, HAVING, operands of AND. */
export function typeCondition(node: ast.Expression, context: TypingContext): Expr {
  const expr = typeExpression(node, context)
  if (typeOf(expr)?.kind === 'BOOLEAN') return expr
  throw new SqlError('SQL_NOT_A_CONDITION', {
    message: `The ${context.clause} condition needs a BOOLEAN, but ${printExpression(node)} is ${nameOfType(expr)}.`,
    at: node.at,
    hint: conditionHint(printExpression(node), typeOf(expr)),
  })
}

function conditionHint(written: string, type: SqlType | null): string | undefined {
  if (type === null) return undefined
  if (isNumeric(type)) return `Compare it: ${written} <> 0, or ${written} IS NOT NULL.`
  return type.kind === 'STRING'
    ? `Compare it: ${written} = 'text', or CAST it to BOOLEAN.`
    : `Compare it, or write ${written} IS NOT NULL.`
}

function nameOfType(expr: Expr): string {
  const type = typeOf(expr)
  return type === null ? 'NULL' : printType(type)
}

function typeColumn(node: ast.ColumnReference, context: TypingContext): Expr {
  if (node.source === null) {
    const parameter = context.parameters?.get(node.name.name)
    if (parameter !== undefined) return parameter
  }
  const column = context.scope.resolve(node)
  return { kind: 'column', name: column.name, type: column.type }
}

function typeUnary(node: ast.UnaryExpression, context: TypingContext): Expr {
  const operand = typeExpression(node.operand, context)
  const type = typeOf(operand)
  if (type === null || !isNumeric(type)) {
    throw new SqlError('SQL_NOT_A_NUMBER', {
      message: `${node.op}${printExpression(node.operand)} needs a number, but the operand is ${nameOfType(operand)}.`,
      at: node.at,
    })
  }
  return node.op === '+' ? operand : { kind: 'negate', operand, type }
}

function typeArithmetic(node: ast.ArithmeticExpression, context: TypingContext): Expr {
  const left = typeExpression(node.left, context)
  const right = typeExpression(node.right, context)
  const leftType = typeOf(left)
  const rightType = typeOf(right)
  if (leftType === null || rightType === null) {
    throw new SqlError('SQL_NULL_OPERAND', {
      message: `The result of ${node.op} with NULL is always NULL.`,
      at: node.at,
      hint: 'Remove the NULL, or write CAST(NULL AS type).',
    })
  }
  const types = arithmeticTyping(node.op, leftType, rightType)
  if (types === null) {
    throw new SqlError('SQL_TYPE_MISMATCH', {
      message: `${printExpression(node)} can't be computed: the types are ${printType(leftType)} and ${printType(rightType)}.`,
      at: node.at,
      hint: arithmeticHint(leftType, rightType),
    })
  }
  return {
    kind: 'arithmetic',
    op: node.op,
    left: coerce(left, types.left),
    right: coerce(right, types.right),
    type: types.result,
  }
}

function arithmeticHint(left: SqlType, right: SqlType): string | undefined {
  const kinds = [left.kind, right.kind]
  if (kinds.includes('DATE')) return 'DATEADD(DAYS, 1, date) and DATESUB count with dates.'
  if (kinds.includes('TIMESTAMP'))
    return 'TIMESTAMPADD(HOURS, 1, timestamp) and TIMESTAMPSUB count with timestamps.'
  if (kinds.includes('TIME')) return 'TIMEADD(MINUTES, 1, time) and TIMESUB count with times.'
  return kinds.includes('STRING') ? 'CAST the text to a number, or the number to STRING.' : undefined
}

const TIME_COLUMNS = new Set(['ROWTIME', 'WINDOWSTART', 'WINDOWEND'])

function typeComparison(
  op: ComparisonOp,
  leftNode: ast.Expression,
  rightNode: ast.Expression,
  at: Position,
  context: TypingContext,
): Expr {
  const left = timeTextOr(leftNode, rightNode, context)
  const right = timeTextOr(rightNode, leftNode, context)
  if (isUntypedNull(left) || isUntypedNull(right)) {
    const other = printExpression(isUntypedNull(left) ? rightNode : leftNode)
    throw new SqlError('SQL_COMPARISON_WITH_NULL', {
      message: `${other} ${op} NULL is never true: a comparison with NULL is refused.`,
      at,
      hint: `Write ${other} IS ${op === '<>' || op === 'IS DISTINCT FROM' ? 'NOT ' : ''}NULL.`,
    })
  }
  const common = comparisonType(op, left.type, right.type)
  if (common === null) {
    throw new SqlError('SQL_NOT_COMPARABLE', {
      message: `${printExpression(leftNode)} (${printType(left.type)}) can't be compared with ${printExpression(rightNode)} (${printType(right.type)}) by ${op}.`,
      at,
      hint: 'An explicit CAST may help.',
    })
  }
  return {
    kind: 'comparison',
    op,
    left: comparable(left, common),
    right: comparable(right, common),
    type: BOOLEAN,
  }
}

/** DECIMALs compare by value, whatever their scales. */
function comparable(expr: Expr, common: SqlType): Expr {
  return common.kind === 'DECIMAL' && expr.type.kind === 'DECIMAL' ? expr : coerce(expr, common)
}

/** A bare string literal next to ROWTIME and the like is a point in time. */
function timeTextOr(node: ast.Expression, other: ast.Expression, context: TypingContext): Expr {
  if (node.kind === 'string' && other.kind === 'column' && TIME_COLUMNS.has(other.name.name)) {
    return { kind: 'literal', value: magicTimestampMs(node), type: BIGINT }
  }
  return typeExpression(node, context)
}

function typeIn(node: ast.InExpression, context: TypingContext): Expr {
  const operand = elementOf(node.operand, context)
  const items = elementsOf(node.items, context).filter((e) => !isUntypedNull(e.expr))
  const unified = unify([operand, ...items])
  if (unified === null) return { kind: 'literal', value: node.negated, type: BOOLEAN }
  const [value, ...list] = unified.items
  return { kind: 'in', operand: value!, items: list, negated: node.negated, type: BOOLEAN }
}

function elementsOf(nodes: readonly ast.Expression[], context: TypingContext): Element[] {
  return nodes.map((item) => elementOf(item, context))
}

function elementOf(node: ast.Expression, context: TypingContext): Element {
  return { expr: typeExpression(node, context), at: node.at, text: printExpression(node) }
}

function typeLike(node: ast.LikeExpression, context: TypingContext): Expr {
  const operand = typeExpression(node.operand, context)
  const pattern = typeExpression(node.pattern, context)
  for (const [expr, part] of [
    [operand, node.operand],
    [pattern, node.pattern],
  ] as const) {
    if (typeOf(expr)?.kind !== 'STRING') {
      throw new SqlError('SQL_TYPE_MISMATCH', {
        message: `LIKE needs STRINGs, but ${printExpression(part)} is ${nameOfType(expr)}.`,
        at: part.at,
      })
    }
  }
  if (node.escape !== null && node.escape.value.length !== 1) {
    throw new SqlError('SQL_INVALID_ESCAPE', {
      message: `ESCAPE takes one character, got '${node.escape.value}'.`,
      at: node.escape.at,
    })
  }
  return {
    kind: 'like',
    operand,
    pattern,
    escape: node.escape?.value ?? null,
    negated: node.negated,
    type: BOOLEAN,
  }
}

function typeCase(node: ast.CaseExpression, context: TypingContext): Expr {
  if (node.operand !== null) {
    throw new SqlError('SQL_SIMPLE_CASE', {
      message: 'CASE with an operand is not part of the dialect.',
      at: node.at,
      hint: 'Write CASE WHEN operand = value THEN … END.',
    })
  }
  const branches = node.branches.map((b): CaseBranch => ({
    when: typeCondition(b.when, { ...context, clause: 'CASE' }),
    then: typeExpression(b.then, context),
  }))
  const otherwise = node.otherwise === null ? null : typeExpression(node.otherwise, context)
  const results =
    otherwise === null ? branches.map((b) => b.then) : [...branches.map((b) => b.then), otherwise]
  const typed = results.filter((r) => !isUntypedNull(r))
  const type = typed[0]?.type
  if (type === undefined) {
    throw new SqlError('SQL_UNTYPED_CASE', {
      message: 'All results of the CASE are NULL, so it has no type.',
      at: node.at,
    })
  }
  const odd = typed.find((r) => !sameType(r.type, type))
  if (odd !== undefined) {
    throw new SqlError('SQL_CASE_TYPES', {
      message: `All results of a CASE must have one type, but there are ${printType(type)} and ${printType(odd.type)}.`,
      at: node.at,
      hint: 'Use CAST to make them equal.',
    })
  }
  return {
    kind: 'case',
    branches: branches.map((b) => ({ when: b.when, then: coerce(b.then, type) })),
    otherwise: otherwise === null ? null : coerce(otherwise, type),
    type,
  }
}

function typeCast(node: ast.CastExpression, context: TypingContext): Expr {
  const type = resolveType(node.type, context.types)
  const operand = typeExpression(node.operand, context)
  if (isUntypedNull(operand)) return { kind: 'literal', value: null, type }
  if (!canCast(operand.type, type)) {
    throw new SqlError('SQL_INVALID_CAST', {
      message: `${/^[AI]/.test(operand.type.kind) ? 'An' : 'A'} ${printType(operand.type)} can't be cast to ${printType(type)}.`,
      at: node.at,
    })
  }
  return sameType(operand.type, type) ? operand : { kind: 'cast', operand, type }
}

function typeSubscript(node: ast.SubscriptExpression, context: TypingContext): Expr {
  const operand = typeExpression(node.operand, context)
  const index = typeExpression(node.index, context)
  const type = typeOf(operand)
  if (type?.kind === 'ARRAY') {
    if (index.type.kind !== 'INTEGER' && index.type.kind !== 'BIGINT') {
      throw new SqlError('SQL_TYPE_MISMATCH', {
        message: `A position in an ARRAY must be an INTEGER, but ${printExpression(node.index)} is ${nameOfType(index)}.`,
        at: node.index.at,
        hint: 'Positions count from 1, or with -1 from the end.',
      })
    }
    return { kind: 'subscript', operand, index: coerce(index, INTEGER), type: type.element }
  }
  if (type?.kind === 'MAP') {
    if (!isUntypedNull(index) && !canCast(index.type, type.key)) {
      throw new SqlError('SQL_TYPE_MISMATCH', {
        message: `The keys are ${printType(type.key)}, but ${printExpression(node.index)} is ${nameOfType(index)}.`,
        at: node.index.at,
      })
    }
    return { kind: 'subscript', operand, index: coerce(index, type.key), type: type.value }
  }
  throw new SqlError('SQL_TYPE_MISMATCH', {
    message: `Only an ARRAY or a MAP has elements, but ${printExpression(node.operand)} is ${nameOfType(operand)}.`,
    at: node.at,
  })
}

function typeField(operand: Expr, node: ast.FieldExpression): Expr {
  const type = typeOf(operand)
  if (type?.kind !== 'STRUCT') {
    throw new SqlError('SQL_TYPE_MISMATCH', {
      message: `Only a STRUCT has fields, but ${printExpression(node.operand)} is ${nameOfType(operand)}.`,
      at: node.at,
      hint:
        type?.kind === 'MAP'
          ? `The value of a key is ${printExpression(node.operand)}['${node.field.text}'].`
          : type?.kind === 'ARRAY'
            ? `The first element is ${printExpression(node.operand)}[1].`
            : type?.kind === 'STRING'
              ? "A field of a JSON text is EXTRACTJSONFIELD(text, '$.field')."
              : undefined,
    })
  }
  const fieldIndex = type.fields.findIndex((f) => f.name === node.field.name)
  if (fieldIndex < 0) {
    throw new SqlError('SQL_UNKNOWN_FIELD', {
      message: `${printExpression(node.operand)} has no field ${node.field.text}.`,
      at: node.field.at,
      hint: nearestOrAll(
        node.field.name,
        type.fields.map((f) => f.name),
        'Its fields are',
      ),
    })
  }
  const field = type.fields[fieldIndex]!
  return { kind: 'field', operand, field: field.name, fieldIndex, type: field.type }
}

function typeMap(node: ast.MapExpression, context: TypingContext): Expr {
  if (node.entries.length === 0) {
    throw new SqlError('SQL_EMPTY_CONSTRUCTOR', {
      message: 'A MAP must have at least one entry: without one it has no type.',
      at: node.at,
      hint: 'Write CAST(NULL AS MAP<STRING, type>) for none at all.',
    })
  }
  const keys = unify(
    elementsOf(
      node.entries.map((e) => e.key),
      context,
    ),
  )
  const values = unify(
    elementsOf(
      node.entries.map((e) => e.value),
      context,
    ),
  )
  if (keys === null || values === null) {
    throw new SqlError('SQL_UNTYPED_CONSTRUCTOR', {
      message: `A MAP with nothing but NULL ${keys === null ? 'keys' : 'values'} has no type.`,
      at: node.at,
      hint: 'Write one of them as CAST(NULL AS type).',
    })
  }
  return {
    kind: 'map',
    entries: keys.items.map((key, i) => ({ key, value: values.items[i]! })),
    type: mapOf(keys.type, values.type),
  }
}

function typeStruct(node: ast.StructExpression, context: TypingContext): Expr {
  const seen = new Set<string>()
  for (const { name } of node.fields) {
    if (seen.has(name.name)) {
      throw new SqlError('SQL_DUPLICATE_FIELD', {
        message: `The STRUCT has two fields named ${name.text}.`,
        at: name.at,
      })
    }
    seen.add(name.name)
  }
  const fields = node.fields.map((f) => settleNull(typeExpression(f.value, context)))
  const type = structOf(node.fields.map((f, i) => ({ name: f.name.name, type: fields[i]!.type })))
  return { kind: 'struct', fields, type }
}

function typeCall(node: ast.CallExpression, context: TypingContext): Expr {
  const name = node.name.name.toUpperCase()
  const kind = context.functions.kindOf(name)
  if (kind === undefined) {
    throw new SqlError('SQL_UNKNOWN_FUNCTION', {
      message: `There is no function ${node.name.text}.`,
      at: node.name.at,
      hint:
        functionElsewhere(name) ??
        didYouMean(name, context.functions.names()) ??
        'SHOW FUNCTIONS lists them.',
    })
  }
  if (kind === 'aggregate') {
    throw new SqlError('SQL_MISPLACED_AGGREGATE', {
      message: `${name} is an aggregate function and can't stand in ${context.clause}.`,
      at: node.at,
      hint: context.clause === 'WHERE' ? 'HAVING filters what is aggregated.' : undefined,
    })
  }
  if (kind === 'table') {
    throw new SqlError('SQL_MISPLACED_TABLE_FUNCTION', {
      message: `${name} is a table function and can't stand in ${context.clause}.`,
      at: node.at,
      hint:
        context.clause === 'WHERE'
          ? 'Select it in a sub-query, and filter what that gives: SELECT … FROM (SELECT …) WHERE ….'
          : undefined,
    })
  }
  if (node.star) {
    throw new SqlError('SQL_MISPLACED_STAR', {
      message: `${name}(*) is not possible: only aggregate functions take *.`,
      at: node.at,
    })
  }
  return typeCallOf(name, node.args, node.at, context)
}

const UNIT_FUNCTIONS = new Set(['DATEADD', 'DATESUB', 'TIMEADD', 'TIMESUB', 'TIMESTAMPADD', 'TIMESTAMPSUB'])
const UNITS: Readonly<Record<string, string>> = {
  DAY: 'DAYS',
  HOUR: 'HOURS',
  MINUTE: 'MINUTES',
  SECOND: 'SECONDS',
  MILLISECOND: 'MILLISECONDS',
}

/** A unit is a keyword, never a value; `DAY` and the like may be names of columns elsewhere. */
function typeUnit(node: ast.Expression, name: string): Expr {
  const unit =
    node.kind === 'time-unit'
      ? node.unit
      : node.kind === 'column' && node.source === null
        ? UNITS[node.name.name]
        : undefined
  if (unit !== undefined) return { kind: 'literal', value: unit, type: STRING }
  throw new SqlError('SQL_TYPE_MISMATCH', {
    message: `${name} begins with a unit of time, not with ${printExpression(node)}.`,
    at: node.at,
    hint: `Units are keywords without quotes: ${name}(DAYS, …); also HOURS, MINUTES, SECONDS and MILLISECONDS.`,
  })
}

function typeCallOf(
  name: string,
  nodes: readonly ast.Expression[],
  at: Position,
  context: TypingContext,
): Expr {
  const values = nodes.map((arg, i): Expr | null => {
    if (arg.kind === 'lambda') return null
    return i === 0 && UNIT_FUNCTIONS.has(name) ? typeUnit(arg, name) : typeExpression(arg, context)
  })
  const args = nodes.map((arg, i): ArgumentType =>
    arg.kind === 'lambda'
      ? {
          kind: 'lambda',
          arity: arg.parameters.length,
          typeBody: (types) => typeLambda(arg, types, context).body.type,
        }
      : { kind: 'value', type: typeOf(values[i]!) },
  )
  const resolved = placed(at, () => context.functions.resolveScalar(name, args))
  const typed = nodes.map((arg, i): Expr | Lambda => {
    if (arg.kind !== 'lambda') return coerce(values[i]!, resolved.arguments[i]!)
    const lambda = typeLambda(arg, resolved.lambdaParameters[i] ?? [], context)
    return { ...lambda, body: coerce(lambda.body, resolved.arguments[i]!) }
  })
  return {
    kind: 'call',
    function: resolved.function,
    signature: resolved.signature,
    args: typed,
    type: resolved.returns,
  }
}

function typeLambda(node: ast.LambdaExpression, types: readonly SqlType[], context: TypingContext): Lambda {
  const parameters = new Map(context.parameters ?? [])
  const own = node.parameters.map((p, i) => {
    const name = p.name
    if (parameters.has(name) || node.parameters.findIndex((q) => q.name === name) < i) {
      throw new SqlError('SQL_DUPLICATE_PARAMETER', {
        message: `The lambda parameter ${p.text} is already in use.`,
        at: p.at,
      })
    }
    if (context.scope.has(name)) {
      throw new SqlError('SQL_PARAMETER_IS_COLUMN', {
        message: `The lambda parameter ${p.text} has the name of a column.`,
        at: p.at,
        hint: 'Give the parameter another name.',
      })
    }
    return { name, type: types[i] ?? UNTYPED_NULL.type }
  })
  for (const p of own) parameters.set(p.name, { kind: 'parameter', name: p.name, type: p.type })
  const body = settleNull(typeExpression(node.body, { ...context, parameters }))
  return { kind: 'lambda', parameters: own, body }
}
