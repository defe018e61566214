//! Nearest neighbours from an [`Index`]: exact ones, or fast ones within a bound of work, under filters.
//!
//! Exact: candidates in the order of their lower bounds, true distances until a lower bound is above the k-th best.
//! Fast: the candidates of the fewest differing sign bits, of those the lowest bounds, of those the true distances.
//! Ties of true distances go to the lowest row. O(C d) table lookups for C candidates.

use super::bounds::Tables;
use super::index::{Index, rotate, sign_bits};
use crate::distance::Arithmetic;
use crate::job::{Aborted, Job};
use crate::threads;
use crate::unit::unit_row;
use rayon::prelude::*;
use std::cmp::Ordering;

/// How far beyond the k-th best, as a share of it, a lower bound may be before the search ends.
const GUARD: f64 = 1e-5;
/// What the rotation in float32 may add to a bound, as a share of the lengths that were rotated.
const ROUNDING: f64 = 5e-7;
/// Rows whose true distances are computed together, at least.
const BATCH: usize = 64;

/// How an attribute is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Less,
    LessEqual,
    Equal,
    Greater,
    GreaterEqual,
    /// Above the value, and at most the upper one.
    Between,
}

/// A predicate on one column of the attributes. NaN passes none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filter {
    pub column: usize,
    pub operator: Operator,
    pub value: f32,
    /// Of [`Operator::Between`].
    pub upper: f32,
}

impl Filter {
    pub(super) fn passes(&self, attributes: &[f32]) -> bool {
        let x = attributes[self.column];
        match self.operator {
            Operator::Less => x < self.value,
            Operator::LessEqual => x <= self.value,
            Operator::Equal => x == self.value,
            Operator::Greater => x > self.value,
            Operator::GreaterEqual => x >= self.value,
            Operator::Between => x > self.value && x <= self.upper,
        }
    }
}

/// How candidates are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SearchMode {
    Exact,
    Fast {
        /// The share of the candidates whose sign bits let them go on.
        hamming_share: f64,
        /// True distances computed for each neighbour wanted.
        rerank: usize,
        /// Partitions farther than this times the nearest one's distance are visited only for want of candidates.
        centroid_factor: f64,
    },
}

/// What is sought.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// `[count, width]`
    pub queries: &'a [f32],
    pub k: usize,
    pub filters: &'a [Filter],
    /// `[n]`, 0 for rows that are no candidates.
    pub mask: Option<&'a [u8]>,
    pub mode: SearchMode,
}

/// Neighbours `[count, k]`, nearest first; what is missing is row 2^32-1 at infinity.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub indices: Vec<u32>,
    pub distances: Vec<f32>,
    /// True distances computed.
    pub examined: u64,
}

/// A squared distance or a bound of one, and whose it is.
type Scored = (f64, u32);

fn nearer(a: &Scored, b: &Scored) -> Ordering {
    a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then(a.1.cmp(&b.1))
}

/// Leaves the `count` nearest, in any order.
fn keep_nearest(scored: &mut Vec<Scored>, count: usize) {
    if count == 0 {
        scored.clear();
    } else if count < scored.len() {
        scored.select_nth_unstable_by(count - 1, nearer);
        scored.truncate(count);
    }
}

