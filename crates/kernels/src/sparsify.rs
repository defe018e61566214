//! Which items of each row are kept: those of the highest score, or of the largest magnitude.
//!
//! Equal scores are kept in order, lower index first. Short groups by counting who is better, O(m) an item; longer rows
//! by selection, O(n); rows side by side in parallel, long ones in parallel inside.

use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::topk::{Largest, Order, Ordered, places};
use crate::{tasks, threads};
use rayon::prelude::*;

/// Rows of so many items are parted by counting, for each item, those before it in the order.
const COUNTED: usize = 32;

#[derive(Clone, Copy)]
struct Magnitude;

impl<T: Real> Order<T> for Magnitude {
    const BITS: u32 = T::MAGNITUDE_BITS;

    #[inline(always)]
    fn rank(self, x: T) -> u64 {
        x.magnitude()
    }

    #[inline(always)]
    fn reaches(self, x: T, bound: T) -> bool {
        x.abs() >= bound.abs()
    }
}

/// A mask of 0 and 1 over rows of `width` items: 1 at the `keep` largest magnitudes of each.
///
/// Items must be numbers (not NaN).
///
/// # Panics
/// If `x` is no whole number of rows, or `keep` is above `width`.
///
/// ```
/// use tamis_kernels::{job::Job, sparsify::mask_of_magnitudes};
/// let mask = mask_of_magnitudes(&[1.0f32, -3.0, 2.0, 2.0], 2, 1, &Job::default());
/// assert_eq!(mask, Ok(vec![0, 1, 1, 0]));
/// ```
pub fn mask_of_magnitudes<T: Real>(
    x: &[T],
    width: usize,
    keep: usize,
    job: &Job,
) -> Result<Vec<u8>, Aborted> {
    mask(x, width, keep, Magnitude, job)
}

/// The same by the items themselves, signed.
///
/// # Panics
/// If `x` is no whole number of rows, or `keep` is above `width`.
pub fn mask_of_scores<T: Ordered>(x: &[T], width: usize, keep: usize, job: &Job) -> Result<Vec<u8>, Aborted> {
    mask(x, width, keep, Largest, job)
}

fn mask<T: Copy + Send + Sync>(
    x: &[T],
    width: usize,
    keep: usize,
    order: impl Order<T>,
    job: &Job,
) -> Result<Vec<u8>, Aborted> {
    assert!(x.is_empty() || x.len().is_multiple_of(width), "x must hold whole rows of {width}");
    assert!(x.is_empty() || keep <= width, "keep must be at most {width}, got {keep}");
    let width = width.max(1);
    let mut mask = vec![0; x.len()];
    let rows = |(x, mask): (&[T], &mut [u8])| {
        job.check()?;
        for (row, mask) in x.chunks_exact(width).zip(mask.chunks_exact_mut(width)) {
            if width <= COUNTED {
                mark(row, keep, order, mask);
            } else {
                places(row, keep, order).into_iter().for_each(|i| mask[i as usize] = 1);
            }
        }
        Ok(())
    };
    if x.len() <= tasks::TASK || x.len() == width {
        rows((x, &mut mask))?;
    } else {
        let each = (tasks::TASK / width).max(1) * width;
        let parts = x.par_chunks(each).zip(mask.par_chunks_mut(each));
        threads::pool().install(|| parts.try_for_each(rows))?;
    }
    Ok(mask)
}

/// Marks the best of a short row.
#[inline(always)]
fn mark<T: Copy>(row: &[T], keep: usize, order: impl Order<T>, mask: &mut [u8]) {
    let mut ranks = [0; COUNTED];
    ranks.iter_mut().zip(row).for_each(|(rank, &x)| *rank = order.rank(x));
    let ranks = &ranks[..row.len()];
    for (i, (rank, mask)) in ranks.iter().zip(mask).enumerate() {
        let before = ranks[..i].iter().filter(|other| *other >= rank).count();
        let behind = ranks[i + 1..].iter().filter(|other| *other > rank).count();
        *mask = u8::from(before + behind < keep);
    }
}

/// The items where the mask is not 0, and 0 elsewhere.
///
/// # Panics
/// If the lengths differ.
pub fn keep_masked<T: Copy + Default + Send + Sync>(
    mask: &[u8],
    x: &[T],
    job: &Job,
) -> Result<Vec<T>, Aborted> {
    assert_eq!(mask.len(), x.len(), "a mask holds an item for each");
    let mut out = vec![T::default(); x.len()];
    tasks::fill(&mut out, 1, job, |start, out| {
        for ((out, &x), mask) in out.iter_mut().zip(&x[start..]).zip(&mask[start..]) {
            *out = if *mask == 0 { T::default() } else { x };
        }
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sorts each row.
    fn naive(x: &[f64], width: usize, keep: usize) -> Vec<u8> {
        let row = |row: &[f64]| {
            let mut order: Vec<usize> = (0..width).collect();
            order.sort_by(|&a, &b| row[b].partial_cmp(&row[a]).unwrap().then(a.cmp(&b)));
            let mut mask = vec![0; width];
            order[..keep].iter().for_each(|&i| mask[i] = 1);
            mask
        };
        x.chunks_exact(width).flat_map(row).collect()
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(mask_of_magnitudes::<f32>(&[], 0, 0, &Job::default()), Ok(vec![]));
        assert_eq!(mask_of_scores::<f64>(&[], 4, 2, &Job::default()), Ok(vec![]));
    }

    #[test]
    fn long_tensors_are_the_same_for_any_number_of_threads() {
        let mut words = vec![0; 3 * 4 * tasks::TASK + 4096];
        crate::philox::Philox::new(4, 0).below(0, 1000, &mut words);
        let x: Vec<f32> = words.iter().map(|&w| w as f32 - 500.0).collect();
        let magnitudes: Vec<f64> = x.iter().map(|&x| f64::from(x.abs())).collect();
        for (width, keep) in [(4, 2), (1024, 100), (x.len(), 12_345), (x.len(), x.len() / 2)] {
            let want = naive(&magnitudes, width, keep);
            for threads in [1, 2, 7] {
                let pool = crate::threads::Budget::of(threads);
                let got = pool.install(|| mask_of_magnitudes(&x, width, keep, &Job::default()).unwrap());
                assert!(got == want, "{width} {threads}");
                let kept = pool.install(|| keep_masked(&got, &x, &Job::default()).unwrap());
                assert!(kept.iter().zip(&got).zip(&x).all(|((kept, mask), x)| *kept == x * f32::from(*mask)));
            }
        }
    }

    proptest! {
        #[test]
        fn rows_match_the_sort(
            x in proptest::collection::vec(prop_oneof![-2.0..2.0f64, Just(1.0), Just(-1.0), Just(0.0), Just(-0.0)], 0..400),
            width in prop_oneof![1usize..8, 30usize..80], share in 0.0..=1.0f64,
        ) {
            let x = &x[..x.len() / width * width];
            let keep = (share * width as f64) as usize;
            let job = Job::default();
            prop_assert_eq!(mask_of_scores(x, width, keep, &job).unwrap(), naive(x, width, keep));
            let magnitudes: Vec<f64> = x.iter().map(|x| x.abs()).collect();
            prop_assert_eq!(mask_of_magnitudes(x, width, keep, &job).unwrap(), naive(&magnitudes, width, keep));
        }
    }
}
