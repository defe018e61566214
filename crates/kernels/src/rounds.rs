//! Rounds of random rows: a fresh draw each, or every row once before any comes again.
//!
//! With replacement across rounds, round t is the head of permutation(seed, stream t). Without, a queue is filled with
//! permutation(seed, stream e), e = 0, 1, ... counting fills, and rounds are taken from its front; when a fill happens
//! inside a round, the rows that this round already holds are passed over and stay in the queue, in place. With
//! strata each one has its own queue and its own count of fills, and the round is the union in the order of the words
//! of stream 2^31 + t. Cost: O(n log n) a pass over the rows, or O(n) a round with replacement; 12 bytes a row.

use crate::philox::Philox;
use std::fmt;

/// Streams below this number fills and rounds; those from it on order the rounds of strata.
const ORDER_STREAMS: u32 = 1 << 31;

/// Why no rounds can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundsError {
    /// The share selects no row of any stratum.
    Empty,
}

impl fmt::Display for RoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ratio selects no row of any class")
    }
}

impl std::error::Error for RoundsError {}

/// How many rows a round has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size<'a> {
    Count(u32),
    /// Of all rows, rounded half to even, at least 1.
    Ratio(f64),
    /// The same of each class (0 is possible), classes given by row.
    Strata(f64, &'a [u32]),
}

/// The rounds, one after the other.
///
/// ```
/// use tamis_kernels::rounds::{Rounds, Size};
/// let mut rounds = Rounds::new(10, Size::Ratio(0.4), false, 6).unwrap();
/// assert_eq!(rounds.next_round(), [8, 9, 4, 6]);
/// assert_eq!(rounds.next_round(), [5, 2, 0, 3]);
/// assert_eq!(rounds.next_round(), [1, 7, 9, 6]);
/// ```
#[derive(Debug, Clone)]
pub struct Rounds {
    n: u32,
    seed: u64,
    replacement: bool,
    stratified: bool,
    round: u32,
    strata: Vec<Stratum>,
}

#[derive(Debug, Clone)]
struct Stratum {
    /// Its rows, ascending; none means all.
    rows: Option<Vec<u32>>,
    /// How many a round takes.
    take: usize,
    queue: Vec<u32>,
    /// Rows of the queue that are gone.
    gone: usize,
    fills: u32,
}

fn half_even(x: f64) -> usize {
    x.round_ties_even() as usize
}

impl Rounds {
    /// Rounds of `n` rows.
    ///
    /// # Panics
    /// If there are no rows, more rows in a round than there are, or classes of another number of rows.
    pub fn new(n: u32, size: Size<'_>, replacement: bool, seed: u64) -> Result<Self, RoundsError> {
        assert!(n >= 1, "no rows");
        let strata = match size {
            Size::Count(count) => vec![Stratum::new(None, count as usize)],
            Size::Ratio(ratio) => vec![Stratum::new(None, half_even(ratio * f64::from(n)).max(1))],
            Size::Strata(ratio, classes) => {
                assert_eq!(classes.len(), n as usize, "classes of another number of rows");
                strata(ratio, classes)
            }
        };
        assert!(
            strata.iter().all(|stratum| stratum.take <= n as usize),
            "a round of more rows than there are"
        );
        if strata.is_empty() {
            return Err(RoundsError::Empty);
        }
        let stratified = matches!(size, Size::Strata(..));
        Ok(Rounds { n, seed, replacement, stratified, round: 0, strata })
    }

    /// The number of the next round.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Rows of a round.
    pub fn size(&self) -> usize {
        self.strata.iter().map(|stratum| stratum.take).sum()
    }

    /// The rows of the next round, in its order.
    pub fn next_round(&mut self) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.size());
        for stratum in &mut self.strata {
            if self.replacement {
                rows.extend(stratum.ordered(self.n, self.seed, self.round, stratum.take));
            } else {
                stratum.take(self.n, self.seed, &mut rows);
            }
        }
        if self.stratified {
            let draws = Philox::new(self.seed, ORDER_STREAMS.wrapping_add(self.round));
            rows.sort_by_cached_key(|&row| (draws.word(u64::from(row)), row));
        }
        self.round += 1;
        rows
    }

    /// Makes `round` the next: at once with replacement, else by going through the rounds before it.
    pub fn seek(&mut self, round: u32) {
        if !self.replacement {
            if round < self.round {
                for stratum in &mut self.strata {
                    (stratum.queue, stratum.gone, stratum.fills) = (Vec::new(), 0, 0);
                }
                self.round = 0;
            }
            let mut rows = Vec::new();
            for _ in self.round..round {
                for stratum in &mut self.strata {
                    rows.clear();
                    stratum.take(self.n, self.seed, &mut rows);
                }
            }
        }
        self.round = round;
    }
}

/// Classes of which a round takes a row or more, by number.
fn strata(ratio: f64, classes: &[u32]) -> Vec<Stratum> {
    let mut rows: Vec<u32> = (0..classes.len() as u32).collect();
    rows.sort_by_key(|&row| classes[row as usize]);
    rows.chunk_by(|&a, &b| classes[a as usize] == classes[b as usize])
        .map(|rows| Stratum::new(Some(rows.to_vec()), half_even(ratio * rows.len() as f64)))
        .filter(|stratum| stratum.take > 0)
        .collect()
}

impl Stratum {
    fn new(rows: Option<Vec<u32>>, take: usize) -> Self {
        Stratum { rows, take, queue: Vec::new(), gone: 0, fills: 0 }
    }

