/** What is called like a function and planned as something else, because it needs more than its arguments. */
export interface SpecialForm {
  readonly name: string
  /** What it works on, where functions are scalar, aggregate or table. */
  readonly kind: 'keyed'
  readonly category: string
  readonly summary: string
  readonly signatures: readonly string[]
  readonly examples: readonly string[]
}

export const SPECIAL_FORMS: readonly SpecialForm[] = [
  {
    name: 'LAG',
    kind: 'keyed',
    category: 'stream',
    summary:
      'The value in an earlier row of the same key, null where there is none. Only in the SELECT list of a query over a stream with a key.',
    signatures: ['LAG(value T) => T', 'LAG(value T, rows INTEGER) => T'],
    examples: [
      'SELECT id, v - LAG(v) AS step FROM s EMIT CHANGES;',
      'SELECT id, LAG(v, 2) AS before FROM s EMIT CHANGES;',
    ],
  },
]
