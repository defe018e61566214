// Workers that are ended in the midst of their calls, then workers that come to their end.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { kernels } from 'tamis'

const self = fileURLToPath(import.meta.url)
const texts = Array.from(
  { length: 20_000 },
  (_, i) => `document ${i} tells of ${i % 97} things and of ${i % 89} more`,
)
const total = (counts) => counts.data.reduce((sum, count) => sum + count, 0)

if (isMainThread) {
  const endless = Array.from({ length: 4 }, () => new Worker(self, { workerData: 'endless' }))
  await Promise.all(endless.map((worker) => once(worker, 'message')))
  await Promise.all(endless.map((worker) => worker.terminate()))
  const finite = Array.from({ length: 3 }, () => new Worker(self, { workerData: 'once' }))
  const totals = await Promise.all(finite.map(async (worker) => (await once(worker, 'message'))[0]))
  const here = total(await kernels.countNgrams(texts))
  console.log(
    JSON.stringify({ ended: endless.length, same: totals.every((one) => one === here), counted: here }),
  )
} else if (workerData === 'endless') {
  for (;;) {
    const running = kernels.countNgrams(texts)
    parentPort.postMessage('busy')
    await running
  }
} else {
  parentPort.postMessage(total(await kernels.countNgrams(texts)))
}
