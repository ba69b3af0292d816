/** The same function, remembering its result for the last text: patterns and zones seldom change between rows. */
export function rememberLast<T>(compute: (text: string) => T): (text: string) => T {
  let lastText: string | null = null
  let lastResult: T
  return (text) => {
    if (text !== lastText) {
      lastResult = compute(text)
      lastText = text
    }
    return lastResult
  }
}
