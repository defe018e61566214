//! The least value of every permutation over a text's shingles.
//!
//! Permutations go through in groups that fit the vector registers, with their multipliers, addends and minima. The
//! first group hashes the shingles as it goes, a block of them ahead of the one that it folds: the scalar instructions
//! of the one and the vector instructions of the other do not wait for each other. What it hashed is kept for the
//! other groups, a stretch of the text at a time.

use super::shingles::Shingles;
use crate::cpu::Cpu;

/// Shingles that are hashed at once.
const BLOCK: usize = 16;
/// Hashes that are kept for the groups behind the first.
const STRETCH: usize = 128 * BLOCK;
/// Values are padded to whole vectors of this many.
const LANES: usize = 16;

/// The maps x -> a * x + b mod 2^32.
pub struct Permutations {
    len: usize,
    /// Padded with copies of the last to a multiple of [`LANES`].
    multipliers: Vec<u32>,
    addends: Vec<u32>,
}

impl Permutations {
    pub fn new(pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let (mut multipliers, mut addends): (Vec<u32>, Vec<u32>) = pairs.unzip();
        let len = multipliers.len();
        multipliers.resize(len.next_multiple_of(LANES), 1);
        addends.resize(len.next_multiple_of(LANES), 0);
        Permutations { len, multipliers, addends }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Writes the least value of each permutation to `least`.
    pub fn fold(&self, cpu: Cpu, shingles: &impl Shingles, least: &mut [u32]) {
        let mut padded = vec![u32::MAX; self.multipliers.len()];
        let maps = Maps { multipliers: &self.multipliers, addends: &self.addends };
        match cpu {
            #[cfg(target_arch = "x86_64")]
            Cpu { avx512: true, .. } => {
                fold_stretches(maps, shingles, &mut padded, 8 * LANES, |maps, least, source, hashes| {
                    // SAFETY: the processor has the instructions.
                    unsafe { avx512::fold_group(maps, least, source, hashes) }
                });
            }
            #[cfg(target_arch = "x86_64")]
            Cpu { avx2: true, .. } => {
                fold_stretches(maps, shingles, &mut padded, 2 * LANES, |maps, least, source, hashes| {
                    // SAFETY: as above.
                    unsafe { avx2::fold_group(maps, least, source, hashes) }
                });
            }
            _ => fold_stretches(maps, shingles, &mut padded, LANES, portable::fold_group),
        }
        least.copy_from_slice(&padded[..self.len]);
    }
}

/// A whole number of vectors of multipliers and addends.
#[derive(Clone, Copy)]
struct Maps<'p> {
    multipliers: &'p [u32],
    addends: &'p [u32],
}

impl<'p> Maps<'p> {
    fn part(self, from: usize, len: usize) -> Maps<'p> {
        Maps { multipliers: &self.multipliers[from..from + len], addends: &self.addends[from..from + len] }
    }
}

/// A block's mixed hashes.
type Block = [u32; BLOCK];

/// Where a group of permutations gets hashes from: the shingles, of which the block of this number is the first, or
/// what an earlier group wrote down.
type Source<'s, S> = Option<(&'s S, usize)>;

/// Calls `fold_group` for every stretch of the text and, inside it, for every group of permutations: at most `most` of
/// them, a power of two of vectors.
fn fold_stretches<S: Shingles>(
    maps: Maps,
    shingles: &S,
    least: &mut [u32],
    most: usize,
    fold_group: impl Fn(Maps, &mut [u32], Source<S>, &mut [Block]),
) {
    let blocks = shingles.count().div_ceil(BLOCK);
    let mut hashes = [[0; BLOCK]; STRETCH / BLOCK];
    for start in (0..blocks).step_by(hashes.len()) {
        let stretch = (blocks - start).min(hashes.len());
        let mut done = 0;
        while done < least.len() {
            let left = (least.len() - done) / LANES;
            let group = (LANES << left.ilog2()).min(most);
            let source = (done == 0).then_some((shingles, start));
            fold_group(
                maps.part(done, group),
                &mut least[done..done + group],
                source,
                &mut hashes[..stretch],
            );
            done += group;
        }
    }
}

