//! The one order in which float64 sums that decide something, or that users see, are made.
//!
//! Blocks of 4,096 consecutive items; in a block eight lanes (item i to lane i mod 8), each in order, joined as
//! ((0+1)+(2+3))+((4+5)+(6+7)); block results added in block order. A block may be summed on any thread: the result
//! is the same bits for any number of them. O(n), no memory beyond a float64 a block where blocks run in parallel.

use crate::cpu::{Cpu, vectorized};
use crate::threads;
use rayon::prelude::*;

/// Items of a block.
pub const BLOCK: usize = 4096;
/// Lanes of a block.
pub const LANES: usize = 8;

/// Blocks of one task.
const TASK: usize = 16;

/// The eight lanes of a block as one number.
#[inline(always)]
pub fn join([a, b, c, d, e, f, g, h]: [f64; LANES]) -> f64 {
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

/// The sum of `term(i)` for i in `start..end`, which must lie in one block; lanes go by the distance to `start`.
#[inline(always)]
fn block_sum(start: usize, end: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let whole = start + (end - start) / LANES * LANES;
    let mut i = start;
    while i < whole {
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += term(i + l);
        }
        i += LANES;
    }
    for (l, lane) in lanes.iter_mut().enumerate().take(end - whole) {
        *lane += term(whole + l);
    }
    join(lanes)
}

/// The sum of `term(i)` for i in 0..n.
///
/// ```
/// assert_eq!(tamis_kernels::sums::sum_by(4, |i| i as f64), 6.0);
/// ```
#[inline(always)]
pub fn sum_by(n: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut total = 0.0;
    for start in (0..n).step_by(BLOCK) {
        total += block_sum(start, n.min(start + BLOCK), &term);
    }
    total
}

/// [`sum_by`] with its blocks on the shared pool: the same bits.
pub fn par_sum_by(n: usize, term: impl Fn(usize) -> f64 + Sync) -> f64 {
    if n <= TASK * BLOCK { sum_by(n, term) } else { threads::pool().install(|| sum_of_blocks(n, &term)) }
}

fn sum_of_blocks(n: usize, term: &(impl Fn(usize) -> f64 + Sync)) -> f64 {
    let block = |b: usize| block_sum(b * BLOCK, n.min((b + 1) * BLOCK), term);
    let blocks: Vec<f64> = (0..n.div_ceil(BLOCK)).into_par_iter().with_min_len(TASK).map(block).collect();
    blocks.into_iter().fold(0.0, |total, block| total + block)
}

/// The sum of float32 items.
///
/// ```
/// assert_eq!(tamis_kernels::sums::sum_f32(&[0.5, 1.5, 2.0]), 4.0);
/// ```
pub fn sum_f32(x: &[f32]) -> f64 {
    sum_by(x.len(), |i| f64::from(x[i]))
}

/// The sum of float64 items.
///
/// ```
/// assert_eq!(tamis_kernels::sums::sum_f64(&[0.5, 1.5, 2.0]), 4.0);
/// ```
pub fn sum_f64(x: &[f64]) -> f64 {
    sum_by(x.len(), |i| x[i])
}

/// The sum of squares of items that float64 holds.
///
/// ```
/// assert_eq!(tamis_kernels::sums::norm_sq(&[3.0f32, 4.0]), 25.0);
/// ```
pub fn norm_sq<T: Copy + Into<f64>>(x: &[T]) -> f64 {
    sum_by(x.len(), |i| {
        let x: f64 = x[i].into();
        x * x
    })
}

/// The sum of products of two slices of one length.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// assert_eq!(tamis_kernels::sums::dot(&[3.0f32, 4.0], &[1.0, 2.0]), 11.0);
/// ```
pub fn dot<T: Copy + Into<f64>>(x: &[T], y: &[T]) -> f64 {
    assert_eq!(x.len(), y.len(), "both sides must have one length");
    sum_by(x.len(), |i| x[i].into() * y[i].into())
}