impl Index {
    /// Finds the nearest rows of each query. For the cosine, queries are divided by their norms.
    ///
    /// # Errors
    /// A stopped job, or the first zero query with the cosine.
    ///
    /// # Panics
    /// If slices do not fit the index.
    pub fn search(&self, query: &Query, job: &Job) -> Result<Result<Answer, usize>, Aborted> {
        threads::pool().install(|| {
            let candidates = self.candidates(query.filters, query.mask);
            let queries = match self.directed(query.queries) {
                Ok(queries) => queries,
                Err(zero) => return Ok(Err(zero)),
            };
            let one = |row: &[f32]| {
                job.check()?;
                Ok(match query.mode {
                    SearchMode::Exact => self.exact(row, query.k, &candidates),
                    SearchMode::Fast { hamming_share, rerank, centroid_factor } => {
                        let visited = self.visit(row, query.k, &candidates, centroid_factor);
                        self.fast(row, query.k, &visited, hamming_share, rerank)
                    }
                })
            };
            let found: Vec<Result<(Vec<Scored>, u64), Aborted>> =
                queries.par_chunks_exact(self.width).map(one).collect();
            let mut answer = Answer { indices: Vec::new(), distances: Vec::new(), examined: 0 };
            for found in found {
                let (found, examined) = found?;
                let missing = query.k - found.len();
                answer.examined += examined;
                answer.indices.extend(found.iter().map(|&(_, row)| row));
                answer.indices.extend(std::iter::repeat_n(u32::MAX, missing));
                answer.distances.extend(found.iter().map(|&(squared, _)| self.distance(squared) as f32));
                answer.distances.extend(std::iter::repeat_n(f32::INFINITY, missing));
            }
            Ok(Ok(answer))
        })
    }

    /// Lower and upper bounds of the distance from a query to every row, by rows.
    ///
    /// # Errors
    /// A zero query with the cosine.
    pub fn bounds(&self, query: &[f32]) -> Result<(Vec<f32>, Vec<f32>), usize> {
        threads::pool().install(|| {
            let query = self.directed(query)?;
            let tables = self.tables(&query);
            let places: Vec<u32> = (0..self.n as u32).collect();
            let by_rows = |squared: Vec<f32>| {
                let mut out = vec![0.0; self.n];
                for (squared, &row) in squared.into_iter().zip(&self.order) {
                    out[row as usize] = self.distance(squared.into()) as f32;
                }
                out
            };
            let lower = tables.lower(&self.layout, &self.segments, self.n, &places);
            let upper = tables.upper(&self.layout, &self.segments, self.n, &places);
            Ok((by_rows(lower), by_rows(upper)))
        })
    }

    /// Queries, divided by their norms for the cosine; or the first that has none.
    fn directed(&self, queries: &[f32]) -> Result<Vec<f32>, usize> {
        let mut queries = queries.to_vec();
        if self.cosine
            && let Some(zero) = queries.chunks_exact_mut(self.width).position(|query| !unit_row(query))
        {
            return Err(zero);
        }
        Ok(queries)
    }

    /// A squared Euclidean distance as the metric's.
    fn distance(&self, squared: f64) -> f64 {
        if self.cosine { squared / 2.0 } else { squared.sqrt() }
    }

    fn tables(&self, query: &[f32]) -> Tables {
        let turned: Vec<f64> = rotate(query, &self.mean, &self.axes).into_iter().map(f64::from).collect();
        Tables::new(&self.boundaries, &turned)
    }

    /// Squared lower bounds and places.
    fn lower(&self, query: &[f32], places: &[u32]) -> Vec<Scored> {
        let lower = self.tables(query).lower(&self.layout, &self.segments, self.n, places);
        lower.into_iter().zip(places).map(|(lower, &place)| (lower.into(), place)).collect()
    }

    /// Squared true distances and rows of the rows at some places.
    fn true_distances(&self, query: &[f32], scored: &[Scored]) -> Vec<Scored> {
        let arithmetic = Arithmetic::current();
        let one = |&(_, place): &Scored| {
            let row = self.order[place as usize];
            (arithmetic.l2sq(query, self.row(row as usize)), row)
        };
        scored.iter().map(one).collect()
    }

