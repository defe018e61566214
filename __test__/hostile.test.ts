import test from 'ava'
import { corpus, kernels, setThreads, signals, TamisError, tensor, training, vectors, weights } from 'tamis'

/** What no caller should pass. */
const hostile: unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  Infinity,
  2 ** 32,
  -0,
  10n,
  -1n,
  2n ** 70n,
  '',
  'x',
  '9'.repeat(400),
  Symbol('x'),
  () => 1,
  new Date(0),
  /x/,
  [],
  [1],
  [[]],
  [['a'], 'b'],
  new Array(5),
  {},
  Object.create(null),
  { length: 3 },
  new Proxy({}, {}),
  new Proxy([], {}),
  Float64Array.of(1),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  new Map(),
  AbortSignal.abort(),
  tensor('float32', [], [1]),
  tensor('float64', [0], []),
  tensor('float64', [0, 0], []),
  tensor('float64', [0, 3], []),
  tensor('float64', [3, 0], []),
  tensor('float64', [1, 1, 1], [1]),
  tensor('float64', [3], [Number.NaN, -Infinity, Infinity]),
  tensor('int64', [2], [1, 2]),
  tensor('bool', [2], [0, 1]),
  { type: 'float64', dims: [2], data: null },
  { type: 'float64', dims: null, data: Float64Array.of(1) },
  { type: 'float64', dims: [2 ** 53], data: Float64Array.of(1) },
  { type: 'float64', dims: [-0], data: new Float64Array(0) },
  { type: {}, dims: [1], data: Float64Array.of(1) },
]

const x = tensor('float64', [2, 3], [1, 2, 3, 4, 5, 6])
const counts = tensor('float64', [3], [1, 2, 3])
const texts = ['one two three', 'four', '']
const draw = { seed: 1, stream: 2 }
const quantized = kernels.quantizeSync(x, { scheme: 'asymmetric' })
const ternary = kernels.ternarizeSync(x)
const mask = tensor('uint8', [3], [1, 0, 1])
const sparseLayer = { weight: x, ...training.pstInit(x, { weightRank: 1, maskRank: 1 }) }
const image = tensor('float32', [1, 1, 2, 2], [1, 2, 3, 4])
const cell = tensor('float32', [1, 8, 1, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8])
const cube = tensor('float32', [1, 1, 2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])
const layers = {
  'conv1.weight': tensor('float32', [1, 1, 1, 1], [1]),
  'conv1.bias': tensor('float32', [1], [0]),
}

const summary = {
  samples: 1,
  mean: Float32Array.of(1, 2, 3),
  fluctuation: Float32Array.of(1, 2, 3),
  squaredNorm: Float32Array.of(1, 2, 3),
}

