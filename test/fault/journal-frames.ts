import { crc32c } from '@node-rs/crc32'

/** A frame of a journal file, found without the product's reader. */
export interface FramePlace {
  readonly file: string
  readonly from: number
  readonly to: number
  readonly epoch: number
  readonly sequence: number
}

/** Frames of the newest epoch, in order. */
export function newestFrames(files: ReadonlyMap<string, Uint8Array>): FramePlace[] {
  const found = ['journal.0', 'journal.1'].flatMap((name) => framesOf(name, files.get(name)!))
  const newest = Math.max(...found.map(({ epoch }) => epoch))
  return found.filter(({ epoch }) => epoch === newest).toSorted((a, b) => a.sequence - b.sequence)
}

/** Frames of one file, of all epochs, in the order they stand there. */
export function framesOf(file: string, bytes: Uint8Array): FramePlace[] {
  const found: FramePlace[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + 44 <= bytes.length;) {
    const to = at + 44 + view.getUint32(at + 4)
    const holds =
      view.getUint32(at) === 0x4d524a31 &&
      to <= bytes.length &&
      view.getUint32(at + 40) === crc32c(bytes.subarray(at + 44, to), crc32c(bytes.subarray(at, at + 40)))
    if (!holds) {
      at = (Math.floor(at / 4096) + 1) * 4096
      continue
    }
    const epoch = Number(view.getBigInt64(at + 8))
    found.push({ file, from: at, to, epoch, sequence: Number(view.getBigInt64(at + 16)) })
    at = to
  }
  return found
}
