import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { corpus, kernels, tensor } from 'tamis'

/** Words that a worker can make for itself. */
const SETUP = `
  const { parentPort } = require('node:worker_threads')
  const { corpus, kernels } = require('tamis')
  const texts = Array.from({ length: 20000 }, (_, i) =>
    Array.from({ length: 100 }, (_, j) => 'word' + ((i * 31 + j * 17) % 977)).join(' '))
`

function start(program: string): Worker {
  return new Worker(SETUP + program, { eval: true })
}

test('several workers at once get what the main thread gets', async (t) => {
  const program = 'kernels.countNgrams(texts).then(({ data }) => parentPort.postMessage(data))'
  const results = await Promise.all(
    [0, 1, 2, 3].map(async () => {
      const worker = start(program)
      const [data] = (await once(worker, 'message')) as [Float64Array]
      await worker.terminate()
      return data
    }),
  )
  const texts = Array.from({ length: 20000 }, (_, i) =>
    Array.from({ length: 100 }, (_, j) => `word${(i * 31 + j * 17) % 977}`).join(' '),
  )
  const { data } = await kernels.countNgrams(texts)
  for (const result of results) t.deepEqual(result, data)
})

test('a worker that is terminated mid-run harms nobody', async (t) => {
  const program = `
    const busy = () => kernels.countNgrams(texts).then(busy)
    for (let i = 0; i < 4; i++) busy()
    parentPort.postMessage('started')
  `
  for (let round = 0; round < 3; round++) {
    const workers = [start(program), start(program)]
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  const { indices } = await corpus.importanceResample(tensor('float64', [3], [1, 2, 3]), 1, {
    method: 'topK',
  })
  t.deepEqual([...indices.data], [2])
})
