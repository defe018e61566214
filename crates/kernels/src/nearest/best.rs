//! The k best so far.

use crate::topk::Ordered;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A score's rank (larger is nearer, NaN is 0) and a row: larger is better, equal scores by the lowest row.
type Place = (u64, Reverse<u32>);

/// A heap of the k best rows, the worst on top.
#[derive(Debug, Clone)]
pub struct Best {
    k: usize,
    heap: BinaryHeap<Reverse<Place>>,
}

impl Best {
    pub fn new(k: usize) -> Self {
        Best { k, heap: BinaryHeap::new() }
    }

    /// Takes a row if it is among the best; whether it was taken.
    pub fn offer(&mut self, score: f64, larger_is_nearer: bool, row: usize) -> bool {
        self.place((score.rank(larger_is_nearer), Reverse(row as u32)))
    }

    fn place(&mut self, place: Place) -> bool {
        if self.heap.len() < self.k {
            self.heap.push(Reverse(place));
            return true;
        }
        match self.heap.peek_mut() {
            Some(mut worst) if place > worst.0 => {
                worst.0 = place;
                true
            }
            _ => false,
        }
    }

    pub fn merge(&mut self, other: Best) {
        for Reverse(place) in other.heap {
            self.place(place);
        }
    }

    /// The worst row that is kept, once there are k.
    pub fn last(&self) -> Option<usize> {
        if self.heap.len() < self.k { None } else { self.heap.peek().map(|Reverse((_, row))| row.0 as usize) }
    }

    /// The rows, best first.
    pub fn into_sorted(self) -> impl Iterator<Item = u32> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse((_, Reverse(row)))| row)
    }
}
