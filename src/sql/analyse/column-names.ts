import type { Expression } from '../ast.ts'

/**
 * Names for result columns that have none: `KSQL_COL_<n>` for expressions, the field's name for `a->b`.
 *
 * Numbers that columns of the sources already use are skipped; the counter advances with each name given.
 */
export class ColumnNames {
  readonly #taken: ReadonlySet<string>
  #nextColumn = 0
  readonly #nextField = new Map<string, number>()

  /** @param taken  names of all columns of the query's sources */
  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken)
  }

  nameFor(expression: Expression): string {
    return expression.kind === 'field' ? this.#fieldName(expression.field.name) : this.#columnName()
  }

  #columnName(): string {
    while (this.#taken.has(`KSQL_COL_${this.#nextColumn}`)) this.#nextColumn++
    return `KSQL_COL_${this.#nextColumn++}`
  }

  #fieldName(field: string): string {
    for (;;) {
      const number = this.#nextField.get(field) ?? 0
      this.#nextField.set(field, number + 1)
      const name = number === 0 ? field : `${field}_${number}`
      if (!this.#taken.has(name)) return name
    }
  }
}
