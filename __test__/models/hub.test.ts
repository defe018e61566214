import { execFile } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { promisify } from 'node:util'
import test from 'ava'
import { models } from 'tamis'
import { miniLm } from '../../scripts/models.js'
import {
  CHOSEN,
  COMMIT,
  cut,
  etagOf,
  FILES,
  filesBelow,
  gitSha1,
  Hub,
  listening,
  MODEL,
  onceBegun,
  send,
  sha256,
  WEIGHTS,
} from './hub.js'

const VARIABLES = /^(?:HF_.*|XDG_CACHE_HOME|TRANSFORMERS_OFFLINE|(?:https?|no|all)_proxy)$/i
for (const name of Object.keys(process.env)) if (VARIABLES.test(name)) delete process.env[name]
process.env.TAMIS_HUB_PAUSE = '0'
// Nobody's token is to be found.
process.env.HF_HOME = mkdtempSync(join(tmpdir(), 'tamis-hub-'))
test.after.always(() => rmSync(process.env.HF_HOME as string, { recursive: true, force: true }))

test.serial('a model is fetched into the layout of huggingface_hub, and once', async (t) => {
  const hub = await Hub.start(t)
  const told: models.FetchProgress[] = []
  const folder = await hub.fetch({ onProgress: (progress) => told.push(progress) })
  t.is(folder, join(hub.root, 'snapshots', COMMIT))
  t.deepEqual(filesBelow(folder), CHOSEN)
  for (const name of CHOSEN) {
    const data = FILES[name] as Buffer
    const file = join(folder, name)
    t.deepEqual(readFileSync(file), data)
    t.true(lstatSync(file).isSymbolicLink())
    const up = name.includes('/') ? '../../../' : '../../'
    t.is(readlinkSync(file), `${up}blobs/${etagOf(name, data)}`)
  }
  t.is(readFileSync(join(hub.root, 'refs/main'), 'utf8'), COMMIT)
  const etags = CHOSEN.map((name) => etagOf(name, FILES[name] as Buffer))
  t.deepEqual(filesBelow(join(hub.root, 'blobs')), [...new Set(etags)].sort())
  t.deepEqual(filesBelow(join(hub.cache, '.locks')), [])
  t.is(told.at(-1)?.bytes, told.at(-1)?.totalBytes)
  t.is(told.at(-1)?.files, 4, 'modules.json came before')

  hub.seen.length = hub.away.length = 0
  t.is(await hub.fetch(), folder)
  t.deepEqual(
    hub.seen.map((one) => one.url),
    [`/api/models/${MODEL}/revision/main`],
  )
  t.deepEqual(hub.away, [])
})

test.serial('what is there already is used', async (t) => {
  const hub = await Hub.start(t)
  mkdirSync(join(hub.root, 'blobs'), { recursive: true })
  writeFileSync(join(hub.root, 'blobs', sha256(WEIGHTS)), WEIGHTS)
  const folder = await hub.fetch({ revision: 'refs/pr/1' })
  t.deepEqual(hub.away, [])
  t.deepEqual(readFileSync(join(folder, 'model.safetensors')), WEIGHTS)
  t.true(existsSync(join(hub.root, 'refs/refs/pr/1')))
  t.true(hub.seen[0]?.url.endsWith('/revision/refs%2Fpr%2F1'))
})

test.serial('files can be named, by patterns too; so can a GGUF file', async (t) => {
  const hub = await Hub.start(t)
  t.deepEqual(filesBelow(await hub.fetch({ files: ['*.md', '**/config.json', '?onfig.json'] })), [
    '1_Pooling/config.json',
    'README.md',
    'config.json',
    'onnx/config.json',
  ])
  await t.throwsAsync(hub.fetch({ files: ['*.txt'] }), { code: 'ERR_TAMIS_IO', message: /no file \*\.txt/ })
  hub.files = { 'q/tiny.Q4_0.gguf': WEIGHTS, 'config.json': Buffer.from('{}') }
  rmSync(hub.cache, { recursive: true })
  const file = await hub.fetch({}, `${MODEL}/q/tiny.Q4_0.gguf`)
  t.is(file, join(hub.root, 'snapshots', COMMIT, 'q/tiny.Q4_0.gguf'))
  t.deepEqual(readFileSync(file), WEIGHTS)
  await t.throwsAsync(hub.fetch(), {
    code: 'ERR_TAMIS_IO',
    message: `${MODEL} has no *.safetensors, the form of weights that is read; name one of its GGUF files: q/tiny.Q4_0.gguf`,
  })
  await t.throwsAsync(hub.fetch({ files: ['a'] }, `${MODEL}/q/tiny.Q4_0.gguf`), { code: 'ERR_TAMIS_RANGE' })
})

