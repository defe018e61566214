//! Factorisations in float64: eigenvalues of symmetric matrices, singular values, positive definite systems, least
//! squares.
//!
//! Matrices are row-major slices; what comes out is too. The factorisations themselves (blocked Householder,
//! divide and conquer, Cholesky) are faer's, with a number of tasks that is a constant, so that the bits do not depend
//! on the threads that work them off. Input is scaled by a power of two into the middle of the range first. Signs are
//! settled: in each eigenvector and each left singular vector the first component whose magnitude is at least
//! (1 - 1e-6) of the largest is positive. Cost: O(n^3), or O(m n min(m, n)); a stop is seen before a factorisation
//! and after it. About 3 n^2 float64 of memory beside input and output.

use crate::job::{Aborted, Job};
use crate::threads;
use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt;
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::linalg::matmul::matmul;
use faer::linalg::svd::{self, ComputeSvdVectors};
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;
use std::fmt;

/// How far entries may be from symmetric, relative to the largest magnitude.
const SYMMETRIC: f64 = 1e-4;
/// Components that count as the largest of a vector when its sign is settled.
const NEAR_LARGEST: f64 = 1.0 - 1e-6;
/// Singular values below this part of the largest are dropped by [`least_squares`].
const NEGLIGIBLE: f64 = 1e-10;
/// Rows of a block of a Gram matrix; blocks are added in order.
const GRAM_ROWS: usize = 4096;

/// Why a matrix cannot be factored.
#[derive(Debug, Clone, PartialEq)]
pub enum FactorError {
    /// An entry that is NaN or infinite, and its place among all.
    NotFinite {
        value: f64,
        index: usize,
    },
    /// Two entries across the diagonal that differ.
    NotSymmetric {
        row: usize,
        column: usize,
        difference: f64,
    },
    /// A pivot of the Cholesky factor that is not above 0.
    NotPositiveDefinite {
        pivot: usize,
    },
    /// The iteration did not come to an end.
    NoConvergence,
    Aborted,
}

impl fmt::Display for FactorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FactorError::NotFinite { value, index } => {
                write!(f, "must be finite, got {value} at index {index}")
            }
            FactorError::NotSymmetric { row, column, difference } => write!(
                f,
                "must be symmetric, but entries ({row}, {column}) and ({column}, {row}) differ by {difference:e}"
            ),
            FactorError::NotPositiveDefinite { pivot } => {
                write!(f, "must be positive definite, but pivot {pivot} is not above 0")
            }
            FactorError::NoConvergence => write!(f, "cannot be factored: the iteration did not converge"),
            FactorError::Aborted => write!(f, "the operation was aborted"),
        }
    }
}

impl std::error::Error for FactorError {}

impl From<Aborted> for FactorError {
    fn from(_: Aborted) -> Self {
        FactorError::Aborted
    }
}

/// Eigenvalues, largest first, and their vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigen {
    pub values: Vec<f64>,
    /// [n, values], one a column.
    pub vectors: Option<Vec<f64>>,
}

/// A thin singular value decomposition, `A = U diag(s) V^T`.
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    /// Descending.
    pub s: Vec<f64>,
    /// [m, s] and [n, s]: one vector a column.
    pub vectors: Option<(Vec<f64>, Vec<f64>)>,
}

