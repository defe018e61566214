import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { laterNode } from '../../scripts/later-node.js'
import { packAll, plainEnvironment, platform, repository, run } from './packed.js'
import { startRegistry } from './registry.js'

/** Where nothing answers: what is not on the loopback address is asked here. */
const NOWHERE = 'http://127.0.0.1:9'

const packages = await packAll()
const consumer = join(packages.folder, 'consumer')
test.after.always(() => rmSync(packages.folder, { recursive: true, force: true }))

const missing: string[] = []

test.before(async () => {
  const all = [packages.main, ...packages.platforms, ...packages.dependencies]
  const registry = await startRegistry(all.map(packages.tarball))
  cpSync(fileURLToPath(new URL('consumer', import.meta.url)), consumer, { recursive: true })
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true }))
  const settings = {
    registry: registry.url,
    cache: join(packages.folder, 'cache'),
    userconfig: join(packages.folder, 'npmrc'),
    globalconfig: join(packages.folder, 'npmrc-global'),
    proxy: NOWHERE,
    https_proxy: NOWHERE,
    noproxy: '127.0.0.1',
    fetch_retries: '0',
    audit: 'false',
    fund: 'false',
    update_notifier: 'false',
  }
  const env = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`npm_config_${name}`, value]),
  )
  try {
    await run('npm', ['install', 'tamis'], { cwd: consumer, env: { ...plainEnvironment(), ...env } })
  } finally {
    missing.push(...registry.missing)
    registry.close()
  }
})

test("an install brings the package, this platform's addon and the run-time dependencies, and asks for nothing else", (t) => {
  const installed = readdirSync(join(consumer, 'node_modules')).filter((name) => !name.startsWith('.'))
  const dependencies = packages.dependencies.map(({ name }) => name.split('/')[0] as string)
  t.deepEqual(installed.sort(), [...new Set(['tamis', `tamis-${platform}`, ...dependencies])].sort())
  t.deepEqual(missing, [])
})

for (const module of ['nodenext', 'node20', 'preserve']) {
  test(`types resolve in ES modules and in CommonJS (${module})`, async (t) => {
    const folder = join(consumer, `types-${module}`)
    mkdirSync(folder)
    for (const name of ['types.mts', 'types.cts']) cpSync(join(consumer, name), join(folder, name))
    const compilerOptions = {
      module,
      target: 'es2023',
      strict: true,
      noEmit: true,
      typeRoots: [join(repository, 'node_modules', '@types')],
      types: ['node'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*'] }))
    const tsc = join(repository, 'node_modules', 'typescript', 'bin', 'tsc')
    const printed = await run(process.execPath, [tsc, '-p', folder], { cwd: folder }).catch(
      (error) => error.stdout,
    )
    t.is(printed, '')
  })
}

interface Runtime {
  name: string
  program: string
}

const runtimes: Runtime[] = [{ name: `Node.js ${process.versions.node}`, program: process.execPath }]
const later = laterNode()
if ('path' in later) runtimes.push({ name: `Node.js ${later.version}`, program: later.path })
else test.skip(`a later Node.js (${later.missing})`, (t) => t.pass())

for (const { name, program } of runtimes) {
  const version = name.slice('Node.js '.length)
  const env = { ...plainEnvironment(), PATH: `${dirname(program)}${delimiter}${process.env.PATH}` }
  const script = async (file: string) => JSON.parse(await run(program, [file], { cwd: consumer, env }))
  const command = (...args: string[]) => run('npx', ['--no', 'tamis', ...args], { cwd: consumer, env })

  for (const file of ['import.mjs', 'require.cjs']) {
    test(`${file} on ${name}`, async (t) => {
      t.deepEqual(await script(file), {
        version: packages.main.version,
        node: version,
        sameRooms: true,
        counted: 9,
        unknownBuckets: 'ERR_TAMIS_RANGE',
      })
    })
  }

  test(`workers, some ended in the midst of a call, on ${name}`, async (t) => {
    const { ended, same, counted } = await script('workers.mjs')
    t.is(ended, 4)
    t.true(same)
    t.true(counted > 0)
  })

  test(`the command looks itself over on ${name}`, async (t) => {
    const doctor = JSON.parse(await command('doctor', '--json'))
    t.is(doctor.version, packages.main.version)
    t.is(doctor.node, `v${version}`)
    t.true(doctor.ok)
  })

  test(`the command selects on ${name}`, async (t) => {
    const folder = join(packages.folder, `select-${version}`)
    mkdirSync(folder)
    const records = (about: string, n: number) =>
      Array.from(
        { length: n },
        (_, i) => `${JSON.stringify({ text: `${about} ${i % 7} and ${about} again` })}\n`,
      ).join('')
    writeFileSync(join(folder, 'raw.jsonl'), records('sieves', 20) + records('drums', 80))
    writeFileSync(join(folder, 'target.jsonl'), records('sieves', 10))
    const paths = ['raw.jsonl', '--target', 'target.jsonl', '--out', 'out'].map((arg) =>
      arg.includes('-') ? arg : join(folder, arg),
    )
    const printed = JSON.parse(
      await command('select', ...paths, '--count', '20', '--top-k', '--min-tokens', '1', '--json'),
    )
    t.is(printed.kept, 20)
  })
}
