//! The symbols into which zlib cuts a text at levels 4 to 9, without its stream: only their numbers are kept.
//!
//! zlib looks for the longest of the earlier strings whose first three bytes have the same hash, newest first, so many
//! at most, and takes a match unless the next place has a longer one ("lazy" matching). Since every place of a text
//! is entered under its hash, which strings are looked at is a function of the text alone. So what comes before the
//! first search that reaches the end of a source holds for every text that begins with it, and what a target finds in
//! itself is the same behind every source: both are done once ([`matcher`](super::matcher), [`target`](super::target)).
//! Texts are of one block of zlib's, so that its window never slides.

use super::block::Frequencies;

/// Bytes of a text, and of a source with its target: fewer than the symbols at which zlib ends a block.
pub const MOST: usize = 16_382;
pub const LONGEST: usize = 258;
pub const SHORTEST: usize = 3;
/// Matches of three bytes from farther away are not worth their distance.
pub const TOO_FAR: usize = 4096;
pub const HASHES: usize = 1 << 15;
/// Comparing reads ahead so far.
pub const PADDING: usize = LONGEST + 16;

/// zlib's table of what each level spends.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// From a match of this length on a quarter of the strings is looked at.
    pub good: usize,
    /// From this length on no longer one is looked for.
    pub lazy: usize,
    /// A match of this length ends the search.
    pub nice: usize,
    /// How many strings are looked at.
    pub chain: usize,
}

impl Effort {
    pub fn of(level: u32) -> Self {
        let (good, lazy, nice, chain) = match level {
            0..=4 => (4, 4, 16, 16),
            5 => (8, 16, 32, 32),
            6 => (8, 16, 128, 128),
            7 => (8, 32, 128, 256),
            8 => (32, 128, 258, 1024),
            9.. => (32, 258, 258, 4096),
        };
        Effort { good, lazy, nice, chain }
    }

    /// How many strings are looked at, after a good match few.
    #[inline(always)]
    pub fn visits(&self, few: bool) -> usize {
        if few { self.chain >> 2 } else { self.chain }
    }
}

/// Whether a text, or a source with its target, can be done here.
pub fn fits(level: u32, len: usize) -> bool {
    level >= 4 && len <= MOST
}

/// zlib's hash of three bytes.
#[inline(always)]
pub fn hash(a: u8, b: u8, c: u8) -> u16 {
    (u16::from(a) << 10 ^ u16::from(b) << 5 ^ u16::from(c)) & (HASHES as u16 - 1)
}

/// Of the three bytes at each place that has them.
pub fn hashes(text: &[u8]) -> impl Iterator<Item = u16> + '_ {
    text.windows(SHORTEST).map(|w| hash(w[0], w[1], w[2]))
}

#[inline(always)]
pub fn word(buffer: &[u8], at: usize) -> u64 {
    let bytes: [u8; 8] = buffer[at..at + 8].try_into().expect("eight bytes");
    u64::from_le_bytes(bytes)
}

#[inline(always)]
pub fn pair(buffer: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([buffer[at], buffer[at + 1]])
}

/// How many bytes are the same at two places, at most `most`; the buffer goes on for [`PADDING`] behind it.
#[inline(always)]
pub fn common(buffer: &[u8], a: usize, b: usize, most: usize) -> usize {
    let mut i = 0;
    while i < most {
        let differ = word(buffer, a + i) ^ word(buffer, b + i);
        if differ != 0 {
            return most.min(i + differ.trailing_zeros() as usize / 8);
        }
        i += 8;
    }
    most
}

/// Where the cutting of a text is: all before `at` is counted, but for a match that waits.
#[derive(Debug, Clone)]
pub struct State {
    pub at: usize,
    /// Of the match at the place before, which waits for a longer one; [`FRESH`] if there is none.
    pub length: usize,
    pub start: usize,
    pub counts: Frequencies,
}

/// No match waits.
pub const FRESH: usize = SHORTEST - 1;

impl State {
    pub fn new() -> Self {
        State { at: 0, length: FRESH, start: 0, counts: Frequencies::new() }
    }

    /// Goes on by one place, or to the end of a match. `search` gives the length and the start of a match at
    /// `state.at` that is longer than the one before.
    #[inline(always)]
    pub fn step(
        &mut self,
        text: &[u8],
        lazy: usize,
        mut search: impl FnMut(&State) -> Option<(usize, usize)>,
    ) {
        let longer = if self.length < lazy { search(self) } else { None };
        let worth = |&(length, start): &(usize, usize)| length > SHORTEST || self.at - start <= TOO_FAR;
        match longer.filter(worth) {
            Some((length, start)) => {
                if self.length > FRESH {
                    self.counts.literal(text[self.at - 1]);
                }
                (self.length, self.start) = (length, start);
                self.at += 1;
            }
            None if self.length > FRESH => {
                self.counts.copy(self.length, self.at - 1 - self.start);
                self.at += self.length - 1;
                self.length = FRESH;
            }
            None => {
                self.counts.literal(text[self.at]);
                self.at += 1;
            }
        }
    }
}
