import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { parse } from 'csv-parse'
import { MillraceError } from '../base/errors.ts'
import type { NewRecord } from '../runtime/millrace.ts'

export interface InputOptions {
  readonly format: 'csv' | 'ndjson'
  /** Column or member whose text becomes the record's key; absent: no key. */
  readonly key?: string | undefined
  /** Column or member that holds the time: epoch ms or ISO 8601; absent: now. */
  readonly timestamp?: string | undefined
}

/** A line of an input file that cannot become a record. */
export class InputError extends MillraceError {
  override readonly name = 'InputError'
}

/** The records of a CSV or NDJSON text, in its order. @throws InputError naming the line */
export function readRecords(input: Readable, options: InputOptions): AsyncIterable<NewRecord> {
  return options.format === 'csv' ? csvRecords(input, options) : ndjsonRecords(input, options)
}

/** A file, or standard input. Fails before anything is done when there is no such file. */
export async function openInput(file: string | undefined): Promise<Readable> {
  if (file === undefined) return process.stdin
  const handle = await open(file)
  if (!(await handle.stat()).isDirectory()) return handle.createReadStream()
  await handle.close()
  throw new InputError('INPUT_IS_DIRECTORY', { message: `${file} is a directory, not a file.` })
}

/**
 * A CSV row becomes a JSON object by the header: a cell that is a JSON number becomes one, digit for
 * digit, an empty cell null, anything else a string.
 */
async function* csvRecords(input: Readable, options: InputOptions): AsyncIterable<NewRecord> {
  const parser = parse({ bom: true, info: true, skip_empty_lines: true })
  const rows = input.on('error', (error) => parser.destroy(error)).pipe(parser)
  let header: readonly string[] | undefined
  try {
    for await (const { record: cells, info } of rows as AsyncIterable<{
      record: string[]
      info: { lines: number }
    }>) {
      if (header === undefined) {
        header = checkedHeader(cells, options)
        continue
      }
      const place = `Line ${info.lines}`
      const members = header.map((name, i) => `${JSON.stringify(name)}:${cellJson(cells[i] ?? '')}`)
      const cellOf = (name: string): string => cells[header!.indexOf(name)] ?? ''
      yield {
        ...(options.key !== undefined && { key: cellOf(options.key) === '' ? null : cellOf(options.key) }),
        ...(options.timestamp !== undefined && {
          timestampMs: timestampFrom(cellOf(options.timestamp), options.timestamp, place),
        }),
        value: `{${members.join(',')}}`,
      }
    }
  } catch (error) {
    throw csvError(error)
  }
}

function checkedHeader(names: readonly string[], options: InputOptions): readonly string[] {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new InputError('INPUT_HEADER', { message: `The header names the column "${twice}" twice.` })
  for (const wanted of [options.key, options.timestamp]) {
    if (wanted === undefined || names.includes(wanted)) continue
    throw new InputError('INPUT_HEADER', {
      message: `The file has no column "${wanted}".`,
      hint: `Its columns are ${names.join(', ')}.`,
    })
  }
  return names
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function cellJson(cell: string): string {
  if (cell === '') return 'null'
  return JSON_NUMBER.test(cell) ? cell : JSON.stringify(cell)
}

function csvError(error: unknown): unknown {
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_')) {
    return new InputError('INPUT_CSV', { message: `The file is not CSV: ${error.message}.`, cause: error })
  }
  return error
}

/** A line is one JSON value and the record's value as it stands. */
async function* ndjsonRecords(input: Readable, options: InputOptions): AsyncIterable<NewRecord> {
  let number = 0
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++
    const text = number === 1 && line.startsWith('\uFEFF') ? line.slice(1) : line
    if (text.trim() === '') continue
    const place = `Line ${number}`
    const needed = options.key !== undefined || options.timestamp !== undefined
    const value = parseLine(text, place, needed)
    const member = (name: string): unknown => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new InputError('INPUT_JSON', { message: `${place} is no JSON object, so it has no "${name}".` })
      }
      return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : null
    }
    yield {
      ...(options.key !== undefined && { key: memberText(member(options.key)) }),
      ...(options.timestamp !== undefined && {
        timestampMs: timestampFrom(memberText(member(options.timestamp)) ?? '', options.timestamp, place),
      }),
      value: text,
    }
  }
}

/** @param exact  whether numbers are kept digit for digit, to be written again */
function parseLine(text: string, place: string, exact: boolean): unknown {
  try {
    return exact ? JSON.parse(text, asWritten) : JSON.parse(text)
  } catch (cause) {
    throw new InputError('INPUT_JSON', {
      message: `${place} is not JSON: ${(cause as Error).message}.`,
      cause,
    })
  }
}

/** Numbers that would lose digits: their text stands for them. */
function asWritten(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined || source === String(value)) return value
  const loses = /^-?\d+$/.test(source) || source.length > 17 || !Number.isFinite(value)
  return loses ? rawJson(source) : value
}

// Not yet in TypeScript's library; Node has it from 22 on.
const { rawJSON: rawJson } = JSON as typeof JSON & { readonly rawJSON: (text: string) => object }

function memberText(value: unknown): string | null {
  if (value === null) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const ISO_TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i

/** Epoch ms from ISO 8601, or null; a time without zone is UTC. */
export function isoTimeMs(text: string): number | null {
  const iso = ISO_TIME.exec(text)
  if (iso === null) return null
  const [, date, time = '00:00', zone = 'Z'] = iso
  const offset =
    zone.length === 3 ? `${zone}:00` : zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
  const ms = Date.parse(`${date}T${time}${offset.toUpperCase()}`)
  return Number.isNaN(ms) ? null : ms
}

/** Epoch ms from epoch ms or ISO 8601. */
export function timestampFrom(text: string, column: string, place: string): number {
  if (/^-?\d+(?:\.0+)?$/.test(text)) return Number(text)
  const ms = isoTimeMs(text)
  if (ms !== null) return ms
  throw new InputError('INPUT_TIMESTAMP', {
    message: `${place}: the column "${column}" holds "${text}", which is no time.`,
    hint: 'Times are epoch milliseconds or ISO 8601.',
  })
}
