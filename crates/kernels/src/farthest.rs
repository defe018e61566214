//! Max-Min (farthest-first) selection: again and again the row that is farthest from every row kept so far.
//!
//! `near(i)` is the least distance of row i to what is kept, or infinity where nothing is. Each step takes the
//! candidate of the largest `near`, ties to the lowest row. A row equal to a kept one, bit for bit, is at distance
//! exactly 0. Distances: `1 - cos` of rows divided by their norm (at least 0), Euclidean, or a given matrix.
//!
//! Exact distances are float32 (float64 of float64 rows) in 32 lanes without fused operations: the same bytes on
//! every processor and for any number of threads. Cost by definition: O(n k d) time, O(n d) memory. Three things
//! make it less, and change no answer:
//! - *lazily*: `near` only falls, so what a row was last known to be bounds it from above. A row is brought up to
//!   date only as far as is needed to see that it is not the farthest (`front`);
//! - *by all pairs at once*, where the start is sought among all pairs of few rows: half of the products, of 8-bit
//!   codes, are held with their proved bounds, and few distances are left to compute (`pairs`);
//! - *on 16-bit codes*: a copy of the rows in integers gives bounds of a distance that are proved to hold for its
//!   exact value, and decide nearly all of the comparisons (`codes`).
//!
//! Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.

mod codes;
mod front;
mod pairs;
mod space;
#[cfg(test)]
mod tests;

use crate::job::{Aborted, Job};
use crate::philox::Philox;
use crate::threads;
use codes::Codes;
use front::Front;
use pairs::Pairs;
pub use space::Real;
use space::Space;
use std::fmt;

/// What a distance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// `max(0, 1 - cos)`.
    Cosine,
    /// The root of the sum of squared differences.
    Euclidean,
    /// `x[i, j]`, of a square x: from row i to row j.
    Precomputed,
}

/// Where to begin if nothing is kept yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this row, a candidate.
    Row(usize),
    /// At a candidate drawn by the first word of stream 0 of this seed.
    Random(u64),
    /// At the candidate whose nearest other candidate is farthest. O(n^2 d) at worst.
    Isolated,
    /// At the first row of the farthest pair of candidates. O(n^2 d).
    Pair,
}

/// What to choose from and how. Slices must fit together: `x` is `[n, width]`, `anchors` `[m, width]`.
#[derive(Debug, Clone)]
pub struct Request<'a, T> {
    /// `[n, width]`; with `Metric::Precomputed` `[n, n]`.
    pub x: &'a [T],
    /// The number of rows.
    pub rows: usize,
    pub width: usize,
    pub metric: Metric,
    /// How many rows at most.
    pub k: usize,
    /// Stop before a row nearer than this to a kept one.
    pub min_distance: Option<f64>,
    pub start: Start,
    /// `[n]`, 0 for what is no candidate and never read; all are candidates without it.
    pub mask: Option<&'a [u8]>,
    /// Rows kept earlier.
    pub initial: &'a [u32],
    /// Vectors kept elsewhere; none with `Metric::Precomputed`.
    pub anchors: &'a [T],
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Rows in the order in which they were taken.
    pub indices: Vec<u32>,
    /// How far each was from those before it.
    pub distances: Vec<f32>,
    /// The largest distance of a candidate that is left to what is kept; 0 if none is left.
    pub radius: f64,
}

/// Why nothing was chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum FarthestError {
    /// A row without a direction; `anchor` if it is one of the anchors.
    Zero { row: usize, anchor: bool },
    /// A row with NaN or infinity in it.
    NotFinite { row: usize, anchor: bool },
    /// The job was stopped.
    Aborted,
}

impl From<Aborted> for FarthestError {
    fn from(_: Aborted) -> Self {
        FarthestError::Aborted
    }
}

impl fmt::Display for FarthestError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let of = |anchor: &bool| if *anchor { " of anchors" } else { "" };
        match self {
            FarthestError::Zero { row, anchor } => {
                write!(f, "row {row}{} is zero: it has no cosine distance", of(anchor))
            }
            FarthestError::NotFinite { row, anchor } => {
                write!(f, "row {row}{} is not finite: it holds NaN or Infinity", of(anchor))
            }
            FarthestError::Aborted => write!(f, "the operation was aborted"),
        }
    }
}

impl std::error::Error for FarthestError {}

/// Rows below which codes cost more than they save.
const CODED_ROWS: usize = 256;
/// Rows below which all exact pairs are as quick as their codes.
const PAIRED_ROWS: usize = 32;
/// As many rows to keep as make codes worth their pass.
const CODED_KEPT: usize = 12;

