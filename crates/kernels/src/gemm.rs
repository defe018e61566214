//! Products of two matrices, in the type of their items.
//!
//! Bands of rows of the result are products of their own, side by side on the shared pool; how they are cut depends on
//! the shape alone, so the bits do not depend on the threads. Cost: `rows * inner * columns` multiply-adds; no memory
//! beside the result but the panels of the product.

use crate::convolve::Item;
use crate::job::{Aborted, Job};
use crate::threads;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// The result is cut into about so many bands, each of so many rows.
const BANDS: usize = 16;
const ROWS: RangeInclusive<usize> = 16..=256;

/// A row-major matrix, [rows, columns], its rows `stride` items apart, taken as it is or transposed.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
    pub transposed: bool,
}

impl<'a, T> Matrix<'a, T> {
    /// # Panics
    /// If the data have another shape.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of another shape");
        Matrix { data, rows, columns, stride: columns, transposed: false }
    }

    /// Columns of a wider matrix: `data` begin with the first row's.
    ///
    /// # Panics
    /// If the last row passes the data's end.
    pub fn strided(data: &'a [T], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(columns <= stride && data.len() >= reach(rows, columns, stride), "a matrix of another shape");
        Matrix { data, rows, columns, stride, transposed: false }
    }

    /// The matrix turned over its diagonal.
    pub fn transpose(self) -> Self {
        Matrix { transposed: !self.transposed, ..self }
    }

    fn view(&self) -> MatRef<'a, T> {
        let view = MatRef::from_row_major_slice_with_stride(self.data, self.rows, self.columns, self.stride);
        if self.transposed { view.transpose() } else { view }
    }
}

/// Items from the first of a matrix to behind its last.
fn reach(rows: usize, columns: usize, stride: usize) -> usize {
    if rows == 0 { 0 } else { (rows - 1) * stride + columns }
}

/// Where a product goes: rows of `columns` items, `stride` items apart.
#[derive(Debug)]
pub struct Target<'a, T> {
    pub data: &'a mut [T],
    pub stride: usize,
    /// Whether it is added to what lies there.
    pub add: bool,
}

/// Writes `factor * A B`, on the calling thread.
///
/// # Panics
/// If the shapes do not fit.
///
/// ```
/// use tamis_kernels::gemm::{Matrix, Target, multiply_into};
/// let (a, mut out) = (Matrix::new(&[1.0f32, 2.0], 1, 2), [1.0]);
/// multiply_into(a, a.transpose(), 2.0, Target { data: &mut out, stride: 1, add: true });
/// assert_eq!(out, [11.0]);
/// ```
pub fn multiply_into<T: Item>(a: Matrix<'_, T>, b: Matrix<'_, T>, factor: T, to: Target<'_, T>) {
    let (a, b) = (a.view(), b.view());
    let (rows, columns) = (a.nrows(), b.ncols());
    assert_eq!(a.ncols(), b.nrows(), "matrices that do not fit");
    assert!(
        columns <= to.stride && to.data.len() >= reach(rows, columns, to.stride),
        "a target of another shape"
    );
    let accumulate = if to.add { Accum::Add } else { Accum::Replace };
    // faer's own form for strided rows takes the strides for each other.
    let out = MatMut::from_column_major_slice_with_stride_mut(to.data, columns, rows, to.stride);
    matmul(out.transpose_mut(), accumulate, a, b, factor, Par::Seq);
}

