import type { Format } from './format.ts'

/** Marks a source without a key: nothing is read and nothing written. */
export const none: Format = {
  name: 'NONE',
  properties: [],
  supportsKey: true,
  supportsValue: false,
  supportsSeveralColumns: false,
  wrappings: [],
  refuses(side, columns) {
    if (side === 'value') return "The 'NONE' format can only be used for keys."
    if (columns.length > 0) {
      return `The 'NONE' format cannot hold columns, but there is a key column: \`${columns[0]!.name}\`.`
    }
    return null
  },
  decoder: () => ({ decode: () => [] }),
  encoder: () => ({ encode: () => false, encodeRow: () => false }),
}
