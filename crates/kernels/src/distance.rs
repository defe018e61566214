//! Exact distances and similarities of rows, and all pairs of them.
//!
//! Values are float64, from the items themselves (l2 from differences, never from norms and products), summed in
//! blocks of 4,096 and eight lanes; no operation is fused, so that every instruction set gives the same bits. One
//! value costs O(width); [`pairwise`] O(n * m * width), in parallel.
//!
//! | metric | value | nearer is | zero rows |
//! | --- | --- | --- | --- |
//! | dot | sum of products | larger | 0 |
//! | cosine | that over both norms, clamped to [-1, 1] | larger | 0 with everything |
//! | l2sq, l2 | sum of squared differences, its root | smaller | ordinary |
//! | hamming | places that differ | smaller | ordinary |
//! | jaccard | 1 - intersection / union of the places that are not 0 | smaller | two empty sets: 0 |

mod arithmetic;
mod sets;

pub use arithmetic::{Arithmetic, Real};
pub use sets::{Bits, Item, Places};

use crate::job::{Aborted, Job};
use crate::threads;
use rayon::prelude::*;

/// Rows of one width, row-major.
#[derive(Debug)]
pub struct Rows<'a, T> {
    data: &'a [T],
    count: usize,
    width: usize,
}

impl<T> Clone for Rows<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Rows<'_, T> {}

impl<'a, T> Rows<'a, T> {
    /// `count` rows of `width` items.
    ///
    /// # Panics
    /// If `data` holds another number of items.
    pub fn new(data: &'a [T], count: usize, width: usize) -> Self {
        assert_eq!(Some(data.len()), count.checked_mul(width), "rows that do not fit their items");
        Rows { data, count, width }
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Items of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All items.
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// Row `i`.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.data[i * self.width..(i + 1) * self.width]
    }
}

/// What vectors are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    Dot,
    Cosine,
    L2sq,
    L2,
}

/// What sets and words are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetMetric {
    Hamming,
    Jaccard,
}

/// The rows of two sides and how a pair of them is scored.
pub trait Pairs: Sync {
    /// How many rows the left and the right side have.
    fn counts(&self) -> (usize, usize);
    /// The score of row `i` of the left side and row `j` of the right one.
    fn score(&self, i: usize, j: usize) -> f64;
    /// Whether a larger score is nearer.
    fn larger_is_nearer(&self) -> bool;
}

/// Pairs of vectors.
pub struct Vectors<'a, T> {
    pub(crate) left: Rows<'a, T>,
    pub(crate) right: Rows<'a, T>,
    pub(crate) metric: Metric,
    pub(crate) arithmetic: Arithmetic,
    /// Squared norms, of cosine only; without them each score makes its own, the same.
    squares: Option<(Vec<f64>, Vec<f64>)>,
}

impl<'a, T: Real> Vectors<'a, T> {
    /// Rows of `left` against rows of `right`.
    ///
    /// # Panics
    /// If the widths differ.
    pub fn new(left: Rows<'a, T>, right: Rows<'a, T>, metric: Metric) -> Self {
        let mut pairs = Self::lazy(left, right, metric);
        if metric == Metric::Cosine {
            pairs.squares = Some((pairs.squares_of(left), pairs.squares_of(right)));
        }
        pairs
    }

    /// The same, for few of many pairs: norms are made for each score.
    ///
    /// # Panics
    /// If the widths differ.
    pub fn lazy(left: Rows<'a, T>, right: Rows<'a, T>, metric: Metric) -> Self {
        assert_eq!(left.width, right.width, "rows of another width");
        Vectors { left, right, metric, arithmetic: Arithmetic::current(), squares: None }
    }

    fn squares_of(&self, rows: Rows<T>) -> Vec<f64> {
        let square = |i: usize| self.arithmetic.dot(rows.row(i), rows.row(i));
        threads::pool().install(|| (0..rows.count).into_par_iter().with_min_len(256).map(square).collect())
    }
}

impl<T: Real> Pairs for Vectors<'_, T> {
    fn counts(&self) -> (usize, usize) {
        (self.left.count, self.right.count)
    }

    #[inline]
    fn score(&self, i: usize, j: usize) -> f64 {
        let (x, y) = (self.left.row(i), self.right.row(j));
        match self.metric {
            Metric::Dot => self.arithmetic.dot(x, y),
            Metric::Cosine => {
                let (x_square, y_square) = match &self.squares {
                    Some((left, right)) => (left[i], right[j]),
                    None => (self.arithmetic.dot(x, x), self.arithmetic.dot(y, y)),
                };
                cosine(self.arithmetic.dot(x, y), x_square, y_square)
            }
            Metric::L2sq => self.arithmetic.l2sq(x, y),
            Metric::L2 => self.arithmetic.l2sq(x, y).sqrt(),
        }
    }

    fn larger_is_nearer(&self) -> bool {
        matches!(self.metric, Metric::Dot | Metric::Cosine)
    }
}

/// The cosine from a dot product and two squared norms: 0 where a norm is.
///
/// ```
/// use tamis_kernels::distance::cosine;
/// assert_eq!(cosine(12.0, 9.0, 16.0), 1.0);
/// assert_eq!(cosine(0.0, 0.0, 16.0), 0.0);
/// ```
pub fn cosine(dot: f64, x_square: f64, y_square: f64) -> f64 {
    if x_square == 0.0 || y_square == 0.0 {
        return 0.0;
    }
    // The root of a product is exactly 1 for a row with itself; a product may leave the range of float64.
    let product = x_square * y_square;
    let norms = if product.is_normal() { product.sqrt() } else { x_square.sqrt() * y_square.sqrt() };
    (dot / norms).clamp(-1.0, 1.0)
}

/// Rows of one task.
const TASK: usize = 8;
/// Rows of the other side that are gone through for a whole task.
const TILE: usize = 64;

/// The scores of all pairs, `[left, right]`.
///
/// # Errors
/// [`Aborted`] once the job is stopped.
///
/// ```
/// use tamis_kernels::distance::{Metric, Rows, Vectors, pairwise};
/// let x = Rows::new(&[0.0f32, 0.0, 3.0, 4.0], 2, 2);
/// let d: Vec<f32> = pairwise(&Vectors::new(x, x, Metric::L2), &Default::default()).unwrap();
/// assert_eq!(d, [0.0, 5.0, 5.0, 0.0]);
/// ```
pub fn pairwise<R: Real>(pairs: &impl Pairs, job: &Job) -> Result<Vec<R>, Aborted> {
    let (n, m) = pairs.counts();
    let mut out = vec![R::from_f64(0.0); n * m];
    let task = |(t, rows): (usize, &mut [R])| {
        for from in (0..m).step_by(TILE) {
            job.check()?;
            for (r, row) in rows.chunks_exact_mut(m).enumerate() {
                for (j, to) in row.iter_mut().enumerate().take(from + TILE).skip(from) {
                    *to = R::from_f64(pairs.score(t * TASK + r, j));
                }
            }
        }
        Ok(())
    };
    if m > 0 {
        threads::pool().install(|| out.par_chunks_mut(TASK * m).enumerate().try_for_each(task))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
