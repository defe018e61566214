//! Several updates of the same numbers, made one: trimmed, a sign elected for each number, and what agrees merged.
//!
//! Elementwise over updates that lie side by side, sums over updates in their order in float64, results float32; one
//! pass over every update, in parallel. A piece of a tensor may be given with its own cuts.

use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::magnitude::{Cut, PartCut, first_not_finite, keep_count, select_parts};
use crate::real::Real;
use crate::tasks;

/// Numbers that are worked on at once: of each update a few cache lines.
const BLOCK: usize = 256;

/// How the updates that agree with the elected sign become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Their weighted mean; 0 where none agrees or their weights add up to 0.
    Mean,
    /// Their weighted sum.
    Sum,
    /// The largest weighted magnitude, with the elected sign.
    Max,
}

/// What an election came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Elected {
    /// Positive signs less negative ones.
    pub balance: i64,
    /// Numbers whose weighted sum is exactly 0 though not every update is: they took `majority`.
    pub undecided: u64,
}

impl Elected {
    /// Of both.
    pub fn and(self, other: Elected) -> Elected {
        Elected { balance: self.balance + other.balance, undecided: self.undecided + other.undecided }
    }
}

/// Trims each update by its cut, elects the sign of each weighted sum and merges the updates that agree with it.
///
/// `majority` (1 or -1) is the sign where the sum is exactly 0. Which it is can be known only after an election over
/// the whole scope: hold one with 1, and if some were undecided and the balance is negative, another with -1.
///
/// # Panics
/// If the updates, cuts and weights differ in number, or the lengths differ.
///
/// ```
/// use tamis_kernels::{job::Job, magnitude::PartCut, merge::{Merge, elect_merge}};
/// let (a, b) = ([0.5f32, 1.0, -2.0], [-0.25f32, 3.0, 1.0]);
/// let mut merged = [0.0; 3];
/// elect_merge(&[&a, &b], &[PartCut::all(); 2], &[1.0; 2], Merge::Mean, 1.0, &mut merged, &Job::default()).unwrap();
/// assert_eq!(merged, [0.5, 2.0, -2.0]);
/// ```
pub fn elect_merge<T: Real>(
    updates: &[&[T]],
    cuts: &[PartCut<T>],
    weights: &[f64],
    merge: Merge,
    majority: f64,
    out: &mut [f32],
    job: &Job,
) -> Result<Elected, Aborted> {
    assert!(
        cuts.len() == updates.len() && weights.len() == updates.len(),
        "a cut and a weight for each update"
    );
    assert!(updates.iter().all(|update| update.len() == out.len()), "updates must have one length");
    let cpu = Cpu::current();
    let elect = Election { updates, cuts, weights, merge, majority };
    let tasks = tasks::fill(out, 1, job, |start, out| elect_task(cpu, &elect, start, out))?;
    Ok(tasks.into_iter().fold(Elected::default(), Elected::and))
}

/// What an election is held over.
struct Election<'a, T: Real> {
    updates: &'a [&'a [T]],
    cuts: &'a [PartCut<T>],
    weights: &'a [f64],
    merge: Merge,
    majority: f64,
}

vectorized! {
    /// The merge of the items from `start` on.
    fn elect_task<T: Real>(cpu: Cpu, election: &Election<T>, start: usize, out: &mut [f32]) -> Elected {
        let Election { updates, cuts, .. } = election;
        let mut trimmed = vec![[T::default(); BLOCK]; updates.len()];
        let mut elected = Elected::default();
        for (i, out) in out.chunks_mut(BLOCK).enumerate() {
            let range = start + i * BLOCK..start + i * BLOCK + out.len();
            for ((row, update), cut) in trimmed.iter_mut().zip(*updates).zip(*cuts) {
                for (piece, least) in cut.pieces(range.clone()) {
                    let row = &mut row[piece.start - range.start..piece.end - range.start];
                    for (item, &x) in row.iter_mut().zip(&update[piece]) {
                        *item = if x.reaches(least) { x } else { T::default() };
                    }
                }
            }
            elected = elected.and(election.merge_block(&trimmed, out));
        }
        elected
    }
}

