//! Scores that decide which entries of a matrix stay, and slopes through the mask that they make, its derivative taken
//! as the identity.
//!
//! All in float32; sums of slopes in float64, rows in their order. One pass over each matrix, in parallel over bands of
//! rows that depend on the shape alone: the bits do not depend on the threads.

use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::{sums, tasks, threads};
use rayon::prelude::*;

/// Scores `|weight| + product_factor * product + line_factor * (row + column)` of [rows, columns].
pub struct Scoring<'a> {
    pub weight: &'a [f32],
    /// Of the weight's shape.
    pub product: &'a [f32],
    pub product_factor: f32,
    /// One a row.
    pub rows: &'a [f32],
    /// One a column.
    pub columns: &'a [f32],
    pub line_factor: f32,
}

/// The scores of all entries.
///
/// # Panics
/// If shapes do not fit.
///
/// ```
/// use tamis_kernels::{job::Job, masked::{Scoring, scores}};
/// let scoring = Scoring {
///     weight: &[-1.0, 2.0], product: &[0.5, 0.0], product_factor: 2.0,
///     rows: &[1.0], columns: &[0.0, 3.0], line_factor: 1.0,
/// };
/// assert_eq!(scores(&scoring, &Job::default()), Ok(vec![3.0, 6.0]));
/// ```
pub fn scores(scoring: &Scoring<'_>, job: &Job) -> Result<Vec<f32>, Aborted> {
    let (rows, width) = (scoring.rows.len(), scoring.columns.len());
    let Scoring { weight, product, .. } = *scoring;
    assert!(weight.len() == rows * width && product.len() == weight.len(), "matrices of other shapes");
    let mut out = vec![0.0; weight.len()];
    if out.is_empty() {
        return Ok(out);
    }
    let cpu = Cpu::current();
    let band = band(width);
    let one = |(i, out): (usize, &mut [f32])| {
        job.check()?;
        let start = i * band;
        for (row, out) in (start..).zip(out.chunks_exact_mut(width)) {
            score_row(cpu, scoring, row, out);
        }
        Ok(())
    };
    threads::pool().install(|| out.par_chunks_mut(band * width).enumerate().try_for_each(one))?;
    Ok(out)
}

/// Rows that are worked off together.
fn band(width: usize) -> usize {
    (tasks::TASK / width).max(1)
}

vectorized! {
    fn score_row(cpu: Cpu, scoring: &Scoring<'_>, row: usize, out: &mut [f32]) {
        let width = out.len();
        let (weight, product) = (&scoring.weight[row * width..][..width], &scoring.product[row * width..][..width]);
        let (columns, base) = (&scoring.columns[..width], scoring.rows[row]);
        for (i, out) in out.iter_mut().enumerate() {
            let lines = scoring.line_factor * (base + columns[i]);
            *out = (weight[i].abs() + scoring.product_factor * product[i]) + lines;
        }
    }
}

/// Slopes of a loss that reaches the entries of a masked matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Slopes {
    /// By the scores: `gradient * weight`.
    pub scores: Vec<f32>,
    /// Their sums over each row.
    pub rows: Vec<f32>,
    /// Their sums over each column.
    pub columns: Vec<f32>,
    /// By the matrix before the mask, whose magnitude is part of the scores: `mask * gradient + scores * sign(weight)`.
    pub weight: Vec<f32>,
}

/// The slopes behind `mask * weight`, from the `gradient` by that product: all [rows, width].
///
/// # Panics
/// If lengths differ, or the items are no whole rows.
///
/// ```
/// use tamis_kernels::{job::Job, masked::slopes};
/// let found = slopes(&[1.0, 2.0], &[-3.0, 4.0], &[0, 1], 2, &Job::default()).unwrap();
/// assert_eq!((found.scores, found.weight), (vec![-3.0, 8.0], vec![3.0, 10.0]));
/// ```
pub fn slopes(
    gradient: &[f32],
    weight: &[f32],
    mask: &[u8],
    width: usize,
    job: &Job,
) -> Result<Slopes, Aborted> {
    let n = weight.len();
    assert!(gradient.len() == n && mask.len() == n, "matrices of one shape");
    assert!(n == 0 || (width > 0 && n.is_multiple_of(width)), "whole rows of {width}");
    let mut found = Slopes {
        scores: vec![0.0; n],
        rows: vec![0.0; n.checked_div(width).unwrap_or(0)],
        columns: vec![0.0; width],
        weight: vec![0.0; n],
    };
    if n == 0 {
        return Ok(found);
    }
    let cpu = Cpu::current();
    let band = band(width);
    let work = |(i, ((scores, weights), rows)): (usize, Band<'_>)| {
        job.check()?;
        let mut columns = vec![0.0; width];
        let lines = scores.chunks_exact_mut(width).zip(weights.chunks_exact_mut(width)).zip(rows);
        for (row, ((scores, weights), sum)) in (i * band..).zip(lines) {
            let line = row * width..(row + 1) * width;
            slope_row(
                cpu,
                &gradient[line.clone()],
                &weight[line.clone()],
                &mask[line],
                scores,
                weights,
                &mut columns,
            );
            *sum = sums::sum_f32(scores) as f32;
        }
        Ok(columns)
    };
    let parts = found.scores.par_chunks_mut(band * width).zip(found.weight.par_chunks_mut(band * width));
    let parts = parts.zip(found.rows.par_chunks_mut(band)).enumerate();
    let bands: Vec<Vec<f64>> = threads::pool().install(|| parts.map(work).collect::<Result<_, Aborted>>())?;
    let mut columns = vec![0.0; width];
    for band in bands {
        columns.iter_mut().zip(band).for_each(|(sum, x)| *sum += x);
    }
    found.columns = columns.into_iter().map(|x| x as f32).collect();
    Ok(found)
}

