import * as aggregatesAttr from './aggregates/attr.ts'
import * as aggregatesAvg from './aggregates/avg.ts'
import * as aggregatesByOffset from './aggregates/by-offset.ts'
import * as aggregatesCollect from './aggregates/collect.ts'
import * as aggregatesCorrelation from './aggregates/correlation.ts'
import * as aggregatesCountDistinct from './aggregates/count-distinct.ts'
import * as aggregatesCount from './aggregates/count.ts'
import * as aggregatesExtremes from './aggregates/extremes.ts'
import * as aggregatesHistogram from './aggregates/histogram.ts'
import * as aggregatesStandardDeviation from './aggregates/standard-deviation.ts'
import * as aggregatesSumList from './aggregates/sum-list.ts'
import * as aggregatesSum from './aggregates/sum.ts'
import * as aggregatesTopk from './aggregates/topk.ts'
import * as binaryNumbers from './binary/numbers.ts'
import * as collectionsArrays from './collections/arrays.ts'
import * as collectionsGenerateSeries from './collections/generate-series.ts'
import * as collectionsMaps from './collections/maps.ts'
import * as datesAdding from './dates/adding.ts'
import * as datesConverting from './dates/converting.ts'
import * as datesFormatting from './dates/formatting.ts'
import * as datesParsing from './dates/parsing.ts'
import * as jsonReading from './json/reading.ts'
import * as jsonToJsonString from './json/to-json-string.ts'
import * as lambdasFilter from './lambdas/filter.ts'
import * as lambdasReduce from './lambdas/reduce.ts'
import * as lambdasTransform from './lambdas/transform.ts'
import * as mathsGeoDistance from './maths/geo-distance.ts'
import * as mathsGreatest from './maths/greatest.ts'
import * as mathsOverDoubles from './maths/over-doubles.ts'
import * as mathsRandom from './maths/random.ts'
import * as mathsRounding from './maths/rounding.ts'
import * as mathsSign from './maths/sign.ts'
import * as nullsAsValue from './nulls/as-value.ts'
import * as nullsCoalesce from './nulls/coalesce.ts'
import * as stringsCase from './strings/case.ts'
import * as stringsChr from './strings/chr.ts'
import * as stringsConcat from './strings/concat.ts'
import * as stringsEltField from './strings/elt-field.ts'
import * as stringsEncode from './strings/encode.ts'
import * as stringsInstr from './strings/instr.ts'
import * as stringsLen from './strings/len.ts'
import * as stringsMask from './strings/mask.ts'
import * as stringsMd5 from './strings/md5.ts'
import * as stringsPad from './strings/pad.ts'
import * as stringsRegexp from './strings/regexp.ts'
import * as stringsReplace from './strings/replace.ts'
import * as stringsSplit from './strings/split.ts'
import * as stringsSubstring from './strings/substring.ts'
import * as stringsTrim from './strings/trim.ts'
import * as stringsUuid from './strings/uuid.ts'
import * as tablesCubeExplode from './tables/cube-explode.ts'
import * as tablesExplode from './tables/explode.ts'
import * as urlsExtract from './urls/extract.ts'
import * as urlsParam from './urls/param.ts'
import type { AggregateFunction } from './aggregate-function.ts'
import type { ScalarFunction } from './scalar-function.ts'
import type { TableFunction } from './table-function.ts'

type Declaration = ScalarFunction | AggregateFunction | TableFunction

/* Every exported declaration of these files is a function of the dialect. */
const files: readonly object[] = [
  aggregatesAttr,
  aggregatesAvg,
  aggregatesByOffset,
  aggregatesCollect,
  aggregatesCorrelation,
  aggregatesCountDistinct,
  aggregatesCount,
  aggregatesExtremes,
  aggregatesHistogram,
  aggregatesStandardDeviation,
  aggregatesSumList,
  aggregatesSum,
  aggregatesTopk,
  binaryNumbers,
  collectionsArrays,
  collectionsGenerateSeries,
  collectionsMaps,
  datesAdding,
  datesConverting,
  datesFormatting,
  datesParsing,
  jsonReading,
  jsonToJsonString,
  lambdasFilter,
  lambdasReduce,
  lambdasTransform,
  mathsGeoDistance,
  mathsGreatest,
  mathsOverDoubles,
  mathsRandom,
  mathsRounding,
  mathsSign,
  nullsAsValue,
  nullsCoalesce,
  stringsCase,
  stringsChr,
  stringsConcat,
  stringsEltField,
  stringsEncode,
  stringsInstr,
  stringsLen,
  stringsMask,
  stringsMd5,
  stringsPad,
  stringsRegexp,
  stringsReplace,
  stringsSplit,
  stringsSubstring,
  stringsTrim,
  stringsUuid,
  tablesCubeExplode,
  tablesExplode,
  urlsExtract,
  urlsParam,
]

/** All built-in functions. */
export const library: readonly Declaration[] = files.flatMap((file) =>
  Object.values(file).filter(
    (exported): exported is Declaration =>
      typeof exported === 'object' && exported !== null && 'overloads' in exported,
  ),
)
