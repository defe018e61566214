//! k-means: Lloyd's iteration from k-means++, random or given starts, in mini-batches too, on the plain or the unit
//! sphere's distance.
//!
//! Centres have the items' type between iterations; distances, means, the shift and the inertia are float64 in the
//! one order of sums, so that a result is the same bits for any number of threads. Labels are exact, ties to the lowest
//! centre. O(n * k * width) an iteration, in parallel; beside the input a few words and codes of `width` bytes a row.
//! (Lloyd 1982; k-means++: Arthur and Vassilvitskii 2007; mini-batches: Sculley 2010; spherical: Dhillon and Modha
//! 2001.)

mod batch;
mod bounds;
mod label;
mod lloyd;
mod starts;
mod update;

use crate::cpu::Cpu;
use crate::distance::{Arithmetic, Real, Rows};
use crate::job::{Aborted, Job};
use crate::sums::par_sum_by;
use crate::threads;
use label::Labeler;
use rayon::prelude::*;
use std::fmt;
use update::Moments;

/// Where the centres start.
#[derive(Debug, Clone, Copy)]
pub enum Init<'a, T> {
    /// One row after another, in proportion to the weight times the distance to the nearest one so far.
    PlusPlus,
    /// Rows without replacement.
    Random,
    /// Centres `[k, width]`.
    Centers(&'a [T]),
}

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a, T> {
    pub k: usize,
    pub init: Init<'a, T>,
    /// Runs from different starts, of which the one with the lowest inertia is kept.
    pub restarts: usize,
    pub max_iterations: usize,
    /// Of the mean over features of the variance of the rows: a smaller shift ends the iteration.
    pub tolerance: f64,
    /// Rows and centres are divided by their norms; distances are 1 - x . c.
    pub spherical: bool,
    /// Rows of a step; none for Lloyd's iteration over all of them.
    pub batch_size: Option<usize>,
    /// Above 0, one a row.
    pub weights: Option<&'a [f64]>,
    pub seed: u64,
}

/// Rows in clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering<T> {
    /// `[k, width]`
    pub centers: Vec<T>,
    pub labels: Vec<u32>,
    /// The weighted sum of the distances to the rows' centres.
    pub inertia: f64,
    /// Updates of the centres done.
    pub iterations: usize,
    /// Rows of each cluster.
    pub counts: Vec<u32>,
}

/// Why there are no clusters.
#[derive(Debug, Clone, PartialEq)]
pub enum KMeansError {
    Aborted,
    /// k is 0 or above the number of rows.
    K {
        k: usize,
        rows: usize,
    },
    /// Starts of another shape, or several runs from the same ones.
    Init(String),
    /// Weights of another number than the rows, or not above 0.
    Weights(String),
    /// No rows in a batch.
    Batch,
    /// NaN or infinity, of which argument and at which place.
    NotFinite {
        what: &'static str,
        index: usize,
    },
    /// A row that has no direction.
    Zero {
        what: &'static str,
        row: usize,
    },
}

impl From<Aborted> for KMeansError {
    fn from(_: Aborted) -> Self {
        KMeansError::Aborted
    }
}

impl fmt::Display for KMeansError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            KMeansError::Aborted => write!(f, "the operation was aborted"),
            KMeansError::K { k, rows } => {
                write!(f, "k must be an integer from 1 to {rows}, the number of rows, got {k}")
            }
            KMeansError::Init(why) => write!(f, "init {why}"),
            KMeansError::Weights(why) => write!(f, "weights {why}"),
            KMeansError::Batch => write!(f, "batchSize must be at least 1, got 0"),
            KMeansError::NotFinite { what, index } => {
                write!(f, "{what} must be finite, got NaN or infinity at index {index}")
            }
            KMeansError::Zero { what, row } => {
                write!(f, "{what} must hold no zero row (spherical), got one at row {row}")
            }
        }
    }
}

impl std::error::Error for KMeansError {}

/// Rows to cluster: of unit length if spherical.
#[derive(Clone, Copy)]
struct Data<'a, T> {
    x: Rows<'a, T>,
    spherical: bool,
    weights: Option<&'a [f64]>,
    arithmetic: Arithmetic,
}

impl<T: Real> Data<'_, T> {
    /// The distance of row `i` to a centre: squared, or 1 - x . c, which rounding shall not make negative.
    #[inline]
    fn distance(&self, i: usize, center: &[T]) -> f64 {
        if self.spherical {
            (1.0 - self.arithmetic.dot(self.x.row(i), center)).max(0.0)
        } else {
            self.arithmetic.l2sq(self.x.row(i), center)
        }
    }

    fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[i])
    }
}

/// Clusters the rows of `x`.
///
/// # Errors
/// [`KMeansError`]: see there.
///
/// ```
/// use tamis_kernels::distance::Rows;
/// use tamis_kernels::kmeans::{Init, Options, kmeans};
/// let x = Rows::new(&[0.0f32, 0.1, 9.0, 9.1], 4, 1);
/// let options = Options {
///     k: 2, init: Init::PlusPlus, restarts: 1, max_iterations: 300, tolerance: 1e-4, spherical: false,
///     batch_size: None, weights: None, seed: 0,
/// };
/// let found = kmeans(x, &options, &Default::default()).unwrap();
/// assert_eq!(found.counts, [2, 2]);
/// assert_eq!(found.labels[0], found.labels[1]);
/// ```
pub fn kmeans<T: Real>(x: Rows<T>, options: &Options<T>, job: &Job) -> Result<Clustering<T>, KMeansError> {
    check(x, options)?;
    let arithmetic = Arithmetic::current();
    let unit = if options.spherical { Some(unit_rows("x", x, arithmetic)?) } else { None };
    let x = unit.as_deref().map_or(x, |unit| Rows::new(unit, x.count(), x.width()));
    let data = Data { x, spherical: options.spherical, weights: options.weights, arithmetic };
    let given = match options.init {
        Init::Centers(centers) => Some(given(centers, options, x.width(), arithmetic)?),
        _ => None,
    };
    threads::pool().install(|| run(&data, options, given, job))
}

