//! Mean and spread of a long run of numbers, which may come in parts.
//!
//! Each block of 4,096 consecutive items of a part has its own mean and sum of squared differences from it, in float64
//! (eight lanes, joined in the one order of [`crate::sums`]), read twice while it is in the cache; blocks are merged in
//! order (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979). One
//! pass over memory, O(n), in parallel; the result depends on neither threads nor on what came before a part.

use crate::cpu::{Cpu, prefetch, vectorized};
use crate::job::Job;
use crate::real::{NotFinite, Real, Stopped};
use crate::sums::{BLOCK, LANES, join};
use crate::tasks;

/// Count, mean and sum of squared differences from the mean of all that was added.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    pub count: u64,
    pub mean: f64,
    /// Sum of squared differences from the mean.
    pub m2: f64,
}

impl Moments {
    /// Adds a part, a whole one: blocks begin anew in each.
    ///
    /// # Errors
    /// [`Stopped::NotFinite`] for a NaN or infinity; nothing is added then.
    ///
    /// ```
    /// use tamis_kernels::{job::Job, moments::Moments};
    /// let mut moments = Moments::default();
    /// moments.add(&[1.0f32, 2.0], &Job::default()).unwrap();
    /// moments.add(&[3.0f32], &Job::default()).unwrap();
    /// assert_eq!((moments.mean, moments.std()), (2.0, 1.0));
    /// ```
    pub fn add<T: Real>(&mut self, part: &[T], job: &Job) -> Result<(), Stopped> {
        let cpu = Cpu::current();
        let tasks = tasks::each(part.len(), job, |range| {
            let mut blocks = Vec::with_capacity(range.len().div_ceil(BLOCK));
            of_blocks(cpu, &part[range], &mut blocks);
            blocks
        })?;
        self.add_blocks(&tasks.concat())?;
        Ok(())
    }

    /// Adds the blocks of a part.
    ///
    /// # Errors
    /// [`NotFinite`] if an item is a NaN or infinity; nothing is added then.
    pub(crate) fn add_blocks(&mut self, blocks: &[Moments]) -> Result<(), NotFinite> {
        if blocks.iter().any(|block| !block.mean.is_finite()) {
            return Err(NotFinite);
        }
        blocks.iter().for_each(|&block| self.merge(block));
        Ok(())
    }

    /// The standard deviation of a sample (over count - 1); of a single item its magnitude, of none 0.
    pub fn std(&self) -> f64 {
        match self.count {
            0 | 1 => self.mean.abs(),
            count => (self.m2 / (count - 1) as f64).sqrt(),
        }
    }

    /// Of one block, not empty; its mean is not finite if an item is not.
    #[inline(always)]
    pub(crate) fn of_block<T: Real>(block: &[T]) -> Moments {
        let count = block.len() as f64;
        let mean = in_lanes(block, |x| x) / count;
        let m2 = in_lanes(block, |x| (x - mean) * (x - mean));
        Moments { count: block.len() as u64, mean, m2 }
    }

    /// Takes in what lies behind.
    pub(crate) fn merge(&mut self, next: Moments) {
        let count = self.count + next.count;
        if count == 0 {
            return;
        }
        let delta = next.mean - self.mean;
        let share = next.count as f64 / count as f64;
        self.mean += delta * share;
        self.m2 += next.m2 + delta * delta * (self.count as f64 * share);
        self.count = count;
    }
}

/// Items that memory is asked for in advance: the processor's own guesses end with a page.
const AHEAD: usize = 1024;