test.serial('of shards those of the index are fetched', async (t) => {
  const hub = await Hub.start(t)
  const index = {
    weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors', c: 'model-1.safetensors' },
  }
  hub.files = {
    'config.json': FILES['config.json'] as Buffer,
    'model.safetensors.index.json': Buffer.from(JSON.stringify(index)),
    'model-1.safetensors': WEIGHTS.subarray(1),
    'model-2.safetensors': WEIGHTS.subarray(2),
    'consolidated.safetensors': WEIGHTS,
  }
  const names = Object.keys(hub.files).filter((name) => !name.startsWith('consolidated'))
  t.deepEqual(filesBelow(await hub.fetch()), names.sort())
  hub.names = names.filter((name) => name !== 'model-2.safetensors')
  rmSync(hub.root, { recursive: true })
  await t.throwsAsync(hub.fetch(), { message: /no file model-2\.safetensors of model\.safetensors\.index/ })
})

test.serial('a transfer that is cut is gone on from where it was', async (t) => {
  const hub = await Hub.start(t)
  let cuts = 0
  hub.awayHook = (_, res) => cuts++ === 0 && cut(hub, res)
  const folder = await hub.fetch()
  t.deepEqual(readFileSync(join(folder, 'model.safetensors')), WEIGHTS)
  const ranges = hub.away.map((one) => Number(/^bytes=(\d+)-$/.exec(one.range ?? '')?.[1] ?? 0))
  t.is(ranges.length, 2)
  t.is(ranges[0], 0)
  t.true((ranges[1] as number) > 0 && (ranges[1] as number) <= 100_000)
})

test.serial('a server that knows no ranges sends the whole again', async (t) => {
  const hub = await Hub.start(t)
  let cuts = 0
  hub.awayHook = (req, res) => {
    delete req.headers.range
    return cuts++ < 1 && cut(hub, res)
  }
  const folder = await hub.fetch()
  t.deepEqual(readFileSync(join(folder, 'model.safetensors')), WEIGHTS)
  t.deepEqual(
    hub.away.map((one) => one.range !== undefined),
    [false, true],
  )
})

test.serial('a part that was not asked for is not used', async (t) => {
  for (const [status, range] of [
    [206, 'bytes 7-299999/300000'],
    [206, undefined],
    [416, 'bytes */300000'],
  ] as const) {
    const hub = await Hub.start(t)
    let times = 0
    hub.awayHook = (_, res) => {
      if (times++ === 0) return cut(hub, res)
      if (times > 2) return false
      res.writeHead(status, range === undefined ? {} : { 'content-range': range }).end(WEIGHTS)
      return true
    }
    t.deepEqual(readFileSync(join(await hub.fetch(), 'model.safetensors')), WEIGHTS)
    t.is(hub.away.length, 3)
    t.is(hub.away[2]?.range, undefined)
  }
})

test.serial('a server in trouble is asked again, a few times', async (t) => {
  const hub = await Hub.start(t)
  let failures = 4
  const trouble: Hub['hook'] = (_, res) => {
    if (failures-- <= 0) return false
    res.writeHead(failures % 2 ? 503 : 429, { 'retry-after': '2' }).end('busy')
    return true
  }
  hub.hook = trouble
  await hub.fetch()
  rmSync(hub.root, { recursive: true })
  failures = 4
  hub.hook = () => false
  hub.awayHook = trouble
  await hub.fetch()
  rmSync(hub.root, { recursive: true })
  failures = Infinity
  await t.throwsAsync(hub.fetch(), {
    code: 'ERR_TAMIS_IO',
    message:
      /model\.safetensors cannot be fetched \(tried 5 times\): status \d+, and wants to be asked again in 2 s/,
  })
  // Longer than anybody waits.
  hub.away.length = 0
  hub.awayHook = (_, res) => {
    res.writeHead(429, { 'retry-after': '7200' }).end()
    return true
  }
  await t.throwsAsync(hub.fetch(), { message: /tried 1 times.*7200 s/ })
})

