//! Cuts a text into tokens, some hundred at a time, in lower case.
//!
//! Blocks of 64 bytes are classified by vectors: a token begins where a class other than white space begins and ends
//! where it ends, which are single bits of the classes' masks. At a character beyond ASCII the masks are cut short,
//! and characters go one by one until a few of ASCII have passed.

use super::blocks::{BLOCK, Classify, Masks};
use crate::unicode::{self, Classes, SPACE, WORD};

/// Tokens after which a piece is full.
pub const PIECE: usize = 256;
/// Bytes after which a piece that has a token is full.
const PIECE_BYTES: usize = 1 << 15;
/// Bytes that can be read in front of the first token and behind the last.
pub const PAD: usize = 64;
/// Places behind the last that marking a block may write: a block's tokens, in groups of eight.
const SLACK: usize = BLOCK + 8;
/// Characters of ASCII in a row after which blocks are tried again.
const CALM: u32 = 4;

/// Tokens, in lower case, of a piece of text.
pub struct Tokens {
    bytes: Vec<u8>,
    /// Bytes in use, with the pad in front.
    used: usize,
    /// Token i is `starts[i]..ends[i]`; only the first `ended` of the `started` have their end.
    starts: Vec<u32>,
    ends: Vec<u32>,
    started: usize,
    ended: usize,
}

impl Tokens {
    pub fn new() -> Self {
        Tokens { bytes: Vec::new(), used: PAD, starts: Vec::new(), ends: Vec::new(), started: 0, ended: 0 }
    }

    /// Complete tokens.
    pub fn count(&self) -> usize {
        self.ended
    }

    /// The bytes of token `i`.
    pub fn get(&self, i: usize) -> &[u8] {
        &self.bytes[self.starts[i] as usize..self.ends[i] as usize]
    }

    /// Start and length in [`Tokens::bytes`] of each token from the `first` on.
    #[inline(always)]
    pub fn places(&self, first: usize) -> impl ExactSizeIterator<Item = (usize, usize)> {
        let (starts, ends) = (&self.starts[first..self.ended], &self.ends[first..self.ended]);
        starts.iter().zip(ends).map(|(&start, &end)| (start as usize, end.wrapping_sub(start) as usize))
    }

    /// Start and length of token `i` in [`Tokens::bytes`].
    #[inline(always)]
    pub fn place(&self, i: usize) -> (usize, usize) {
        (self.starts[i] as usize, (self.ends[i] - self.starts[i]) as usize)
    }

    /// The tokens' bytes; [`PAD`] bytes can be read behind the end of any token.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        (self.used, self.started, self.ended) = (PAD, 0, 0);
    }

    /// Forgets all but the last `keep` complete tokens and what follows them.
    pub fn keep_last(&mut self, keep: usize) {
        let mut to = PAD;
        let first = self.ended - keep.min(self.ended);
        for (i, from) in (first..self.started).enumerate() {
            let (start, end) = (self.starts[from] as usize, self.ends[from] as usize);
            let end = if from < self.ended { end } else { self.used };
            self.bytes.copy_within(start..end, to);
            self.starts[i] = to as u32;
            to += end - start;
            self.ends[i] = to as u32;
        }
        self.used = to;
        self.started -= first;
        self.ended -= first;
    }

    /// Makes room for a block's bytes and tokens.
    #[inline(always)]
    fn reserve(&mut self) {
        if self.bytes.len() < self.used + BLOCK + PAD {
            self.bytes.resize((self.used + BLOCK + PAD).max(2 * self.bytes.len()), 0);
        }
        if self.starts.len() < self.started + SLACK {
            let places = (self.started + PIECE + 2 * SLACK).max(2 * self.starts.len());
            self.starts.resize(places, 0);
            self.ends.resize(places, 0);
        }
    }

    /// Ends the open token here.
    fn end(&mut self) {
        self.ends[self.ended] = position(self.used);
        self.ended += 1;
    }
}

/// A place among the bytes of a piece.
///
/// # Panics
/// If a token is so long that its end has no such place.
#[inline(always)]
fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a token must be shorter than 4 GiB")
}

/// A text on its way into tokens.
pub struct Cutter<'t> {
    text: &'t str,
    at: usize,
    classes: &'static Classes,
    /// 1 if the character before `at` is of the class, else 0; of neither class is white space.
    word: u64,
    other: u64,
}

impl<'t> Cutter<'t> {
    pub fn new(text: &'t str) -> Self {
        Cutter { text, at: 0, classes: Classes::get(), word: 0, other: 0 }
    }

