//! Mean, squares and spread of columns over a stream of matrices.
//!
//! Moments of each matrix come from differences from the first row of each block of 4,096, in one pass; blocks are merged in
//! order ([`crate::moments`]).

use super::{LANES, Lanes, TILE, in_tiles, join_lanes};
use crate::cpu::{Cpu, vectorized};
use crate::job::Job;
use crate::moments::Moments;
use crate::real::{Real, Stopped};
use crate::sums::BLOCK;

vectorized! {
    /// The moments of some columns, from sums of differences from each block's first row and of their squares. By
    /// Cauchy-Schwarz a column's mean lies so near to any of its items that this costs no more than the digits of the
    /// number of rows: twelve bits of 53.
    fn moments<T: Real>(cpu: Cpu, x: &[T], width: usize, from: usize, out: &mut [Moments]) {
        let tile = out.len();
        for block in x.chunks(BLOCK * width) {
            let rows = block.len() / width;
            let mut first = [0.0; TILE];
            first.iter_mut().zip(&block[from..from + tile]).for_each(|(first, &x)| *first = x.to_f64());
            let first = &first[..tile];
            let (mut sums, mut squares): (Lanes, Lanes) = ([[0.0; TILE]; LANES], [[0.0; TILE]; LANES]);
            for (i, row) in block.chunks_exact(width).enumerate() {
                let sum = &mut sums[i % LANES][..tile];
                let square = &mut squares[i % LANES][..tile];
                let row = &row[from..from + tile];
                let sums = sum.iter_mut().zip(square);
                for ((&x, &first), (sum, square)) in row.iter().zip(first).zip(sums) {
                    let x = x.to_f64() - first;
                    *sum += x;
                    *square += x * x;
                }
            }
            for (j, moments) in out.iter_mut().enumerate() {
                let sum = join_lanes(&sums, j);
                let shift = sum / rows as f64;
                let m2 = join_lanes(&squares, j) - sum * shift;
                // Not `max`, which would hide what is not finite.
                let m2 = if m2 < 0.0 { 0.0 } else { m2 };
                moments.merge(Moments { count: rows as u64, mean: first[j] + shift, m2 });
            }
        }
    }
}

/// What the spread of a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// The unbiased variance over all rows, 0 of fewer than two; the mean is that of all rows.
    OfRows,
    /// 0 after the first matrix; then `spread (n - 1) / n + d / (n + 1)`, n matrices having come before and d being the
    /// sum of squared differences of the matrix's rows from the mean. The mean is that of the matrices' means.
    OfMatrices,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Column {
    mean: f64,
    /// Mean over matrices of the sum of squares over a matrix's rows.
    squares: f64,
    /// Over rows: the sum of squared differences from the mean.
    spread: f64,
}

/// Mean, squares and spread of each column over a stream of matrices of one width.
///
/// ```
/// use tamis_kernels::{columns::stream::{ColumnStats, Spread}, job::Job};
/// let mut stats = ColumnStats::new(2, Spread::OfRows);
/// stats.add(&[1.0f32, 5.0, 3.0, 5.0], 2, &Job::default()).unwrap(); // one matrix of two rows
/// assert_eq!((stats.mean(), stats.spread(), stats.squares()), (vec![2.0, 5.0], vec![2.0, 0.0], vec![10.0, 50.0]));
/// ```
#[derive(Debug, Clone)]
pub struct ColumnStats {
    kind: Spread,
    columns: Vec<Column>,
    matrices: u64,
    rows: u64,
}

impl ColumnStats {
    /// Of nothing yet.
    pub fn new(width: usize, kind: Spread) -> Self {
        ColumnStats { kind, columns: vec![Column::default(); width], matrices: 0, rows: 0 }
    }

