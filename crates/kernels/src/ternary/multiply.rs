//! The product of a ternary matrix with vectors: additions and subtractions alone.
//!
//! Each row goes over its bits 64 at a time; item j of a row is added to lane j mod 16, so that the masked additions of
//! 16-wide vectors and the walk over single bits give the same sums. O(rows cols batch), in parallel over rows.

use crate::bits::{WORD, word_at};
use crate::cpu::Cpu;
use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::tasks;

const LANES: usize = 16;

/// `scale` times the product of a ternary matrix `[rows, cols]` with each of the rows of `x` (`[batch, cols]`); `out` is
/// `[batch, rows]`. Sums in the precision of x, in 16 lanes.
///
/// # Panics
/// If the lengths do not fit.
///
/// ```
/// use tamis_kernels::{job::Job, ternary::multiply};
/// let mut y = [0.0f32; 2];
/// // [[1, -1], [0, 1]]
/// multiply([&[0b1001], &[0b0010]], 0.5, 2, &[3.0, 1.0], &mut y, &Job::default()).unwrap();
/// assert_eq!(y, [1.0, 0.5]);
/// ```
pub fn multiply<T: Real>(
    [positive, negative]: [&[u8]; 2],
    scale: f64,
    cols: usize,
    x: &[T],
    out: &mut [T],
    job: &Job,
) -> Result<(), Aborted> {
    if cols == 0 || out.is_empty() {
        out.fill(T::default());
        return Ok(());
    }
    assert!(x.len().is_multiple_of(cols), "x must hold whole rows");
    let batch = x.len() / cols;
    let rows = out.len() / batch;
    assert!(rows * batch == out.len() && positive.len() == (rows * cols).div_ceil(8));
    assert_eq!(positive.len(), negative.len(), "masks must have one length");
    let cpu = Cpu::current();
    // Rows of a task, of about as many bits as a task has items.
    let each = (tasks::TASK / cols).max(1);
    let products = tasks::grouped(rows, each, rows * cols <= tasks::TASK, job, |range| {
        let mut sums = Vec::with_capacity(range.len() * batch);
        for row in range {
            for x in x.chunks_exact(cols) {
                let sum = row_sum([positive, negative], row * cols, x, cpu);
                sums.push(T::from_f64(scale * sum.to_f64()));
            }
        }
        sums
    })?;
    for (row, sums) in products.concat().chunks_exact(batch).enumerate() {
        sums.iter().enumerate().for_each(|(b, &sum)| out[b * rows + row] = sum);
    }
    Ok(())
}

/// The items of `x` at positive bits less those at negative ones, the bits of x[0] being at `at`.
fn row_sum<T: Real>(masks: [&[u8]; 2], at: usize, x: &[T], cpu: Cpu) -> T {
    let mut lanes = [T::default(); LANES];
    for (i, items) in x.chunks(WORD).enumerate() {
        let [positive, negative] = masks.map(|mask| word_at(mask, at + i * WORD, items.len()));
        match items.as_array::<WORD>() {
            Some(items) => T::add_masked(items, positive, negative, &mut lanes, cpu),
            None => add_masked(items, positive, negative, &mut lanes),
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] = lanes[i] + lanes[i + width];
        }
    }
    lanes[0]
}

/// Adds the items at positive bits to their lanes and takes those at negative ones from them.
#[inline(always)]
pub(crate) fn add_masked<T: Real>(items: &[T], positive: u64, negative: u64, lanes: &mut [T; LANES]) {
    let mut left = positive | negative;
    while left != 0 {
        let i = left.trailing_zeros() as usize;
        left &= left - 1;
        let lane = &mut lanes[i % LANES];
        *lane = if negative >> i & 1 == 1 { *lane - items[i] } else { *lane + items[i] };
    }
}

