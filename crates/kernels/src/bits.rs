//! Masks packed into bits: item i is bit i mod 8, least significant first, of byte i / 8; bits behind the last item are 0.
//!
//! Items are taken 64 at a time. O(n), a pass over what is packed.

use crate::cpu::Cpu;
use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::tasks;

/// Items of a word.
pub(crate) const WORD: usize = 64;

/// Bytes of `n` bits.
pub fn bytes_of(n: usize) -> usize {
    n.div_ceil(8)
}

/// Packs a mask: what is not 0 is a 1. Runs in parallel.
///
/// # Panics
/// If `bits` has not [`bytes_of`] the mask's length.
///
/// ```
/// use tamis_kernels::{bits::pack, job::Job};
/// let mut bits = [0; 2];
/// pack(&[1, 0, 1, 0, 0, 0, 0, 0, 1], &mut bits, &Job::default()).unwrap();
/// assert_eq!(bits, [5, 1]);
/// ```
pub fn pack(mask: &[u8], bits: &mut [u8], job: &Job) -> Result<(), Aborted> {
    assert_eq!(bits.len(), bytes_of(mask.len()), "bits must hold one for each item");
    tasks::fill(bits, 8, job, |start, bits| {
        for (byte, eight) in bits.iter_mut().zip(mask[start..].chunks(8)) {
            *byte = eight.iter().zip(0..).fold(0, |byte, (&item, i)| byte | u8::from(item != 0) << i);
        }
    })?;
    Ok(())
}

/// The mask of 0 and 1 that was packed. Runs in parallel.
///
/// # Panics
/// If `bits` has not [`bytes_of`] the mask's length.
pub fn unpack(bits: &[u8], mask: &mut [u8], job: &Job) -> Result<(), Aborted> {
    assert_eq!(bits.len(), bytes_of(mask.len()), "bits must hold one for each item");
    tasks::fill(mask, 1, job, |start, mask| {
        for (eight, byte) in mask.chunks_mut(8).zip(&bits[start / 8..]) {
            eight.iter_mut().zip(0..).for_each(|(item, i)| *item = byte >> i & 1);
        }
    })?;
    Ok(())
}

/// All bits, 64 at a time; zeros behind the last.
#[inline(always)]
pub(crate) fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (whole, rest) = bytes.as_chunks::<8>();
    let last = (!rest.is_empty()).then(|| word_at(rest, 0, WORD));
    whole.iter().map(|word| u64::from_le_bytes(*word)).chain(last)
}

/// The up to 64 bits from bit `at` on.
#[inline(always)]
pub(crate) fn word_at(bytes: &[u8], at: usize, length: usize) -> u64 {
    let (first, shift) = (at / 8, at % 8);
    let mut low = [0; 8];
    let there = (bytes.len() - first).min(8);
    low[..there].copy_from_slice(&bytes[first..first + there]);
    let mut word = u64::from_le_bytes(low) >> shift;
    if shift > 0 && first + 8 < bytes.len() {
        word |= u64::from(bytes[first + 8]) << (64 - shift);
    }
    if length < WORD { word & ((1 << length) - 1) } else { word }
}

/// Of up to 64 items, which have at least the rank `least`, and which are negative.
#[inline(always)]
pub(crate) fn magnitude_masks<T: Real>(x: &[T], least: u64, cpu: Cpu) -> (u64, u64) {
    match x.as_array::<WORD>() {
        Some(x) => T::magnitude_masks(x, least, cpu),
        None => portable_magnitude_masks(x, least),
    }
}

#[inline(always)]
pub(crate) fn portable_magnitude_masks<T: Real>(x: &[T], least: u64) -> (u64, u64) {
    let (mut kept, mut negative) = (0, 0);
    for (i, x) in x.iter().enumerate() {
        kept |= u64::from(x.magnitude() >= least) << i;
        negative |= u64::from(*x < T::default()) << i;
    }
    (kept, negative)
}

