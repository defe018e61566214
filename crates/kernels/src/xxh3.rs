//! XXH3 (Yann Collet's xxHash, format of version 0.8): 64 and 128 bits of any bytes.
//!
//! `bytes, seed -> hash`, the same on every machine. Texts go through the `xxhash-rust` crate, at several GB/s. Strings
//! of 9 to 16 bytes, which shingles of 13 ASCII characters are, have [`Short`]: two loads, one wide product and one
//! narrow one, cheap enough to be hashed beside other work; by AVX2 eight of them at a time.

use xxhash_rust::xxh3;

/// The 64-bit hash.
///
/// ```
/// assert_eq!(tamis_kernels::xxh3::hash64(b"", 0), 0x2d06_8005_38d3_94c2);
/// ```
#[inline]
pub fn hash64(bytes: &[u8], seed: u64) -> u64 {
    xxh3::xxh3_64_with_seed(bytes, seed)
}

/// The 128-bit hash: the high 64 bits above the low ones.
///
/// ```
/// assert_eq!(tamis_kernels::xxh3::hash128(b"", 0), 0x99aa06d3014798d86001c324468d497f);
/// ```
#[inline]
pub fn hash128(bytes: &[u8], seed: u64) -> u128 {
    xxh3::xxh3_128_with_seed(bytes, seed)
}

/// What the default secret adds to the first and the last 8 bytes of a short string.
const FLIP_FIRST: u64 = 0x1f67_b3b7_a4a4_4072 ^ 0x78e5_c0cc_4ee6_79cb;
const FLIP_LAST: u64 = 0x2172_ffcc_7dd0_5a82 ^ 0x8e24_43f7_7446_08b8;
const MIX: u64 = 0x1656_6791_9e37_79f9;

/// Hashes windows of one length, 9 to 16 bytes, of a longer string; seed 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Short<'b> {
    bytes: &'b [u8],
    len: usize,
}

impl<'b> Short<'b> {
    /// None if `len` is not 9..=16.
    pub(crate) fn new(bytes: &'b [u8], len: usize) -> Option<Self> {
        (9..=16).contains(&len).then_some(Short { bytes, len })
    }

    /// The low 32 bits of the 64-bit hash of the window at `at`.
    ///
    /// # Safety
    /// `at + len` is at most the length of the bytes.
    #[inline(always)]
    pub(crate) unsafe fn low32(&self, at: usize) -> u32 {
        let read = |at: usize| {
            debug_assert!(at + 8 <= self.bytes.len());
            // SAFETY: by the caller's promise, and since a window has at least 9 bytes.
            u64::from_le_bytes(unsafe { self.bytes.as_ptr().add(at).cast::<[u8; 8]>().read_unaligned() })
        };
        let first = read(at) ^ FLIP_FIRST;
        let last = read(at + self.len - 8) ^ FLIP_LAST;
        let product = u128::from(first) * u128::from(last);
        let sum = (self.len as u64)
            .wrapping_add(first.swap_bytes())
            .wrapping_add(last)
            .wrapping_add(product as u64 ^ (product >> 64) as u64);
        let mixed = (sum ^ (sum >> 37)).wrapping_mul(MIX);
        (mixed ^ (mixed >> 32)) as u32
    }
}

/// What hashes eight windows in a row.
#[cfg(target_arch = "x86_64")]
mod eight {
    use super::{FLIP_FIRST, FLIP_LAST, MIX, Short};
    use std::arch::x86_64::*;

