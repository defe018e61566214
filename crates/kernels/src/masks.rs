//! Which numbers each of several updates needs: masks of 0 and 1 against their merged update, and how many agree.
//!
//! Elementwise passes, in parallel; a piece of a tensor may be given in place of a whole one.

use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::merge::{UpdateError, check_finite};
use crate::real::{NotFinite, Real, Stopped};
use crate::tasks;
use std::borrow::Cow;

/// The sum of the updates, in their order and their precision.
///
/// # Errors
/// [`Stopped::NotFinite`] if a sum is not finite.
///
/// # Panics
/// If the lengths differ.
pub fn sum_updates<T: Real>(updates: &[&[T]], out: &mut [T], job: &Job) -> Result<(), Stopped> {
    assert!(updates.iter().all(|update| update.len() == out.len()), "updates must have one length");
    let cpu = Cpu::current();
    let tasks = tasks::fill(out, 1, job, |start, out| sum_task(cpu, updates, start, out))?;
    all_finite(tasks)
}

vectorized! {
    /// Fills a piece of the sum, and says whether it is finite.
    fn sum_task<T: Real>(cpu: Cpu, updates: &[&[T]], start: usize, out: &mut [T]) -> bool {
        out.fill(T::default());
        for update in updates {
            out.iter_mut().zip(&update[start..]).for_each(|(sum, &x)| *sum = *sum + x);
        }
        !out.iter().fold(false, |any, sum| any | sum.reaches(T::INFINITE))
    }
}

/// 1 where `|update| > lambda |merged - update|`: the difference in the numbers' precision, the product in float64.
/// Returns how many are 1.
///
/// # Errors
/// [`Stopped::NotFinite`] for a NaN or infinity in either.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use tamis_kernels::{job::Job, masks::task_mask};
/// let mut mask = [9; 3];
/// task_mask(&[1.0f32, 0.1, 0.0], &[1.5, 1.0, 0.0], 0.4, &mut mask, &Job::default()).unwrap();
/// assert_eq!(mask, [1, 0, 0]);
/// ```
pub fn task_mask<T: Real>(
    update: &[T],
    merged: &[T],
    lambda: f64,
    mask: &mut [u8],
    job: &Job,
) -> Result<u64, Stopped> {
    assert!(update.len() == mask.len() && merged.len() == mask.len(), "lengths must agree");
    let cpu = Cpu::current();
    let tasks =
        tasks::fill(mask, 1, job, |start, mask| mask_task(cpu, [update, merged], start, lambda, mask))?;
    let (ones, finite): (Vec<u64>, Vec<bool>) = tasks.into_iter().unzip();
    all_finite(finite)?;
    Ok(ones.into_iter().sum())
}

vectorized! {
    /// Fills a piece of a mask; how many are 1, and whether all that was read is finite.
    fn mask_task<T: Real>(cpu: Cpu, from: [&[T]; 2], start: usize, lambda: f64, mask: &mut [u8]) -> (u64, bool) {
        let (mut ones, mut infinite) = (0, false);
        for ((item, &x), &sum) in mask.iter_mut().zip(&from[0][start..]).zip(&from[1][start..]) {
            let used = x.to_f64().abs() > lambda * (sum - x).to_f64().abs();
            *item = u8::from(used);
            ones += u64::from(used);
            infinite |= x.reaches(T::INFINITE) | sum.reaches(T::INFINITE);
        }
        (ones, !infinite)
    }
}

/// The mask of each part of an update, a byte of 0 or 1 an item.
pub type PartMasks = Vec<Vec<u8>>;

