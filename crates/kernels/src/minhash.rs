//! MinHash signatures of texts over their character n-grams.
//!
//! `texts -> u32 [n, num_perm]`. The text is [cleaned](crate::clean); its shingles are the windows of `ngram` characters
//! (the whole text if it is shorter). A shingle's hash x is the low half of its 64-bit XXH3, mixed by MurmurHash3's
//! 32-bit finaliser; value k is the least `a_k * x + b_k` mod 2^32 over the shingles, a_k odd. The share of equal values of two
//! signatures estimates the Jaccard similarity of their sets of shingles. An empty clean text has u32::MAX everywhere.
//!
//! O(characters * num_perm), in parallel over texts. What limits it is the multiplication: with AVX-512, 16 of them, 16
//! additions and 16 minima are three instructions, and hashing the next shingles runs beside them on the processor's
//! scalar units (`fold`).

mod fold;
mod shingles;

use crate::clean::clean;
use crate::cpu::Cpu;
use crate::job::{Aborted, Job};
use crate::ngrams::Texts;
use crate::philox::Philox;
use crate::threads;
use fold::Permutations;
use rayon::prelude::*;
use shingles::for_each_part;

/// The value of a signature without shingles.
pub const EMPTY: u32 = u32::MAX;

/// Whether a signature is that of an empty text.
pub fn is_empty(signature: &[u32]) -> bool {
    signature.iter().all(|&value| value == EMPTY)
}

/// Signs one text after the other; keeps its permutations and its scratch memory.
///
/// ```
/// use tamis_kernels::minhash::MinHasher;
/// let mut hasher = MinHasher::new(13, 128, 0);
/// let (mut a, mut b) = ([0; 128], [0; 128]);
/// hasher.sign("The quick brown fox jumps", &mut a);
/// hasher.sign("the quick, brown fox jumps!", &mut b);
/// assert_eq!(a, b);
/// ```
pub struct MinHasher {
    ngram: usize,
    permutations: Permutations,
    cpu: Cpu,
    clean: Vec<u8>,
    starts: Vec<usize>,
    least: Vec<u32>,
}

impl MinHasher {
    /// `ngram` is 1 or more; permutations are drawn from stream 0 of `seed`.
    pub fn new(ngram: usize, num_perm: usize, seed: u64) -> Self {
        Self::on(Cpu::current(), ngram, num_perm, seed)
    }

    fn on(cpu: Cpu, ngram: usize, num_perm: usize, seed: u64) -> Self {
        let mut words = vec![0; 2 * num_perm];
        Philox::new(seed, 0).words(0, &mut words);
        let permutations = Permutations::new(words.chunks_exact(2).map(|pair| (pair[0] | 1, pair[1])));
        MinHasher { ngram, permutations, cpu, clean: Vec::new(), starts: Vec::new(), least: Vec::new() }
    }

    /// Values of a signature.
    pub fn num_perm(&self) -> usize {
        self.permutations.len()
    }

    /// Writes the signature of `text`.
    ///
    /// # Panics
    /// If `signature` has not `num_perm` values.
    pub fn sign(&mut self, text: &str, signature: &mut [u32]) {
        assert_eq!(signature.len(), self.num_perm());
        let MinHasher { ngram, permutations, cpu, clean: bytes, starts, least } = self;
        let points = clean(text, bytes);
        let bytes = &bytes[..];
        if points == 0 {
            return signature.fill(EMPTY);
        }
        least.clear();
        least.resize(permutations.padded_len(), EMPTY);
        for_each_part(bytes, (*ngram).min(points), starts, |shingles| {
            permutations.fold(*cpu, shingles, least)
        });
        signature.copy_from_slice(&least[..signature.len()]);
    }
}

/// Bytes of text of one task of a parallel call.
const TASK_BYTES: usize = 1 << 18;

/// The signature of each text: `[texts, num_perm]`, row-major.
///
/// # Errors
/// [`Aborted`] if `job` was stopped.
pub fn min_hash(
    texts: &Texts,
    ngram: usize,
    num_perm: usize,
    seed: u64,
    job: &Job,
) -> Result<Vec<u32>, Aborted> {
    let mut out = vec![0; texts.len() * num_perm];
    let mut tasks = Vec::new();
    let mut rest = &mut out[..];
    for run in texts.runs(TASK_BYTES) {
        let (signatures, more) = rest.split_at_mut(run.len() * num_perm);
        tasks.push((run, signatures));
        rest = more;
    }
    let sign = |hasher: &mut MinHasher, (run, signatures): (std::ops::Range<usize>, &mut [u32])| {
        for (i, signature) in run.zip(signatures.chunks_exact_mut(num_perm)) {
            job.check()?;
            hasher.sign(texts.get(i), signature);
        }
        Ok(())
    };
    threads::pool().install(|| {
        tasks.into_par_iter().try_for_each_init(|| MinHasher::new(ngram, num_perm, seed), sign)
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests;
