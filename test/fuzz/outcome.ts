/** What came of an input: used, refused by name, or a bug. */
export interface FuzzOutcome {
  readonly kind: 'accepted' | 'refused' | 'wrong'
  readonly detail: string
}
