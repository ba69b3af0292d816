import { SqlError } from '../../base/errors.ts'
import type { Command } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import type { QueryPlan } from '../../plan/plan-node.ts'
import { printSchema } from '../../plan/schema.ts'
import { sameType } from '../../plan/sql-type.ts'
import type { CreateAsStatement, CreateSourceStatement, Identifier } from '../ast.ts'
import { isOn, type PrepareContext } from './context.ts'

/** Checks that a new stream or table may have its name. Returns the command for IF NOT EXISTS that found one. */
export function checkNewName(
  statement: CreateSourceStatement | CreateAsStatement,
  context: PrepareContext,
): Command | null {
  const { name, what } = statement
  if (!/^[A-Za-z0-9_-]+$/.test(name.name)) {
    throw new SqlError('SQL_INVALID_NAME', {
      message: `${name.text} can't be the name of a ${what}: only letters, digits, _ and - are possible.`,
      at: name.at,
    })
  }
  if (statement.orReplace && !isOn(context.settings, 'ksql.create.or.replace.enabled', true)) {
    throw new SqlError('SQL_REPLACE_DISABLED', {
      message: "CREATE OR REPLACE is switched off by 'ksql.create.or.replace.enabled'.",
      at: name.at,
    })
  }
  const existing = context.catalog.source(name.name)
  if (existing === undefined) return null
  if (statement.ifNotExists) {
    return { kind: 'nothing', message: `The ${existing.kind} ${name.name} exists already.` }
  }
  if (statement.orReplace) {
    if (existing.kind === what) return null
    throw new SqlError('SQL_REPLACE_KIND', {
      message: `${name.text} is a ${existing.kind} and can't be replaced by a ${what}.`,
      at: name.at,
    })
  }
  throw new SqlError('SQL_SOURCE_EXISTS', {
    message: `There is already a ${existing.kind} named ${name.text}.`,
    at: name.at,
    hint: 'DROP it first, choose another name, or use CREATE OR REPLACE.',
  })
}

/** Checks that what exists under a name may become `next`: same topic, formats, keys; value columns only appended. */
export function checkReplacement(
  next: DataSource,
  _plan: QueryPlan | null,
  name: Identifier,
  context: PrepareContext,
): void {
  const old = context.catalog.source(name.name)
  if (old === undefined) return
  const refuse = (what: string): never => {
    throw new SqlError('SQL_REPLACE_DIFFERS', {
      message: `${name.text} can't be replaced: ${what}.`,
      at: name.at,
      hint: 'DROP it and create it anew.',
    })
  }
  if (old.readOnly || next.readOnly) refuse('it is read-only')
  if ((old.createdBy === null) !== (next.createdBy === null)) {
    refuse(
      old.createdBy === null
        ? 'it was declared and is not the result of a query'
        : 'it is the result of a query',
    )
  }
  if (old.topic !== next.topic) refuse(`its topic is ${old.topic}, not ${next.topic}`)
  if (!sameSpec(old.keyFormat, next.keyFormat)) refuse(`its key format is ${old.keyFormat.name}`)
  if (!sameSpec(old.valueFormat, next.valueFormat)) refuse(`its value format is ${old.valueFormat.name}`)
  if (JSON.stringify(old.timestamp) !== JSON.stringify(next.timestamp)) refuse('its TIMESTAMP column differs')
  if (JSON.stringify(old.windowedKey) !== JSON.stringify(next.windowedKey)) refuse('its windows differ')
  const oldKeys = old.schema.columns.filter((c) => c.role === 'key')
  const newKeys = next.schema.columns.filter((c) => c.role === 'key')
  const kept = old.schema.columns.every((column) => {
    const same = next.schema.columns.find((c) => c.name === column.name)
    return same !== undefined && same.role === column.role && sameType(same.type, column.type)
  })
  const inOrder = old.schema.columns
    .filter((c) => c.role === 'value')
    .every((c, i) => next.schema.columns.filter((n) => n.role === 'value')[i]?.name === c.name)
  if (oldKeys.length !== newKeys.length || !kept || !inOrder) {
    refuse(`its columns ${printSchema(old.schema)} may only get further value columns at the end`)
  }
}

function sameSpec(a: DataSource['keyFormat'], b: DataSource['keyFormat']): boolean {
  return a.name === b.name && JSON.stringify(a.properties) === JSON.stringify(b.properties)
}