    impl Short<'_> {
        /// [`Short::low32`] of the eight windows from `at` on; `None` where the bytes end too soon to be read in vectors.
        #[target_feature(enable = "avx2")]
        #[inline]
        pub(crate) fn low32_of_eight(&self, at: usize) -> Option<__m256i> {
            let last = at + self.len - 8;
            // Two vectors of 16 bytes from each of the two places, 4 apart.
            if last + 4 + 16 > self.bytes.len() {
                return None;
            }
            let load = |at: usize| {
                // SAFETY: 16 bytes from there on lie within the bytes, as just asked; the load asks for no alignment.
                let sixteen = unsafe { _mm_loadu_si128(self.bytes.as_ptr().add(at).cast()) };
                _mm256_broadcastsi128_si256(sixteen)
            };
            let low = self.low32_of_four(load(at), load(last));
            let high = self.low32_of_four(load(at + 4), load(last + 4));
            // The lower halves of both; each half of the vectors is taken for itself.
            let halves =
                _mm256_shuffle_ps::<0b10_00_10_00>(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high));
            Some(_mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_castps_si256(halves)))
        }

        /// The hashes of four windows, of which the bytes from the first 8 and from the last 8 of the first window on are given
        /// twice: right in the lower half of each 64 bits.
        #[target_feature(enable = "avx2")]
        #[inline]
        fn low32_of_four(&self, first: __m256i, last: __m256i) -> __m256i {
            let set = |x: u64| _mm256_set1_epi64x(x as i64);
            let windows = _mm256_setr_epi8(
                0, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 8, 2, 3, 4, 5, 6, 7, 8, 9, 3, 4, 5, 6, 7, 8, 9,
                10,
            );
            let swapped = _mm256_setr_epi8(
                7, 6, 5, 4, 3, 2, 1, 0, 8, 7, 6, 5, 4, 3, 2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 10, 9, 8, 7, 6, 5, 4,
                3,
            );
            let swapped = _mm256_xor_si256(_mm256_shuffle_epi8(first, swapped), set(FLIP_FIRST.swap_bytes()));
            let first = _mm256_xor_si256(_mm256_shuffle_epi8(first, windows), set(FLIP_FIRST));
            let last = _mm256_xor_si256(_mm256_shuffle_epi8(last, windows), set(FLIP_LAST));
            let sum = _mm256_add_epi64(set(self.len as u64), swapped);
            let sum = _mm256_add_epi64(sum, _mm256_add_epi64(last, folded_product(first, last)));
            let mixed = _mm256_xor_si256(sum, _mm256_srli_epi64::<37>(sum));
            let low = _mm256_mul_epu32(mixed, set(MIX));
            let high = _mm256_add_epi64(
                _mm256_mul_epu32(_mm256_srli_epi64::<32>(mixed), set(MIX)),
                _mm256_mul_epu32(mixed, set(MIX >> 32)),
            );
            // The lower half of the product, and its upper half in the lower half's place.
            let upper = _mm256_add_epi64(high, _mm256_srli_epi64::<32>(low));
            _mm256_xor_si256(low, upper)
        }
    }

    /// The lower 64 bits of each product, and the upper ones, one over the other.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn folded_product(a: __m256i, b: __m256i) -> __m256i {
        let half = _mm256_set1_epi64x(0xffff_ffff);
        let (a_high, b_high) = (_mm256_srli_epi64::<32>(a), _mm256_srli_epi64::<32>(b));
        let low = _mm256_mul_epu32(a, b);
        // Neither of the sums passes 64 bits.
        let left = _mm256_add_epi64(_mm256_mul_epu32(a_high, b), _mm256_srli_epi64::<32>(low));
        let right = _mm256_add_epi64(_mm256_mul_epu32(a, b_high), _mm256_and_si256(left, half));
        let upper = _mm256_add_epi64(_mm256_mul_epu32(a_high, b_high), _mm256_srli_epi64::<32>(left));
        let upper = _mm256_add_epi64(upper, _mm256_srli_epi64::<32>(right));
        let lower = _mm256_or_si256(_mm256_slli_epi64::<32>(right), _mm256_and_si256(low, half));
        _mm256_xor_si256(lower, upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_reference_s_hashes_of_known_strings() {
        // Printed by the reference implementation (python-xxhash).
        assert_eq!(hash64(b"", 1), 0x4dc5_b0cc_826f_6703);
        assert_eq!(hash64(b"a", 0), 0xe6c6_32b6_1e96_4e1f);
        assert_eq!(hash128(b"a", 0), 0xa96f_af70_5af1_6834_e6c6_32b6_1e96_4e1f);
    }

    #[test]
    fn other_lengths_are_none_of_short_windows() {
        for len in [0, 8, 17, 1000] {
            assert!(Short::new(&[0; 1000], len).is_none());
        }
    }

    proptest! {
        #[test]
        fn short_windows_have_the_hash_of_any_string(bytes in prop::collection::vec(any::<u8>(), 16..80), len in 9..=16_usize) {
            let short = Short::new(&bytes, len).unwrap();
            for at in 0..=bytes.len() - len {
                // SAFETY: the window ends within the bytes.
                let got = unsafe { short.low32(at) };
                prop_assert_eq!(got, hash64(&bytes[at..at + len], 0) as u32);
            }
        }

        #[cfg(target_arch = "x86_64")]
        #[test]
        fn eight_windows_have_the_hashes_of_each(bytes in prop::collection::vec(any::<u8>(), 16..80), len in 9..=16_usize) {
            if !crate::cpu::Cpu::detected().avx2 {
                return Ok(());
            }
            let short = Short::new(&bytes, len).unwrap();
            for at in 0..=bytes.len() - len {
                // SAFETY: the processor has the instructions, as just asked, and a vector is eight numbers.
                let Some(got) = (unsafe { short.low32_of_eight(at).map(|x| std::mem::transmute::<_, [u32; 8]>(x)) }) else {
                    prop_assert!(at + len + 12 > bytes.len());
                    continue;
                };
                for (i, got) in got.into_iter().enumerate() {
                    prop_assert_eq!(got, hash64(&bytes[at + i..at + i + len], 0) as u32);
                }
            }
        }
    }
}
