import test from 'ava'
import * as tamis from 'tamis'
import { kernels, operations, recipes } from 'tamis'

test('there are 77 papers of distinct names', (t) => {
  t.is(recipes.length, 77)
  t.is(new Set(recipes.map((recipe) => recipe.short)).size, 77)
  t.is(new Set(recipes.map((recipe) => recipe.title)).size, 77)
  t.deepEqual(
    recipes.map((recipe) => recipe.short),
    recipes.map((recipe) => recipe.short).sort(),
  )
})

test('every function has one home', (t) => {
  const functions = recipes.flatMap((recipe) => recipe.functions)
  t.is(new Set(functions).size, functions.length)
  for (const name of functions)
    t.regex(name, /^(corpus|vectors|weights|training|signals|kernels)\.[A-Za-z0-9]+$/)
  for (const { short, functions: own } of recipes) t.true(own.length > 0, short)
})

test('what a done recipe lists is there', (t) => {
  const done = recipes.filter((recipe) => recipe.state === 'done')
  t.true(done.some((recipe) => recipe.short === 'dsir'))
  for (const name of done.flatMap((recipe) => recipe.functions)) {
    const [room, key] = name.split('.') as [string, string]
    t.is(typeof (tamis as unknown as Record<string, Record<string, unknown>>)[room]?.[key], 'function', name)
  }
  for (const name of done.flatMap((recipe) => recipe.operations)) t.true(operations.includes(name), name)
})

test('kernels are the listed operations, each a promise and at once', (t) => {
  const names = operations.flatMap((name) => [name, `${name}Sync`])
  t.deepEqual(Object.keys(kernels).sort(), names.sort())
})

/** The form of partial results, which any recipe may use. */
const PARTIAL = ['countNgramFiles', 'mergeNgramCounts', 'readNgramCounts', 'readScores']

/** What works on files, with a recipe or several behind it. */
const ON_FILES = [
  'dedupFilesExact',
  'dedupFilesNear',
  'dedupFilesSemantic',
  'mixFiles',
  'readVectors',
  'selectFilesAtRandom',
  'selectFilesByClusters',
  'selectFilesByCompression',
  'selectFilesByDistance',
  'selectFilesByPrototypes',
]

test('no function of the API lacks a home', (t) => {
  const listed = recipes.flatMap((recipe) => recipe.functions)
  const homes = new Set([...listed, ...[...PARTIAL, ...ON_FILES].map((name) => `corpus.${name}`)])
  for (const name of Object.keys(tamis.corpus)) t.true(homes.has(`corpus.${name}`), name)
})
