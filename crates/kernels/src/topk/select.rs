//! The k best items of a row: by a bound guessed from a sample, or else by a radix walk over ranks.

mod guess;

use crate::threads;
use half::{bf16, f16};
use rayon::prelude::*;

/// An item with a place in the order of [`top_k`].
pub trait Ordered: Copy + PartialOrd + Send + Sync {
    /// The item's bits as an unsigned integer, widened; larger is better. NaN is 0, below every number.
    fn rank(self, largest: bool) -> u64;
    /// Bits of a rank.
    const BITS: u32;
}

macro_rules! ordered_unsigned {
    ($($t:ty),*) => {$(
        impl Ordered for $t {
            const BITS: u32 = <$t>::BITS;
            #[inline(always)]
            fn rank(self, largest: bool) -> u64 {
                u64::from(if largest { self } else { !self })
            }
        }
    )*};
}

macro_rules! ordered_signed {
    ($($t:ty as $u:ty),*) => {$(
        impl Ordered for $t {
            const BITS: u32 = <$t>::BITS;
            #[inline(always)]
            fn rank(self, largest: bool) -> u64 {
                (self.wrapping_sub(<$t>::MIN) as $u).rank(largest)
            }
        }
    )*};
}

macro_rules! ordered_float {
    ($($t:ty as $u:ty),*) => {$(
        impl Ordered for $t {
            const BITS: u32 = <$u>::BITS;
            #[inline(always)]
            fn rank(self, largest: bool) -> u64 {
                // Adding 0 makes -0 a 0. The bits of negative numbers run backwards.
                let bits = (self + <$t>::from(0u8)).to_bits();
                let sign = 1 << (<$u>::BITS - 1);
                let ascending = if bits & sign != 0 { !bits } else { bits | sign };
                if self.is_nan() { 0 } else { ascending.rank(largest) }
            }
        }
    )*};
}

ordered_unsigned!(u8, u16, u32, u64);
ordered_signed!(i8 as u8, i16 as u16, i32 as u32, i64 as u64);
ordered_float!(f16 as u16, bf16 as u16, f32 as u32, f64 as u64);

/// Bits of one step of the walk: a histogram of 2^11 counts stays in the first-level cache.
const DIGIT: u32 = 11;
/// Items of one task.
const TASK: usize = 1 << 17;
/// Rows of so many items are parted by their ranks: counting digits would cost more.
const SHORT: usize = 1 << 11;

/// The places of the `k` best items of `row`: with `sorted` best first, else ascending.
///
/// `largest` says whether better is larger. Equal items go by index; NaN comes last either way; -0 equals 0.
/// O(n + k log k), in parallel.
///
/// # Panics
/// If `k` is above the length of `row`, or that above 2^32.
///
/// ```
/// use tamis_kernels::topk::top_k;
/// assert_eq!(top_k(&[3.0f32, 1.0, f32::NAN, 3.0, -2.0], 3, true, true), [0, 3, 1]);
/// assert_eq!(top_k(&[3, 1, 2], 2, false, true), [1, 2]);
/// ```
pub fn top_k<T: Ordered>(row: &[T], k: usize, largest: bool, sorted: bool) -> Vec<u32> {
    assert!(k <= row.len(), "k must be at most {}, got {k}", row.len());
    assert!(row.len() as u64 <= 1 << 32, "a row holds at most 2^32 items");
    if k == 0 {
        return Vec::new();
    }
    if largest { best(row, k, sorted, Largest) } else { best(row, k, sorted, Smallest) }
}

fn best<T: Ordered>(row: &[T], k: usize, sorted: bool, order: impl Order<T>) -> Vec<u32> {
    let mut best = places(row, k, order);
    if sorted && T::BITS <= 32 {
        // Rank and place in one word sort in half the time.
        let word = |&i: &u32| u64::from(!(order.rank(row[i as usize]) as u32)) << 32 | u64::from(i);
        let mut words: Vec<u64> = best.iter().map(word).collect();
        sort(&mut words);
        best.iter_mut().zip(words).for_each(|(place, word)| *place = word as u32);
    } else if sorted {
        let mut keyed: Vec<(u64, u32)> = best.iter().map(|&i| (!order.rank(row[i as usize]), i)).collect();
        sort(&mut keyed);
        best.iter_mut().zip(keyed).for_each(|(place, (_, i))| *place = i);
    }
    best
}

