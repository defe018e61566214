//! Passes over the rows of matrices: weighted sums, columns taken out, magnitudes scaled.
//!
//! Float64 sums in the one order of [`crate::sums`]. O(rows width), rows side by side in parallel.

use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::{sums, tasks, threads};
use rayon::prelude::*;

/// Rows of a task.
fn task(width: usize) -> usize {
    (tasks::TASK / width.max(1)).max(1)
}

/// The sum of each row's magnitudes. Not finite where an item is not.
///
/// # Panics
/// If the items are no whole rows.
///
/// ```
/// use tamis_kernels::{job::Job, rows::magnitudes};
/// assert_eq!(magnitudes(&[1.0f32, -2.0, 0.0, 0.0], 2, &Job::default()), Ok(vec![3.0, 0.0]));
/// ```
pub fn magnitudes<T: Real>(x: &[T], width: usize, job: &Job) -> Result<Vec<f64>, Aborted> {
    let cpu = Cpu::current();
    of_rows(x, width, job, |row| magnitude(cpu, row))
}

vectorized! {
    /// The sum of magnitudes, in blocks and lanes.
    fn magnitude<T: Real>(cpu: Cpu, row: &[T]) -> f64 {
        sums::sum_by(row.len(), |j| row[j].to_f64().abs())
    }
}

/// `X w` for `x` of `[rows, width]`: each row's products with the weights, added. Not finite where an item is not, even if
/// its weight is 0.
///
/// # Panics
/// If the items are no whole rows of as many as there are weights.
///
/// ```
/// use tamis_kernels::{job::Job, rows::weighted_sums};
/// assert_eq!(weighted_sums(&[1.0f32, 2.0, 3.0, 4.0], &[1.0, 0.5], &Job::default()), Ok(vec![2.0, 5.0]));
/// ```
pub fn weighted_sums<T: Real>(x: &[T], weights: &[f64], job: &Job) -> Result<Vec<f64>, Aborted> {
    let cpu = Cpu::current();
    of_rows(x, weights.len(), job, |row| weighted(cpu, row, weights))
}

/// What `work` makes of each row.
fn of_rows<T: Sync, R: Send>(
    x: &[T],
    width: usize,
    job: &Job,
    work: impl Fn(&[T]) -> R + Sync,
) -> Result<Vec<R>, Aborted> {
    assert!(
        x.is_empty() || (width > 0 && x.len().is_multiple_of(width)),
        "x must hold whole rows of {width}"
    );
    let rows = x.len() / width.max(1);
    let tasks = tasks::grouped(rows, task(width), x.len() <= tasks::TASK, job, |range| {
        let rows = x[range.start * width..range.end * width].chunks_exact(width.max(1));
        rows.map(&work).collect::<Vec<_>>()
    })?;
    Ok(tasks.into_iter().flatten().collect())
}

vectorized! {
    /// The sum of products, in blocks and lanes.
    fn weighted<T: Real>(cpu: Cpu, row: &[T], weights: &[f64]) -> f64 {
        sums::sum_by(row.len(), |j| row[j].to_f64() * weights[j])
    }
}

/// `|x| scale` for each column's scale, in the numbers' precision.
///
/// # Panics
/// If the items are no whole rows of as many as there are scales.
///
/// ```
/// use tamis_kernels::{job::Job, rows::scaled_magnitudes};
/// assert_eq!(scaled_magnitudes(&[1.0f32, -2.0], &[3.0, 0.5], &Job::default()), Ok(vec![3.0, 1.0]));
/// ```
pub fn scaled_magnitudes<T: Real>(x: &[T], scale: &[T], job: &Job) -> Result<Vec<T>, Aborted> {
    let width = scale.len().max(1);
    assert!(x.len().is_multiple_of(width), "x must hold whole rows of {width}");
    let cpu = Cpu::current();
    let mut out = vec![T::default(); x.len()];
    by_rows(&mut out, width, x, width, job, |out, row| scale_row(cpu, row, scale, out))?;
    Ok(out)
}

vectorized! {
    fn scale_row<T: Real>(cpu: Cpu, row: &[T], scale: &[T], out: &mut [T]) {
        for ((out, &x), &scale) in out.iter_mut().zip(row).zip(scale) {
            *out = x.abs() * scale;
        }
    }
}

/// The columns where the mask is not 0, of `x` of `[rows, mask.len()]`: `[rows, kept]`.
///
/// # Panics
/// If the items are no whole rows.
///
/// ```
/// use tamis_kernels::{job::Job, rows::keep_columns};
/// assert_eq!(keep_columns(&[1, 2, 3, 4, 5, 6], &[1, 0, 1], &Job::default()), Ok(vec![1, 3, 4, 6]));
/// ```
pub fn keep_columns<T: Copy + Default + Send + Sync>(
    x: &[T],
    mask: &[u8],
    job: &Job,
) -> Result<Vec<T>, Aborted> {
    let width = mask.len().max(1);
    assert!(x.len().is_multiple_of(width), "x must hold whole rows of {width}");
    let kept: Vec<usize> = (0..mask.len()).filter(|&j| mask[j] != 0).collect();
    let mut out = vec![T::default(); x.len() / width * kept.len()];
    by_rows(&mut out, kept.len(), x, width, job, |out, row| {
        for (out, &j) in out.iter_mut().zip(&kept) {
            *out = row[j];
        }
    })?;
    Ok(out)
}

