import type { SqlType } from './sql-type.ts'
import type { SqlValue } from './sql-value.ts'

/**
 * A typed, resolved expression: names are bound, overloads chosen, implicit conversions written out as
 * casts. Plain data. Semantics of null and errors: a comparison with null is false; every other operand
 * that is null makes the result null unless the kind says otherwise; an expression that fails is null
 * and is reported (see the dialect reference, section 7).
 */
export type Expr =
  | Literal
  /** A column of the input's schema by name, or a pseudo column. */
  | { readonly kind: 'column'; readonly name: string; readonly type: SqlType }
  /** A lambda's parameter by its unique name within the expression. */
  | { readonly kind: 'parameter'; readonly name: string; readonly type: SqlType }
  /** + - * / %: operands already of one numeric type, except that DECIMALs keep their own precision and scale. `+` also on two STRINGs. */
  | {
      readonly kind: 'arithmetic'
      readonly op: ArithmeticOp
      readonly left: Expr
      readonly right: Expr
      readonly type: SqlType
    }
  | { readonly kind: 'negate'; readonly operand: Expr; readonly type: SqlType }
  /** Operands of one comparable type (casts inserted). Null-aware only for the distinct forms. */
  | {
      readonly kind: 'comparison'
      readonly op: ComparisonOp
      readonly left: Expr
      readonly right: Expr
      readonly type: SqlType
    }
  | {
      readonly kind: 'logical'
      readonly op: 'AND' | 'OR'
      readonly left: Expr
      readonly right: Expr
      readonly type: SqlType
    }
  | { readonly kind: 'not'; readonly operand: Expr; readonly type: SqlType }
  | { readonly kind: 'is-null'; readonly operand: Expr; readonly negated: boolean; readonly type: SqlType }
  /** Equal to one of the items; a null operand gives false. Items are of the operand's type. */
  | {
      readonly kind: 'in'
      readonly operand: Expr
      readonly items: readonly Expr[]
      readonly negated: boolean
      readonly type: SqlType
    }
  | {
      readonly kind: 'like'
      readonly operand: Expr
      readonly pattern: Expr
      readonly escape: string | null
      readonly negated: boolean
      readonly type: SqlType
    }
  /** Searched CASE: branches are evaluated lazily, in order; no `otherwise` means null. */
  | {
      readonly kind: 'case'
      readonly branches: readonly CaseBranch[]
      readonly otherwise: Expr | null
      readonly type: SqlType
    }
  | { readonly kind: 'cast'; readonly operand: Expr; readonly type: SqlType }
  /** `operand[index]`: an ARRAY by 1-based (or negative) position, or a MAP by key. */
  | { readonly kind: 'subscript'; readonly operand: Expr; readonly index: Expr; readonly type: SqlType }
  /** `operand->field` of a STRUCT, by position in its type. */
  | {
      readonly kind: 'field'
      readonly operand: Expr
      readonly field: string
      readonly fieldIndex: number
      readonly type: SqlType
    }
  | { readonly kind: 'array'; readonly items: readonly Expr[]; readonly type: SqlType }
  | {
      readonly kind: 'map'
      readonly entries: readonly { readonly key: Expr; readonly value: Expr }[]
      readonly type: SqlType
    }
  /** Fields in the order of the type. */
  | { readonly kind: 'struct'; readonly fields: readonly Expr[]; readonly type: SqlType }
  /** A scalar function: `function` and `signature` name one body in the registry. */
  | {
      readonly kind: 'call'
      readonly function: string
      readonly signature: number
      readonly args: readonly (Expr | Lambda)[]
      readonly type: SqlType
    }

/** An untyped NULL has type null until it is placed; afterwards the type of its place. */
export interface Literal {
  readonly kind: 'literal'
  readonly value: SqlValue
  readonly type: SqlType
}

export interface Lambda {
  readonly kind: 'lambda'
  readonly parameters: readonly { readonly name: string; readonly type: SqlType }[]
  readonly body: Expr
}

export interface CaseBranch {
  readonly when: Expr
  readonly then: Expr
}

export type ArithmeticOp = '+' | '-' | '*' | '/' | '%'
export type ComparisonOp = '=' | '<>' | '<' | '<=' | '>' | '>=' | 'IS DISTINCT FROM' | 'IS NOT DISTINCT FROM'

/** One aggregate of an aggregation: `function` and `signature` name one body in the registry. */
export interface AggregateCall {
  readonly function: string
  readonly signature: number
  /** Evaluated on each input row. COUNT(*) has none. */
  readonly args: readonly Expr[]
  /** Literal arguments after the columns, e.g. the k of TOPK. */
  readonly parameters: readonly SqlValue[]
  /** Name of the column that holds the result. */
  readonly name: string
  readonly type: SqlType
  /** What is kept per group; a function that would keep another type can't read what is stored. Absent: not checked. */
  readonly stateType?: SqlType
}

/** One table function (EXPLODE …) of a projection. */
export interface TableFunctionCall {
  readonly function: string
  readonly signature: number
  readonly args: readonly Expr[]
  readonly name: string
  readonly type: SqlType
}
