//! The k nearest rows of a base for each of many queries, exact.
//!
//! Products of 8-bit copies ([`crate::screen`]) tell which pairs can be among the k best; those are scored from the rows
//! themselves. Order is that of the scores in float64, equal ones by index, NaN last. The base goes by in chunks that fit the
//! cache, each against a block of queries, with a heap of k for each query and worker: O(queries * rows * width)
//! time, never queries x rows of memory.

mod best;
mod direct;
mod screened;

use crate::cpu::Cpu;
use crate::distance::{Metric, Pairs, Real, Rows, Vectors};
use crate::job::{Aborted, Job};
use crate::threads;
use best::Best;
use rayon::prelude::*;
use screened::Screened;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many neighbours, and which rows may be some.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    pub k: usize,
    /// For each row of the base: not 0 if it may be an answer.
    pub mask: Option<&'a [u8]>,
    /// Row i of the base is no answer to query i.
    pub exclude_self: bool,
}

/// Neighbours of each query, `[queries, k]`, nearest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    pub indices: Vec<u32>,
    pub scores: Vec<f64>,
}

/// Why there are no neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearestError {
    Aborted,
    /// Fewer candidates than k.
    TooFew {
        k: usize,
        candidates: usize,
    },
}

impl From<Aborted> for NearestError {
    fn from(_: Aborted) -> Self {
        NearestError::Aborted
    }
}

impl fmt::Display for NearestError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            NearestError::Aborted => write!(f, "the operation was aborted"),
            NearestError::TooFew { k, candidates } => {
                write!(f, "k must be at most {candidates}, the number of candidates, got {k}")
            }
        }
    }
}

impl std::error::Error for NearestError {}

/// The nearest vectors.
///
/// # Errors
/// [`NearestError::TooFew`] if a query has fewer candidates than k; [`NearestError::Aborted`] once the job is stopped.
///
/// # Panics
/// If the widths differ, the mask has another length than the base, or `exclude_self` meets another number of
/// queries than rows.
///
/// ```
/// use tamis_kernels::distance::{Metric, Rows};
/// use tamis_kernels::nearest::{Search, nearest};
/// let base = Rows::new(&[0.0f32, 0.0, 1.0, 0.0, 5.0, 5.0], 3, 2);
/// let query = Rows::new(&[0.9f32, 0.1], 1, 2);
/// let search = Search { k: 2, mask: None, exclude_self: false };
/// assert_eq!(nearest(query, base, Metric::L2sq, search, &Default::default()).unwrap().indices, [1, 0]);
/// ```
pub fn nearest<T: Real>(
    queries: Rows<T>,
    base: Rows<T>,
    metric: Metric,
    search: Search,
    job: &Job,
) -> Result<Neighbours, NearestError> {
    let candidates = Candidates::new((queries.count(), base.count()), search)?;
    if !screened::pays(base.width(), &candidates) {
        return nearest_by(&Vectors::new(queries, base, metric), search, job);
    }
    let pairs = Vectors::lazy(queries, base, metric);
    candidates.search(&Screened::new(&pairs, &candidates, Cpu::current()), &pairs, job)
}

/// The nearest by any score of pairs: every pair is scored.
///
/// # Errors
/// As [`nearest`].
///
/// # Panics
/// As [`nearest`].
pub fn nearest_by<P: Pairs>(pairs: &P, search: Search, job: &Job) -> Result<Neighbours, NearestError> {
    let candidates = Candidates::new(pairs.counts(), search)?;
    candidates.search(&direct::Direct { pairs }, pairs, job)
}

/// Which rows of the base may be answers.
struct Candidates {
    queries: usize,
    k: usize,
    count: usize,
    /// Ascending; none if all rows are.
    list: Option<Vec<u32>>,
    exclude_self: bool,
}

/// Some candidates, by their places among all of them.
struct Chunk<'a> {
    candidates: &'a Candidates,
    places: Range<usize>,
}

impl Chunk<'_> {
    fn rows(&self) -> impl Iterator<Item = usize> + Clone {
        let list = self.candidates.list.as_deref();
        self.places.clone().map(move |place| list.map_or(place, |list| list[place] as usize))
    }
}

