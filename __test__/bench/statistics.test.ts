import test from 'ava'
import { fitExponent, median } from '../../bench/statistics.js'

test('the median of an odd and of an even number of values', (t) => {
  t.is(median([3, 1, 2]), 2)
  t.is(median([4, 1, 2, 3]), 2.5)
  t.is(median([7]), 7)
  t.is(median([]), Number.NaN)
})

test('an exact power law has its exponent, whatever its factor', (t) => {
  const sizes = [1e3, 1e4, 1e5, 1e6]
  for (const exponent of [0, 0.5, 1, 2]) {
    const times = sizes.map((n) => 3e-7 * n ** exponent)
    t.true(Math.abs(fitExponent(sizes, times) - exponent) < 1e-12)
  }
})

test('sizes need neither order nor even steps, and one size may come twice', (t) => {
  const sizes = [500, 2, 2, 90_000]
  t.true(
    Math.abs(
      fitExponent(
        sizes,
        [...sizes].map((n) => n ** 1.5),
      ) - 1.5,
    ) < 1e-12,
  )
})

test('the fit is by least squares of the logarithms', (t) => {
  // log10: (0, 0), (1, 2), (2, 1): the slope is that of the ends.
  t.true(Math.abs(fitExponent([1, 10, 100], [1, 100, 10]) - 0.5) < 1e-12)
})

test('what has no exponent is refused', (t) => {
  t.throws(() => fitExponent([1, 2], [1]), { instanceOf: RangeError, message: /a time for each size/ })
  t.throws(() => fitExponent([1, 2], [0, 1]), { instanceOf: RangeError, message: /positive/ })
  t.throws(() => fitExponent([1, 2], [Number.NaN, 1]), { instanceOf: RangeError, message: /positive/ })
  t.throws(() => fitExponent([5, 5], [1, 2]), { instanceOf: RangeError, message: /two different sizes/ })
})
