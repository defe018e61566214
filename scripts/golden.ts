/**
 * Runs golden cases against the built package.
 *
 * `npm run golden -- DIR [SHORT...]`
 *
 * DIR holds a folder a recipe, of one JSON file a case. Ends with 1 if a case fails, with 2 if there is nothing to
 * run.
 */
import { casesOf, recipesIn, runCase } from './golden/cases.js'

const [folder, ...asked] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: npm run golden -- DIR [SHORT...]')
  process.exit(2)
}
const there = recipesIn(folder)
const unknown = asked.filter((short) => !there.includes(short))
if (unknown.length > 0) {
  console.error(`${folder} has no cases of ${unknown.join(', ')}`)
  process.exit(2)
}

const counts = { passed: 0, failed: 0, 'to come': 0 }
for (const recipe of asked.length > 0 ? asked : there) {
  for (const golden of casesOf(folder, recipe)) {
    const verdict = await runCase(golden)
    if (verdict.state === 'to come') {
      counts['to come']++
    } else if (verdict.differences.length === 0) {
      counts.passed++
    } else {
      counts.failed++
      console.log(`${recipe}/${golden.name}: ${golden.about}`)
      for (const { path, got, want } of verdict.differences)
        console.log(`  ${path}: got ${got}, want ${want}`)
    }
  }
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts['to come']} to come`)
process.exitCode = counts.failed > 0 ? 1 : 0
