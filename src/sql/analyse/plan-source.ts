import type { SourceNode } from '../../plan/plan-node.ts'
import { keyColumns } from '../../plan/schema.ts'
import type { PrepareContext } from './context.ts'
import type { KeyedNode } from './keyed-node.ts'
import type { QuerySource } from './query-sources.ts'

/** Reads one stream or table as it is; or what a sub-query gives. */
export function planSource(one: QuerySource, context: PrepareContext): KeyedNode {
  if (one.derived !== null) return one.derived
  const node: SourceNode = {
    kind: 'source',
    source: one.source,
    schema: one.source.schema,
    output: one.source.kind,
    windowed: one.source.windowedKey,
  }
  return {
    node,
    keys: keyColumns(one.source.schema).map(({ name }) => ({
      name,
      candidates: [name],
      exact: [name],
      written: [name],
    })),
    partitions: context.catalog.partitions(one.source.topic),
    keyWord: 'key column',
  }
}

/** A name none of the given columns has, made from `wanted`. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let n = 0; ; n++) {
    const name = n === 0 ? wanted : `${wanted}_${n}`
    if (!taken.has(name)) return name
  }
}
