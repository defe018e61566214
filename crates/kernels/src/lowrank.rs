//! The matrix of low rank that is nearest to another where inputs of known second moments go through both.
//!
//! For D of [m, n] and H of [n, n], symmetric and positive semidefinite, `B A` of rank r minimises
//! `trace((D - B A) H (D - B A)^T)`: B A is D projected on the r strongest eigenvectors of `D H D^T`, or, if m > n, on
//! the same found from the other side. No H means the identity, which is the truncated singular value decomposition.
//! In float64. Cost: O(m n min(m, n)) in products on the shared pool, whose bits do not depend on its threads, and
//! an eigendecomposition of the smaller side (of H too if m > n).

use crate::factor::{self, Eigen, FactorError};
use crate::gemm::{Matrix, multiply};
use crate::job::Job;

/// Directions whose strength is at most this part of the strongest one's are left out.
const NEGLIGIBLE: f64 = 1e-7;

/// A product of rank r, and how far from the matrix it is.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    /// [r, n]: the square root of each direction's strength is in both factors.
    pub a: Vec<f64>,
    /// [m, r]: in each column the first component of (nearly) the largest magnitude is positive.
    pub b: Vec<f64>,
    /// `sqrt(trace(D H D^T))`
    pub before: f64,
    /// The same of `D - B A`.
    pub after: f64,
}

/// The factors of `difference`, [m, n], of `rank` at most min(m, n).
///
/// ```
/// use tamis_kernels::{job::Job, lowrank::low_rank};
/// let found = low_rank(&[4.0, 0.0, 0.0, 1.0], [2, 2], None, 1, &Job::default()).unwrap();
/// assert!((found.b[0] * found.a[0] - 4.0).abs() < 1e-12 && (found.after - 1.0).abs() < 1e-12);
/// ```
///
/// # Panics
/// If the matrices have other shapes, or the rank is above both sides.
pub fn low_rank(
    difference: &[f64],
    [m, n]: [usize; 2],
    second_moments: Option<&[f64]>,
    rank: usize,
    job: &Job,
) -> Result<LowRank, FactorError> {
    assert!(difference.len() == m * n && rank <= m.min(n), "a matrix of another shape");
    if m == 0 || n == 0 {
        return Ok(LowRank { a: Vec::new(), b: Vec::new(), before: 0.0, after: 0.0 });
    }
    let Directions { strengths, u, before } = if m <= n {
        left(difference, [m, n], second_moments, rank, job)?
    } else {
        right(difference, [m, n], second_moments, rank, job)?
    };
    job.check()?;
    let after = strengths[rank..].iter().map(|s| s * s).sum::<f64>().sqrt();
    let kept = |i: usize| strengths[i] > NEGLIGIBLE * strengths[0];
    let root: Vec<f64> = (0..rank).map(|i| if kept(i) { strengths[i].sqrt() } else { 0.0 }).collect();
    let mut b = u;
    b.chunks_mut(rank.max(1)).for_each(|row| row.iter_mut().zip(&root).for_each(|(b, root)| *b *= root));
    // B carries the root of the strength; A is U^T D over it.
    let turned: Vec<f64> = (0..rank * m)
        .map(|at| (at / m, at % m))
        .map(|(i, row)| if kept(i) { b[row * rank + i] / strengths[i] } else { 0.0 })
        .collect();
    let a = product(Matrix::new(&turned, rank, m), Matrix::new(difference, m, n), job)?;
    Ok(LowRank { a, b, before, after })
}

/// Output directions, strongest first.
struct Directions {
    /// Of all.
    strengths: Vec<f64>,
    /// [m, rank], signs settled.
    u: Vec<f64>,
    before: f64,
}

/// From the eigenvectors of `D H D^T`.
fn left(
    d: &[f64],
    [m, n]: [usize; 2],
    h: Option<&[f64]>,
    rank: usize,
    job: &Job,
) -> Result<Directions, FactorError> {
    let moved = match h {
        Some(h) => {
            factor::check_symmetric(h, n)?;
            product(Matrix::new(d, m, n), Matrix::new(h, n, n), job)?
        }
        None => d.to_vec(),
    };
    let g = product(Matrix::new(&moved, m, n), Matrix::new(d, m, n).transpose(), job)?;
    let g = symmetrized(&g, m);
    let Eigen { values, vectors } = factor::eigh(&g, m, m, true, job)?;
    let vectors = vectors.expect("vectors that were asked for");
    let u = vectors.chunks(m).flat_map(|row| &row[..rank]).copied().collect();
    Ok(Directions { strengths: roots(&values), u, before: trace(&g, m).max(0.0).sqrt() })
}

/// From the eigenvectors of `sqrt(L) Q^T D^T D Q sqrt(L)`, where `H = Q L Q^T`.
fn right(
    d: &[f64],
    [m, n]: [usize; 2],
    h: Option<&[f64]>,
    rank: usize,
    job: &Job,
) -> Result<Directions, FactorError> {
    let moved = match h {
        Some(h) => {
            let Eigen { values, vectors } = factor::eigh(h, n, n, true, job)?;
            let mut basis = vectors.expect("vectors that were asked for");
            let roots = roots(&values);
            basis.chunks_mut(n).for_each(|row| row.iter_mut().zip(&roots).for_each(|(q, root)| *q *= root));
            product(Matrix::new(d, m, n), Matrix::new(&basis, n, n), job)?
        }
        None => d.to_vec(),
    };
    let side = Matrix::new(&moved, m, n);
    let g = symmetrized(&product(side.transpose(), side, job)?, n);
    let Eigen { values, vectors } = factor::eigh(&g, n, n, true, job)?;
    let vectors = vectors.expect("vectors that were asked for");
    let strengths = roots(&values);
    let right: Vec<f64> =
        (0..n * rank)
            .map(|at| (at / rank, at % rank))
            .map(|(i, j)| {
                if strengths[j] > NEGLIGIBLE * strengths[0] { vectors[i * n + j] / strengths[j] } else { 0.0 }
            })
            .collect();
    let mut u = product(side, Matrix::new(&right, n, rank), job)?;
    factor::settle_signs(&mut u, rank);
    Ok(Directions { strengths, u, before: trace(&g, n).max(0.0).sqrt() })
}

