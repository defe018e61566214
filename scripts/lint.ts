/**
 * Everything that is checked without running the code; goes on after a failure to report all.
 *
 * `npm run lint`
 */
import { fileURLToPath } from 'node:url'
import { bin, main, run } from './command.js'
import { checkCrates } from './crate-rules.js'

export interface Tally {
  passed: number
  failed: number
  skipped: number
}

interface Check {
  name: string
  /** Whether it passed; prints what it found. */
  passes(): Promise<boolean>
}

const CHECKS: readonly Check[] = [
  command('TypeScript is formatted and lint-free', bin('biome'), ['check', '--error-on-warnings', '.']),
  command('TypeScript is well-typed', bin('tsc'), ['--noEmit']),
  command('rooms are imported through their index', bin('depcruise'), ['ts']),
  command('Rust is formatted', 'cargo', ['fmt', '--all', '--check']),
  command('Rust is lint-free', 'cargo', clippy()),
  command('Rust is lint-free with failpoints', 'cargo', clippy('--features', 'tamis-node/failpoints')),
  { name: 'crates depend one way', passes: checkCrates },
  command('licences are on the list', bin('tsx'), ['scripts/licences.ts']),
  command('docs say what the code says', bin('tsx'), ['scripts/docs.ts', '--check']),
]

function clippy(...features: string[]): string[] {
  return ['clippy', '--locked', '--workspace', '--all-targets', ...features, '--', '-D', 'warnings']
}

function command(name: string, program: string, args: string[]): Check {
  return { name, passes: async () => (await run(program, args)).code === 0 }
}

/** Runs every check and names those that failed. */
export async function lint(): Promise<Tally> {
  const failures: string[] = []
  for (const { name, passes } of CHECKS) {
    console.log(`\n== lint: ${name}`)
    if (!(await passes())) failures.push(name)
  }
  for (const name of failures) console.log(`lint failed: ${name}`)
  return { passed: CHECKS.length - failures.length, failed: failures.length, skipped: 0 }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    const { passed, failed } = await lint()
    console.log(`\n${passed} passed, ${failed} failed`)
    if (failed > 0) process.exitCode = 1
  })
}
