import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib'

/** Files of a directory by path, as one compressed JSON object of base64 texts. */
export async function pack(directory: string): Promise<Uint8Array> {
  const files: Record<string, string> = {}
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files[relative(directory, path)] = (await readFile(path)).toString('base64')
  }
  return brotliCompressSync(JSON.stringify(files))
}

export async function unpack(archive: Uint8Array, directory: string): Promise<void> {
  const files = JSON.parse(brotliDecompressSync(archive).toString()) as Readonly<Record<string, string>>
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), Buffer.from(content, 'base64'))
  }
}
