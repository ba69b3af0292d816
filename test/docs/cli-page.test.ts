import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EXIT } from '../../src/cli/error-text.ts'
import { program } from '../../src/cli/main.ts'
import { BACKSLASH_COMMANDS, SHELL_HELP } from '../../src/cli/shell-commands.ts'

const page = readFileSync('docs/cli.md', 'utf8')
/** Sections by their first line, `millrace sql` or `Exit codes`. */
const sections = new Map(
  page.split(/^## /m).map((section) => [section.split('\n')[0]!.split(' ').slice(0, 2).join(' '), section]),
)
const { commands } = program(() => {
  throw new Error('not run')
})

test.each(commands.map((command) => [command.name(), command] as const))(
  'docs/cli.md has all options of millrace %s, and no others',
  (name, command) => {
    const section = sections.get(`millrace ${name}`)
    expect(section).toBeDefined()
    for (const part of command.commands) expect(section).toContain(`${name} ${part.name()} `)
    const flags = [command, ...command.commands].flatMap(({ options }) =>
      options.flatMap((option) => [option.short, option.long].filter((flag) => flag !== undefined)),
    )
    const described = section!.match(/(?<=[`\s])--?[a-z][a-z-]*(?=[`\s])/g) ?? []
    expect(new Set(described)).toEqual(new Set(flags.filter((flag) => flag !== '--data-dir')))
  },
)

test('docs/cli.md has every exit code', () => {
  const codes = sections
    .get('Exit codes')!
    .match(/^\| \d+/gm)!
    .map((line) => Number(line.slice(2)))
  expect(codes).toEqual(Object.values(EXIT))
})

test('docs/cli.md has every command of the shell', () => {
  for (const name of BACKSLASH_COMMANDS) expect(page).toMatch(new RegExp(`\`\\${name}[ \`]`))
  for (const [name] of SHELL_HELP) {
    for (const word of name.split(/, | {2}/)) expect(page, word).toContain(word.split(' ')[0]!)
  }
})