vectorized! {
    /// Appends the moments of each block of some that begin at one.
    pub(crate) fn of_blocks<T: Real>(cpu: Cpu, x: &[T], out: &mut Vec<Moments>) {
        let (blocks, rest) = x.as_chunks::<BLOCK>();
        let count = BLOCK as f64;
        if let Some(first) = blocks.first() {
            let mut mean = in_lanes(first, |x| x) / count;
            // A sum alone would wait for each of its additions: a block is read for its differences while the next is read for
            // its mean.
            for pair in blocks.windows(2) {
                let (m2, sum) = differences_and_sum(&pair[0], mean, &pair[1]);
                out.push(Moments { count: BLOCK as u64, mean, m2 });
                mean = sum / count;
            }
            let last = &blocks[blocks.len() - 1];
            out.push(Moments { count: BLOCK as u64, mean, m2: in_lanes(last, |x| (x - mean) * (x - mean)) });
        }
        if !rest.is_empty() {
            out.push(Moments::of_block(rest));
        }
    }
}

/// [`in_lanes`] of the squared differences of a block from its mean, and of the next block.
#[inline(always)]
fn differences_and_sum<T: Real>(block: &[T; BLOCK], mean: f64, next: &[T; BLOCK]) -> (f64, f64) {
    let (mut m2, mut sum) = ([0.0; LANES], [0.0; LANES]);
    for at in (0..BLOCK).step_by(LANES) {
        prefetch(next.as_ptr().wrapping_add(at + AHEAD));
        for (lane, x) in m2.iter_mut().zip(&block[at..at + LANES]) {
            let difference = x.to_f64() - mean;
            *lane += difference * difference;
        }
        for (lane, x) in sum.iter_mut().zip(&next[at..at + LANES]) {
            *lane += x.to_f64();
        }
    }
    (join(m2), join(sum))
}

/// The sum over a block, in eight lanes.
#[inline(always)]
fn in_lanes<T: Real>(block: &[T], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (eights, rest) = block.as_chunks::<LANES>();
    for eight in eights {
        for (lane, x) in lanes.iter_mut().zip(eight) {
            *lane += term(x.to_f64());
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += term(x.to_f64());
    }
    join(lanes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments(parts: &[&[f64]]) -> Result<Moments, Stopped> {
        let mut all = Moments::default();
        parts.iter().try_for_each(|part| all.add(part, &Job::default()))?;
        Ok(all)
    }

    #[test]
    fn a_mean_far_from_zero_costs_no_digits() {
        let x: Vec<f64> = (0..50_000).map(|i| 1e9 + f64::from(i % 3)).collect();
        let want = (2.0f64 / 3.0 * 50_000.0 / 49_999.0).sqrt();
        assert!((moments(&[&x]).unwrap().std() - want).abs() < 1e-5);
    }

    #[test]
    fn blocks_are_the_same_with_any_instructions() {
        let mut x = vec![0.0f32; 9 * BLOCK + 5];
        crate::philox::Philox::new(4, 0).uniform(0, &mut x);
        let want: Vec<Moments> = x.chunks(BLOCK).map(Moments::of_block).collect();
        for cpu in Cpu::choices() {
            let mut got = Vec::new();
            of_blocks(cpu, &x, &mut got);
            assert_eq!(got, want);
        }
    }

    #[test]
    fn few_items_and_bad_ones() {
        assert_eq!(moments(&[]).unwrap().std(), 0.0);
        assert_eq!(moments(&[&[], &[-3.0]]).unwrap().std(), 3.0);
        assert_eq!(moments(&[&[1.0], &[f64::INFINITY]]), Err(Stopped::NotFinite));
        assert_eq!(moments(&[&[1.0, f64::NAN]]), Err(Stopped::NotFinite));
    }

    proptest! {
        #[test]
        fn parts_add_up(x in proptest::collection::vec(-1e3..1e3f64, 2..20_000), cut in 0.0..1.0f64) {
            let cut = (x.len() as f64 * cut) as usize;
            let got = moments(&[&x[..cut], &x[cut..]]).unwrap();
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let m2: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
            prop_assert!((got.mean - mean).abs() < 1e-8 && (got.m2 - m2).abs() <= 1e-9 * m2);
            let std = (m2 / (x.len() - 1) as f64).sqrt();
            prop_assert!((got.std() - std).abs() < 1e-8);
        }
    }
}
