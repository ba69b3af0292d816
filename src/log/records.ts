/**
 * The records of a slice as columns: where each record's key and value lie in `bytes`.
 *
 * Built by one walk over a slice's record batches (`walkRecords`); compressed batches are inflated into a
 * buffer of their own first, so that all ranges refer to one `bytes`.
 */
export interface RecordColumns {
  readonly bytes: Uint8Array
  readonly count: number
  /** One entry per record; −1 in `keyStarts` / `valueStarts` means null. Ends are exclusive. */
  readonly keyStarts: Int32Array
  readonly keyEnds: Int32Array
  readonly valueStarts: Int32Array
  readonly valueEnds: Int32Array
  /** Epoch ms. */
  readonly timestamps: Float64Array
  readonly offsets: Float64Array
  /** Headers per record, or null when no record of the slice has any. */
  readonly headers: readonly (readonly { readonly key: string; readonly value: Uint8Array | null }[])[] | null
}