impl<T: Real> Election<'_, T> {
    #[inline(always)]
    fn merge_block(&self, trimmed: &[[T; BLOCK]], out: &mut [f32]) -> Elected {
        let mut sums = [0.0; BLOCK];
        // More than 0 where an update is not 0.
        let mut any = [0.0f64; BLOCK];
        for (row, &weight) in trimmed.iter().zip(self.weights) {
            for i in 0..BLOCK {
                let x = row[i].to_f64();
                sums[i] += weight * x;
                any[i] += x.abs();
            }
        }
        let mut elected = Elected::default();
        for (&sum, &any) in sums[..out.len()].iter().zip(&any) {
            elected.balance += i64::from(sum > 0.0) - i64::from(sum < 0.0);
            elected.undecided += u64::from((sum == 0.0) & (any > 0.0));
        }
        let mut signs = [0.0; BLOCK];
        for i in 0..BLOCK {
            signs[i] = if sums[i] == 0.0 { self.majority } else { f64::signum(sums[i]) };
        }
        let (mut merged, mut shares) = ([0.0f64; BLOCK], [0.0f64; BLOCK]);
        for (row, &weight) in trimmed.iter().zip(self.weights) {
            let agreeing = |i: usize| {
                let x = row[i].to_f64();
                if x * signs[i] > 0.0 { (weight * x, weight) } else { (0.0, 0.0) }
            };
            if self.merge == Merge::Max {
                (0..BLOCK).for_each(|i| merged[i] = merged[i].max(agreeing(i).0.abs()));
                continue;
            }
            for i in 0..BLOCK {
                let (term, share) = agreeing(i);
                merged[i] += term;
                shares[i] += share;
            }
        }
        for (i, out) in out.iter_mut().enumerate() {
            *out = match self.merge {
                Merge::Mean if shares[i] == 0.0 => 0.0,
                Merge::Mean => merged[i] / shares[i],
                Merge::Sum => merged[i],
                Merge::Max if merged[i] == 0.0 => 0.0,
                Merge::Max => signs[i] * merged[i],
            } as f32;
        }
        elected
    }
}

/// How each update is trimmed: to a share of its largest magnitudes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trim {
    /// In (0, 1].
    pub density: f64,
    /// Ranks all tensors of an update as one vector; else each tensor apart. The same holds for the majority sign.
    pub whole: bool,
}

/// Why updates cannot be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateError {
    /// A NaN or infinity in this part of this update.
    NotFinite {
        update: usize,
        part: usize,
    },
    Aborted,
}

impl From<Aborted> for UpdateError {
    fn from(_: Aborted) -> Self {
        UpdateError::Aborted
    }
}

/// The first part of an update that holds a NaN or infinity, as an error.
pub(crate) fn check_finite<T: Real>(updates: &[Vec<&[T]>], job: &Job) -> Result<(), UpdateError> {
    for (update, parts) in updates.iter().enumerate() {
        for (part, x) in parts.iter().enumerate() {
            let tasks = tasks::each(x.len(), job, |range| first_not_finite(&x[range]))?;
            if tasks.into_iter().any(|place| place.is_some()) {
                return Err(UpdateError::NotFinite { update, part });
            }
        }
    }
    Ok(())
}

