//! Log-ratios and divergences of counts.
//!
//! All in float64, O(length), one pass each. Logarithms come from a portable implementation and sums run in one
//! fixed order, so that every machine gives the same bits.

use crate::sums::sum_f64 as sum;
use crate::topk::top_k;
use std::fmt;

/// A side that cannot be normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// All counts of the raw side are 0.
    Raw,
    /// All counts of this target are 0; with its place where there are several.
    Target(Option<usize>),
}

impl fmt::Display for Empty {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Empty::Raw => write!(f, "raw has no n-grams"),
            Empty::Target(None) => write!(f, "target has no n-grams"),
            Empty::Target(Some(t)) => write!(f, "target has no n-grams (target {t})"),
        }
    }
}

impl std::error::Error for Empty {}

/// Added to both probabilities before their logarithms are taken.
const EPSILON: f64 = 1e-8;

/// `ln(p_target + 1e-8) - ln(p_raw + 1e-8)` of each item, p being counts over their sum.
///
/// `target` is `[targets, raw.len()]`; `smoothing` (>= 0) is added to each of its counts first. The result has its
/// shape.
///
/// # Errors
/// [`Empty`] where the counts of a side are all 0 (before smoothing).
///
/// # Panics
/// If `target` is no whole number of rows.
///
/// ```
/// use tamis_kernels::ratio::log_ratio;
/// let ratio = log_ratio(&[3.0, 1.0], &[1.0, 1.0], 0.0).unwrap();
/// assert!((ratio[0] - 1.5f64.ln()).abs() < 1e-7);
/// ```
pub fn log_ratio(target: &[f64], raw: &[f64], smoothing: f64) -> Result<Vec<f64>, Empty> {
    assert!(
        !raw.is_empty() && target.len().is_multiple_of(raw.len()),
        "target must hold rows of raw's length"
    );
    let raw_sum = sum(raw);
    if raw_sum <= 0.0 {
        return Err(Empty::Raw);
    }
    let raw_logs: Vec<f64> = raw.iter().map(|c| libm::log(c / raw_sum + EPSILON)).collect();
    let rows = target.len() / raw.len();
    let mut out = Vec::with_capacity(target.len());
    for (t, row) in target.chunks_exact(raw.len()).enumerate() {
        if sum(row) <= 0.0 {
            return Err(Empty::Target((rows > 1).then_some(t)));
        }
        let smoothed: Vec<f64> = row.iter().map(|c| c + smoothing).collect();
        let total = sum(&smoothed);
        out.extend(smoothed.iter().zip(&raw_logs).map(|(c, raw)| libm::log(c / total + EPSILON) - raw));
    }
    Ok(out)
}

/// `KL(p || q) = sum p ln(p / q)` of two rows of counts, natural logarithm; items with p = 0 add nothing.
///
/// `smoothing_q` (>= 0) is added to each count of `q` first. Infinite where p > 0 meets q = 0.
///
/// # Errors
/// [`Empty::Target`] if the counts of `p` are all 0, [`Empty::Raw`] if those of `q` are and nothing is added.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use tamis_kernels::ratio::kl_divergence;
/// assert_eq!(kl_divergence(&[1.0, 1.0], &[5.0, 5.0], 0.0), Ok(0.0));
/// ```
pub fn kl_divergence(p: &[f64], q: &[f64], smoothing_q: f64) -> Result<f64, Empty> {
    assert_eq!(p.len(), q.len(), "both sides must have one length");
    let p_sum = sum(p);
    if p_sum <= 0.0 {
        return Err(Empty::Target(None));
    }
    let smoothed: Vec<f64> = q.iter().map(|c| c + smoothing_q).collect();
    let q_sum = sum(&smoothed);
    if q_sum <= 0.0 {
        return Err(Empty::Raw);
    }
    let term = |(p, q): (&f64, &f64)| {
        let share = p / p_sum;
        if share > 0.0 { share * (libm::log(share) - libm::log(q / q_sum)) } else { 0.0 }
    };
    Ok(sum(&p.iter().zip(&smoothed).map(term).collect::<Vec<f64>>()))
}

