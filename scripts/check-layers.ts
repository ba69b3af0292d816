/**
 * Holds the rule of who may import whom (docs/architecture.md): each folder of src/ lists the folders it
 * may use besides itself and base. Exits 1 naming every import that breaks it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'

const below = ['plan', 'functions', 'formats', 'log', 'state', 'engine', 'sql', 'dsl']
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  plan: [],
  functions: ['plan'],
  formats: ['plan'],
  sql: ['plan', 'functions'],
  dsl: ['plan', 'functions'],
  log: [],
  kafka: ['log'],
  state: ['log', 'plan'],
  engine: ['plan', 'functions', 'formats', 'state', 'log'],
  runtime: below,
  testing: [...below, 'runtime'],
  server: [...below, 'runtime'],
  cli: [...below, 'runtime', 'server', 'testing'],
}

const root = join(import.meta.dirname, '..', 'src')
const broken: string[] = []

for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.ts')) continue
  const room = file.split('/')[0]!
  const allowed = MAY_IMPORT[room]
  if (allowed === undefined) {
    if (file.includes('/')) broken.push(`${file}: the folder ${room} has no rule in scripts/check-layers.ts`)
    continue
  }
  for (const [, target] of readFileSync(join(root, file), 'utf8').matchAll(
    /(?:from|import\()\s*'(\.[^']+)'/g,
  )) {
    const other = relative(root, normalize(join(root, dirname(file), target!))).split('/')[0]!
    if (other !== room && other !== 'base' && !allowed.includes(other)) {
      broken.push(`src/${file}: ${room} may not import ${other}`)
    }
  }
}

for (const line of broken) console.error(line)
if (broken.length > 0) process.exit(1)
