//! An index of rows by scalar codes, built.
//!
//! Rows are centred and rotated into the axes of their variance (Karhunen-Loeve), where few dimensions carry most of
//! it; each dimension gets bits by its variance, cells by its values, and each row its codes. Sign bits along the axes
//! of another, random rotation serve the fast search, since in the axes of variance small ones vote as much as large
//! ones. Rows themselves are kept for true distances. O(n d^2) and a sort a dimension; float64 where rows are rotated.

use super::bits::allocate_bits;
use super::cells::design_cells;
use super::packing::{Layout, pack};
use super::search::Filter;
use crate::distance::Rows;
use crate::factor::{FactorError, eigh};
use crate::job::{Aborted, Job};
use crate::kmeans::{self, Init, KMeansError, kmeans};
use crate::philox::Philox;
use crate::sums::{BLOCK, RowSums};
use crate::threads;
use crate::unit::unit_row;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::fmt;

/// Rows beyond which cells are designed on a sample.
const SAMPLED_ROWS: usize = 1_000_000;
/// Rows of that sample.
const SAMPLE: usize = 100_000;
/// Blocks of rows whose products are held at once.
const WAVE: usize = 16;

/// What to index and how.
#[derive(Debug, Clone)]
pub struct Build<'a> {
    /// `[n, width]`
    pub rows: &'a [f32],
    pub width: usize,
    /// Rows and queries are divided by their norms, and distances are 1 - cos.
    pub cosine: bool,
    /// Bits of a row, at most 8 a dimension.
    pub budget: usize,
    /// `[n, columns]`
    pub attributes: Vec<f32>,
    pub columns: usize,
    /// Clusters of rows that the fast search visits by their distance; 0 for none.
    pub partitions: usize,
    pub seed: u64,
}

/// Why there is no index.
#[derive(Debug, Clone, PartialEq)]
pub enum BuildError {
    NotFinite { row: usize },
    Zero { row: usize },
    Factor(String),
    Clusters(String),
    Aborted,
}

impl From<Aborted> for BuildError {
    fn from(_: Aborted) -> Self {
        BuildError::Aborted
    }
}

impl From<FactorError> for BuildError {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Aborted => BuildError::Aborted,
            other => BuildError::Factor(other.to_string()),
        }
    }
}

impl From<KMeansError> for BuildError {
    fn from(error: KMeansError) -> Self {
        match error {
            KMeansError::Aborted => BuildError::Aborted,
            other => BuildError::Clusters(other.to_string()),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            BuildError::NotFinite { row } => write!(f, "x is not finite: row {row} holds NaN or Infinity"),
            BuildError::Zero { row } => write!(f, "row {row} is zero: it has no cosine distance"),
            BuildError::Factor(why) => write!(f, "the covariance of x {why}"),
            BuildError::Clusters(why) => write!(f, "partitions: {why}"),
            BuildError::Aborted => write!(f, "the operation was aborted"),
        }
    }
}

impl std::error::Error for BuildError {}

/// See the module. Codes and signs lie by *places*: rows in the order of their partitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    pub(super) n: usize,
    pub(super) width: usize,
    pub(super) cosine: bool,
    pub(super) mean: Vec<f64>,
    /// `[width, width]`, an axis of variance a column.
    pub(super) axes: Vec<f64>,
    /// `[width, width]`, an axis of the signs a column.
    pub(super) signs_axes: Vec<f64>,
    pub(super) layout: Layout,
    /// Of the `2^bits` cells of each dimension.
    pub(super) boundaries: Vec<Vec<f32>>,
    /// `[segments, n]`
    pub(super) segments: Vec<u8>,
    /// `[n, ceil(width / 8)]`
    pub(super) signs: Vec<u8>,
    /// The row at each place.
    pub(super) order: Vec<u32>,
    /// Where the places of each partition begin, and the end.
    pub(super) parts: Vec<usize>,
    /// `[partitions, width]`, along the axes of variance.
    pub(super) centres: Vec<f32>,
    /// The largest length of a centred row.
    pub(super) reach: f64,
    pub(super) attributes: Vec<f32>,
    pub(super) columns: usize,
    /// `[n, width]`, by rows.
    pub(super) rows: Vec<f32>,
}

impl Index {
    /// Builds it. The same for any number of threads.
    ///
    /// # Errors
    /// [`BuildError`].
    ///
    /// # Panics
    /// If there are no rows, or slices do not fit together.
    pub fn build(build: Build, job: &Job) -> Result<Index, BuildError> {
        threads::pool().install(|| build_index(build, job))
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.n
    }

    /// Items of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Columns of the attributes.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes of a row's codes and signs.
    pub fn bytes_per_row(&self) -> usize {
        self.layout.segments + self.width.div_ceil(8)
    }

