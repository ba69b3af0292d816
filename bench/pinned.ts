import { spawn, type ChildProcess } from 'node:child_process'
import { dirname, join } from 'node:path'

/**
 * A script of this folder, whose first argument is its data directory, in a process of its own: the engine on
 * one core, everything else on the other. As with the command `millrace`, from the second start on nothing is
 * compiled again, and the collector does not guess which objects will live long (decision 0010).
 */
export function startPinned(script: string, args: readonly string[]): ChildProcess {
  const command = [
    process.execPath,
    '--no-allocation-site-pretenuring',
    join(import.meta.dirname, script),
    ...args,
  ]
  const pinned = process.platform === 'linux' ? ['taskset', '-c', '0', ...command] : command
  return spawn(pinned[0]!, pinned.slice(1), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(args[0]!), 'compile-cache') },
  })
}

/** @returns what the script printed: one JSON value @throws Error if it did not end well */
export function runPinned<Result>(script: string, args: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = startPinned(script, args)
    let out = ''
    child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as Result)
      else reject(new Error(`${script} ${args.slice(1).join(' ')} ended with exit code ${code}`))
    })
  })
}
