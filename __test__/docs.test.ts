import { execFile } from 'node:child_process'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const root = fileURLToPath(new URL('..', import.meta.url))

test('the generated pages of docs/ are up to date', async (t) => {
  await t.notThrowsAsync(
    promisify(execFile)(execPath, ['--import=tsx', 'scripts/docs.ts', '--check'], { cwd: root }),
  )
})
