import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { format } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import * as tamis from 'tamis'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Inside the repository, so that the examples find the package by its name. */
const folder = join(root, '.build', 'doc-examples')

/** What works on files is run from examples/, what needs a model's in models/. */
const ON_FILES = /(files(-\w+)*|ngram-counts|scores)\.ts$|^models\//

interface Example {
  file: string
  /** What it documents. */
  of: string
  code: string
}

/** The examples in a file's doc comments. */
function examplesIn(file: string): Example[] {
  const text = readFileSync(join(root, 'ts', file), 'utf8')
  const block = /@example\n((?: \*.*\n)+?) \*\/\n(?:export )?(?:async )?\w+ (\w+)/g
  return [...text.matchAll(block)].map(([, lines = '', of = '']) => ({
    file,
    of,
    code: lines.replace(/^ \* ?/gm, ''),
  }))
}

const examples = readdirSync(join(root, 'ts'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/^(cli|report)/.test(file))
  .flatMap(examplesIn)

/** What is logged until the test ends, instead of being printed. */
function captureLog(t: ExecutionContext): string[] {
  const { log, error } = console
  const lines: string[] = []
  console.log = console.error = (...items: unknown[]) => lines.push(format(...items))
  t.teardown(() => Object.assign(console, { log, error }))
  return lines
}

mkdirSync(folder, { recursive: true })
for (const [i, { file, of, code }] of examples.entries()) {
  if (ON_FILES.test(file)) continue
  test.serial(`the example of ${of} prints what it says`, async (t) => {
    const path = join(folder, `${i}.ts`)
    writeFileSync(path, code)
    const lines = captureLog(t)
    await import(pathToFileURL(path).href)
    const said = [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, comment]) => comment)
    if (said.length > 0) t.deepEqual(lines, said)
    else t.pass()
  })
}

test('every function of the API has an example', (t) => {
  const shown = new Set(examples.map(({ of }) => of))
  const names = [tamis, tamis.corpus, tamis.kernels, tamis.models, tamis.vectors, tamis.signals].flatMap(
    (room) => Object.entries(room).flatMap(([name, value]) => (typeof value === 'function' ? [name] : [])),
  )
  // The synchronous form's documentation is that of the promise.
  for (const name of names) t.true(shown.has(name.replace(/Sync$/, '')), name)
})
