//! Philox4x32-10: random numbers that are a function of (seed, stream, index).
//!
//! Block b is the cipher of counter (lo32 b, hi32 b, stream, 0) under key (lo32 seed, hi32 seed); word i of a stream
//! is lane i mod 4 of block i / 4. So any item is there at once, in any order, on any thread, and the bytes do not
//! depend on threads or instruction sets. Long outputs are filled in parallel on the shared pool, sixteen blocks at a
//! time, and made of their words while those are in registers. Cost: O(n); about a cycle a word with AVX-512. (Salmon,
//! Moraes, Dror, Shaw, SC 2011.)

mod draws;

pub use draws::Draw;

use crate::cpu::Cpu;
use crate::threads;
use draws::{Each, Gumbels, Make, Normals, gumbels_of, normals_of, uniform, uniform64};
use rayon::prelude::*;
use std::mem::MaybeUninit;

const MULTIPLIERS: (u32, u32) = (0xD251_1F53, 0xCD9E_8D57);
const KEY_STEPS: (u32, u32) = (0x9E37_79B9, 0xBB67_AE85);
const ROUNDS: usize = 10;
/// Blocks worked through side by side; with AVX-512 there are registers for twice as many.
const WIDE: usize = 16;
/// Words of a run of blocks that any number of them side by side divides.
const RUN: usize = 2 * WIDE * 4;
/// Items of one task of a parallel fill.
const TASK: usize = 1 << 16;

/// One stream of one seed.
///
/// ```
/// use tamis_kernels::philox::Philox;
/// let draws = Philox::new(0, 0);
/// assert_eq!(draws.word(1), 0xe169_c58d);
/// let mut all = [0; 4];
/// draws.words(0, &mut all);
/// assert_eq!(all[1], draws.word(1));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Philox {
    key: (u32, u32),
    stream: u32,
    cpu: Cpu,
}

impl Philox {
    /// The draws of `stream` under `seed`.
    pub fn new(seed: u64, stream: u32) -> Self {
        Philox { key: (seed as u32, (seed >> 32) as u32), stream, cpu: Cpu::current() }
    }

    #[cfg(test)]
    fn with_cpu(seed: u64, stream: u32, cpu: Cpu) -> Self {
        Philox { cpu, ..Philox::new(seed, stream) }
    }

    fn block(&self, index: u64) -> [u32; 4] {
        cipher([index as u32, (index >> 32) as u32, self.stream, 0], self.key)
    }

    /// Word `i` of the stream.
    pub fn word(&self, i: u64) -> u32 {
        self.block(i / 4)[(i % 4) as usize]
    }

    /// Words `first..` of the stream.
    pub fn words(&self, first: u64, out: &mut [u32]) {
        self.map_words(first, as_uninit(out), |[word]| word);
    }

    /// The first `n` words of the stream, in memory that is written once.
    pub fn first_words(&self, n: usize) -> Vec<u32> {
        collect(n, |out| self.map_words(0, out, |[word]| word))
    }

    /// Integers `(word * bound) >> 32` of words `first..`; `bound` is 1..=2^32.
    pub fn below(&self, first: u64, bound: u64, out: &mut [u32]) {
        debug_assert!((1..=1 << 32).contains(&bound));
        self.map_words(first, as_uninit(out), |[word]| ((u64::from(word) * bound) >> 32) as u32);
    }

    /// The numbers 0..n in the order of their words, ties by number. O(n log n).
    ///
    /// # Panics
    /// If `n` is above 2^32.
    pub fn permutation(&self, n: usize) -> Vec<u32> {
        assert!(n as u64 <= 1 << 32, "a permutation holds at most 2^32 numbers");
        let words = self.first_words(n);
        let mut keyed: Vec<u64> = words.iter().zip(0u64..).map(|(&w, i)| u64::from(w) << 32 | i).collect();
        threads::pool().install(|| keyed.par_sort_unstable());
        keyed.into_iter().map(|key| key as u32).collect()
    }

    /// Uniform draws of (0, 1) with 23 bits, one word each: `((w >> 9) + 0.5) / 2^23`, exact in float32.
    pub fn uniform(&self, first: u64, out: &mut [f32]) {
        self.map_words(first, as_uninit(out), |[word]| uniform(word));
    }

    /// The first `n` of [`Philox::uniform`], in memory that is written once.
    pub fn first_uniform(&self, n: usize) -> Vec<f32> {
        collect(n, |out| self.map_words(0, out, |[word]| uniform(word)))
    }

    /// Uniform draws of (0, 1) with 52 bits; item i takes words 2i (high) and 2i + 1.
    pub fn uniform64(&self, first: u64, out: &mut [f64]) {
        self.map_words(first, as_uninit(out), |[high, low]| uniform64(high, low));
    }

