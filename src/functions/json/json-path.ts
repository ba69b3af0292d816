import type { JsonNode } from './json-node.ts'

/**
 * Reads a path: `$` and then steps `.name`, `["any name"]` or `[0]`.
 *
 * @returns the names and indices in order
 * @throws RangeError it isn't one; wildcards, filters, slices and negative indices are none
 */
export function parseJsonPath(path: string): readonly string[] {
  const steps: string[] = []
  if (!path.startsWith('$')) throw badPath(path)
  const step = /\.([\p{L}\p{Nd}_:@]+)|\[([\p{L}\p{Nd}_]+)\]|\["((?:[^"\\]|\\["\\])*)"\]/uy
  step.lastIndex = 1
  while (step.lastIndex < path.length) {
    const found = step.exec(path)
    if (found === null) throw badPath(path)
    steps.push(found[1] ?? found[2] ?? found[3]!.replace(/\\(["\\])/g, '$1'))
  }
  return steps
}

function badPath(path: string): RangeError {
  return new RangeError(`'${path}' is not a JSON path such as $.name["other name"][0].`)
}

/** What lies at the end of a path; null if nothing does. */
export function followJsonPath(root: JsonNode, steps: readonly string[]): JsonNode | null {
  let node: JsonNode | undefined = root
  for (const step of steps) {
    if (node.kind === 'object') node = node.fields.get(step)
    else if (node.kind === 'array') node = /^\d+$/.test(step) ? node.items[Number(step)] : undefined
    else return null
    if (node === undefined) return null
  }
  return node
}
