//! Joins tokens to messages and hashes them to buckets, some at a time.

use super::cutter::Tokens;
use super::remainder::Remainder;
use crate::cpu::Cpu;
use crate::sha256::{self, BLOCK, Blocks, LANES, ONE_BLOCK};
use std::ops::Range;

/// Messages on their way to be hashed.
pub struct Messages {
    cpu: Cpu,
    remainder: Remainder,
    blocks: Blocks,
    /// Where the bucket of each goes.
    places: [u32; LANES],
    waiting: usize,
    long: Vec<u8>,
}

impl Messages {
    pub fn new(cpu: Cpu, buckets: u32) -> Self {
        Messages {
            cpu,
            remainder: Remainder::new(buckets),
            blocks: Blocks::new(),
            places: [0; LANES],
            waiting: 0,
            long: Vec::new(),
        }
    }

    /// Takes messages, each the tokens of a range and the place of its bucket: the tokens joined by single spaces are
    /// hashed, and the bucket written to `buckets[place]`, by [`Messages::finish`] at the latest.
    pub fn push(
        &mut self,
        tokens: &Tokens,
        ngrams: impl Iterator<Item = (Range<usize>, usize)>,
        buckets: &mut [u32],
    ) {
        #[cfg(target_arch = "x86_64")]
        if self.cpu.avx512 {
            // SAFETY: the processor has AVX-512 F, BW and VL, with BMI2.
            return unsafe { self.push_avx512(tokens, ngrams, buckets) };
        }
        self.push_by(tokens, ngrams, buckets, join);
    }

    /// # Safety
    /// The processor has AVX-512 F, BW and VL, with BMI2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2")]
    unsafe fn push_avx512(
        &mut self,
        tokens: &Tokens,
        ngrams: impl Iterator<Item = (Range<usize>, usize)>,
        buckets: &mut [u32],
    ) {
        // SAFETY: the caller promises the instructions.
        self.push_by(tokens, ngrams, buckets, |tokens, ngram, block| unsafe {
            join_avx512(tokens, ngram, block)
        });
    }

    #[inline(always)]
    fn push_by(
        &mut self,
        tokens: &Tokens,
        ngrams: impl Iterator<Item = (Range<usize>, usize)>,
        buckets: &mut [u32],
        join: impl Fn(&Tokens, Range<usize>, &mut [u8; 2 * BLOCK]),
    ) {
        for (ngram, place) in ngrams {
            let len = ngram.clone().map(|i| tokens.place(i).1 + 1).sum::<usize>() - 1;
            if len > ONE_BLOCK {
                buckets[place] = self.hash_long(tokens, ngram);
                continue;
            }
            let block = self.blocks.with_room(self.waiting);
            join(tokens, ngram, block);
            self.places[self.waiting] = place as u32;
            self.waiting += 1;
            if self.waiting == LANES {
                self.finish(buckets);
            }
        }
    }

    /// Hashes the messages that wait.
    pub fn finish(&mut self, buckets: &mut [u32]) {
        let mut digests = [[0; 8]; LANES];
        sha256::one_block_each(self.cpu, &self.blocks, self.waiting, &mut digests);
        for (&place, &digest) in self.places[..self.waiting].iter().zip(&digests) {
            buckets[place as usize] = self.remainder.of(digest);
        }
        self.waiting = 0;
    }

    #[cold]
    fn hash_long(&mut self, tokens: &Tokens, ngram: Range<usize>) -> u32 {
        self.long.clear();
        for i in ngram {
            if !self.long.is_empty() {
                self.long.push(b' ');
            }
            self.long.extend_from_slice(tokens.get(i));
        }
        self.remainder.of(sha256::words_on(self.cpu, &self.long))
    }
}

/// Makes the padded block of an n-gram of no more than 55 bytes; the bytes behind the block become anything.
#[inline(always)]
fn join(tokens: &Tokens, ngram: Range<usize>, block: &mut [u8; 2 * BLOCK]) {
    let mut at = 0;
    for i in ngram {
        let (start, len) = tokens.place(i);
        // Whole blocks: what is too much lies where the next copy goes.
        block[at..at + BLOCK].copy_from_slice(&tokens.bytes()[start..start + BLOCK]);
        at += len;
        block[at] = b' ';
        at += 1;
    }
    // In the place of the last space.
    block[at - 1] = 0x80;
    block[at..at + BLOCK].fill(0);
    block[BLOCK - 8..BLOCK].copy_from_slice(&((at as u64 - 1) * 8).to_be_bytes());
}

/// As [`join`], in a register.
///
/// # Safety
/// The processor has AVX-512 F and BW.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2")]
unsafe fn join_avx512(tokens: &Tokens, ngram: Range<usize>, block: &mut [u8; 2 * BLOCK]) {
    use std::arch::x86_64::*;
    let bytes = tokens.bytes();
    let mut joined = _mm512_setzero_si512();
    let (mut at, mut spaces) = (0, 0u64);
    for i in ngram {
        let (start, len) = tokens.place(i);
        let token = bytes[start..start + len].as_ptr();
        let mask = (u64::MAX >> (BLOCK - len)) << at;
        // SAFETY: the mask leaves the bytes of the token alone, which lie in `bytes`; the others are not touched.
        let moved = unsafe { _mm512_maskz_loadu_epi8(mask, token.wrapping_sub(at).cast()) };
        joined = _mm512_or_si512(joined, moved);
        at += len;
        spaces |= 1 << at;
        at += 1;
    }
    let len = at - 1;
    joined = _mm512_mask_blend_epi8(spaces ^ 1 << len, joined, _mm512_set1_epi8(b' ' as i8));
    joined = _mm512_mask_blend_epi8(1 << len, joined, _mm512_set1_epi8(0x80u8 as i8));
    // The length in bits is below 2^16: the block's last two bytes, big end first.
    let bits = (len as u16 * 8).swap_bytes();
    joined = _mm512_mask_set1_epi16(joined, 1 << 31, bits as i16);
    // SAFETY: 64 bytes of a block.
    unsafe { _mm512_storeu_si512(block.as_mut_ptr().cast(), joined) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ngrams::blocks::Portable;
    use crate::ngrams::cutter::Cutter;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_are_their_tokens_joined(text in "[a-zé]{1,20}([ .][a-zé]{1,20}){0,9}", order in 1usize..4) {
            let mut tokens = Tokens::new();
            // SAFETY: the portable way asks for nothing.
            unsafe { Cutter::new(&text).fill(Portable, &mut tokens) };
            let ngrams: Vec<_> = (order..=tokens.count()).map(|end| end - order..end).collect();
            let want: Vec<u32> = ngrams
                .iter()
                .map(|ngram| {
                    let joined = ngram.clone().map(|i| tokens.get(i)).collect::<Vec<_>>().join(&b' ');
                    Remainder::new(10_000).of(sha256::words_on(Cpu::BASELINE, &joined))
                })
                .collect();
            for cpu in Cpu::choices() {
                let mut messages = Messages::new(cpu, 10_000);
                let mut got = vec![0; want.len()];
                let places = 0..ngrams.len();
                messages.push(&tokens, ngrams.iter().cloned().zip(places), &mut got);
                messages.finish(&mut got);
                prop_assert_eq!(&got, &want);
            }
        }
    }
}
