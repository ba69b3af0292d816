import { NotSupportedError, SqlError } from '../../base/errors.ts'
import { canImplicitlyCast } from '../../functions/cast.ts'
import type { InsertSelect } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import type { Expr } from '../../plan/expression.ts'
import type { PlanNode, ProjectNode } from '../../plan/plan-node.ts'
import { printSchema } from '../../plan/schema.ts'
import { sameType } from '../../plan/sql-type.ts'
import type { InsertSelectStatement } from '../ast.ts'
import { coerce } from './coerce.ts'
import type { PrepareContext } from './context.ts'
import { sinkOf } from './create-as.ts'
import { planQuery } from './plan-query.ts'
import { Properties } from './properties.ts'
import { refuseOwnTopic } from './topic.ts'
import { findSource } from './query-sources.ts'

const RESERVED_PREFIXES = ['INSERTQUERY_', 'CSAS_', 'CTAS_', 'CST_', 'ALERT_']

/** INSERT INTO … SELECT: a further query writing to an existing stream. */
export function prepareInsertSelect(statement: InsertSelectStatement, context: PrepareContext): InsertSelect {
  const into = findSource(statement.target, context)
  const refuse = (code: string, message: string): never => {
    throw new SqlError(code, { message, at: statement.target.at })
  }
  if (into.kind === 'table') {
    refuse(
      'SQL_INSERT_INTO_TABLE',
      `INSERT INTO … SELECT writes to streams only, but ${into.name} is a table.`,
    )
  }
  if (into.readOnly) refuse('SQL_READ_ONLY', `The stream ${into.name} is read-only.`)
  if (into.headers.length > 0) {
    refuse('SQL_INSERT_HEADER', `${into.name} has header columns, which a query can't fill.`)
  }
  refuseOwnTopic(into.topic, statement.target.at, context)
  const properties = new Properties(statement.properties, ['QUERY_ID'], statement.at)
  const planned = planQuery(statement.query, { kind: 'sink', name: into.name, what: 'INSERT INTO' }, context)
  if (planned.output !== 'stream') {
    throw new SqlError('SQL_RESULT_KIND', {
      message: `The query's result is a table, but ${into.name} is a stream.`,
      at: statement.query.at,
    })
  }
  const root = fitTo(planned.root, into, statement)
  for (const spec of [into.keyFormat, into.valueFormat]) {
    if (context.formats.describe(spec.name)?.executable !== true) {
      throw new NotSupportedError(`The format ${spec.name}`, statement.target.at)
    }
  }
  return {
    kind: 'insert-select',
    queryId: queryId(properties, context),
    into: into.name,
    plan: { version: 1, root, sink: sinkOf(into), limit: null },
    statement: statement.text,
  }
}

/** The query's result with the types of the target, which must have the same columns in the same order. */
function fitTo(root: PlanNode, into: DataSource, statement: InsertSelectStatement): PlanNode {
  const target = into.schema.columns
  const given = root.schema.columns
  const fits =
    given.length === target.length &&
    given.every((column, i) => {
      const wanted = target[i]!
      const sameKind = column.name === wanted.name && column.role === wanted.role
      return (
        sameKind &&
        (column.role === 'key'
          ? sameType(column.type, wanted.type)
          : canImplicitlyCast(column.type, wanted.type))
      )
    })
  const sameWindow = (root.windowed?.type ?? null) === (into.windowedKey?.type ?? null)
  if (!fits || !sameWindow) {
    throw new SqlError('SQL_INSERT_SCHEMA', {
      message: `The query's columns don't fit ${into.name}: they are ${printSchema(root.schema)}, and ${into.name} has ${printSchema(into.schema)}.`,
      at: statement.query.at,
      hint: 'Names, order and key columns must be the same.',
    })
  }
  if (given.every((column, i) => sameType(column.type, target[i]!.type))) return root
  const node: ProjectNode = {
    kind: 'project',
    input: root,
    columns: given.map((c, i): Expr =>
      coerce({ kind: 'column', name: c.name, type: c.type }, target[i]!.type),
    ),
    schema: into.schema,
    output: root.output,
    windowed: root.windowed,
  }
  return node
}

function queryId(properties: Properties, context: PrepareContext): string {
  const written = properties.text('QUERY_ID')
  if (written === undefined) return `INSERTQUERY_${context.catalog.nextQueryNumber()}`
  const id = written.trim().toUpperCase()
  if (!/^[A-Z0-9_]+$/.test(id)) throw properties.invalid('QUERY_ID', 'letters, digits and _')
  const reserved = RESERVED_PREFIXES.find((prefix) => id.startsWith(prefix))
  if (reserved !== undefined) {
    throw new SqlError('SQL_INVALID_PROPERTY', {
      message: `A QUERY_ID can't start with ${reserved}, which names queries of its own.`,
      at: properties.place('QUERY_ID'),
    })
  }
  if (context.catalog.queryIds().includes(id)) {
    throw new SqlError('SQL_QUERY_EXISTS', {
      message: `There is already a query ${id}.`,
      at: properties.place('QUERY_ID'),
    })
  }
  return id
}
