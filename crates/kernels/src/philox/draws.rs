//! What words become: uniform, normal and Gumbel draws.

use crate::elementary::{cos_sin_turns, from_bits52, ln};
use std::mem::MaybeUninit;

/// Items whose logarithms and sines are taken side by side.
const ABREAST: usize = 8;

#[inline]
pub(super) fn uniform(w: u32) -> f32 {
    ((w >> 9) as f32 + 0.5) / (1u32 << 23) as f32
}

#[inline]
pub(super) fn uniform64(hi: u32, lo: u32) -> f64 {
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
pub(super) trait Make<T>: Copy + Sync {
    /// Writes every item of `out`.
    fn fill(self, words: &[u32], out: &mut [MaybeUninit<T>]);
}

/// Each item by itself.
#[derive(Clone, Copy)]
pub(super) struct Each<F, const PER: usize>(pub(super) F);

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
pub(super) struct Normals;

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
pub(super) struct Gumbels;

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
pub(super) fn normals_of<const N: usize>(words: &[[u32; 2]; N]) -> [[f64; 2]; N] {
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
pub(super) fn gumbels_of<const N: usize>(words: &[[u32; 2]; N]) -> [f64; N] {
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
