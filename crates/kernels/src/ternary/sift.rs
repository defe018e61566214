//! Signs of the largest magnitudes in one pass over memory.
//!
//! A sample tells between which two magnitudes the cut lies ([`bracket`]). The pass makes the moments of the blocks of a task
//! (256 KiB of float32, which stay in the second cache), packs the signs of what is above both magnitudes and writes down
//! what is between. Then the cut is found among the few that are between, and the signs of those that it keeps are added.
//! What the sample cannot tell has no answer here; the answer depends on neither the sample nor the number of threads.
//! Memory beyond the signs: 24 bytes for each item between, about one in a hundred.

use super::{Signs, TernarizeError};
use crate::bits::{WORD, bytes_of, magnitude_masks};
use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::magnitude::{Cut, bracket};
use crate::moments::{self, Moments};
use crate::real::Real;
use crate::sums::BLOCK;
use crate::{tasks, threads};
use rayon::prelude::*;

/// What one pass finds of parts.
pub(super) struct Sifted<T: Real> {
    pub parts: Vec<Signs>,
    /// Signs that are not 0.
    pub nonzeros: u64,
    pub moments: Moments,
    pub cut: Cut<T>,
}

/// The signs of the `keep` largest magnitudes; `None` if a sample cannot tell where they are.
///
/// # Errors
/// As [`super::ternarize`].
pub(super) fn sift<T: Real>(
    parts: &[&[T]],
    keep: u64,
    job: &Job,
) -> Result<Option<Sifted<T>>, TernarizeError> {
    let Some(bounds) = bracket::bounds(parts, keep) else { return Ok(None) };
    let mut moments = Moments::default();
    let mut signs = Vec::with_capacity(parts.len());
    let mut tasks: Vec<Vec<Task>> = Vec::with_capacity(parts.len());
    for (part, x) in parts.iter().enumerate() {
        let mut own = Signs { positive: vec![0; bytes_of(x.len())], negative: vec![0; bytes_of(x.len())] };
        let found = each_task(x, &mut own, job, |x, signs| sift_task(x, bounds, signs))?;
        for task in &found {
            moments.add_blocks(&task.blocks).map_err(|_| TernarizeError::NotFinite { part })?;
        }
        if found.iter().any(|task| task.crowded) {
            return Ok(None);
        }
        signs.push(own);
        tasks.push(found);
    }
    let above: u64 = tasks.iter().flatten().map(|task| task.above).sum();
    let mut between = Vec::with_capacity(tasks.iter().flatten().map(|task| task.found.len()).sum());
    tasks.iter().flatten().for_each(|task| between.extend(task.found.iter().map(|found| found.rank())));
    let Some(cut) = bracket::cut_between(keep, above, &mut between) else { return Ok(None) };

    let (mut rest, threshold) = (cut.clone(), cut.threshold());
    let mut nonzeros = above;
    for ((x, own), found) in parts.iter().zip(&mut signs).zip(tasks) {
        let found: Vec<(Task, u64)> = found
            .into_iter()
            .map(|task| {
                let equal = task.found.iter().filter(|found| found.rank() == threshold).count();
                (task, rest.take(equal as u64))
            })
            .collect();
        let added = each_task(x, own, job, |_, signs| {
            let (task, equal) = &found[signs.task];
            task.add_kept(threshold, *equal, signs)
        })?;
        nonzeros += added.into_iter().sum::<u64>();
    }
    Ok(Some(Sifted { parts: signs, nonzeros, moments, cut }))
}

/// The signs of a task.
struct Place<'s> {
    task: usize,
    positive: &'s mut [u8],
    negative: &'s mut [u8],
}

/// What `work` makes of each task of a part and of its signs, in order and in parallel.
fn each_task<T: Real, R: Send>(
    x: &[T],
    signs: &mut Signs,
    job: &Job,
    work: impl Fn(&[T], Place) -> R + Sync,
) -> Result<Vec<R>, Aborted> {
    let bytes = tasks::TASK / 8;
    let one = |(task, (positive, negative)): (usize, (&mut [u8], &mut [u8]))| {
        job.check()?;
        let start = task * tasks::TASK;
        Ok(work(&x[start..x.len().min(start + tasks::TASK)], Place { task, positive, negative }))
    };
    let Signs { positive, negative } = signs;
    if x.len() <= tasks::TASK {
        return positive.chunks_mut(bytes).zip(negative.chunks_mut(bytes)).enumerate().map(one).collect();
    }
    threads::pool().install(|| {
        positive.par_chunks_mut(bytes).zip(negative.par_chunks_mut(bytes)).enumerate().map(one).collect()
    })
}

/// An item between the bounds.
#[derive(Clone, Copy)]
struct Found {
    /// Twice the rank, and 1 for a negative item.
    rank_and_sign: u64,
    /// Where in the task it is.
    place: u16,
}

impl Found {
    fn rank(self) -> u64 {
        self.rank_and_sign >> 1
    }

    fn is_negative(self) -> bool {
        self.rank_and_sign & 1 == 1
    }
}

/// What a task found.
#[derive(Default)]
struct Task {
    blocks: Vec<Moments>,
    /// Items above both bounds, whose signs are packed.
    above: u64,
    /// The items between, in order.
    found: Vec<Found>,
    /// More are between than the sample said.
    crowded: bool,
}

