//! Philox4x32-10: random numbers that are a function of (seed, stream, index).
//!
//! Block b is the cipher of counter (lo32 b, hi32 b, stream, 0) under key (lo32 seed, hi32 seed); word i of a stream
//! is lane i mod 4 of block i / 4. So any item is there at once, in any order, on any thread, and the bytes do not
//! depend on threads or instruction sets. Long outputs are filled in parallel on the shared pool, sixteen blocks at a
//! time, and made of their words while those are in registers. Cost: O(n); about a cycle a word with AVX-512. (Salmon,
//! Moraes, Dror, Shaw, SC 2011.)

use crate::cpu::Cpu;
use crate::elementary::{cos_sin_turns, from_bits52, ln};
use crate::threads;
use rayon::prelude::*;
use std::mem::MaybeUninit;

const MULTIPLIERS: (u32, u32) = (0xD251_1F53, 0xCD9E_8D57);
const KEY_STEPS: (u32, u32) = (0x9E37_79B9, 0xBB67_AE85);
const ROUNDS: usize = 10;
/// Blocks worked through side by side; with AVX-512 there are registers for twice as many.
const WIDE: usize = 16;
/// Words of a run of blocks that any number of them side by side divides.
const RUN: usize = 2 * WIDE * 4;
/// Items whose logarithms and sines are taken side by side.
const ABREAST: usize = 8;
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

fn uniform(w: u32) -> f32 {
    ((w >> 9) as f32 + 0.5) / (1u32 << 23) as f32
}

fn uniform64(hi: u32, lo: u32) -> f64 {
    let bits = (u64::from(hi) << 32 | u64::from(lo)) >> 12;
    (from_bits52(bits) + 0.5) / (1u64 << 52) as f64
}

/// A type that draws are rounded to.
pub trait Draw: Copy + Send {
    fn rounded(x: f64) -> Self;
}

impl Draw for f64 {
    #[inline(always)]
    fn rounded(x: f64) -> f64 {
        x
    }
}

impl Draw for f32 {
    #[inline(always)]
    fn rounded(x: f64) -> f32 {
        x as f32
    }
}

/// What items are made of their words. No closure: it must become part of the functions that are compiled for each instruction
/// set, however long it is.
trait Make<T>: Copy + Sync {
    /// Writes every item of `out`.
    fn fill(self, words: &[u32], out: &mut [MaybeUninit<T>]);
}

/// Each item by itself.
#[derive(Clone, Copy)]
struct Each<F, const PER: usize>(F);

impl<T, F: Fn([u32; PER]) -> T + Copy + Sync, const PER: usize> Make<T> for Each<F, PER> {
    #[inline(always)]
    fn fill(self, words: &[u32], out: &mut [MaybeUninit<T>]) {
        for (item, words) in out.iter_mut().zip(words.as_chunks().0) {
            item.write(self.0(*words));
        }
    }
}

/// Pairs of normal draws.
#[derive(Clone, Copy)]
struct Normals;

impl<T: Draw> Make<[T; 2]> for Normals {
    #[inline(always)]
    fn fill(self, words: &[u32], out: &mut [MaybeUninit<[T; 2]>]) {
        let (groups, words) = words.as_chunks::<2>().0.as_chunks::<ABREAST>();
        let (items, rest) = out.as_chunks_mut::<ABREAST>();
        for (items, words) in items.iter_mut().zip(groups) {
            let pairs = normals_of(words);
            for i in 0..ABREAST {
                items[i].write([T::rounded(pairs[i][0]), T::rounded(pairs[i][1])]);
            }
        }
        for (item, words) in rest.iter_mut().zip(words) {
            let [[cosine, sine]] = normals_of(&[*words]);
            item.write([T::rounded(cosine), T::rounded(sine)]);
        }
    }
}

/// Gumbel draws.
#[derive(Clone, Copy)]
struct Gumbels;

impl<T: Draw> Make<T> for Gumbels {
    #[inline(always)]
    fn fill(self, words: &[u32], out: &mut [MaybeUninit<T>]) {
        let (groups, words) = words.as_chunks::<2>().0.as_chunks::<ABREAST>();
        let (items, rest) = out.as_chunks_mut::<ABREAST>();
        for (items, words) in items.iter_mut().zip(groups) {
            let draws = gumbels_of(words);
            for i in 0..ABREAST {
                items[i].write(T::rounded(draws[i]));
            }
        }
        for (item, words) in rest.iter_mut().zip(words) {
            let [draw] = gumbels_of(&[*words]);
            item.write(T::rounded(draw));
        }
    }
}

