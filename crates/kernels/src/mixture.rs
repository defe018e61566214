//! A mixture of sources: which source each draw is from, and which of its items it takes.
//!
//! `probabilities [sources], counts [sources] -> source, index [total]`. With C the running sums of the probabilities,
//! draw j takes the first source with `C_i > u_j * C_last`, u_j being item j of `uniform64(seed, 0)`; a source gives its items in the
//! order of `permutation(seed, 1 + i + S * e, counts[i])` in its epoch e, one epoch after the other. O(total * log(sources)), and the
//! sorting of the permutations.

use crate::job::{Aborted, Job};
use crate::philox::Philox;
use std::fmt;

/// Draws in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    pub source: Vec<u32>,
    /// The item's place within its source.
    pub index: Vec<u32>,
    /// Draws from each source over its number of items; 0 for a source without items.
    pub epochs: Vec<f64>,
}

/// Why nothing can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixtureError {
    Aborted,
    /// More epochs of a source than there are streams of random numbers.
    Streams,
}

impl From<Aborted> for MixtureError {
    fn from(_: Aborted) -> Self {
        MixtureError::Aborted
    }
}

impl fmt::Display for MixtureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MixtureError::Aborted => f.write_str("the operation was aborted"),
            MixtureError::Streams => {
                f.write_str("total is too large: 1 + sources * epochs must be at most 2^32 streams")
            }
        }
    }
}

impl std::error::Error for MixtureError {}

/// Draws between two looks at the job.
const BATCH: usize = 1 << 14;

/// Mixes sources.
///
/// # Errors
/// [`MixtureError`]: more epochs than streams; `job` was stopped.
///
/// # Panics
/// If there are items to draw and no probability is above 0, or a source without items has one.
///
/// ```
/// use tamis_kernels::{job::Job, mixture};
/// let mixed = mixture::mix(&[0.5, 0.0, 0.5], &[2, 9, 1], 4, 0, &Job::default()).unwrap();
/// assert!(mixed.source.iter().zip(&mixed.index).all(|(&s, &i)| (s == 0 && i < 2) || (s == 2 && i == 0)));
/// ```
pub fn mix(
    probabilities: &[f64],
    counts: &[u32],
    total: usize,
    seed: u64,
    job: &Job,
) -> Result<Mixture, MixtureError> {
    let sums: Vec<f64> = probabilities
        .iter()
        .scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        })
        .collect();
    let mut readers: Vec<Reader> = counts.iter().map(|_| Reader::default()).collect();
    let draws = Philox::new(seed, 0);
    let (mut source, mut index) = (Vec::with_capacity(total), Vec::with_capacity(total));
    let mut uniforms = vec![0.0; BATCH.min(total)];
    for first in (0..total).step_by(BATCH) {
        job.check()?;
        let uniforms = &mut uniforms[..(total - first).min(BATCH)];
        draws.uniform64(first as u64, uniforms);
        for u in uniforms {
            let level = *u * sums[sums.len() - 1];
            let i = sums.partition_point(|&sum| sum <= level);
            source.push(i as u32);
            index.push(readers[i].next(i, counts, seed)?);
        }
    }
    let share = |(reader, &count): (&Reader, &u32)| {
        if count == 0 { 0.0 } else { reader.drawn as f64 / f64::from(count) }
    };
    let epochs = readers.iter().zip(counts).map(share).collect();
    Ok(Mixture { source, index, epochs })
}

/// Where the reading of a source is.
#[derive(Default)]
struct Reader {
    /// What is left of the epoch, last first.
    left: Vec<u32>,
    epoch: u64,
    drawn: u64,
}

impl Reader {
    fn next(&mut self, source: usize, counts: &[u32], seed: u64) -> Result<u32, MixtureError> {
        if self.left.is_empty() {
            let stream = 1 + source as u64 + counts.len() as u64 * self.epoch;
            let stream = u32::try_from(stream).map_err(|_| MixtureError::Streams)?;
            self.left = Philox::new(seed, stream).permutation(counts[source] as usize);
            self.left.reverse();
            self.epoch += 1;
        }
        self.drawn += 1;
        Ok(self.left.pop().expect("a source with a probability has items"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn draws_are_those_of_the_definition(
            sources in prop::collection::vec((1..6_u32, 0..4_u8), 1..5),
            total in 0..60_usize,
            seed in any::<u64>(),
        ) {
            let counts: Vec<u32> = sources.iter().map(|s| s.0).collect();
            let mut probabilities: Vec<f64> = sources.iter().map(|s| f64::from(s.1)).collect();
            probabilities[0] += 0.5;
            let got = mix(&probabilities, &counts, total, seed, &Job::default()).unwrap();

            let mut uniforms = vec![0.0; total];
            Philox::new(seed, 0).uniform64(0, &mut uniforms);
            let all: f64 = probabilities.iter().sum();
            let mut drawn = vec![0; counts.len()];
            for (j, u) in uniforms.iter().enumerate() {
                let mut sum = 0.0;
                let i = probabilities.iter().position(|p| { sum += p; sum > u * all }).unwrap();
                let epoch = drawn[i] / counts[i];
                let stream = 1 + i as u32 + counts.len() as u32 * epoch;
                let order = Philox::new(seed, stream).permutation(counts[i] as usize);
                prop_assert_eq!((got.source[j], got.index[j]), (i as u32, order[(drawn[i] % counts[i]) as usize]));
                drawn[i] += 1;
            }
            for i in 0..counts.len() {
                prop_assert_eq!(got.epochs[i], f64::from(drawn[i]) / f64::from(counts[i]));
            }
        }
    }

    #[test]
    fn no_draws_need_no_sources() {
        let empty = Mixture { source: vec![], index: vec![], epochs: vec![] };
        assert_eq!(mix(&[], &[], 0, 0, &Job::default()), Ok(empty));
        let job = Job::default();
        job.stop();
        assert_eq!(mix(&[1.0], &[1], 1, 0, &job), Err(MixtureError::Aborted));
    }

    #[test]
    fn epochs_without_a_stream_are_an_error() {
        let mut reader = Reader { epoch: u64::from(u32::MAX), ..Reader::default() };
        assert_eq!(reader.next(0, &[1], 0), Err(MixtureError::Streams));
    }
}
