/** Adds the names of all columns an expression reads. */
export function collectColumns(expr: unknown, names: Set<string>): void {
  if (Array.isArray(expr)) {
    for (const part of expr) collectColumns(part, names)
    return
  }
  if (typeof expr !== 'object' || expr === null || Object.getPrototypeOf(expr) !== Object.prototype) return
  if ('kind' in expr && expr.kind === 'column' && 'name' in expr) names.add(String(expr.name))
  for (const part of Object.values(expr)) collectColumns(part, names)
}