/// The masks of several updates that are in memory, each of the same parts, and how many items of each update's are 1.
/// `merged` is what they are compared with: their sum, or what is given.
///
/// # Errors
/// [`UpdateError::NotFinite`] for a NaN or infinity in an update; of one in `merged`, or in the sum, the update's number
/// is that of the updates.
///
/// # Panics
/// If the updates and lambdas differ in number, or the parts in length.
pub fn task_masks<T: Real>(
    updates: &[Vec<&[T]>],
    merged: Option<&[&[T]]>,
    lambdas: &[f64],
    job: &Job,
) -> Result<(Vec<PartMasks>, Vec<u64>), UpdateError> {
    assert_eq!(lambdas.len(), updates.len(), "a lambda for each update");
    check_finite(updates, job)?;
    let parts = updates.first().map_or(0, Vec::len);
    let mut masks = vec![Vec::with_capacity(parts); updates.len()];
    let mut ones = vec![0; updates.len()];
    for part in 0..parts {
        let stopped = |stopped: Stopped| match stopped {
            Stopped::NotFinite => UpdateError::NotFinite { update: updates.len(), part },
            Stopped::Aborted => UpdateError::Aborted,
        };
        let sum = merged_part(updates, merged, part, job).map_err(stopped)?;
        for (t, update) in updates.iter().enumerate() {
            let mut mask = vec![0; sum.len()];
            ones[t] += task_mask(update[part], &sum, lambdas[t], &mut mask, job).map_err(stopped)?;
            masks[t].push(mask);
        }
    }
    Ok((masks, ones))
}

/// A part of what was given, or of the sum.
fn merged_part<'a, T: Real>(
    updates: &[Vec<&[T]>],
    merged: Option<&[&'a [T]]>,
    part: usize,
    job: &Job,
) -> Result<Cow<'a, [T]>, Stopped> {
    if let Some(merged) = merged {
        return Ok(Cow::Borrowed(merged[part]));
    }
    let slices: Vec<&[T]> = updates.iter().map(|update| update[part]).collect();
    let mut sum = vec![T::default(); updates[0][part].len()];
    sum_updates(&slices, &mut sum, job)?;
    Ok(Cow::Owned(sum))
}

/// What several updates that are in memory come to where the mask is 1: `merged`, or their sum.
///
/// # Errors
/// As of [`task_masks`].
///
/// # Panics
/// If the numbers of parts or their lengths differ.
pub fn merge_masked<T: Real>(
    updates: &[Vec<&[T]>],
    merged: Option<&[&[T]]>,
    mask: &[Vec<u8>],
    job: &Job,
) -> Result<Vec<Vec<f32>>, UpdateError> {
    check_finite(updates, job)?;
    if let Some(merged) = merged {
        check_finite(&[merged.to_vec()], job).map_err(|error| match error {
            UpdateError::NotFinite { part, .. } => UpdateError::NotFinite { update: updates.len(), part },
            UpdateError::Aborted => UpdateError::Aborted,
        })?;
    }
    let one = |(part, mask): (usize, &Vec<u8>)| {
        let sum = merged_part(updates, merged, part, job).map_err(|stopped| match stopped {
            Stopped::NotFinite => UpdateError::NotFinite { update: updates.len(), part },
            Stopped::Aborted => UpdateError::Aborted,
        })?;
        let mut out = vec![0.0; mask.len()];
        apply_mask(mask, &sum, &mut out, job)?;
        Ok(out)
    };
    mask.iter().enumerate().map(one).collect()
}

fn all_finite(tasks: Vec<bool>) -> Result<(), Stopped> {
    if tasks.into_iter().all(|all| all) { Ok(()) } else { Err(NotFinite.into()) }
}

/// Why masks cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskError {
    /// This mask holds something else than 0 and 1.
    NotMask {
        mask: usize,
    },
    Aborted,
}

impl From<Aborted> for MaskError {
    fn from(_: Aborted) -> Self {
        MaskError::Aborted
    }
}

