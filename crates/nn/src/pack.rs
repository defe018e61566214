//! Texts of tokens in groups: what goes through a model at a time.
//!
//! A group's texts lie packed behind each other, so nothing is spent on padding and texts need no sorting. Groups are cut by the
//! texts alone: what is computed for one depends neither on the threads nor on what else is there.

use crate::linear::Spread;
use rayon::prelude::*;
use std::ops::Range;
use tamis_kernels::job::{Aborted, Job};
use tamis_kernels::threads;

/// Tokens of a group, about: activations of so many fit the caches, and a product over them is at its full rate.
pub const TOKENS: usize = 512;

/// Cuts texts of these lengths into groups of successive ones, each of at least one text and, but for a single long one, at most
/// [`TOKENS`] tokens.
pub fn groups(lengths: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (i, length) in lengths.into_iter().enumerate() {
        match groups.last_mut() {
            Some(group) if tokens + length <= TOKENS => {
                group.end = i + 1;
                tokens += length;
            }
            _ => {
                groups.push(i..i + 1);
                tokens = length;
            }
        }
    }
    groups
}

/// Where texts of these lengths lie, one behind the other.
pub fn places(lengths: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let next = |at: &mut usize, length: usize| {
        *at += length;
        Some(*at - length..*at)
    };
    lengths.into_iter().scan(0, next).collect()
}

/// Does something with each group, in parallel: with many groups each on a thread of its own, with few each on all of them.
/// Results are in the order of the groups; `memory` is reused from one to the next.
pub fn each<M: Default + Send, T: Send>(
    groups: &[Range<usize>],
    job: &Job,
    work: impl Fn(Range<usize>, &mut M, Spread) -> Result<T, Aborted> + Sync,
) -> Result<Vec<T>, Aborted> {
    let pool = threads::pool();
    let many = groups.len() >= 2 * pool.current_num_threads();
    let one = |memory: &mut M, group: &Range<usize>, spread: Spread| {
        job.check()?;
        work(group.clone(), memory, spread)
    };
    pool.install(|| match many {
        true => {
            groups.par_iter().map_init(M::default, |memory, group| one(memory, group, Spread::Here)).collect()
        }
        false => {
            let mut memory = M::default();
            groups.iter().map(|group| one(&mut memory, group, Spread::Threads)).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn groups_cover_the_texts_within_the_budget(lengths in prop::collection::vec(0usize..700, 0..60)) {
            let groups = groups(lengths.iter().copied());
            let covered: Vec<usize> = groups.iter().flat_map(Clone::clone).collect();
            prop_assert!(covered.into_iter().eq(0..lengths.len()));
            for (i, group) in groups.iter().enumerate() {
                let tokens: usize = lengths[group.clone()].iter().sum();
                prop_assert!(group.len() == 1 || tokens <= TOKENS);
                if let Some(next) = groups.get(i + 1) {
                    prop_assert!(tokens + lengths[next.start] > TOKENS);
                }
            }
            let places = places(lengths.iter().copied());
            prop_assert_eq!(places.last().map_or(0, |last| last.end), lengths.iter().sum::<usize>());
        }
    }
}
