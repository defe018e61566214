//! Which number each record of a corpus has among the documents of a run.

use crate::block::Block;
use crate::passes::seen::{Part, Seen};
use std::ops::Range;

/// The documents of one corpus of a run, numbered in the order of files and records.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    pub seen: Seen,
    /// The number of each file's first document, and of the one behind the last.
    starts: Vec<u64>,
    gaps: Vec<Gap>,
}

/// A block with bad records, which have no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    file: u32,
    /// Records of the file, good and bad, before the block.
    before: u64,
    /// Bad records of the file up to the block's end.
    skipped: u64,
}

impl Documents {
    pub(super) fn new(files: usize) -> Self {
        Documents { seen: Seen::new(files), ..Documents::default() }
    }

    /// The documents that a pass saw, numbered from 0.
    pub fn of(seen: Seen) -> Self {
        let mut documents = Documents { seen, ..Documents::default() };
        documents.number_from(0);
        documents
    }

    /// Takes in a shard; `gaps` are the records of the file before each block with bad ones, and how many it has.
    pub(super) fn add(&mut self, file: u32, part: Part, gaps: &[(u64, u64)]) {
        let mut skipped = self.gaps.last().filter(|gap| gap.file == file).map_or(0, |gap| gap.skipped);
        for &(before, bad) in gaps {
            skipped += bad;
            self.gaps.push(Gap { file, before, skipped });
        }
        self.seen.add(file, part);
    }

    /// Numbers the documents, which are all there, from `first` on.
    pub(super) fn number_from(&mut self, first: u64) {
        let mut next = first;
        self.starts = vec![first];
        self.starts.extend(self.seen.files.iter().map(|file| {
            next += file.records;
            next
        }));
    }

    /// The numbers of all documents.
    pub fn range(&self) -> Range<u64> {
        self.starts.first().copied().unwrap_or(0)..self.starts.last().copied().unwrap_or(0)
    }

    /// The numbers of a file's documents.
    pub fn of_file(&self, file: usize) -> Range<u64> {
        self.starts[file]..self.starts[file + 1]
    }

    /// The file of a document, and its place among that file's good records.
    pub fn place(&self, document: u64) -> (usize, u64) {
        let file = self.starts.partition_point(|&start| start <= document).saturating_sub(1);
        (file, document - self.starts[file])
    }

    /// The number of a block's first document.
    pub(super) fn first_of(&self, block: &Block) -> u64 {
        let here = (block.file(), block.before());
        let gap = self.gaps[..self.gaps.partition_point(|gap| (gap.file, gap.before) < here)].last();
        let skipped = gap.filter(|gap| gap.file == block.file()).map_or(0, |gap| gap.skipped);
        self.starts[block.file() as usize] + block.before() - skipped
    }
}
