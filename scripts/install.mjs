// Installs the locked packages unless they are installed. Plain JavaScript: it runs before there is a tsx.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installed = `${root}node_modules/.package-lock.json`
const current =
  existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs

if (!current) {
  const command = ['npm', 'ci', '--no-audit', '--no-fund'].join(' ')
  const { status } = spawnSync(command, { cwd: root, stdio: 'inherit', shell: true })
  process.exitCode = status ?? 1
}