/// The `rank` largest eigenvalues of `(A + A^T) / 2`, A of [n, n], and their vectors if they are asked for.
///
/// ```
/// use tamis_kernels::{factor::eigh, job::Job};
/// let eigen = eigh(&[2.0, 1.0, 1.0, 2.0], 2, 1, true, &Job::default()).unwrap();
/// assert!((eigen.values[0] - 3.0).abs() < 1e-14);
/// ```
///
/// # Panics
/// If the matrix has another shape, or the rank is above n.
pub fn eigh(a: &[f64], n: usize, rank: usize, vectors: bool, job: &Job) -> Result<Eigen, FactorError> {
    assert!(a.len() == n * n && rank <= n, "a matrix of another shape");
    // The factorisations take no empty matrix.
    if n == 0 {
        return Ok(Eigen { values: Vec::new(), vectors: vectors.then(Vec::new) });
    }
    let (scale, back) = scales(a)?;
    check_symmetric(a, n)?;
    let mut matrix = Mat::<f64>::zeros(n, n);
    for i in 0..n {
        for j in 0..=i {
            matrix[(i, j)] = 0.5 * (a[i * n + j] * scale + a[j * n + i] * scale);
        }
    }
    job.check()?;
    let mut values = vec![0.0; n];
    let mut basis = vectors.then(|| Mat::<f64>::zeros(n, n));
    let compute = if vectors { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let par = Par::Seq;
    in_scratch(evd::self_adjoint_evd_scratch::<f64>(n, compute, par, Default::default()), |stack| {
        let values = DiagMut::from_slice_mut(&mut values);
        let basis = basis.as_mut().map(Mat::as_mut);
        evd::self_adjoint_evd(matrix.as_ref(), values, basis, par, stack, Default::default())
    })
    .map_err(|_| FactorError::NoConvergence)?;
    job.check()?;
    // Ascending here, descending there.
    let values: Vec<f64> = values.iter().rev().take(rank).map(|value| value * back).collect();
    let vectors = basis.map(|basis| {
        let signs: Vec<f64> = (0..rank).map(|j| sign(basis.as_ref(), n - 1 - j)).collect();
        row_major(n, rank, |i, j| signs[j] * basis[(i, n - 1 - j)])
    });
    Ok(Eigen { values, vectors })
}

/// The `rank` largest singular values of A, [m, n], and their vectors if they are asked for.
///
/// # Panics
/// If the matrix has another shape, or the rank is above min(m, n).
pub fn svd(a: &[f64], m: usize, n: usize, rank: usize, vectors: bool, job: &Job) -> Result<Svd, FactorError> {
    assert!(a.len() == m * n && rank <= m.min(n), "a matrix of another shape");
    job.check()?;
    let Thin { s, u, v } = thin_svd(a, m, n, vectors)?;
    job.check()?;
    let s = s[..rank].to_vec();
    let vectors = vectors.then(|| {
        let signs: Vec<f64> = (0..rank).map(|j| sign(u.as_ref(), j)).collect();
        let turned = |matrix: &Mat<f64>, rows: usize| row_major(rows, rank, |i, j| signs[j] * matrix[(i, j)]);
        (turned(&u, m), turned(&v, n))
    });
    Ok(Svd { s, vectors })
}

struct Thin {
    s: Vec<f64>,
    u: Mat<f64>,
    v: Mat<f64>,
}

fn thin_svd(a: &[f64], m: usize, n: usize, vectors: bool) -> Result<Thin, FactorError> {
    let (scale, back) = scales(a)?;
    let size = m.min(n);
    let matrix = Mat::from_fn(m, n, |i, j| a[i * n + j] * scale);
    let mut s = vec![0.0; size];
    let kept = if vectors { size } else { 0 };
    let (mut u, mut v) = (Mat::<f64>::zeros(m, kept), Mat::<f64>::zeros(n, kept));
    if size == 0 {
        return Ok(Thin { s, u, v });
    }
    let compute = if vectors { ComputeSvdVectors::Thin } else { ComputeSvdVectors::No };
    let par = Par::Seq;
    let request = svd::svd_scratch::<f64>(m, n, compute, compute, par, Default::default());
    in_scratch(request, |stack| {
        let (u, v) = (vectors.then_some(u.as_mut()), vectors.then_some(v.as_mut()));
        svd::svd(matrix.as_ref(), DiagMut::from_slice_mut(&mut s), u, v, par, stack, Default::default())
    })
    .map_err(|_| FactorError::NoConvergence)?;
    s.iter_mut().for_each(|s| *s *= back);
    Ok(Thin { s, u, v })
}

/// X of `(A + ridge I) X = B`: A is [n, n], symmetric positive definite (its lower triangle is read), B is [n, m].
///
/// # Panics
/// If the matrices have other shapes.
pub fn solve(
    a: &[f64],
    n: usize,
    b: &[f64],
    m: usize,
    ridge: f64,
    job: &Job,
) -> Result<Vec<f64>, FactorError> {
    assert!(a.len() == n * n && b.len() == n * m, "matrices of other shapes");
    check_finite(a)?;
    let matrix = Mat::from_fn(n, n, |i, j| a[i * n + j]);
    cholesky_solve(matrix, b, m, ridge, job)
}

fn cholesky_solve(
    mut a: Mat<f64>,
    b: &[f64],
    m: usize,
    ridge: f64,
    job: &Job,
) -> Result<Vec<f64>, FactorError> {
    check_finite(b)?;
    let n = a.nrows();
    if n == 0 || m == 0 {
        return Ok(Vec::new());
    }
    (0..n).for_each(|i| a[(i, i)] += ridge);
    job.check()?;
    let par = Par::Seq;
    in_scratch(llt::factor::cholesky_in_place_scratch::<f64>(n, par, Default::default()), |stack| {
        llt::factor::cholesky_in_place(a.as_mut(), Default::default(), par, stack, Default::default())
    })
    .map_err(|llt::factor::LltError::NonPositivePivot { index }| FactorError::NotPositiveDefinite {
        pivot: index,
    })?;
    // An infinite diagonal has an infinite pivot, which no division gives away.
    if let Some(pivot) = (0..n).find(|&i| !(a[(i, i)].is_finite() && a[(i, i)] > 0.0)) {
        return Err(FactorError::NotPositiveDefinite { pivot });
    }
    let mut x = Mat::from_fn(n, m, |i, j| b[i * m + j]);
    in_scratch(llt::solve::solve_in_place_scratch::<f64>(n, m, par), |stack| {
        llt::solve::solve_in_place(a.as_ref(), x.as_mut(), par, stack);
    });
    job.check()?;
    Ok(row_major(n, m, |i, j| x[(i, j)]))
}

/// The W, [p, q], that minimises `||X W - Y||^2 + ridge ||W||^2`: X is [n, p], Y is [n, q].
///
/// With a ridge by Cholesky of `X^T X + ridge I`, which is summed in blocks of 4,096 rows in order; without by
/// singular values, those up to 1e-10 of the largest dropped (the shortest solution).
///
/// # Panics
/// If the matrices have other shapes.
pub fn least_squares(
    x: &[f64],
    y: &[f64],
    [n, p, q]: [usize; 3],
    ridge: f64,
    job: &Job,
) -> Result<Vec<f64>, FactorError> {
    assert!(x.len() == n * p && y.len() == n * q, "matrices of other shapes");
    check_finite(x)?;
    check_finite(y)?;
    if ridge > 0.0 {
        let gram = product(x, p, x, p, job)?;
        let right = product(x, p, y, q, job)?;
        let right = row_major(p, q, |i, j| right[(i, j)]);
        return cholesky_solve(gram, &right, q, ridge, job);
    }
    job.check()?;
    let Thin { s, u, v } = thin_svd(x, n, p, true)?;
    job.check()?;
    let first = s.first().copied().unwrap_or(0.0);
    let inverse: Vec<f64> = s.iter().map(|&s| if s > NEGLIGIBLE * first { 1.0 / s } else { 0.0 }).collect();
    let right = MatRef::from_row_major_slice(y, n, q);
    let mut inner = Mat::<f64>::zeros(s.len(), q);
    matmul(inner.as_mut(), Accum::Replace, u.transpose(), right, 1.0, Par::Seq);
    for j in 0..q {
        for (i, inverse) in inverse.iter().enumerate() {
            inner[(i, j)] *= inverse;
        }
    }
    let mut w = Mat::<f64>::zeros(p, q);
    matmul(w.as_mut(), Accum::Replace, v.as_ref(), inner.as_ref(), 1.0, Par::Seq);
    Ok(row_major(p, q, |i, j| w[(i, j)]))
}

/// `X^T Y` for X of [n, p] and Y of [n, q]: blocks of rows on the shared pool, added in order.
fn product(x: &[f64], p: usize, y: &[f64], q: usize, job: &Job) -> Result<Mat<f64>, Aborted> {
    let mut sum = Mat::<f64>::zeros(p, q);
    if p == 0 || q == 0 {
        return Ok(sum);
    }
    let blocks: Vec<_> = x.chunks(GRAM_ROWS * p).zip(y.chunks(GRAM_ROWS * q)).collect();
    for batch in blocks.chunks(threads::threads()) {
        job.check()?;
        let block = |&(x, y): &(&[f64], &[f64])| {
            let rows = x.len() / p;
            let mut part = Mat::<f64>::zeros(p, q);
            let x = MatRef::from_row_major_slice(x, rows, p);
            let y = MatRef::from_row_major_slice(y, rows, q);
            matmul(part.as_mut(), Accum::Replace, x.transpose(), y, 1.0, Par::Seq);
            part
        };
        let parts: Vec<Mat<f64>> = threads::pool().install(|| batch.par_iter().map(block).collect());
        for part in parts {
            sum += part;
        }
    }
    Ok(sum)
}

/// Refuses entries across the diagonal of [n, n] that differ by more than 1e-4 of the largest magnitude, and what is
/// not finite.
pub(crate) fn check_symmetric(a: &[f64], n: usize) -> Result<(), FactorError> {
    let (scale, back) = scales(a)?;
    let slack = SYMMETRIC * largest(a) * scale;
    for i in 0..n {
        for j in 0..i {
            let difference = (a[i * n + j] * scale - a[j * n + i] * scale).abs();
            if difference > slack {
                return Err(FactorError::NotSymmetric { row: i, column: j, difference: difference * back });
            }
        }
    }
    Ok(())
}

/// Turns each column of a row-major matrix so that its deciding component is positive.
pub(crate) fn settle_signs(x: &mut [f64], columns: usize) {
    if columns == 0 {
        return;
    }
    let matrix = MatRef::from_row_major_slice(&*x, x.len() / columns, columns);
    let signs: Vec<f64> = (0..columns).map(|column| sign(matrix, column)).collect();
    x.chunks_mut(columns).for_each(|row| row.iter_mut().zip(&signs).for_each(|(x, sign)| *x *= sign));
}

fn check_finite(a: &[f64]) -> Result<(), FactorError> {
    match a.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(FactorError::NotFinite { value: a[index], index }),
        None => Ok(()),
    }
}

