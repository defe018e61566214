//! Words and sets: places that differ, and intersections over unions.

use super::{Pairs, Rows, SetMetric};
use half::{bf16, f16};

/// An item that can be compared with another one and with 0.
pub trait Item: Copy + Send + Sync + PartialEq {
    /// Whether the item is not 0; NaN is not.
    fn is_member(self) -> bool;
}

macro_rules! items {
    ($($t:ty: $zero:expr),*) => {$(
        impl Item for $t {
            #[inline(always)]
            fn is_member(self) -> bool {
                self != $zero
            }
        }
    )*};
}

items!(f32: 0.0, f64: 0.0, f16: f16::ZERO, bf16: bf16::ZERO, i8: 0, u8: 0, i16: 0, u16: 0, i32: 0, u32: 0, i64: 0);

fn jaccard(both: u32, either: u32) -> f64 {
    if either == 0 { 0.0 } else { 1.0 - f64::from(both) / f64::from(either) }
}

/// Pairs of rows by their items: hamming counts the places that differ (NaN differs from everything, -0 from
/// nothing that 0 does not differ from), jaccard takes the places that are not 0 as a set.
pub struct Places<'a, T> {
    pub left: Rows<'a, T>,
    pub right: Rows<'a, T>,
    pub metric: SetMetric,
}

impl<T: Item> Pairs for Places<'_, T> {
    fn counts(&self) -> (usize, usize) {
        (self.left.count, self.right.count)
    }

    fn score(&self, i: usize, j: usize) -> f64 {
        let pairs = self.left.row(i).iter().zip(self.right.row(j));
        match self.metric {
            SetMetric::Hamming => f64::from(pairs.map(|(x, y)| u32::from(x != y)).sum::<u32>()),
            SetMetric::Jaccard => {
                let (both, either) = pairs.fold((0, 0), |(both, either), (x, y)| {
                    let (x, y) = (x.is_member(), y.is_member());
                    (both + u32::from(x & y), either + u32::from(x | y))
                });
                jaccard(both, either)
            }
        }
    }

    fn larger_is_nearer(&self) -> bool {
        false
    }
}

/// The same of packed bits.
pub struct Bits<'a> {
    pub left: Rows<'a, u8>,
    pub right: Rows<'a, u8>,
    pub metric: SetMetric,
}

impl Bits<'_> {
    /// The number of bits that are set in `of(x, y)`.
    #[inline(always)]
    fn count(x: &[u8], y: &[u8], of: impl Fn(u64, u64) -> u64) -> u32 {
        let (x, y) = (x.chunks_exact(8), y.chunks_exact(8));
        let bytes = x.remainder().iter().zip(y.remainder());
        let rest: u32 = bytes.map(|(&x, &y)| of(x.into(), y.into()).count_ones()).sum();
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
        rest + x.zip(y).map(|(x, y)| of(word(x), word(y)).count_ones()).sum::<u32>()
    }
}

impl Pairs for Bits<'_> {
    fn counts(&self) -> (usize, usize) {
        (self.left.count, self.right.count)
    }

    fn score(&self, i: usize, j: usize) -> f64 {
        let (x, y) = (self.left.row(i), self.right.row(j));
        match self.metric {
            SetMetric::Hamming => f64::from(Self::count(x, y, |x, y| x ^ y)),
            SetMetric::Jaccard => jaccard(Self::count(x, y, |x, y| x & y), Self::count(x, y, |x, y| x | y)),
        }
    }

    fn larger_is_nearer(&self) -> bool {
        false
    }
}