    /// The rows, divided by their norms for the cosine.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.width..][..self.width]
    }

    /// The places, ascending, of rows that the mask marks and every filter passes.
    pub(super) fn candidates(&self, filters: &[Filter], mask: Option<&[u8]>) -> Vec<u32> {
        let passes = |&place: &u32| {
            let row = self.order[place as usize] as usize;
            let attributes = &self.attributes[row * self.columns..][..self.columns];
            mask.is_none_or(|mask| mask[row] != 0) && filters.iter().all(|filter| filter.passes(attributes))
        };
        (0..self.n as u32).into_par_iter().filter(passes).collect()
    }
}

pub(super) fn build_index(build: Build, job: &Job) -> Result<Index, BuildError> {
    let Build { rows, width, cosine, budget, attributes, columns, partitions, seed } = build;
    assert!(width > 0 && !rows.is_empty() && rows.len() % width == 0, "rows of one width, one at least");
    let n = rows.len() / width;
    assert_eq!(attributes.len(), n * columns, "attributes must have a row for each row");
    if let Some(at) = rows.iter().position(|x| !x.is_finite()) {
        return Err(BuildError::NotFinite { row: at / width });
    }
    let mut rows = rows.to_vec();
    if cosine {
        let zero = rows.par_chunks_exact_mut(width).map(unit_row).position_first(|divided| !divided);
        if let Some(row) = zero {
            return Err(BuildError::Zero { row });
        }
    }
    let mean = mean(&rows, width);
    let covariance = covariance(&rows, &mean, job)?;
    let eigen = eigh(&covariance, width, width, true, job)?;
    let axes = eigen.vectors.unwrap_or_default();
    let turned = rotate(&rows, &mean, &axes);
    job.check()?;
    let reach = turned
        .par_chunks_exact(width)
        .map(|row| row.iter().map(|&z| f64::from(z) * f64::from(z)).sum::<f64>().sqrt())
        .reduce(|| 0.0, f64::max);
    let layout = Layout::new(&allocate_bits(&eigen.values, budget));
    let boundaries: Vec<Vec<f32>> =
        (0..width).into_par_iter().map(|j| boundaries(&turned, width, j, 1 << layout.bits()[j])).collect();
    job.check()?;
    let (order, parts, centres) = part(&turned, width, partitions, seed, job)?;
    let mut codes = vec![0; n * width];
    codes.par_chunks_exact_mut(width).zip(&order).for_each(|(codes, &row)| {
        let row = &turned[row as usize * width..][..width];
        for ((code, &z), boundaries) in codes.iter_mut().zip(row).zip(&boundaries) {
            let cell = boundaries.partition_point(|&boundary| boundary <= z);
            *code = cell.saturating_sub(1).min(boundaries.len() - 2) as u8;
        }
    });
    let segments = pack(&codes, &layout).expect("a cell of a dimension fits its bits");
    drop(codes);
    let signs_axes = random_axes(width);
    let turned = rotate(&rows, &mean, &signs_axes);
    let bytes = width.div_ceil(8);
    let mut signs = vec![0; n * bytes];
    signs.par_chunks_exact_mut(bytes).zip(&order).for_each(|(signs, &row)| {
        sign_bits(&turned[row as usize * width..][..width], signs);
    });
    job.check()?;
    Ok(Index {
        n,
        width,
        cosine,
        mean,
        axes,
        signs_axes,
        layout,
        boundaries,
        segments,
        signs,
        order,
        parts,
        centres,
        reach,
        attributes,
        columns,
        rows,
    })
}

/// One bit an item, 1 for what is above 0.
pub(super) fn sign_bits(items: &[f32], bits: &mut [u8]) {
    for (byte, items) in bits.iter_mut().zip(items.chunks(8)) {
        *byte = items.iter().enumerate().fold(0, |byte, (b, &x)| byte | u8::from(x > 0.0) << b);
    }
}

/// The mean row: blocks on any thread, added in their order.
fn mean(rows: &[f32], width: usize) -> Vec<f64> {
    let sum = |block: &[f32]| {
        let mut sums = RowSums::new(width);
        block.chunks_exact(width).for_each(|row| sums.add(row, 1.0));
        sums.finish()
    };
    let blocks: Vec<Vec<f64>> = rows.par_chunks(BLOCK * width).map(sum).collect();
    let mut mean = vec![0.0; width];
    for block in blocks {
        mean.iter_mut().zip(block).for_each(|(mean, sum)| *mean += sum);
    }
    let n = (rows.len() / width) as f64;
    mean.iter_mut().for_each(|mean| *mean /= n);
    mean
}

/// Rows of a block, less the mean.
fn centred(block: &[f32], mean: &[f64]) -> Vec<f64> {
    block
        .chunks_exact(mean.len())
        .flat_map(|row| row.iter().zip(mean).map(|(&x, m)| f64::from(x) - m))
        .collect()
}