    /// Adds tokens until the piece is full or the text at its end; returns whether there is more.
    ///
    /// # Safety
    /// The processor has the instructions of `way`.
    #[inline(always)]
    pub unsafe fn fill<C: Classify>(&mut self, way: C, tokens: &mut Tokens) -> bool {
        let kept = tokens.ended;
        let mut full = PIECE_BYTES;
        while tokens.ended < kept + PIECE {
            if tokens.used >= full {
                if tokens.ended > kept {
                    return true;
                }
                if tokens.started > tokens.ended {
                    full = tokens.used + PIECE_BYTES;
                } else {
                    // Nothing but white space since the last token.
                    tokens.used = tokens.ended.checked_sub(1).map_or(PAD, |last| tokens.ends[last] as usize);
                    full = tokens.used + PIECE_BYTES;
                }
            }
            let rest = &self.text.as_bytes()[self.at..];
            if rest.is_empty() {
                if tokens.started > tokens.ended {
                    tokens.end();
                }
                return false;
            }
            tokens.reserve();
            let mut last = [b' '; BLOCK];
            let from = if rest.len() >= BLOCK {
                rest.as_ptr()
            } else {
                last[..rest.len()].copy_from_slice(rest);
                last.as_ptr()
            };
            // SAFETY: 64 bytes of the text or of `last`; `reserve` made room for as many behind `used`.
            let masks = unsafe { way.classify(from, tokens.bytes.as_mut_ptr().add(tokens.used)) };
            let bytes = rest.len().min(BLOCK);
            let ascii = bytes.min(masks.wide.trailing_zeros() as usize);
            if ascii > 0 {
                self.mark(masks, ascii, tokens);
            }
            if ascii < bytes {
                self.one_by_one(tokens, kept + PIECE);
            }
        }
        true
    }

    /// Takes the first `n` (at least one) characters of a block.
    #[inline(always)]
    fn mark(&mut self, masks: Masks, n: usize, tokens: &mut Tokens) {
        let valid = u64::MAX >> (BLOCK - n);
        let (word, other) = (masks.word, !(masks.word | masks.space));
        let (behind_word, behind_other) = (word << 1 | self.word, other << 1 | self.other);
        let starts = (word & !behind_word | other & !behind_other) & valid;
        let ends = (behind_word & !word | behind_other & !other) & valid;
        self.word = word >> (n - 1) & 1;
        self.other = other >> (n - 1) & 1;
        let base = position(tokens.used + BLOCK) - BLOCK as u32;
        write_places(starts, base, &mut tokens.starts[tokens.started..]);
        write_places(ends, base, &mut tokens.ends[tokens.ended..]);
        tokens.started += starts.count_ones() as usize;
        tokens.ended += ends.count_ones() as usize;
        tokens.used += n;
        self.at += n;
    }

    /// Takes characters until there are `goal` tokens or a few of ASCII have passed.
    #[cold]
    fn one_by_one(&mut self, tokens: &mut Tokens, goal: usize) {
        let mut calm = 0;
        while let Some(c) = self.text[self.at..].chars().next() {
            calm = if c.is_ascii() { calm + 1 } else { 0 };
            if calm > CALM || tokens.ended >= goal {
                return;
            }
            let (lower, more) = unicode::lower(self.text, self.at, c, self.classes);
            self.push(lower, tokens);
            if let Some(more) = more {
                self.push(more, tokens);
            }
            self.at += c.len_utf8();
        }
    }

    fn push(&mut self, c: char, tokens: &mut Tokens) {
        tokens.reserve();
        let class = self.classes.of(c) & (WORD | SPACE);
        let (word, other) = (u64::from(class == WORD), u64::from(class == 0));
        if (word, other) != (self.word, self.other) {
            if self.word | self.other != 0 {
                tokens.end();
            }
            if word | other != 0 {
                tokens.starts[tokens.started] = position(tokens.used);
                tokens.started += 1;
            }
            (self.word, self.other) = (word, other);
        }
        let len = c.encode_utf8(&mut tokens.bytes[tokens.used..]).len();
        tokens.used += len;
    }
}

/// Writes `base` plus the places of the ones of `mask` to `out`, and something to a few places behind them.
#[inline(always)]
fn write_places(mut mask: u64, base: u32, out: &mut [u32]) {
    let groups = (mask.count_ones() as usize).div_ceil(8);
    for out in out.chunks_exact_mut(8).take(groups) {
        for out in out {
            *out = base.wrapping_add(mask.trailing_zeros());
            mask &= mask.wrapping_sub(1);
        }
    }
}
