import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { folder } from '../corpus/files/support.js'
import { f32, numbers, readTensors, writeShards, writeTensors } from '../weights/files/support.js'
import { signalWhen, tamis } from './command.js'

async function setUp(t: Parameters<typeof folder>[0], n = 2000) {
  const cwd = await folder(t)
  const dict = (seed: number) => ({ a: f32([n], numbers(n, seed)), b: f32([3, 3], numbers(9, seed + 1)) })
  await writeShards(join(cwd, 'base'), [dict(1)], { 'config.json': '{"torch_dtype":"float32"}' })
  for (const [i, name] of ['code', 'maths', 'law.v2'].entries()) {
    await writeTensors(join(cwd, `${name}.safetensors`), dict(10 * (i + 1)))
  }
  return { cwd, models: ['code.safetensors', 'maths.safetensors', 'law.v2.safetensors'] }
}

test('models are merged into a folder that loads like the base', async (t) => {
  const { cwd, models } = await setUp(t)
  const words = ['weights', 'merge', ...models, '--base', 'base', '--out', 'merged', '--dtype', 'bfloat16']
  const { code, stdout, stderr } = await tamis(words, { cwd })
  t.is(code, 0, stderr)
  t.regex(stdout, /^update +2 tensors, 2,009 numbers\nmethod +ties\n/)
  t.regex(
    stdout,
    /\noutput +merged\/model-00001-of-00001\.safetensors, 4\.\d+ kB\nmanifest +merged\/manifest\.json\n/,
  )
  t.regex(stderr, /tamis: write 100%, 2 tensors, /)
  t.deepEqual((await readdir(join(cwd, 'merged'))).sort(), [
    'config.json',
    'manifest.json',
    'model-00001-of-00001.safetensors',
    'model.safetensors.index.json',
  ])
  t.is(await readFile(join(cwd, 'merged/config.json'), 'utf8'), '{"torch_dtype":"bfloat16"}')
  const again = await tamis(words, { cwd })
  t.is(again.code, 2)
  t.regex(again.stderr, /merged exists: choose another name, or replace it with --force/)
  t.is((await tamis([...words, '--force', '--quiet'], { cwd })).stdout, '')
})

test('every method, and what it says in JSON', async (t) => {
  const { cwd, models } = await setUp(t)
  const merge = async (...more: string[]) => {
    const out = `${more[1]}.safetensors`
    const words = ['weights', 'merge', ...models, '--base', 'base', '--out', out, '--json', ...more]
    const { code, stdout, stderr } = await tamis(words, { cwd })
    t.is(code, 0, stderr)
    return JSON.parse(stdout)
  }
  t.is((await merge('--method', 'linear', '--weights', '2,1,1')).tensors, 2)
  t.is((await merge('--method', 'task-arithmetic', '--lambda', '0.5')).method, 'task-arithmetic')
  const ties = await merge(
    '--method',
    'ties',
    '--density',
    '30%',
    '--merge',
    'sum',
    '--scope',
    'tensor',
    '--weights',
    '1,-1,2',
  )
  t.is(ties.elements, 2009)
  const { histogram } = await merge('--method', 'consensus', '--agree', '1', '--mask-lambda', '0.3,0.4,0.5')
  t.is(histogram.length, 4)
  t.is(
    histogram.reduce((a: number, b: number) => a + b, 0),
    2009,
  )
  const { densities } = await merge('--method', 'tall-masks')
  t.deepEqual(Object.keys(densities), ['code', 'maths', 'law-v2'])
  const words = [
    'weights',
    'expand-update',
    'tall-masks.safetensors',
    '--base',
    'base',
    '--out',
    'law',
    '--task',
    'law-v2',
  ]
  t.is((await tamis(words, { cwd })).code, 0)
  const named = await merge('--method', 'tall-masks', '--task', 'x', '--task', 'y', '--task', 'z', '--force')
  t.deepEqual(Object.keys(named.densities), ['x', 'y', 'z'])
})

test('an update is compressed and expanded', async (t) => {
  const { cwd } = await setUp(t)
  const compressed = await tamis(
    [
      'weights',
      'compress-update',
      'code.safetensors',
      '--base',
      'base',
      '--density',
      '5%',
      '--out',
      'small.safetensors',
    ],
    { cwd },
  )
  t.is(compressed.code, 0, compressed.stderr)
  t.regex(compressed.stdout, /\nkept +100 signs \(4\.98 %\), scale 0\.\d+\nsize +\d+\.\d+ times smaller/)
  const words = [
    'weights',
    'expand-update',
    'small.safetensors',
    '--base',
    'base',
    '--lambda',
    '2',
    '--out',
    'back.safetensors',
  ]
  const { code, stderr } = await tamis([...words, '--threads', '1', '--quiet'], { cwd })
  t.is(code, 0, stderr)
  t.is(stderr, '')
  const { tensors } = await readTensors(join(cwd, 'back.safetensors'))
  t.deepEqual(Object.keys(tensors).sort(), ['a', 'b'])
})