test.serial('a damaged file is fetched again, once', async (t) => {
  const hub = await Hub.start(t)
  const damaged = Buffer.from(WEIGHTS)
  damaged[1000] = (damaged[1000] as number) ^ 1
  let times = 1
  hub.awayHook = (req, res) => {
    if (times-- <= 0) return false
    send(req, res, damaged)
    return true
  }
  const folder = await hub.fetch()
  t.deepEqual(readFileSync(join(folder, 'model.safetensors')), WEIGHTS)
  t.is(hub.away.length, 2)

  rmSync(hub.root, { recursive: true })
  times = 2
  await t.throwsAsync(hub.fetch(), {
    code: 'ERR_TAMIS_FORMAT',
    message: `${MODEL}/model.safetensors is damaged, fetched twice: its hash must be ${sha256(WEIGHTS)}, got ${sha256(damaged)}`,
  })
  t.false(filesBelow(hub.root).some((name) => name.includes('incomplete') || name.endsWith('.safetensors')))
  t.false(existsSync(join(hub.root, 'refs/main')))

  // What git hashes is checked as well.
  rmSync(hub.root, { recursive: true })
  hub.awayHook = () => false
  hub.hook = (req, res) => {
    if (!req.url?.endsWith('tokenizer.json') || req.method !== 'GET') return false
    send(req, res, Buffer.from('[]'))
    return true
  }
  await t.throwsAsync(hub.fetch(), { code: 'ERR_TAMIS_FORMAT', message: /tokenizer\.json is damaged/ })
  hub.hook = (req, res) => {
    if (!req.url?.endsWith('tokenizer.json') || req.method !== 'GET') return false
    send(req, res, Buffer.from('[1, 2]'))
    return true
  }
  await t.throwsAsync(hub.fetch(), { code: 'ERR_TAMIS_FORMAT', message: /must have 2 bytes, got more/ })
})

test.serial('what a transfer left that does not fit is thrown away', async (t) => {
  const hub = await Hub.start(t)
  mkdirSync(join(hub.root, 'blobs'), { recursive: true })
  const part = join(hub.root, 'blobs', `${sha256(WEIGHTS)}.tamis.incomplete`)
  for (const left of [Buffer.alloc(1000), Buffer.alloc(WEIGHTS.length), Buffer.alloc(WEIGHTS.length + 1)]) {
    rmSync(join(hub.root, 'blobs', sha256(WEIGHTS)), { force: true })
    writeFileSync(part, left)
    t.deepEqual(readFileSync(join(await hub.fetch(), 'model.safetensors')), WEIGHTS)
    t.false(existsSync(part))
  }
})

