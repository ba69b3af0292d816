import { expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { openLog } from '../../src/log/open-log.ts'
import { readDefinitions } from '../../src/runtime/definitions.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'

/* A statement of definition is one frame: topics and catalog entries of it are there together, or none is. */

/** What is there of the table below: its topic, itself, its query. */
async function found(disk: SimulatedFileSystem): Promise<string> {
  const log = await openLog({ directory: '/memory', fileSystem: disk })
  const entries = new Map((await readDefinitions(log)).map(({ key, entry }) => [key, entry]))
  const there: string[] = log.topic('COUNTS') === undefined ? [] : ['topic']
  for (const entry of entries.values()) {
    if (entry?.kind === 'source' && entry.source.name === 'COUNTS') there.push('table')
    if (entry?.kind === 'query') there.push('query')
  }
  await log.close()
  return there.sort().join(' ')
}

test('power cuts at any operation of a statement leave all of it, or nothing', async () => {
  const disk = new SimulatedFileSystem()
  const db = await Millrace.open({ fileSystem: disk })
  await db.sql("CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', format='JSON', partitions=1);")
  /** What the power cuts left, in their order, each once. */
  const cutDuring = async (statement: string): Promise<string[]> => {
    const cuts: SimulatedFileSystem[] = []
    const cut = (): number => cuts.push(disk.afterPowerCut(seededRandom(cuts.length)))
    disk.schedule = async ({ kind }, effect) => {
      if (kind !== 'read' && kind !== 'open') cut()
      return effect()
    }
    await db.sql(statement)
    disk.schedule = async (_, effect) => effect()
    cut()
    const left: string[] = []
    for (const one of cuts) left.push(await found(one))
    return [...new Set(left)]
  }
  expect(await cutDuring('CREATE TABLE counts AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;')).toEqual([
    '',
    'query table topic',
  ])
  expect(await cutDuring('DROP TABLE counts DELETE TOPIC;')).toEqual(['query table topic', ''])
  await db.close()
})
