import * as attr from './aggregates/attr.ts'
import * as avg from './aggregates/avg.ts'
import * as byOffset from './aggregates/by-offset.ts'
import * as collect from './aggregates/collect.ts'
import * as correlation from './aggregates/correlation.ts'
import * as countDistinct from './aggregates/count-distinct.ts'
import * as count from './aggregates/count.ts'
import * as extremes from './aggregates/extremes.ts'
import * as histogram from './aggregates/histogram.ts'
import * as standardDeviation from './aggregates/standard-deviation.ts'
import * as sumList from './aggregates/sum-list.ts'
import * as sum from './aggregates/sum.ts'
import * as topk from './aggregates/topk.ts'
import type { AggregateFunction } from './aggregate-function.ts'
import type { ScalarFunction } from './scalar-function.ts'
import type { TableFunction } from './table-function.ts'
import * as cubeExplode from './tables/cube-explode.ts'
import * as explode from './tables/explode.ts'

type Declaration = ScalarFunction | AggregateFunction | TableFunction

/* Every exported declaration of these files is a function of the dialect. */
const files: readonly object[] = [
  attr,
  avg,
  byOffset,
  collect,
  correlation,
  count,
  countDistinct,
  extremes,
  histogram,
  standardDeviation,
  sum,
  sumList,
  topk,
  cubeExplode,
  explode,
]

/** All built-in functions. */
export const library: readonly Declaration[] = files.flatMap((file) =>
  Object.values(file).filter(
    (exported): exported is Declaration =>
      typeof exported === 'object' && exported !== null && 'overloads' in exported,
  ),
)