    /// Adds matrices of `rows` rows each, one after the other. Matrices without rows are none.
    ///
    /// # Errors
    /// [`Stopped::NotFinite`] for a NaN or infinity, or sums that leave float64; nothing is added then.
    ///
    /// # Panics
    /// If the items are no whole matrices.
    pub fn add<T: Real>(&mut self, x: &[T], rows: usize, job: &Job) -> Result<(), Stopped> {
        let width = self.columns.len();
        if x.is_empty() {
            return Ok(());
        }
        let size = rows * width;
        assert!(size > 0 && x.len().is_multiple_of(size), "x must hold whole matrices of [{rows}, {width}]");
        let cpu = Cpu::current();
        // What is not finite must leave everything as it was.
        let mut columns = self.columns.clone();
        in_tiles(&mut columns, x.len(), |from, columns| {
            for (m, matrix) in x.chunks_exact(size).enumerate() {
                job.check()?;
                let mut found = [Moments::default(); TILE];
                let found = &mut found[..columns.len()];
                moments(cpu, matrix, width, from, found);
                let before = [self.matrices + m as u64, self.rows + (m * rows) as u64];
                columns
                    .iter_mut()
                    .zip(found)
                    .for_each(|(column, found)| column.take(self.kind, before, found));
            }
            Ok(())
        })?;
        let finite = |c: &Column| c.mean.is_finite() && c.squares.is_finite() && c.spread.is_finite();
        if !columns.iter().all(finite) {
            return Err(Stopped::NotFinite);
        }
        self.columns = columns;
        self.matrices += (x.len() / size) as u64;
        self.rows += (x.len() / width) as u64;
        Ok(())
    }

    /// How many matrices were added.
    pub fn matrices(&self) -> u64 {
        self.matrices
    }

    pub fn width(&self) -> usize {
        self.columns.len()
    }

    pub fn mean(&self) -> Vec<f64> {
        self.columns.iter().map(|column| column.mean).collect()
    }

    /// Sums of squares over a matrix's rows, averaged over matrices.
    pub fn squares(&self) -> Vec<f64> {
        self.columns.iter().map(|column| column.squares).collect()
    }

    /// See [`Spread`].
    pub fn spread(&self) -> Vec<f64> {
        let parts = match self.kind {
            Spread::OfRows => self.rows.saturating_sub(1).max(1) as f64,
            Spread::OfMatrices => 1.0,
        };
        self.columns.iter().map(|column| column.spread / parts).collect()
    }
}

