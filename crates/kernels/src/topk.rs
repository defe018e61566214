//! Selection: the k best of a row, and k draws without replacement.
//!
//! Order is decided on bits: every item has a rank, an unsigned integer that is larger for a better item, with NaN
//! below all numbers in both directions and -0 equal to 0; equal ranks go by index. In a long row a sample bounds the
//! k-th rank from below, one pass collects what reaches the bound, and the k best of that are the answer; where the
//! sample misleads, a radix walk over histograms of rank digits finds the k-th rank and one more pass collects what is at
//! or above it. Only the k chosen are sorted: O(n + k log k), in parallel on the shared pool, with the same result for any
//! number of threads.

mod resample;
mod rows;
mod select;

pub use resample::{Resampled, resample};
pub use rows::{gumbel_top_k_rows, top_k_rows};
pub(crate) use select::{Largest, Order, places};
pub use select::{Ordered, top_k};

use crate::philox::Philox;
use crate::threads;
use rayon::prelude::*;
use std::fmt;

/// Why nothing can be drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum DrawError {
    /// A log-weight that is NaN or +Infinity, and its place.
    NotFinite { value: f64, index: usize },
    /// More draws asked for than there are finite log-weights.
    Fewer { finite: usize, k: usize },
    /// A temperature that is not above 0.
    Temperature(f64),
}

impl fmt::Display for DrawError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            DrawError::NotFinite { value, index } => {
                write!(f, "logWeights must be finite or -Infinity, got {value} at index {index}")
            }
            DrawError::Fewer { finite, k } => {
                write!(f, "fewer finite logWeights than k: {finite} of them, k is {k}")
            }
            DrawError::Temperature(got) => write!(f, "temperature must be above 0, got {got}"),
        }
    }
}

impl std::error::Error for DrawError {}

/// The first log-weight that is NaN or +Infinity, as an error.
fn check_finite(log_weights: &[f64]) -> Result<(), DrawError> {
    let bad = |x: &f64| x.is_nan() || *x == f64::INFINITY;
    match log_weights.iter().position(bad) {
        Some(index) => Err(DrawError::NotFinite { value: log_weights[index], index }),
        None => Ok(()),
    }
}

/// k draws without replacement in proportion to exp(log-weight / temperature) (Plackett-Luce): the places of the k
/// largest keys `log_weight / temperature + gumbel`, and those keys, descending.
///
/// Item i takes Gumbel item i of (seed, stream). -Infinity is never drawn. O(n + k log k).
///
/// # Errors
/// [`DrawError`]: a temperature not above 0, NaN or +Infinity among the weights, fewer than k finite ones.
///
/// ```
/// use tamis_kernels::topk::gumbel_top_k;
/// let (indices, keys) = gumbel_top_k(&[0.0, f64::NEG_INFINITY, 1.0], 2, 1.0, 7, 0).unwrap();
/// assert!(!indices.contains(&1) && keys[0] >= keys[1]);
/// ```
pub fn gumbel_top_k(
    log_weights: &[f64],
    k: usize,
    temperature: f64,
    seed: u64,
    stream: u32,
) -> Result<(Vec<u32>, Vec<f64>), DrawError> {
    if temperature.is_nan() || temperature <= 0.0 {
        return Err(DrawError::Temperature(temperature));
    }
    check_finite(log_weights)?;
    let finite = log_weights.iter().filter(|x| x.is_finite()).count();
    if finite < k {
        return Err(DrawError::Fewer { finite, k });
    }
    let mut keys: Vec<f64> = Philox::new(seed, stream).first_gumbel(log_weights.len());
    let add = |(key, x): (&mut f64, &f64)| *key += x / temperature;
    threads::pool().install(|| keys.par_iter_mut().with_min_len(1 << 14).zip(log_weights).for_each(add));
    let indices = top_k(&keys, k, true, true);
    let keys = indices.iter().map(|&i| keys[i as usize]).collect();
    Ok((indices, keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_draws_have_the_oracle_s_keys() {
        let weights = [
            0.2265625,
            0.15625,
            0.00390625,
            0.3046875,
            0.76953125,
            -0.890625,
            -1.2070312,
            0.28515625,
            0.0625,
            0.83984375,
            0.03125,
            -0.890625,
            -1.1601562,
            -0.7265625,
            1.1992188,
            0.66015625,
            -0.015625,
            0.12109375,
            -0.05859375,
            -1.0625,
            -0.17578125,
            0.7734375,
            0.5234375,
            -0.51171875,
            -1.1210938,
            1.765625,
            -0.91015625,
            -0.08203125,
            -1.28125,
            0.0703125,
        ];
        let (indices, keys) = gumbel_top_k(&weights, 6, 1.0, 12, 3).unwrap();
        assert_eq!(indices, [2, 27, 12, 25, 21, 0]);
        let want =
            [5.621113274672605, 3.275367135034594, 2.4035030269115105, 1.991649352971054, 1.9114715535248343];
        keys.iter().zip(want).for_each(|(got, want)| assert!((got - want).abs() < 1e-7));
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let none = f64::NEG_INFINITY;
        let text = |weights: &[f64], k, t| gumbel_top_k(weights, k, t, 0, 0).unwrap_err().to_string();
        assert!(text(&[0.0, none, none], 2, 1.0).contains("fewer"));
        assert!(text(&[0.0, f64::NAN], 1, 1.0).contains("finite or -Infinity, got NaN at index 1"));
        assert!(text(&[f64::INFINITY], 1, 1.0).contains("finite"));
        assert!(text(&[0.0], 1, 0.0).contains("temperature"));
        assert!(text(&[0.0], 1, f64::NAN).contains("temperature"));
        assert_eq!(gumbel_top_k(&[none], 0, 1.0, 0, 0), Ok((vec![], vec![])));
    }

    #[test]
    fn draws_follow_the_weights() {
        let weights = [1.0f64, 2.0, 4.0, 8.0].map(f64::ln);
        let mut first = [0usize; 4];
        for seed in 0..20_000 {
            first[gumbel_top_k(&weights, 1, 1.0, seed, 0).unwrap().0[0] as usize] += 1;
        }
        for (got, share) in first.iter().zip([1.0, 2.0, 4.0, 8.0]) {
            let want = 20_000.0 * share / 15.0;
            assert!((*got as f64 - want).abs() < 5.0 * want.sqrt(), "{first:?}");
        }
    }
}
