//! Draws without replacement for several columns of weights, one column after the other from what is left.

use super::{DrawError, check_finite, top_k};
use crate::philox::Philox;
use crate::threads;
use rayon::prelude::*;

/// What [`resample`] drew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resampled {
    /// Rows drawn, ascending.
    pub indices: Vec<u32>,
    /// Which column drew each.
    pub columns: Vec<u8>,
    /// Rows that could be drawn: long enough, and finite in a column at least.
    pub candidates: usize,
}

/// Draws `shares[t]` rows for column t = 0, 1, ... of `log_weights` (`[n, shares.len()]`), each from the rows that no
/// earlier column took: those with the largest `log_weight + noise`, ties to the lowest row.
///
/// The noise of row i in column t is Gumbel item i of (`seed`, stream t); without a seed there is none. `tokens`
/// (`[n]`) leaves out rows of fewer than `min_tokens`. A weight of -Infinity is never drawn; a column that runs out
/// of rows draws fewer than its share. O(n log n) at worst for each column.
///
/// # Errors
/// [`DrawError::NotFinite`] for NaN or +Infinity.
///
/// # Panics
/// If the lengths do not fit, or there are more than 256 columns.
///
/// ```
/// use tamis_kernels::topk::resample;
/// let drawn = resample(&[0.0, 3.0, 1.0, 2.0], &[2], None, 0, None).unwrap();
/// assert_eq!((drawn.indices, drawn.candidates), (vec![1, 3], 4));
/// ```
pub fn resample(
    log_weights: &[f64],
    shares: &[usize],
    tokens: Option<&[u32]>,
    min_tokens: u32,
    seed: Option<u64>,
) -> Result<Resampled, DrawError> {
    let width = shares.len();
    assert!(
        (1..=256).contains(&width) && log_weights.len().is_multiple_of(width),
        "weights must hold whole rows"
    );
    let rows = log_weights.len() / width;
    assert!(tokens.is_none_or(|tokens| tokens.len() == rows), "tokens must hold one count a row");
    check_finite(log_weights)?;
    let mut free: Vec<u32> = (0..rows as u32)
        .filter(|&i| tokens.is_none_or(|tokens| tokens[i as usize] >= min_tokens))
        .filter(|&i| log_weights[i as usize * width..][..width].iter().any(|x| x.is_finite()))
        .collect();
    let candidates = free.len();
    let mut drawn: Vec<(u32, u8)> = Vec::new();
    for (column, &share) in shares.iter().enumerate() {
        let noise = seed.map(|seed| Philox::new(seed, column as u32));
        let key = |&i: &u32| {
            log_weights[i as usize * width + column] + noise.map_or(0.0, |n| n.gumbel_at(i.into()))
        };
        let keys: Vec<f64> =
            threads::pool().install(|| free.par_iter().with_min_len(1 << 12).map(key).collect());
        let finite = keys.iter().filter(|key| key.is_finite()).count();
        // Ascending places in `free`, itself ascending: the lowest row wins a tie.
        let mut taken = top_k(&keys, share.min(finite), true, false).into_iter().peekable();
        let mut place = 0;
        free.retain(|&i| {
            let is_taken = taken.next_if_eq(&place).is_some();
            place += 1;
            if is_taken {
                drawn.push((i, column as u8));
            }
            !is_taken
        });
    }
    drawn.sort_unstable();
    let (indices, columns) = drawn.into_iter().unzip();
    Ok(Resampled { indices, columns, candidates })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(
        weights: &[Vec<f64>],
        shares: &[usize],
        tokens: &[u32],
        min: u32,
        seed: Option<u64>,
    ) -> Vec<(u32, u8)> {
        let mut taken = Vec::new();
        for (t, &share) in shares.iter().enumerate() {
            let noise = |i: usize| seed.map_or(0.0, |seed| Philox::new(seed, t as u32).gumbel_at(i as u64));
            let mut left: Vec<(f64, usize)> = (0..weights.len())
                .filter(|&i| tokens[i] >= min && weights[i][t].is_finite())
                .filter(|&i| taken.iter().all(|&(j, _)| j != i as u32))
                .map(|i| (weights[i][t] + noise(i), i))
                .collect();
            left.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            taken.extend(left.iter().take(share).map(|&(_, i)| (i as u32, t as u8)));
        }
        taken.sort_unstable();
        taken
    }

    #[test]
    fn minus_infinity_is_no_candidate_and_nan_is_refused() {
        let none = f64::NEG_INFINITY;
        let drawn = resample(&[none, 1.0, none, none, 0.0, none], &[2, 2], None, 0, Some(3)).unwrap();
        assert_eq!((drawn.candidates, drawn.indices, drawn.columns), (2, vec![0, 2], vec![1, 0]));
        let error = resample(&[0.0, f64::NAN], &[1], None, 0, None).unwrap_err();
        assert!(error.to_string().contains("logWeights must be finite"));
    }

    proptest! {
        #[test]
        fn columns_draw_one_after_the_other(
            rows in proptest::collection::vec(
                (proptest::collection::vec(prop_oneof![-3.0..3.0f64, Just(1.0), Just(f64::NEG_INFINITY)], 3), 0u32..9),
                0..60,
            ),
            shares in proptest::collection::vec(0usize..12, 3),
            min in 0u32..4,
            seed: Option<u64>,
        ) {
            let (weights, tokens): (Vec<Vec<f64>>, Vec<u32>) = rows.into_iter().unzip();
            let flat = weights.concat();
            let drawn = resample(&flat, &shares, Some(&tokens), min, seed).unwrap();
            let got: Vec<(u32, u8)> = drawn.indices.into_iter().zip(drawn.columns).collect();
            prop_assert_eq!(got, naive(&weights, &shares, &tokens, min, seed));
        }
    }
}