    /// The first `head` of its rows in the order of the words of a stream.
    fn ordered(&self, n: u32, seed: u64, stream: u32, head: usize) -> Vec<u32> {
        let draws = Philox::new(seed, stream);
        let key = |word: u32, row: u32| u64::from(word) << 32 | u64::from(row);
        let mut keys: Vec<u64> = match &self.rows {
            Some(rows) => rows.iter().map(|&row| key(draws.word(u64::from(row)), row)).collect(),
            None if head == n as usize => return draws.permutation(head),
            None => {
                let mut words = vec![0; n as usize];
                draws.words(0, &mut words);
                words.into_iter().zip(0..).map(|(word, row)| key(word, row)).collect()
            }
        };
        if head < keys.len() {
            keys.select_nth_unstable(head);
            keys.truncate(head);
        }
        keys.sort_unstable();
        keys.into_iter().map(|key| key as u32).collect()
    }

    /// Appends the next rows of the queue to a round.
    fn take(&mut self, n: u32, seed: u64, round: &mut Vec<u32>) {
        let first = round.len();
        let there = self.take.min(self.queue.len() - self.gone);
        round.extend_from_slice(&self.queue[self.gone..self.gone + there]);
        self.gone += there;
        if there == self.take {
            return;
        }
        let all = self.rows.as_ref().map_or(n as usize, Vec::len);
        let fresh = self.ordered(n, seed, self.fills, all);
        self.fills += 1;
        let mut held = round[first..].to_vec();
        held.sort_unstable();
        let mut left = self.take - there;
        self.queue.clear();
        self.gone = 0;
        for row in fresh {
            if left > 0 && held.binary_search(&row).is_err() {
                round.push(row);
                left -= 1;
            } else {
                self.queue.push(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// The definition: a queue of rows, one at a time.
    struct Naive {
        n: u32,
        seed: u64,
        queue: VecDeque<u32>,
        fills: u32,
    }

    impl Naive {
        fn next_round(&mut self, k: usize) -> Vec<u32> {
            let mut round = Vec::new();
            while round.len() < k {
                if self.queue.iter().all(|row| round.contains(row)) {
                    assert!(self.queue.is_empty());
                    self.queue = Philox::new(self.seed, self.fills).permutation(self.n as usize).into();
                    self.fills += 1;
                }
                let at = self.queue.iter().position(|row| !round.contains(row)).unwrap();
                round.extend(self.queue.remove(at));
            }
            round
        }
    }

    fn all(rounds: &mut Rounds, count: usize) -> Vec<Vec<u32>> {
        (0..count).map(|_| rounds.next_round()).collect()
    }

    #[test]
    fn half_of_a_row_goes_to_the_even_number() {
        let size = |n, ratio| Rounds::new(n, Size::Ratio(ratio), false, 0).unwrap().size();
        assert_eq!((size(10, 0.25), size(10, 0.35), size(30, 0.25)), (2, 4, 8));
        assert_eq!(size(3, 0.01), 1);
        assert_eq!(size(7, 1.0), 7);
    }

    #[test]
    fn with_replacement_a_round_is_the_head_of_a_permutation() {
        let mut rounds = Rounds::new(30, Size::Count(6), true, 9).unwrap();
        rounds.seek(2);
        assert_eq!(rounds.next_round(), Philox::new(9, 2).permutation(30)[..6]);
        assert_eq!(rounds.round(), 3);
        rounds.seek(0);
        assert_eq!(rounds.next_round(), Philox::new(9, 0).permutation(30)[..6]);
    }

    #[test]
    fn strata_give_their_shares_and_see_every_row_equally_often() {
        let classes: Vec<u32> = (0..40).map(|i| [7, 7, 7, u32::MAX][i % 4]).collect();
        let mut rounds = Rounds::new(40, Size::Strata(0.2, &classes), false, 3).unwrap();
        let mut seen = [0; 40];
        for _ in 0..10 {
            let round = rounds.next_round();
            assert_eq!(round.len(), 8);
            assert_eq!(round.iter().filter(|&&row| classes[row as usize] == 7).count(), 6);
            round.iter().for_each(|&row| seen[row as usize] += 1);
        }
        assert_eq!(seen, [2; 40]);
        assert_eq!(Rounds::new(40, Size::Strata(0.01, &classes), false, 3).unwrap_err(), RoundsError::Empty);
    }

    proptest! {
        #[test]
        fn the_queue_is_that_of_the_definition(n in 1u32..40, part in 1u32..=40, seed: u64, back in 0u32..12) {
            let k = (n * part / 40).max(1);
            let mut naive = Naive { n, seed, queue: VecDeque::new(), fills: 0 };
            let want: Vec<Vec<u32>> = (0..12).map(|_| naive.next_round(k as usize)).collect();
            let mut rounds = Rounds::new(n, Size::Count(k), false, seed).unwrap();
            prop_assert_eq!(&all(&mut rounds, 12), &want);
            rounds.seek(back);
            prop_assert_eq!(&all(&mut rounds, 12 - back as usize)[..], &want[back as usize..]);
        }

        #[test]
        fn seeking_is_the_same_in_strata(
            classes in prop::collection::vec(0u32..3, 1..60), replacement: bool, seed: u64, to in 0u32..9
        ) {
            let n = classes.len() as u32;
            let Ok(mut rounds) = Rounds::new(n, Size::Strata(0.3, &classes), replacement, seed) else {
                return Ok(());
            };
            let want = all(&mut rounds, 9);
            let mut again = Rounds::new(n, Size::Strata(0.3, &classes), replacement, seed).unwrap();
            again.seek(to);
            prop_assert_eq!(&all(&mut again, 9 - to as usize)[..], &want[to as usize..]);
        }
    }
}
