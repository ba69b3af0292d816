import { FakeTerminal } from '../cli/fake-terminal.ts'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { errorText } from '../../src/cli/error-text.ts'
import { printResult } from '../../src/cli/result-printer.ts'
import { inWholeText, scriptStatements } from '../../src/cli/script.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import type { UserFunction } from '../../src/runtime/user-functions.ts'

/** A fenced block of a page. */
interface Block {
  readonly language: string
  readonly text: string
  /** Index of the text in the page. */
  readonly at: number
  /** Where its last fence ends. */
  readonly end: number
  readonly line: number
}

export interface BlockOutcome {
  readonly line: number
  readonly sql: string
  /** What the shell shows for the block. */
  readonly output: string
  /** What the page says it shows, or null where it says nothing. */
  readonly expected: string | null
  /** Where `expected` lies in the page. */
  readonly expectedAt: number
  readonly refused: boolean
}

/** Noon of 2026-01-01, and it stays noon: what pages print does not depend on the day. */
const NOON: Clock = { ...systemClock, nowMs: () => Date.UTC(2026, 0, 1, 12) }

/**
 * Runs the `sql` blocks of a page in order against one Millrace in memory. A `text` block that follows a
 * `sql` block at once is what the shell shows for it.
 */
export async function runPage(
  page: string,
  functions: readonly UserFunction[] = [],
): Promise<readonly BlockOutcome[]> {
  const millrace = await Millrace.open({ clock: NOON, commitIntervalMs: 10, functions })
  try {
    const blocks = blocksOf(page)
    const outcomes: BlockOutcome[] = []
    for (const [i, block] of blocks.entries()) {
      if (block.language !== 'sql') continue
      const next = blocks[i + 1]
      const shown =
        next?.language === 'text' && page.slice(block.end, next.at).trim() === '```text' ? next : null
      outcomes.push({
        line: block.line,
        sql: block.text,
        ...(await runBlock(millrace, block.text)),
        expected: shown?.text ?? null,
        expectedAt: shown?.at ?? 0,
      })
    }
    return outcomes
  } finally {
    await millrace.close()
  }
}

/** The page with the outputs that its blocks have. */
export function withOutputs(page: string, outcomes: readonly BlockOutcome[]): string {
  return outcomes.toReversed().reduce((text, { expected, expectedAt, output }) => {
    if (expected === null) return text
    return text.slice(0, expectedAt) + output + text.slice(expectedAt + expected.length)
  }, page)
}

async function runBlock(
  millrace: Millrace,
  text: string,
): Promise<{ readonly output: string; readonly refused: boolean }> {
  const terminal = new FakeTerminal({ isInteractive: true })
  for (const statement of scriptStatements(text)) {
    try {
      // A person types more slowly than queries work.
      await millrace.untilIdle()
      const [result] = await millrace.sql(statement.text)
      if (result === undefined) continue
      const goesOn = result.kind === 'stream' || result.kind === 'print'
      if (goesOn && !/\bLIMIT\b/i.test(statement.text)) {
        if (result.kind === 'stream') await result.rows.close()
        continue
      }
      await printResult(result, terminal, { json: false, stop: new AbortController().signal })
    } catch (error) {
      const shown = errorText(inWholeText(error, statement), terminal, text)
      return { output: tidy(terminal.output + shown), refused: true }
    }
  }
  return { output: tidy(terminal.output), refused: false }
}

function tidy(output: string): string {
  return output
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

export function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => {
    const at = match.index + match[0].indexOf('\n') + 1
    return {
      language: match[1]!,
      text: match[2]!,
      at,
      end: match.index + match[0].length,
      line: page.slice(0, match.index).split('\n').length,
    }
  })
}
