/** A broken invariant: our bug, never the user's. The task that meets one stops at once. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure'
}

/** Throws {@link AssertionFailure} unless `condition` holds. `what` states the invariant that was expected. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionFailure(`Broken invariant: ${what}`)
}

/** Ends a `switch` over a union: adding a member without handling it fails to compile here. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`Broken invariant: unexpected ${JSON.stringify(value)}`)
}