/// Merges updates that are in memory, each of the same parts: [`elect_merge`] of every part with cuts of the scope, held
/// once more where the majority asks for it. O(updates n).
///
/// # Panics
/// If the updates and weights differ in number, or the parts in length.
pub fn trim_merge<T: Real>(
    updates: &[Vec<&[T]>],
    trim: Trim,
    weights: &[f64],
    merge: Merge,
    job: &Job,
) -> Result<Vec<Vec<f32>>, UpdateError> {
    check_finite(updates, job)?;
    let parts = updates.first().map_or(0, Vec::len);
    let size = if trim.whole { parts.max(1) } else { 1 };
    let scopes = (0..parts).step_by(size).map(|first| first..first + size);
    let mut merged: Vec<Vec<f32>> = Vec::with_capacity(parts);
    for scope in scopes {
        let cut = |parts: &[&[T]]| {
            let n: u64 = parts.iter().map(|part| part.len() as u64).sum();
            let keep = keep_count(trim.density, n);
            // All are finite: nothing but a stop ends it.
            let cut = if keep >= n { Ok(Cut::all()) } else { select_parts(parts, keep, job) };
            let mut cut = cut.map_err(|_| Aborted)?;
            Ok(parts.iter().map(|part| cut.part(part)).collect::<Vec<PartCut<T>>>())
        };
        let cuts: Vec<Vec<PartCut<T>>> =
            updates.iter().map(|update| cut(&update[scope.clone()])).collect::<Result<_, Aborted>>()?;
        let elect = |majority: f64, merged: &mut [Vec<f32>]| {
            let mut elected = Elected::default();
            for (part, out) in merged.iter_mut().enumerate() {
                let slices: Vec<&[T]> = updates.iter().map(|update| update[scope.start + part]).collect();
                let cuts: Vec<PartCut<T>> = cuts.iter().map(|cuts| cuts[part]).collect();
                elected = elected.and(elect_merge(&slices, &cuts, weights, merge, majority, out, job)?);
            }
            Ok::<_, Aborted>(elected)
        };
        let mut of_scope: Vec<Vec<f32>> =
            updates[0][scope.clone()].iter().map(|part| vec![0.0; part.len()]).collect();
        let elected = elect(1.0, &mut of_scope)?;
        if elected.undecided > 0 && elected.balance < 0 {
            elect(-1.0, &mut of_scope)?;
        }
        merged.append(&mut of_scope);
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One number after the other.
    fn naive(trimmed: &[Vec<f64>], weights: &[f64], merge: Merge, majority: f64) -> (Vec<f64>, Elected) {
        let mut elected = Elected::default();
        let one = |p: usize| {
            let taus: Vec<f64> = trimmed.iter().map(|update| update[p]).collect();
            let m: f64 = taus.iter().zip(weights).fold(0.0, |m, (tau, w)| m + w * tau);
            elected.balance += if m > 0.0 {
                1
            } else if m < 0.0 {
                -1
            } else {
                0
            };
            elected.undecided += u64::from(m == 0.0 && taus.iter().any(|&tau| tau != 0.0));
            let gamma = if m == 0.0 { majority } else { m.signum() };
            let agree: Vec<(f64, f64)> = taus
                .iter()
                .zip(weights)
                .filter(|(tau, _)| **tau != 0.0 && tau.signum() == gamma)
                .map(|(&tau, &w)| (w * tau, w))
                .collect();
            let sum: f64 = agree.iter().map(|(x, _)| x).sum();
            let shares: f64 = agree.iter().map(|(_, w)| w).sum();
            match merge {
                Merge::Mean => {
                    if shares == 0.0 {
                        0.0
                    } else {
                        sum / shares
                    }
                }
                Merge::Sum => sum,
                Merge::Max => agree.iter().fold(0.0, |max: f64, (x, _)| max.max(x.abs())) * gamma,
            }
        };
        ((0..trimmed[0].len()).map(one).collect(), elected)
    }

    #[test]
    fn long_updates_are_the_same_for_any_number_of_threads() {
        let n = 3 * tasks::TASK + 4097;
        let updates: Vec<Vec<f32>> = (0..3)
            .map(|t| {
                let mut x = vec![0.0; n];
                crate::philox::Philox::new(t, 0).uniform(0, &mut x);
                x.iter().map(|x| ((x - 0.5) * 20.0).round() / 4.0).collect()
            })
            .collect();
        let slices: Vec<&[f32]> = updates.iter().map(Vec::as_slice).collect();
        let keep = keep_count(0.3, n as u64);
        let mut before: Option<(Vec<f32>, Elected)> = None;
        for threads in [1, 2, 7] {
            let pool = crate::threads::Budget::of(threads);
            let got = pool.install(|| {
                let cuts: Vec<_> = slices
                    .iter()
                    .map(|x| select_parts(&[x], keep, &Job::default()).unwrap().part(x))
                    .collect();
                let mut out = vec![9.0; n];
                let weights = [1.0, 0.5, 2.0];
                let elected =
                    elect_merge(&slices, &cuts, &weights, Merge::Mean, -1.0, &mut out, &Job::default());
                (out, elected.unwrap())
            });
            assert!(before.is_none_or(|before| before == got));
            before = Some(got);
        }
        let (merged, elected) = before.unwrap();
        let trimmed: Vec<Vec<f64>> = slices
            .iter()
            .map(|x| {
                let cut = select_parts(&[x], keep, &Job::default()).unwrap().part(x);
                (0..n)
                    .map(|i| if x[i].magnitude() >= cut.threshold_at(i) { f64::from(x[i]) } else { 0.0 })
                    .collect()
            })
            .collect();
        let (want, want_elected) = naive(&trimmed, &[1.0, 0.5, 2.0], Merge::Mean, -1.0);
        assert!(want_elected == elected && want.iter().zip(&merged).all(|(want, got)| *want as f32 == *got));
    }

    #[test]
    fn what_cancels_takes_the_majority_of_its_scope() {
        let (a, b) = ([0.5f32, -0.25, -2.0], [-0.5f32, -0.5, -1.0]);
        let (c, d) = ([1.0f32, 2.0], [-1.0f32, 2.0]);
        let updates = [vec![&a[..], &c[..]], vec![&b[..], &d[..]]];
        let merge = |whole: bool| {
            let trim = Trim { density: 1.0, whole };
            trim_merge(&updates, trim, &[1.0; 2], Merge::Mean, &Job::default()).unwrap()
        };
        assert_eq!(merge(true), [vec![-0.5, -0.375, -1.5], vec![-1.0, 2.0]]);
        assert_eq!(merge(false), [vec![-0.5, -0.375, -1.5], vec![1.0, 2.0]]);
    }

    #[test]
    fn updates_of_nothing_and_of_what_is_not_finite() {
        let trim = Trim { density: 0.2, whole: true };
        let merge = |updates: &[Vec<&[f32]>]| {
            trim_merge(updates, trim, &vec![1.0; updates.len()], Merge::Sum, &Job::default())
        };
        assert_eq!(merge(&[vec![], vec![]]), Ok(vec![]));
        assert_eq!(merge(&[vec![&[]], vec![&[]]]), Ok(vec![vec![]]));
        let bad = merge(&[vec![&[1.0], &[1.0]], vec![&[1.0], &[f32::NAN]]]);
        assert_eq!(bad, Err(UpdateError::NotFinite { update: 1, part: 1 }));
    }

    proptest! {
        #[test]
        fn merges_match_the_definition(
            rows in proptest::collection::vec(proptest::collection::vec(-4i32..5, 3), 1..600),
            weights in proptest::collection::vec(prop_oneof![Just(1.0), Just(-1.0), Just(0.0), -2.0..2.0f64], 3),
            negative: bool,
        ) {
            let majority = if negative { -1.0 } else { 1.0 };
            let column = |t: usize| rows.iter().map(|row| f64::from(row[t]) / 4.0).collect::<Vec<f64>>();
            let updates = [column(0), column(1), column(2)];
            let slices: Vec<&[f64]> = updates.iter().map(Vec::as_slice).collect();
            for merge in [Merge::Mean, Merge::Sum, Merge::Max] {
                let mut out = vec![9.0; rows.len()];
                let job = Job::default();
                let got = elect_merge(&slices, &[PartCut::all(); 3], &weights, merge, majority, &mut out, &job);
                let (want, elected) = naive(&updates, &weights, merge, majority);
                prop_assert_eq!(got, Ok(elected));
                for (got, want) in out.iter().zip(want) {
                    prop_assert!((f64::from(*got) - want).abs() <= 1e-6 * (1.0 + want.abs()));
                }
            }
        }
    }
}
