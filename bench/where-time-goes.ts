/**
 * `node bench/where-time-goes.ts PROFILE.cpuprofile RECORDS`: sums a CPU profile of one run by the step of a
 * record's way, in nanoseconds per record. A profile comes from `node --cpu-prof bench/run.ts …`.
 */
import { readFileSync } from 'node:fs'

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** The first that matches the file or function counts. */
const STEPS: readonly (readonly [string, RegExp])[] = [
  ['idle', /^\(idle\)/],
  ['garbage collection', /^\(garbage collector\)/],
  ['read and check CRC', /^read |log\/partition|batchCrcHolds|readFully|file-pool|shared-reader/],
  ['find records', /walk-records/],
  ['scan JSON', /json-scanner|json-decoder|scanRows|column-vectors|source-decoder|formats\/kafka/],
  ['filter and project', /stage\.ts|generated|^kernel /],
  ['aggregate', /slabLoop|slabs\/slab\.ts|slab-loop|slab-aggregate/],
  ['encode output', /json-encoder|number-writer|sink\.ts|byte-writer|java-double/],
  ['encode changelog', /slab-store|changelog|task-state/],
  ['frame batches', /record-batch/],
  [
    'journal and segments',
    /journal|append\.ts|embedded-log|segment|writeBuffer|fdatasync|node-file-system|log\/log-state/,
  ],
  ['checkpoint', /classic-level|abstract-level|level-storage|worker-state|^_batch/],
]

const [file, records] = process.argv.slice(2)
const profile = JSON.parse(readFileSync(file!, 'utf8')) as Profile
const names = new Map(
  profile.nodes.map((n) => [
    n.id,
    `${n.callFrame.functionName} ${n.callFrame.url.split('/').slice(-2).join('/')}`,
  ]),
)
const totals = new Map<string, number>()
profile.samples.forEach((id, i) => {
  const name = names.get(id)!
  const step = STEPS.find(([, matches]) => matches.test(name))?.[0] ?? 'start-up and the rest'
  totals.set(step, (totals.get(step) ?? 0) + profile.timeDeltas[i]!)
})
for (const [step, micros] of [...totals].toSorted((a, b) => b[1] - a[1])) {
  console.log(`${((micros * 1000) / Number(records)).toFixed(0).padStart(6)} ns  ${step}`)
}
