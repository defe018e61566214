//! The largest magnitudes of numbers that come in parts: where to cut.
//!
//! A radix walk over histograms of rank digits (16 bits at a time) finds the rank of the smallest magnitude that is
//! kept and how many items of exactly that rank are: two passes for float32, four for float64, O(n) each, in parallel.
//! Equal magnitudes are kept in order, lower index first. Memory: one histogram of 65,536 counts a thread.

pub(crate) mod bracket;

use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::real::{Real, Stopped};
use crate::{tasks, threads};
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// Bits of one step of the walk.
const DIGIT: u32 = 16;
/// Items of which one look tells that there is nothing to count.
const GROUP: usize = 64;
/// Items that a histogram counts at least: clearing and adding it must not show.
const COUNTED: usize = 1 << 20;

/// How many of `n` items a share of them keeps: `floor(density n + 1e-6)`, at least 1 and at most n.
///
/// ```
/// assert_eq!(tamis_kernels::magnitude::keep_count(0.29, 100), 29);
/// assert_eq!(tamis_kernels::magnitude::keep_count(0.001, 100), 1);
/// ```
pub fn keep_count(density: f64, n: u64) -> u64 {
    ((density * n as f64 + 1e-6).floor() as u64).clamp(1, n.max(1))
}

/// The place of the first NaN or infinity.
pub fn first_not_finite<T: Real>(x: &[T]) -> Option<usize> {
    let cpu = Cpu::current();
    // By blocks, since a search that can end at every item is slow.
    let block = x.chunks(1024).position(|block| !all_finite(cpu, block))?;
    let place = x[block * 1024..].iter().position(|x| !x.is_finite())?;
    Some(block * 1024 + place)
}

vectorized! {
    /// Whether no item is a NaN or infinity.
    pub(crate) fn all_finite<T: Real>(cpu: Cpu, x: &[T]) -> bool {
        !x.iter().fold(false, |any, x| any | x.reaches(T::INFINITE))
    }
}

/// Finds the cut that keeps the `keep` largest magnitudes of all parts, which are added in order, once for each pass.
///
/// ```
/// use tamis_kernels::{job::Job, magnitude::MagnitudeSelect};
/// let (parts, job) = ([[3.0f32, -1.0], [1.0, 2.0]], Job::default());
/// let mut select = MagnitudeSelect::new(3);
/// loop {
///     parts.iter().for_each(|part| select.add(part, &job).unwrap());
///     if !select.next_pass() {
///         break;
///     }
/// }
/// let mut cut = select.cut();
/// let kept = parts.map(|part| cut.part(&part).kept(&part));
/// assert_eq!(kept, [[true, true], [false, true]]);
/// ```
pub struct MagnitudeSelect<T: Real = f32> {
    /// How many are still to be kept of those whose rank begins with `prefix`.
    wanted: u64,
    prefix: u64,
    bits_left: u32,
    width: u32,
    counts: Vec<u64>,
    /// How many items have the rank at which the cut is, once that is known.
    equal: u64,
    of: PhantomData<T>,
}

impl<T: Real> MagnitudeSelect<T> {
    /// # Panics
    /// If `keep` is 0.
    pub fn new(keep: u64) -> Self {
        assert!(keep > 0, "at least one item must be kept");
        let width = DIGIT.min(T::MAGNITUDE_BITS);
        MagnitudeSelect {
            wanted: keep,
            prefix: 0,
            bits_left: T::MAGNITUDE_BITS - width,
            width,
            counts: vec![0; 1 << width],
            equal: 0,
            of: PhantomData,
        }
    }

