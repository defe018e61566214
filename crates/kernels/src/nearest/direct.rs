//! Every pair is scored.

use super::best::Best;
use super::{Chunk, Scan};
use crate::distance::Pairs;
use std::ops::Range;

/// Rows that every query of a block meets before the next ones.
const TILE: usize = 32;

pub struct Direct<'a, P> {
    pub pairs: &'a P,
}

impl<P: Pairs> Scan for Direct<'_, P> {
    type Block = Range<usize>;
    type Scratch = Vec<usize>;

    fn prepare(&self, queries: Range<usize>) -> Range<usize> {
        queries
    }

    fn scan(&self, block: &Range<usize>, chunk: &Chunk, best: &mut [Best], rows: &mut Vec<usize>) {
        rows.clear();
        rows.extend(chunk.rows());
        for tile in rows.chunks(TILE) {
            for (i, best) in block.clone().zip(&mut *best) {
                for &j in tile {
                    if !(chunk.candidates.exclude_self && i == j) {
                        best.offer(self.pairs.score(i, j), self.pairs.larger_is_nearer(), j);
                    }
                }
            }
        }
    }
}