fn run<T: Real>(
    data: &Data<T>,
    options: &Options<T>,
    given: Option<Vec<T>>,
    job: &Job,
) -> Result<Clustering<T>, KMeansError> {
    let moments = Moments::of(data);
    let mut labeler = Labeler::new(data, options.k, &moments.means, Cpu::current());
    let mut labels = vec![0; data.x.count()];
    let mut best: Option<Clustering<T>> = None;
    for restart in 0..options.restarts.max(1) as u32 {
        let centers = match &given {
            Some(centers) => centers.clone(),
            None => starts::starts(data, options, restart, job)?,
        };
        labeler.forget();
        let (centers, iterations) = match options.batch_size {
            Some(size) => batch::batches(data, &mut labeler, options, size, restart, centers, job)?,
            None => {
                let rest = options.tolerance * moments.variance;
                lloyd::lloyd(data, &mut labeler, options, rest, centers, &mut labels, job)?
            }
        };
        let found = finish(data, &mut labeler, centers, iterations, &mut labels, job)?;
        if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
            best = Some(found);
        }
    }
    best.ok_or(KMeansError::Aborted)
}

/// One last labelling.
fn finish<T: Real>(
    data: &Data<T>,
    labeler: &mut Labeler<T>,
    centers: Vec<T>,
    iterations: usize,
    labels: &mut [u32],
    job: &Job,
) -> Result<Clustering<T>, Aborted> {
    let (n, width) = (data.x.count(), data.x.width());
    labeler.label_all(data, &centers, labels, job)?;
    let mut counts = vec![0; centers.len() / width.max(1)];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let center = |label: u32| &centers[label as usize * width..(label as usize + 1) * width];
    let distances: Vec<f64> =
        (0..n).into_par_iter().with_min_len(256).map(|i| data.distance(i, center(labels[i]))).collect();
    let inertia = par_sum_by(n, |i| data.weight(i) * distances[i]);
    Ok(Clustering { centers, labels: labels.to_vec(), inertia, iterations, counts })
}

fn check<T: Real>(x: Rows<T>, options: &Options<T>) -> Result<(), KMeansError> {
    let (n, width) = (x.count(), x.width());
    if options.k == 0 || options.k > n {
        return Err(KMeansError::K { k: options.k, rows: n });
    }
    if options.batch_size == Some(0) {
        return Err(KMeansError::Batch);
    }
    if let Init::Centers(centers) = options.init {
        if centers.len() != options.k * width {
            let want = format!("must have dims [{}, {width}]", options.k);
            return Err(KMeansError::Init(format!("{want}, got {} items", centers.len())));
        }
        if options.restarts > 1 {
            return Err(KMeansError::Init("is a tensor: nInit must be 1".into()));
        }
        check_finite("init", centers)?;
    }
    if let Some(weights) = options.weights {
        if weights.len() != n {
            return Err(KMeansError::Weights(format!("must be {n}, one a row, got {}", weights.len())));
        }
        if let Some(at) = weights.iter().position(|w| !(*w > 0.0 && w.is_finite())) {
            return Err(KMeansError::Weights(format!(
                "must be above 0 and finite, got {} at index {at}",
                weights[at]
            )));
        }
    }
    check_finite("x", x.data())
}

fn check_finite<T: Real>(what: &'static str, x: &[T]) -> Result<(), KMeansError> {
    // Whole blocks first: a loop without an early end is vectorised.
    let block = |(b, items): (usize, &[T])| {
        let good = items.iter().fold(true, |good, x| good & Real::is_finite(*x));
        if good { None } else { items.iter().position(|x| !Real::is_finite(*x)).map(|i| b * 4096 + i) }
    };
    let find = || x.par_chunks(4096).enumerate().filter_map(block).min();
    match threads::pool().install(find) {
        Some(index) => Err(KMeansError::NotFinite { what, index }),
        None => Ok(()),
    }
}

/// Rows divided by their norms.
fn unit_rows<T: Real>(what: &'static str, x: Rows<T>, arithmetic: Arithmetic) -> Result<Vec<T>, KMeansError> {
    let mut unit = x.data().to_vec();
    let divide = |row: &mut [T]| divide_by_norm(row, arithmetic);
    let width = x.width().max(1);
    let find = || unit.par_chunks_mut(width).with_min_len(64).map(divide).position_first(|divided| !divided);
    match threads::pool().install(find) {
        Some(row) => Err(KMeansError::Zero { what, row }),
        None => Ok(unit),
    }
}

/// Gives a row unit length, unless it is zero; whether it was not.
fn divide_by_norm<T: Real>(row: &mut [T], arithmetic: Arithmetic) -> bool {
    let norm = arithmetic.dot(row, row).sqrt();
    if norm > 0.0 {
        row.iter_mut().for_each(|x| *x = T::from_f64((*x).into() / norm));
    }
    norm > 0.0
}

fn given<T: Real>(
    centers: &[T],
    options: &Options<T>,
    width: usize,
    arithmetic: Arithmetic,
) -> Result<Vec<T>, KMeansError> {
    if options.spherical {
        unit_rows("init", Rows::new(centers, options.k, width), arithmetic)
    } else {
        Ok(centers.to_vec())
    }
}

#[cfg(test)]
mod tests;
