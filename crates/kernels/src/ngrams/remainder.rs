//! Digests as 256-bit numbers, modulo the number of buckets.

use crate::sha256::Words;

/// Divides by one number of buckets.
#[derive(Debug, Clone)]
pub struct Remainder {
    buckets: u64,
    /// 2^64 / buckets, rounded down (or one less where that is no fraction).
    inverse: u64,
    /// 2^(32 (7 - i)) mod buckets.
    powers: [u64; 8],
}

impl Remainder {
    /// # Panics
    /// If `buckets` is 0.
    pub fn new(buckets: u32) -> Self {
        let buckets = u64::from(buckets);
        let mut powers = [1 % buckets; 8];
        for i in (0..7).rev() {
            powers[i] = (powers[i + 1] << 32) % buckets;
        }
        Remainder { buckets, inverse: u64::MAX / buckets, powers }
    }

    /// The remainder of a digest.
    #[inline(always)]
    pub fn of(&self, words: Words) -> u32 {
        if self.buckets > 1 << 29 {
            // The sum below could pass 2^64.
            return words.iter().fold(0, |r, &w| (r << 32 | u64::from(w)) % self.buckets) as u32;
        }
        let sum: u64 = words.iter().zip(self.powers).map(|(&word, power)| u64::from(word) * power).sum();
        // The inverse is less than 1 below 2^64 / buckets, so the quotient is at most 1 too small.
        let quotient = ((u128::from(sum) * u128::from(self.inverse)) >> 64) as u64;
        let rest = sum - quotient * self.buckets;
        (if rest >= self.buckets { rest - self.buckets } else { rest }) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_long_division(
            words: Words,
            buckets in prop_oneof![1u32.., 1u32..20_000, (0u32..32).prop_map(|bit| 1 << bit), (1 << 29) - 3u32..(1 << 29) + 3]
        ) {
            let want = words.iter().fold(0, |r, &w| (r << 32 | u64::from(w)) % u64::from(buckets));
            prop_assert_eq!(u64::from(Remainder::new(buckets).of(words)), want);
            let ones = [u32::MAX; 8];
            let want = ones.iter().fold(0, |r, &w| (r << 32 | u64::from(w)) % u64::from(buckets));
            prop_assert_eq!(u64::from(Remainder::new(buckets).of(ones)), want);
        }
    }
}
