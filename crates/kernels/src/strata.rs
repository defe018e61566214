//! Rows in groups (strata): how large the groups are, and the best rows of each.
//!
//! A row carries the number of its group. The best rows are those with the highest keys, equal keys (-0 equals 0) by the
//! lower row; keys must not be NaN. O(n) to count, O(n log n) at worst to choose, 20 bytes a row; groups are worked
//! through in parallel, with the same result for any number of threads.

use crate::philox::Philox;
use crate::sums::sum_by;
use crate::threads;
use rayon::prelude::*;

/// The rows of a matrix of labels, group by group.
struct Groups {
    /// Rows, group after group, ascending in each.
    rows: Vec<u32>,
    /// Where each group starts, and at the end where the last one ends.
    starts: Vec<usize>,
}

impl Groups {
    /// Of those rows that `is_in` lets through; labels are below `groups`.
    fn new(labels: &[u32], groups: usize, is_in: impl Fn(usize) -> bool) -> Groups {
        let mut starts = vec![0; groups + 1];
        for (i, &label) in labels.iter().enumerate() {
            starts[label as usize + 1] += usize::from(is_in(i));
        }
        for j in 0..groups {
            starts[j + 1] += starts[j];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; starts[groups]];
        for (i, &label) in labels.iter().enumerate().filter(|(i, _)| is_in(*i)) {
            let at = &mut next[label as usize];
            rows[*at] = i as u32;
            *at += 1;
        }
        Groups { rows, starts }
    }
}

/// How many rows each of `groups` groups has, those aside for which `excluded` is not 0.
///
/// # Panics
/// If a label is not below `groups`, or `excluded` has another length.
///
/// ```
/// assert_eq!(tamis_kernels::strata::count_rows(&[2, 0, 2, 2], Some(&[0, 0, 1, 0]), 4), [1, 0, 2, 0]);
/// ```
pub fn count_rows(labels: &[u32], excluded: Option<&[u8]>, groups: usize) -> Vec<u32> {
    let mut counts = vec![0; groups];
    match excluded {
        None => labels.iter().for_each(|&label| counts[label as usize] += 1),
        Some(excluded) => {
            assert_eq!(excluded.len(), labels.len(), "excluded must have a flag for each label");
            for (&label, &out) in labels.iter().zip(excluded) {
                counts[label as usize] += u32::from(out == 0);
            }
        }
    }
    counts
}

/// The rows kept, ascending: of each group j its `shares[j]` best (or all, where it has fewer), and beyond those the best of
/// all rows that are left until `total` are kept.
///
/// # Panics
/// If the lengths do not fit or a label is not below the number of shares.
///
/// ```
/// use tamis_kernels::strata::keep_best;
/// let keys = [0.5, 0.1, 0.9, 0.8];
/// assert_eq!(keep_best(&keys, &[0, 1, 0, 0], None, &[1, 1], 2), [1, 2]);
/// assert_eq!(keep_best(&keys, &[0, 1, 0, 0], None, &[1, 1], 3), [1, 2, 3]);
/// ```
pub fn keep_best(
    keys: &[f64],
    labels: &[u32],
    excluded: Option<&[u8]>,
    shares: &[u32],
    total: usize,
) -> Vec<u32> {
    assert_eq!(keys.len(), labels.len(), "there must be a key for each label");
    assert!(excluded.is_none_or(|excluded| excluded.len() == labels.len()), "excluded must fit the labels");
    let is_in = |i: usize| excluded.is_none_or(|excluded| excluded[i] == 0);
    let Groups { mut rows, starts } = Groups::new(labels, shares.len(), is_in);
    // Disjoint parts of the rows, so that groups can be cut in parallel.
    let mut parts: Vec<(&mut [u32], usize)> = Vec::with_capacity(shares.len());
    let mut rest = &mut rows[..];
    for (j, &share) in shares.iter().enumerate() {
        let (part, behind) = rest.split_at_mut(starts[j + 1] - starts[j]);
        parts.push((part, share as usize));
        rest = behind;
    }
    threads::pool().install(|| {
        parts.par_iter_mut().for_each(|(part, share)| bring_forward(keys, part, *share));
    });
    let mut kept: Vec<u32> = Vec::with_capacity(total);
    let mut left: Vec<u32> = Vec::new();
    let fills = parts.iter().map(|(part, share)| (*share).min(part.len())).sum::<usize>() < total;
    for (part, share) in parts {
        let (best, others) = part.split_at(share.min(part.len()));
        kept.extend_from_slice(best);
        if fills {
            left.extend_from_slice(others);
        }
    }
    let missing = total.saturating_sub(kept.len()).min(left.len());
    bring_forward(keys, &mut left, missing);
    kept.extend_from_slice(&left[..missing]);
    kept.sort_unstable();
    kept
}

