/**
 * Whether a LIKE pattern covers the whole text: `%` any run, `_` one character (a UTF-16 unit), neither a
 * line break. `escape` makes the character after it literal.
 */
export function likeMatcher(pattern: string, escape: string | null): (text: string) => boolean {
  const steps = tokenize(pattern, escape)
  if (steps.every((step) => typeof step === 'string')) {
    const exact = steps.join('')
    return (text) => text === exact
  }
  return (text) => matches(steps, text)
}

/** A pattern known only at run time; the last one seen is kept. */
export function likeFunction(escape: string | null): (text: string, pattern: string) => boolean {
  let lastPattern: string | null = null
  let matcher: (text: string) => boolean = () => false
  return (text, pattern) => {
    if (pattern !== lastPattern) {
      matcher = likeMatcher(pattern, escape)
      lastPattern = pattern
    }
    return matcher(text)
  }
}

const ANY_RUN = 0
const ANY_ONE = 1
/** A literal UTF-16 unit, or one of the two wildcards. */
type Step = string | typeof ANY_RUN | typeof ANY_ONE

function tokenize(pattern: string, escape: string | null): readonly Step[] {
  const steps: Step[] = []
  for (let at = 0; at < pattern.length; at++) {
    const unit = pattern[at]!
    if (unit === escape) {
      at++
      if (at === pattern.length) throw new RangeError('The pattern of LIKE ends with its escape character.')
      steps.push(pattern[at]!)
    } else if (unit === '%') {
      if (steps.at(-1) !== ANY_RUN) steps.push(ANY_RUN)
    } else {
      steps.push(unit === '_' ? ANY_ONE : unit)
    }
  }
  return steps
}

/*
 * Two pointers: on a mismatch go back to the last run and let it take one more character. Only the last
 * run ever needs to grow, so this takes at most |text| × |pattern| steps.
 */
function matches(steps: readonly Step[], text: string): boolean {
  let at = 0
  let step = 0
  let runStep = -1
  let runEnd = 0
  while (at < text.length) {
    const wanted = steps[step]
    if (wanted === ANY_RUN) {
      runStep = step++
      runEnd = at
    } else if (step < steps.length && (wanted === ANY_ONE ? !isLineBreak(text, at) : wanted === text[at])) {
      step++
      at++
    } else {
      if (runStep < 0 || isLineBreak(text, runEnd)) return false
      at = ++runEnd
      step = runStep + 1
    }
  }
  while (steps[step] === ANY_RUN) step++
  return step === steps.length
}

function isLineBreak(text: string, at: number): boolean {
  const unit = text.charCodeAt(at)
  return unit === 10 || unit === 13 || unit === 0x85 || unit === 0x2028 || unit === 0x2029
}
