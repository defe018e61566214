//! The convolution that is nearest to a target, by ridge regression, in float64.
//!
//! For every place of the input the row of what the kernel covers there, then a 1, explains the target's channels at that
//! place. The rows are never stored: `X^T X` and `X^T Y` are sums over tiles, made in parallel and added in order, so
//! the bits do not depend on the threads. Cost: `places * d * (d + outputs)` multiply-adds, d the items of a row, a
//! Cholesky factor of [d, d], and a second pass for the error.

use crate::convolve::{Axes, Convolution, Gather, Item, spans};
use crate::factor::{self, FactorError};
use crate::job::Job;
use crate::real::Real;
use crate::threads;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// A convolution, and how far it is from the target.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// [outputs, channels, kernel]
    pub weight: Vec<f64>,
    /// [outputs]
    pub bias: Vec<f64>,
    /// The mean squared difference over all places and outputs.
    pub mse: f64,
}

/// What is explained by what: zeros around the input keep its sides.
#[derive(Debug, Clone, Copy)]
pub struct Regression {
    pub batch: usize,
    pub channels: usize,
    pub outputs: usize,
    pub sides: Axes,
    /// Odd.
    pub kernel: Axes,
    /// >= 0, on the weights of means over places; the bias has none.
    pub ridge: f64,
}

/// Fits the convolution of `x`, [batch, channels, sides], to `y`, [batch, outputs, sides].
///
/// # Errors
/// `NotPositiveDefinite` if the rows do not settle the weights (without a ridge), or what is not finite.
///
/// # Panics
/// If the data have another shape, there are none, or the kernel is even.
pub fn fit_filters<T: Item + Real>(
    about: &Regression,
    x: &[T],
    y: &[T],
    job: &Job,
) -> Result<Fitted, FactorError> {
    let Regression { batch, channels, outputs, sides, kernel, ridge } = *about;
    let places = sides.iter().product::<usize>();
    assert!(x.len() == batch * channels * places && y.len() == batch * outputs * places, "another shape");
    assert!(batch * places > 0, "no places");
    let shape = Convolution::of_same_sides([batch, channels, outputs], sides, kernel);
    let width = channels * kernel.iter().product::<usize>() + 1;
    let gather = Gather::new(&shape, sides);
    let spans = spans(places, width);
    let tiles: Vec<Tile<'_>> =
        (0..batch).flat_map(|item| spans.iter().map(move |span| Tile { item, span })).collect();
    let pass = Pass { gather, x, y, channels, outputs, places, width };

    // [width, width + outputs]: X^T X beside X^T Y.
    let mut sums = vec![0.0; width * (width + outputs)];
    for some in tiles.chunks(2 * threads::threads()) {
        job.check()?;
        let parts: Vec<Vec<f64>> =
            threads::pool().install(|| some.par_iter().map(|tile| pass.products(tile)).collect());
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
    }
    let count = (batch * places) as f64;
    let entry = |i: usize, j: usize| sums[i * (width + outputs) + j] / count;
    let mut left: Vec<f64> = (0..width * width).map(|at| entry(at / width, at % width)).collect();
    let right: Vec<f64> = (0..width * outputs).map(|at| entry(at / outputs, width + at % outputs)).collect();
    (0..width - 1).for_each(|i| left[i * width + i] += ridge);
    check_settled(&left, width, ridge, job)?;
    let weights = factor::solve(&left, width, &right, outputs, 0.0, job)?;

    let mut squares = 0.0;
    for some in tiles.chunks(4 * threads::threads()) {
        job.check()?;
        let errors: Vec<f64> =
            threads::pool().install(|| some.par_iter().map(|tile| pass.error(tile, &weights)).collect());
        // One after the other: how many there are at a time depends on the threads.
        errors.into_iter().for_each(|error| squares += error);
    }
    let turned = |o: usize| (0..width - 1).map(move |i| i * outputs + o);
    Ok(Fitted {
        weight: (0..outputs).flat_map(turned).map(|at| weights[at]).collect(),
        bias: weights[(width - 1) * outputs..].to_vec(),
        mse: squares / (count * outputs as f64),
    })
}

/// Rounding can hide that a system has no one solution from its pivots, not from its eigenvalues.
fn check_settled(left: &[f64], width: usize, ridge: f64, job: &Job) -> Result<(), FactorError> {
    if ridge > 0.0 {
        return Ok(());
    }
    let values = factor::eigh(left, width, width, false, job)?.values;
    let slack = width as f64 * f64::EPSILON * values[0];
    match values.iter().position(|&value| value <= slack) {
        Some(pivot) => Err(FactorError::NotPositiveDefinite { pivot }),
        None => Ok(()),
    }
}

/// Some places of one item.
struct Tile<'a> {
    item: usize,
    span: &'a Range<usize>,
}

/// What a tile is worked through with.
struct Pass<'a, T> {
    gather: Gather,
    x: &'a [T],
    y: &'a [T],
    channels: usize,
    outputs: usize,
    places: usize,
    width: usize,
}