    /// Counts the next part, or the next piece of one, in this pass.
    ///
    /// # Errors
    /// [`Stopped::NotFinite`], in the first pass, for a NaN or infinity: the selection is of no use then.
    pub fn add(&mut self, part: &[T], job: &Job) -> Result<(), Stopped> {
        let digit = Digit { prefix: self.prefix, shift: self.bits_left, width: self.width };
        if part.len() <= COUNTED {
            digit.count(part, &mut self.counts, job)?;
        } else {
            let counts = threads::pool().install(|| digit.count_in_parallel(part, job))?;
            self.counts.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
        let first = self.bits_left + self.width == T::MAGNITUDE_BITS;
        if first && self.counts[(T::INFINITE >> self.bits_left) as usize..].iter().any(|&n| n > 0) {
            return Err(Stopped::NotFinite);
        }
        Ok(())
    }

    /// Ends a pass. `true`: all parts are to be added once more.
    ///
    /// # Panics
    /// If fewer items were added than are to be kept.
    pub fn next_pass(&mut self) -> bool {
        let mut digit = self.counts.len();
        loop {
            digit = digit.checked_sub(1).expect("fewer items than are to be kept");
            if self.counts[digit] >= self.wanted {
                break;
            }
            self.wanted -= self.counts[digit];
        }
        self.equal = self.counts[digit];
        self.prefix = self.prefix << self.width | digit as u64;
        if self.bits_left == 0 {
            return false;
        }
        self.width = DIGIT.min(self.bits_left);
        self.bits_left -= self.width;
        self.counts.clear();
        self.counts.resize(1 << self.width, 0);
        true
    }

    /// The cut, once no pass is left.
    pub fn cut(self) -> Cut<T> {
        Cut::new(self.prefix, self.wanted, self.equal)
    }
}

/// The `width` bits of a rank that follow its leading bits `prefix` and lie at `shift`.
struct Digit {
    prefix: u64,
    shift: u32,
    width: u32,
}

impl Digit {
    /// Adds how many items have each value of the digit.
    fn count<T: Real>(&self, part: &[T], counts: &mut [u64], job: &Job) -> Result<(), Aborted> {
        let mask = (1u64 << self.width) - 1;
        let cpu = Cpu::current();
        let above = self.shift + self.width;
        for task in part.chunks(tasks::TASK) {
            job.check()?;
            if above == T::MAGNITUDE_BITS {
                for x in task {
                    counts[(x.magnitude() >> self.shift & mask) as usize] += 1;
                }
                continue;
            }
            // Few have the prefix, most groups none.
            let ranks = [self.prefix << above, (self.prefix + 1) << above];
            for group in task.chunks(GROUP).filter(|group| any_within(cpu, group, ranks)) {
                for x in group.iter().filter(|x| x.reaches(ranks[0]) && !x.reaches(ranks[1])) {
                    counts[(x.magnitude() >> self.shift & mask) as usize] += 1;
                }
            }
        }
        Ok(())
    }

    fn count_in_parallel<T: Real>(&self, part: &[T], job: &Job) -> Result<Vec<u64>, Aborted> {
        let each = part.len().div_ceil(2 * rayon::current_num_threads()).max(COUNTED);
        let count = |part: &[T]| {
            let mut counts = vec![0; 1 << self.width];
            self.count(part, &mut counts, job)?;
            Ok(counts)
        };
        let add = |mut a: Vec<u64>, b: Vec<u64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            Ok(a)
        };
        part.par_chunks(each).map(count).try_reduce(|| vec![0; 1 << self.width], add)
    }
}

vectorized! {
    /// Whether the rank of any item is not below the first of these, but below the second.
    #[inline]
    fn any_within<T: Real>(cpu: Cpu, x: &[T], ranks: [u64; 2]) -> bool {
        x.iter().fold(false, |any, x| any | (x.reaches(ranks[0]) & !x.reaches(ranks[1])))
    }
}

