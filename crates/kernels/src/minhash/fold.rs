//! The least value of every permutation over a text's shingles.
//!
//! Permutations go through in groups that fit the vector registers, with their multipliers, addends and minima. Where
//! shingles are short windows, AVX2 hashes a stretch of the text in vectors before the groups fold it. With AVX-512, of
//! which fewer instructions fold, the first group hashes as it goes, some shingles ahead of the one that it folds: the
//! scalar instructions of the one and the vector instructions of the other do not wait for each other.

use super::shingles::{Shingles, Windows};
use crate::cpu::Cpu;

/// Shingles of a stretch: their hashes stay in the first cache.
const STRETCH: usize = 2048;
/// How far hashing is ahead of folding.
const AHEAD: usize = 16;
/// Permutations are padded to whole vectors of this many.
const LANES: usize = 16;

/// The maps x -> a * x + b mod 2^32.
pub struct Permutations {
    len: usize,
    /// Padded to a multiple of [`LANES`].
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

    /// Permutations with the padding.
    pub fn padded_len(&self) -> usize {
        self.multipliers.len()
    }

    /// Lowers `least`, of the padded length, to each permutation's least value over the shingles.
    pub fn fold(&self, cpu: Cpu, shingles: &Shingles, least: &mut [u32]) {
        let maps = Maps { multipliers: &self.multipliers, addends: &self.addends };
        match cpu {
            #[cfg(target_arch = "x86_64")]
            Cpu { avx512: true, .. } => fold_groups(maps, shingles, least, 8 * LANES, |group| {
                // SAFETY: the processor has the instructions.
                unsafe { avx512::fold(group) }
            }),
            #[cfg(target_arch = "x86_64")]
            Cpu { avx2: true, .. } => fold_groups(maps, shingles, least, 2 * LANES, |mut group| {
                if let Some((windows, first)) = group.windows.take() {
                    let count = group.hashes.len() - AHEAD;
                    // SAFETY: as above.
                    unsafe { windows.hash_avx2(first, &mut group.hashes[..count]) };
                }
                // SAFETY: as above.
                unsafe { avx2::fold(group) }
            }),
            _ => fold_groups(maps, shingles, least, LANES, portable::fold),
        }
    }
}

/// Multipliers and addends.
#[derive(Clone, Copy)]
struct Maps<'p> {
    multipliers: &'p [u32],
    addends: &'p [u32],
}

/// A group of permutations and the stretch of shingles that they are to be folded over.
struct Group<'g> {
    maps: Maps<'g>,
    least: &'g mut [u32],
    /// Windows that are still to be hashed, and the number of the first; else the hashes are there.
    windows: Option<(Windows<'g>, usize)>,
    /// As many as there are shingles, and room for [`AHEAD`] more.
    hashes: &'g mut [u32],
}

/// Calls `fold` for every stretch of the text and, inside it, for every group of permutations: at most `most` of them, a
/// power of two of vectors.
fn fold_groups(maps: Maps, shingles: &Shingles, least: &mut [u32], most: usize, fold: impl Fn(Group)) {
    let count = shingles.count();
    let mut hashes = [0; STRETCH + AHEAD];
    for first in (0..count).step_by(STRETCH) {
        let stretch = (count - first).min(STRETCH);
        let mut windows = match shingles {
            Shingles::Windows(windows) => Some((*windows, first)),
            Shingles::Spans(spans) => {
                spans.hash(first, &mut hashes[..stretch]);
                None
            }
        };
        let mut done = 0;
        while done < least.len() {
            let left = (least.len() - done) / LANES;
            let lanes = done..done + (LANES << left.ilog2()).min(most);
            done = lanes.end;
            fold(Group {
                maps: Maps {
                    multipliers: &maps.multipliers[lanes.clone()],
                    addends: &maps.addends[lanes.clone()],
                },
                least: &mut least[lanes],
                windows: windows.take(),
                hashes: &mut hashes[..stretch + AHEAD],
            });
        }
    }
}

/// Rust that the compiler may vectorise.
mod portable {
    use super::*;

    pub fn fold(Group { maps, least, windows, hashes }: Group) {
        let count = hashes.len() - AHEAD;
        let hashes = &mut hashes[..count];
        if let Some((windows, first)) = windows {
            for (hash, i) in hashes.iter_mut().zip(first..) {
                *hash = windows.hash(i);
            }
        }
        for ((least, &a), &b) in least.iter_mut().zip(maps.multipliers).zip(maps.addends) {
            for x in &*hashes {
                *least = (*least).min(a.wrapping_mul(*x).wrapping_add(b));
            }
        }
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
            pub fn fold(group: Group) {
                match group.least.len() / $lanes {
                    $($count => fold_vectors::<$count>(group),)*
                    other => unreachable!("a group of {other} vectors"),
                }
            }

            /// The whole group stays in registers.
            #[target_feature(enable = $features)]
            fn fold_vectors<const N: usize>(Group { maps, least, windows, hashes }: Group) {
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
                let count = hashes.len() - AHEAD;
                if let Some((windows, first)) = windows {
                    for i in 0..AHEAD {
                        hashes[i] = windows.hash(first + i);
                    }
                    for i in 0..count {
                        hashes[i + AHEAD] = windows.hash(first + i + AHEAD);
                        let x = $set(hashes[i] as i32);
                        for k in 0..N {
                            let value = $add($multiply(x, multipliers[k]), addends[k]);
                            minima[k] = $min(minima[k], value);
                        }
                    }
                } else {
                    for &x in &hashes[..count] {
                        let x = $set(x as i32);
                        for k in 0..N {
                            let value = $add($multiply(x, multipliers[k]), addends[k]);
                            minima[k] = $min(minima[k], value);
                        }
                    }
                }
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
