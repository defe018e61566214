//! Joins tokens to messages and hashes them to buckets, some at a time.

use super::remainder::Remainder;
use crate::cpu::Cpu;
use crate::sha256::{self, BLOCK, Blocks, LANES, ONE_BLOCK, Words};

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

    /// Takes the message of `tokens` (start and length in `bytes`, with 64 bytes to read behind each), joined by single
    /// spaces; its bucket is written to `buckets[place]`, by [`Messages::finish`] at the latest.
    #[inline(always)]
    pub fn push(
        &mut self,
        bytes: &[u8],
        tokens: impl Iterator<Item = (usize, usize)> + Clone,
        place: usize,
        buckets: &mut [u32],
    ) {
        let len = tokens.clone().map(|(_, len)| len + 1).sum::<usize>() - 1;
        if len > ONE_BLOCK {
            buckets[place] = self.hash_long(bytes, tokens);
            return;
        }
        let block = self.blocks.with_room(self.waiting);
        let mut at = 0;
        for (start, len) in tokens {
            // Whole blocks: what is too much lies where the next copy goes.
            block[at..at + BLOCK].copy_from_slice(&bytes[start..start + BLOCK]);
            at += len;
            block[at] = b' ';
            at += 1;
        }
        block[len] = 0x80;
        block[len + 1..len + 1 + BLOCK].fill(0);
        block[BLOCK - 8..BLOCK].copy_from_slice(&(len as u64 * 8).to_be_bytes());
        self.places[self.waiting] = place as u32;
        self.waiting += 1;
        if self.waiting == LANES {
            self.finish(buckets);
        }
    }

    /// Hashes the messages that wait.
    pub fn finish(&mut self, buckets: &mut [u32]) {
        let mut digests = [[0; LANES]; 8];
        sha256::one_block_each(self.cpu, &self.blocks, self.waiting, &mut digests);
        for (lane, &place) in self.places[..self.waiting].iter().enumerate() {
            let words: Words = std::array::from_fn(|i| digests[i][lane]);
            buckets[place as usize] = self.remainder.of(words);
        }
        self.waiting = 0;
    }

    #[cold]
    fn hash_long(&mut self, bytes: &[u8], tokens: impl Iterator<Item = (usize, usize)>) -> u32 {
        self.long.clear();
        for (i, (start, len)) in tokens.enumerate() {
            if i > 0 {
                self.long.push(b' ');
            }
            self.long.extend_from_slice(&bytes[start..start + len]);
        }
        self.remainder.of(sha256::words_on(self.cpu, &self.long))
    }
}
