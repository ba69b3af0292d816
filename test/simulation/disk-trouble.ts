import type { Random } from '../../src/base/random.ts'
import type { Fate, FileOperation } from '../base/simulated-file-system.ts'

const CHANGES = ['write', 'truncate', 'removeFile', 'makeDirectory']

/** A way in which a disk fails for a while. */
export function newDiskTrouble(random: Random): {
  readonly name: string
  readonly fate: (operation: FileOperation) => Fate
} {
  const where = ['', 'journal', '.log', 'checkpoint', 'index'][random.below(5)]!
  let left = random.below(6)
  const on = (kinds: readonly string[], fate: Fate) => (operation: FileOperation) =>
    kinds.includes(operation.kind) && operation.path.includes(where) && left-- <= 0 ? fate : undefined
  const of = (name: string, fate: (operation: FileOperation) => Fate): ReturnType<typeof newDiskTrouble> => ({
    name: `${name} ${where}`,
    fate,
  })
  switch (random.below(7)) {
    case 0:
      return of('full', on(['write', 'makeDirectory'], { code: 'ENOSPC' }))
    case 1:
      return of('full after some bytes', ({ kind, path, length }) => {
        if (kind !== 'write' || !path.includes(where)) return undefined
        return left-- % 2 === 0 && length > 100 ? { bytes: 50 } : { code: 'ENOSPC' }
      })
    case 2:
      return of('short writes', ({ kind, length }) =>
        kind === 'write' && length > 1 ? { bytes: 1 + random.below(length) } : undefined,
      )
    case 3:
      return of('failing writes', on(['write'], { code: 'EIO' }))
    case 4:
      return of('failing syncs', on(['sync', 'syncDirectory'], { code: 'EIO' }))
    case 5:
      return of('too many open files', on(['open'], { code: 'EMFILE' }))
    default:
      return of('read-only', on(CHANGES, { code: 'EROFS' }))
  }
}
