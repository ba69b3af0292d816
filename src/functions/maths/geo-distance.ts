import { DOUBLE, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'
import { optional } from '../type-pattern.ts'

const KILOMETRES = new Set(['km', 'kilometer', 'kilometers', 'kilometre', 'kilometres', ''])
const MILES = new Set(['mi', 'mile', 'miles'])

/** Of the earth, in a unit. @throws RangeError there is no such unit */
function radiusIn(unit: string): number {
  const name = unit.trim().toLowerCase()
  if (KILOMETRES.has(name)) return 6371
  if (MILES.has(name)) return 3959
  throw new RangeError(`'${unit}' is not a unit of distance: choose KM or MILES.`)
}

function inRange(value: number, limit: number, what: string): void {
  if (!(Math.abs(value) <= limit)) {
    throw new RangeError(`A ${what} lies between -${limit} and ${limit}, not at ${value}.`)
  }
}

function distance(
  lat1: number,
  lon1: number,
  lat2: number,
  lon2: number,
  unit: string | null = 'km',
): number {
  const radius = radiusIn(unit ?? 'km')
  inRange(lat1, 90, 'latitude')
  inRange(lat2, 90, 'latitude')
  inRange(lon1, 180, 'longitude')
  inRange(lon2, 180, 'longitude')
  const haversine = (degrees: number): number => Math.sin(radians(degrees) / 2) ** 2
  const part =
    haversine(lat2 - lat1) + haversine(lon2 - lon1) * Math.cos(radians(lat1)) * Math.cos(radians(lat2))
  return 2 * Math.asin(Math.sqrt(part)) * radius
}

function radians(degrees: number): number {
  return degrees * 0.017453292519943295
}

export const geoDistance = scalarFunction({
  name: 'GEO_DISTANCE',
  category: 'other',
  summary: 'The great-circle distance between two points given in degrees, in kilometres or miles.',
  args: { lat1: DOUBLE, lon1: DOUBLE, lat2: DOUBLE, lon2: DOUBLE, unit: optional(STRING) },
  returns: DOUBLE,
  nulls: { lat1: 'reject', lon1: 'reject', lat2: 'reject', lon2: 'reject', unit: 'accept' },
  body: distance,
  examples: [
    ['GEO_DISTANCE(37.4439, -122.1663, 51, 0)', 8682.459061368269],
    ["ROUND(GEO_DISTANCE(37.4439, -122.1663, 51, 0, 'Miles'))", 5395],
    ['GEO_DISTANCE(1, 1, 1, 1, NULL)', 0],
  ],
})
