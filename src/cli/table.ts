import stringWidth from 'string-width'
import type { Schema } from '../plan/schema.ts'
import { isNumeric } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import { styled, type Terminal } from './terminal.ts'
import { cellText } from './value-text.ts'

/**
 * Rows under their columns' names, as they come: nobody knows how wide later cells will be.
 *
 * Widths start from the names and the first rows, and only grow; a row with a wider cell stands out of
 * line, the rows after it are in line again. On a terminal columns are divided by lines, elsewhere by two
 * blanks; numbers stand to the right.
 */
export class Table {
  readonly #schema: Schema
  readonly #terminal: Terminal
  readonly #widths: number[]
  readonly #isRight: readonly boolean[]
  #hasHeader = false

  constructor(schema: Schema, terminal: Terminal) {
    this.#schema = schema
    this.#terminal = terminal
    this.#widths = schema.columns.map((c) => stringWidth(c.name))
    this.#isRight = schema.columns.map((c) => isNumeric(c.type))
  }

  /** @param deleted  which of the rows, by index, tell that the row of their key is gone */
  write(rows: readonly Row[], deleted: ReadonlySet<number> = NONE): void {
    const cells = rows.map((row, r) =>
      this.#schema.columns.map((column, i) => {
        if (deleted.has(r) && column.role === 'value') return '-'
        return cellText(column.type, row[i] ?? null)
      }),
    )
    for (const row of cells) {
      row.forEach((cell, i) => (this.#widths[i] = Math.max(this.#widths[i]!, stringWidth(cell))))
    }
    if (!this.#hasHeader) this.#writeHeader()
    let text = ''
    cells.forEach((row, r) => {
      const line = this.#line(row)
      text += `${deleted.has(r) ? styled(this.#terminal, 'dim', line) : line}\n`
    })
    this.#terminal.out(text)
  }

  /** Ends the table: an empty one shows its columns too. */
  end(): void {
    if (!this.#hasHeader) this.#writeHeader()
  }

  #writeHeader(): void {
    this.#hasHeader = true
    if (this.#widths.length === 0) return
    const names = this.#schema.columns.map((c) => c.name)
    if (!this.#terminal.isInteractive) {
      this.#terminal.out(`${this.#line(names)}\n`)
      return
    }
    const header = names.map((name, i) => centred(name, this.#widths[i]!)).join(' | ')
    const rule = this.#widths.map((width) => '-'.repeat(width + 2)).join('+')
    this.#terminal.out(`${styled(this.#terminal, 'bold', ` ${header.trimEnd()}`)}\n${rule}\n`)
  }

  #line(cells: readonly string[]): string {
    const isInteractive = this.#terminal.isInteractive
    const padded = cells.map((cell, i) => {
      const blanks = ' '.repeat(Math.max(0, this.#widths[i]! - stringWidth(cell)))
      return this.#isRight[i] === true ? blanks + cell : cell + blanks
    })
    return `${isInteractive ? ' ' : ''}${padded.join(isInteractive ? ' | ' : '  ')}`.trimEnd()
  }
}

const NONE: ReadonlySet<number> = new Set()

function centred(text: string, width: number): string {
  const blanks = width - stringWidth(text)
  const left = blanks >> 1
  return ' '.repeat(left) + text + ' '.repeat(blanks - left)
}

/** Rows one below the other, a line per column (`\x`). */
export class ExpandedTable {
  readonly #schema: Schema
  readonly #terminal: Terminal
  readonly #nameWidth: number
  #count = 0

  constructor(schema: Schema, terminal: Terminal) {
    this.#schema = schema
    this.#terminal = terminal
    this.#nameWidth = Math.max(0, ...schema.columns.map((c) => stringWidth(c.name)))
  }

  write(rows: readonly Row[], deleted: ReadonlySet<number> = NONE): void {
    let text = ''
    rows.forEach((row, r) => {
      this.#count++
      const gone = deleted.has(r) ? ' deleted' : ''
      text += `${styled(this.#terminal, 'dim', `-[ ${this.#count}${gone} ]${'-'.repeat(this.#nameWidth)}`)}\n`
      this.#schema.columns.forEach((column, i) => {
        if (deleted.has(r) && column.role === 'value') return
        const name = column.name + ' '.repeat(this.#nameWidth - stringWidth(column.name))
        text += `${name} | ${cellText(column.type, row[i] ?? null)}\n`
      })
    })
    this.#terminal.out(text)
  }

  end(): void {}
}

/** "(1 row)", "(3 rows)" */
export function rowCount(count: number): string {
  return `(${count.toLocaleString('en')} ${count === 1 ? 'row' : 'rows'})`
}
