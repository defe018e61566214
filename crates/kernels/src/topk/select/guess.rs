//! The k best of a long row in one pass: a sample tells a bound that the k-th best is at or a little above with near
//! certainty; what reaches the bound is collected, and the k best of that are those of the row.
//!
//! Where the sample was no picture of the row (fewer than k reach the bound, or far more than it said), there is no
//! answer: the caller has another way. The answer depends on neither the sample nor the number of threads.

use super::{Order, TASK};
use rayon::prelude::*;

/// Items of the sample.
const SAMPLE: usize = 1 << 14;
/// Items that are asked together whether any reaches the bound.
const GROUP: usize = 32;

/// The places of the k best, ascending; `None` if a sample cannot bound them.
pub(super) fn places<T: Copy + Send + Sync>(row: &[T], k: usize, order: impl Order<T>) -> Option<Vec<u32>> {
    let (bound, share) = bound(row, k, order)?;
    let most = 64 + (TASK as f64 * (4.0 * share)) as usize;
    let collect = |(task, part): (usize, &[T])| {
        let mut found: Vec<(u64, u32)> = Vec::new();
        let mut at = (task * TASK) as u32;
        for group in part.chunks(GROUP) {
            if group.iter().fold(false, |any, &x| any | order.reaches(x, bound)) {
                let places = group.iter().zip(at..).filter(|(x, _)| order.reaches(**x, bound));
                found.extend(places.map(|(&x, i)| (order.rank(x), i)));
                if found.len() > most {
                    return None;
                }
            }
            at = at.wrapping_add(group.len() as u32);
        }
        Some(found)
    };
    let tasks: Option<Vec<Vec<(u64, u32)>>> = row.par_chunks(TASK).enumerate().map(collect).collect();
    let tasks = tasks?;
    let mut ranks: Vec<u64> = tasks.iter().flatten().map(|&(rank, _)| rank).collect();
    if ranks.len() < k {
        return None;
    }
    let (better, &mut threshold, _) = ranks.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    let mut equal = k - better.iter().filter(|&&rank| rank > threshold).count();
    let mut best = Vec::with_capacity(k);
    for &(rank, place) in tasks.iter().flatten() {
        if rank > threshold || (rank == threshold && equal > 0) {
            equal -= usize::from(rank == threshold);
            best.push(place);
        }
    }
    Some(best)
}

/// An item that the k-th best reaches with near certainty, and the share of the sample that does.
fn bound<T: Copy + Send + Sync>(row: &[T], k: usize, order: impl Order<T>) -> Option<(T, f64)> {
    let step = row.len() / SAMPLE;
    if step == 0 {
        return None;
    }
    // Places that no period of the data follows.
    let place = |i: usize| i * step + (i.wrapping_mul(0x9e37_79b9) >> 7) % step;
    let mut sample: Vec<(u64, usize)> = (0..SAMPLE).map(place).map(|i| (order.rank(row[i]), i)).collect();
    let expected = SAMPLE as f64 * k as f64 / row.len() as f64;
    // Five standard deviations of the number of the sample that are among the k best.
    let wanted = (expected + 5.0 * expected.sqrt() + 8.0).ceil() as usize;
    if wanted > SAMPLE / 4 {
        return None;
    }
    let (_, &mut (rank, at), _) = sample.select_nth_unstable_by(wanted - 1, |a, b| b.0.cmp(&a.0));
    let reach = sample.iter().filter(|(other, _)| *other >= rank).count();
    // A NaN bounds nothing, and of very many equal items more than the k best would be collected.
    (rank > 0 && reach <= 2 * wanted).then_some((row[at], reach as f64 / SAMPLE as f64))
}

#[cfg(test)]
mod tests {
    use super::super::{Largest, Smallest, walk};
    use super::*;

    #[test]
    fn a_guess_is_right_or_none() {
        let n = 9 * TASK + 77;
        let mut x = vec![0.0f32; n];
        crate::philox::Philox::new(8, 0).uniform(0, &mut x);
        let mut few = x.clone();
        few.iter_mut().for_each(|x| *x = (*x * 900.0).floor());
        few[5] = f32::NAN;
        let ascending: Vec<f32> = (0..n).map(|i| i as f32).collect();
        for row in [&x, &few, &ascending] {
            for k in [1, 100, n / 100, n / 7] {
                let guessed = places(row, k, Largest);
                assert!(guessed.is_none_or(|got| got == walk(row, k, Largest)));
                let guessed = places(row, k, Smallest);
                assert!(guessed.is_none_or(|got| got == walk(row, k, Smallest)));
            }
        }
        assert!(places(&x, n / 100, Largest).is_some() && places(&few, n / 100, Smallest).is_some());
    }

    #[test]
    fn what_a_sample_cannot_tell_is_left_to_others() {
        let n = 9 * TASK;
        assert_eq!(places(&vec![1u8; n], 10, Largest), None);
        assert_eq!(places(&vec![f32::NAN; n], 10, Largest), None);
        assert_eq!(places(&vec![0.5f64; n], n, Largest), None);
        // All the good ones where no sample is taken but by chance.
        let mut hidden = vec![0i32; n];
        hidden[..n / 3].fill(7);
        hidden[n / 3..n / 3 + 40].copy_from_slice(&[9; 40]);
        assert!(places(&hidden, 20, Largest).is_none_or(|got| got == walk(&hidden, 20, Largest)));
    }
}
