import type { Clock } from '../base/clock.ts'
import { SqlError } from '../base/errors.ts'
import type { CompileContext } from '../engine/compile/cursor.ts'
import type { Format } from '../formats/format.ts'
import type { SchemaRegistry } from '../formats/schema-registry.ts'
import type { FunctionContext } from '../functions/function.ts'
import type { ProducerRecord } from '../log/log.ts'
import type { AssertRow, Command, PullQuery, PushQuery } from '../plan/command.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { FormatRules } from '../plan/format-rules.ts'
import type { Expr } from '../plan/expression.ts'
import { printAggregate, printName, printWith } from '../plan/print-expression.ts'
import { printPlan } from '../plan/print.ts'
import type { Row } from '../plan/sql-value.ts'
import type { Statement } from '../sql/ast.ts'
import { bindParameters, type Parameters } from '../sql/bind-parameters.ts'
import { withPlace } from '../sql/analyse/placed.ts'
import { parseStatements } from '../sql/parse.ts'
import { subjectPlace } from '../sql/subject-place.ts'
import { assertSchema, assertTopic } from './assertions.ts'
import { effectsOf, type Effects } from './effects.ts'
import { formatRulesOver } from './format-rules.ts'
import { recordsToInsert } from './insert-values.ts'
import { prepareStatement } from './prepare-statement.ts'
import type { RowStream } from './row-stream.ts'
import { forgetQuerySchemas, forgetSchemas, loadSchemasOf, registerSchemas } from './statement-schemas.ts'
import { checkSetting, checkSettingName, settingName } from './settings.ts'
import {
  describe,
  describeAll,
  describeFunction,
  explainQuery,
  show,
  type Listing,
  type Shown,
} from './show.ts'
import type { PrintedRecord, StatementResult } from './statement-result.ts'

/** What running statements needs of whoever owns the log and the queries. */
export interface StatementHost extends Omit<Shown, 'settings' | 'variables'> {
  readonly clock: Clock
  /** A topic with another number of partitions than a statement asks for is used as it is (test driver). */
  readonly keepExistingPartitions: boolean
  readonly registry: SchemaRegistry
  readonly formatOf: (name: FormatName) => Format | undefined
  functionContext(settings: ReadonlyMap<string, string>): FunctionContext
  /** Makes the effects durable in one commit, then starts and stops queries. */
  apply(effects: Effects): Promise<void>
  /** All in one commit, or none. Resolves when they are durable. */
  append(records: readonly ProducerRecord[]): Promise<void>
  /** Ends a running push query; false if there is none of this id. */
  endPushQuery(id: string): Promise<boolean>
  pull(query: PullQuery, context: CompileContext): Promise<readonly Row[]>
  push(query: PushQuery, settings: ReadonlyMap<string, string>): RowStream
  /** @returns what to say about it @throws SqlError `SQL_ASSERTION_FAILED` */
  assertRow(command: AssertRow, context: CompileContext): Promise<string>
  print(command: Extract<Command, { kind: 'print' }>): AsyncIterable<PrintedRecord>
}

/** Settings and variables that outlive a statement: SET, UNSET and DEFINE change them. */
export interface Session {
  readonly settings: Map<string, string>
  readonly variables: Map<string, string>
}

/** The longest text of statements taken, in UTF-16 code units. */
const TEXT_UNITS_MAX = 4 * 1024 * 1024

/** Runs statements one after the other, each against the catalog as the ones before it left it. */
export class StatementRunner {
  readonly #host: StatementHost

  readonly #formats: FormatRules

  constructor(host: StatementHost) {
    this.#host = host
    this.#formats = formatRulesOver(host.registry)
  }

