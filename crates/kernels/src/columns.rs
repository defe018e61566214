//! Sums over the columns of matrices; in [`stream`], their moments over a stream of matrices.
//!
//! Sums are float64 in the one order of [`crate::sums`]: rows in blocks of 4,096, row i of a block to lane i mod 8.
//! Columns are worked through in tiles, each with all rows and in one pass over memory, so that the bits do not depend on
//! the threads. O(rows width); memory of a few numbers a column.

use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::sums::{BLOCK, LANES, join};
use crate::{tasks, threads};
use rayon::prelude::*;
use std::array;

pub mod stream;

/// Columns of a tile: their lanes fit the first cache.
const TILE: usize = 128;

/// Sums of a tile's columns, lane by lane.
type Lanes = [[f64; TILE]; LANES];

/// What is summed of each item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    Magnitude,
    Square,
}

/// The sum of each column of `[rows, width]`: of its magnitudes or its squares. Not finite where an item is not.
///
/// # Panics
/// If the items are no whole rows.
///
/// ```
/// use tamis_kernels::{columns::{Term, sums}, job::Job};
/// assert_eq!(sums(&[1.0f32, -2.0, 3.0, 4.0], 2, Term::Square, &Job::default()), Ok(vec![10.0, 20.0]));
/// ```
pub fn sums<T: Real>(x: &[T], width: usize, term: Term, job: &Job) -> Result<Vec<f64>, Aborted> {
    check_rows(x.len(), width);
    let cpu = Cpu::current();
    let mut sums = vec![0.0; width];
    in_tiles(&mut sums, x.len(), |from, sums| {
        job.check()?;
        match term {
            Term::Magnitude => magnitudes(cpu, x, width, from, sums),
            Term::Square => squares(cpu, x, width, from, sums),
        }
        Ok(())
    })?;
    Ok(sums)
}

fn check_rows(items: usize, width: usize) {
    assert!(items == 0 || (width > 0 && items.is_multiple_of(width)), "x must hold whole rows of {width}");
}

/// Gives each tile of `columns` to `work` with the number of its first, on the pool unless the items are few.
fn in_tiles<C: Send>(
    columns: &mut [C],
    items: usize,
    work: impl Fn(usize, &mut [C]) -> Result<(), Aborted> + Sync,
) -> Result<(), Aborted> {
    let one = |(tile, columns): (usize, &mut [C])| work(tile * TILE, columns);
    if items <= tasks::TASK {
        return columns.chunks_mut(TILE).enumerate().try_for_each(one);
    }
    threads::pool().install(|| columns.par_chunks_mut(TILE).enumerate().try_for_each(one))
}

vectorized! {
    /// Adds the magnitudes of some columns.
    fn magnitudes<T: Real>(cpu: Cpu, x: &[T], width: usize, from: usize, sums: &mut [f64]) {
        add_terms(x, width, from, sums, |x| x.abs())
    }
}

vectorized! {
    /// Adds the squares of some columns.
    fn squares<T: Real>(cpu: Cpu, x: &[T], width: usize, from: usize, sums: &mut [f64]) {
        add_terms(x, width, from, sums, |x| x * x)
    }
}

#[inline(always)]
fn add_terms<T: Real>(x: &[T], width: usize, from: usize, sums: &mut [f64], term: impl Fn(f64) -> f64) {
    let tile = sums.len();
    for block in x.chunks(BLOCK * width) {
        let mut lanes: Lanes = [[0.0; TILE]; LANES];
        for (i, row) in block.chunks_exact(width).enumerate() {
            let lane = &mut lanes[i % LANES][..tile];
            for (sum, &x) in lane.iter_mut().zip(&row[from..from + tile]) {
                *sum += term(x.to_f64());
            }
        }
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum += join_lanes(&lanes, j);
        }
    }
}

#[inline(always)]
fn join_lanes(lanes: &Lanes, j: usize) -> f64 {
    join(array::from_fn(|l| lanes[l][j]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use crate::threads::on_any_budget;

    pub(super) fn draws(n: usize, stream: u32) -> Vec<f32> {
        let mut x = vec![0.0; n];
        Philox::new(3, stream).normal(&mut x);
        x.into_iter().map(|x| x as f32).collect()
    }

    #[test]
    fn sums_are_in_the_one_order_on_any_threads_and_instructions() {
        for (rows, width) in [(3, 1), (5, 300), (4100, 20), (9000, 131)] {
            let x = draws(rows * width, 1);
            let column = |j: usize| crate::sums::sum_by(rows, |i| f64::from(x[i * width + j]).powi(2));
            let want: Vec<f64> = (0..width).map(column).collect();
            let got = on_any_budget(|| sums(&x, width, Term::Square, &Job::default()));
            assert_eq!(got, Ok(want.clone()));
            for cpu in Cpu::choices() {
                let mut got = vec![0.0; width.min(TILE)];
                squares(cpu, &x, width, 0, &mut got);
                assert_eq!(got, want[..got.len()]);
            }
        }
        assert_eq!(sums(&[-1.0f64, 2.0, -3.0], 1, Term::Magnitude, &Job::default()), Ok(vec![6.0]));
        assert_eq!(sums::<f32>(&[], 2, Term::Magnitude, &Job::default()), Ok(vec![0.0; 2]));
        assert!(sums(&[f32::NAN, 1.0], 2, Term::Magnitude, &Job::default()).unwrap()[0].is_nan());
    }
}