    fn exact(&self, query: &[f32], k: usize, candidates: &[u32]) -> (Vec<Scored>, u64) {
        let mut bounds = self.lower(query, candidates);
        let offset: f64 = query.iter().zip(&self.mean).map(|(&q, m)| (f64::from(q) - m).powi(2)).sum();
        let slack = ROUNDING * (self.reach + offset.sqrt());
        let sums = 1.0 + GUARD + self.width as f64 * f64::from(f32::EPSILON);
        let mut best: Vec<Scored> = Vec::new();
        let mut examined = 0;
        let mut rest = &mut bounds[..];
        let mut size = BATCH.max(2 * k);
        while !rest.is_empty() {
            let (batch, after) = if size < rest.len() {
                rest.select_nth_unstable_by(size, nearer);
                rest.split_at_mut(size)
            } else {
                (rest, &mut [][..])
            };
            batch.sort_unstable_by(nearer);
            for at in 0..batch.len() {
                if best.len() >= k {
                    let limit = best[k - 1].0.sqrt() * sums + slack;
                    if batch[at].0.sqrt() > limit {
                        return (best, examined);
                    }
                }
                let found = self.true_distances(query, &batch[at..=at])[0];
                examined += 1;
                let place = best.partition_point(|one| nearer(one, &found) == Ordering::Less);
                if place < k {
                    best.insert(place, found);
                    best.truncate(k);
                }
            }
            rest = after;
            size *= 2;
        }
        (best, examined)
    }

    /// The candidates of the partitions nearest to the query.
    fn visit(&self, query: &[f32], k: usize, candidates: &[u32], factor: f64) -> Vec<u32> {
        if self.centres.is_empty() {
            return candidates.to_vec();
        }
        let turned = rotate(query, &self.mean, &self.axes);
        let arithmetic = Arithmetic::current();
        let distance =
            |(part, centre): (usize, &[f32])| (arithmetic.l2sq(&turned, centre).sqrt(), part as u32);
        let mut parts: Vec<Scored> =
            self.centres.chunks_exact(self.width).enumerate().map(distance).collect();
        parts.sort_unstable_by(nearer);
        let mut visited = Vec::new();
        for &(distance, part) in &parts {
            if distance > factor * parts[0].0 && visited.len() >= k.min(candidates.len()) {
                break;
            }
            let ends = [part as usize, part as usize + 1]
                .map(|end| candidates.partition_point(|&place| (place as usize) < self.parts[end]));
            visited.extend_from_slice(&candidates[ends[0]..ends[1]]);
        }
        visited
    }

    fn fast(
        &self,
        query: &[f32],
        k: usize,
        visited: &[u32],
        share: f64,
        rerank: usize,
    ) -> (Vec<Scored>, u64) {
        let bytes = self.width.div_ceil(8);
        let mut bits = vec![0; bytes];
        sign_bits(&rotate(query, &self.mean, &self.signs_axes), &mut bits);
        let differing = |&place: &u32| {
            let signs = &self.signs[place as usize * bytes..][..bytes];
            let differing: u32 = signs.iter().zip(&bits).map(|(a, b)| (a ^ b).count_ones()).sum();
            (f64::from(differing), place)
        };
        let mut scored: Vec<Scored> = visited.par_iter().with_min_len(1024).map(differing).collect();
        let wanted = k.saturating_mul(rerank);
        let of_candidates = (share * visited.len() as f64 + 1e-6).floor();
        let of_wanted = (100.0 * share * wanted as f64 - 1e-6).ceil();
        let order = |scored: &mut Vec<Scored>, count: usize| {
            // Ties go by rows, which lie by places only where there are no partitions.
            if self.centres.is_empty() {
                return keep_nearest(scored, count);
            }
            let mut keyed: Vec<(f64, u32, u32)> =
                scored.iter().map(|&(score, place)| (score, self.order[place as usize], place)).collect();
            if count < keyed.len() {
                keyed.sort_unstable_by(|a, b| nearer(&(a.0, a.1), &(b.0, b.1)));
                keyed.truncate(count);
            }
            *scored = keyed.into_iter().map(|(score, _, place)| (score, place)).collect();
        };
        order(&mut scored, of_candidates.max(of_wanted) as usize);
        let places: Vec<u32> = scored.iter().map(|&(_, place)| place).collect();
        let mut scored = self.lower(query, &places);
        order(&mut scored, wanted);
        let examined = scored.len() as u64;
        let mut found = self.true_distances(query, &scored);
        keep_nearest(&mut found, k);
        found.sort_unstable_by(nearer);
        (found, examined)
    }
}
