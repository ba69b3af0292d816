/** The parts of a URI by the rules of java.net.URI (RFC 2396 with other characters allowed), still encoded. */
export interface Uri {
  readonly scheme: string | null
  readonly host: string | null
  /** Only if written. */
  readonly port: number | null
  /** null of an opaque URI such as `mailto:a@b`. */
  readonly path: string | null
  readonly query: string | null
  readonly fragment: string | null
}

/** @throws RangeError the text is no URI */
export function parseUri(text: string): Uri {
  const found = /^(?:([^:/?#]+):)?([^#]*)(?:#(.*))?$/su.exec(text)
  if (found === null) throw badUri(text)
  const [, scheme = null, specific, fragment = null] = found
  if (scheme !== null && !/^[a-zA-Z][a-zA-Z0-9+.-]*$/.test(scheme)) throw badUri(text)
  if (scheme !== null && specific === '') throw badUri(text)
  if (fragment !== null && !isLegal(fragment)) throw badUri(text)
  const isOpaque = scheme !== null && !specific!.startsWith('/')
  if (isOpaque) {
    if (!isLegal(specific!)) throw badUri(text)
    return { scheme, host: null, port: null, path: null, query: null, fragment }
  }
  const [, authority = null, path, query = null] = /^(?:\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/su.exec(specific!)!
  if (!isLegalPath(path!) || (query !== null && !isLegal(query))) throw badUri(text)
  // Two slashes and nothing behind them are no authority, and no URI without a path either.
  if (authority === '' && path === '' && query === null) throw badUri(text)
  const { host, port } =
    authority === null || authority === '' ? { host: null, port: null } : parseAuthority(authority, text)
  return { scheme, host, port, path: path!, query, fragment }
}

/* A host that is no host name makes the authority a name of another registry: then there is neither. */
function parseAuthority(authority: string, text: string): { host: string | null; port: number | null } {
  const found = /^(?:([^@]*)@)?(\[[0-9a-fA-F:.%a-z]+\]|[^:[\]@]*)(?::(\d*))?$/.exec(authority)
  if (found !== null) {
    const [, user = '', host, port = ''] = found
    const isHost =
      host!.startsWith('[') ||
      /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host!) ||
      /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)*[a-zA-Z](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.?$/.test(host!)
    if (isHost && isLegal(user)) return { host: host!, port: port === '' ? null : Number(port) }
  }
  if (!isLegalPath(authority)) throw badUri(text)
  return { host: null, port: null }
}

/** Letters, digits, marks, escapes and whatever lies beyond ASCII but blanks and controls. */
function isLegal(part: string): boolean {
  return /^(?:[a-zA-Z0-9_\-!.~'()*;/?:@&=+$,[\]]|%[0-9a-fA-F]{2}|[^\p{ASCII}\p{Cc}\p{Z}])*$/u.test(part)
}

function isLegalPath(part: string): boolean {
  return isLegal(part) && !/[[\]]/.test(part)
}

function badUri(text: string): RangeError {
  return new RangeError(`'${text}' is not a URI.`)
}

/** Escapes as the UTF-8 text they spell; what spells none becomes U+FFFD. */
export function decodeEscapes(text: string): string {
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  )
}