test.serial('what the hub refuses is said plainly', async (t) => {
  const hub = await Hub.start(t)
  const message = async (status: number, at = '/api/') => {
    hub.hook = (req, res) => {
      if (!req.url?.startsWith(at)) return false
      res.writeHead(status).end('{}')
      return true
    }
    const error = await t.throwsAsync(hub.fetch({ token: 'hf_secret' }), { code: 'ERR_TAMIS_IO' })
    t.false(error?.message.includes('hf_secret'))
    return error?.message ?? ''
  }
  t.is(await message(404), `${hub.endpoint} has no model ${MODEL}, or no revision main of it`)
  t.regex(await message(401), /has no model org\/tiny, or it is private or gated and needs a token/)
  t.regex(await message(403), /ask for access on the model's page/)
  t.regex(await message(403, `/${MODEL}/`), /ask for access/)
  t.regex(await message(404, `/${MODEL}/`), /has no file modules\.json of org\/tiny/)
  t.regex(await message(418), /refuses revision main of org\/tiny: status 418/)
  await t.throwsAsync(models.TextEmbedder.load('org/none', { cacheDir: hub.cache, offline: true }), {
    message:
      /^org\/none is no file or folder here, and of the hub: org\/none \(main\) is not whole in the cache/,
  })
})

test.serial("the token goes to the hub's own host alone", async (t) => {
  const hub = await Hub.start(t)
  await hub.fetch({ token: 'hf_secret' })
  t.true(hub.seen.every((one) => one.authorization === 'Bearer hf_secret'))
  t.true(hub.away.length > 0 && hub.away.every((one) => one.authorization === undefined))
  // Nor to the hub, once another host has led there.
  rmSync(hub.root, { recursive: true })
  hub.seen.length = 0
  hub.hook = (req, res) => {
    if (req.url !== '/back') return false
    send(req, res, WEIGHTS)
    return true
  }
  hub.awayHook = (_, res) => {
    res.writeHead(307, { location: `${hub.endpoint}/back` }).end()
    return true
  }
  await hub.fetch({ token: 'hf_secret' })
  t.deepEqual(
    hub.seen.filter((one) => one.url === '/back').map((one) => one.authorization),
    [undefined],
  )
  hub.seen.length = 0
  process.env.HF_TOKEN = 'from-environment'
  t.teardown(() => delete process.env.HF_TOKEN)
  await hub.fetch()
  await hub.fetch({ token: '' })
  delete process.env.HF_TOKEN
  writeFileSync(join(process.env.HF_HOME as string, 'token'), 'from-file\n')
  t.teardown(() => rmSync(join(process.env.HF_HOME as string, 'token')))
  await hub.fetch()
  t.deepEqual(
    hub.seen.map((one) => one.authorization),
    ['Bearer from-environment', undefined, 'Bearer from-file'],
  )
})

test.serial('redirects in circles, and to what is not fetched, end', async (t) => {
  const hub = await Hub.start(t)
  let to = '/round'
  hub.hook = (_, res) => {
    res.writeHead(302, { location: to }).end()
    return true
  }
  await t.throwsAsync(hub.fetch(), { code: 'ERR_TAMIS_IO', message: /leads in circles/ })
  to = 'file:///etc/passwd'
  await t.throwsAsync(hub.fetch(), { code: 'ERR_TAMIS_IO', message: /leads to what is not fetched/ })
})

test.serial('offline only the cache is looked at', async (t) => {
  const hub = await Hub.start(t)
  await t.throwsAsync(hub.fetch({ offline: true }), {
    code: 'ERR_TAMIS_IO',
    message: /^org\/tiny \(main\) is not whole in the cache .*models\.fetchModel\('org\/tiny'/,
  })
  const folder = await hub.fetch()
  hub.seen.length = 0
  t.is(await hub.fetch({ offline: true }), folder)
  process.env.HF_HUB_OFFLINE = 'True'
  t.teardown(() => delete process.env.HF_HUB_OFFLINE)
  t.is(await hub.fetch(), folder)
  await t.throwsAsync(hub.fetch({ revision: 'v2' }), { message: /\(v2\) is not whole/ })
  // As another program leaves it: without the list of files.
  rmSync(join(hub.root, '.tamis'), { recursive: true })
  t.is(await hub.fetch(), folder)
  rmSync(join(folder, 'model.safetensors'))
  await t.throwsAsync(hub.fetch(), { message: /not whole/ })
  t.deepEqual(hub.seen, [])
})

test.serial('a hub out of reach leaves what the cache has', async (t) => {
  const hub = await Hub.start(t)
  const endpoint = 'http://127.0.0.1:1'
  await t.throwsAsync(hub.fetch({ endpoint }), {
    code: 'ERR_TAMIS_IO',
    message: /tried 5 times.*ECONNREFUSED/,
  })
  const folder = await hub.fetch()
  t.is(await hub.fetch({ endpoint }), folder)
  await t.throwsAsync(hub.fetch({ endpoint, files: ['README.md'] }), { message: /cannot be fetched/ })
})

test.serial('a commit is what it is', async (t) => {
  const hub = await Hub.start(t)
  const folder = await hub.fetch({ revision: COMMIT })
  t.false(existsSync(join(hub.root, 'refs')))
  hub.seen.length = 0
  t.is(await hub.fetch({ revision: COMMIT }), folder)
  t.deepEqual(hub.seen, [])
  // What is missing is fetched without asking for the list again.
  rmSync(join(folder, '1_Pooling'), { recursive: true })
  rmSync(join(hub.root, 'blobs', gitSha1(FILES['1_Pooling/config.json'] as Buffer)))
  await hub.fetch({ revision: COMMIT })
  t.deepEqual(hub.transfers('GET').length, hub.seen.length - 1)
  t.deepEqual(filesBelow(folder), CHOSEN)
  await t.throwsAsync(hub.fetch({ revision: COMMIT.replace('c', 'd') }), {
    code: 'ERR_TAMIS_FORMAT',
    message: /gives no commit/,
  })
})

test.serial('names that would leave the folder are refused', async (t) => {
  const hub = await Hub.start(t)
  for (const name of [
    '../x.json',
    '/etc/x.json',
    'a\\..\\x.json',
    'a/../../x.json',
    'c:x.json',
    'a//b.json',
    '',
  ]) {
    hub.names = ['config.json', name]
    await t.throwsAsync(hub.fetch(), { code: 'ERR_TAMIS_FORMAT', message: /would leave its folder/ }, name)
  }
  t.false(existsSync(hub.root))
  for (const name of ['tiny', 'a/b/c', '../a', 'a/..', '/a/b', '~/a', 'a/b--c', './a', 'a/b/../c.gguf', 7]) {
    await t.throwsAsync(hub.fetch({}, name as string), { message: /^name must be ORG\/NAME/ }, String(name))
  }
  for (const revision of ['../x', 'a/../b', '/a', 'a b', '', 'a/.git', 'a/']) {
    await t.throwsAsync(
      hub.fetch({ revision }),
      { code: 'ERR_TAMIS_RANGE', message: /^revision must/ },
      revision,
    )
  }
  await t.throwsAsync(hub.fetch({ endpoint: 'ftp://x' }), { message: /^endpoint must be/ })
  await t.throwsAsync(hub.fetch({ token: 'a\nb' }), { message: /^token must be/ })
  await t.throwsAsync(hub.fetch({ files: [] }), { message: /^files must be/ })
  await t.throwsAsync(hub.fetch({ tokn: 'x' } as object), { message: /did you mean "token"/ })
  // What was no name before is a path still.
  await t.throwsAsync(models.TextEmbedder.load('tiny'), { code: 'ERR_TAMIS_IO', message: /^tiny/ })
  await t.throwsAsync(models.CausalLM.load('models/tiny.gguf'), { message: /^models\/tiny\.gguf/ })
  t.true(hub.seen.every((one) => one.url.startsWith('/api/')))
})

test.serial('an abort stops at once and leaves what can be gone on from', async (t) => {
  const hub = await Hub.start(t)
  const stop = new AbortController()
  hub.awayHook = (_, res) => {
    res.writeHead(200, { 'content-length': WEIGHTS.length })
    res.write(WEIGHTS.subarray(0, 100_000))
    return true
  }
  const part = join(hub.root, 'blobs', `${sha256(WEIGHTS)}.tamis.incomplete`)
  onceBegun(hub, () => stop.abort('enough'))
  const error = await t.throwsAsync(hub.fetch({ signal: stop.signal }), { code: 'ERR_TAMIS_ABORTED' })
  t.is(error?.cause, 'enough')
  t.deepEqual(filesBelow(join(hub.cache, '.locks')), [])
  const { size } = lstatSync(part)
  t.true(size > 0 && size <= 100_000)
  t.deepEqual(readFileSync(part), WEIGHTS.subarray(0, size))
  hub.awayHook = () => false
  hub.away.length = 0
  await hub.fetch()
  t.deepEqual(
    hub.away.map((one) => one.range),
    [`bytes=${size}-`],
  )
  await t.throwsAsync(hub.fetch({ signal: AbortSignal.abort() }), { code: 'ERR_TAMIS_ABORTED' })
})

test.serial('what a listener throws ends the call', async (t) => {
  const hub = await Hub.start(t)
  const thrown = new Error('mine')
  const fetched = hub.fetch({
    onProgress: () => {
      throw thrown
    },
  })
  t.is(await t.throwsAsync(fetched), thrown)
  await t.throwsAsync(hub.fetch({ onProgress: 7 as never }), { message: /^onProgress must be a function/ })
})

test.serial('proxies of the environment are heeded', async (t) => {
  const hub = await Hub.start(t)
  const seen: string[] = []
  const proxy = createServer((req, res) => {
    seen.push(`${req.method} ${req.url}`)
    const { method, headers } = req
    const onward = request(req.url as string, { method, headers }, (answer) => {
      res.writeHead(answer.statusCode as number, answer.headers)
      answer.pipe(res)
    })
    req.pipe(onward)
  })
  proxy.on('connect', (req, socket, head) => {
    seen.push(`CONNECT ${req.url}`)
    const [host, port] = (req.url as string).split(':') as [string, string]
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.write(head)
      onward.pipe(socket).pipe(onward)
    })
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  })
  process.env.HTTP_PROXY = await listening(t, proxy)
  t.teardown(() => {
    delete process.env.HTTP_PROXY
    delete process.env.NO_PROXY
  })
  const folder = await hub.fetch()
  t.deepEqual(readFileSync(join(folder, 'model.safetensors')), WEIGHTS)
  t.true(seen.includes(`GET ${hub.endpoint}/api/models/${MODEL}/revision/main`))
  t.is(seen.length, hub.seen.length + hub.away.length)
  process.env.NO_PROXY = '127.0.0.1'
  seen.length = 0
  await hub.fetch()
  t.deepEqual(seen, [])
})