/// A way of going through the base.
trait Scan: Sync {
    /// What is made of a block of queries once.
    type Block: Sync;
    /// What a worker keeps.
    type Scratch: Default;

    fn prepare(&self, queries: Range<usize>) -> Self::Block;

    /// Offers to each query of the block what may be among its k best: all that are, and maybe others, with their
    /// exact scores.
    fn scan(&self, block: &Self::Block, chunk: &Chunk, best: &mut [Best], scratch: &mut Self::Scratch);
}

/// Queries of a block, if k is small.
const BLOCK: usize = 1024;
/// Places in the heaps of one worker.
const HEAPS: usize = 1 << 22;
/// Rows of the base that a worker takes at a time.
const CHUNK: usize = 1024;

impl Candidates {
    fn new((queries, rows): (usize, usize), search: Search) -> Result<Self, NearestError> {
        let Search { k, mask, exclude_self } = search;
        assert!(mask.is_none_or(|mask| mask.len() == rows), "a mask of another length than the base");
        assert!(!exclude_self || queries == rows, "another number of queries than rows");
        let list: Option<Vec<u32>> = mask.map(|mask| {
            let set = mask.iter().enumerate().filter(|(_, m)| **m != 0);
            set.map(|(row, _)| row as u32).collect()
        });
        let count = list.as_ref().map_or(rows, Vec::len);
        // A query whose own row is a candidate has one fewer.
        let least = count.saturating_sub(usize::from(exclude_self));
        if k > least {
            return Err(NearestError::TooFew { k, candidates: least });
        }
        Ok(Candidates { queries, k, count, list, exclude_self })
    }

    fn search<S: Scan>(&self, scan: &S, pairs: &impl Pairs, job: &Job) -> Result<Neighbours, NearestError> {
        if self.k == 0 || self.queries == 0 {
            return Ok(Neighbours { indices: Vec::new(), scores: Vec::new() });
        }
        let width = BLOCK.min(HEAPS / self.k).max(16);
        let blocks = self.queries.div_ceil(width);
        let block = |b: usize| b * width..self.queries.min((b + 1) * width);
        let pool = threads::pool();
        let found: Vec<Vec<Best>> = pool.install(|| {
            if blocks >= 4 * pool.current_num_threads() {
                (0..blocks).into_par_iter().map(|b| self.search_block(scan, block(b), 1, job)).collect()
            } else {
                let workers = pool.current_num_threads();
                (0..blocks).map(|b| self.search_block(scan, block(b), workers, job)).collect::<Result<_, _>>()
            }
        })?;
        let mut indices = Vec::with_capacity(self.queries * self.k);
        found.into_iter().flatten().for_each(|best| indices.extend(best.into_sorted()));
        let score = |(at, &j): (usize, &u32)| pairs.score(at / self.k, j as usize);
        let scores = indices.iter().enumerate().map(score).collect();
        Ok(Neighbours { indices, scores })
    }

    fn search_block<S: Scan>(
        &self,
        scan: &S,
        queries: Range<usize>,
        workers: usize,
        job: &Job,
    ) -> Result<Vec<Best>, Aborted> {
        let block = scan.prepare(queries.clone());
        let size = CHUNK.min(self.count.div_ceil(workers)).max(1);
        let chunks = self.count.div_ceil(size);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut best = vec![Best::new(self.k); queries.len()];
            let mut scratch = S::Scratch::default();
            loop {
                let from = next.fetch_add(1, Relaxed) * size;
                if from >= self.count {
                    return Ok(best);
                }
                job.check()?;
                let places = from..self.count.min(from + size);
                scan.scan(&block, &Chunk { candidates: self, places }, &mut best, &mut scratch);
            }
        };
        let workers = workers.min(chunks);
        if workers == 1 {
            return work();
        }
        let mut all: Vec<Vec<Best>> =
            (0..workers).into_par_iter().with_max_len(1).map(|_| work()).collect::<Result<_, _>>()?;
        let mut first = all.pop().unwrap_or_default();
        for other in all {
            first.iter_mut().zip(other).for_each(|(best, other)| best.merge(other));
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests;