fn sort<T: Ord + Send>(items: &mut [T]) {
    if items.len() <= TASK {
        items.sort_unstable();
    } else {
        threads::pool().install(|| items.par_sort_unstable());
    }
}

/// What is better.
pub(crate) trait Order<T>: Copy + Send + Sync {
    /// Bits of a rank.
    const BITS: u32;
    /// An unsigned integer, larger for a better item; 0 for NaN alone, where items can be that.
    fn rank(self, x: T) -> u64;
    /// Whether an item is at least as good as `bound`, which is no NaN.
    fn reaches(self, x: T, bound: T) -> bool;
}

#[derive(Clone, Copy)]
pub(crate) struct Largest;

impl<T: Ordered> Order<T> for Largest {
    const BITS: u32 = T::BITS;

    #[inline(always)]
    fn rank(self, x: T) -> u64 {
        x.rank(true)
    }

    #[inline(always)]
    fn reaches(self, x: T, bound: T) -> bool {
        x >= bound
    }
}

#[derive(Clone, Copy)]
struct Smallest;

impl<T: Ordered> Order<T> for Smallest {
    const BITS: u32 = T::BITS;

    #[inline(always)]
    fn rank(self, x: T) -> u64 {
        x.rank(false)
    }

    #[inline(always)]
    fn reaches(self, x: T, bound: T) -> bool {
        x <= bound
    }
}

/// The places of the k best, ascending.
pub(crate) fn places<T: Copy + Send + Sync>(row: &[T], k: usize, order: impl Order<T>) -> Vec<u32> {
    if k == 0 {
        return Vec::new();
    }
    if row.len() > TASK {
        return threads::pool()
            .install(|| guess::places(row, k, order).unwrap_or_else(|| walk(row, k, order)));
    }
    if row.len() > SHORT {
        return walk(row, k, order);
    }
    let mut keyed: Vec<(u64, u32)> = row.iter().zip(0..).map(|(&x, i)| (!order.rank(x), i)).collect();
    if k < keyed.len() {
        keyed.select_nth_unstable(k);
    }
    let mut best: Vec<u32> = keyed[..k].iter().map(|&(_, i)| i).collect();
    best.sort_unstable();
    best
}

/// The same by the radix walk, for rows of any length.
fn walk<T: Copy + Send + Sync, O: Order<T>>(row: &[T], k: usize, order: O) -> Vec<u32> {
    let (threshold, mut equal) = threshold(row, k, order);
    // Each task needs to know how many of the items at the threshold lie before it.
    let tasks: Vec<usize> = row
        .par_chunks(TASK)
        .map(|part| part.iter().filter(|&&x| order.rank(x) == threshold).count())
        .collect();
    let quotas: Vec<usize> = tasks
        .iter()
        .map(|&at| {
            let quota = equal.min(at);
            equal -= quota;
            quota
        })
        .collect();
    let parts: Vec<Vec<u32>> = row
        .par_chunks(TASK)
        .zip(quotas)
        .enumerate()
        .map(|(task, (part, mut quota))| {
            let mut places = Vec::new();
            for (i, &x) in part.iter().enumerate() {
                let rank = order.rank(x);
                if rank > threshold || (rank == threshold && quota > 0) {
                    quota -= usize::from(rank == threshold);
                    places.push((task * TASK + i) as u32);
                }
            }
            places
        })
        .collect();
    parts.concat()
}

/// The rank of the k-th best item, and how many items of exactly that rank are among the k best.
fn threshold<T: Copy + Send + Sync, O: Order<T>>(row: &[T], k: usize, order: O) -> (u64, usize) {
    let (mut prefix, mut bits_left, mut wanted) = (0u64, O::BITS, k);
    while bits_left > 0 {
        let width = DIGIT.min(bits_left);
        bits_left -= width;
        let counts = histogram(row, order, prefix, bits_left, width);
        let mut digit = counts.len() - 1;
        while counts[digit] < wanted {
            wanted -= counts[digit];
            digit -= 1;
        }
        prefix = prefix << width | digit as u64;
    }
    (prefix, wanted)
}

