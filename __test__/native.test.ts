import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { version } from 'tamis'

const root = fileURLToPath(new URL('..', import.meta.url))

test('the addon and the package have one version', (t) => {
  t.is(version, JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version)
})

test('an addon that cannot be loaded is named, with what to do', async (t) => {
  const program = "import('tamis').catch(({ name, code, message }) => console.log(name, code, message))"
  const env = { ...process.env, TAMIS_NATIVE: 'nowhere/tamis.node' }
  const stdout = await new Promise<string>((resolve) => {
    execFile(execPath, ['-e', program], { cwd: root, env }, (_, output) => resolve(output))
  })
  t.regex(
    stdout,
    /^TamisError ERR_TAMIS_DEVICE no tamis addon for \S+ could be loaded: install the package tamis-/,
  )
  t.regex(stdout, /nowhere.tamis\.node: Cannot find module/)
})
