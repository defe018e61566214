//! New centres: the weighted means of their rows.

use super::{Data, divide_by_norm};
use crate::distance::Real;
use crate::sums::{RowSums, sum_by};
use rayon::prelude::*;

/// Rows by their clusters, each cluster's in ascending order.
#[derive(Default)]
pub struct Members {
    rows: Vec<u32>,
    /// The rows of cluster j are `starts[j]..starts[j + 1]`.
    starts: Vec<usize>,
}

impl Members {
    /// Takes in the labels of rows 0..n.
    pub fn sort(&mut self, labels: &[u32], k: usize) {
        self.starts.clear();
        self.starts.resize(k + 2, 0);
        labels.iter().for_each(|&label| self.starts[label as usize + 2] += 1);
        (2..k + 2).for_each(|j| self.starts[j] += self.starts[j - 1]);
        self.rows.resize(labels.len(), 0);
        for (row, &label) in labels.iter().enumerate() {
            let next = &mut self.starts[label as usize + 1];
            self.rows[*next] = row as u32;
            *next += 1;
        }
        self.starts.truncate(k + 1);
    }

    pub fn of(&self, cluster: usize) -> &[u32] {
        &self.rows[self.starts[cluster]..self.starts[cluster + 1]]
    }
}

/// Sets a centre to the mean of its rows, if there are any; on the sphere a zero mean keeps it.
pub fn set_mean<T: Real>(data: &Data<T>, rows: &[u32], center: &mut [T]) {
    if rows.is_empty() {
        return;
    }
    let (sums, weight) = weighted_sums(data, rows);
    let mut mean: Vec<T> = sums.into_iter().map(|sum| T::from_f64(sum / weight)).collect();
    if !data.spherical || divide_by_norm(&mut mean, data.arithmetic) {
        center.copy_from_slice(&mean);
    }
}

/// The weighted sums of rows by feature, and the sum of their weights.
pub fn weighted_sums<T: Real>(data: &Data<T>, rows: &[u32]) -> (Vec<f64>, f64) {
    let mut sums = RowSums::new(data.x.width());
    rows.iter().for_each(|&row| sums.add(data.x.row(row as usize), data.weight(row as usize)));
    (sums.finish(), sum_by(rows.len(), |i| data.weight(rows[i] as usize)))
}

/// What the rows are like as a whole.
pub struct Moments {
    pub means: Vec<f64>,
    /// The mean over features of the population variance.
    pub variance: f64,
}

impl Moments {
    pub fn of<T: Real>(data: &Data<T>) -> Self {
        let (n, width) = (data.x.count(), data.x.width());
        let means: Vec<f64> = sums_of_rows(data, |x, _| x).into_iter().map(|sum| sum / n as f64).collect();
        let squares = sums_of_rows(data, |x, j| (x - means[j]) * (x - means[j]));
        let variance = sum_by(width, |j| squares[j] / n as f64) / width as f64;
        Moments { means, variance }
    }
}

/// The sums over all rows of `term(item, feature)`, feature by feature.
fn sums_of_rows<T: Real>(data: &Data<T>, term: impl Fn(f64, usize) -> f64 + Sync) -> Vec<f64> {
    const BLOCK: usize = crate::sums::BLOCK;
    let (n, width) = (data.x.count(), data.x.width());
    let block = |b: usize| {
        let mut sums = RowSums::new(width);
        let mut terms = vec![0.0; width];
        for i in b * BLOCK..n.min((b + 1) * BLOCK) {
            for (j, (to, &x)) in terms.iter_mut().zip(data.x.row(i)).enumerate() {
                *to = term(x.into(), j);
            }
            sums.add(&terms, 1.0);
        }
        sums.finish()
    };
    let blocks: Vec<Vec<f64>> = (0..n.div_ceil(BLOCK)).into_par_iter().map(block).collect();
    let mut totals = vec![0.0; width];
    for block in blocks {
        totals.iter_mut().zip(block).for_each(|(total, block)| *total += block);
    }
    totals
}