fn largest(a: &[f64]) -> f64 {
    a.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()))
}

/// The power of two that brings the largest magnitude near 1, and its inverse.
fn scales(a: &[f64]) -> Result<(f64, f64), FactorError> {
    check_finite(a)?;
    // Below and above, a power of two has no normal inverse.
    let exponent = match largest(a) {
        0.0 => 0,
        largest => libm::ilogb(largest).clamp(-1020, 1020),
    };
    Ok((libm::ldexp(1.0, -exponent), libm::ldexp(1.0, exponent)))
}

/// The sign that makes the deciding component of a column positive.
fn sign(matrix: MatRef<'_, f64>, column: usize) -> f64 {
    let column = matrix.col(column);
    let largest = column.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    match column.iter().find(|x| x.abs() >= NEAR_LARGEST * largest) {
        Some(x) if *x < 0.0 => -1.0,
        _ => 1.0,
    }
}

fn row_major(rows: usize, columns: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut out = Vec::with_capacity(rows * columns);
    for i in 0..rows {
        out.extend((0..columns).map(|j| entry(i, j)));
    }
    out
}

fn in_scratch<T>(request: StackReq, work: impl FnOnce(&mut MemStack) -> T) -> T {
    work(MemStack::new(&mut MemBuffer::new(request)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::normals as normal;
    use proptest::prelude::*;

    fn job() -> Job {
        Job::default()
    }

    /// [p, q]: `X^T Y`, term by term.
    fn naive_product(x: &[f64], p: usize, y: &[f64], q: usize) -> Vec<f64> {
        let n = x.len().checked_div(p).unwrap_or(0);
        row_major(p, q, |i, j| (0..n).map(|r| x[r * p + i] * y[r * q + j]).sum())
    }

    fn close(got: &[f64], want: &[f64], slack: f64) {
        assert_eq!(got.len(), want.len());
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            assert!((got - want).abs() <= slack, "{i}: {got}, not {want}");
        }
    }

    fn identity(n: usize) -> Vec<f64> {
        row_major(n, n, |i, j| f64::from(u8::from(i == j)))
    }

    #[test]
    fn eigenvectors_put_the_matrix_together_again() {
        for n in [0, 1, 2, 5, 33, 90] {
            let x = normal(n * n, 1);
            let a = row_major(n, n, |i, j| x[i * n + j] + x[j * n + i]);
            let eigen = eigh(&a, n, n, true, &job()).unwrap();
            let vectors = eigen.vectors.unwrap();
            assert!(eigen.values.is_sorted_by(|a, b| a >= b));
            close(&naive_product(&vectors, n, &vectors, n), &identity(n), 1e-12);
            let whole = row_major(n, n, |i, j| {
                (0..n).map(|k| vectors[i * n + k] * eigen.values[k] * vectors[j * n + k]).sum()
            });
            close(&whole, &a, 1e-11);
            let few = eigh(&a, n, n / 2, true, &job()).unwrap();
            assert_eq!(few.values, eigen.values[..n / 2]);
            assert_eq!(few.vectors.unwrap(), row_major(n, n / 2, |i, j| vectors[i * n + j]));
            close(&eigh(&a, n, n, false, &job()).unwrap().values, &eigen.values, 1e-11);
        }
    }

    #[test]
    fn singular_vectors_put_the_matrix_together_again() {
        for (m, n) in [(0, 3), (1, 1), (9, 4), (4, 9), (60, 31), (31, 60), (40, 40)] {
            let a = normal(m * n, 2);
            let r = m.min(n);
            let Svd { s, vectors } = svd(&a, m, n, r, true, &job()).unwrap();
            let (u, v) = vectors.unwrap();
            close(&naive_product(&u, r, &u, r), &identity(r), 1e-12);
            close(&naive_product(&v, r, &v, r), &identity(r), 1e-12);
            let whole = row_major(m, n, |i, j| (0..r).map(|k| u[i * r + k] * s[k] * v[j * r + k]).sum());
            close(&whole, &a, 1e-12);
        }
    }

    #[test]
    fn singular_values_of_nothing_have_whole_bases() {
        for (m, n) in [(6, 4), (4, 6)] {
            let Svd { s, vectors } = svd(&vec![0.0; m * n], m, n, 4, true, &job()).unwrap();
            let (u, v) = vectors.unwrap();
            assert_eq!(s, [0.0; 4]);
            close(&naive_product(&u, 4, &u, 4), &identity(4), 1e-12);
            close(&naive_product(&v, 4, &v, 4), &identity(4), 1e-12);
        }
    }

    #[test]
    fn the_deciding_component_is_positive() {
        let vectors = eigh(&[0.0, -1.0, -1.0, 0.0], 2, 2, true, &job()).unwrap().vectors.unwrap();
        let half = std::f64::consts::FRAC_1_SQRT_2;
        // Both components are as large: the first decides.
        close(&vectors, &[half, half, -half, half], 1e-12);
    }

    #[test]
    fn the_ends_of_the_range_are_scaled_away() {
        for scale in [1e-300, 1e300, f64::MIN_POSITIVE / 8.0] {
            let values = eigh(&[2.0 * scale, scale, scale, 2.0 * scale], 2, 2, true, &job()).unwrap().values;
            close(&[values[0] / scale, values[1] / scale], &[3.0, 1.0], 1e-14);
            let s = svd(&[3.0 * scale, 0.0, 4.0 * scale, 0.0], 2, 2, 2, true, &job()).unwrap().s;
            close(&[s[0] / scale, s[1] / scale], &[5.0, 0.0], 1e-14);
        }
    }

    #[test]
    fn systems_are_solved() {
        for (n, m) in [(0, 2), (1, 1), (5, 0), (7, 3), (70, 2)] {
            let x = normal(n * n, 3);
            let mut a = naive_product(&x, n, &x, n);
            (0..n).for_each(|i| a[i * n + i] += 1.0);
            let b = normal(n * m, 4);
            let got = solve(&a, n, &b, m, 0.5, &job()).unwrap();
            (0..n).for_each(|i| a[i * n + i] += 0.5);
            let back = row_major(n, m, |i, j| (0..n).map(|k| a[i * n + k] * got[k * m + j]).sum());
            close(&back, &b, 1e-10);
        }
    }

    #[test]
    fn least_squares_with_and_without_a_ridge() {
        let [n, p, q] = [30, 6, 2];
        let (x, y) = (normal(n * p, 5), normal(n * q, 6));
        let mut gram = naive_product(&x, p, &x, p);
        let right = naive_product(&x, p, &y, q);
        let plain = solve(&gram, p, &right, q, 0.0, &job()).unwrap();
        close(&least_squares(&x, &y, [n, p, q], 0.0, &job()).unwrap(), &plain, 1e-12);
        (0..p).for_each(|i| gram[i * p + i] += 2.0);
        let ridged = solve(&gram, p, &right, q, 0.0, &job()).unwrap();
        close(&least_squares(&x, &y, [n, p, q], 2.0, &job()).unwrap(), &ridged, 1e-12);
        // Two equal columns share the weight; of nothing there is nothing.
        let w = least_squares(&[1.0, 1.0, 2.0, 2.0], &[2.0, 4.0], [2, 2, 1], 0.0, &job()).unwrap();
        close(&w, &[1.0, 1.0], 1e-14);
        assert_eq!(least_squares(&[0.0; 4], &[1.0; 2], [2, 2, 1], 0.0, &job()).unwrap(), [0.0, 0.0]);
        assert_eq!(least_squares(&[], &[], [0, 2, 1], 0.0, &job()).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_factored_is_refused() {
        assert_eq!(
            eigh(&[0.0, 1.0, 1.01, 0.0], 2, 2, true, &job()).unwrap_err().to_string(),
            "must be symmetric, but entries (1, 0) and (0, 1) differ by 1.0000000000000009e-2"
        );
        assert!(eigh(&[0.0, 1.0, 1.00009, 0.0], 2, 2, true, &job()).is_ok());
        let nan = FactorError::NotFinite { value: f64::INFINITY, index: 1 };
        assert_eq!(svd(&[0.0, f64::INFINITY], 1, 2, 1, true, &job()), Err(nan.clone()));
        assert_eq!(solve(&[1.0], 1, &[0.0, f64::INFINITY], 2, 0.0, &job()), Err(nan));
        for (a, pivot) in [([1.0, 2.0, 2.0, 1.0], 1), ([0.0, 0.0, 0.0, 1.0], 0), ([-1.0, 0.0, 0.0, 1.0], 0)] {
            let want = FactorError::NotPositiveDefinite { pivot };
            assert_eq!(solve(&a, 2, &[1.0, 1.0], 1, 0.0, &job()), Err(want));
        }
        let stopped = job();
        stopped.stop();
        assert_eq!(eigh(&[1.0], 1, 1, true, &stopped), Err(FactorError::Aborted));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let (n, p) = (3 * GRAM_ROWS + 77, 12);
        let (x, y) = (normal(n * p, 7), normal(n, 8));
        let a = normal(200 * 200, 9);
        let a = row_major(200, 200, |i, j| a[i * 200 + j] + a[j * 200 + i]);
        let run = |threads: usize| {
            let pool = crate::threads::Budget::of(threads);
            pool.install(|| {
                (
                    least_squares(&x, &y, [n, p, 1], 1.0, &job()),
                    least_squares(&x, &y, [n, p, 1], 0.0, &job()),
                    eigh(&a, 200, 200, true, &job()),
                    svd(&x, n, p, p, true, &job()),
                )
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(7));
    }

    proptest! {
        #[test]
        fn the_sum_of_the_eigenvalues_is_the_trace(n in 1usize..12, seed: u64) {
            let x = normal(n * n, seed);
            let a = row_major(n, n, |i, j| x[i * n + j] + x[j * n + i]);
            let trace: f64 = (0..n).map(|i| a[i * n + i]).sum();
            let eigen = eigh(&a, n, n, true, &job()).unwrap();
            prop_assert!((eigen.values.iter().sum::<f64>() - trace).abs() < 1e-11);
        }
    }
}
