import { unreachable } from '../base/assert.ts'
import type { Row } from '../plan/sql-value.ts'
import type { PrintResult, RowsResult, StatementResult, StreamResult } from '../runtime/statement-result.ts'
import { FormatLines, printedJson, printedLine } from './record-text.ts'
import { ExpandedTable, rowCount, Table } from './table.ts'
import { styled, type Terminal } from './terminal.ts'
import { rowJson } from './value-text.ts'

export interface PrintOptions {
  /** One JSON object per row or record, and nothing else. */
  readonly json: boolean
  /** Rows one below the other. */
  readonly expanded?: boolean
  /** Ends queries that would go on. */
  readonly stop: AbortSignal
  /** Said when a running query has given no row for a while; undefined: nothing to say. */
  readonly whileWaiting?: () => string | undefined
}

/** Shows what a statement answered; for a running query, until it ends. @returns rows or records shown */
export async function printResult(
  result: StatementResult,
  terminal: Terminal,
  options: PrintOptions,
): Promise<number> {
  switch (result.kind) {
    case 'message':
      if (!options.json) terminal.out(`${result.message}\n`)
      return 0
    case 'text':
      if (options.json) terminal.out(`${JSON.stringify({ text: result.text })}\n`)
      else terminal.out(`${result.text.trimEnd()}\n`)
      return 0
    case 'rows':
      return printRows(result, terminal, options)
    case 'stream':
      return printStream(result, terminal, options)
    case 'print':
      return printRecords(result, terminal, options)
    default:
      return unreachable(result)
  }
}

function printRows(result: RowsResult, terminal: Terminal, options: PrintOptions): number {
  const { schema, rows, notes } = result
  if (options.json) {
    terminal.out(rows.map((row) => `${rowJson(schema, row)}\n`).join(''))
    return rows.length
  }
  const table = options.expanded === true ? new ExpandedTable(schema, terminal) : new Table(schema, terminal)
  if (schema.columns.length > 0) {
    table.write(rows)
    table.end()
    terminal.out(`${styled(terminal, 'dim', rowCount(rows.length))}\n`)
  }
  for (const note of notes) terminal.out(`${note}\n`)
  return rows.length
}

/** Rows are written in groups: those that come within this time line up with each other. */
const GROUP_MS = 25
const WAITING_MS = 3000

async function printStream(result: StreamResult, terminal: Terminal, options: PrintOptions): Promise<number> {
  const { rows: stream } = result
  const { schema } = stream
  const table = options.expanded === true ? new ExpandedTable(schema, terminal) : new Table(schema, terminal)
  const stopQuery = (): void => void stream.close()
  options.stop.addEventListener('abort', stopQuery, { once: true })
  let group: Row[] = []
  let deleted = new Set<number>()
  let timer: NodeJS.Timeout | undefined
  let count = 0
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (group.length === 0) return
    if (options.json) {
      terminal.out(
        group.map((row, i) => `${rowJson(schema, row, deleted.has(i) ? ',"@deleted":true' : '')}\n`).join(''),
      )
    } else {
      table.write(group, deleted)
    }
    group = []
    deleted = new Set()
  }
  const waiting = setInterval(() => {
    const text = count > 0 || options.json ? undefined : options.whileWaiting?.()
    clearInterval(waiting)
    if (text !== undefined) terminal.err(`${styled(terminal, 'dim', text)}\n`)
  }, WAITING_MS)
  try {
    if (options.stop.aborted) stopQuery()
    for await (const row of stream.rows()) {
      if (row.isDeletion) deleted.add(group.length)
      group.push(row.values)
      count++
      if (group.length >= GROUP_ROWS_MAX) flush()
      else timer ??= setTimeout(flush, GROUP_MS)
    }
  } finally {
    clearInterval(waiting)
    options.stop.removeEventListener('abort', stopQuery)
    flush()
  }
  if (!options.json) {
    table.end()
    if (terminal.isInteractive) terminal.out(`${styled(terminal, 'dim', rowCount(count))}\n`)
  }
  return count
}

const GROUP_ROWS_MAX = 1000

async function printRecords(result: PrintResult, terminal: Terminal, options: PrintOptions): Promise<number> {
  let count = 0
  const formats = new FormatLines()
  const records = result.records[Symbol.asyncIterator]()
  const stopped = new Promise<'stopped'>((resolve) => {
    if (options.stop.aborted) resolve('stopped')
    options.stop.addEventListener('abort', () => resolve('stopped'), { once: true })
  })
  for (;;) {
    const step = await Promise.race([records.next(), stopped])
    if (step === 'stopped') {
      void records.return?.() // a pending next() may hold it back; the reader ends with the process at the latest
      break
    }
    if (step.done === true) break
    if (options.json) terminal.out(`${printedJson(step.value)}\n`)
    else {
      for (const line of formats.linesFor(step.value)) terminal.out(`${styled(terminal, 'dim', line)}\n`)
      terminal.out(`${printedLine(step.value)}\n`)
    }
    count++
  }
  return count
}
