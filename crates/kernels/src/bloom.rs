//! A Bloom filter: a set of texts in a few bits each, that never forgets one and now and then takes one for seen.
//!
//! `m = ceil(-n ln p / ln^2 2)` bits and `k = max(1, round(m / n * ln 2))` probes for n texts and a share p of false positives
//! (Bloom, 1970). Probe i of a text is `((h1 + i * h2) mod 2^64) mod m`, h1 the low and h2 the high 64 bits of its 128-bit XXH3, h2
//! made odd (Kirsch and Mitzenmacher, 2006). O(bytes + k) a text.

use crate::xxh3::hash128;

/// A set of texts.
///
/// ```
/// use tamis_kernels::bloom::Bloom;
/// let mut seen = Bloom::new(1000, 0.01);
/// assert!(!seen.add("a text"));
/// assert!(seen.add("a text") && seen.has("a text"));
/// ```
#[derive(Debug, Clone)]
pub struct Bloom {
    words: Vec<u64>,
    bits: u64,
    probes: u64,
}

impl Bloom {
    /// Bits of a filter for `capacity` texts, at least 1, of which a share `error_rate`, above 0 and below 1, of others are taken.
    pub fn bits_for(capacity: u64, error_rate: f64) -> u64 {
        let ln_2 = std::f64::consts::LN_2;
        (-(capacity as f64) * libm::log(error_rate) / (ln_2 * ln_2)).ceil().max(1.0) as u64
    }

    /// A filter of [`Bloom::bits_for`] bits, all clear.
    pub fn new(capacity: u64, error_rate: f64) -> Self {
        let bits = Self::bits_for(capacity, error_rate);
        let probes = (bits as f64 / capacity as f64 * std::f64::consts::LN_2).round().max(1.0) as u64;
        Bloom { words: vec![0; bits.div_ceil(64) as usize], bits, probes }
    }

    /// Places of the text's bits: the word, and the bit in it.
    fn probes(&self, text: &str) -> impl Iterator<Item = (usize, u64)> + use<> {
        let hash = hash128(text.as_bytes(), 0);
        let (first, step) = (hash as u64, (hash >> 64) as u64 | 1);
        let bits = self.bits;
        (0..self.probes).map(move |i| {
            let bit = first.wrapping_add(i.wrapping_mul(step)) % bits;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    /// Adds a text; tells whether all its bits were set before.
    pub fn add(&mut self, text: &str) -> bool {
        let mut seen = true;
        for (word, bit) in self.probes(text) {
            seen &= self.words[word] & bit != 0;
            self.words[word] |= bit;
        }
        seen
    }

    /// Whether all the text's bits are set.
    pub fn has(&self, text: &str) -> bool {
        self.probes(text).all(|(word, bit)| self.words[word] & bit != 0)
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        8 * self.words.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_formulas() {
        for (capacity, rate, bits, probes) in
            [(50, 0.01, 480, 7), (1, 0.5, 2, 1), (1_000_000, 0.001, 14_377_588, 10), (1000, 0.99, 21, 1)]
        {
            let bloom = Bloom::new(capacity, rate);
            assert_eq!((bloom.bits, bloom.probes), (bits, probes), "{capacity} {rate}");
        }
    }

    #[test]
    fn what_was_added_is_there_and_of_the_rest_about_the_share_that_was_asked_for() {
        let mut bloom = Bloom::new(2000, 0.05);
        let text = |i: u32| format!("text {i}");
        // A naive set of bit numbers says the same.
        let mut bits = std::collections::HashSet::new();
        for i in 0..2000 {
            let hash = hash128(text(i).as_bytes(), 0);
            let (h1, h2) = (hash as u64, (hash >> 64) as u64 | 1);
            let places: Vec<u64> =
                (0..bloom.probes).map(|i| h1.wrapping_add(h2.wrapping_mul(i)) % bloom.bits).collect();
            let seen = places.iter().all(|place| bits.contains(place));
            bits.extend(places);
            assert_eq!(bloom.add(&text(i)), seen);
        }
        assert!((0..2000).all(|i| bloom.has(&text(i))));
        let wrong = (2000..22_000).filter(|&i| bloom.has(&text(i))).count();
        assert!((800..1200).contains(&wrong), "{wrong}");
    }
}