fn roots(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.max(0.0).sqrt()).collect()
}

fn trace(g: &[f64], n: usize) -> f64 {
    (0..n).map(|i| g[i * n + i]).sum()
}

fn symmetrized(g: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|at| 0.5 * (g[at] + g[at % n * n + at / n])).collect()
}

/// A product of the two, which the thread count does not show in.
fn product(left: Matrix<'_, f64>, right: Matrix<'_, f64>, job: &Job) -> Result<Vec<f64>, FactorError> {
    Ok(multiply(left, right, 1.0, None, job)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gram::gram;
    use crate::philox::normals as normal;
    use crate::threads;
    use proptest::prelude::*;

    /// `sqrt(trace(E H E^T))`, term by term.
    fn norm(e: &[f64], n: usize, h: Option<&[f64]>) -> f64 {
        let weight = |i: usize, j: usize| h.map_or(f64::from(u8::from(i == j)), |h| h[i * n + j]);
        let pair = |row: &[f64]| -> f64 {
            (0..n * n).map(|at| row[at / n] * weight(at / n, at % n) * row[at % n]).sum()
        };
        e.chunks(n).map(pair).sum::<f64>().max(0.0).sqrt()
    }

    fn rest(d: &[f64], [m, n]: [usize; 2], found: &LowRank, rank: usize) -> Vec<f64> {
        let entry = |i: usize, j: usize| -> f64 {
            (0..rank).map(|r| found.b[i * rank + r] * found.a[r * n + j]).sum()
        };
        (0..m * n).map(|at| d[at] - entry(at / n, at % n)).collect()
    }

    fn check(m: usize, n: usize, rows: usize, rank: usize, seed: u64) {
        let d = normal(m * n, seed);
        let h = (rows > 0).then(|| gram(&normal(rows * n, seed + 1), n, &Job::default()).unwrap());
        let found = low_rank(&d, [m, n], h.as_deref(), rank, &Job::default()).unwrap();
        let left = rest(&d, [m, n], &found, rank);
        let before = norm(&d, n, h.as_deref());
        assert!((found.before - before).abs() < 1e-9 * (1.0 + before));
        let after = norm(&left, n, h.as_deref());
        assert!((found.after - after).abs() < 2e-6 * before, "{} {after}", found.after);
        // No other product of this rank is nearer: a step along any direction leads away.
        for nudge in 0..4 {
            let [a, b] =
                [(rank * n, 7), (m * rank, 8)].map(|(n, stream)| normal(n, seed + stream + 10 * nudge));
            let moved = |x: &[f64], by: &[f64]| x.iter().zip(by).map(|(x, by)| x + 0.03 * by).collect();
            let other = LowRank { a: moved(&found.a, &a), b: moved(&found.b, &b), ..found.clone() };
            let after = norm(&rest(&d, [m, n], &other, rank), n, h.as_deref());
            assert!(after >= found.after - 2e-6 * before, "{after} {}", found.after);
        }
    }

    #[test]
    fn both_sides_find_the_same() {
        let (m, n, rank) = (9, 6, 3);
        let d = normal(m * n, 4);
        let h = gram(&normal(40 * n, 5), n, &Job::default()).unwrap();
        for h in [None, Some(h.as_slice())] {
            let [one, two] = [left, right].map(|side| side(&d, [m, n], h, rank, &Job::default()).unwrap());
            assert!(one.u.iter().zip(&two.u).all(|(a, b)| (a - b).abs() < 1e-9));
            assert!(one.strengths.iter().zip(&two.strengths).take(n).all(|(a, b)| (a - b).abs() < 1e-6));
            assert!((one.before - two.before).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_to_approximate() {
        let zero = low_rank(&[0.0; 6], [2, 3], None, 2, &Job::default()).unwrap();
        assert_eq!(zero, LowRank { a: vec![0.0; 6], b: vec![0.0; 4], before: 0.0, after: 0.0 });
        let none = low_rank(&[], [0, 3], None, 0, &Job::default()).unwrap();
        assert!(none.a.is_empty() && none.b.is_empty());
    }

    #[test]
    fn second_moments_that_are_none() {
        let bad = low_rank(&[1.0; 2], [1, 2], Some(&[1.0, 0.5, 0.0, 1.0]), 1, &Job::default());
        assert!(matches!(bad, Err(FactorError::NotSymmetric { .. })));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let (d, h) = (normal(300 * 150, 6), gram(&normal(200 * 150, 7), 150, &Job::default()).unwrap());
        threads::on_any_budget(|| low_rank(&d, [300, 150], Some(&h), 9, &Job::default()).unwrap());
        threads::on_any_budget(|| {
            low_rank(&d[..150 * 140], [140, 150], Some(&h), 9, &Job::default()).unwrap()
        });
    }

    proptest! {
        #[test]
        fn the_product_is_the_nearest_of_its_rank(
            m in 1usize..9, n in 1usize..9, rows in 0usize..12, rank in 1usize..9, seed in 0u64..1000,
        ) {
            check(m, n, rows, rank.min(m).min(n), seed);
        }
    }
}
