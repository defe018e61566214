/**
 * Sets up, builds and checks everything, goes on after a failure to report all, and ends with one line of totals.
 *
 * `npm test`
 *
 * A step that does not come to its own totals counts as one failure.
 */
import { bin, main, type RunOptions, run } from './command.js'
import { lint, type Tally } from './lint.js'

interface Step {
  name: string
  tally(): Promise<Tally>
}

const NOTHING: Tally = { passed: 0, failed: 0, skipped: 0 }

// The workspace, not the one crate: another choice of crates is another choice of features, and compiles Arrow once more.
const WITH_FAILPOINTS = [
  '--workspace',
  '--exclude=tamis-kernels',
  '--features=tamis-node/failpoints',
  '--lib',
  '--test=faults',
]

const STEPS: readonly Step[] = [
  { name: 'setup', tally: () => must('npm', ['run', '--silent', 'setup']) },
  { name: 'build', tally: () => must('npm', ['run', '--silent', 'build']) },
  { name: 'build with failpoints', tally: () => must('npm', ['run', '--silent', 'build:failpoints']) },
  { name: 'crates', tally: () => cargoTest(['--workspace']) },
  { name: 'crates with failpoints', tally: () => cargoTest(WITH_FAILPOINTS) },
  { name: 'package', tally: () => ava() },
  { name: 'lint', tally: lint },
]

/** A program that only has to come to its end; that is no test that passed. */
async function must(program: string, args: string[], options?: RunOptions): Promise<Tally> {
  const { code } = await run(program, args, options)
  return code === 0 ? NOTHING : { ...NOTHING, failed: 1 }
}

async function cargoTest(args: string[]): Promise<Tally> {
  const { code, output } = await run('cargo', ['test', '--locked', '--no-fail-fast', ...args])
  const tally = { ...NOTHING }
  const line = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm
  for (const [, passed, failed, ignored] of output.matchAll(line)) {
    tally.passed += Number(passed)
    tally.failed += Number(failed)
    tally.skipped += Number(ignored)
  }
  return orCrash(tally, code)
}

async function ava(): Promise<Tally> {
  const { code, stdout } = await run(bin('ava'), ['--tap'])
  const tally = { ...NOTHING }
  for (const [, not, directive] of stdout.matchAll(/^(not )?ok \d+.*?(?: # (SKIP|TODO))?$/gm)) {
    if (directive !== undefined) tally.skipped++
    else if (not !== undefined) tally.failed++
    else tally.passed++
  }
  return orCrash(tally, code)
}

/** Totals that say of no failure, from a program that says that it failed, lack one. */
function orCrash(tally: Tally, code: number): Tally {
  if (code === 0 || tally.failed > 0) return tally
  return { ...tally, failed: 1 }
}

await main(async () => {
  const total = { ...NOTHING }
  const lines: string[] = []
  for (const { name, tally } of STEPS) {
    console.log(`\n== ${name}`)
    const start = performance.now()
    const { passed, failed, skipped } = await tally()
    lines.push(
      `${name}: ${summary({ passed, failed, skipped })} in ${((performance.now() - start) / 1000).toFixed(0)} s`,
    )
    total.passed += passed
    total.failed += failed
    total.skipped += skipped
  }
  console.log(`\n${lines.join('\n')}`)
  console.log(summary(total))
  if (total.failed > 0) process.exitCode = 1
})

function summary({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