/// Chooses rows as the module says.
///
/// # Errors
/// [`FarthestError`]: a zero row with [`Metric::Cosine`], NaN or infinity in a candidate, in a row kept earlier or in
/// an anchor, a stopped job.
///
/// # Panics
/// If slices do not fit together, or a row named is none.
///
/// ```
/// use tamis_kernels::{farthest::{farthest_first, Metric, Request, Start}, job::Job};
/// let x = [0.0f32, 1.0, 10.0, 11.0, 5.0];
/// let request = Request {
///     x: &x, rows: 5, width: 1, metric: Metric::Euclidean, k: 3, min_distance: None,
///     start: Start::Row(0), mask: None, initial: &[], anchors: &[],
/// };
/// let kept = farthest_first(&request, &Job::default()).unwrap();
/// assert_eq!((&kept.indices[..], kept.radius), (&[0, 3, 4][..], 1.0));
/// ```
pub fn farthest_first<T: Real>(request: &Request<T>, job: &Job) -> Result<Kept, FarthestError> {
    let all_pairs = matches!(request.start, Start::Isolated | Start::Pair);
    let coded = request.rows >= CODED_ROWS && (all_pairs || request.k >= CODED_KEPT);
    let means = Means { coded, paired: request.rows >= PAIRED_ROWS };
    threads::pool().install(|| choose(request, means, job))
}

/// What may spare exact distances.
#[derive(Debug, Clone, Copy)]
struct Means {
    /// Codes of 16 bits.
    coded: bool,
    /// All pairs, where they fit the request.
    paired: bool,
}

fn choose<T: Real>(request: &Request<T>, means: Means, job: &Job) -> Result<Kept, FarthestError> {
    let candidates = candidates(request);
    let space = Space::new(request, &candidates)?;
    let mut kept = Kept { indices: Vec::new(), distances: Vec::new(), radius: 0.0 };
    if candidates.is_empty() {
        return Ok(kept);
    }
    let least = request.min_distance.unwrap_or(f64::NEG_INFINITY);
    let isolated = request.start == Start::Isolated && space.before.is_empty() && request.k > 0;
    if means.paired && isolated && Pairs::fit(&space, candidates.len()) {
        let pairs = Pairs::new(&space, &candidates, job)?;
        if let Some(mut pairs) = pairs
            && pairs.choose(request.k, least, &mut kept, job)?
        {
            return Ok(kept);
        }
    }
    let codes = if means.coded { Codes::new(&space, &candidates) } else { None };
    let mut front = Front::new(&space, codes.as_ref(), &candidates);
    space.before.iter().for_each(|&i| front.keep(i));
    kept.indices.iter().for_each(|&row| front.take(row as usize));
    if front.is_empty() && request.k > 0 {
        let (row, distance) = start(request.start, &space, codes.as_ref(), &candidates, job)?;
        kept.indices.push(row as u32);
        kept.distances.push(distance);
        front.take(row);
    }
    while let Some((row, near)) = front.farthest(job)? {
        if !kept.take(row, space.distance(near), request.k, least) {
            break;
        }
        front.take(row);
    }
    Ok(kept)
}

impl Kept {
    /// Takes the farthest row; but not beyond `k` rows or nearer than `least`: then its distance is the radius.
    fn take(&mut self, row: usize, distance: f64, k: usize, least: f64) -> bool {
        if self.indices.len() >= k || distance < least {
            self.radius = distance;
            return false;
        }
        self.indices.push(row as u32);
        self.distances.push(distance as f32);
        true
    }
}

/// The candidates, ascending.
fn candidates<T>(request: &Request<T>) -> Vec<u32> {
    let mut chosen = vec![true; request.rows];
    if let Some(mask) = request.mask {
        assert_eq!(mask.len(), request.rows, "a mask has an item a row");
        chosen.iter_mut().zip(mask).for_each(|(chosen, &mask)| *chosen = mask != 0);
    }
    request.initial.iter().for_each(|&row| chosen[row as usize] = false);
    (0..request.rows as u32).filter(|&row| chosen[row as usize]).collect()
}

/// The first row, and the distance that is reported of it.
fn start<T: Real>(
    rule: Start,
    space: &Space<T>,
    codes: Option<&Codes>,
    candidates: &[u32],
    job: &Job,
) -> Result<(usize, f32), FarthestError> {
    Ok(match rule {
        Start::Row(row) => (row, f32::INFINITY),
        Start::Random(seed) => {
            let mut draw = [0];
            Philox::new(seed, 0).below(0, candidates.len() as u64, &mut draw);
            (candidates[draw[0] as usize] as usize, f32::INFINITY)
        }
        Start::Pair => (front::farthest_pair(space, codes, candidates, job)?, f32::INFINITY),
        Start::Isolated if candidates.len() == 1 => (candidates[0] as usize, 0.0),
        Start::Isolated => {
            let mut front = Front::of_all_pairs(space, codes, candidates);
            let (row, near) = front.farthest(job)?.expect("there are candidates");
            (row, space.distance(near) as f32)
        }
    })
}
