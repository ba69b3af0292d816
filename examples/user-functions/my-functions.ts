// my-functions.ts
import {
  aggregateFunction,
  array,
  bigint,
  double,
  integer,
  scalarFunction,
  string,
  struct,
  tableFunction,
} from '../../src/index.ts'

export const celsius = scalarFunction({
  name: 'CELSIUS',
  summary: 'Converts degrees Fahrenheit.',
  args: { fahrenheit: double() },
  returns: double(),
  body: ({ fahrenheit }) => (fahrenheit - 32) / 1.8,
  examples: [
    ['CELSIUS(212)', 100],
    ['CELSIUS(NULL)', null],
  ],
})

export const nthHighest = aggregateFunction({
  name: 'NTH_HIGHEST',
  summary: 'The n-th highest value; null while there are fewer.',
  args: { value: double() },
  parameters: { n: integer() },
  state: array(double()),
  returns: double(),
  initial({ parameters }) {
    if (parameters.n < 1) throw new RangeError('n begins at 1.')
    return []
  },
  add: (highest, { value }) => [...highest, value].sort((a, b) => b - a),
  undo: (highest, { value }) => highest.toSpliced(highest.indexOf(value), 1),
  merge: (earlier, later) => [...earlier, ...later].sort((a, b) => b - a),
  result: (highest, { parameters }) => highest[parameters.n - 1] ?? null,
  examples: [{ rows: ['1', '5', 'NULL', '3'], parameters: '2', result: 3 }],
})

export const words = tableFunction({
  name: 'WORDS',
  summary: 'The words of a text, and how often each occurs.',
  args: { text: string() },
  returns: struct({ WORD: string(), TIMES: bigint() }),
  *body({ text }) {
    const byWord = Map.groupBy(text.split(' '), (word) => word)
    for (const [word, all] of byWord) yield { WORD: word, TIMES: all.length }
  },
  examples: [
    [
      "WORDS('to be to')",
      [
        { WORD: 'to', TIMES: 2 },
        { WORD: 'be', TIMES: 1 },
      ],
    ],
  ],
})