/// [`magnitude_masks`] with 512-bit vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub(crate) fn magnitude_masks_avx512(x: &[f32; WORD], least: u32) -> (u64, u64) {
    use std::arch::x86_64::*;
    let magnitude = _mm512_set1_epi32(i32::MAX);
    let bound = _mm512_set1_epi32(least as i32);
    let (mut kept, mut negative) = (0, 0);
    for (i, sixteen) in x.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: sixteen floats are 64 readable bytes; the load asks for no alignment.
        let bits = unsafe { _mm512_loadu_si512(sixteen.as_ptr().cast()) };
        let at_least = _mm512_cmpge_epu32_mask(_mm512_and_si512(bits, magnitude), bound);
        let below_zero = _mm512_cmplt_epi32_mask(bits, _mm512_setzero_si512());
        kept |= u64::from(at_least) << (16 * i);
        negative |= u64::from(below_zero) << (16 * i);
    }
    (kept, negative)
}

/// [`magnitude_masks`] with 256-bit vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn magnitude_masks_avx2(x: &[f32; WORD], least: u32) -> (u64, u64) {
    use std::arch::x86_64::*;
    let magnitude = _mm256_set1_epi32(i32::MAX);
    // Ranks fit 31 bits: signed comparing is right, and "at least" is "above one less".
    let below = _mm256_set1_epi32((least as i32).wrapping_sub(1));
    let (mut kept, mut negative) = (0, 0);
    for (i, four) in x.as_chunks::<32>().0.iter().enumerate() {
        let mut bits = [_mm256_setzero_si256(); 4];
        for (bits, eight) in bits.iter_mut().zip(four.as_chunks::<8>().0) {
            // SAFETY: eight floats are 32 readable bytes; the load asks for no alignment.
            *bits = unsafe { _mm256_loadu_si256(eight.as_ptr().cast()) };
        }
        let at_least = bits.map(|bits| _mm256_cmpgt_epi32(_mm256_and_si256(bits, magnitude), below));
        kept |= u64::from(signs_avx2(at_least)) << (32 * i);
        negative |= u64::from(signs_avx2(bits)) << (32 * i);
    }
    (kept, negative)
}

/// The highest bit of each of 32 integers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn signs_avx2([a, b, c, d]: [std::arch::x86_64::__m256i; 4]) -> u32 {
    use std::arch::x86_64::*;
    // Narrowed with saturation, which keeps the sign; each half of the vectors is narrowed for itself.
    let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    let in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_movemask_epi8(_mm256_permutevar8x32_epi32(bytes, in_order)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(mask in proptest::collection::vec(0u8..2, 0..300), at in 0usize..200) {
            let mut bits = vec![0xff; bytes_of(mask.len())];
            pack(&mask, &mut bits, &Job::default()).unwrap();
            let mut back = vec![7; mask.len()];
            unpack(&bits, &mut back, &Job::default()).unwrap();
            prop_assert_eq!(&back, &mask);
            if at < mask.len() {
                let length = (mask.len() - at).min(64);
                let word = word_at(&bits, at, length);
                for i in 0..64 {
                    prop_assert_eq!(word >> i & 1, if i < length { u64::from(mask[at + i]) } else { 0 });
                }
            }
        }

        #[test]
        fn words_of_every_instruction_set_agree(
            x in proptest::collection::vec(prop_oneof![-2.0..2.0f32, Just(-0.0), Just(0.0)], 64),
            least in prop_oneof![Just(0u64), Just(1), any::<u32>().prop_map(|bits| u64::from(bits >> 1))],
        ) {
            let (kept, negative) = portable_magnitude_masks(&x, least);
            for cpu in Cpu::choices() {
                let (got, signs) = magnitude_masks(&x, least, cpu);
                // Of a zero only the rank counts.
                let zeros = !portable_magnitude_masks(&x, 1).0;
                prop_assert_eq!((got, signs & !zeros), (kept, negative & !zeros));
            }
        }
    }

    #[test]
    fn long_masks_are_packed_in_parallel() {
        let mask: Vec<u8> = (0..3 * tasks::TASK + 13).map(|i| u8::from(i % 3 == 0)).collect();
        let mut bits = vec![0; bytes_of(mask.len())];
        pack(&mask, &mut bits, &Job::default()).unwrap();
        assert!(mask.iter().enumerate().all(|(i, &item)| bits[i / 8] >> (i % 8) & 1 == item));
        let mut back = vec![7; mask.len()];
        unpack(&bits, &mut back, &Job::default()).unwrap();
        assert!(back == mask);
    }
}
