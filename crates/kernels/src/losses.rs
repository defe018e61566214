//! Losses of classifiers over large vocabularies, from their logits, and what a second set of losses takes from them.
//!
//! The loss of a row is `-ln softmax(row)[label]`, in float64 with the row's largest logit subtracted. Rows are read
//! twice while they are in the cache, side by side on the shared pool; each is summed in a fixed order, so the bits do not
//! depend on the threads. O(rows * classes), no memory beyond a row a thread for half types.

use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::{sums, tasks, threads};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

/// The label of a row that has no loss.
pub const IGNORED: u32 = u32::MAX;

/// Partial maxima and sums of a row: item i goes to lane i mod 32.
const LANES: usize = 32;

/// A type of logits.
pub trait Logit: Copy + Send + Sync {
    /// What they are computed from.
    type Wide: Real;
    /// The row in that type: itself, or the buffer.
    fn widen<'a>(row: &'a [Self], buffer: &'a mut Vec<Self::Wide>) -> &'a [Self::Wide];
}

macro_rules! wide_logits {
    ($($t:ty)*) => {$(
        impl Logit for $t {
            type Wide = $t;
            fn widen<'a>(row: &'a [$t], _: &'a mut Vec<$t>) -> &'a [$t] {
                row
            }
        }
    )*};
}

macro_rules! half_logits {
    ($($t:ty)*) => {$(
        impl Logit for $t {
            type Wide = f32;
            fn widen<'a>(row: &'a [$t], buffer: &'a mut Vec<f32>) -> &'a [f32] {
                buffer.resize(row.len(), 0.0);
                row.convert_to_f32_slice(buffer);
                buffer
            }
        }
    )*};
}

wide_logits!(f32 f64);
half_logits!(f16 bf16);

/// Why there are no losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossError {
    /// The label of this row is no class.
    Label {
        row: usize,
    },
    /// A logit of this row is not what it may be.
    NotFinite {
        row: usize,
    },
    Aborted,
}

impl From<Aborted> for LossError {
    fn from(_: Aborted) -> Self {
        LossError::Aborted
    }
}

/// The loss of each row of `classes` logits, 0 where the label is [`IGNORED`].
///
/// A logit may be -Infinity (a class that cannot be; as a label's its loss is Infinity) unless all must be `finite`;
/// NaN, Infinity and a row of nothing but -Infinity are refused. Ignored rows are read only if all must be finite.
///
/// # Errors
/// [`LossError`], of the first such row: labels before logits.
///
/// # Panics
/// If there is not one label a row.
///
/// ```
/// use tamis_kernels::{job::Job, losses::token_losses};
/// let losses = token_losses(&[0.0f32, 0.0, 9.0, 9.0], 2, &[1, 0], true, &Job::default());
/// assert_eq!(losses, Ok(vec![2f64.ln(), 2f64.ln()]));
/// ```
pub fn token_losses<T: Logit>(
    logits: &[T],
    classes: usize,
    labels: &[u32],
    finite: bool,
    job: &Job,
) -> Result<Vec<f64>, LossError> {
    assert_eq!(logits.len(), labels.len() * classes, "one label a row");
    if let Some(row) = labels.iter().position(|&label| label != IGNORED && label as usize >= classes) {
        return Err(LossError::Label { row });
    }
    let mut losses = vec![0.0; labels.len()];
    if classes == 0 {
        return Ok(losses);
    }
    let cpu = Cpu::current();
    let rows = (tasks::TASK / classes).max(1);
    let task = |((logits, labels), losses): ((&[T], &[u32]), &mut [f64])| {
        job.check()?;
        let mut buffer = Vec::new();
        for ((row, &label), loss) in logits.chunks_exact(classes).zip(labels).zip(losses) {
            if label == IGNORED && !finite {
                continue;
            }
            let row = T::widen(row, &mut buffer);
            let (most, least, sum) = exponentials(cpu, row);
            // NaN stands for a row that is refused.
            let bad = sum.is_nan() || (finite && least == f64::NEG_INFINITY);
            *loss = match label {
                _ if bad => f64::NAN,
                IGNORED => 0.0,
                label => (most - row[label as usize].to_f64()) + libm::log(sum),
            };
        }
        Ok::<(), Aborted>(())
    };
    if labels.len() <= rows {
        task(((logits, labels), &mut losses))?;
    } else {
        let parts = logits.par_chunks(rows * classes).zip(labels.par_chunks(rows));
        let parts = parts.zip(losses.par_chunks_mut(rows));
        threads::pool().install(|| parts.try_for_each(task))?;
    }
    match losses.iter().position(|loss| loss.is_nan()) {
        Some(row) => Err(LossError::NotFinite { row }),
        None => Ok(losses),
    }
}

