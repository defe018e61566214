//! Sums and differences of numbers that lie side by side, rounded to float32.
//!
//! One pass over each input, in parallel; nothing depends on the threads.

use crate::cpu::{Cpu, vectorized};
use crate::job::Job;
use crate::magnitude::all_finite;
use crate::real::{NotFinite, Real, Stopped};
use crate::tasks;

/// Numbers that are summed at once: of each input a few cache lines.
const BLOCK: usize = 256;

/// `model - base`.
///
/// # Errors
/// [`Stopped::NotFinite`] if a difference is not finite in float32.
///
/// # Panics
/// If the lengths differ.
pub fn subtract<T: Real>(model: &[T], base: &[T], out: &mut [f32], job: &Job) -> Result<(), Stopped> {
    assert!(model.len() == out.len() && base.len() == out.len(), "lengths must agree");
    finite(out, job, |cpu, start, out| difference(cpu, &model[start..], &base[start..], out))
}

/// `base + lambda update`; in float32 for float32.
///
/// # Errors
/// [`Stopped::NotFinite`] if a sum is not finite in float32.
///
/// # Panics
/// If the lengths differ.
pub fn add_scaled<T: Real>(
    base: &[T],
    update: &[T],
    lambda: f64,
    out: &mut [f32],
    job: &Job,
) -> Result<(), Stopped> {
    assert!(base.len() == out.len() && update.len() == out.len(), "lengths must agree");
    let lambda = T::from_f64(lambda);
    finite(out, job, |cpu, start, out| scaled_sum(cpu, [&base[start..], &update[start..]], lambda, out))
}

/// The sum of the updates times their weights.
///
/// # Errors
/// [`Stopped::NotFinite`] if a sum is not finite in float32.
///
/// # Panics
/// If there are not as many weights as updates, or the lengths differ.
///
/// ```
/// use tamis_kernels::{elementwise::weighted_sum, job::Job};
/// let mut sum = [0.0];
/// weighted_sum(&[&[1.0f32], &[4.0]], &[2.0, 0.5], &mut sum, &Job::default()).unwrap();
/// assert_eq!(sum, [4.0]);
/// ```
pub fn weighted_sum<T: Real>(
    updates: &[&[T]],
    weights: &[f64],
    out: &mut [f32],
    job: &Job,
) -> Result<(), Stopped> {
    assert_eq!(weights.len(), updates.len(), "a weight for each update");
    assert!(updates.iter().all(|update| update.len() == out.len()), "updates must have one length");
    finite(out, job, |cpu, start, out| weighted_task(cpu, updates, weights, start, out))
}

vectorized! {
    fn difference<T: Real>(cpu: Cpu, model: &[T], base: &[T], out: &mut [f32]) {
        for ((out, &x), &below) in out.iter_mut().zip(model).zip(base) {
            *out = (x - below).to_f64() as f32;
        }
    }
}

vectorized! {
    fn scaled_sum<T: Real>(cpu: Cpu, terms: [&[T]; 2], lambda: T, out: &mut [f32]) {
        for ((out, &x), &y) in out.iter_mut().zip(terms[0]).zip(terms[1]) {
            *out = (x + lambda * y).to_f64() as f32;
        }
    }
}

vectorized! {
    fn weighted_task<T: Real>(cpu: Cpu, updates: &[&[T]], weights: &[f64], start: usize, out: &mut [f32]) {
        for (i, out) in out.chunks_mut(BLOCK).enumerate() {
            let mut sums = [0.0; BLOCK];
            for (update, &weight) in updates.iter().zip(weights) {
                for (sum, &x) in sums.iter_mut().zip(&update[start + i * BLOCK..][..out.len()]) {
                    *sum += weight * x.to_f64();
                }
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32);
        }
    }
}

/// Takes `base` from what lies in its place.
///
/// # Panics
/// If the lengths differ.
pub fn take_from(x: &mut [f32], base: &[f32]) {
    assert_eq!(x.len(), base.len(), "lengths must agree");
    take_task(Cpu::current(), x, base);
}

vectorized! {
    fn take_task(cpu: Cpu, x: &mut [f32], base: &[f32]) {
        x.iter_mut().zip(base).for_each(|(x, base)| *x -= base);
    }
}

/// Fills `out` a piece at a time and sees to it that it is finite.
fn finite(out: &mut [f32], job: &Job, piece: impl Fn(Cpu, usize, &mut [f32]) + Sync) -> Result<(), Stopped> {
    let cpu = Cpu::current();
    let tasks = tasks::fill(out, 1, job, |start, out| {
        piece(cpu, start, out);
        all_finite(cpu, out)
    })?;
    if tasks.into_iter().all(|all| all) { Ok(()) } else { Err(NotFinite.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_told() {
        let job = Job::default();
        let mut out = [0.0; 1];
        assert_eq!(subtract(&[f32::MAX], &[-f32::MAX], &mut out, &job), Err(Stopped::NotFinite));
        assert_eq!(add_scaled(&[1.0f32], &[f32::NAN], 1.0, &mut out, &job), Err(Stopped::NotFinite));
        assert_eq!(weighted_sum(&[&[f32::MAX][..]], &[2.0], &mut out, &job), Err(Stopped::NotFinite));
        assert_eq!(add_scaled(&[1.0f64], &[2.0], 0.5, &mut out, &job), Ok(()));
        assert_eq!(out, [2.0]);
    }
}
