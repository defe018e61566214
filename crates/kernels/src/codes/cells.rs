//! The cells of one dimension: Lloyd's scalar quantiser.

use crate::sums;

/// What is put around the least and the greatest value.
const MARGIN: f64 = 0.001;
/// A round that changes the error by less than this share of it is the last.
const LEAST_CHANGE: f64 = 0.005;
const MOST_ROUNDS: usize = 250;

/// The `cells + 1` boundaries of cells for `values`: quantiles first, then Lloyd's rounds, each of which puts a boundary
/// midway between the means beside it (an empty cell's is its middle), until the squared error changes by less than
/// 0.5 %. float64; O(n log n) and O(n) a round. `values` are sorted.
///
/// # Panics
/// If there are no cells, more cells than values, or NaN among the values.
///
/// ```
/// let mut values = [0.0, 0.1, 5.0, 5.2];
/// let boundaries = tamis_kernels::codes::design_cells(&mut values, 2);
/// assert!((boundaries[1] - 2.575).abs() < 1e-12);
/// ```
pub fn design_cells(values: &mut [f64], cells: usize) -> Vec<f64> {
    let n = values.len();
    assert!((1..=n).contains(&cells), "a cell for each value at most, and one at least");
    values.sort_unstable_by(|a, b| a.partial_cmp(b).expect("values are numbers"));
    let quantile = |j: usize| match j {
        0 => values[0] - MARGIN,
        j if j == cells => values[n - 1] + MARGIN,
        j => values[(j * n).div_ceil(cells)],
    };
    let mut boundaries: Vec<f64> = (0..=cells).map(quantile).collect();
    let mut former: Option<f64> = None;
    for _ in 0..if cells == 1 { 0 } else { MOST_ROUNDS } {
        let (centres, error) = centres(values, &boundaries);
        for j in 1..cells {
            boundaries[j] = (centres[j - 1] + centres[j]) / 2.0;
        }
        if former.is_some_and(|former| former == 0.0 || (former - error).abs() < LEAST_CHANGE * former) {
            break;
        }
        former = Some(error);
    }
    boundaries
}

/// The mean of each cell, and the sum of the squared distances of values to the mean of theirs.
fn centres(values: &[f64], boundaries: &[f64]) -> (Vec<f64>, f64) {
    let mut from = 0;
    let mut error = 0.0;
    let means = boundaries.windows(2).map(|ends| {
        let cell = &values[from..][..values[from..].partition_point(|&value| value < ends[1])];
        from += cell.len();
        if cell.is_empty() {
            return (ends[0] + ends[1]) / 2.0;
        }
        let mean = sums::sum_f64(cell) / cell.len() as f64;
        error += sums::sum_by(cell.len(), |i| (cell[i] - mean) * (cell[i] - mean));
        mean
    });
    (means.collect(), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_cell_holds_all_and_equal_values_leave_cells_empty() {
        assert_eq!(design_cells(&mut [3.0, 1.0], 1), [1.0 - MARGIN, 3.0 + MARGIN]);
        let boundaries = design_cells(&mut [2.0; 5], 4);
        assert!(boundaries.windows(2).all(|ends| ends[0] <= ends[1]), "{boundaries:?}");
    }

    proptest! {
        #[test]
        fn boundaries_ascend_and_hold_every_value(
            mut values in prop::collection::vec(-50.0f64..50.0, 1..300), cells in 1usize..40
        ) {
            let cells = cells.min(values.len());
            let boundaries = design_cells(&mut values, cells);
            prop_assert_eq!(boundaries.len(), cells + 1);
            prop_assert!(boundaries.windows(2).all(|ends| ends[0] <= ends[1]));
            prop_assert!(boundaries[0] < values[0] && boundaries[cells] > values[values.len() - 1]);
        }
    }
}
