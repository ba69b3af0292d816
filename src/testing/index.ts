/** For tests of one's own queries: `import { TestDriver } from 'millrace/testing'`. */
export { TestDriver } from './driver.ts'
export type { DriverProblem, TestDriverOptions, TestRecord, TopicRecord } from './driver.ts'
export { ManualClock } from '../base/clock.ts'
