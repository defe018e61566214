//! `X^T X` in float64 of rows of any float type.
//!
//! Rows are widened a block at a time and multiplied tile by tile; of the symmetric result only one half is computed.
//! Blocks are added to each tile in order, so the bits do not depend on the threads. Cost: O(rows width^2) in half as
//! many multiply-adds; memory of the result, once more its tiles, and a block of 1,024 rows in float64.

use crate::job::Job;
use crate::real::Stopped;
use crate::threads;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a block.
const ROWS: usize = 1024;
/// Columns of a tile.
const TILE: usize = 128;

/// [width, width]: the products of the columns of `x`, [rows, width], with each other.
///
/// ```
/// use tamis_kernels::{gram::gram, job::Job};
/// assert_eq!(gram(&[1.0f32, 2.0, 3.0, 4.0], 2, &Job::default()), Ok(vec![10.0, 14.0, 14.0, 20.0]));
/// ```
///
/// # Panics
/// If the items are no whole rows.
pub fn gram<T: Copy + Into<f64> + Sync>(x: &[T], width: usize, job: &Job) -> Result<Vec<f64>, Stopped> {
    if width == 0 {
        return Ok(Vec::new());
    }
    assert!(x.len().is_multiple_of(width), "rows of another width");
    let spans: Vec<Range<usize>> =
        (0..width).step_by(TILE).map(|first| first..width.min(first + TILE)).collect();
    let pairs = spans
        .iter()
        .enumerate()
        .flat_map(|(i, rows)| spans[..=i].iter().map(move |columns| (rows.clone(), columns.clone())));
    let mut tiles: Vec<(Range<usize>, Range<usize>, Vec<f64>)> = pairs
        .map(|(rows, columns)| {
            let sum = vec![0.0; rows.len() * columns.len()];
            (rows, columns, sum)
        })
        .collect();
    let mut block = vec![0.0; ROWS.min(x.len() / width) * width];
    for rows in x.chunks(ROWS * width) {
        job.check()?;
        let block = &mut block[..rows.len()];
        let finite = threads::pool().install(|| {
            block.par_chunks_mut(64 * width).zip(rows.par_chunks(64 * width)).all(|(to, from)| {
                to.iter_mut().zip(from).for_each(|(to, &x)| *to = x.into());
                to.iter().all(|x| x.is_finite())
            })
        });
        if !finite {
            return Err(Stopped::NotFinite);
        }
        let block = MatRef::from_row_major_slice(block, rows.len() / width, width);
        threads::pool().install(|| {
            tiles.par_iter_mut().for_each(|(rows, columns, sum)| {
                let to = MatMut::from_row_major_slice_mut(sum, rows.len(), columns.len());
                let left = block.subcols(rows.start, rows.len()).transpose();
                let right = block.subcols(columns.start, columns.len());
                matmul(to, Accum::Add, left, right, 1.0, Par::Seq);
            });
        });
    }
    let mut out = vec![0.0; width * width];
    for (rows, columns, sum) in &tiles {
        for (i, line) in rows.clone().zip(sum.chunks(columns.len())) {
            for (j, &entry) in columns.clone().zip(line) {
                // In a tile on the diagonal both halves are there; one is taken.
                if j <= i {
                    out[i * width + j] = entry;
                    out[j * width + i] = entry;
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;

    fn naive(x: &[f64], width: usize) -> Vec<f64> {
        let entry = |i: usize, j: usize| x.chunks(width).map(|row| row[i] * row[j]).sum();
        (0..width * width).map(|at| entry(at / width, at % width)).collect()
    }

    fn rows(n: usize, seed: u64) -> Vec<f64> {
        let mut out = vec![0.0; n];
        Philox::new(seed, 0).normal(&mut out);
        out
    }

    #[test]
    fn products_are_those_of_the_columns() {
        for (n, width) in [(0, 3), (1, 1), (5, 4), (2100, 7), (9, 300)] {
            let x = rows(n * width, 1);
            let got = gram(&x, width, &Job::default()).unwrap();
            let want = naive(&x, width);
            assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-10), "{n} {width}");
            for at in 0..width * width {
                assert_eq!(got[at].to_bits(), got[at % width * width + at / width].to_bits());
            }
        }
    }

    #[test]
    fn types_are_widened_first() {
        let x: Vec<f32> = rows(60, 2).into_iter().map(|x| x as f32).collect();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        assert_eq!(gram(&x, 6, &Job::default()), gram(&wide, 6, &Job::default()));
        let halves: Vec<half::f16> = x.iter().map(|&x| half::f16::from_f32(x)).collect();
        let wide: Vec<f64> = halves.iter().map(|x| x.to_f64()).collect();
        assert_eq!(gram(&halves, 6, &Job::default()), gram(&wide, 6, &Job::default()));
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for bad in [f32::NAN, f32::NEG_INFINITY] {
            assert_eq!(gram(&[1.0, bad], 1, &Job::default()), Err(Stopped::NotFinite));
        }
        let job = Job::default();
        job.stop();
        assert_eq!(gram(&[1.0], 1, &job), Err(Stopped::Aborted));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let x = rows(1500 * 200, 3);
        threads::on_any_budget(|| gram(&x, 200, &Job::default()).unwrap());
    }
}
