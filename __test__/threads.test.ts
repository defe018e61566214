import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { setThreads, threads } from 'tamis'

/** The threads of a process with this environment. */
async function threadsWith(environment: Record<string, string>): Promise<number> {
  const program = "import('tamis').then(({ threads }) => console.log(threads()))"
  const { TAMIS_THREADS: _, RAYON_NUM_THREADS: __, ...others } = process.env
  const env = { ...others, ...environment }
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const { stdout } = await promisify(execFile)(execPath, ['-e', program], { env, cwd })
  return Number(stdout)
}

test('TAMIS_THREADS, then RAYON_NUM_THREADS, then the cores', async (t) => {
  t.is(await threadsWith({ TAMIS_THREADS: '3', RAYON_NUM_THREADS: '5' }), 3)
  t.is(await threadsWith({ RAYON_NUM_THREADS: '5' }), 5)
  t.is(await threadsWith({}), availableParallelism())
  t.is(await threadsWith({ TAMIS_THREADS: 'many' }), availableParallelism())
})

test.serial('setThreads holds for what starts after it, 0 goes back', (t) => {
  const before = threads()
  setThreads(5)
  t.is(threads(), 5)
  setThreads(0)
  t.is(threads(), before)
})

test('setThreads refuses what no machine has', (t) => {
  for (const count of [-1, 1.5, 1025, Number.NaN]) {
    t.throws(() => setThreads(count), {
      code: 'ERR_TAMIS_RANGE',
      message: /^threads must be an integer from 0 to 1024/,
    })
  }
  t.throws(() => setThreads('2' as never), { code: 'ERR_TAMIS_TYPE' })
})
