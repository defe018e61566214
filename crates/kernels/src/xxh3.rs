//! XXH3 (Yann Collet's xxHash, format of version 0.8): 64 and 128 bits of any bytes.
//!
//! `bytes, seed -> hash`, the same on every machine. Texts go through the `xxhash-rust` crate, at several GB/s. Strings
//! of 9 to 16 bytes, which shingles of 13 ASCII characters are, have [`Short`]: two loads, one wide product and one
//! narrow one, cheap enough to be hashed beside other work.

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
    }
}
