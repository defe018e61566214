//! Rows divided by their norms.
//!
//! Norms are float64 sums in blocks and lanes; a row whose squares leave the range of float64 is scaled first. Each
//! item is divided in float64 and rounded once. O(n d), in parallel, the same bytes for any number of threads.

use crate::farthest::Real;
use crate::sums;
use crate::threads;
use rayon::prelude::*;

/// Squared norms that a plain division serves.
const PLAIN: std::ops::RangeInclusive<f64> = 1e-280..=1e280;
/// Rows of a task.
const TASK: usize = 256;

/// Divides one row by its norm. False if it is zero, which has none to divide by.
pub fn unit_row<T: Real>(row: &mut [T]) -> bool {
    let squared = sums::norm_sq(row);
    let most = if PLAIN.contains(&squared) {
        1.0
    } else {
        row.iter().fold(0.0f64, |most, &x| most.max(x.into().abs()))
    };
    if most == 0.0 {
        return false;
    }
    let norm = sums::sum_by(row.len(), |i| {
        let x = row[i].into() / most;
        x * x
    });
    let norm = norm.sqrt();
    row.iter_mut().for_each(|x| *x = T::from_f64((*x).into() / most / norm));
    true
}

/// The rows of `[n, width]`, each divided by its norm.
///
/// # Errors
/// The first zero row.
///
/// ```
/// assert_eq!(tamis_kernels::unit::unit_rows(&[3.0f32, 4.0], 2), Ok(vec![0.6, 0.8]));
/// assert_eq!(tamis_kernels::unit::unit_rows(&[3.0f32, 0.0], 1), Err(1));
/// ```
pub fn unit_rows<T: Real>(x: &[T], width: usize) -> Result<Vec<T>, usize> {
    let mut out = x.to_vec();
    if width == 0 {
        return Ok(out);
    }
    let zero = threads::pool().install(|| {
        let tasks = out.par_chunks_mut(TASK * width).enumerate();
        tasks
            .filter_map(|(task, rows)| {
                let zero = rows.chunks_exact_mut(width).map(unit_row).position(|divided| !divided);
                zero.map(|row| task * TASK + row)
            })
            .min()
    });
    zero.map_or(Ok(out), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn very_long_and_very_short_rows_have_a_direction() {
        let x = [3e300f64, 4e300, 3e-310, 4e-310, -0.0, 1e-320];
        let got = unit_rows(&x, 2).unwrap();
        for (got, want) in got.iter().zip([0.6, 0.8, 0.6, 0.8, -0.0, 1.0]) {
            assert!((got - want).abs() < 1e-12, "{got}");
        }
        assert_eq!(unit_rows(&[1.0f32, 0.0, -0.0, 0.0], 2), Err(1));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let width = 5;
        let x: Vec<f32> = (0..width * (3 * 4096 + 7)).map(|i| (i as f32).sin() + 2.0).collect();
        let want: Vec<f32> = x
            .chunks(width)
            .flat_map(|row| {
                let mut row = row.to_vec();
                unit_row(&mut row);
                row
            })
            .collect();
        for threads in [1, 2, 7] {
            let pool = crate::threads::Budget::of(threads);
            assert!(pool.install(|| unit_rows(&x, width)) == Ok(want.clone()));
        }
    }

    proptest! {
        #[test]
        fn norms_are_one(x in prop::collection::vec(0.1f32..1e6, 1..200)) {
            let unit = unit_rows(&x, x.len()).unwrap();
            let norm: f64 = unit.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            prop_assert!((norm - 1.0).abs() < 1e-6);
        }
    }
}