impl<T: Item + Real> Pass<'_, T> {
    /// [width + outputs, places of the tile]: what the kernel covers, a line of ones, the targets.
    fn lines(&self, &Tile { item, span }: &Tile<'_>) -> Vec<f64> {
        let size = self.channels * self.places;
        let covered = self.gather.panel(&self.x[item * size..][..size], self.channels, span);
        let targets = (0..self.outputs)
            .flat_map(|o| &self.y[(item * self.outputs + o) * self.places..][span.start..span.end]);
        let mut lines = Vec::with_capacity((self.width + self.outputs) * span.len());
        lines.extend(covered.iter().map(|x| x.to_f64()));
        lines.extend(std::iter::repeat_n(1.0, span.len()));
        lines.extend(targets.map(|y| y.to_f64()));
        lines
    }

    fn products(&self, tile: &Tile<'_>) -> Vec<f64> {
        let (lines, places) = (self.lines(tile), tile.span.len());
        let all = MatRef::from_row_major_slice(&lines, self.width + self.outputs, places);
        let mut out = vec![0.0; self.width * (self.width + self.outputs)];
        let to = MatMut::from_row_major_slice_mut(&mut out, self.width, self.width + self.outputs);
        matmul(to, Accum::Replace, all.subrows(0, self.width), all.transpose(), 1.0, Par::Seq);
        out
    }

    /// The sum of the squared differences.
    fn error(&self, tile: &Tile<'_>, weights: &[f64]) -> f64 {
        let (lines, places) = (self.lines(tile), tile.span.len());
        let (rows, targets) = lines.split_at(self.width * places);
        let rows = MatRef::from_row_major_slice(rows, self.width, places);
        let weights = MatRef::from_row_major_slice(weights, self.width, self.outputs);
        let mut out = vec![0.0; self.outputs * places];
        let to = MatMut::from_row_major_slice_mut(&mut out, self.outputs, places);
        matmul(to, Accum::Replace, weights.transpose(), rows, 1.0, Par::Seq);
        out.iter().zip(targets).map(|(got, want)| (got - want) * (got - want)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convolve::convolve;
    use crate::philox::normals as data;

    const ABOUT: Regression =
        Regression { batch: 3, channels: 2, outputs: 4, sides: [1, 20, 25], kernel: [1, 3, 3], ridge: 1e-3 };

    fn through(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let Regression { batch, channels, outputs, sides, kernel, .. } = ABOUT;
        let shape = Convolution::of_same_sides([batch, channels, outputs], sides, kernel);
        convolve(&shape, x, weight, Some(bias), &Job::default()).unwrap()
    }

    fn mse(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / a.len() as f64
    }

    #[test]
    fn a_convolution_is_found_again() {
        let x = data(3 * 2 * 500, 1);
        let (weight, bias) = (data(4 * 18, 2), data(4, 3));
        let y = through(&x, &weight, &bias);
        let found = fit_filters(&Regression { ridge: 0.0, ..ABOUT }, &x, &y, &Job::default()).unwrap();
        assert!(mse(&found.weight, &weight) < 1e-20 && mse(&found.bias, &bias) < 1e-20 && found.mse < 1e-20);
    }

    #[test]
    fn nothing_near_it_is_better() {
        let (x, y) = (data(3 * 2 * 500, 4), data(3 * 4 * 500, 5));
        let found = fit_filters(&ABOUT, &x, &y, &Job::default()).unwrap();
        let error = mse(&through(&x, &found.weight, &found.bias), &y);
        assert!((error - found.mse).abs() < 1e-12);
        let cost = |weight: &[f64], bias: &[f64]| {
            let norm: f64 = weight.iter().map(|w| w * w).sum();
            4.0 * mse(&through(&x, weight, bias), &y) + ABOUT.ridge * norm
        };
        let best = cost(&found.weight, &found.bias);
        for seed in 6..10 {
            let nudged = |x: &[f64]| {
                x.iter().zip(data(x.len(), seed)).map(|(x, by)| x + 1e-3 * by).collect::<Vec<f64>>()
            };
            assert!(cost(&nudged(&found.weight), &found.bias) > best);
            assert!(cost(&found.weight, &nudged(&found.bias)) > best);
        }
    }

    #[test]
    fn rows_that_settle_nothing() {
        let flat = Regression { ridge: 0.0, ..ABOUT };
        let (x, y) = (vec![0.0; 3000], data(6000, 1));
        let job = Job::default();
        assert!(matches!(fit_filters(&flat, &x, &y, &job), Err(FactorError::NotPositiveDefinite { .. })));
        let few = Regression { batch: 1, sides: [1, 2, 2], ..flat };
        let found = fit_filters(&few, &data(8, 2), &data(16, 3), &job);
        assert!(matches!(found, Err(FactorError::NotPositiveDefinite { .. })));
        assert!(fit_filters(&ABOUT, &x, &y, &job).is_ok());
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let (x, y) = (data(3000, 7), data(6000, 8));
        // Many more tiles than are worked on at a time, and few.
        for (batch, sides) in [(3, [1, 20, 25]), (60, [1, 5, 5])] {
            let about = Regression { batch, sides, ..ABOUT };
            threads::on_any_budget(|| fit_filters(&about, &x, &y, &Job::default()).unwrap());
        }
    }
}
