//! Whole shares of a total in proportion to weights, under capacities.
//!
//! Rounds over the open items (positive weight, positive capacity): an item whose ideal share `left * w / W` reaches
//! its capacity gets the capacity and leaves, until none does; the ideals of the others are floored, and what is left
//! goes one by one to the largest fractional parts, ties to the lowest index (the largest-remainder method). W is the
//! sum of the open weights in index order, float64. Cost: O(n) a round, at most n rounds and two for most inputs,
//! and one sort; on one thread.

use std::cmp::Ordering;
use std::fmt;

/// Why nothing can be shared out.
#[derive(Debug, Clone, PartialEq)]
pub enum ApportionError {
    /// A weight that is negative or not finite, and its place.
    Weight { value: f64, index: usize },
    /// A capacity that is no whole number from 0 on (or +Infinity), and its place.
    Capacity { value: f64, index: usize },
    /// Every weight is 0, and there is something to share out.
    NoWeight { total: u64 },
    /// Another number of capacities than of weights.
    Lengths { weights: usize, capacities: usize },
    /// The capacities of the items of positive weight add up to less than the total.
    Short { capacity: f64, total: u64 },
}

impl fmt::Display for ApportionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApportionError::Weight { value, index } => {
                write!(f, "weights must be finite and >= 0, got {value} at index {index}")
            }
            ApportionError::Capacity { value, index } => {
                write!(f, "capacities must be whole numbers >= 0 or Infinity, got {value} at index {index}")
            }
            ApportionError::NoWeight { total } => {
                write!(f, "weights must have a positive one to share out {total}, all are 0")
            }
            ApportionError::Lengths { weights, capacities } => {
                write!(f, "weights must be as many as capacities, got {weights} and {capacities}")
            }
            ApportionError::Short { capacity, total } => write!(
                f,
                "capacities must add up to the total {total} over the positive weights, got {capacity}"
            ),
        }
    }
}

impl std::error::Error for ApportionError {}

/// Above this the weights are scaled down, by a power of two, so that no product of theirs overflows.
const LARGE: f64 = 1e200;
const SCALE: f64 = f64::from_bits((1023 - 600) << 52);

/// The shares, which add up to `total`; no share is above its capacity.
///
/// ```
/// use tamis_kernels::apportion::apportion;
/// assert_eq!(apportion(10, &[1.0, 1.0, 1.0, 3.0], None).unwrap(), [2, 2, 1, 5]);
/// assert_eq!(apportion(4, &[1.0, 1.0], Some(&[1.0, 9.0])).unwrap(), [1, 3]);
/// ```
pub fn apportion(
    total: u64,
    weights: &[f64],
    capacities: Option<&[f64]>,
) -> Result<Vec<u64>, ApportionError> {
    check(total, weights, capacities)?;
    let largest = weights.iter().fold(0.0f64, |largest, &w| largest.max(w));
    let scale = if largest > LARGE { SCALE } else { 1.0 };
    let weight = |j: usize| weights[j] * scale;
    let capacity = |j: usize| capacities.map_or(f64::INFINITY, |c| c[j]);
    let mut open: Vec<usize> =
        (0..weights.len()).filter(|&j| weights[j] > 0.0 && capacity(j) > 0.0).collect();
    let mut shares = vec![0; weights.len()];
    let mut left = total;
    loop {
        let sum = open.iter().fold(0.0, |sum, &j| sum + weight(j));
        let ideal = |j: usize| left as f64 * weight(j) / sum;
        let (full, rest): (Vec<usize>, Vec<usize>) = open.iter().partition(|&&j| ideal(j) >= capacity(j));
        if full.is_empty() {
            let ideals: Vec<f64> = open.iter().map(|&j| ideal(j)).collect();
            hand_out(left, &open, &ideals, capacity, &mut shares);
            return Ok(shares);
        }
        for j in full {
            shares[j] = capacity(j) as u64;
            left -= shares[j];
        }
        open = rest;
    }
}

fn check(total: u64, weights: &[f64], capacities: Option<&[f64]>) -> Result<(), ApportionError> {
    if let Some(c) = capacities.filter(|c| c.len() != weights.len()) {
        return Err(ApportionError::Lengths { weights: weights.len(), capacities: c.len() });
    }
    if let Some(index) = weights.iter().position(|&w| !(w.is_finite() && w >= 0.0)) {
        return Err(ApportionError::Weight { value: weights[index], index });
    }
    let capacities = capacities.unwrap_or_default();
    let whole = |c: f64| c >= 0.0 && c.fract() == 0.0 || c == f64::INFINITY;
    if let Some(index) = capacities.iter().position(|&c| !whole(c)) {
        return Err(ApportionError::Capacity { value: capacities[index], index });
    }
    if total == 0 {
        return Ok(());
    }
    if weights.iter().all(|&w| w == 0.0) {
        return Err(ApportionError::NoWeight { total });
    }
    let room = weights.iter().zip(capacities).filter(|(w, _)| **w > 0.0).fold(0.0, |sum, (_, c)| sum + c);
    if !capacities.is_empty() && room < total as f64 {
        return Err(ApportionError::Short { capacity: room, total });
    }
    Ok(())
}