  /**
   * Parses the whole text, then runs its statements in order.
   *
   * @throws SqlError of the first statement refused; the ones before it stay done
   */
  async run(
    text: string,
    session: Session,
    onResult?: (result: StatementResult) => void,
    parameters?: Parameters,
  ): Promise<StatementResult[]> {
    if (text.length > TEXT_UNITS_MAX) {
      throw new SqlError('SQL_TEXT_TOO_LONG', {
        message: `The text has ${text.length} characters; one text of statements may have ${TEXT_UNITS_MAX}.`,
        hint: 'Run the statements in several parts.',
        stage: 'parse',
      })
    }
    const results: StatementResult[] = []
    const statements = parseStatements(text, { variables: session.variables })
    if (parameters !== undefined && statements.length > 1) {
      throw new SqlError('SQL_PARAMETER_PLACE', {
        message: 'Parameters belong to one statement, but the text has several.',
        at: statements[1]!.at,
      })
    }
    for (const statement of statements) {
      const bound = parameters === undefined ? statement : bindParameters(statement, parameters)
      const result = await this.runStatement(bound, session)
      results.push(result)
      onResult?.(result)
    }
    return results
  }

  /** What a statement means against the catalog as it is. */
  prepare(statement: Statement, session: Session): Command {
    return prepareStatement(statement, {
      catalog: this.#host.catalog,
      functions: this.#host.functions,
      functionContext: this.#host.functionContext(session.settings),
      formats: this.#formats,
      settings: session.settings,
      keepExistingPartitions: this.#host.keepExistingPartitions,
    })
  }