fn sift_task<T: Real>(x: &[T], bounds: [u64; 2], signs: Place) -> Task {
    let cpu = Cpu::current();
    let mut task = Task { blocks: Vec::with_capacity(x.len().div_ceil(BLOCK)), ..Task::default() };
    moments::of_blocks(cpu, x, &mut task.blocks);
    pack(cpu, &mut task, x, bounds, [signs.positive, signs.negative]);
    task
}

vectorized! {
    /// Packs the signs of the items that are above the bounds, and notes those between.
    fn pack<T: Real>(cpu: Cpu, task: &mut Task, x: &[T], bounds: [u64; 2], signs: [&mut [u8]; 2]) {
        let ([low, high], [positive, negative]) = (bounds, signs);
        let masks = positive.chunks_mut(WORD / 8).zip(negative.chunks_mut(WORD / 8));
        for ((i, items), (positive, negative)) in x.chunks(WORD).enumerate().zip(masks) {
            let (above, below_zero) = magnitude_masks(items, high + 1, cpu);
            let mut between = magnitude_masks(items, low, cpu).0 & !above;
            task.above += u64::from(above.count_ones());
            positive.copy_from_slice(&(above & !below_zero).to_le_bytes()[..positive.len()]);
            negative.copy_from_slice(&(above & below_zero).to_le_bytes()[..negative.len()]);
            while between != 0 {
                let place = between.trailing_zeros() as usize;
                let rank_and_sign = items[place].magnitude() << 1 | below_zero >> place & 1;
                task.found.push(Found { rank_and_sign, place: (i * WORD + place) as u16 });
                between &= between - 1;
            }
            if task.found.len() > bracket::CROWDED {
                task.crowded = true;
                return;
            }
        }
    }
}

impl Task {
    /// Adds the signs of those between that are above the threshold, and of the first `equal` at it; returns how many are not 0.
    fn add_kept(&self, threshold: u64, mut equal: u64, signs: Place) -> u64 {
        let mut nonzeros = 0;
        for found in &self.found {
            let rank = found.rank();
            let at_threshold = rank == threshold;
            let kept = rank > threshold || at_threshold && equal > 0;
            equal -= u64::from(at_threshold && kept);
            // A zero has no sign even where it is kept.
            let has_sign = kept && rank > 0;
            let place = usize::from(found.place);
            signs.positive[place / 8] |= u8::from(has_sign && !found.is_negative()) << (place % 8);
            signs.negative[place / 8] |= u8::from(has_sign && found.is_negative()) << (place % 8);
            nonzeros += u64::from(has_sign);
        }
        nonzeros
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scale, pack_signs, ternarize};
    use super::*;
    use crate::magnitude::select_parts;

    /// The signs by a pass for the cut and a pass of their own.
    fn twice<T: Real>(parts: &[&[T]], keep: u64) -> (Vec<Signs>, u64) {
        let job = Job::default();
        let mut cut = select_parts(parts, keep, &job).unwrap();
        let mut nonzeros = 0;
        let signs = parts.iter().map(|x| {
            let mut own =
                Signs { positive: vec![0; bytes_of(x.len())], negative: vec![0; bytes_of(x.len())] };
            nonzeros +=
                pack_signs(x, cut.part(x), &mut own.positive, &mut own.negative, &Job::default()).unwrap();
            own
        });
        (signs.collect(), nonzeros)
    }

    fn check<T: Real>(x: &[T], keep: u64) -> bool {
        let parts = [&x[..300_001], &x[..0], &x[300_001..]];
        let found = sift(&parts, keep, &Job::default()).unwrap();
        let Some(found) = found else { return false };
        let mut moments = Moments::default();
        parts.iter().for_each(|part| moments.add(part, &Job::default()).unwrap());
        assert_eq!(found.moments, moments);
        assert!((found.parts, found.nonzeros) == twice(&parts, keep), "{keep}");
        true
    }

    #[test]
    fn one_pass_finds_what_two_find() {
        let n = (1 << 20) + 4097;
        let mut x = vec![0.0f32; n];
        crate::philox::Philox::new(8, 0).uniform(0, &mut x);
        x.iter_mut().for_each(|x| *x -= 0.5);
        // Each magnitude many times, zeros among them.
        let few: Vec<f32> = x.iter().map(|x| (x * 900.0).trunc()).collect();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let mut answers = 0;
        for keep in [1, 100, n / 100, n / 20, n / 2, n - n / 1000, n - 1] {
            answers += usize::from(check(&x, keep as u64));
            answers += usize::from(check(&few, keep as u64));
            answers += usize::from(check(&wide, keep as u64));
        }
        assert!(answers >= 15, "{answers}");
    }

    #[test]
    fn what_is_not_finite_is_found_wherever_it_is() {
        let mut x = vec![0.0f32; 1 << 21];
        crate::philox::Philox::new(8, 0).uniform(0, &mut x);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            x[1_777_777] = bad;
            let parts = [&x[..1 << 20], &x[1 << 20..]];
            let got = ternarize(&parts, 0.05, Scale::Std(1.0), &Job::default());
            assert_eq!(got, Err(TernarizeError::NotFinite { part: 1 }));
        }
    }

    #[test]
    fn equal_magnitudes_have_no_bracket() {
        assert!(sift(&[&vec![1.0f32; 1 << 20]], 1000, &Job::default()).unwrap().is_none());
    }
}