/// `base + factor * A B`, row-major; without a base `factor * A B`.
///
/// # Panics
/// If A has not as many columns as B has rows, or the base another shape.
///
/// ```
/// use tamis_kernels::{gemm::{Matrix, multiply}, job::Job};
/// let a = Matrix::new(&[1.0f32, 2.0], 1, 2);
/// assert_eq!(multiply(a, a.transpose(), 2.0, None, &Job::default()), Ok(vec![10.0]));
/// ```
pub fn multiply<T: Item>(
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    factor: T,
    base: Option<&[T]>,
    job: &Job,
) -> Result<Vec<T>, Aborted> {
    let (a, b) = (a.view(), b.view());
    let (rows, columns) = (a.nrows(), b.ncols());
    assert_eq!(a.ncols(), b.nrows(), "matrices that do not fit");
    let mut out = base.map_or_else(|| vec![T::default(); rows * columns], <[T]>::to_vec);
    assert_eq!(out.len(), rows * columns, "a base of another shape");
    if out.is_empty() || a.ncols() == 0 {
        return Ok(out);
    }
    let accumulate = if base.is_some() { Accum::Add } else { Accum::Replace };
    let band = rows.div_ceil(BANDS).clamp(*ROWS.start(), *ROWS.end());
    let product = |(i, out): (usize, &mut [T])| {
        job.check()?;
        let count = out.len() / columns;
        let to = MatMut::from_row_major_slice_mut(out, count, columns);
        matmul(to, accumulate, a.subrows(i * band, count), b, factor, Par::Seq);
        Ok(())
    };
    let bands = out.par_chunks_mut(band * columns).enumerate();
    threads::pool().install(|| bands.try_for_each(product))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::normals as normal;
    use crate::threads::on_any_budget;
    use proptest::prelude::*;

    fn naive(a: &Matrix<'_, f64>, b: &Matrix<'_, f64>, factor: f64, base: Option<&[f64]>) -> Vec<f64> {
        let at = |m: &Matrix<'_, f64>, i: usize, j: usize| match m.transposed {
            true => m.data[j * m.columns + i],
            false => m.data[i * m.columns + j],
        };
        let sides =
            |m: &Matrix<'_, f64>| if m.transposed { (m.columns, m.rows) } else { (m.rows, m.columns) };
        let ((rows, inner), (_, columns)) = (sides(a), sides(b));
        (0..rows * columns)
            .map(|at_out| {
                let (i, j) = (at_out / columns, at_out % columns);
                let sum: f64 = (0..inner).map(|k| at(a, i, k) * at(b, k, j)).sum();
                base.map_or(0.0, |base| base[at_out]) + factor * sum
            })
            .collect()
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let (m, k, n) = (300, 70, 130);
        let round = |x: Vec<f64>| x.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
        let (a, b) = (round(normal(m * k, 1)), round(normal(k * n, 2)));
        let run = || multiply(Matrix::new(&a, m, k), Matrix::new(&b, k, n), 1.0, None, &Job::default());
        on_any_budget(|| run().unwrap());
    }

    #[test]
    fn a_part_of_a_wider_matrix_is_multiplied_in_place() {
        let (a, b) = (normal(3 * 5, 1), normal(4 * 7, 2));
        let part = |x: &[f64], rows: usize, columns: usize, stride: usize| -> Vec<f64> {
            (0..rows).flat_map(|i| x[i * stride + 1..][..columns].to_vec()).collect()
        };
        let (own_a, own_b) = (part(&a, 3, 4, 5), part(&b, 4, 2, 7));
        let want = naive(&Matrix::new(&own_a, 3, 4), &Matrix::new(&own_b, 4, 2), 2.0, Some(&[1.0; 6]));
        let mut out = [1.0; 3 * 3];
        let to = Target { data: &mut out[1..], stride: 3, add: true };
        multiply_into(Matrix::strided(&a[1..], 3, 4, 5), Matrix::strided(&b[1..], 4, 2, 7), 2.0, to);
        for i in 0..3 {
            assert_eq!(out[i * 3], 1.0);
            for j in 0..2 {
                assert!((out[i * 3 + 1 + j] - want[i * 2 + j]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn nothing_inside_leaves_the_base() {
        let (a, b) = (Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 2));
        assert_eq!(multiply(a, b, 1.0f64, None, &Job::default()), Ok(vec![0.0; 4]));
        assert_eq!(multiply(a, b, 1.0f64, Some(&[1.0; 4]), &Job::default()), Ok(vec![1.0; 4]));
        let stopped = Job::default();
        stopped.stop();
        let one = Matrix::new(&[1.0], 1, 1);
        assert_eq!(multiply(one, one, 1.0, None, &stopped), Err(Aborted));
    }

    proptest! {
        #[test]
        fn it_is_the_sum_of_products(
            [m, k, n] in prop::array::uniform3(1usize..40), turn_a: bool, turn_b: bool, based: bool, seed: u64,
        ) {
            let (a, b, base) = (normal(m * k, seed), normal(k * n, seed ^ 1), normal(m * n, seed ^ 2));
            let turned = |data, rows, columns, turn| match turn {
                true => Matrix::new(data, columns, rows).transpose(),
                false => Matrix::new(data, rows, columns),
            };
            let (a, b) = (turned(&a, m, k, turn_a), turned(&b, k, n, turn_b));
            let base = based.then_some(&base[..]);
            let got = multiply(a, b, 0.5, base, &Job::default()).unwrap();
            for (got, want) in got.iter().zip(naive(&a, &b, 0.5, base)) {
                prop_assert!((got - want).abs() < 1e-11, "{got} {want}");
            }
        }
    }
}