  async runStatement(statement: Statement, session: Session): Promise<StatementResult> {
    if (statement.kind === 'define') {
      session.variables.set(statement.name.name, statement.value.value)
      return { ...message(`The variable ${statement.name.text} is set.`), statement: statement.text }
    }
    if (statement.kind === 'undefine') {
      const isGone = session.variables.delete(statement.name.name)
      const { text } = statement.name
      const said = isGone ? `The variable ${text} is gone.` : `There was no variable ${text}.`
      return { ...message(said), statement: statement.text }
    }
    try {
      await loadSchemasOf(statement, this.#host.registry)
      const answer = await this.#execute(this.prepare(statement, session), session)
      return { ...answer, statement: statement.text }
    } catch (error) {
      throw withPlace(error, subjectPlace(statement))
    }
  }

  async #execute(command: Command, session: Session): Promise<Answer> {
    const host = this.#host
    const { settings } = session
    const shown: Shown = {
      catalog: host.catalog,
      functions: host.functions,
      settings,
      variables: session.variables,
      topics: () => host.topics(),
      offsetsIn: (topic) => host.offsetsIn(topic),
      recordsIn: (topic) => host.recordsIn(topic),
      queries: () => host.queries(),
      health: () => host.health(),
      pushQueries: () => host.pushQueries(),
      readCommitted: (id, range) => host.readCommitted(id, range),
    }
    switch (command.kind) {
      case 'nothing':
        return message(command.message)
      case 'set':
        return message(setSetting(settings, command.name, command.value))
      case 'unset':
        checkSettingName(command.name)
        settings.delete(settingName(command.name))
        return message(`The setting '${command.name}' has its default again.`)
      case 'insert-values':
        await registerSchemas(command, host)
        await host.append(recordsToInsert(command, this.#compileContext(session), host.formatOf, host.clock))
        return message(
          `${command.rows.length} row${command.rows.length === 1 ? '' : 's'} inserted into ${command.into.name}.`,
        )
      case 'pull-query':
        return {
          kind: 'rows',
          schema: command.schema,
          rows: await host.pull(command, this.#compileContext(session)),
          notes: [],
        }
      case 'push-query':
        return { kind: 'stream', rows: host.push(command, new Map(settings)) }
      case 'print':
        return { kind: 'print', records: host.print(command) }
      case 'assert-topic':
        return message(await assertTopic(command, () => host.topics(), host.clock))
      case 'assert-schema':
        return message(await assertSchema(command, host.registry, host.clock))
      case 'assert-row':
        return message(await host.assertRow(command, this.#compileContext(session)))
      case 'show':
        if (command.extended && (command.what === 'streams' || command.what === 'tables'))
          return describedAll(command.what, true, shown)
        return rows(await show(command.what, command.all, command.extended, shown))
      case 'describe':
        return rows(describe(command.name, command.extended, shown))
      case 'describe-all':
        return describedAll(command.what, command.extended, shown)
      case 'describe-function':
        return { kind: 'text', text: describeFunction(command.name, shown) }
      case 'explain-query':
        return { kind: 'text', text: explainQuery(command.id, shown) }
      case 'explain-statement':
        return { kind: 'text', text: explainCommand(command.command) }
      default: {
        if (command.kind === 'terminate' && command.id !== null && (await host.endPushQuery(command.id))) {
          return message(`Query ${command.id} terminated.`)
        }
        const effects = effectsOf(command, host.catalog, settings)
        await registerSchemas(command, host)
        await host.apply(effects)
        for (const topic of effects.deleteTopics) await forgetSchemas(topic, host.registry)
        for (const id of effects.end) await forgetQuerySchemas(id, host.registry)
        return { kind: 'message', message: effects.message, queryId: effects.queryId }
      }
    }
  }

  #compileContext(session: Session): CompileContext {
    return { functions: this.#host.functions, functionContext: this.#host.functionContext(session.settings) }
  }
}

/** A result without its statement's text. */
type Answer = StatementResult extends infer R
  ? R extends StatementResult
    ? Omit<R, 'statement'>
    : never
  : never

function message(text: string): Answer {
  return { kind: 'message', message: text, queryId: null }
}

/** @returns what to say about it */
function setSetting(settings: Map<string, string>, name: string, value: string): string {
  const why = checkSetting(name, value)
  if (why !== null) return `The setting '${name}' changes nothing here: ${why}.`
  settings.set(settingName(name), value)
  return `The setting '${name}' is now '${value}'.`
}

function rows(listing: Listing): Answer {
  return { kind: 'rows', ...listing }
}

function describedAll(what: 'streams' | 'tables', extended: boolean, shown: Shown): Answer {
  return { kind: 'text', text: describeAll(what, extended, shown).map(listingText).join('\n\n') }
}

/** A description as text: its name, its columns, what else there is to say. */
function listingText({ notes: [name, ...notes], rows: columns }: Listing): string {
  const texts = columns.map((row) => row.map(String))
  const width = Math.max(...texts.map(([column]) => column!.length))
  const lines = texts.map(([column, type]) => `  ${column!.padEnd(width)}  ${type}`)
  return [...(name === undefined ? [] : [name]), ...lines, ...notes].join('\n')
}

function explainCommand(command: Command): string {
  switch (command.kind) {
    case 'create-query':
    case 'insert-select':
    case 'create-alert':
    case 'push-query':
      return printPlan(command.plan)
    case 'create-source':
      return command.materialise === null
        ? `declare ${command.source.kind} ${command.source.name} over topic ${command.source.topic}`
        : printPlan(command.materialise.plan)
    case 'pull-query':
      return explainPull(command)
    default:
      return `${command.kind}: nothing to plan`
  }
}

/** In the order in which it happens, the last step first, as plans are printed. */
function explainPull(query: PullQuery): string {
  const { grouping, orderBy, limit, offset } = query
  const computed = new Map(grouping?.aggregates.map((a) => [a.name, printAggregate(a)]))
  const printExpression = (expr: Expr): string =>
    printWith(expr, (name) => computed.get(name) ?? printName(name))
  const order = orderBy.map(
    (o) =>
      `${printExpression(o.expr)}${o.descending ? ' DESC' : ''}${o.nullsFirst === o.descending ? '' : o.nullsFirst ? ' NULLS FIRST' : ' NULLS LAST'}`,
  )
  const steps = [
    ...(limit === null ? [] : [`limit ${limit}`]),
    ...(offset === 0 ? [] : [`offset ${offset}`]),
    ...(order.length === 0 ? [] : [`order by ${order.join(', ')}`]),
    ...(grouping === null
      ? []
      : [
          ...(grouping.having === null ? [] : [`filter ${printExpression(grouping.having)}`]),
          grouping.everything
            ? 'group everything'
            : `group by ${grouping.keys.map(printExpression).join(', ')}`,
        ]),
    ...(query.where === null ? [] : [`filter ${printExpression(query.where)}`]),
    query.derived === null
      ? `pull from ${query.source.kind} ${query.source.name} by ${query.access.kind}`
      : 'computed for this answer',
  ]
  const plan = query.derived === null ? [] : printPlan(query.derived).split('\n')
  return [
    ...steps.map((step, depth) => '  '.repeat(depth) + step),
    ...plan.map((line) => '  '.repeat(steps.length) + line),
  ].join('\n')
}