/// Where a band's slopes go: by the scores, by the weight, and the sums of its rows.
type Band<'a> = ((&'a mut [f32], &'a mut [f32]), &'a mut [f32]);

vectorized! {
    fn slope_row(
        cpu: Cpu,
        gradient: &[f32],
        weight: &[f32],
        mask: &[u8],
        scores: &mut [f32],
        weights: &mut [f32],
        columns: &mut [f64],
    ) {
        let n = gradient.len();
        let (weight, mask) = (&weight[..n], &mask[..n]);
        let (scores, weights, columns) = (&mut scores[..n], &mut weights[..n], &mut columns[..n]);
        for i in 0..n {
            let (g, w) = (gradient[i], weight[i]);
            let score = g * w;
            scores[i] = score;
            let sign = f32::from(u8::from(w > 0.0)) - f32::from(u8::from(w < 0.0));
            let kept = if mask[i] != 0 { g } else { 0.0 };
            weights[i] = kept + score * sign;
            columns[i] += f64::from(score);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use crate::threads::on_any_budget;

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0; n];
        Philox::new(seed, 0).normal(&mut out);
        out.into_iter().map(|x| x as f32).collect()
    }

    #[test]
    fn they_are_those_of_the_definition_on_any_budget() {
        for (rows, width) in [(3, 5), (1, 1), (700, 301), (2, tasks::TASK + 3)] {
            let n = rows * width;
            let (weight, product, gradient) = (normal(n, 1), normal(n, 2), normal(n, 3));
            let mask: Vec<u8> = (0..n).map(|i| u8::from(i % 3 > 0)).collect();
            let (lines, columns) = (normal(rows, 4), normal(width, 5));
            let scoring = Scoring {
                weight: &weight,
                product: &product,
                product_factor: 0.5,
                rows: &lines,
                columns: &columns,
                line_factor: 0.25,
            };
            let found = on_any_budget(|| scores(&scoring, &Job::default()).unwrap());
            let slopes = on_any_budget(|| slopes(&gradient, &weight, &mask, width, &Job::default()).unwrap());
            let mut by_column = vec![0.0f64; width];
            for (row, line) in lines.iter().enumerate() {
                let mut by_row = 0.0f64;
                for column in 0..width {
                    let i = row * width + column;
                    let want = weight[i].abs() + 0.5 * product[i] + 0.25 * (line + columns[column]);
                    assert_eq!(found[i], want);
                    let score = gradient[i] * weight[i];
                    assert_eq!(slopes.scores[i], score);
                    assert_eq!(
                        slopes.weight[i],
                        f32::from(mask[i]) * gradient[i] + score * weight[i].signum()
                    );
                    by_row += f64::from(score);
                    by_column[column] += f64::from(score);
                }
                assert!((f64::from(slopes.rows[row]) - by_row).abs() <= 1e-6 * by_row.abs().max(1.0));
            }
            for (got, want) in slopes.columns.iter().zip(by_column) {
                assert!((f64::from(*got) - want).abs() <= 1e-6 * want.abs().max(1.0));
            }
        }
    }

    #[test]
    fn a_weight_of_zero_has_no_sign() {
        let found = slopes(&[2.0, 2.0], &[0.0, -0.0], &[1, 0], 2, &Job::default()).unwrap();
        assert_eq!(found.weight, [2.0, 0.0]);
        assert!(slopes(&[], &[], &[], 0, &Job::default()).unwrap().rows.is_empty());
    }
}
