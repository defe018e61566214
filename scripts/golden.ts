/**
 * Runs golden cases against the built package.
 *
 * `npm run golden -- DIR [SHORT...]`
 *
 * DIR holds a folder a recipe, of one JSON file a case. Ends with 1 if a case fails, or if one of a recipe that is
 * done calls what is not there; with 2 if there is nothing to run.
 */
import { recipes } from 'tamis'
import { calledBy, casesOf, type GoldenCase, recipesIn, runCase } from './golden/cases.js'
import type { Difference } from './golden/values.js'

const done = new Set(recipes.filter((recipe) => recipe.state === 'done').map((recipe) => recipe.short))
const counts = { passed: 0, failed: 0, toCome: 0 }

async function run(golden: GoldenCase): Promise<void> {
  const verdict = await runCase(golden)
  if (verdict.state === 'ran') {
    tell(golden, verdict.differences)
  } else if (done.has(golden.recipe)) {
    tell(golden, [{ path: calledBy(golden).join(', '), got: 'nothing', want: 'a function' }])
  } else {
    counts.toCome++
  }
}

function tell({ recipe, name, about }: GoldenCase, differences: Difference[]): void {
  if (differences.length === 0) {
    counts.passed++
    return
  }
  counts.failed++
  console.log(`${recipe}/${name}: ${about}`)
  for (const { path, got, want } of differences) console.log(`  ${path}: got ${got}, want ${want}`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}

const [folder, ...asked] = process.argv.slice(2)
if (folder === undefined) fail('usage: npm run golden -- DIR [SHORT...]')
let there: string[] = []
try {
  there = recipesIn(folder)
} catch (error) {
  fail(`${folder} cannot be read: ${error instanceof Error ? error.message : error}`)
}
const unknown = asked.filter((short) => !there.includes(short))
if (unknown.length > 0) fail(`${folder} has no cases of ${unknown.join(', ')}`)

for (const recipe of asked.length > 0 ? asked : there) {
  for (const golden of casesOf(folder, recipe)) await run(golden)
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.toCome} to come`)
process.exitCode = counts.failed > 0 ? 1 : 0