/// Whether no item is a NaN or infinite.
///
/// ```
/// use tamis_kernels::{job::Job, rows::all_finite};
/// assert_eq!(all_finite(&[1.0f32, f32::NAN], &Job::default()), Ok(false));
/// ```
pub fn all_finite<T: Real>(x: &[T], job: &Job) -> Result<bool, Aborted> {
    let cpu = Cpu::current();
    Ok(tasks::each(x.len(), job, |range| finite_task(cpu, &x[range]))?.into_iter().all(|finite| finite))
}

vectorized! {
    fn finite_task<T: Real>(cpu: Cpu, x: &[T]) -> bool {
        !x.iter().fold(false, |any, x| any | x.reaches(T::INFINITE))
    }
}

/// Gives each row of `x`, and the row of `out` that belongs to it, to `work`.
fn by_rows<T: Sync, U: Send>(
    out: &mut [U],
    out_width: usize,
    x: &[T],
    width: usize,
    job: &Job,
    work: impl Fn(&mut [U], &[T]) + Sync,
) -> Result<(), Aborted> {
    if out.is_empty() {
        return Ok(());
    }
    let each = |(out, x): (&mut [U], &[T])| {
        job.check()?;
        let rows = out.chunks_exact_mut(out_width).zip(x.chunks_exact(width));
        rows.for_each(|(out, row)| work(out, row));
        Ok(())
    };
    if x.len() <= tasks::TASK {
        return each((out, x));
    }
    let rows = task(width);
    let parts = out.par_chunks_mut(rows * out_width).zip(x.par_chunks(rows * width));
    threads::pool().install(|| parts.try_for_each(each))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use crate::threads::on_any_budget;

    fn draws<const N: usize>(sizes: [usize; N]) -> [Vec<f64>; N] {
        std::array::from_fn(|i| {
            let mut x = vec![0.0; sizes[i]];
            Philox::new(5, i as u32).normal(&mut x);
            x
        })
    }

    #[test]
    fn sums_of_rows_are_in_the_one_order() {
        for (rows, width) in [(1, 1), (3, 9), (700, 130), (2, 9001)] {
            let [x, weights] = draws([rows * width, width]);
            let row = |i: usize| crate::sums::sum_by(width, |j| x[i * width + j] * weights[j]);
            let want: Vec<f64> = (0..rows).map(row).collect();
            assert_eq!(on_any_budget(|| weighted_sums(&x, &weights, &Job::default())), Ok(want.clone()));
            let row = |i: usize| crate::sums::sum_by(width, |j| x[i * width + j].abs());
            let sizes = (0..rows).map(row).collect();
            assert_eq!(on_any_budget(|| magnitudes(&x, width, &Job::default())), Ok(sizes));
            for cpu in Cpu::choices() {
                assert_eq!(weighted(cpu, &x[..width], &weights), want[0]);
                assert_eq!(magnitude(cpu, &x[..width]), magnitude(Cpu::BASELINE, &x[..width]));
            }
        }
        let bad = weighted_sums(&[1.0f32, f32::NAN, f32::INFINITY, 1.0], &[0.0, 0.0], &Job::default());
        assert!(bad.unwrap().iter().all(|sum| sum.is_nan()));
        assert_eq!(weighted_sums::<f32>(&[], &[], &Job::default()), Ok(vec![]));
    }

    #[test]
    fn every_item_is_scaled_by_its_column() {
        for (rows, width) in [(1, 1), (3, 9), (700, 130)] {
            let [x, scale] = draws([rows * width, width]);
            let want: Vec<f64> = x.iter().enumerate().map(|(i, x)| x.abs() * scale[i % width]).collect();
            assert_eq!(on_any_budget(|| scaled_magnitudes(&x, &scale, &Job::default())), Ok(want));
        }
        assert_eq!(scaled_magnitudes::<f32>(&[], &[], &Job::default()), Ok(vec![]));
    }

    #[test]
    fn kept_columns_stay_in_order() {
        for (rows, width) in [(1, 1), (3, 9), (700, 130), (4, 0)] {
            let x: Vec<usize> = (0..rows * width).collect();
            let mask: Vec<u8> = (0..width).map(|j| (j % 3 != 1).into()).collect();
            let want: Vec<usize> = x.iter().copied().filter(|i| mask[i % width] != 0).collect();
            assert_eq!(on_any_budget(|| keep_columns(&x, &mask, &Job::default())), Ok(want));
            assert_eq!(keep_columns(&x, &vec![0; width], &Job::default()), Ok(vec![]));
        }
    }

    #[test]
    fn one_item_that_is_not_finite_is_found_anywhere() {
        let mut x = vec![f32::MAX; 3 * tasks::TASK + 5];
        assert_eq!(on_any_budget(|| all_finite(&x, &Job::default())), Ok(true));
        for place in [0, tasks::TASK, x.len() - 1] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                x[place] = bad;
                assert_eq!(all_finite(&x, &Job::default()), Ok(false));
                x[place] = 0.0;
            }
        }
    }

    #[test]
    fn a_stopped_job_ends_them() {
        let job = Job::default();
        job.stop();
        assert_eq!(weighted_sums(&[1.0f32], &[1.0], &job), Err(Aborted));
        assert_eq!(keep_columns(&[1], &[1], &job), Err(Aborted));
    }
}