/// Floors the ideal shares and hands out what is left by fractional part.
fn hand_out(left: u64, open: &[usize], ideals: &[f64], capacity: impl Fn(usize) -> f64, shares: &mut [u64]) {
    let mut left = left;
    for (&j, ideal) in open.iter().zip(ideals) {
        // Rounding could make the floors of very many items add up to more than there is.
        shares[j] = (*ideal as u64).min(left);
        left -= shares[j];
    }
    let mut order: Vec<usize> = (0..open.len()).collect();
    order.sort_by(|&a, &b| ideals[b].fract().partial_cmp(&ideals[a].fract()).unwrap_or(Ordering::Equal));
    // One turn is enough but for the rounding of very many items.
    while left > 0 {
        let before = left;
        for &i in &order {
            let j = open[i];
            if left > 0 && (shares[j] as f64) < capacity(j) {
                shares[j] += 1;
                left -= 1;
            }
        }
        debug_assert!(left < before, "the capacities have room for the total");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, on whole weights and in exact arithmetic.
    fn naive(total: u64, weights: &[u64], capacities: &[u64]) -> Vec<u64> {
        let mut shares = vec![0; weights.len()];
        let mut open: Vec<usize> =
            (0..weights.len()).filter(|&j| weights[j] > 0 && capacities[j] > 0).collect();
        let mut left = total;
        loop {
            let sum: u64 = open.iter().map(|&j| weights[j]).sum();
            let full: Vec<usize> =
                open.iter().copied().filter(|&j| left * weights[j] >= capacities[j] * sum).collect();
            if full.is_empty() {
                let mut parts: Vec<(u64, usize)> =
                    open.iter().map(|&j| (left * weights[j] % sum, j)).collect();
                open.iter().for_each(|&j| shares[j] = left * weights[j] / sum);
                left -= open.iter().map(|&j| shares[j]).sum::<u64>();
                parts.sort_by_key(|&(part, j)| (std::cmp::Reverse(part), j));
                parts.iter().take(left as usize).for_each(|&(_, j)| shares[j] += 1);
                return shares;
            }
            for &j in &full {
                shares[j] = capacities[j];
                left -= capacities[j];
            }
            open.retain(|j| !full.contains(j));
        }
    }

    #[test]
    fn what_is_above_a_capacity_is_handed_on() {
        let weights = [5.0, 0.0, 1.0, 1.0, 9.0, 2.5];
        let capacities = [3.0, 9.0, 20.0, 1.0, 6.0, 20.0];
        assert_eq!(apportion(20, &weights, Some(&capacities)).unwrap(), [3, 0, 3, 1, 6, 7]);
    }

    #[test]
    fn the_ends() {
        assert_eq!(apportion(0, &[], None).unwrap(), []);
        assert_eq!(apportion(0, &[0.0, 0.0], None).unwrap(), [0, 0]);
        assert_eq!(apportion(5, &[2.0, 3.0], Some(&[2.0, 3.0])).unwrap(), [2, 3]);
        assert_eq!(apportion(7, &[f64::MAX, f64::MAX], None).unwrap(), [4, 3]);
        assert_eq!(apportion(3, &[1.0, 1.0], Some(&[f64::INFINITY, 1.0])).unwrap(), [2, 1]);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let error = |total, weights: &[f64], capacities: Option<&[f64]>| {
            apportion(total, weights, capacities).unwrap_err().to_string()
        };
        assert!(
            error(1, &[1.0, -1.0], None).starts_with("weights must be finite and >= 0, got -1 at index 1")
        );
        assert!(error(1, &[f64::NAN], None).starts_with("weights must be finite"));
        assert!(error(1, &[0.0], None).starts_with("weights must have a positive one"));
        assert!(error(1, &[], None).starts_with("weights must have a positive one"));
        assert!(error(1, &[1.0], Some(&[1.0, 1.0])).starts_with("weights must be as many as capacities"));
        assert!(error(5, &[1.0, 1.0, 0.0], Some(&[2.0, 2.0, 9.0])).starts_with("capacities must add up"));
        assert!(error(1, &[1.0], Some(&[1.5])).starts_with("capacities must be whole"));
        assert!(error(1, &[1.0], Some(&[f64::NAN])).starts_with("capacities must be whole"));
    }

    proptest! {
        #[test]
        fn shares_are_those_of_exact_arithmetic(
            items in prop::collection::vec((0u64..50, 0u64..40), 1..12), part in 0u64..=100
        ) {
            let weights: Vec<u64> = items.iter().map(|i| i.0).collect();
            let capacities: Vec<u64> = items.iter().map(|i| i.1).collect();
            let room: u64 = items.iter().filter(|i| i.0 > 0).map(|i| i.1).sum();
            let total = room * part / 100;
            let wide: Vec<f64> = weights.iter().map(|&w| w as f64).collect();
            let caps: Vec<f64> = capacities.iter().map(|&c| c as f64).collect();
            let got = apportion(total, &wide, Some(&caps)).unwrap();
            prop_assert_eq!(got.iter().sum::<u64>(), total);
            prop_assert!(got.iter().zip(&capacities).all(|(s, c)| s <= c));
            // Equal fractional parts may come out unequal in float64: exact weights keep them equal.
            if weights.iter().sum::<u64>().is_power_of_two() && room > 1000 {
                prop_assert_eq!(got, naive(total, &weights, &capacities));
            }
        }

        #[test]
        fn without_capacities_in_a_power_of_two(weights in prop::collection::vec(0u64..50, 1..12), total in 0u64..1000) {
            let sum: u64 = weights.iter().sum();
            let mut weights = weights;
            weights.push(sum.next_power_of_two() - sum + u64::from(sum == 0));
            if weights.iter().sum::<u64>() == 0 { return Ok(()); }
            let wide: Vec<f64> = weights.iter().map(|&w| w as f64).collect();
            let room = vec![u64::MAX >> 20; weights.len()];
            prop_assert_eq!(apportion(total, &wide, None).unwrap(), naive(total, &weights, &room));
        }
    }
}
