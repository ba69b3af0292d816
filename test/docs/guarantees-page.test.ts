import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync('docs/guarantees.md', 'utf8')
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly scripts: Record<string, string>
}

/** The last column of the tables that name tests. */
const shown = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:when|promise|\*\*)/.test(line))
  .filter((line) => /`(?:test\/|npm run)/.test(line))
  .map((line) => line.split('|').at(-2)!)

test('every guarantee names a test or a battery', () => {
  const [, survives, , promises] = page.split(/^## .*$/m)
  for (const section of [survives!, promises!]) {
    for (const line of section.split('\n')) {
      if (!line.startsWith('| ') || /^\| (?:when|promise|\*\*)/.test(line)) continue
      expect(line).toMatch(/`(?:test\/[\w/.-]+|npm run -s [\w:-]+)`/)
    }
  }
  expect(shown.length).toBeGreaterThan(60)
})

test('every test and battery that is named exists, by file and by title', () => {
  for (const column of shown) {
    for (const [, script] of column.matchAll(/`npm run -s ([\w:-]+)`/g))
      expect(scripts[script!], script).toBeDefined()
    for (const [, file, titles] of column.matchAll(/`(test\/[\w/.-]+)`((?:,? “[^”]+”)*)/g)) {
      expect(existsSync(file!), file).toBe(true)
      const text = readFileSync(file!, 'utf8')
      for (const [, title] of titles!.matchAll(/“([^”]+)”/g))
        expect(text, `${file}: ${title}`).toContain(title)
    }
  }
})