/// The cut that keeps the `keep` largest magnitudes of parts that are all in memory: in one pass where a sample tells
/// between which magnitudes it lies, else as [`MagnitudeSelect`].
///
/// # Errors
/// [`Stopped::NotFinite`] for a NaN or infinity.
///
/// # Panics
/// If `keep` is 0 or above the number of items.
pub fn select_parts<T: Real>(parts: &[&[T]], keep: u64, job: &Job) -> Result<Cut<T>, Stopped> {
    if let Some(cut) = bracket::select(parts, keep, job)? {
        return Ok(cut);
    }
    let mut select = MagnitudeSelect::new(keep);
    loop {
        parts.iter().try_for_each(|part| select.add(part, job))?;
        if !select.next_pass() {
            return Ok(select.cut());
        }
    }
}

/// Which magnitudes are kept: those above a rank, and of those at it so many, in order.
#[derive(Debug, Clone)]
pub struct Cut<T: Real = f32> {
    threshold: u64,
    /// Items at the threshold that are still to be kept; `None`: all.
    left: Option<u64>,
    of: PhantomData<T>,
}

impl<T: Real> Cut<T> {
    /// Keeps everything.
    pub fn all() -> Self {
        Cut { threshold: 0, left: None, of: PhantomData }
    }

    /// Keeps `kept` of the `equal` items at the threshold.
    pub(crate) fn new(threshold: u64, kept: u64, equal: u64) -> Self {
        Cut { threshold, left: (kept < equal).then_some(kept), of: PhantomData }
    }

    /// The rank at which the cut is, and how many items there are still to be kept (`None`: all): all that it is.
    pub fn parts(&self) -> (u64, Option<u64>) {
        (self.threshold, self.left)
    }

    /// Of its [`parts`](Self::parts).
    pub fn from_parts(threshold: u64, left: Option<u64>) -> Self {
        Cut { threshold, left, of: PhantomData }
    }

    /// The rank at which the cut is.
    pub(crate) fn threshold(&self) -> u64 {
        self.threshold
    }

    /// How many of the next `equal` items at the threshold are kept: the first ones.
    pub(crate) fn take(&mut self, equal: u64) -> u64 {
        let taken = self.left.map_or(equal, |left| left.min(equal));
        self.left = self.left.map(|left| left - taken);
        taken
    }

    /// What is kept of the next part. Parts are asked for in order, each once.
    pub fn part(&mut self, x: &[T]) -> PartCut<T> {
        let limit = match &mut self.left {
            None => x.len(),
            Some(0) => 0,
            Some(left) => {
                let is_equal = |x: &&T| x.magnitude() == self.threshold;
                let count = |range: Range<usize>| x[range].iter().filter(is_equal).count() as u64;
                // Not stopped: one read of one part.
                let tasks = tasks::each(x.len(), &Job::default(), count).unwrap_or_default();
                let mut limit = x.len();
                for (task, at) in tasks.into_iter().enumerate() {
                    if at >= *left {
                        let start = task * tasks::TASK;
                        let mut places = x[start..].iter().zip(start..).filter(|(x, _)| is_equal(x));
                        let last = places.nth(*left as usize - 1).map(|(_, i)| i);
                        (*left, limit) = (0, last.map_or(x.len(), |i| i + 1));
                        break;
                    }
                    *left -= at;
                }
                limit
            }
        };
        PartCut { threshold: self.threshold, limit, of: PhantomData }
    }
}

/// What is kept of one part: magnitudes above a rank, and of those at it what lies in front of a limit.
#[derive(Debug, Clone, Copy)]
pub struct PartCut<T: Real = f32> {
    threshold: u64,
    limit: usize,
    of: PhantomData<T>,
}

impl<T: Real> PartCut<T> {
    /// Keeps everything.
    pub fn all() -> Self {
        PartCut { threshold: 0, limit: usize::MAX, of: PhantomData }
    }

    /// Which items are kept, one by one.
    pub fn kept<const N: usize>(self, x: &[T; N]) -> [bool; N] {
        std::array::from_fn(|i| x[i].magnitude() >= self.threshold_at(i))
    }

    /// The least rank that is kept at place i.
    #[inline(always)]
    pub(crate) fn threshold_at(self, i: usize) -> u64 {
        self.threshold + u64::from(i >= self.limit)
    }