/// [`add_masked`] with 512-bit vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn add_masked_avx512(items: &[f32; WORD], positive: u64, negative: u64, lanes: &mut [f32; LANES]) {
    use std::arch::x86_64::*;
    // SAFETY: sixteen floats are 64 bytes that can be read; no alignment is asked for.
    let mut sums = unsafe { _mm512_loadu_ps(lanes.as_ptr()) };
    for (i, sixteen) in items.as_chunks::<LANES>().0.iter().enumerate() {
        // SAFETY: as above.
        let x = unsafe { _mm512_loadu_ps(sixteen.as_ptr()) };
        sums = _mm512_mask_add_ps(sums, (positive >> (LANES * i)) as __mmask16, sums, x);
        sums = _mm512_mask_sub_ps(sums, (negative >> (LANES * i)) as __mmask16, sums, x);
    }
    // SAFETY: sixteen floats are 64 bytes that can be written; no alignment is asked for.
    unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), sums) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::bytes_of;
    use proptest::prelude::*;

    fn masks(signs: &[i8]) -> [Vec<u8>; 2] {
        let mut masks = [vec![0; bytes_of(signs.len())], vec![0; bytes_of(signs.len())]];
        for (i, &sign) in signs.iter().enumerate().filter(|(_, sign)| **sign != 0) {
            masks[usize::from(sign < 0)][i / 8] |= 1 << (i % 8);
        }
        masks
    }

    #[test]
    fn every_instruction_set_and_number_of_threads_gives_the_same() {
        let (rows, cols) = (123, 1777);
        let words = |seed: u64, n: usize, bound: u64| {
            let mut out = vec![0; n];
            crate::philox::Philox::new(seed, 0).below(0, bound, &mut out);
            out
        };
        let signs: Vec<i8> = words(1, rows * cols, 3).into_iter().map(|w| w as i8 - 1).collect();
        let x: Vec<f32> = words(2, 2 * cols, 1000).into_iter().map(|w| w as f32 / 7.0).collect();
        let [positive, negative] = masks(&signs);
        let mut first: Option<Vec<f32>> = None;
        for threads in [1, 2, 7] {
            let pool = crate::threads::Budget::of(threads);
            let mut y = vec![0.0; 2 * rows];
            pool.install(|| {
                multiply([&positive, &negative], 0.25, cols, &x, &mut y, &Job::default()).unwrap()
            });
            assert!(first.as_ref().is_none_or(|first| *first == y));
            first = Some(y);
        }
        for cpu in Cpu::choices() {
            for row in 0..rows {
                let sum = row_sum([&positive, &negative], row * cols, &x[..cols], cpu);
                assert_eq!(first.as_ref().unwrap()[row], 0.25 * sum);
            }
        }
    }

    #[test]
    fn infinities_where_no_bit_is_do_not_show() {
        let mut y = [0.0f64];
        let [positive, negative] = masks(&[0, 1, -1]);
        let x = [f64::INFINITY, 2.0, 3.0];
        multiply([&positive, &negative], 2.0, 3, &x, &mut y, &Job::default()).unwrap();
        assert_eq!(y, [-2.0]);
    }

    proptest! {
        #[test]
        fn products_match_the_definition(
            (rows, cols) in (0usize..9, 0usize..150), batch in 1usize..3, seed: u64, scale in -2.0..2.0f64,
        ) {
            let mut words = vec![0; rows * cols + batch * cols];
            crate::philox::Philox::new(seed, 0).below(0, 3000, &mut words);
            let signs: Vec<i8> = words[..rows * cols].iter().map(|w| (w % 3) as i8 - 1).collect();
            let x: Vec<f64> = words[rows * cols..].iter().map(|&w| f64::from(w) / 1000.0 - 1.5).collect();
            let [positive, negative] = masks(&signs);
            let mut y = vec![7.0; batch * rows];
            multiply([&positive, &negative], scale, cols, &x, &mut y, &Job::default()).unwrap();
            for b in 0..batch {
                for r in 0..rows {
                    let want: f64 = (0..cols).map(|c| f64::from(signs[r * cols + c]) * x[b * cols + c]).sum();
                    prop_assert!((y[b * rows + r] - scale * want).abs() < 1e-9);
                }
            }
        }
    }
}