test('a command line that cannot be run ends with status 2 and says why', async (t) => {
  const { cwd, models } = await setUp(t, 10)
  const refused = async (words: string[], message: RegExp, status = 2) => {
    const { code, stdout, stderr } = await tamis(['weights', ...words], { cwd })
    t.is(code, status, stderr)
    t.is(stdout, '')
    t.regex(stderr, message)
  }
  await refused(['merge', ...models], /say where the result goes: --out PATH/)
  await refused(
    ['merge', ...models, '--out', 'x', '--agree', '2'],
    /--agree is no option of the method ties; it belongs to consensus/,
  )
  await refused(['merge', ...models, '--out', 'x', '--density', '0'], /--density.*above 0 and at most 1/)
  await refused(['merge', ...models, '--out', 'x', '--method', 'mean'], /Allowed choices are ties, consensus/)
  await refused(['merge', ...models, '--out', 'x', '--merge', 'median'], /unknown merge/)
  await refused(['merge', ...models, '--out', 'x', '--dtype', 'int8'], /dtype must be/)
  await refused(['merge', ...models, '--out', 'x', '--weights', '1,2'], /one weight per update is needed/)
  await refused(['merge', ...models, '--out', 'x', '--tied', 'a'], /COPY=ORIGINAL/)
  await refused(['merge', ...models, '--out', 'x', '--tied', 'a=zzz'], /tied names the tensor "zzz"/)
  await refused(['merge', ...models, '--out', 'x', '--skip', 'zzz'], /skip names the tensor "zzz"/)
  await refused(['compress-update', 'gone.safetensors', '--out', 'x'], /gone\.safetensors: cannot open/, 1)
  await refused(['expand-update', 'code.safetensors', '--out', 'x'], /not a ternary file/, 1)
  t.false((await readdir(cwd)).some((name) => name.includes('x.') || name === 'x'))
})

test('a page shows what became of the weights', async (t) => {
  const { cwd, models } = await setUp(t)
  const words = ['weights', 'merge', ...models, '--base', 'base', '--out', 'merged', '--report']
  const { code, stdout, stderr } = await tamis([...words, 'look.html'], { cwd })
  t.is(code, 0, stderr)
  t.regex(stdout, /^report +look\.html$/m)
  const page = await readFile(join(cwd, 'look.html'), 'utf8')
  for (const wanted of [
    '3 models merged',
    `tamis ${words.join(' ')} look.html`,
    'law.v2.safetensors',
    'Change',
  ]) {
    t.true(page.includes(wanted), wanted)
  }
  const base = ['--base', 'base', '--report', 'look.html', '--json']
  const refused = await tamis(['weights', 'compress-update', 'code.safetensors', '--out', 'x', ...base], {
    cwd,
  })
  t.is(refused.code, 2)
  t.regex(refused.stderr, /look\.html exists: choose another name, or replace it with --force/)
  const call = ['weights', 'compress-update', 'code.safetensors', '--out', 'x', '--force', ...base]
  const compressed = JSON.parse((await tamis(call, { cwd })).stdout)
  t.is(compressed.report, join(cwd, 'look.html'))
  t.is(compressed.kept, Math.floor(0.2 * 2009))
  t.true((await readFile(join(cwd, 'look.html'), 'utf8')).includes('compressed to signs'))
})

test('SIGINT: what is done stays, and the line that resumes leads to the same bytes', async (t) => {
  const { cwd, models } = await setUp(t, 400_000)
  const before = (await readdir(cwd)).sort()
  const preload = signalWhen('tamis: measure', 'SIGINT')
  const merge = (out: string) => ['weights', 'merge', ...models, '--base', 'base', '--out', out]
  const stopped = await tamis(merge('x.safetensors'), { cwd, preload })
  const left = (await readdir(cwd)).filter((name) => !before.includes(name))
  // A fast machine is done before it hears of the signal.
  if (stopped.code === 130) {
    t.deepEqual(left, ['.x.safetensors.tamis-state'])
    const resume = /^tamis: to go on: tamis (.*)$/m.exec(stopped.stderr)?.[1] ?? ''
    t.is(resume, `${merge('x.safetensors').join(' ')} --resume`)
    const { code, stderr } = await tamis(resume.split(' '), { cwd })
    t.is(code, 0, stderr)
  } else t.is(stopped.code, 0, stopped.stderr)
  t.is((await tamis(merge('y.safetensors'), { cwd })).code, 0)
  t.deepEqual(await readFile(join(cwd, 'x.safetensors')), await readFile(join(cwd, 'y.safetensors')))
})