/// 1 where at least `agree` of the masks are 1. Adds to `histogram[c]` how many items c masks are 1 of, and returns how
/// many of the result are 1.
///
/// # Panics
/// If the lengths differ, or the histogram has not one place more than there are masks.
///
/// ```
/// use tamis_kernels::{job::Job, masks::agreement};
/// let (mut mask, mut histogram) = ([9; 2], [0; 3]);
/// agreement(&[&[1, 1], &[0, 1]], 2, &mut mask, &mut histogram, &Job::default()).unwrap();
/// assert_eq!((mask, histogram), ([0, 1], [0, 1, 1]));
/// ```
pub fn agreement(
    masks: &[&[u8]],
    agree: u64,
    mask: &mut [u8],
    histogram: &mut [u64],
    job: &Job,
) -> Result<u64, MaskError> {
    assert!(masks.iter().all(|other| other.len() == mask.len()), "masks must have one length");
    assert_eq!(histogram.len(), masks.len() + 1, "one place for each count from 0 on");
    const BLOCK: usize = 1024;
    let tasks = tasks::fill(mask, 1, job, |start, mask| {
        let mut counted = vec![0; masks.len() + 1];
        let mut bad = None;
        for (i, block) in mask.chunks_mut(BLOCK).enumerate() {
            let at = start + i * BLOCK;
            let mut counts = [0u32; BLOCK];
            for (t, mask) in masks.iter().enumerate() {
                let items = &mask[at..at + block.len()];
                counts.iter_mut().zip(items).for_each(|(count, item)| *count += u32::from(item & 1));
                if items.iter().fold(0, |any, item| any | item) > 1 {
                    bad = bad.or(Some(t));
                }
            }
            for (item, count) in block.iter_mut().zip(counts) {
                *item = u8::from(u64::from(count) >= agree);
                counted[count as usize] += 1;
            }
        }
        (counted, bad)
    })?;
    let mut ones = 0;
    for (counted, bad) in tasks {
        if let Some(mask) = bad {
            return Err(MaskError::NotMask { mask });
        }
        for (c, (sum, n)) in histogram.iter_mut().zip(counted).enumerate() {
            *sum += n;
            ones += if c as u64 >= agree { n } else { 0 };
        }
    }
    Ok(ones)
}

