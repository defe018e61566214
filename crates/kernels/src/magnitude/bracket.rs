//! The cut between the largest magnitudes and the others in one pass: a sample tells two magnitudes between which it
//! lies with near certainty; those above both are counted, those between are collected, and the cut is found in them.
//!
//! Where the sample was no picture of the numbers there is no answer: the caller has another way. The answer depends on
//! neither the sample nor the number of threads.

use super::Cut;
use crate::bits::{WORD, magnitude_masks};
use crate::cpu::{Cpu, vectorized};
use crate::job::Job;
use crate::real::{NotFinite, Real, Stopped};
use crate::tasks;

/// Items of the sample.
const SAMPLE: usize = 1 << 16;
/// Items that are worth a sample.
const LONG: usize = 1 << 20;

/// The cut that keeps the `keep` largest magnitudes; `None` if a sample cannot tell.
///
/// # Errors
/// [`Stopped::NotFinite`] for a NaN or infinity.
pub(super) fn select<T: Real>(parts: &[&[T]], keep: u64, job: &Job) -> Result<Option<Cut<T>>, Stopped> {
    let Some([low, high]) = bounds(parts, keep) else { return Ok(None) };
    let cpu = Cpu::current();
    let (mut above, mut between): (u64, Vec<u64>) = (0, Vec::new());
    for part in parts {
        for task in tasks::each(part.len(), job, |range| look(cpu, &part[range], low, high))? {
            if !task.finite {
                return Err(NotFinite.into());
            }
            let Some(found) = task.between else { return Ok(None) };
            above += task.above;
            between.extend(found);
        }
    }
    Ok(cut_between(keep, above, &mut between))
}

/// The cut, if it lies among these ranks, with so many items above them; reorders them.
pub(crate) fn cut_between<T: Real>(keep: u64, above: u64, between: &mut [u64]) -> Option<Cut<T>> {
    if keep <= above || keep - above > between.len() as u64 {
        return None;
    }
    let wanted = (keep - above) as usize;
    let (better, &mut threshold, _) = between.select_nth_unstable_by(wanted - 1, |a, b| b.cmp(a));
    let better = better.iter().filter(|&&rank| rank > threshold).count();
    let equal = between.iter().filter(|&&rank| rank == threshold).count();
    Some(Cut::new(threshold, (wanted - better) as u64, equal as u64))
}

/// The ranks of two magnitudes, the lower first: near certainly the smallest that is kept is not below the first and not above the
/// second, and not many items lie between.
///
/// `None` for few items, and where a sample tells nothing.
pub(crate) fn bounds<T: Real>(parts: &[&[T]], keep: u64) -> Option<[u64; 2]> {
    let n: usize = parts.iter().map(|part| part.len()).sum();
    if n < LONG {
        return None;
    }
    let share = keep as f64 / n as f64;
    let step = n / SAMPLE;
    let mut sample = Vec::with_capacity(SAMPLE);
    let (mut part, mut before) = (0, 0);
    for i in 0..SAMPLE {
        // Places that no period of the data follows.
        let place = i * step + (i.wrapping_mul(0x9e37_79b9) >> 7) % step;
        while place - before >= parts[part].len() {
            before += parts[part].len();
            part += 1;
        }
        sample.push(parts[part][place - before].magnitude());
    }
    if sample.iter().any(|&rank| rank >= T::INFINITE) {
        return None;
    }
    sample.sort_unstable_by(|a, b| b.cmp(a));
    let expected = SAMPLE as f64 * share;
    // Five standard deviations of how many of the sample are kept.
    let spread = 5.0 * (expected * (1.0 - share)).sqrt() + 8.0;
    let at = |place: f64| sample[(place as usize).min(SAMPLE - 1)];
    let low = if expected + spread < SAMPLE as f64 { at(expected + spread) } else { 0 };
    let high = at((expected - spread).max(0.0));
    let inside = sample.iter().filter(|x| (low..=high).contains(x)).count();
    (inside as f64 <= 4.0 * spread).then_some([low, high])
}

/// Ranks between the bounds that a task may have before the sample counts as wrong.
pub(crate) const CROWDED: usize = tasks::TASK / 4;

/// What a task found.
struct Found {
    /// Items above both bounds.
    above: u64,
    /// Magnitudes not below the lower and not above the higher; `None`: too many.
    between: Option<Vec<u64>>,
    finite: bool,
}

vectorized! {
    fn look<T: Real>(cpu: Cpu, x: &[T], low: u64, high: u64) -> Found {
        let (mut above, mut finite) = (0, true);
        let mut between = Vec::new();
        for group in x.chunks(WORD) {
            let least = |rank: u64| magnitude_masks(group, rank, cpu).0;
            let more = least(high + 1);
            above += u64::from(more.count_ones());
            finite &= least(T::INFINITE) == 0;
            let mut left = least(low) & !more;
            while left != 0 {
                between.push(group[left.trailing_zeros() as usize].magnitude());
                left &= left - 1;
            }
            if between.len() > CROWDED {
                return Found { above, between: None, finite: true };
            }
        }
        Found { above, between: Some(between), finite }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MagnitudeSelect;
    use super::*;

    fn by_histogram(parts: &[&[f32]], keep: u64) -> Cut<f32> {
        let mut select = MagnitudeSelect::new(keep);
        loop {
            parts.iter().for_each(|part| select.add(part, &Job::default()).unwrap());
            if !select.next_pass() {
                return select.cut();
            }
        }
    }

    fn state(cut: Cut<f32>) -> String {
        format!("{cut:?}")
    }

    #[test]
    fn a_bracket_is_right_or_none() {
        let n = LONG + 4097;
        let mut x = vec![0.0f32; n];
        crate::philox::Philox::new(8, 0).uniform(0, &mut x);
        x.iter_mut().for_each(|x| *x -= 0.5);
        let few: Vec<f32> = x.iter().map(|x| (x * 900.0).floor()).collect();
        let ascending: Vec<f32> = (0..n).map(|i| i as f32).collect();
        for row in [&x, &few, &ascending] {
            let parts = [&row[..0], &row[..300_001], &row[300_001..]];
            for keep in [1, 100, n / 100, n / 5, n - 1, n] {
                let got = select(&parts, keep as u64, &Job::default()).unwrap();
                assert!(
                    got.is_none_or(|got| state(got) == state(by_histogram(&parts, keep as u64))),
                    "{keep}"
                );
            }
        }
        assert!(select(&[&x], n as u64 / 5, &Job::default()).unwrap().is_some());
        assert!(select(&[&few], n as u64 / 5, &Job::default()).unwrap().is_some());
    }

    #[test]
    fn equal_magnitudes_and_bad_numbers_are_not_guessed() {
        let mut x = vec![1.0f32; LONG];
        assert!(select(&[&x], 1000, &Job::default()).unwrap().is_none());
        crate::philox::Philox::new(8, 0).uniform(0, &mut x);
        for bad in [f32::NAN, f32::INFINITY] {
            x[777_777] = bad;
            let got = select(&[&x], 1000, &Job::default());
            assert!(matches!(got, Err(Stopped::NotFinite) | Ok(None)));
            assert_eq!(
                super::super::select_parts(&[&x], 1000, &Job::default()).unwrap_err(),
                Stopped::NotFinite
            );
        }
    }
}
