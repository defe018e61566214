//! Pushing the items of a small batch away from each other: every item moves away from its nearest neighbour.
//!
//! An item is `[channels, places]`. The neighbour is the one of the least squared distance over the places that a
//! mask marks (all without one), ties to the lowest index; all are found before any item moves. Differences are of
//! the items' type, sums of their squares float64 in blocks and lanes. O(b^2 channels places), pairs in parallel; the
//! same bytes for any number of threads.

use crate::farthest::Real;
use crate::sums;
use crate::threads;
use rayon::prelude::*;

/// A batch `[count, channels, places]`, and how it is pushed apart.
#[derive(Debug, Clone)]
pub struct Batch<'a, T> {
    pub items: &'a [T],
    pub channels: usize,
    pub places: usize,
    /// `[places]`, at least one not 0: where neighbours are looked for.
    pub mask: Option<&'a [u8]>,
    /// Items farther from their neighbour than this, per masked item, stay where they are.
    pub limit: Option<f64>,
    /// What the difference to the neighbour is multiplied by.
    pub step: f64,
}

/// Where the items went, and each one's neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Repelled<T> {
    pub items: Vec<T>,
    pub nearest: Vec<u32>,
}

/// Moves each item by `step` times its difference to its nearest neighbour.
///
/// # Errors
/// The first item with NaN or infinity in it.
///
/// # Panics
/// If there are fewer than two items, or slices do not fit together.
///
/// ```
/// use tamis_kernels::repel::{repel, Batch};
/// let batch = Batch { items: &[0.0f32, 1.0, 5.0], channels: 1, places: 1, mask: None, limit: None, step: 0.5 };
/// let moved = repel(&batch).unwrap();
/// assert_eq!((&moved.items[..], &moved.nearest[..]), (&[-0.5, 1.5, 7.0][..], &[1, 0, 1][..]));
/// ```
pub fn repel<T: Real>(batch: &Batch<T>) -> Result<Repelled<T>, usize> {
    let size = batch.channels * batch.places;
    let count = batch.items.len().checked_div(size).unwrap_or(0);
    assert!(count >= 2 && batch.items.len() == count * size, "a batch of two whole items or more");
    assert!(batch.mask.is_none_or(|mask| mask.len() == batch.places), "a mask has an item a place");
    threads::pool().install(|| {
        let finite = |item: &[T]| item.iter().all(|&x| Into::<f64>::into(x).is_finite());
        match batch.items.par_chunks(size).position_first(|item| !finite(item)) {
            Some(item) => Err(item),
            None => Ok(push(batch, size, count)),
        }
    })
}

fn push<T: Real>(batch: &Batch<T>, size: usize, count: usize) -> Repelled<T> {
    let item = |i: usize| &batch.items[i * size..][..size];
    let masked = batch.mask.map(|mask| masked(batch, mask));
    let compared = masked.as_deref().unwrap_or(batch.items);
    let width = compared.len() / count;
    let distances: Vec<f64> = (0..count * count)
        .into_par_iter()
        .map(|pair| {
            let (i, j) = (pair / count, pair % count);
            if i < j {
                squared(&compared[i * width..][..width], &compared[j * width..][..width])
            } else {
                0.0
            }
        })
        .collect();
    let between = |i: usize, j: usize| distances[i.min(j) * count + i.max(j)];
    let nearest = |i: usize| {
        let others = (0..count).filter(|&j| j != i);
        others.reduce(|best, j| if between(i, j) < between(i, best) { j } else { best }).expect("two items")
    };
    let nearest: Vec<usize> = (0..count).map(nearest).collect();
    let step = T::from_f64(batch.step);
    let mut items = batch.items.to_vec();
    items.par_chunks_mut(size).enumerate().for_each(|(i, moved)| {
        let neighbour = item(nearest[i]);
        let stays = batch.limit.is_some_and(|limit| {
            T::from_f64(squared(item(i), neighbour).sqrt() / width as f64).into() > limit
        });
        if !stays {
            for (x, &other) in moved.iter_mut().zip(neighbour) {
                *x = *x + step * (*x - other);
            }
        }
    });
    Repelled { items, nearest: nearest.into_iter().map(|i| i as u32).collect() }
}

/// What the mask marks of each item, channel after channel.
fn masked<T: Real>(batch: &Batch<T>, mask: &[u8]) -> Vec<T> {
    let planes = batch.items.chunks_exact(batch.places);
    planes.flat_map(|plane| plane.iter().zip(mask).filter(|(_, mask)| **mask != 0).map(|(&x, _)| x)).collect()
}

fn squared<T: Real>(x: &[T], y: &[T]) -> f64 {
    sums::sum_by(x.len(), |i| {
        let difference: f64 = (x[i] - y[i]).into();
        difference * difference
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word by word.
    fn naive(batch: &Batch<f32>) -> Repelled<f32> {
        let size = batch.channels * batch.places;
        let items: Vec<&[f32]> = batch.items.chunks(size).collect();
        let sum = |i: usize, j: usize, masked: bool| -> f64 {
            let counts = |p: usize| !masked || batch.mask.is_none_or(|mask| mask[p % batch.places] != 0);
            (0..size).filter(|&p| counts(p)).map(|p| f64::from(items[i][p] - items[j][p]).powi(2)).sum()
        };
        let marked = batch.mask.map_or(batch.places, |mask| mask.iter().filter(|m| **m != 0).count());
        let mut moved = Repelled { items: vec![], nearest: vec![] };
        for i in 0..items.len() {
            let mut best = usize::from(i == 0);
            for j in 0..items.len() {
                if j != i && sum(i, j, true) < sum(i, best, true) {
                    best = j;
                }
            }
            let distance = sum(i, best, false).sqrt() / (marked * batch.channels) as f64;
            let step = if batch.limit.is_some_and(|limit| distance > limit) { 0.0 } else { batch.step };
            moved.items.extend(items[i].iter().zip(items[best]).map(|(x, y)| x + step as f32 * (x - y)));
            moved.nearest.push(best as u32);
        }
        moved
    }

    #[test]
    fn an_item_that_is_not_finite_is_named() {
        let items = [0.0, 1.0, f32::NAN, 2.0];
        let batch = Batch { items: &items, channels: 1, places: 2, mask: None, limit: None, step: 1.0 };
        assert_eq!(repel(&batch), Err(1));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let size = 3 * 4096 + 5;
        let items: Vec<f32> = (0..6 * size).map(|i| (i as f32 * 0.7).sin()).collect();
        let batch =
            Batch { items: &items, channels: 1, places: size, mask: None, limit: Some(0.01), step: 0.3 };
        let one = |threads: usize| crate::threads::Budget::of(threads).install(|| push(&batch, size, 6));
        let want = one(1);
        assert_eq!((one(2), one(7)), (want.clone(), want));
    }

    proptest! {
        #[test]
        fn it_is_the_definition(
            items in prop::collection::vec(-9.0f32..9.0, 2 * 24..6 * 24), masked: bool, limit in 0.1f64..2.0,
        ) {
            let mask = [1, 0, 0, 2, 1, 0, 1, 0];
            let items = &items[..items.len() / 24 * 24];
            let mask = masked.then_some(&mask[..]);
            let batch = Batch { items, channels: 3, places: 8, mask, limit: Some(limit), step: 0.25 };
            prop_assert_eq!(repel(&batch).unwrap(), naive(&batch));
        }
    }
}