/// Sums of vectors, component by component: the items of each sum are the vectors added, in the order in which
/// [`RowSums::add`] saw them.
///
/// ```
/// use tamis_kernels::sums::RowSums;
/// let mut sums = RowSums::new(2);
/// sums.add(&[1.0f32, 2.0], 1.0);
/// sums.add(&[3.0f32, 4.0], 0.5);
/// assert_eq!(sums.finish(), [2.5, 4.0]);
/// ```
#[derive(Debug, Clone)]
pub struct RowSums {
    /// Lane l of component j at `l * width + j`.
    lanes: Vec<f64>,
    totals: Vec<f64>,
    count: usize,
    cpu: Cpu,
}

impl RowSums {
    /// Sums of no vectors yet, of `width` components each.
    pub fn new(width: usize) -> Self {
        RowSums { lanes: vec![0.0; LANES * width], totals: vec![0.0; width], count: 0, cpu: Cpu::current() }
    }

    /// Adds `weight` times a vector; the product is rounded to float64.
    ///
    /// # Panics
    /// If the vector has another width.
    #[inline]
    pub fn add<T: Copy + Into<f64>>(&mut self, row: &[T], weight: f64) {
        let width = self.totals.len();
        assert_eq!(row.len(), width, "a vector of another width");
        let lane = self.count % LANES * width;
        add_scaled(self.cpu, &mut self.lanes[lane..lane + width], row, weight);
        self.count += 1;
        if self.count.is_multiple_of(BLOCK) {
            self.close();
        }
    }

    fn close(&mut self) {
        let width = self.totals.len();
        for (j, total) in self.totals.iter_mut().enumerate() {
            *total += join(std::array::from_fn(|l| self.lanes[l * width + j]));
        }
        self.lanes.fill(0.0);
    }

    /// The sums.
    pub fn finish(mut self) -> Vec<f64> {
        if !self.count.is_multiple_of(BLOCK) {
            self.close();
        }
        self.totals
    }
}

/// What is a float64 too.
trait Wide: Copy + Into<f64> {}

impl<T: Copy + Into<f64>> Wide for T {}

vectorized! {
    /// Adds `weight * row` to `sums`.
    #[inline]
    fn add_scaled<T: Wide>(cpu: Cpu, sums: &mut [f64], row: &[T], weight: f64) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += weight * x.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word by word.
    fn naive(x: &[f64]) -> f64 {
        let mut total = 0.0;
        for block in x.chunks(BLOCK) {
            let mut lanes = [0.0; LANES];
            for (i, x) in block.iter().enumerate() {
                lanes[i % LANES] += x;
            }
            total += ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
                + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
        }
        total
    }

    fn terms(n: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 7919 % 1009) as f64 - 500.0) * 1.1f64.powi((i % 97) as i32)).collect()
    }

    #[test]
    fn the_order_is_that_of_blocks_and_lanes() {
        for n in [0, 1, 7, 8, 9, 4095, 4096, 4097, 12_288, 12_301] {
            let x = terms(n);
            assert_eq!(sum_f64(&x).to_bits(), naive(&x).to_bits(), "{n}");
            let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
            assert_eq!(norm_sq(&x).to_bits(), naive(&squares).to_bits(), "{n}");
            assert_eq!(dot(&x, &x).to_bits(), naive(&squares).to_bits(), "{n}");
            let mut rows = RowSums::new(2);
            x.iter().for_each(|&x| rows.add(&[x, -x], 1.0));
            assert_eq!(rows.finish(), [naive(&x), -naive(&x)], "{n}");
        }
    }

    #[test]
    fn blocks_on_other_threads_give_the_same_bits() {
        let x = terms(40 * BLOCK + 13);
        for threads in [1, 2, 7] {
            let pool = crate::threads::Budget::of(threads);
            let sum = pool.install(|| sum_of_blocks(x.len(), &|i: usize| x[i]));
            assert_eq!(sum.to_bits(), naive(&x).to_bits());
        }
        assert_eq!(par_sum_by(x.len(), |i| x[i]).to_bits(), naive(&x).to_bits());
    }

    proptest! {
        #[test]
        fn float32_is_widened_first(x in prop::collection::vec(-1e30f32..1e30, 0..300)) {
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            prop_assert_eq!(sum_f32(&x).to_bits(), naive(&wide).to_bits());
        }
    }
}
