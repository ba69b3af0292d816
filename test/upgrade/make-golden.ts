/**
 * `node test/upgrade/make-golden.ts NAME`: writes `golden/NAME`, a data directory of this version with all it can
 * hold, and what it holds; NAME says what is new. To be run once per version of any stored form, see docs/on-disk.md.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { pack } from './archive.ts'
import { fill, goOn, openGolden, snapshotOf } from './content.ts'

const name = process.argv[2]
if (name === undefined || !/^[a-z0-9.-]+$/.test(name)) {
  console.error('Give the directory a name of letters, digits, dots and hyphens.')
  process.exit(2)
}
const fail = (text: string): void => {
  throw new Error(text)
}
const work = await mkdtemp(join(tmpdir(), 'millrace-golden-'))
const directory = join(work, 'data')
let millrace = await openGolden(directory, fail)
await fill(millrace)
const before = await snapshotOf(millrace)
await millrace.close()

const copy = join(work, 'copy')
await cp(directory, copy, { recursive: true })
millrace = await openGolden(copy, fail)
await goOn(millrace)
const after = await snapshotOf(millrace)
await millrace.close()

const golden = join(import.meta.dirname, 'golden', name)
await mkdir(golden, { recursive: true })
const archive = await pack(directory)
await writeFile(join(golden, 'directory.br'), archive)
await writeFile(join(golden, 'content.br'), brotliCompressSync(JSON.stringify({ before, after })))
await rm(work, { recursive: true })
console.log(`${golden}: ${archive.length} bytes`)