    /// The first `n` of [`Philox::uniform64`], in memory that is written once.
    pub fn first_uniform64(&self, n: usize) -> Vec<f64> {
        collect(n, |out| self.map_words(0, out, |[high, low]| uniform64(high, low)))
    }

    /// Standard normal draws from item 0 on (Box-Muller over one-word uniforms; an odd length drops the last sine).
    pub fn normal<T: Draw>(&self, out: &mut [T]) {
        self.normals(as_uninit(out));
    }

    /// The first `n` of [`Philox::normal`], in memory that is written once.
    pub fn first_normal<T: Draw>(&self, n: usize) -> Vec<T> {
        collect(n, |out| self.normals(out))
    }

    fn normals<T: Draw>(&self, out: &mut [MaybeUninit<T>]) {
        let (pairs, last) = out.as_chunks_mut::<2>();
        if let [item] = last {
            let [[cosine, _]] = normals_of(&[self.item(pairs.len() as u64)]);
            item.write(T::rounded(cosine));
        }
        // SAFETY: the layouts are the same, and every pair is only written.
        let pairs = unsafe { &mut *(std::ptr::from_mut(pairs) as *mut [MaybeUninit<[T; 2]>]) };
        self.map_runs::<_, 2>(0, pairs, Normals);
    }

    /// Standard Gumbel draws `-ln(-ln u)` of items `first..`, u as in [`Philox::uniform64`]; at most 36.74.
    pub fn gumbel<T: Draw>(&self, first: u64, out: &mut [T]) {
        self.map_runs::<_, 2>(first, as_uninit(out), Gumbels);
    }

    /// The first `n` of [`Philox::gumbel`], in memory that is written once.
    pub fn first_gumbel<T: Draw>(&self, n: usize) -> Vec<T> {
        collect(n, |out| self.map_runs::<_, 2>(0, out, Gumbels))
    }

    /// Item `i` of [`Philox::gumbel`].
    pub fn gumbel_at(&self, i: u64) -> f64 {
        let [gumbel] = gumbels_of(&[self.item(i)]);
        gumbel
    }

    /// The words of item `i`, of which each has 1 or 2.
    fn item<const PER: usize>(&self, i: u64) -> [u32; PER] {
        let per = PER as u64;
        let words = self.block(i * per / 4);
        std::array::from_fn(|k| words[(i * per % 4) as usize + k])
    }

    /// Fills `out` with `f` of the words of items `first..`, in parallel where it is long.
    fn map_words<T: Copy + Send, const PER: usize>(
        &self,
        first: u64,
        out: &mut [MaybeUninit<T>],
        f: impl Fn([u32; PER]) -> T + Copy + Sync,
    ) {
        self.map_runs::<T, PER>(first, out, Each(f));
    }

    /// Fills `out` with what is made of the words of items `first..`, `PER` an item, in parallel where it is long.
    fn map_runs<T: Send, const PER: usize>(
        &self,
        first: u64,
        out: &mut [MaybeUninit<T>],
        make: impl Make<T>,
    ) {
        fill(first, out, |first, out| {
            let per = PER as u64;
            let ragged = ((4 - first * per % 4) % 4 / per).min(out.len() as u64) as usize;
            let (head, aligned) = out.split_at_mut(ragged);
            for (i, item) in (first..).zip(head) {
                make.fill(&self.item::<PER>(i), std::slice::from_mut(item));
            }
            let first = first + ragged as u64;
            let whole = aligned.len() / (RUN / PER) * (RUN / PER);
            let (wide, tail) = aligned.split_at_mut(whole);
            self.map_wide::<T, PER>(first * per / 4, wide, make);
            for (i, item) in (first + whole as u64..).zip(tail) {
                make.fill(&self.item::<PER>(i), std::slice::from_mut(item));
            }
        });
    }

    /// The same for whole runs from `block` on.
    fn map_wide<T, const PER: usize>(&self, block: u64, out: &mut [MaybeUninit<T>], make: impl Make<T>) {
        let keys = self.keys();
        #[cfg(target_arch = "x86_64")]
        {
            if self.cpu.avx512 {
                // SAFETY: the processor has the features of `map_avx512`.
                return unsafe { map_avx512::<T, PER>(block, self.stream, &keys, out, make) };
            }
            if self.cpu.avx2 {
                // SAFETY: the processor has AVX2.
                return unsafe { map_avx2::<T, PER>(block, self.stream, &keys, out, make) };
            }
        }
        map::<T, PER, WIDE>(block, self.stream, &keys, out, make);
    }

    /// The key of each round.
    fn keys(&self) -> [(u32, u32); ROUNDS] {
        std::array::from_fn(|round| {
            let steps = |key: u32, step: u32| key.wrapping_add(step.wrapping_mul(round as u32));
            (steps(self.key.0, KEY_STEPS.0), steps(self.key.1, KEY_STEPS.1))
        })
    }
}