/// The `k` items (or all) whose share of the sum grew most from `before` to `after`, and those whose share shrank most,
/// largest shift first, ties to the lowest index. Items whose share did not grow, or shrink, are left out.
///
/// O(n). Where a side sums to 0 all its shares are 0.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use tamis_kernels::ratio::largest_shifts;
/// assert_eq!(largest_shifts(&[1.0, 2.0, 1.0], &[6.0, 0.0, 2.0], 5), (vec![0], vec![1]));
/// ```
pub fn largest_shifts(before: &[f64], after: &[f64], k: usize) -> (Vec<u32>, Vec<u32>) {
    assert_eq!(before.len(), after.len(), "both sides must have one length");
    let scale = |side: &[f64]| Some(sum(side)).filter(|&total| total > 0.0).map_or(0.0, f64::recip);
    let (from, to) = (scale(before), scale(after));
    let shifts: Vec<f64> =
        before.iter().zip(after).map(|(before, after)| after * to - before * from).collect();
    let extreme = |sign: f64| {
        let mut best = top_k(&shifts, k.min(shifts.len()), sign > 0.0, true);
        best.retain(|&item| sign * shifts[item as usize] > 0.0);
        best
    };
    (extreme(1.0), extreme(-1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_side_is_named() {
        assert_eq!(log_ratio(&[1.0, 0.0], &[0.0, 0.0], 0.0), Err(Empty::Raw));
        assert_eq!(log_ratio(&[0.0, 0.0], &[1.0, 0.0], 1.0), Err(Empty::Target(None)));
        let two = log_ratio(&[1.0, 0.0, 0.0, 0.0], &[1.0, 0.0], 0.0);
        assert_eq!(two.unwrap_err().to_string(), "target has no n-grams (target 1)");
        assert_eq!(kl_divergence(&[0.0], &[1.0], 0.0), Err(Empty::Target(None)));
        assert_eq!(kl_divergence(&[1.0], &[0.0], 0.0), Err(Empty::Raw));
    }

    #[test]
    fn an_empty_bucket_on_one_side_reaches_far() {
        let ratio = log_ratio(&[1.0, 0.0], &[0.0, 1.0], 0.0).unwrap();
        assert!((ratio[0] - 18.42).abs() < 0.01 && (ratio[1] + 18.42).abs() < 0.01);
        assert_eq!(kl_divergence(&[1.0, 0.0], &[0.0, 1.0], 0.0), Ok(f64::INFINITY));
    }

    #[test]
    fn shifts_are_of_shares_and_ordered() {
        let before = [10.0, 10.0, 10.0, 10.0, 0.0];
        let after = [1.0, 2.0, 1.0, 1.0, 3.0];
        assert_eq!(largest_shifts(&before, &after, 9), (vec![4], vec![0, 2, 3]));
        assert_eq!(largest_shifts(&before, &after, 2), (vec![4], vec![0, 2]));
        assert_eq!(largest_shifts(&[], &[], 3), (vec![], vec![]));
        assert_eq!(largest_shifts(&before, &[0.0; 5], 1), (vec![], vec![0]));
    }

    proptest! {
        #[test]
        fn the_sum_is_a_sum(x in proptest::collection::vec(-1e3..1e3f64, 0..10_000)) {
            let naive: f64 = x.iter().sum();
            prop_assert!((sum(&x) - naive).abs() < 1e-6);
        }

        #[test]
        fn ratios_follow_the_definition(
            counts in proptest::collection::vec((0u32..50, 0u32..50), 1..300), smoothing in 0.0..2.0f64
        ) {
            let target: Vec<f64> = counts.iter().map(|c| f64::from(c.0)).collect();
            let raw: Vec<f64> = counts.iter().map(|c| f64::from(c.1)).collect();
            prop_assume!(target.iter().sum::<f64>() > 0.0 && raw.iter().sum::<f64>() > 0.0);
            let got = log_ratio(&target, &raw, smoothing).unwrap();
            let target_sum: f64 = target.iter().map(|c| c + smoothing).sum();
            let raw_sum: f64 = raw.iter().sum();
            for (i, value) in got.iter().enumerate() {
                let want = ((target[i] + smoothing) / target_sum + 1e-8).ln() - (raw[i] / raw_sum + 1e-8).ln();
                prop_assert!((value - want).abs() < 1e-10, "{value} {want}");
            }
            let divergence = kl_divergence(&target, &raw, 1.0).unwrap();
            let p_sum: f64 = target.iter().sum();
            let q_sum: f64 = raw.iter().map(|c| c + 1.0).sum();
            let want: f64 = target.iter().zip(&raw).filter(|(p, _)| **p > 0.0)
                .map(|(p, q)| p / p_sum * ((p / p_sum) / ((q + 1.0) / q_sum)).ln()).sum();
            prop_assert!((divergence - want).abs() < 1e-10);
        }
    }
}