impl Column {
    /// Takes in a matrix, so many matrices and rows having come before.
    fn take(&mut self, kind: Spread, [matrices, rows]: [u64; 2], found: &Moments) {
        let (n, t) = (matrices as f64, found.count as f64);
        let from_mean = |mean: f64| found.m2 + t * (found.mean - mean) * (found.mean - mean);
        self.squares = (n * self.squares + from_mean(0.0)) / (n + 1.0);
        match kind {
            Spread::OfRows => {
                let mut all = Moments { count: rows, mean: self.mean, m2: self.spread };
                all.merge(*found);
                (self.mean, self.spread) = (all.mean, all.m2);
            }
            Spread::OfMatrices => {
                self.mean = (n * self.mean + found.mean) / (n + 1.0);
                if matrices > 0 {
                    self.spread = self.spread * (n - 1.0) / n + from_mean(self.mean) / (n + 1.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::draws;
    use super::*;
    use crate::threads::on_any_budget;
    use proptest::prelude::*;

    fn near(a: &[f64], b: &[f64], tolerance: f64) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= tolerance * (1e-12 + b.abs()), "{a} for {b}");
        }
    }

    /// The definition: mean, squares, spread of one column over matrices.
    fn naive(matrices: &[Vec<f64>], kind: Spread) -> [f64; 3] {
        let (mut mean, mut squares, mut spread) = (0.0, 0.0, 0.0);
        for (n, x) in matrices.iter().enumerate() {
            let n = n as f64;
            let own: f64 = x.iter().sum::<f64>() / x.len() as f64;
            mean = (n * mean + own) / (n + 1.0);
            squares = (n * squares + x.iter().map(|x| x * x).sum::<f64>()) / (n + 1.0);
            if n > 0.0 {
                let off: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
                spread = spread * (n - 1.0) / n + off / (n + 1.0);
            }
        }
        if kind == Spread::OfRows {
            let all = matrices.concat();
            mean = all.iter().sum::<f64>() / all.len() as f64;
            let off: f64 = all.iter().map(|x| (x - mean) * (x - mean)).sum();
            spread = if all.len() < 2 { 0.0 } else { off / (all.len() - 1) as f64 };
        }
        [mean, squares, spread]
    }

    #[test]
    fn streams_are_those_of_the_definition_on_any_threads() {
        let (rows, width, count) = (37, 150, 30);
        let x: Vec<f32> = draws(count * rows * width, 2).iter().map(|x| 7.0 + x).collect();
        for kind in [Spread::OfRows, Spread::OfMatrices] {
            let stats = on_any_budget(|| {
                let mut stats = ColumnStats::new(width, kind);
                stats.add(&x, rows, &Job::default()).unwrap();
                (stats.mean(), stats.squares(), stats.spread())
            });
            let column = |j: usize| {
                let matrix = |m: usize| (0..rows).map(|i| f64::from(x[(m * rows + i) * width + j])).collect();
                naive(&(0..count).map(matrix).collect::<Vec<_>>(), kind)
            };
            let want: Vec<[f64; 3]> = (0..width).map(column).collect();
            for (at, got) in [stats.0, stats.1, stats.2].iter().enumerate() {
                near(got, &want.iter().map(|want| want[at]).collect::<Vec<_>>(), 1e-11);
            }
        }
    }

    #[test]
    fn one_call_or_many_is_the_same() {
        let x = draws(6 * 5 * 3, 3);
        for kind in [Spread::OfRows, Spread::OfMatrices] {
            let (mut whole, mut parts) = (ColumnStats::new(3, kind), ColumnStats::new(3, kind));
            whole.add(&x, 5, &Job::default()).unwrap();
            x.chunks(15).for_each(|matrix| parts.add(matrix, 5, &Job::default()).unwrap());
            assert_eq!(whole.columns, parts.columns);
            assert_eq!((whole.matrices(), whole.rows), (6, 30));
        }
    }

    #[test]
    fn a_mean_far_from_zero_and_a_first_row_far_from_the_rest() {
        let x: Vec<f64> = (0..8192).map(|i| if i == 0 { 0.0 } else { 1e9 + f64::from(i % 3) }).collect();
        let mut stats = ColumnStats::new(1, Spread::OfRows);
        stats.add(&x, 8192, &Job::default()).unwrap();
        near(&stats.spread(), &[naive(&[x], Spread::OfRows)[2]], 1e-11);
        let mut constant = ColumnStats::new(1, Spread::OfRows);
        constant.add(&[0.1f64; 777], 777, &Job::default()).unwrap();
        assert_eq!((constant.mean()[0], constant.spread()[0]), (0.1, 0.0));
    }

    #[test]
    fn the_same_with_any_instructions() {
        let x = draws(50 * 200, 4);
        let mut want = vec![Moments::default(); TILE];
        moments(Cpu::BASELINE, &x, 200, 10, &mut want);
        for cpu in Cpu::choices() {
            let mut got = vec![Moments::default(); TILE];
            moments(cpu, &x, 200, 10, &mut got);
            assert_eq!(got, want);
        }
    }

    #[test]
    fn what_is_not_finite_is_not_added() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in 0..4 {
                let mut stats = ColumnStats::new(2, Spread::OfMatrices);
                stats.add(&[1.0f32, 2.0], 1, &Job::default()).unwrap();
                let mut x = [1.0; 4];
                x[place] = bad;
                assert_eq!(stats.add(&x, 2, &Job::default()), Err(Stopped::NotFinite));
                assert_eq!((stats.matrices(), stats.mean()), (1, vec![1.0, 2.0]));
            }
        }
        let mut stats = ColumnStats::new(1, Spread::OfRows);
        assert_eq!(stats.add(&[1e200f64, -1e200], 2, &Job::default()), Err(Stopped::NotFinite));
        stats.add::<f32>(&[], 0, &Job::default()).unwrap();
        assert_eq!((stats.matrices(), stats.spread()), (0, vec![0.0]));
    }

    proptest! {
        #[test]
        fn columns_do_not_meet(
            x in proptest::collection::vec(-1e3..1e3f64, 1..200),
            width in 1..20usize,
        ) {
            let rows = x.len() / width;
            let x = &x[..rows * width];
            let mut all = ColumnStats::new(width, Spread::OfRows);
            all.add(x, rows.max(1), &Job::default()).unwrap();
            for j in 0..width {
                let own: Vec<f64> = x.iter().skip(j).step_by(width).copied().collect();
                let mut alone = ColumnStats::new(1, Spread::OfRows);
                alone.add(&own, rows.max(1), &Job::default()).unwrap();
                prop_assert_eq!(all.columns[j], alone.columns[0]);
            }
        }
    }
}
