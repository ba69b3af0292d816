import { expect, test } from 'vitest'
import { parseOptions, UsageError } from '../../examples/vehicle-telemetry/options.ts'

test('without arguments the simulator runs until it is stopped', () => {
  expect(parseOptions([])).toEqual({
    dataDirectory: 'data/vehicle-telemetry',
    durationMs: null,
    recording: null,
    fresh: false,
  })
})

test('a recorded file gets a data directory of its own', () => {
  const args = ['--input', 'in/day.csv', '--key', 'id', '--timestamp', 'at', '--rate', '100x']
  expect(parseOptions([...args, '--duration', '1.5m'])).toEqual({
    dataDirectory: 'data/replay-day',
    durationMs: 90_000,
    recording: { file: 'in/day.csv', key: 'id', timestamp: 'at', rate: 100 },
    fresh: false,
  })
})

test.each([
  [['--speed', '3'], "unknown option '--speed'"],
  [['extra'], 'too many arguments'],
  [['--duration', 'soon'], 'It takes a time such as 20s, 5m or 1h.'],
  [['--duration', '0s'], 'It takes a time such as 20s, 5m or 1h.'],
  [['--input', 'a.csv', '--key', 'k', '--timestamp', 't', '--rate', '-1'], 'It takes a factor such as 100x.'],
  [['--input', 'a.csv', '--timestamp', 't'], 'A recorded file needs --key COLUMN'],
  [['--input', 'a.csv', '--key', 'k'], 'A recorded file needs --timestamp COLUMN'],
  [['--rate', '100x'], '--rate is for recorded files'],
  [['--key', 'k'], '--key is for recorded files'],
])('%j is refused in a sentence', (args, sentence) => {
  expect(() => parseOptions(args)).toThrow(UsageError)
  expect(() => parseOptions(args)).toThrow(sentence)
})
