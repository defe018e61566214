//! Selection in each row of a matrix: rows side by side where they are many, each in parallel where they are long.

use super::{DrawError, Ordered, gumbel_top_k, top_k};
use crate::threads;
use rayon::prelude::*;

/// Items of rows that are worth a task of their own.
const TASK: usize = 1 << 14;

/// The k best items of each row of `width` items, and their places in the row, row after row: see [`top_k`].
///
/// # Panics
/// If `x` is no whole number of rows, or `k` is above `width`.
///
/// ```
/// use tamis_kernels::topk::top_k_rows;
/// assert_eq!(top_k_rows(&[3, 1, 2, 4, 6, 5], 3, 1, true, true), (vec![3, 6], vec![0, 1]));
/// ```
pub fn top_k_rows<T: Ordered>(
    x: &[T],
    width: usize,
    k: usize,
    largest: bool,
    sorted: bool,
) -> (Vec<T>, Vec<u32>) {
    assert!(x.is_empty() || x.len().is_multiple_of(width), "x must hold whole rows of {width}");
    let best = |row: &[T]| top_k(row, k, largest, sorted);
    let found: Vec<Vec<u32>> = if x.len() <= TASK {
        x.chunks_exact(width.max(1)).map(best).collect()
    } else {
        let rows = x.par_chunks_exact(width).with_min_len(TASK.div_ceil(width));
        threads::pool().install(|| rows.map(best).collect())
    };
    let values = x
        .chunks_exact(width.max(1))
        .zip(&found)
        .flat_map(|(row, best)| best.iter().map(|&i| row[i as usize]));
    (values.collect(), found.concat())
}

/// k draws from each row of `width` log-weights, row after row; row r uses `stream + r`: see [`gumbel_top_k`].
///
/// # Errors
/// [`DrawError`], of the first row that has one.
///
/// # Panics
/// If `log_weights` is no whole number of rows.
///
/// ```
/// use tamis_kernels::topk::{gumbel_top_k, gumbel_top_k_rows};
/// let (places, _) = gumbel_top_k_rows(&[0.0, 1.0, 0.0, 1.0], 2, 1, 1.0, 7, 3).unwrap();
/// assert_eq!(places[1..], gumbel_top_k(&[0.0, 1.0], 1, 1.0, 7, 4).unwrap().0);
/// ```
pub fn gumbel_top_k_rows(
    log_weights: &[f64],
    width: usize,
    k: usize,
    temperature: f64,
    seed: u64,
    stream: u32,
) -> Result<(Vec<u32>, Vec<f64>), DrawError> {
    assert!(
        log_weights.is_empty() || log_weights.len().is_multiple_of(width),
        "rows of {width} must be whole"
    );
    let mut drawn = (Vec::new(), Vec::new());
    for (row, weights) in log_weights.chunks_exact(width.max(1)).enumerate() {
        let (indices, keys) = gumbel_top_k(weights, k, temperature, seed, stream.wrapping_add(row as u32))?;
        drawn.0.extend(indices);
        drawn.1.extend(keys);
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn rows_are_what_each_alone_is() {
        let x: Vec<u32> = (0..60_000u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
        for width in [3, 1000, 30_000] {
            let (values, places) = top_k_rows(&x, width, 3, true, true);
            let each = x
                .chunks_exact(width)
                .flat_map(|row| top_k(row, 3, true, true).into_iter().map(|i| (row[i as usize], i)));
            assert_eq!(values.into_iter().zip(places).collect::<Vec<_>>(), each.collect::<Vec<_>>());
        }
        assert_eq!(top_k_rows(&[0f32; 0], 0, 0, true, true), (vec![], vec![]));
    }

    #[test]
    fn half_types_have_the_order_of_their_numbers() {
        let x = [0.5, f32::NAN, -0.0, 0.0, -3.0, f32::INFINITY, f32::NEG_INFINITY];
        let half: Vec<f16> = x.iter().map(|&x| f16::from_f32(x)).collect();
        let brain: Vec<bf16> = x.iter().map(|&x| bf16::from_f32(x)).collect();
        for largest in [true, false] {
            let want = top_k(&x, x.len(), largest, true);
            assert_eq!(top_k(&half, x.len(), largest, true), want);
            assert_eq!(top_k(&brain, x.len(), largest, true), want);
        }
    }
}
