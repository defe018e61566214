import test from 'ava'
import { kernels, setThreads, tensor } from 'tamis'

const x = { ...kernels.normalSync(2 * 5 * 6 * 7, { dtype: 'float64' }), dims: [2, 5, 6, 7] }

test('there and back, in every mode', async (t) => {
  for (const wavelet of ['haar', 'db1', 'db3', 'db8'] as const) {
    for (const mode of ['symmetric', 'periodization', 'zero'] as const) {
      const planes = kernels.wavelet2Sync(x, { wavelet, mode })
      t.deepEqual(planes.dims.slice(0, 3), [2, 5, 4])
      const back = kernels.inverseWavelet2Sync(planes, { wavelet, mode, height: 6, width: 7 })
      t.true(near(back.data, x.data))
      const volumes = await kernels.wavelet3(x, { wavelet, mode })
      t.deepEqual(volumes.dims.slice(0, 2), [2, 8])
      const whole = await kernels.inverseWavelet3(volumes, { wavelet, mode, depth: 5, height: 6, width: 7 })
      t.true(near(whole.data, x.data))
    }
  }
})

function near(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint>): boolean {
  return (
    a.length === b.length && Array.from(a).every((item, i) => Math.abs(Number(item) - Number(b[i])) < 1e-9)
  )
}

test('the type of the input stays, and axes before the last are a batch', (t) => {
  const image = tensor('float32', [2, 2], [1, 2, 3, 4])
  t.is(kernels.wavelet2Sync(image).type, 'float32')
  const two = kernels.wavelet2Sync(tensor('float32', [2, 2, 2], [0, 0, 0, 0, 1, 2, 3, 4]))
  t.deepEqual(two.data.slice(4), kernels.wavelet2Sync(image).data)
  t.deepEqual(kernels.wavelet2Sync(tensor('float32', [0, 2, 2], [])).dims, [0, 4, 1, 1])
})

test.serial('wavelets are the same on 1, 2 and 7 threads', (t) => {
  t.teardown(() => setThreads(0))
  const large = { ...kernels.normalSync(150 * 151), dims: [150, 151] }
  setThreads(1)
  const one = kernels.wavelet2Sync(large, { wavelet: 'db4' })
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(kernels.wavelet2Sync(large, { wavelet: 'db4' }), one)
  }
})

const bands = tensor('float32', [4, 1, 1], [1, 0, 0, 0])
const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  [
    'another wavelet',
    () => kernels.wavelet2Sync(x, { wavelet: 'db99' as 'db2' }),
    { code: 'ERR_TAMIS_RANGE', message: /^wavelet/ },
  ],
  [
    'another filter',
    () => kernels.waveletFilterSync('sym2' as 'db2'),
    { code: 'ERR_TAMIS_RANGE', message: /^wavelet/ },
  ],
  [
    'another mode',
    () => kernels.wavelet3Sync(x, { mode: 'reflect' as 'zero' }),
    { code: 'ERR_TAMIS_RANGE', message: /^mode/ },
  ],
  [
    'one axis',
    () => kernels.wavelet2Sync(tensor('float32', [1], [1])),
    { code: 'ERR_TAMIS_SHAPE', message: /^rank/ },
  ],
  [
    'an empty side',
    () => kernels.wavelet2Sync(tensor('float32', [0, 2], [])),
    { code: 'ERR_TAMIS_SHAPE', message: /^shape/ },
  ],
  [
    'another number of bands',
    () => kernels.inverseWavelet2Sync(tensor('float32', [3, 1, 1], [1, 1, 1]), { height: 1, width: 1 }),
    { code: 'ERR_TAMIS_SHAPE', message: /^shape: bands/ },
  ],
  [
    'bands shorter than the filter',
    () => kernels.inverseWavelet2Sync(bands, { wavelet: 'db3', height: 1, width: 1 }),
    { code: 'ERR_TAMIS_SHAPE', message: /too short/ },
  ],
  [
    'no height',
    () => kernels.inverseWavelet2Sync(bands, { width: 1 } as never),
    { code: 'ERR_TAMIS_TYPE', message: /^height/ },
  ],
  [
    'a width beyond the bands',
    () => kernels.inverseWavelet2Sync(bands, { height: 1, width: 3 }),
    { code: 'ERR_TAMIS_RANGE', message: /^width/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', ...error })
  })
}