/// How many items whose rank begins with `prefix` have each value of the `width` bits at `shift` behind it.
fn histogram<T: Copy + Send + Sync>(
    row: &[T],
    order: impl Order<T>,
    prefix: u64,
    shift: u32,
    width: u32,
) -> Vec<usize> {
    let mask = (1u64 << width) - 1;
    let count = |part: &[T]| {
        let mut counts = vec![0usize; 1 << width];
        for &x in part {
            let rank = order.rank(x) >> shift;
            if rank >> width == prefix {
                counts[(rank & mask) as usize] += 1;
            }
        }
        counts
    };
    let add = |mut a: Vec<usize>, b: Vec<usize>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    row.par_chunks(TASK).map(count).reduce(|| vec![0; 1 << width], add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    /// A sort of everything, by comparing numbers.
    fn naive(row: &[f64], k: usize, largest: bool, sorted: bool) -> Vec<u32> {
        let mut all: Vec<u32> = (0..row.len() as u32).collect();
        all.sort_by(|&a, &b| {
            let (x, y) = (row[a as usize], row[b as usize]);
            match (x.is_nan(), y.is_nan()) {
                (false, false) if x != y => {
                    if (x > y) == largest {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                _ => a.cmp(&b),
            }
        });
        all.truncate(k);
        if !sorted {
            all.sort_unstable();
        }
        all
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let item = prop_oneof![
            (-3i32..4).prop_map(f64::from),
            any::<f64>(),
            Just(-0.0),
            Just(f64::NAN),
            Just(-f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
        ];
        proptest::collection::vec(item, 0..200)
    }

    #[test]
    fn ties_go_to_the_lowest_index() {
        assert_eq!(top_k(&[3.0f32, 1.0, 3.0, -2.0, 3.0, 0.0], 4, true, true), [0, 2, 4, 1]);
        assert_eq!(top_k(&[-1.0f32, -1.0, -1.0, 5.0, 5.0, -7.0], 4, true, true), [3, 4, 0, 1]);
        assert_eq!(top_k(&[0.0f64, -0.0, 0.0], 2, false, true), [0, 1]);
    }

    #[test]
    #[should_panic(expected = "k must")]
    fn k_beyond_the_row_panics() {
        top_k(&[1.0f32], 2, true, true);
    }

    #[test]
    fn a_long_row_is_the_same_for_any_number_of_threads() {
        let mut words = vec![0; 3 * TASK + 77];
        crate::philox::Philox::new(4, 0).below(0, 1000, &mut words);
        for k in [1, 500, words.len() / 2, words.len()] {
            let mut want: Vec<u32> = (0..words.len() as u32).collect();
            want.sort_by_key(|&i| (std::cmp::Reverse(words[i as usize]), i));
            want.truncate(k);
            for threads in [1, 2, 7] {
                let pool = crate::threads::Budget::of(threads);
                assert!(
                    pool.install(|| walk(&words, k, Largest)).iter().all(|i| words[*i as usize] > 0 || k > 5)
                );
                assert!(top_k(&words, k, true, true) == want);
            }
        }
    }

    proptest! {
        #[test]
        fn floats_match_the_sort(row in values(), share in 0.0..=1.0f64, largest: bool, sorted: bool) {
            let k = (row.len() as f64 * share) as usize;
            prop_assert_eq!(top_k(&row, k, largest, sorted), naive(&row, k, largest, sorted));
            if k > 0 {
                let walked = if largest { walk(&row, k, Largest) } else { walk(&row, k, Smallest) };
                prop_assert_eq!(walked, naive(&row, k, largest, false));
            }
            let single: Vec<f32> = row.iter().map(|&x| x as f32).collect();
            let widened: Vec<f64> = single.iter().map(|&x| f64::from(x)).collect();
            prop_assert_eq!(top_k(&single, k, largest, sorted), naive(&widened, k, largest, sorted));
        }

        #[test]
        fn integers_match_the_sort(row in proptest::collection::vec(any::<i64>(), 0..100), largest: bool) {
            let check = |order: Vec<i64>, got: Vec<u32>| {
                let mut want: Vec<u32> = (0..order.len() as u32).collect();
                let sign = |i: u32| if largest { !order[i as usize] } else { order[i as usize] };
                want.sort_by_key(|&i| (sign(i), i));
                assert_eq!(got, want);
            };
            macro_rules! types {
                ($($t:ty),*) => {$(
                    let typed: Vec<$t> = row.iter().map(|&x| x as $t).collect();
                    check(typed.iter().map(|&x| x as i64).collect(), top_k(&typed, row.len(), largest, true));
                )*};
            }
            types!(i8, u8, i16, u16, i32, u32, i64);
            let typed: Vec<u64> = row.iter().map(|&x| x as u64).collect();
            let order: Vec<i64> = typed.iter().map(|&x| x.wrapping_add(1 << 63) as i64).collect();
            check(order, top_k(&typed, row.len(), largest, true));
        }
    }
}