/// The numbers where the mask is not 0, and 0 elsewhere, in float32.
///
/// # Panics
/// If the lengths differ.
pub fn apply_mask<T: Real>(mask: &[u8], x: &[T], out: &mut [f32], job: &Job) -> Result<(), Aborted> {
    assert!(mask.len() == out.len() && x.len() == out.len(), "lengths must agree");
    tasks::fill(out, 1, job, |start, out| {
        for ((out, x), mask) in out.iter_mut().zip(&x[start..]).zip(&mask[start..]) {
            *out = if *mask == 0 { 0.0 } else { x.to_f64() as f32 };
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_number_or_mask_is_told() {
        let job = Job::default();
        let mut out = [0.0f32];
        assert_eq!(sum_updates(&[&[f32::MAX], &[f32::MAX]], &mut out, &job), Err(Stopped::NotFinite));
        let mut mask = [0];
        assert_eq!(task_mask(&[f32::NAN], &[1.0], 0.4, &mut mask, &job), Err(Stopped::NotFinite));
        assert_eq!(task_mask(&[1.0], &[f32::INFINITY], 0.4, &mut mask, &job), Err(Stopped::NotFinite));
        let mut histogram = [0; 3];
        let bad = agreement(&[&[1], &[2]], 1, &mut mask, &mut histogram, &job);
        assert_eq!(bad, Err(MaskError::NotMask { mask: 1 }));
    }

    #[test]
    fn updates_in_memory_go_part_by_part() {
        let job = Job::default();
        let (a, b) = ([1.0f32, 0.1, 0.0], [0.5f32, 0.9, 0.0]);
        let updates = [vec![&a[..1], &a[1..]], vec![&b[..1], &b[1..]]];
        let (masks, ones) = task_masks(&updates, None, &[0.4, 0.4], &job).unwrap();
        assert_eq!((masks, ones), (vec![vec![vec![1], vec![0, 0]], vec![vec![1], vec![1, 0]]], vec![1, 2]));
        let merged = [&a[..1], &a[1..]];
        let (masks, ones) = task_masks(&updates[..1], Some(&merged), &[0.4], &job).unwrap();
        assert_eq!((masks, ones), (vec![vec![vec![1], vec![1, 0]]], vec![2]));
        let mask = [vec![1], vec![0, 1]];
        assert_eq!(merge_masked(&updates, None, &mask, &job), Ok(vec![vec![1.5], vec![0.0, 0.0]]));
        assert_eq!(
            merge_masked(&updates, Some(&merged), &[vec![0], vec![1, 1]], &job),
            Ok(vec![vec![0.0], vec![0.1, 0.0]])
        );
        let bad = [f32::NAN];
        let (first, last) = (vec![&a[..1]], vec![&bad[..]]);
        let wrong = |update| UpdateError::NotFinite { update, part: 0 };
        assert_eq!(task_masks(&[first.clone(), last.clone()], None, &[0.4; 2], &job).unwrap_err(), wrong(1));
        assert_eq!(
            task_masks(std::slice::from_ref(&first), Some(&last), &[0.4], &job).unwrap_err(),
            wrong(1)
        );
        assert_eq!(merge_masked(&[first], Some(&last), &[vec![1]], &job).unwrap_err(), wrong(1));
    }

    #[test]
    fn long_masks_are_the_same_for_any_number_of_threads() {
        let n = 3 * tasks::TASK + 4097;
        let draw = |seed: u64| {
            let mut x = vec![0.0f32; n];
            crate::philox::Philox::new(seed, 0).uniform(0, &mut x);
            x.iter_mut().for_each(|x| *x -= 0.5);
            x
        };
        let updates = [draw(0), draw(1), draw(2)];
        let slices: Vec<&[f32]> = updates.iter().map(Vec::as_slice).collect();
        let mut before = None;
        for threads in [1, 2, 7] {
            let pool = crate::threads::Budget::of(threads);
            let got = pool.install(|| {
                let job = Job::default();
                let mut sum = vec![9.0; n];
                sum_updates(&slices, &mut sum, &job).unwrap();
                let mut masks = vec![vec![9; n]; 3];
                let ones: Vec<u64> = slices
                    .iter()
                    .zip(&mut masks)
                    .map(|(x, mask)| task_mask(x, &sum, 0.4, mask, &job).unwrap())
                    .collect();
                let views: Vec<&[u8]> = masks.iter().map(Vec::as_slice).collect();
                let (mut mask, mut histogram) = (vec![9; n], vec![0; 4]);
                let kept = agreement(&views, 2, &mut mask, &mut histogram, &job).unwrap();
                let mut merged = vec![9.0; n];
                apply_mask(&mask, &sum, &mut merged, &job).unwrap();
                (sum, masks, ones, mask, histogram, kept, merged)
            });
            assert!(before.is_none_or(|before| before == got));
            before = Some(got);
        }
        let (sum, masks, ones, mask, histogram, kept, merged) = before.unwrap();
        for i in 0..n {
            assert_eq!(sum[i], updates[0][i] + updates[1][i] + updates[2][i]);
            let used =
                |t: usize| f64::from(updates[t][i]).abs() > 0.4 * f64::from(sum[i] - updates[t][i]).abs();
            let count = (0..3).filter(|&t| used(t)).count();
            assert!((0..3).all(|t| masks[t][i] == u8::from(used(t))) && mask[i] == u8::from(count >= 2));
            assert_eq!(merged[i], if count >= 2 { sum[i] } else { 0.0 });
        }
        for (mask, ones) in masks.iter().zip(ones) {
            assert_eq!(mask.iter().map(|&item| u64::from(item)).sum::<u64>(), ones);
        }
        assert_eq!(histogram.iter().sum::<u64>(), n as u64);
        assert_eq!(histogram[2] + histogram[3], kept);
    }

    proptest! {
        #[test]
        fn counts_match_the_definition(
            rows in proptest::collection::vec(proptest::collection::vec(0u8..2, 4), 0..3000), agree in 0u64..7
        ) {
            let column = |t: usize| rows.iter().map(|row| row[t]).collect::<Vec<u8>>();
            let masks = [column(0), column(1), column(2), column(3)];
            let views: Vec<&[u8]> = masks.iter().map(Vec::as_slice).collect();
            let (mut mask, mut histogram) = (vec![9; rows.len()], vec![0; 5]);
            let kept = agreement(&views, agree, &mut mask, &mut histogram, &Job::default()).unwrap();
            let counts: Vec<u64> = rows.iter().map(|row| row.iter().map(|&item| u64::from(item)).sum()).collect();
            prop_assert!(counts.iter().zip(&mask).all(|(&count, &item)| item == u8::from(count >= agree)));
            prop_assert_eq!(kept, mask.iter().filter(|&&item| item == 1).count() as u64);
            for c in 0..5 {
                prop_assert_eq!(histogram[c as usize], counts.iter().filter(|&&count| count == c).count() as u64);
            }
        }
    }
}
