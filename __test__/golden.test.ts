import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { operations, recipes } from 'tamis'
import { calledBy, casesOf, type GoldenCase, recipesIn, runCase } from '../scripts/golden/cases.js'

const folder = fileURLToPath(new URL('golden/', import.meta.url))
/** Where the cases come from; a clone alone does not have it. */
const source = fileURLToPath(new URL('../../shared/golden/', import.meta.url))

const done = recipes.filter((recipe) => recipe.state === 'done').map((recipe) => recipe.short)
const all = recipesIn(folder).flatMap((recipe) => casesOf(folder, recipe))

/** Whether a case must pass: all of a recipe that is done, and of the kernels those that are there. */
function isDue(golden: GoldenCase): boolean {
  if (golden.recipe !== 'kernels') return done.includes(golden.recipe)
  return calledBy(golden).every((name) => operations.includes(name.replace('kernels.', '')))
}

const due = all.filter(isDue)

for (const golden of due) {
  test(`${golden.recipe}/${golden.name}: ${golden.about}`, async (t) => {
    t.deepEqual(await runCase(golden), { state: 'ran', differences: [] })
  })
}

test('every recipe has cases, and every case a recipe', (t) => {
  t.deepEqual(recipesIn(folder), [...recipes.map((recipe) => recipe.short), 'kernels'].sort())
  for (const golden of all) t.true(golden.steps !== undefined || golden.call !== undefined, golden.name)
})

test('the cases to come are counted', (t) => {
  t.log(
    `${due.length} cases are due, ${all.length - due.length} of ${recipes.length - done.length} recipes and of kernels are to come`,
  )
  t.true(due.length > 0)
})

if (existsSync(source)) {
  test('the copies of done recipes are those of the source', (t) => {
    for (const recipe of [...done, 'kernels']) {
      const names = readdirSync(join(source, recipe))
      t.deepEqual(readdirSync(join(folder, recipe)).sort(), names.sort())
      for (const name of names) {
        t.true(
          readFileSync(join(folder, recipe, name)).equals(readFileSync(join(source, recipe, name))),
          name,
        )
      }
    }
  })
}