    /// A range cut in two where the least rank that is kept changes, with that of each.
    pub(crate) fn pieces(self, range: Range<usize>) -> [(Range<usize>, u64); 2] {
        let middle = self.limit.clamp(range.start, range.end);
        [(range.start..middle, self.threshold), (middle..range.end, self.threshold + 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sorts everything.
    fn naive(x: &[f64], keep: usize) -> Vec<bool> {
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&a, &b| x[b].abs().total_cmp(&x[a].abs()).then(a.cmp(&b)));
        let mut kept = vec![false; x.len()];
        order[..keep].iter().for_each(|&i| kept[i] = true);
        kept
    }

    fn kept<T: Real>(parts: &[&[T]], keep: u64) -> Vec<bool> {
        let mut cut = select_parts(parts, keep, &Job::default()).unwrap();
        let mut kept = Vec::new();
        for part in parts {
            let cut = cut.part(part);
            for (piece, least) in cut.pieces(0..part.len()) {
                kept.extend(part[piece].iter().map(|x| x.magnitude() >= least));
            }
        }
        kept
    }

    #[test]
    fn a_share_of_a_count() {
        assert_eq!(keep_count(1.0, 7), 7);
        assert_eq!(keep_count(0.3, 10), 3);
        assert_eq!(keep_count(1e-9, 10), 1);
        assert_eq!(keep_count(0.5, 0), 1);
    }

    #[test]
    fn what_is_not_finite_is_found() {
        let mut x = vec![1.0f32; 5000];
        assert_eq!(first_not_finite(&x), None);
        x[4321] = f32::NEG_INFINITY;
        x[4999] = f32::NAN;
        assert_eq!(first_not_finite(&x), Some(4321));
        assert_eq!(select_parts(&[&x], 3, &Job::default()).unwrap_err(), Stopped::NotFinite);
        let wide = [f64::NAN];
        assert_eq!(select_parts(&[&wide], 1, &Job::default()).unwrap_err(), Stopped::NotFinite);
    }

    #[test]
    fn ties_are_handed_out_over_long_parts_in_order() {
        let ones = vec![-1.0f32; 3 * tasks::TASK + 77];
        let twos = [2.0f32; 5];
        for keep in [1, 5, 6, 70_000, ones.len() + 4, ones.len() + 5, 2 * ones.len() + 5] {
            let all: Vec<f64> = [&ones[..], &twos, &ones].concat().into_iter().map(f64::from).collect();
            assert!(kept(&[&ones, &twos, &ones], keep as u64) == naive(&all, keep), "{keep}");
        }
    }

    #[test]
    fn a_long_part_is_the_same_for_any_number_of_threads() {
        let mut words = vec![0; 2 * COUNTED + 4097];
        crate::philox::Philox::new(4, 0).below(0, 1000, &mut words);
        let x: Vec<f32> = words.into_iter().map(|w| w as f32 - 500.0).collect();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let want = naive(&wide, 777_777);
        for threads in [1, 2, 7] {
            let pool = crate::threads::Budget::of(threads);
            assert!(pool.install(|| kept(&[&x[..]], 777_777)) == want);
        }
    }

    proptest! {
        #[test]
        fn the_largest_are_kept(
            x in proptest::collection::vec(prop_oneof![-2.0..2.0f64, Just(1.0), Just(-1.0), Just(0.0), Just(-0.0)], 1..300),
            share in 0.0..=1.0f64,
            cut in 0.0..=1.0f64,
        ) {
            let keep = keep_count(share, x.len() as u64);
            let middle = (x.len() as f64 * cut) as usize;
            prop_assert_eq!(kept(&[&x[..middle], &x[middle..]], keep), naive(&x, keep as usize));
            let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let wide: Vec<f64> = narrow.iter().map(|&x| f64::from(x)).collect();
            prop_assert_eq!(kept(&[&narrow[..middle], &narrow[middle..]], keep), naive(&wide, keep as usize));
        }
    }
}