vectorized! {
    /// The largest and the least item, and the sum of `exp(item - largest)`: NaN if an item is NaN or Infinity, or if
    /// all are -Infinity.
    fn exponentials<T: Real>(cpu: Cpu, row: &[T]) -> (f64, f64, f64) {
        let (blocks, rest) = row.as_chunks::<LANES>();
        let first = row[0];
        let (mut most, mut least) = ([first; LANES], [first; LANES]);
        for block in blocks {
            for i in 0..LANES {
                most[i] = if block[i] > most[i] { block[i] } else { most[i] };
                least[i] = if block[i] < least[i] { block[i] } else { least[i] };
            }
        }
        let both = |most: T, least: T, x: T| (if x > most { x } else { most }, if x < least { x } else { least });
        let lanes = most.iter().chain(&least).chain(rest);
        let (most, least) = lanes.fold((first, first), |(most, least), &x| both(most, least, x));
        let top = most.to_f64();
        let mut sums = [0.0; LANES];
        for block in blocks {
            for i in 0..LANES {
                sums[i] += exp_of_negative(block[i].to_f64() - top);
            }
        }
        for (sum, x) in sums.iter_mut().zip(rest) {
            *sum += exp_of_negative(x.to_f64() - top);
        }
        let (eights, _) = sums.as_chunks::<{ sums::LANES }>();
        (top, least.to_f64(), eights.iter().fold(0.0, |sum, &lanes| sum + sums::join(lanes)))
    }
}

/// `e^x` for x <= 0 to 1e-15 of itself, without a branch or a call; what is below e^-708 is that. NaN stays NaN.
#[inline(always)]
fn exp_of_negative(x: f64) -> f64 {
    /// Added and taken away, it rounds to an integer, which lies in the last bits of the sum.
    const ROUND: f64 = 1.5 * (1u64 << 52) as f64;
    /// ln 2 in two parts, of which the first has zeros for the products' bits.
    const LN2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    // Comparing this way round lets NaN through.
    let x = if x < -708.0 { -708.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN2[0]) - k * LN2[1];
    // The Taylor series: |r| is at most ln 2 / 2, and 1/13! of its 13th power is 2e-16.
    let mut sum = 1.0 / 479_001_600.0;
    for factorial in
        [39_916_800.0, 3_628_800.0, 362_880.0, 40_320.0, 5_040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0]
    {
        sum = sum * r + 1.0 / factorial;
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1f64.to_bits()));
    sum * power
}

/// The mean of each `width` losses over those whose label is not [`IGNORED`], as float32.
///
/// # Errors
/// The number of the first sequence without one.
///
/// # Panics
/// If there are not whole sequences.
///
/// ```
/// use tamis_kernels::losses::{IGNORED, mean_losses};
/// assert_eq!(mean_losses(&[1.0, 2.0, 3.0, 0.0], &[0, 0, 0, IGNORED], 2), Ok(vec![1.5, 3.0]));
/// ```
pub fn mean_losses(losses: &[f64], labels: &[u32], width: usize) -> Result<Vec<f32>, usize> {
    assert!(
        losses.len() == labels.len() && width > 0 && losses.len().is_multiple_of(width),
        "whole sequences"
    );
    let sequences = losses.chunks_exact(width).zip(labels.chunks_exact(width)).enumerate();
    sequences
        .map(|(i, (losses, labels))| match labels.iter().filter(|&&label| label != IGNORED).count() {
            0 => Err(i),
            active => Ok((sums::sum_f64(losses) / active as f64) as f32),
        })
        .collect()
}

