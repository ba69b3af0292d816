import { expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'

test('after close, statements and queries are refused as such', async () => {
  const millrace = await Millrace.open()
  await millrace.sql(`
    CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
    CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;`)
  await millrace.close()
  await millrace.close()
  await expect(millrace.sql('SHOW STREAMS;')).rejects.toMatchObject({ code: 'QUERY_CLOSED' })
  expect(() => millrace.query('SELECT * FROM c;')).toThrow(expect.objectContaining({ code: 'QUERY_CLOSED' }))
})