/** Good arguments of every function, options last. */
const calls: Record<string, unknown[]> = {
  'kernels.philox': [3, draw],
  'kernels.uniform': [3, { ...draw, dtype: 'float64' }],
  'kernels.normal': [3, { ...draw, dtype: 'float32' }],
  'kernels.gumbel': [3, { ...draw, dtype: 'float64' }],
  'kernels.permutation': [3, draw],
  'kernels.below': [3, 5, draw],
  'kernels.topK': [x, { k: 2, largest: true, sorted: true }],
  'kernels.gumbelTopK': [x, { k: 2, temperature: 1, ...draw }],
  'kernels.hashNgrams': [texts, { ngrams: 2, buckets: 3 }],
  'kernels.countNgrams': [texts, { ngrams: 2, buckets: 3, into: counts }],
  'corpus.ngramLogRatio': [counts, counts, { smoothing: 0 }],
  'corpus.importanceWeights': [texts, counts, { ngrams: 2 }],
  'corpus.importanceResample': [
    x,
    1,
    {
      seed: 1,
      method: 'gumbel',
      minTokens: 1,
      proportions: [1, 1, 1],
      tokens: tensor('uint32', [2], [1, 2]),
    },
  ],
  'corpus.selectByImportance': [
    texts,
    texts,
    {
      count: 1,
      seed: 1,
      method: 'topK',
      minTokens: 1,
      proportions: [1],
      ngrams: 2,
      buckets: 3,
      smoothing: 1,
      fitNgrams: 'all',
    },
  ],
  'corpus.klReduction': [counts, counts, counts, { smoothing: 1 }],
  'kernels.farthestFirst': [
    x,
    {
      k: 1,
      minDistance: 0.1,
      metric: 'cosine',
      start: 0,
      mask: tensor('uint8', [2], [1, 1]),
      initial: tensor('uint32', [1], [1]),
      anchors: tensor('float64', [1, 3], [1, 0, 0]),
      seed: 1,
    },
  ],
  'vectors.pruneTokens': [x, { ratio: 0.5, count: 1, mask: tensor('uint8', [2], [1, 1]) }],
  'vectors.uniformizeWeights': [x, { k: 2, power: 1, drop: 0, metric: 'euclidean' }],
  'vectors.pickDiverse': [
    x,
    { keep: 1, method: 'farthest', metric: 'cosine', start: 'pair', first: 2, seed: 1 },
  ],
  'vectors.allocateBits': [counts, { budget: 3 }],
  'vectors.designCells': [counts, { cells: 2 }],
  'signals.guideDiversity': [
    tensor('float32', [2, 1, 1, 1], [0, 1]),
    { strength: 1, timestep: 1, timesteps: 2, maxDistance: 1, mask: tensor('uint8', [1, 1], [1]) },
  ],
  'signals.pixelShuffle': [cell, { factor: 2, order: 'crd' }],
  'signals.pixelUnshuffle': [cube, { factor: 2, order: 'crd' }],
  'signals.resize': [image, { height: 3, width: 1, mode: 'bicubic' }],
  'signals.superResolve': [
    image,
    layers,
    { factor: 1, activation: 'relu', outputActivation: 'sigmoid', order: 'dcr' },
  ],
  'signals.superResolveLoss': [image, image, layers, { factor: 1, activation: 'none' }],
  'signals.fitSubPixel': [image, image, { factor: 1, kernel: 3, ridge: 1 }],
  'signals.denoiseWavelet': [cube, { wavelet: 'haar', levels: 1, threshold: 'bayes' }],
  'kernels.sparsify': [x, { density: 0.5, scope: 'row', scores: x }],
  'kernels.quantize': [x, { bits: 4, scheme: 'asymmetric', per: 'group', axis: 0, groupSize: 2 }],
  'kernels.dequantize': [quantized],
  'kernels.ternarize': [x, { density: 0.5, alpha: 1, scale: 'std' }],
  'weights.taskVector': [{ x }, { x }, { skip: ['y'] }],
  'weights.addUpdate': [{ x }, { x }, { lambda: 2 }],
  'weights.mergeTies': [[{ x }, { x }], { density: 0.5, merge: 'max', weights: [1, 2], scope: 'tensor' }],
  'weights.compressUpdate': [{ x }, { density: 0.5, alpha: 1, scale: 'std' }],
  'weights.expandTernary': [ternary],
  'weights.encodeTernary': [ternary, { encoding: 'golomb' }],
  'weights.decodeTernary': [weights.encodeTernary(ternary), { encoding: 'golomb', dims: [2, 3], scale: 1 }],
  'weights.dotTernary': [ternary, ternary],
  'weights.multiplyTernary': [ternary, counts],
  'weights.writeTernary': [{ ternary }, { encoding: 'bitmask' }],
  'weights.readTernary': [weights.writeTernary({ ternary })],
  'weights.compensateLowRank': [x, x, { rank: 1, inputs: x }],
  'weights.gram': [x],
  'weights.maskTasks': [[{ x }, { x }], { lambda: 0.4, merged: { x } }],
  'weights.consensusMask': [[{ mask }, { mask }], { agree: 1 }],
  'weights.mergeConsensus': [[{ x: counts }], [{ x: mask }], { agree: 1, merged: { x: counts } }],
  'weights.writeTasks': [{ x: counts }, { task: { x: mask } }],
  'weights.dropLayers': [{ attention: counts, mlp: counts }, { drop: 2 }],
  'weights.dropBlockRun': [tensor('float64', [2, 1, 3], [1, 2, 3, 4, 5, 6]), { drop: 1 }],
  'weights.namesWithoutLayers': [['model.layers.1.mlp.w'], { attention: [0], mlp: [1] }],
  'weights.scoreChannels': [x, summary, { metric: 'wifn' }],
  'weights.searchStructure': [
    { attention: x, mlp: x },
    { headDim: 3, ratio: 0.5, structure: 'AL-AM', headCost: 4 },
  ],
  'weights.pruneInputs': [x, mask, { mean: counts, bias: tensor('float64', [2], [1, 2]) }],
  'weights.pruneOutputs': [
    x,
    tensor('uint8', [1], [1]),
    { groupSize: 2, bias: tensor('float64', [2], [1, 2]) },
  ],
  'weights.pruneWanda': [x, counts, { sparsity: 0.5, pattern: [1, 3] }],
  'weights.pruneMagnitude': [x, { sparsity: 0.5, pattern: [1, 3] }],
  'weights.allocateSparsity': [counts, { ratio: 0.5, temperature: 1, scale: 2 }],
  'weights.allocateRanks': [counts, { rank: 2, temperature: 1, scale: 2 }],
  'weights.scoreFfn': [{ down: x }, counts, { power: 2 }],
  'weights.selectNeurons': [x, tensor('float64', [2], [0.5, 1]), { multiple: 2 }],
  'corpus.sequenceLoss': [
    tensor('float32', [1, 2, 2], [1, 2, 3, 4]),
    tensor('int32', [1, 2], [0, 1]),
    { mask: tensor('uint8', [1, 2], [1, 1]) },
  ],
  'corpus.filterByLossReduction': [counts, counts, { count: 1 }],
  'weights.scoreAnswers': [[{ prediction: 'x', answers: ['x'] }]],
  'weights.matchFactoids': [[{ prediction: 'x', answers: ['x'] }]],
  'weights.choicePrompt': [
    { question: 'Q', choices: ['x', 'y'] },
    { subject: 's', examples: [{ question: 'Q', choices: ['x', 'y'], answer: 'A' }] },
  ],
  'weights.contextPrompt': ['Q', { context: 'x', maxContext: 3 }],
  'weights.perplexity': [tensor('float32', [1, 2, 2], [1, 2, 3, 4]), tensor('uint32', [1, 2], [0, 1])],
  'weights.parseJudge': ['1 2', { task: 'pair' }],
  'weights.compareCompressed': [
    { a: 1 },
    [{ name: 'm', scores: { a: 1 } }],
    { tasks: [{ name: 'a', higherIsBetter: true }], tolerance: 5 },
  ],
  'weights.evaluateCompressed': [
    [{ name: 'm', generate: async () => 'x' }],
    [{ question: 'Q', answers: ['x'], context: 'x' }],
  ],
  'training.pstInit': [x, { weightRank: 2, maskRank: 2, seed: 1 }],
  'training.pstMergeWeight': [sparseLayer, { sparsity: 0.5, weightBeta: 1, maskAlpha1: 1, maskAlpha2: 1 }],
  'training.pstLinear': [
    x,
    sparseLayer,
    { sparsity: 0.5, gradOutput: tensor('float32', [2, 2], [1, 2, 3, 4]) },
  ],
  'training.cubicSparsity': [
    3,
    { totalSteps: 9, finalSparsity: 0.9, initialSparsity: 0, initialWarmup: 0.1, finalWarmup: 0.3 },
  ],
  'training.groupSaliency': [
    [tensor('float32', [2], [1, 2])],
    [tensor('float32', [2], [1, 2])],
    [{ count: 2, members: [{ param: 0, axis: 0 }] }],
  ],
  'weights.readTask': [weights.writeTasks({ x: counts }, { task: { x: mask } }), 'task'],
}

