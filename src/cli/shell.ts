import { readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { SqlError } from '../base/errors.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { splitStatements } from '../sql/lexer.ts'
import { parseAll } from '../sql/parse.ts'
import { complete } from './completion.ts'
import { errorText, EXIT } from './error-text.ts'
import type { ProblemNotes } from './problem-notes.ts'
import { printResult } from './result-printer.ts'
import { SCRIPT_DEPTH_MAX, scriptFile, scriptStatements, syntaxErrors, tooDeep } from './script.ts'
import { BACKSLASH_COMMANDS, FIRST_STEPS, SHELL_HELP, SHORTHANDS } from './shell-commands.ts'
import { whenStopped } from './stop-signal.ts'
import { styled, type Terminal } from './terminal.ts'
import { waitingText } from './waiting-text.ts'

export interface ShellOptions {
  readonly json: boolean
  readonly input?: Readable
  readonly output?: Writable
  /** null: no history is kept. Default: a file in the user's home. */
  readonly historyFile?: string | null
  /** Told before each prompt. */
  readonly problems?: ProblemNotes
  /** Ends the shell, as its user would. */
  readonly stop?: AbortSignal
}

/** Runs the interactive shell until its user leaves. @returns the exit code */
export function runShell(millrace: Millrace, terminal: Terminal, options: ShellOptions): Promise<number> {
  return new Shell(millrace, terminal, options).run()
}

const PROMPT = 'millrace> '
const PROMPT_MORE = '      ...> '
const HISTORY_ENTRIES_MAX = 1000

/**
 * The interactive shell: reads lines, gathers them to statements, runs these one after the other.
 *
 * Lines typed while a statement runs wait. Ctrl-C ends what runs, never the shell.
 */
class Shell {
  readonly #millrace: Millrace
  readonly #terminal: Terminal
  readonly #options: ShellOptions
  readonly #historyFile: string | null
  readonly #lines: string[] = []
  #readline!: Interface
  /** Lines of a statement that has no `;` yet. */
  #typed: string[] = []
  #running: AbortController | null = null
  #isBusy = false
  #hasLeft = false
  #isExpanded = false
  #isTimed = false
  /** How many scripts run within each other. */
  #scriptDepth = 0
  #lastQuery: string | null = null
  #leave!: () => void

  constructor(millrace: Millrace, terminal: Terminal, options: ShellOptions) {
    this.#millrace = millrace
    this.#terminal = terminal
    this.#options = options
    this.#historyFile =
      options.historyFile === undefined
        ? (process.env['MILLRACE_HISTORY'] ?? join(homedir(), '.millrace_history'))
        : options.historyFile
  }

  async run(): Promise<number> {
    const left = new Promise<void>((resolve) => (this.#leave = resolve))
    const { input = process.stdin, output = process.stdout } = this.#options
    this.#readline = createInterface({
      input,
      output,
      terminal: this.#terminal.isInteractive,
      history: await this.#loadHistory(),
      historySize: HISTORY_ENTRIES_MAX,
      removeHistoryDuplicates: true,
      completer: (line: string) => this.#complete(line),
    })
    this.#readline.on('line', (line) => {
      this.#lines.push(line)
      void this.#work()
    })
    this.#readline.on('SIGINT', () => this.#interrupt())
    this.#readline.on('close', () => {
      this.#hasLeft = true
      this.#running?.abort()
      this.#leave()
    })
    this.#terminal.out(
      `${styled(this.#terminal, 'dim', 'Millrace. "help" lists commands, statements end with ";", Ctrl-D ends.')}\n`,
    )
    this.#prompt()
    this.#options.stop?.addEventListener('abort', () => this.#readline.close(), { once: true })
    await left
    await this.#saveHistory()
    return EXIT.done
  }

  /** Takes the waiting lines, one after the other; one call at a time does so. */
  async #work(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift())
        await this.#take(line)
    } catch (error) {
      this.#terminal.err(errorText(error, this.#terminal))
    } finally {
      this.#isBusy = false
    }
    this.#prompt()
  }

  async #take(line: string): Promise<void> {
    if (this.#typed.length === 0 && (await this.#shellCommand(line.trim()))) return
    this.#typed.push(line)
    const text = this.#typed.join('\n')
    const { statements, rest } = splitStatements(text)
    if (statements.length === 0 && rest !== '') return
    this.#joinHistory(this.#typed)
    this.#typed = rest === '' ? [] : [rest]
    for (const statement of statements) if (!(await this.#runStatement(statement))) break
  }

  /** @returns whether it was done without an error or Ctrl-C */
  async #runStatement(text: string): Promise<boolean> {
    const file = scriptFile(text)
    if (file !== null) return this.#runFile(file)
    if (parseAll(text).statements[0]?.kind === 'query-statement') this.#lastQuery = text
    const startedMs = performance.now()
    const running = new AbortController()
    this.#running = running
    try {
      const [result] = await this.#millrace.sql(text)
      if (result !== undefined) {
        await printResult(result, this.#terminal, {
          json: this.#options.json,
          expanded: this.#isExpanded,
          stop: running.signal,
          whileWaiting: () => waitingText(this.#millrace, text),
        })
      }
    } catch (error) {
      const isSyntax = error instanceof SqlError && error.stage === 'parse'
      const errors = isSyntax ? syntaxErrors(text) : []
      for (const shown of errors.length > 0 ? errors : [error]) {
        this.#terminal.err(errorText(shown, this.#terminal, text))
      }
      return false
    } finally {
      this.#running = null
      if (this.#isTimed) this.#terminal.out(`Time: ${(performance.now() - startedMs).toFixed(1)} ms\n`)
    }
    return !running.signal.aborted
  }

  async #runFile(file: string): Promise<boolean> {
    if (this.#scriptDepth >= SCRIPT_DEPTH_MAX) throw tooDeep(file)
    const text = await readFile(file, 'utf8')
    const errors = syntaxErrors(text)
    for (const error of errors) this.#terminal.err(`${file}: ${errorText(error, this.#terminal, text)}`)
    if (errors.length > 0) return false
    this.#scriptDepth++
    try {
      for (const statement of scriptStatements(text))
        if (!(await this.#runStatement(statement.text))) return false
      return true
    } finally {
      this.#scriptDepth--
    }
  }

  /** @returns whether the line was one */
  async #shellCommand(line: string): Promise<boolean> {
    const [name = '', ...rest] = line.replace(/;$/, '').trim().split(/\s+/)
    const argument = rest.join(' ')
    if (SHORTHANDS[name] !== undefined) {
      const statements = name === '\\d' && argument !== '' ? [`DESCRIBE ${argument};`] : SHORTHANDS[name]
      for (const statement of statements) await this.#runStatement(statement)
      return true
    }
    if (name.startsWith('\\')) {
      await this.#backslash(name, argument)
      return true
    }
    if (argument !== '') return false
    switch (name.toLowerCase()) {
      case '':
        return true
      case 'help':
        this.#help()
        this.#terminal.out(`\n${FIRST_STEPS}`)
        return true
      case 'exit':
      case 'quit':
        this.#readline.close()
        return true
      case 'clear':
        this.#terminal.out('\u001b[2J\u001b[3J\u001b[H')
        return true
      case 'history':
        this.#showHistory()
        return true
      default:
        return false
    }
  }

  async #backslash(name: string, argument: string): Promise<void> {
    switch (name) {
      case '\\?':
        this.#help()
        return
      case '\\q':
        this.#readline.close()
        return
      case '\\x':
        this.#isExpanded = !this.#isExpanded
        this.#terminal.out(`Expanded rows are ${this.#isExpanded ? 'on' : 'off'}.\n`)
        return
      case '\\timing':
        this.#isTimed = !this.#isTimed
        this.#terminal.out(`Timing is ${this.#isTimed ? 'on' : 'off'}.\n`)
        return
      case '\\i':
        if (argument === '') this.#terminal.err('\\i takes the name of a file.\n')
        else await this.#runFile(argument.replaceAll(/^'|'$/g, ''))
        return
      case '\\watch':
        await this.#watch(argument)
        return
      default:
        this.#terminal.err(`There is no command ${name}; \\? lists them.\n`)
    }
  }

  /** Runs the last query again and again until Ctrl-C. */
  async #watch(argument: string): Promise<void> {
    const seconds = argument === '' ? 2 : Number(argument)
    if (this.#lastQuery === null || !(seconds > 0)) {
      this.#terminal.err('\\watch repeats the last query every so many seconds; run one first.\n')
      return
    }
    const query = this.#lastQuery
    for (;;) {
      if (!(await this.#runStatement(query))) return
      const pause = new AbortController()
      this.#running = pause
      const timer = setTimeout(() => pause.abort('due'), seconds * 1000)
      await whenStopped(pause.signal)
      clearTimeout(timer)
      this.#running = null
      if (pause.signal.reason !== 'due') return
    }
  }

  #help(): void {
    const width = Math.max(...SHELL_HELP.map(([command]) => command.length))
    this.#terminal.out(
      SHELL_HELP.map(([command, meaning]) => `  ${command.padEnd(width)}  ${meaning}\n`).join(''),
    )
  }

  #interrupt(): void {
    if (this.#running !== null) {
      this.#running.abort()
      return
    }
    const hasTyped = this.#typed.length > 0 || this.#readline.line !== ''
    this.#typed = []
    this.#terminal.out(hasTyped ? '^C\n' : '\nCtrl-D or exit ends.\n')
    // Readline keeps the line under the cursor: delete it as its user would.
    this.#readline.write(null, { ctrl: true, name: 'e' })
    this.#readline.write(null, { ctrl: true, name: 'u' })
    this.#prompt()
  }

  #prompt(): void {
    if (this.#isBusy || this.#hasLeft) return
    this.#options.problems?.tell(this.#terminal)
    this.#readline.setPrompt(this.#typed.length === 0 ? PROMPT : PROMPT_MORE)
    this.#readline.prompt()
  }

  #complete(line: string): [string[], string] {
    const before = [...this.#typed, line].join('\n')
    const [words, word] = complete(before, {
      catalog: this.#millrace.catalog,
      functionNames: () => this.#millrace.functions.names(),
      shellCommands: BACKSLASH_COMMANDS,
    })
    const [only] = words
    return words.length === 1 && !only!.endsWith('(') ? [[`${only} `], word] : [words, word]
  }

  // ------------------------------------------------------------------------------------- history

  /** The entries, newest first; readline keeps its own list of them. */
  get #history(): string[] {
    return (this.#readline as Interface & { history?: string[] }).history ?? []
  }

  /** Makes the last lines one entry, so that a statement comes back whole. */
  #joinHistory(lines: readonly string[]): void {
    if (lines.length < 2 || lines.some((line) => line.includes('--'))) return // a comment would swallow the lines after it
    const history = this.#history
    for (const line of lines.toReversed()) if (history[0] === line) history.shift()
    history.unshift(lines.map((line) => line.trim()).join(' '))
  }

  #showHistory(): void {
    const entries = this.#history.toReversed()
    this.#terminal.out(entries.map((entry, i) => `${String(i + 1).padStart(5)}  ${entry}\n`).join(''))
  }

  async #loadHistory(): Promise<string[]> {
    if (this.#historyFile === null) return []
    try {
      const text = await readFile(this.#historyFile, 'utf8')
      return text
        .split('\n')
        .filter((line) => line !== '')
        .toReversed()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#terminal.err(errorText(error, this.#terminal))
      return []
    }
  }

  async #saveHistory(): Promise<void> {
    if (this.#historyFile === null) return
    const text = this.#history.toReversed().join('\n')
    try {
      await writeFile(this.#historyFile, `${text}\n`, { mode: 0o600 })
    } catch (error) {
      this.#terminal.err(errorText(error, this.#terminal))
    }
  }
}
