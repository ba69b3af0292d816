import { INTEGER, STRING } from '../../plan/sql-type.ts'
import { scalarFunction, type Example, type ScalarFunction } from '../scalar-function.ts'
import { decodeEscapes, parseUri, type Uri } from './java-uri.ts'

function extract(
  name: string,
  what: string,
  partOf: (uri: Uri) => string | null,
  examples: readonly Example[],
): ScalarFunction {
  return scalarFunction({
    name,
    category: 'url',
    summary: `The ${what} of a URL, decoded; null if it has none.`,
    args: { url: STRING },
    returns: STRING,
    body(url: string) {
      const part = partOf(parseUri(url))
      return part === null ? null : decodeEscapes(part)
    },
    examples,
  })
}

export const urlExtractProtocol = extract('URL_EXTRACT_PROTOCOL', 'protocol', (uri) => uri.scheme, [
  ["URL_EXTRACT_PROTOCOL('https://a.org:80/b')", 'https'],
  ["URL_EXTRACT_PROTOCOL('www.a.org')", null],
])

export const urlExtractHost = extract('URL_EXTRACT_HOST', 'host', (uri) => uri.host, [
  ["URL_EXTRACT_HOST('http://me@a.org:8080/b?c#d')", 'a.org'],
  ["URL_EXTRACT_HOST('http://[::1]:80/')", '[::1]'],
  ["URL_EXTRACT_HOST('mailto:me@a.org')", null],
])

export const urlExtractPath = extract('URL_EXTRACT_PATH', 'path', (uri) => uri.path, [
  ["URL_EXTRACT_PATH('http://a.org')", ''],
  ["URL_EXTRACT_PATH('http://a.org/b%20c/d?e')", '/b c/d'],
])

export const urlExtractQuery = extract('URL_EXTRACT_QUERY', 'query', (uri) => uri.query, [
  ["URL_EXTRACT_QUERY('http://a.org?q=1%26&r#f')", 'q=1&&r'],
  ["URL_EXTRACT_QUERY('http://a.org/b')", null],
])

export const urlExtractFragment = extract('URL_EXTRACT_FRAGMENT', 'fragment', (uri) => uri.fragment, [
  ["URL_EXTRACT_FRAGMENT('http://a.org/?q#f%C3%A4')", 'fä'],
  ["URL_EXTRACT_FRAGMENT('http://a.org')", null],
])

export const urlExtractPort = scalarFunction({
  name: 'URL_EXTRACT_PORT',
  category: 'url',
  summary: 'The port of a URL, if it is written.',
  args: { url: STRING },
  returns: INTEGER,
  body: (url: string) => parseUri(url).port,
  examples: [
    ["URL_EXTRACT_PORT('http://me@a.org:8080/b')", 8080],
    ["URL_EXTRACT_PORT('http://a.org')", null],
  ],
})

export const urlExtractParameter = scalarFunction({
  name: 'URL_EXTRACT_PARAMETER',
  category: 'url',
  summary: "The value of a parameter in a URL's query; empty without a value, null without the parameter.",
  args: { url: STRING, parameter: STRING },
  returns: STRING,
  body(url: string, parameter: string) {
    const { query } = parseUri(url)
    for (const pair of query === null ? [] : decodeEscapes(query).split('&')) {
      const [name, ...value] = pair.split('=')
      if (name === parameter) return value.join('=')
    }
    return null
  },
  examples: [
    ["URL_EXTRACT_PARAMETER('http://a.org/?one=a%20b&two=c=d&three', 'one')", 'a b'],
    ["URL_EXTRACT_PARAMETER('http://a.org/?one=a%20b&two=c=d&three', 'two')", 'c=d'],
    ["URL_EXTRACT_PARAMETER('http://a.org/?one=a%20b&two=c=d&three', 'three')", ''],
    ["URL_EXTRACT_PARAMETER('http://a.org/?one=a', 'four')", null],
  ],
})
