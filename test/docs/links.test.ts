import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const pages = ['README.md', 'CHANGELOG.md', ...globSync('docs/**/*.md').toSorted()]

/** Anchors as they are made from headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)
  return new Set(
    [...headings].map(([, text]) =>
      text!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

test.each(pages)('links and paths of %s lead somewhere', (page) => {
  const text = readFileSync(page, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '')
  const broken: string[] = []
  for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(link!)) continue
    const [path, anchor] = link!.split('#') as [string, string | undefined]
    const target = path === '' ? page : normalize(join(dirname(page), path))
    if (!existsSync(target)) broken.push(link!)
    else if (anchor !== undefined && !anchorsOf(target).has(anchor)) broken.push(link!)
  }
  for (const [, path] of text.matchAll(/`((?:src|test|scripts|examples|bench|docs)\/[\w./-]*)`/g)) {
    if (!existsSync(path!)) broken.push(path!)
  }
  expect(broken).toEqual([])
})
