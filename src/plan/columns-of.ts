import type { Expr, Lambda } from './expression.ts'

/** Names of the columns, pseudo columns included, that an expression reads. */
export function columnsOf(expr: Expr | Lambda): ReadonlySet<string> {
  const names = new Set<string>()
  collect(expr, names)
  return names
}

function collect(node: unknown, names: Set<string>): void {
  if (Array.isArray(node)) {
    for (const item of node) collect(item, names)
  } else if (node !== null && typeof node === 'object') {
    if ('kind' in node && node.kind === 'column' && 'name' in node) names.add(node.name as string)
    else
      for (const [key, value] of Object.entries(node))
        if (key !== 'type' && key !== 'value' && key !== 'parameters') collect(value, names)
    // a literal's value is no expression; CASE branches and map entries keep theirs under other names
    if ('key' in node && 'value' in node) collect(node.value, names)
  }
}