/// Gives the blocks of a stretch to `fold` in order; hashes each, where the source is the shingles, before the one in front
/// of it is folded.
#[inline(always)]
fn for_each_block<S: Shingles>(source: Source<S>, hashes: &mut [Block], mut fold: impl FnMut(&Block)) {
    let Some((shingles, start)) = source else { return hashes.iter().for_each(fold) };
    let mut next = hash_block(shingles, start * BLOCK);
    for (i, block) in hashes.iter_mut().enumerate() {
        *block = next;
        next = hash_block(shingles, (start + i + 1) * BLOCK);
        fold(block);
    }
}

/// The finaliser of MurmurHash3 for 32 bits.
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// The mixed hashes of the shingles `first..`, the last one repeated up to a whole block.
#[inline(always)]
fn hash_block(shingles: &impl Shingles, first: usize) -> Block {
    let last = shingles.count() - 1;
    let mut hashes = [0; BLOCK];
    if first + BLOCK <= last {
        for (i, hash) in hashes.iter_mut().enumerate() {
            // SAFETY: `first + i` is below the last.
            *hash = unsafe { shingles.low32(first + i) };
        }
    } else {
        for (i, hash) in hashes.iter_mut().enumerate() {
            // SAFETY: no shingle behind the last is asked for.
            *hash = unsafe { shingles.low32((first + i).min(last)) };
        }
    }
    hashes.map(mix)
}

/// Rust that the compiler may vectorise.
mod portable {
    use super::*;

    pub fn fold_group<S: Shingles>(maps: Maps, least: &mut [u32], source: Source<S>, hashes: &mut [Block]) {
        for_each_block(source, hashes, |block| {
            for ((least, &a), &b) in least.iter_mut().zip(maps.multipliers).zip(maps.addends) {
                for x in block {
                    *least = (*least).min(a.wrapping_mul(*x).wrapping_add(b));
                }
            }
        });
    }
}

/// Writes a module of the same for one width of vectors.
#[cfg(target_arch = "x86_64")]
macro_rules! vectors {
    ($name:ident, $features:literal, $lanes:literal, [$($count:literal),*],
     $load:ident, $store:ident, $set:ident, $multiply:ident, $add:ident, $min:ident) => {
        mod $name {
            use super::*;
            use std::arch::x86_64::*;

            #[target_feature(enable = $features)]
            pub fn fold_group<S: Shingles>(
                maps: Maps,
                least: &mut [u32],
                source: Source<S>,
                hashes: &mut [Block],
            ) {
                match least.len() / $lanes {
                    $($count => fold_vectors::<$count, S>(maps, least, source, hashes),)*
                    other => unreachable!("a group of {other} vectors"),
                }
            }

            /// The whole group stays in registers.
            #[target_feature(enable = $features)]
            fn fold_vectors<const N: usize, S: Shingles>(
                maps: Maps,
                least: &mut [u32],
                source: Source<S>,
                hashes: &mut [Block],
            ) {
                let mut multipliers = [$set(0); N];
                let mut addends = [$set(0); N];
                let mut minima = [$set(0); N];
                for k in 0..N {
                    let lanes = k * $lanes..(k + 1) * $lanes;
                    // SAFETY: each of the slices holds as many items as a vector.
                    unsafe {
                        multipliers[k] = $load(maps.multipliers[lanes.clone()].as_ptr().cast());
                        addends[k] = $load(maps.addends[lanes.clone()].as_ptr().cast());
                        minima[k] = $load(least[lanes].as_ptr().cast());
                    }
                }
                for_each_block(source, hashes, |block| {
                    for &x in block {
                        let x = $set(x as i32);
                        for k in 0..N {
                            let value = $add($multiply(x, multipliers[k]), addends[k]);
                            minima[k] = $min(minima[k], value);
                        }
                    }
                });
                for (lanes, minimum) in least.chunks_exact_mut($lanes).zip(minima) {
                    // SAFETY: as above.
                    unsafe { $store(lanes.as_mut_ptr().cast(), minimum) };
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
vectors!(
    avx512,
    "avx512f,avx512bw,avx512vl,bmi1,bmi2",
    16,
    [1, 2, 4, 8],
    _mm512_loadu_si512,
    _mm512_storeu_si512,
    _mm512_set1_epi32,
    _mm512_mullo_epi32,
    _mm512_add_epi32,
    _mm512_min_epu32
);

#[cfg(target_arch = "x86_64")]
vectors!(
    avx2,
    "avx2,bmi1,bmi2",
    8,
    [2, 4],
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_set1_epi32,
    _mm256_mullo_epi32,
    _mm256_add_epi32,
    _mm256_min_epu32
);