/// A vector of `n` items that `fill` writes, each of them.
fn collect<T>(n: usize, fill: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut items = Vec::with_capacity(n);
    fill(&mut items.spare_capacity_mut()[..n]);
    // SAFETY: there is room for n items, and map_words writes every one.
    unsafe { items.set_len(n) };
    items
}

/// Items that may be written without being read.
fn as_uninit<T: Copy>(items: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: the layouts are the same, and this module only ever writes items through it.
    unsafe { &mut *(std::ptr::from_mut(items) as *mut [MaybeUninit<T>]) }
}

/// Hands `out`, item 0 of which is item `first`, to `f` whole or, where it is long, in parallel pieces.
fn fill<T: Send>(first: u64, out: &mut [T], f: impl Fn(u64, &mut [T]) + Sync) {
    if out.len() <= TASK {
        return f(first, out);
    }
    threads::pool().install(|| {
        out.par_chunks_mut(TASK).enumerate().for_each(|(i, out)| f(first + (i * TASK) as u64, out));
    });
}

fn cipher(counter: [u32; 4], key: (u32, u32)) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let (mut k0, mut k1) = key;
    for _ in 0..ROUNDS {
        let p0 = u64::from(MULTIPLIERS.0) * u64::from(c0);
        let p1 = u64::from(MULTIPLIERS.1) * u64::from(c2);
        (c0, c1, c2, c3) = ((p1 >> 32) as u32 ^ c1 ^ k0, p1 as u32, (p0 >> 32) as u32 ^ c3 ^ k1, p0 as u32);
        k0 = k0.wrapping_add(KEY_STEPS.0);
        k1 = k1.wrapping_add(KEY_STEPS.1);
    }
    [c0, c1, c2, c3]
}

/// [`cipher`] of `N` blocks, over arrays so that the compiler turns each step into vector operations: every word
/// is the low half of a lane of 64 bits, where products need it, and what the high half holds does not matter.
#[inline(always)]
fn wide<const N: usize>(block: u64, stream: u32, keys: &[(u32, u32); ROUNDS], out: &mut [[u32; 4]; N]) {
    const LOW: u64 = u32::MAX as u64;
    let mut c0: [u64; N] = std::array::from_fn(|i| block + i as u64);
    let mut c1: [u64; N] = std::array::from_fn(|i| (block + i as u64) >> 32);
    let mut c2 = [u64::from(stream); N];
    let mut c3 = [0; N];
    for &(k0, k1) in keys {
        for i in 0..N {
            let p0 = u64::from(MULTIPLIERS.0) * (c0[i] & LOW);
            let p1 = u64::from(MULTIPLIERS.1) * (c2[i] & LOW);
            c0[i] = (p1 >> 32) ^ c1[i] ^ u64::from(k0);
            c1[i] = p1;
            c2[i] = (p0 >> 32) ^ c3[i] ^ u64::from(k1);
            c3[i] = p0;
        }
    }
    for (i, words) in out.iter_mut().enumerate() {
        *words = [c0[i] as u32, c1[i] as u32, c2[i] as u32, c3[i] as u32];
    }
}

/// Fills `out`, whole runs, with what is made of each item's words, `N` blocks side by side.
#[inline(always)]
fn map<T, const PER: usize, const N: usize>(
    block: u64,
    stream: u32,
    keys: &[(u32, u32); ROUNDS],
    out: &mut [MaybeUninit<T>],
    make: impl Make<T>,
) {
    let mut blocks = [[0; 4]; N];
    let firsts = (block..).step_by(N);
    for (block, out) in firsts.zip(out.chunks_exact_mut(4 * N / PER)) {
        wide(block, stream, keys, &mut blocks);
        make.fill(blocks.as_flattened(), out);
    }
}

/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn map_avx2<T, const PER: usize>(
    block: u64,
    stream: u32,
    keys: &[(u32, u32); ROUNDS],
    out: &mut [MaybeUninit<T>],
    make: impl Make<T>,
) {
    map::<T, PER, WIDE>(block, stream, keys, out, make);
}

/// # Safety
/// The processor has AVX-512 F, BW and VL.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn map_avx512<T, const PER: usize>(
    block: u64,
    stream: u32,
    keys: &[(u32, u32); ROUNDS],
    out: &mut [MaybeUninit<T>],
    make: impl Make<T>,
) {
    map::<T, PER, { 2 * WIDE }>(block, stream, keys, out, make);
}

/// Normal draws of stream 0, as tests take data.
#[cfg(test)]
pub(crate) fn normals(n: usize, seed: u64) -> Vec<f64> {
    let mut out = vec![0.0; n];
    Philox::new(seed, 0).normal(&mut out);
    out
}

#[cfg(test)]
mod tests;
