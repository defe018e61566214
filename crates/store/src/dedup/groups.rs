//! Which documents are the same, and which one of them is kept.

use super::documents::Documents;
use crate::error::Error;
use crate::near::{DuplicateFinder, Key};
use crate::passes::blob::{Reader, Writer};
use crate::state::State;
use bytemuck::Pod;
use std::ops::Range;
use tamis_kernels::job::Job;

/// The phase under which the groups of an interrupted run lie.
const PHASE: &str = "groups";
/// Documents of one of its parts.
const PART: usize = 1 << 20;

/// The groups of documents that are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// Of each document the one that stands for its group: itself, if it is that one.
    representative: Vec<u32>,
    /// So many documents at the front are only compared with.
    pinned: u64,
}

impl Groups {
    /// Finds them. Each of the `pinned` documents at the front was marked `copies` times.
    pub fn find<K: Key + Pod>(
        finder: DuplicateFinder<K>,
        pinned: u64,
        copies: u64,
        job: &Job,
    ) -> Result<Self, Error> {
        let mut representative = finder.finish(job)?;
        if copies != 1 {
            let marked = pinned * copies;
            let number = |of: u32| match u64::from(of) {
                of if of < marked => (of / copies) as u32,
                of => (of - marked + pinned) as u32,
            };
            let others = representative.split_off(marked as usize);
            representative = (0..pinned as u32).chain(others.into_iter().map(number)).collect();
        }
        Ok(Groups { representative, pinned })
    }

    /// Takes them as they are: `representative[i]` stands for the group of document `i`.
    pub fn of(representative: Vec<u32>) -> Self {
        Groups { representative, pinned: 0 }
    }

    /// Whether the document is written.
    pub fn is_kept(&self, document: u64) -> bool {
        document >= self.pinned && u64::from(self.representative[document as usize]) == document
    }

    /// How many of these documents are written.
    pub fn kept(&self, documents: Range<u64>) -> u64 {
        documents.filter(|&document| self.is_kept(document)).count() as u64
    }

    /// The documents that are written, in order.
    pub fn all_kept(&self) -> Vec<u32> {
        let own = self.pinned..self.representative.len() as u64;
        own.filter(|&document| self.is_kept(document)).map(|document| document as u32).collect()
    }

    /// How many documents are dropped because of one that is only compared with.
    pub fn matched(&self) -> u64 {
        self.dropped().filter(|&(_, of)| self.is_pinned(of)).count() as u64
    }

    /// Groups of two and more documents, one of which is written.
    pub fn clusters(&self) -> u64 {
        let mut larger = vec![0_u64; self.representative.len().div_ceil(64)];
        self.dropped().for_each(|(_, of)| larger[of as usize / 64] |= 1 << (of % 64));
        let own = self.pinned..self.representative.len() as u64;
        own.filter(|&document| larger[document as usize / 64] >> (document % 64) & 1 == 1).count() as u64
    }

    /// Each document that is dropped, and the one that it is the same as.
    pub fn dropped(&self) -> impl Iterator<Item = (u64, u64)> {
        let all = self.representative.iter().enumerate().skip(self.pinned as usize);
        all.map(|(document, &of)| (document as u64, u64::from(of))).filter(|(document, of)| document != of)
    }

    /// Whether the document is only compared with.
    pub fn is_pinned(&self, document: u64) -> bool {
        document < self.pinned
    }

    /// Keeps them for a run that goes on.
    pub fn save(&self, state: &State) -> Result<(), Error> {
        for (part, documents) in self.representative.chunks(PART).enumerate() {
            let mut w = Writer::default();
            w.bytes(bytemuck::cast_slice(documents));
            state.put(PHASE, part as u64, &w.out)?;
        }
        Ok(())
    }

    /// What an earlier run kept of the documents of `sides`; none unless all of it is there.
    pub fn restore(state: &State, sides: &[Documents]) -> Option<Self> {
        let documents = sides.last()?.range().end;
        let pinned = sides.last()?.range().start;
        let mut representative: Vec<u32> = Vec::new();
        while (representative.len() as u64) < documents {
            let blob = state.get(PHASE, (representative.len() / PART) as u64)?;
            let mut r = Reader::new(&blob);
            let words = r.bytes()?;
            r.end()?;
            if words.is_empty() || !words.len().is_multiple_of(4) {
                return None;
            }
            representative.extend(words.chunks_exact(4).map(bytemuck::pod_read_unaligned::<u32>));
        }
        let whole = representative.len() as u64 == documents
            && representative.iter().all(|&of| u64::from(of) < documents);
        whole.then_some(Groups { representative, pinned })
    }
}
