//! The choice among the candidates that a scoring pass kept.

use super::heap::{Budget, Candidate, share_out};
use super::score::Scored;
use crate::error::Error;

/// A record that is kept, or one of the nearest misses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick {
    pub candidate: Candidate,
    /// Which table took it; none for a miss.
    pub table: Option<u32>,
}

/// What is kept, and what nearly was.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// In the order of the records.
    pub(super) picks: Vec<Pick>,
    /// Kept for each table.
    pub kept: Vec<u64>,
}

impl Scored {
    /// Serves the budgets in turn, each by its table's best candidates that no earlier one took; `spare` of the best that
    /// nobody took are named as misses. Each budget is at most the one that the pass was run with, less those of earlier
    /// tables; there is one choice for each pass, since it hands its candidates over.
    pub fn choose(&mut self, budgets: &[Budget], spare: usize) -> Result<Chosen, Error> {
        if self.best.len() != budgets.len() {
            return Err(Error::range(format!(
                "budgets must be one for each of {} tables, got {}",
                self.best.len(),
                budgets.len()
            )));
        }
        let lists = std::mem::take(&mut self.best).into_iter().map(|best| best.into_sorted()).collect();
        let (shares, misses) = share_out(lists, budgets, spare);
        let kept = shares.iter().map(|share| share.len() as u64).collect();
        let mut picks: Vec<Pick> =
            Vec::with_capacity(shares.iter().map(Vec::len).sum::<usize>() + misses.len());
        for (table, share) in shares.into_iter().enumerate() {
            picks.extend(share.into_iter().map(|candidate| Pick { candidate, table: Some(table as u32) }));
        }
        picks.extend(misses.into_iter().map(|candidate| Pick { candidate, table: None }));
        picks.sort_unstable_by_key(|pick| pick.candidate.index);
        Ok(Chosen { picks, kept })
    }
}

impl Chosen {
    /// The kept records, in order, each with its table.
    pub fn each_kept(&self) -> impl Iterator<Item = (&Candidate, u32)> {
        self.picks.iter().filter_map(|pick| Some((&pick.candidate, pick.table?)))
    }

    /// How many records are kept.
    pub fn records(&self) -> u64 {
        self.kept.iter().sum()
    }

    /// Records kept of each of so many files.
    pub fn of_files(&self, files: usize) -> Vec<u64> {
        let mut counts = vec![0; files];
        self.each_kept().for_each(|(candidate, _)| counts[candidate.file as usize] += 1);
        counts
    }

    /// Tokens of the kept records.
    pub fn tokens(&self) -> u64 {
        self.each_kept().map(|(candidate, _)| u64::from(candidate.tokens)).sum()
    }

    /// Bytes of text of the kept records: what the writing pass goes through.
    pub fn text_bytes(&self) -> u64 {
        self.each_kept().map(|(candidate, _)| candidate.text_bytes).sum()
    }

    /// Scores (each of the table that took the record) and tokens of the kept records in their order, or of at most `most` evenly
    /// spread over them.
    pub fn sample(&self, most: usize) -> (Vec<f64>, Vec<u32>) {
        let records = self.records() as usize;
        let size = records.min(most);
        let mut taken = 0;
        let is_taken = |&(i, _): &(usize, _)| {
            let take = taken < size && i == (taken as u128 * records as u128 / size as u128) as usize;
            taken += usize::from(take);
            take
        };
        self.each_kept()
            .enumerate()
            .filter(is_taken)
            .map(|(_, (candidate, _))| (candidate.score, candidate.tokens))
            .unzip()
    }
}