type Callable = (...args: unknown[]) => unknown

const rooms = { kernels, corpus, vectors, signals, training, weights }

/** Every argument, and every option, in turn replaced. */
function* variants(good: unknown[]): Generator<[string, unknown[]]> {
  for (const [i, argument] of good.entries()) {
    for (const bad of hostile) {
      yield [`argument ${i}`, good.with(i, bad)]
      if (i < good.length - 1) continue
      for (const key of Object.keys(argument as object)) {
        yield [`option ${key}`, good.with(i, { ...(argument as object), [key]: bad })]
      }
    }
  }
}

for (const [name, good] of Object.entries(calls)) {
  const [room, key] = name.split('.') as [keyof typeof rooms, string]
  const api = rooms[room] as unknown as Record<string, Callable>
  for (const form of [key, `${key}Sync`]) {
    const call = api[form]
    if (call === undefined) continue
    test(`${room}.${form} answers hostile arguments with an error of its own, or not at all`, async (t) => {
      await t.notThrowsAsync(async () => call(...good))
      let refused = 0
      for (const [what, args] of variants(good)) {
        try {
          await call(...args)
        } catch (error) {
          refused++
          const fair = error instanceof TamisError && error.code !== 'ERR_TAMIS_INTERNAL'
          if (!fair) t.fail(`${what}: ${error instanceof Error ? error.stack : String(error)}`)
        }
      }
      t.true(refused > 20)
    })
  }
}

test('an option that detaches the data meanwhile harms nobody', (t) => {
  const victim = tensor('float64', [1000], new Float64Array(1000))
  const trap = {
    get k() {
      structuredClone(victim.data, { transfer: [victim.data.buffer as ArrayBuffer] })
      return 3
    },
  }
  t.throws(() => kernels.topKSync(victim, trap))
  t.throws(() => kernels.gumbelTopKSync(tensor('float64', [2], [1, 2]), { ...trap, k: 3 }))
  t.is(kernels.philoxSync(1).data.length, 1)
})

test('setThreads refuses the same', (t) => {
  for (const bad of hostile) {
    if (bad === 0 || bad === undefined) continue
    t.throws(() => setThreads(bad as number), { instanceOf: TamisError })
  }
})
