//! Weights that make a draw flat over the support of a sample: the inverse of a nearest-neighbour estimate of its
//! density.
//!
//! The density at a sample is estimated as one over the volume of the ball that reaches to its k-th nearest sample,
//! which is `radius^d` but for a factor. The weights are `radius^d / sum`, in logarithms, since the powers overflow.
//! O(n log n), float64.

use crate::sums;
use crate::topk::top_k;

/// No radius is above 0, or none of those above 0 is left: all samples are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllEqual;

/// `radii[i]^power` with the `drop` largest set to 0 (ties: the lowest index goes first), divided by their sum.
///
/// # Errors
/// [`AllEqual`].
///
/// ```
/// use tamis_kernels::flatten::flatten;
/// assert_eq!(flatten(&[1.0, 2.0, 0.0, 1.0], 2.0, 1), Ok(vec![0.5, 0.0, 0.0, 0.5]));
/// ```
pub fn flatten(radii: &[f64], power: f64, drop: usize) -> Result<Vec<f64>, AllEqual> {
    let logs: Vec<f64> = radii.iter().map(|&radius| libm::log(radius)).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return Err(AllEqual);
    }
    // A radius of 0 has no weight whatever the power.
    let weight = |&log: &f64| if log == f64::NEG_INFINITY { 0.0 } else { libm::exp(power * (log - most)) };
    let mut weights: Vec<f64> = logs.iter().map(weight).collect();
    for i in top_k(&weights, drop.min(weights.len()), true, false) {
        weights[i as usize] = 0.0;
    }
    let sum = sums::sum_f64(&weights);
    if sum <= 0.0 {
        return Err(AllEqual);
    }
    weights.iter_mut().for_each(|weight| *weight /= sum);
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn samples_that_are_all_equal_have_no_weights() {
        assert_eq!(flatten(&[0.0; 3], 2.0, 0), Err(AllEqual));
        assert_eq!(flatten(&[0.0, 1.0], 2.0, 1), Err(AllEqual));
        assert_eq!(flatten(&[], 2.0, 0), Err(AllEqual));
    }

    #[test]
    fn powers_that_overflow_do_not() {
        let weights = flatten(&[1e3, 1e3, 1e-3], 1e4, 0).unwrap();
        assert_eq!(weights, [0.5, 0.5, 0.0]);
    }

    proptest! {
        #[test]
        fn they_are_the_powers_and_add_up_to_one(
            radii in prop::collection::vec(0.1f64..3.0, 1..200), power in 0.0f64..8.0
        ) {
            let weights = flatten(&radii, power, 0).unwrap();
            let sum: f64 = radii.iter().map(|r| r.powf(power)).sum();
            for (weight, radius) in weights.iter().zip(&radii) {
                prop_assert!((weight - radius.powf(power) / sum).abs() < 1e-12);
            }
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
