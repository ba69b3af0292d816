import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { FunctionError } from '../base/errors.ts'
import { isDeclaration } from '../functions/check-declaration.ts'
import type { UserFunction } from '../runtime/user-functions.ts'

/**
 * The functions that modules export, under any name, one by one or in arrays. In these modules `millrace` is
 * this very program, wherever they lie.
 *
 * @param files  paths of modules, TypeScript or JavaScript
 * @throws FunctionError a module can't be loaded, or exports no function
 */
export async function loadFunctions(files: readonly string[]): Promise<readonly UserFunction[]> {
  if (files.length === 0) return []
  resolveToThisProgram()
  const functions = new Set<UserFunction>()
  for (const file of files) {
    const found = await exportsOf(file)
    if (found.length === 0) {
      throw new FunctionError('FUNCTION_MODULE_EMPTY', {
        message: `The module ${file} exports no functions.`,
        hint: 'Export what scalarFunction, aggregateFunction or tableFunction give.',
      })
    }
    for (const declaration of found) functions.add(declaration)
  }
  return [...functions]
}

async function exportsOf(file: string): Promise<readonly UserFunction[]> {
  const path = resolve(file)
  if (!existsSync(path)) {
    throw new FunctionError('FUNCTION_MODULE_UNREADABLE', { message: `There is no module ${file}.` })
  }
  let module: Readonly<Record<string, unknown>>
  try {
    module = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    throw new FunctionError('FUNCTION_MODULE_UNREADABLE', {
      message: `The module ${file} can't be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    })
  }
  // Registration checks the declarations as a whole.
  return Object.values(module)
    .flat()
    .filter((value): value is UserFunction => isDeclaration(value))
}

let isHooked = false

function resolveToThisProgram(): void {
  if (isHooked) return
  isHooked = true
  const index = new URL(import.meta.url.endsWith('.ts') ? '../index.ts' : '../index.js', import.meta.url).href
  registerHooks({
    resolve: (specifier, context, next) => next(specifier === 'millrace' ? index : specifier, context),
  })
}
