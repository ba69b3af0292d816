import type { FileSystem } from '../../src/base/file-system.ts'

/** What the state asks of a file system while its storage is a model. */
export const memoryFiles = {
  makeDirectory: async () => {},
  removeTree: async () => {},
} as unknown as FileSystem