test.serial('two that fetch the same at once wait for each other', async (t) => {
  const hub = await Hub.start(t)
  const [a, b] = await Promise.all([hub.fetch(), hub.fetch()])
  t.is(a, b)
  t.is(hub.away.length, 1)
  t.is(new Set(hub.transfers('GET')).size, hub.transfers('GET').length)
  t.deepEqual(readFileSync(join(a, 'model.safetensors')), WEIGHTS)
  t.deepEqual(filesBelow(a), CHOSEN)
})

test.serial("processes do, too, and a lock of a dead one is nobody's", async (t) => {
  const hub = await Hub.start(t)
  const locks = join(hub.cache, '.locks', 'models--org--tiny')
  mkdirSync(locks, { recursive: true })
  const { hostname } = await import('node:os')
  const dead = await promisify(execFile)(execPath, ['-p', 'process.pid'])
  const mark = JSON.stringify({ host: hostname(), pid: Number(dead.stdout) })
  writeFileSync(join(locks, `${sha256(WEIGHTS)}.tamis`), mark)
  const script = `import { models } from 'tamis'
    console.log(await models.fetchModel(...JSON.parse(process.argv[1])))`
  const given = JSON.stringify([MODEL, { endpoint: hub.endpoint, cacheDir: hub.cache }])
  const run = () =>
    promisify(execFile)(execPath, ['--input-type=module', '-e', script, given], {
      cwd: join(import.meta.dirname, '../..'),
    })
  const found = await Promise.all([run(), run(), run()])
  for (const { stdout, stderr } of found) {
    t.is(stdout.trim(), join(hub.root, 'snapshots', COMMIT))
    t.is(stderr, '')
  }
  t.is(hub.away.length, 1)
  t.deepEqual(readFileSync(join(hub.root, 'snapshots', COMMIT, 'model.safetensors')), WEIGHTS)
  t.deepEqual(filesBelow(locks), [])
})

