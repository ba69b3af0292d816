import { seededRandom, type Random } from '../../src/base/random.ts'

/** What a vehicle sends. Member names are those of the JSON. */
export interface Reading {
  readonly vehicle_id: string
  /** Epoch ms. */
  readonly ts: number
  /** km/h */
  readonly speed: number
  /** °C */
  readonly engine_temp: number
  /** Percent. */
  readonly fuel_level: number
  readonly lat: number
  readonly lon: number
}

/** V001 … V010 */
export const VEHICLE_IDS: readonly string[] = Array.from(
  { length: 10 },
  (_, i) => `V${String(i + 1).padStart(3, '0')}`,
)

/** Every vehicle reports once in a round. */
const ROUND_MS = 500
const READING_GAP_MS = 50

/** How a day begins: vehicle and speed of the first readings. */
const OPENING: readonly (readonly [string, number])[] = [
  ['V001', 45],
  ['V002', 60],
  ['V001', 50],
  ['V003', 85],
]

/**
 * The readings of ten vehicles, without end, in order of time. The same start and seed give the same
 * readings: whoever was interrupted makes them again and leaves out what was sent.
 *
 * Now and then somebody drives too fast, an engine overheats for a while, and a vehicle falls silent.
 *
 * @param startMs  event time of the first reading
 */
export function* fleetReadings(startMs: number, seed: number): Generator<Reading, never> {
  const random = seededRandom(seed)
  const vehicles = VEHICLE_IDS.map(
    (id, i) => new Vehicle(id, seededRandom(seed * 1_000 + i + 1), openingSpeed(id)),
  )
  const overheating = new Incidents(random, { firstMs: 2_000, lastsMs: 26_000, everyMs: 75_000 })
  const silence = new Incidents(random, { firstMs: 3_000, lastsMs: 27_000, everyMs: 90_000 })

  for (const [n, [id, speed]] of OPENING.entries()) {
    const vehicle = vehicles[VEHICLE_IDS.indexOf(id)]!
    yield { ...vehicle.reading(startMs + n * READING_GAP_MS), speed }
  }
  for (let elapsedMs = ROUND_MS; ; elapsedMs += ROUND_MS) {
    const hot = overheating.vehicleAt(elapsedMs)
    const silent = silence.vehicleAt(elapsedMs)
    for (const [i, vehicle] of vehicles.entries()) {
      vehicle.drive(ROUND_MS / 1_000, i === hot)
      if (i !== silent) yield vehicle.reading(startMs + elapsedMs + i * READING_GAP_MS)
    }
  }
}

function openingSpeed(id: string): number | null {
  return OPENING.findLast(([vehicle]) => vehicle === id)?.[1] ?? null
}

/** Something that befalls one vehicle after the other. */
class Incidents {
  readonly #random: Random
  readonly #lastsMs: number
  readonly #everyMs: number
  #startMs: number
  #vehicle: number

  constructor(
    random: Random,
    times: { readonly firstMs: number; readonly lastsMs: number; readonly everyMs: number },
  ) {
    this.#random = random
    this.#lastsMs = times.lastsMs
    this.#everyMs = times.everyMs
    this.#startMs = times.firstMs
    this.#vehicle = random.below(VEHICLE_IDS.length)
  }

  /** The vehicle it befalls at a time, or −1. Times ascend from call to call. */
  vehicleAt(elapsedMs: number): number {
    if (elapsedMs >= this.#startMs + this.#lastsMs) {
      this.#startMs += this.#everyMs + this.#random.below(30_000)
      this.#vehicle = this.#random.below(VEHICLE_IDS.length)
    }
    return elapsedMs >= this.#startMs ? this.#vehicle : -1
  }
}

/** Where everybody drives: around this place, at most so many degrees away. */
const CENTRE = { lat: 52.52, lon: 13.405, reach: 0.12 }
const KM_PER_DEGREE = 111.2

/** One vehicle on its way: it holds a speed for a while, takes bends, burns fuel, warms up. */
class Vehicle {
  readonly #id: string
  readonly #random: Random
  /** How likely it takes it too far when it picks a new speed. */
  readonly #haste: number
  #speed: number
  #cruise: number
  #heading: number
  #lat: number
  #lon: number
  #temp: number
  #fuel: number

  constructor(id: string, random: Random, speed: number | null) {
    this.#id = id
    this.#random = random
    this.#haste = random.next() < 0.4 ? 0.25 : 0.04
    this.#cruise = 35 + 30 * random.next()
    this.#speed = speed ?? this.#cruise
    this.#heading = 2 * Math.PI * random.next()
    this.#lat = CENTRE.lat + CENTRE.reach * (random.next() - 0.5)
    this.#lon = CENTRE.lon + CENTRE.reach * (random.next() - 0.5)
    this.#temp = 82 + 8 * random.next()
    this.#fuel = 35 + 60 * random.next()
  }

  drive(seconds: number, isOverheating: boolean): void {
    const random = this.#random
    if (random.next() < 0.06 * seconds) this.#cruise = this.#nextCruise()
    const wish = this.#cruise + 4 * (random.next() - 0.5) - this.#speed
    const changeMax = 9 * seconds
    this.#speed = Math.max(0, this.#speed + Math.max(-changeMax, Math.min(changeMax, wish)))
    const km = (this.#speed * seconds) / 3_600
    this.#steer(seconds)
    this.#lat += (km * Math.cos(this.#heading)) / KM_PER_DEGREE
    this.#lon += (km * Math.sin(this.#heading)) / (KM_PER_DEGREE * Math.cos((this.#lat * Math.PI) / 180))
    const warmTo = isOverheating ? 130 : 82 + 0.1 * this.#speed
    this.#temp += ((warmTo - this.#temp) * seconds) / (isOverheating ? 4 : 8) + 0.4 * (random.next() - 0.5)
    this.#fuel -= 0.12 * km
    if (this.#fuel < 8) this.#fuel = 100
  }

  reading(ts: number): Reading {
    return {
      vehicle_id: this.#id,
      ts,
      speed: rounded(this.#speed, 1),
      engine_temp: rounded(this.#temp, 1),
      fuel_level: rounded(this.#fuel, 2),
      lat: rounded(this.#lat, 6),
      lon: rounded(this.#lon, 6),
    }
  }

  #nextCruise(): number {
    const random = this.#random
    const kind = random.next()
    if (kind < this.#haste) return 84 + 16 * random.next()
    return kind > 0.9 ? 0 : 30 + 45 * random.next()
  }

  /** A bend now and then; back towards the centre when it has come too far. */
  #steer(seconds: number): void {
    const north = CENTRE.lat - this.#lat
    const east = CENTRE.lon - this.#lon
    if (Math.hypot(north, east) > CENTRE.reach) this.#heading = Math.atan2(east, north)
    else this.#heading += 0.5 * seconds * (this.#random.next() - 0.5)
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