/// Puts the `k` best rows in front, in no order.
fn bring_forward(keys: &[f64], rows: &mut [u32], k: usize) {
    // Adding 0 makes one zero of two.
    let key = |row: u32| keys[row as usize] + 0.0;
    if k > 0 && k < rows.len() {
        rows.select_nth_unstable_by(k - 1, |&a, &b| key(b).total_cmp(&key(a)).then(a.cmp(&b)));
    }
}

/// What the log-weight of a row is.
#[derive(Debug, Clone, Copy)]
pub enum LogWeights<'a> {
    /// 0 for all.
    Equal,
    /// The number itself.
    Given(&'a [f64]),
    /// The number's logarithm.
    LogOf(&'a [f64]),
}

/// Draws `shares[j]` rows of each group j without replacement, in proportion to the exponential of their log-weights: those with
/// the highest `log-weight + gumbel`, the noise of row i being Gumbel item i of (`seed`, `stream`). The rows, ascending.
///
/// # Panics
/// As [`keep_best`].
///
/// ```
/// use tamis_kernels::strata::{LogWeights, draw};
/// let rows = draw(&[0, 1, 1, 0], LogWeights::Equal, None, &[1, 2], 7, 0);
/// assert_eq!(rows.len(), 3);
/// ```
pub fn draw(
    labels: &[u32],
    log_weights: LogWeights,
    excluded: Option<&[u8]>,
    shares: &[u32],
    seed: u64,
    stream: u32,
) -> Vec<u32> {
    let mut keys: Vec<f64> = Philox::new(seed, stream).first_gumbel(labels.len());
    let mut add = |weights: &[f64], f: fn(f64) -> f64| {
        assert_eq!(weights.len(), labels.len(), "there must be a weight for each label");
        threads::pool().install(|| {
            keys.par_iter_mut().with_min_len(1 << 14).zip(weights).for_each(|(key, &w)| *key += f(w));
        });
    };
    match log_weights {
        LogWeights::Equal => {}
        LogWeights::Given(weights) => add(weights, |w| w),
        LogWeights::LogOf(weights) => add(weights, libm::log),
    }
    keep_best(&keys, labels, excluded, shares, 0)
}

/// The mean of each group's values, and how many it has; NaN for a group without any. Sums are those of
/// [`sums`](crate::sums), over a group's values in their order.
///
/// ```
/// let (means, counts) = tamis_kernels::strata::group_means(&[1.0, 5.0, 3.0], &[0, 1, 0], 2);
/// assert_eq!((means, counts), (vec![2.0, 5.0], vec![2, 1]));
/// ```
pub fn group_means(values: &[f64], labels: &[u32], groups: usize) -> (Vec<f64>, Vec<u32>) {
    assert_eq!(values.len(), labels.len(), "there must be a value for each label");
    let Groups { rows, starts } = Groups::new(labels, groups, |_| true);
    let of = |j: usize| &rows[starts[j]..starts[j + 1]];
    let mean = |j: usize| sum_by(of(j).len(), |i| values[of(j)[i] as usize]) / of(j).len() as f64;
    ((0..groups).map(mean).collect(), (0..groups).map(|j| of(j).len() as u32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sorts everything and takes from the front.
    fn naive(keys: &[f64], labels: &[u32], excluded: &[u8], shares: &[u32], total: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..keys.len() as u32).filter(|&i| excluded[i as usize] == 0).collect();
        order.sort_by(|&a, &b| keys[b as usize].partial_cmp(&keys[a as usize]).unwrap());
        let mut left = shares.to_vec();
        let mut kept = Vec::new();
        order.retain(|&i| {
            let room = &mut left[labels[i as usize] as usize];
            if *room == 0 {
                return true;
            }
            *room -= 1;
            kept.push(i);
            false
        });
        let missing = total.saturating_sub(kept.len());
        kept.extend(order.into_iter().take(missing));
        kept.sort_unstable();
        kept
    }

    proptest! {
        #[test]
        fn keeps_what_sorting_everything_keeps(
            rows in prop::collection::vec((prop_oneof![-3.0..3.0f64, Just(0.0), Just(-0.0), Just(1.0)], 0u32..5, 0u8..2), 0..120),
            shares in prop::collection::vec(0u32..12, 5),
            total in 0usize..80,
        ) {
            let keys: Vec<f64> = rows.iter().map(|row| row.0).collect();
            let labels: Vec<u32> = rows.iter().map(|row| row.1).collect();
            let excluded: Vec<u8> = rows.iter().map(|row| row.2).collect();
            let got = keep_best(&keys, &labels, Some(&excluded), &shares, total);
            prop_assert_eq!(got, naive(&keys, &labels, &excluded, &shares, total));
            let counts = count_rows(&labels, Some(&excluded), 5);
            for (j, &count) in counts.iter().enumerate() {
                let want = rows.iter().filter(|row| row.1 as usize == j && row.2 == 0).count();
                prop_assert_eq!(count as usize, want);
            }
        }

        #[test]
        fn means_are_those_of_the_values(rows in prop::collection::vec((-9.0..9.0f64, 0u32..4), 0..200)) {
            let (values, labels): (Vec<f64>, Vec<u32>) = rows.iter().copied().unzip();
            let (means, counts) = group_means(&values, &labels, 4);
            for j in 0..4 {
                let of: Vec<f64> = rows.iter().filter(|row| row.1 == j).map(|row| row.0).collect();
                let (mean, count) = (means[j as usize], counts[j as usize]);
                prop_assert_eq!(count as usize, of.len());
                if of.is_empty() {
                    prop_assert!(mean.is_nan());
                } else {
                    let want = of.iter().sum::<f64>() / of.len() as f64;
                    prop_assert!((mean - want).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn threads_do_not_show() {
        // Weights are added in tasks of 16,384.
        let n = 3 * (1 << 14) + 77;
        let labels: Vec<u32> = (0..n as u32).map(|i| i * 7 % 11).collect();
        let weights: Vec<f64> = (0..n).map(|i| (i % 5) as f64 + 0.5).collect();
        let excluded: Vec<u8> = (0..n).map(|i| u8::from(i % 3 == 0)).collect();
        let shares: Vec<u32> = (0..11).map(|j| 40 * j).collect();
        let drawn = threads::on_any_budget(|| {
            draw(&labels, LogWeights::LogOf(&weights), Some(&excluded), &shares, 5, 9)
        });
        assert_eq!(drawn.len(), 40 * 55);
        let best = threads::on_any_budget(|| keep_best(&weights, &labels, Some(&excluded), &shares, 3000));
        assert_eq!(best, naive(&weights, &labels, &excluded, &shares, 3000));
        threads::on_any_budget(|| group_means(&weights, &labels, 11));
    }

    #[test]
    fn draws_follow_the_weights_and_the_noise_of_the_row() {
        let n = 3 * 4096 + 77;
        let labels: Vec<u32> = (0..n).map(|i| (i % 7) as u32).collect();
        let weights: Vec<f64> = (0..n).map(|i| (i % 5) as f64 + 0.5).collect();
        let logs: Vec<f64> = weights.iter().map(|&w| libm::log(w)).collect();
        let shares = [10, 0, 5000, 3, 1, 7, 20];
        let drawn = draw(&labels, LogWeights::LogOf(&weights), None, &shares, 5, 9);
        assert_eq!(drawn, draw(&labels, LogWeights::Given(&logs), None, &shares, 5, 9));
        let noise = Philox::new(5, 9);
        let keys: Vec<f64> = (0..n).map(|i| logs[i] + noise.gumbel_at(i as u64)).collect();
        assert_eq!(drawn, naive(&keys, &labels, &vec![0; n], &shares, 0));
        let mut first = [0; 5];
        for seed in 0..4000 {
            let one = draw(&[0; 5], LogWeights::LogOf(&[1.0, 2.0, 3.0, 4.0, 10.0]), None, &[1], seed, 0);
            first[one[0] as usize] += 1;
        }
        for (got, share) in first.iter().zip([1.0, 2.0, 3.0, 4.0, 10.0]) {
            let want: f64 = 4000.0 * share / 20.0;
            assert!((f64::from(*got) - want).abs() < 5.0 * want.sqrt(), "{first:?}");
        }
    }
}