/// The pairs of normal draws of items of two words.
#[inline(always)]
fn normals_of<const N: usize>(words: &[[u32; 2]; N]) -> [[f64; 2]; N] {
    let (mut first, mut second) = ([0.0; N], [0.0; N]);
    for i in 0..N {
        first[i] = f64::from(uniform(words[i][0]));
        second[i] = f64::from(uniform(words[i][1]));
    }
    let logs = ln(&first);
    let (cosines, sines) = cos_sin_turns(&second);
    let mut pairs = [[0.0; 2]; N];
    for i in 0..N {
        let radius = (-2.0 * logs[i]).sqrt();
        pairs[i] = [radius * cosines[i], radius * sines[i]];
    }
    pairs
}

/// The Gumbel draws of items of two words.
#[inline(always)]
fn gumbels_of<const N: usize>(words: &[[u32; 2]; N]) -> [f64; N] {
    let mut x = [0.0; N];
    for i in 0..N {
        x[i] = uniform64(words[i][0], words[i][1]);
    }
    for _ in 0..2 {
        x = ln(&x);
        for x in &mut x {
            *x = -*x;
        }
    }
    x
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_cipher_has_the_published_answers() {
        assert_eq!(cipher([0; 4], (0, 0)), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        let ones = u32::MAX;
        assert_eq!(cipher([ones; 4], (ones, ones)), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        let pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
        let answer = [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1];
        assert_eq!(cipher(pi, (0xa4093822, 0x299f31d0)), answer);
    }

    #[test]
    fn a_seed_of_64_bits_and_the_last_stream() {
        let mut out = [0; 9];
        Philox::new(81985529216486895, u32::MAX).words(0, &mut out);
        let want = [
            3465322582, 2130797111, 1544007342, 444711187, 3297325251, 2240255106, 3802143015, 1680925993,
            2516531436,
        ];
        assert_eq!(out, want);
    }

    #[test]
    fn draws_have_the_independent_oracle_s_values() {
        let draws = Philox::new(5, 2);
        let mut out = [0.0; 4];
        draws.uniform(0, &mut out);
        assert_eq!(out, [0.73049754, 0.21561831, 0.0012530684, 0.19243771]);
        let mut out = [0.0; 3];
        draws.uniform64(0, &mut out);
        assert_eq!(out, [0.7304975789076692, 0.001253019830313895, 0.2817667627961514]);
        let mut out = [0.0f64; 6];
        Philox::new(9, 1).normal(&mut out);
        let want = [
            -0.7374545662546775,
            -0.6043333568122958,
            1.3369493226387523,
            0.39354412882158213,
            -0.5661341119904736,
            0.8006057100822973,
        ];
        out.iter().zip(want).for_each(|(got, want)| assert!((got - want).abs() < 1e-14, "{got} {want}"));
        let mut out = [0.0f64; 4];
        Philox::new(6, 1).gumbel(0, &mut out);
        let want = [2.123222, 1.4343346, 3.9346232, 0.45419434];
        out.iter().zip(want).for_each(|(got, want)| assert!((got - want).abs() < 1e-6, "{got} {want}"));
        let mut out = [0; 12];
        Philox::new(8, 5).below(0, 10, &mut out);
        assert_eq!(out, [8, 5, 5, 1, 3, 5, 4, 3, 7, 2, 4, 4]);
        let want = [13, 2, 17, 10, 18, 19, 15, 8, 5, 0, 1, 7, 12, 14, 3, 6, 4, 9, 16, 11];
        assert_eq!(Philox::new(3, 4).permutation(20), want);
    }

    #[test]
    fn the_ends_of_the_intervals_are_never_drawn() {
        assert_eq!((uniform(0), uniform(u32::MAX)), (0.5 / 8388608.0, 1.0 - 0.5 / 8388608.0));
        assert!(uniform64(0, 0) > 0.0);
        assert!(uniform64(u32::MAX, u32::MAX) < 1.0);
        assert!(gumbels_of(&[[u32::MAX; 2]])[0] < 36.75);
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let one = |threads: usize| {
            let pool = crate::threads::Budget::of(threads);
            let draws = Philox::new(1, 2);
            pool.install(|| {
                let mut words = vec![0; 3 * TASK + 5];
                draws.words(3, &mut words);
                let mut normal = vec![0.0; 2 * TASK + 3];
                draws.normal(&mut normal);
                let mut gumbel = vec![0.0; TASK + 1];
                draws.gumbel(9, &mut gumbel);
                (words, normal, gumbel)
            })
        };
        let (words, normal, gumbel) = one(1);
        assert!(
            (one(2), one(7))
                == ((words.clone(), normal.clone(), gumbel.clone()), (words.clone(), normal, gumbel))
        );
        let draws = Philox::new(1, 2);
        assert!((3..).zip(&words).all(|(i, &w)| w == draws.word(i)));
    }

    proptest! {
        #[test]
        fn every_path_gives_the_words_one_by_one(
            seed: u64, stream: u32, first in 0u64..1 << 40, len in 0usize..300
        ) {
            let want: Vec<u32> = (first..first + len as u64).map(|i| Philox::new(seed, stream).word(i)).collect();
            for cpu in Cpu::choices() {
                let draws = Philox::with_cpu(seed, stream, cpu);
                let mut got = vec![0; len];
                draws.words(first, &mut got);
                prop_assert_eq!(&got, &want);
                let mut reals = vec![0.0; len];
                draws.uniform(first, &mut reals);
                prop_assert!(reals.iter().zip(&want).all(|(&x, &w)| x == uniform(w)));
                let mut wide = vec![0.0; len / 2];
                draws.uniform64(first, &mut wide);
                let word = |i| draws.word(i);
                prop_assert!((first..).zip(&wide).all(|(i, &x)| x == uniform64(word(2 * i), word(2 * i + 1))));
                let heads = (draws.first_words(len), draws.first_uniform(len));
                prop_assert!((0..).zip(&heads.0).all(|(i, &w)| w == word(i)));
                prop_assert!((0..).zip(&heads.1).all(|(i, &x)| x == uniform(word(i))));
            }
        }

        #[test]
        fn real_draws_are_the_formulas_on_every_path(seed: u64, len in 0usize..600) {
            let draws = Philox::new(seed, 3);
            let normal: Vec<f64> = draws.first_normal(len);
            for (i, x) in normal.iter().enumerate() {
                let [u, v] = [0, 1].map(|k| f64::from(uniform(draws.word((i as u64 & !1) + k))));
                let angle = std::f64::consts::TAU * v;
                let turned = if i.is_multiple_of(2) { libm::cos(angle) } else { libm::sin(angle) };
                let want = libm::sqrt(-2.0 * libm::log(u)) * turned;
                prop_assert!((x - want).abs() <= 1e-14, "{} {} {}", i, x, want);
            }
            let gumbel: Vec<f64> = draws.first_gumbel(len);
            for (i, x) in gumbel.iter().enumerate() {
                let [high, low] = [0, 1].map(|k| draws.word(2 * i as u64 + k));
                prop_assert_eq!(x.to_bits(), (-libm::log(-libm::log(uniform64(high, low)))).to_bits());
            }
            for cpu in Cpu::choices() {
                let draws = Philox::with_cpu(seed, 3, cpu);
                let bits = |x: Vec<f64>| x.into_iter().map(f64::to_bits).collect::<Vec<_>>();
                prop_assert_eq!(bits(draws.first_normal(len)), bits(normal.clone()));
                prop_assert_eq!(bits(draws.first_gumbel(len)), bits(gumbel.clone()));
                prop_assert_eq!(draws.first_normal::<f32>(len), normal.iter().map(|&x| x as f32).collect::<Vec<_>>());
            }
        }

        #[test]
        fn any_part_of_a_stream_is_that_part(seed: u64, first in 0u64..1000, len in 0usize..600) {
            let draws = Philox::new(seed, 1);
            let mut all = vec![0.0f64; 1600];
            draws.gumbel(0, &mut all);
            let mut part = vec![0.0; len];
            draws.gumbel(first, &mut part);
            prop_assert_eq!(&part[..], &all[first as usize..first as usize + len]);
            prop_assert!((0..1600).all(|i| draws.gumbel_at(i).to_bits() == all[i as usize].to_bits()));
        }
    }
}