/// `before - after` in float32. O(n), in parallel.
///
/// # Errors
/// The first place where a loss is NaN or -Infinity, or both are Infinity.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use tamis_kernels::{job::Job, losses::reductions};
/// assert_eq!(reductions(&[3.0, 1.0], &[1.0, f32::INFINITY], &Job::default()), Ok(Ok(vec![2.0, f32::NEG_INFINITY])));
/// ```
pub fn reductions(before: &[f32], after: &[f32], job: &Job) -> Result<Result<Vec<f32>, usize>, Aborted> {
    assert_eq!(before.len(), after.len(), "as many losses after as before");
    let mut out = vec![0.0; before.len()];
    let is_wrong = |(before, after): (&f32, &f32)| {
        let numbers = *before > f32::NEG_INFINITY && *after > f32::NEG_INFINITY;
        !numbers || (before - after).is_nan()
    };
    let wrong = tasks::fill(&mut out, 1, job, |start, out| {
        let (before, after) = (&before[start..][..out.len()], &after[start..][..out.len()]);
        let mut wrong = false;
        for ((out, before), after) in out.iter_mut().zip(before).zip(after) {
            *out = before - after;
            wrong |= is_wrong((before, after));
        }
        wrong.then(|| start + before.iter().zip(after).position(is_wrong).unwrap_or_default())
    })?;
    Ok(match wrong.into_iter().flatten().next() {
        Some(place) => Err(place),
        None => Ok(out),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::normals as normal;
    use crate::threads::on_any_budget;
    use proptest::prelude::*;

    /// The definition, term by term.
    fn naive(row: &[f64], label: usize) -> f64 {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|x| (x - most).exp()).sum();
        -((row[label] - most) - sum.ln())
    }

    fn job() -> Job {
        Job::default()
    }

    #[test]
    fn exponentials_are_those_of_the_library() {
        for i in 0..200_000 {
            let x = -708.0 * f64::from(i) / 200_000.0;
            let want = x.exp();
            assert!((exp_of_negative(x) - want).abs() <= 1e-15 * want, "{x}: {} {want}", exp_of_negative(x));
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert!(exp_of_negative(f64::NEG_INFINITY) < 1e-300 && exp_of_negative(-1e300) < 1e-300);
        assert!(exp_of_negative(f64::NAN).is_nan());
    }

    #[test]
    fn losses_are_those_of_the_definition_in_every_type() {
        let (rows, classes) = (9, 301);
        let x: Vec<f64> = normal(rows * classes, 1).iter().map(|x| 4.0 * x).collect();
        let labels: Vec<u32> = (0..rows as u32).map(|row| row * 37 % 301).collect();
        fn check<T: Logit>(x: &[T], wide: impl Fn(T) -> f64, classes: usize, labels: &[u32]) {
            let got = token_losses(x, classes, labels, true, &job()).unwrap();
            for ((row, &label), got) in x.chunks(classes).zip(labels).zip(got) {
                let row: Vec<f64> = row.iter().map(|&x| wide(x)).collect();
                let want = naive(&row, label as usize);
                assert!((got - want).abs() <= 1e-13 * want, "{got} {want}");
            }
        }
        check(&x, |x| x, classes, &labels);
        check(&x.iter().map(|&x| x as f32).collect::<Vec<_>>(), f64::from, classes, &labels);
        check(&x.iter().map(|&x| f16::from_f64(x)).collect::<Vec<_>>(), f64::from, classes, &labels);
        check(&x.iter().map(|&x| bf16::from_f64(x)).collect::<Vec<_>>(), f64::from, classes, &labels);
    }

    #[test]
    fn classes_that_cannot_be_and_logits_that_are_none() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let of = |row: &[f32], label: u32, finite: bool| {
            token_losses(row, row.len(), &[label], finite, &job()).map(|losses| losses[0])
        };
        assert_eq!(of(&[1.0, -inf], 0, false), Ok(0.0));
        assert_eq!(of(&[1.0, -inf], 1, false), Ok(f64::INFINITY));
        let refused = Err(LossError::NotFinite { row: 0 });
        assert_eq!(of(&[1.0, -inf], 0, true), refused);
        let mut long = [0.0f32; 100];
        for (bad, place) in [(nan, 0), (nan, 3), (nan, 99), (inf, 0), (inf, 40), (inf, 98)] {
            long[place] = bad;
            assert_eq!(of(&long, 5, false), refused, "{bad} at {place}");
            long[place] = 0.0;
        }
        assert_eq!(of(&[-inf, -inf], 0, false), refused);
        // What is ignored is not read, unless all must be finite.
        assert_eq!(of(&[nan, 1.0], IGNORED, false), Ok(0.0));
        assert_eq!(of(&[nan, 1.0], IGNORED, true), refused);
        assert_eq!(of(&[2.0, 1.0], 2, false), Err(LossError::Label { row: 0 }));
        assert_eq!(token_losses::<f32>(&[], 0, &[IGNORED], true, &job()), Ok(vec![0.0]));
        assert_eq!(token_losses::<f32>(&[], 0, &[0], true, &job()), Err(LossError::Label { row: 0 }));
        let huge = of(&[f32::MAX, -f32::MAX], 1, true).unwrap();
        assert!((huge - 2.0 * f64::from(f32::MAX)).abs() < 1e25);
    }

    #[test]
    fn every_choice_of_instructions_gives_the_same_bits() {
        let row: Vec<f32> = normal(1003, 2).iter().map(|&x| 9.0 * x as f32).collect();
        let want = exponentials(Cpu::BASELINE, &row);
        assert!(Cpu::choices().into_iter().all(|cpu| exponentials(cpu, &row) == want));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let (rows, classes) = (700, 401);
        let x: Vec<f32> = normal(rows * classes, 3).iter().map(|&x| x as f32).collect();
        let labels: Vec<u32> =
            (0..rows as u32).map(|row| if row % 7 == 0 { IGNORED } else { row % 401 }).collect();
        let losses = on_any_budget(|| token_losses(&x, classes, &labels, false, &job()).unwrap());
        assert_eq!(losses.iter().filter(|&&loss| loss == 0.0).count(), 100);
        let many: Vec<f32> = normal(3 * tasks::TASK + 7, 4).iter().map(|&x| x as f32).collect();
        let out = on_any_budget(|| reductions(&many, &many[..], &job()).unwrap().unwrap());
        assert!(out.iter().all(|&x| x == 0.0));
    }

    #[test]
    fn means_are_over_what_counts() {
        assert_eq!(mean_losses(&[0.0, 0.0, 4.0, 0.0], &[IGNORED, IGNORED, 1, IGNORED], 2), Err(0));
        assert_eq!(mean_losses(&[], &[], 3), Ok(vec![]));
    }

    #[test]
    fn the_first_wrong_loss_is_named() {
        let inf = f32::INFINITY;
        let n = 2 * tasks::TASK;
        let mut before = vec![1.0f32; n];
        let after = vec![inf; n];
        before[tasks::TASK + 5] = inf;
        before[tasks::TASK + 9] = f32::NAN;
        assert_eq!(reductions(&before, &after, &job()), Ok(Err(tasks::TASK + 5)));
        assert_eq!(reductions(&[-inf], &[0.0], &job()), Ok(Err(0)));
        assert_eq!(reductions(&[0.0, inf], &[f32::NAN, 0.0], &job()), Ok(Err(0)));
        assert_eq!(reductions(&[inf], &[0.0], &job()), Ok(Ok(vec![inf])));
    }

    proptest! {
        #[test]
        fn short_rows_too(row in prop::collection::vec(-50.0f64..50.0, 1..80), label in 0usize..80) {
            let label = label % row.len();
            let got = token_losses(&row, row.len(), &[label as u32], true, &job()).unwrap()[0];
            prop_assert!((got - naive(&row, label)).abs() < 1e-12);
        }
    }
}
