//! The strings of 3, 4, 5, 6 and 8 bytes of a text: a Bloom filter that tells at once that a text has no match of a
//! length.
//!
//! 16 KiB, so that it stays in the nearest cache. A string sets two bits of one word: with 5,000 strings, less than one
//! in a hundred of others is taken for one of them, and then looked for in vain.

use super::lazy::word;

const WORDS: usize = 1 << 11;
/// Lengths of the strings.
const LENGTHS: [usize; 5] = [3, 4, 5, 6, 8];
/// The longest of them.
pub const WIDTH: usize = 8;

/// A string: the number of its word, and twice 6 bits that say which bits of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gram(u32);

impl Gram {
    /// Of the longest string here of at most `length` bytes (3 or more) at a place; the buffer goes on for 8 bytes.
    #[inline(always)]
    pub fn within(buffer: &[u8], at: usize, length: usize) -> Gram {
        const MASKS: [u64; WIDTH + 1] = {
            let mut masks = [0; WIDTH + 1];
            let mut i = 0;
            while i < LENGTHS.len() {
                // A shorter one stands in for 7 bytes.
                let mut length = LENGTHS[i];
                while length <= WIDTH {
                    masks[length] = u64::MAX >> (64 - 8 * LENGTHS[i]);
                    length += 1;
                }
                i += 1;
            }
            masks
        };
        Gram::of(word(buffer, at) & MASKS[length.min(WIDTH)])
    }

    #[inline(always)]
    fn of(string: u64) -> Gram {
        Gram((string.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 41) as u32)
    }

    #[inline(always)]
    fn word(self) -> usize {
        (self.0 >> 12) as usize & (WORDS - 1)
    }

    #[inline(always)]
    fn bits(self) -> u64 {
        1 << (self.0 & 63) | 1 << (self.0 >> 6 & 63)
    }
}

/// The filter.
pub struct Grams(Box<[u64; WORDS]>);

/// What [`Grams::put_across`] has overwritten.
pub struct Overwritten {
    words: [(u16, u64); LENGTHS.len() * WIDTH],
    len: usize,
}

impl Grams {
    pub fn new() -> Self {
        Grams(Box::new([0; WORDS]))
    }

    /// Whether the string may be among the text's.
    #[inline(always)]
    pub fn may_have(&self, gram: Gram) -> bool {
        let word = self.0[gram.word()];
        (word >> (gram.0 & 63)) & (word >> (gram.0 >> 6 & 63)) & 1 != 0
    }

    /// Those of a text from place 1 on take the place of what was there: zlib finds nothing at place 0.
    pub fn put(&mut self, buffer: &[u8], len: usize) {
        self.0.fill(0);
        for length in LENGTHS {
            for at in 1..(len + 1).saturating_sub(length) {
                let gram = Gram::within(buffer, at, length);
                self.0[gram.word()] |= gram.bits();
            }
        }
    }

    /// Adds those that begin before `len` and end between `len` and `end`.
    pub fn put_across(&mut self, buffer: &[u8], len: usize, end: usize) -> Overwritten {
        let mut overwritten = Overwritten { words: [(0, 0); LENGTHS.len() * WIDTH], len: 0 };
        for length in LENGTHS {
            for at in (len + 1).saturating_sub(length).max(1)..len.min((end + 1).saturating_sub(length)) {
                let gram = Gram::within(buffer, at, length);
                let word = &mut self.0[gram.word()];
                overwritten.words[overwritten.len] = (gram.word() as u16, *word);
                overwritten.len += 1;
                *word |= gram.bits();
            }
        }
        overwritten
    }

    /// Undoes [`Grams::put_across`].
    pub fn restore(&mut self, overwritten: &Overwritten) {
        for &(at, word) in overwritten.words[..overwritten.len].iter().rev() {
            self.0[usize::from(at)] = word;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_is_found_and_few_others() {
        let draws = crate::philox::Philox::new(8, 8);
        let mut buffer: Vec<u8> = (0..1200).map(|i| draws.word(i) as u8).collect();
        buffer.resize(1200 + WIDTH, 0);
        let mut grams = Grams::new();
        grams.put(&buffer, 1000);
        let found = |grams: &Grams, at, length| grams.may_have(Gram::within(&buffer, at, length));
        for length in LENGTHS {
            assert!((1..=1000 - length).all(|at| found(&grams, at, length)));
            assert!((1000..1200 - length).filter(|&at| found(&grams, at, length)).count() < 12);
        }
        let before = grams.0.clone();
        let overwritten = grams.put_across(&buffer, 1000, 1200);
        assert!(LENGTHS.iter().all(|&length| (1..1000).all(|at| found(&grams, at, length))));
        grams.restore(&overwritten);
        assert!(grams.0 == before);
    }
}
