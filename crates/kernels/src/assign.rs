//! The linear sum assignment: each row its own column, so that the sum of costs is least.
//!
//! Exact, in float64, by shortest augmenting paths over the rows in order with row and column prices (the Hungarian
//! method as Jonker and Volgenant arrange it: "A shortest augmenting path algorithm for dense and sparse linear
//! assignment problems", Computing 38, 1987). Where several assignments are best it finds one of them, always the
//! same for the same costs. Cost: O(n^2 * m) time, O(n + m) memory beside the costs; on one thread.

use crate::job::{Aborted, Job};
use crate::sums;

/// No row, or no column.
const NONE: usize = usize::MAX;

/// Above this the costs are scaled down, by a power of two, so that no sum of theirs overflows.
const LARGE: f64 = 1e200;
const SCALE: f64 = f64::from_bits((1023 - 400) << 52);

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The column of each row.
    pub columns: Vec<u32>,
    /// The sum of their costs.
    pub total: f64,
}

/// The assignment of least sum, or of the largest; `cost` is [rows, columns], row-major.
///
/// # Panics
/// If there are more rows than columns, or if the costs are not as many as both say. Costs must be finite.
///
/// ```
/// use tamis_kernels::{assign::assign, job::Job};
/// let found = assign(&[4.0, 1.0, 3.0, 2.0, 0.0, 5.0], 2, 3, false, &Job::default()).unwrap();
/// assert_eq!((found.columns, found.total), (vec![1, 0], 3.0));
/// ```
pub fn assign(
    cost: &[f64],
    rows: usize,
    columns: usize,
    maximize: bool,
    job: &Job,
) -> Result<Assignment, Aborted> {
    assert!(rows <= columns, "more rows than columns");
    assert_eq!(cost.len(), rows * columns, "costs of another shape");
    let largest = cost.iter().fold(0.0f64, |largest, c| largest.max(c.abs()));
    let scale = if largest > LARGE { SCALE } else { 1.0 };
    let mut search = Search {
        cost,
        factor: if maximize { -scale } else { scale },
        row_price: vec![0.0; rows],
        column_price: vec![0.0; columns],
        column_of: vec![NONE; rows],
        row_of: vec![NONE; columns],
        distance: vec![0.0; columns],
        parent: vec![NONE; columns],
        open: Vec::with_capacity(columns),
        closed: Vec::with_capacity(columns),
    };
    for row in 0..rows {
        job.check()?;
        search.augment(row);
    }
    let columns_of = search.column_of;
    let total = sums::sum_by(rows, |row| cost[row * columns + columns_of[row]]);
    Ok(Assignment { columns: columns_of.into_iter().map(|j| j as u32).collect(), total })
}

struct Search<'a> {
    cost: &'a [f64],
    factor: f64,
    row_price: Vec<f64>,
    column_price: Vec<f64>,
    column_of: Vec<usize>,
    row_of: Vec<usize>,
    /// Of the shortest path to each column.
    distance: Vec<f64>,
    /// The row from which that path comes.
    parent: Vec<usize>,
    /// Columns whose shortest path is not known yet, ascending.
    open: Vec<usize>,
    /// The others, in the order in which they became known, each with its distance.
    closed: Vec<(usize, f64)>,
}

impl Search<'_> {
    /// Gives `start` a column along the shortest path, and the rows on the way their next one.
    fn augment(&mut self, start: usize) {
        let columns = self.row_of.len();
        self.open.clear();
        self.open.extend(0..columns);
        self.closed.clear();
        self.distance.fill(f64::INFINITY);
        let mut row = start;
        let mut reached = 0.0;
        let sink = loop {
            let costs = &self.cost[row * columns..(row + 1) * columns];
            let offset = reached - self.row_price[row];
            let (mut least, mut at) = (f64::INFINITY, NONE);
            for (place, &j) in self.open.iter().enumerate() {
                let through = offset + (self.factor * costs[j] - self.column_price[j]);
                if through < self.distance[j] {
                    self.distance[j] = through;
                    self.parent[j] = row;
                }
                // Of equal paths one that ends here, so that the search is short.
                let d = self.distance[j];
                if d < least || (d == least && self.row_of[j] == NONE && self.row_of[self.open[at]] != NONE) {
                    (least, at) = (d, place);
                }
            }
            let column = self.open.remove(at);
            self.closed.push((column, least));
            reached = least;
            if self.row_of[column] == NONE {
                break column;
            }
            row = self.row_of[column];
        };
        self.row_price[start] += reached;
        for &(column, distance) in &self.closed[..self.closed.len() - 1] {
            self.row_price[self.row_of[column]] += reached - distance;
            self.column_price[column] -= reached - distance;
        }
        let mut column = sink;
        loop {
            let row = self.parent[column];
            self.row_of[column] = row;
            let next = std::mem::replace(&mut self.column_of[row], column);
            if row == start {
                return;
            }
            column = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The least sum over every choice of columns.
    fn naive(cost: &[f64], rows: usize, columns: usize, taken: &mut Vec<bool>) -> f64 {
        let row = taken.iter().filter(|&&t| t).count();
        if row == rows {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for j in 0..columns {
            if !taken[j] {
                taken[j] = true;
                best = best.min(cost[row * columns + j] + naive(cost, rows, columns, taken));
                taken[j] = false;
            }
        }
        best
    }

    #[test]
    fn nothing_to_assign() {
        let found = assign(&[], 0, 5, false, &Job::default()).unwrap();
        assert_eq!(found, Assignment { columns: vec![], total: 0.0 });
    }

    #[test]
    fn extreme_costs_stay_finite() {
        let found = assign(&[1e308, -1e308, -1e308, 1e308], 2, 2, false, &Job::default()).unwrap();
        assert_eq!(found.columns, [1, 0]);
    }

    #[test]
    fn a_stopped_job_ends_it() {
        let job = Job::default();
        job.stop();
        assert_eq!(assign(&[1.0], 1, 1, false, &job), Err(Aborted));
    }

    proptest! {
        #[test]
        fn the_sum_is_the_least(
            rows in 0usize..5, more in 0usize..3, costs in prop::collection::vec(-20i32..20, 48), maximize: bool
        ) {
            let columns = rows + more;
            let cost: Vec<f64> = costs[..rows * columns].iter().map(|&c| f64::from(c)).collect();
            let found = assign(&cost, rows, columns, maximize, &Job::default()).unwrap();
            prop_assert_eq!(found.columns.iter().collect::<std::collections::BTreeSet<_>>().len(), rows);
            let sign = if maximize { -1.0 } else { 1.0 };
            let signed: Vec<f64> = cost.iter().map(|c| sign * c).collect();
            prop_assert_eq!(sign * found.total, naive(&signed, rows, columns, &mut vec![false; columns]));
        }
    }
}