/// `[width, width]`: products of blocks on any thread, added in the order of the blocks.
fn covariance(rows: &[f32], mean: &[f64], job: &Job) -> Result<Vec<f64>, Aborted> {
    let width = mean.len();
    let product = |block: &[f32]| {
        let centred = centred(block, mean);
        let rows = MatRef::from_row_major_slice(&centred, centred.len() / width, width);
        let mut product = Mat::<f64>::zeros(width, width);
        matmul(product.as_mut(), Accum::Replace, rows.transpose(), rows, 1.0, Par::Seq);
        product
    };
    let mut sum = vec![0.0; width * width];
    for wave in rows.chunks(WAVE * BLOCK * width) {
        job.check()?;
        let products: Vec<Mat<f64>> = wave.par_chunks(BLOCK * width).map(product).collect();
        for product in products {
            for i in 0..width {
                // Both halves from one, since the product need not be symmetric in its last bits.
                (0..width).for_each(|j| sum[i * width + j] += product[(i.min(j), i.max(j))]);
            }
        }
    }
    let n = (rows.len() / width) as f64;
    sum.iter_mut().for_each(|sum| *sum /= n);
    Ok(sum)
}

/// Centred rows along axes, rounded to float32.
pub(super) fn rotate(rows: &[f32], mean: &[f64], axes: &[f64]) -> Vec<f32> {
    let width = mean.len();
    let mut out = vec![0.0; rows.len()];
    out.par_chunks_mut(BLOCK / 4 * width).zip(rows.par_chunks(BLOCK / 4 * width)).for_each(|(out, block)| {
        let centred = centred(block, mean);
        let count = centred.len() / width;
        let mut turned = vec![0.0; centred.len()];
        matmul(
            MatMut::from_row_major_slice_mut(&mut turned, count, width),
            Accum::Replace,
            MatRef::from_row_major_slice(&centred, count, width),
            MatRef::from_row_major_slice(axes, width, width),
            1.0,
            Par::Seq,
        );
        out.iter_mut().zip(turned).for_each(|(out, turned)| *out = turned as f32);
    });
    out
}

/// The boundaries of a dimension's cells: around every value, and `cells + 1` of them.
fn boundaries(turned: &[f32], width: usize, dimension: usize, cells: usize) -> Vec<f32> {
    let n = turned.len() / width;
    let values = || turned[dimension..].iter().step_by(width).copied();
    let step = if n > SAMPLED_ROWS { n.div_ceil(SAMPLE) } else { 1 };
    let mut sample: Vec<f64> = values().step_by(step).map(f64::from).collect();
    let designed = design_cells(&mut sample, cells.min(n));
    let mut boundaries: Vec<f32> = designed.into_iter().map(|b| b as f32).collect();
    let (least, most) =
        values().fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), z| (least.min(z), most.max(z)));
    let last = boundaries.len() - 1;
    // A margin that float32 does not hold is none; and the sample need not hold the ends.
    boundaries[0] = boundaries[0].min(least.next_down());
    boundaries[last] = boundaries[last].max(most.next_up());
    boundaries.resize(cells + 1, boundaries[last]);
    boundaries
}

/// Rows in the order of their partitions, where those begin, and their centres.
#[allow(clippy::type_complexity)]
fn part(
    turned: &[f32],
    width: usize,
    partitions: usize,
    seed: u64,
    job: &Job,
) -> Result<(Vec<u32>, Vec<usize>, Vec<f32>), BuildError> {
    let n = turned.len() / width;
    if partitions == 0 {
        return Ok(((0..n as u32).collect(), vec![0, n], Vec::new()));
    }
    let options = kmeans::Options {
        k: partitions,
        init: Init::PlusPlus,
        restarts: 1,
        max_iterations: 300,
        tolerance: 1e-4,
        spherical: false,
        batch_size: None,
        weights: None,
        seed,
    };
    let clusters = kmeans(Rows::new(turned, n, width), &options, job)?;
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_by_key(|&row| clusters.labels[row as usize]);
    let mut parts = vec![0];
    for count in clusters.counts {
        parts.push(parts[parts.len() - 1] + count as usize);
    }
    Ok((order, parts, clusters.centers))
}

/// An orthonormal basis, an axis a column, of normal draws (Gram-Schmidt, twice).
fn random_axes(width: usize) -> Vec<f64> {
    let mut draws = vec![0.0; width * width];
    Philox::new(0, 0).normal(&mut draws);
    let mut axes: Vec<Vec<f64>> = Vec::with_capacity(width);
    for j in 0..width {
        let mut axis: Vec<f64> = (0..width).map(|i| draws[i * width + j]).collect();
        for _ in 0..2 {
            for earlier in &axes {
                let along: f64 = earlier.iter().zip(&axis).map(|(a, b)| a * b).sum();
                axis.iter_mut().zip(earlier).for_each(|(x, e)| *x -= along * e);
            }
            let norm = axis.iter().map(|x| x * x).sum::<f64>().sqrt();
            axis.iter_mut().for_each(|x| *x /= norm);
        }
        axes.push(axis);
    }
    (0..width * width).map(|at| axes[at % width][at / width]).collect()
}
