import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openLog } from '../../src/log/open-log.ts'
import { mountSmallDisk } from '../base/small-disk.ts'
import { values } from '../log/log-reading.ts'

/* What the machine itself refuses: files beyond a limit, and files without the right to them. */

const CHILD = join(import.meta.dirname, 'real-disk-child.ts')
/** Nobody. */
const UID = 65534
const scratch = mkdtempSync(join(tmpdir(), 'millrace-real-'))
chmodSync(scratch, 0o755)
afterAll(() => rmSync(scratch, { recursive: true }))

interface Line {
  readonly kind?: string
  readonly cause?: string
  readonly state?: string
  readonly code?: string
  readonly message?: string
  readonly hint?: string
}

function child(args: readonly string[], filesMax?: number): Line[] {
  const node = `exec "${process.execPath}" "${CHILD}" "$@"`
  const command = filesMax === undefined ? node : `ulimit -n ${filesMax} && ${node}`
  const { stdout, stderr } = spawnSync('sh', ['-c', command, 'sh', ...args], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

async function committed(directory: string, topics: number): Promise<string[]> {
  const log = await openLog({ directory })
  const found: string[] = []
  for (let i = 0; i < topics; i++) {
    if (log.topic(`t${i}`) !== undefined) found.push(...(await values(log, `t${i}`)))
  }
  await log.close()
  return found
}

test.skipIf(process.platform === 'win32')(
  'with fewer files than segments every commit goes through, and is there',
  { timeout: 60_000 },
  async () => {
    const directory = join(scratch, 'files')
    const lines = child([directory, '90'], 64)
    expect(lines.map(({ kind, state }) => `${kind} ${state}`)).toEqual(
      Array.from({ length: 90 }, () => 'committed open'),
    )
    expect(await committed(directory, 90)).toEqual(Array.from({ length: 90 }, (_, i) => String(i)))
  },
)

test.skipIf(process.platform === 'win32')(
  'a directory that may not be read or written is refused, naming the file and the right that is missing',
  { timeout: 60_000 },
  () => {
    const directory = join(scratch, 'refused')
    mkdirSync(directory, { mode: 0o500 })
    chownSync(directory, ...owner())
    const [line, ...more] = child([directory, '1', String(UID)])
    expect(more).toEqual([])
    expect(line).toMatchObject({
      code: 'LOG_OPEN_FAILED',
      hint: expect.stringContaining('the right to read and write') as string,
    })
    expect(line!.message).toContain(`The data directory ${directory} cannot be opened: `)
    chmodSync(directory, 0o700)
  },
)

test.skipIf(process.platform === 'win32')(
  'a directory that becomes read-only closes the log; with the rights back everything acknowledged is there',
  { timeout: 60_000 },
  async () => {
    const directory = join(scratch, 'taken')
    mkdirSync(directory)
    chownSync(directory, ...owner())
    const lines = child([directory, '4', String(UID)])
    expect(lines.map(({ kind }) => kind)).toEqual(['committed', 'committed', 'committed', 'unknown'])
    expect(lines[3]).toMatchObject({
      state: 'closed after I/O error',
      cause: expect.stringContaining('EACCES') as string,
    })
    chmodSync(join(directory, 'topics'), 0o755)
    // What was in the journal already is there, too.
    expect(await committed(directory, 4)).toEqual(['0', '1', '2', '3'])
  },
)

const mounted = join(scratch, 'mounted')
mkdirSync(mounted)
const isMounted = mountSmallDisk(mounted, 8)

test.skipIf(!isMounted)(
  'a file system mounted read-only is refused, and opened once it may be written',
  { timeout: 60_000 },
  async () => {
    const directory = join(mounted, 'data')
    child([directory, '2'])
    expect(spawnSync('mount', ['-o', 'remount,ro', mounted]).status).toBe(0)
    const [line] = child([directory, '2'])
    expect(line).toMatchObject({
      code: 'LOG_OPEN_FAILED',
      hint: expect.stringContaining('Mount the file system') as string,
    })
    expect(spawnSync('mount', ['-o', 'remount,rw', mounted]).status).toBe(0)
    expect(await committed(directory, 2)).toEqual(['0', '1'])
  },
)

/** Who owns the child's directories. */
function owner(): [number, number] {
  const isRoot = process.getuid!() === 0
  return [isRoot ? UID : process.getuid!(), isRoot ? UID : process.getgid!()]
}