const found = miniLm()
const withModel = 'path' in found ? test.serial : test.serial.skip
withModel('load takes a name', async (t) => {
  const hub = await Hub.start(t)
  const source = 'path' in found ? found.path : ''
  hub.files = Object.fromEntries(filesBelow(source).map((name) => [name, readFileSync(join(source, name))]))
  process.env.HF_ENDPOINT = hub.endpoint
  t.teardown(() => delete process.env.HF_ENDPOINT)
  const texts = ['What does a sieve keep?']
  const named = await models.TextEmbedder.load(MODEL, { cacheDir: hub.cache, revision: COMMIT })
  const local = await models.TextEmbedder.load(source)
  t.deepEqual(await named.embed(texts), await local.embed(texts))
  const again = await models.TextEmbedder.load(MODEL, {
    cacheDir: hub.cache,
    revision: COMMIT,
    offline: true,
  })
  t.is(again.dimensions, 384)

  const raw = join(hub.cache, 'raw.jsonl')
  writeFileSync(raw, `${JSON.stringify({ text: texts[0] })}\n`)
  rmSync(hub.root, { recursive: true })
  const passes = new Set<string>()
  const onProgress = ({ pass }: { pass: string }) => passes.add(pass)
  const out = join(hub.cache, 'out.npy')
  const { manifest } = await models.embedFiles([raw], { model: MODEL, cacheDir: hub.cache, out, onProgress })
  t.true(passes.has('fetch'))
  t.true(readFileSync(manifest, 'utf8').includes(COMMIT))
})
