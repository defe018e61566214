//! Classes of the characters of 64 bytes at a time, and their lower case.

/// Bytes of a block.
pub const BLOCK: usize = 64;

/// Bit i stands for byte i of the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Masks {
    /// Letters, digits and `_` of ASCII.
    pub word: u64,
    /// White space of ASCII.
    pub space: u64,
    /// Bytes of characters beyond ASCII; they are in neither of the others.
    pub wide: u64,
}

/// A way to classify blocks.
pub trait Classify: Copy {
    /// Classifies the 64 bytes from `from` on and writes them to `to`, ASCII letters in lower case.
    ///
    /// # Safety
    /// 64 bytes can be read from `from` and written to `to`, and the processor has the instructions of this way.
    unsafe fn classify(self, from: *const u8, to: *mut u8) -> Masks;
}

/// By a table, for any processor.
#[derive(Clone, Copy)]
pub struct Portable;

const WORD: u8 = 1;
const SPACE: u8 = 2;
const WIDE: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        classes[i] = if byte.is_ascii_alphanumeric() || byte == b'_' {
            WORD
        } else if byte == b' ' || (byte >= 9 && byte <= 13) || (byte >= 28 && byte <= 31) {
            SPACE
        } else if byte >= 128 {
            WIDE
        } else {
            0
        };
        i += 1;
    }
    classes
};

impl Classify for Portable {
    #[inline(always)]
    unsafe fn classify(self, from: *const u8, to: *mut u8) -> Masks {
        // SAFETY: the caller promises 64 bytes on either side, and they do not overlap: one is a text, one a buffer.
        let (from, to) = unsafe { (&*from.cast::<[u8; BLOCK]>(), &mut *to.cast::<[u8; BLOCK]>()) };
        let mut masks = Masks { word: 0, space: 0, wide: 0 };
        for i in 0..BLOCK {
            let class = u64::from(CLASSES[usize::from(from[i])]);
            masks.word |= (class & 1) << i;
            masks.space |= (class >> 1 & 1) << i;
            masks.wide |= (class >> 2) << i;
            to[i] = from[i].to_ascii_lowercase();
        }
        masks
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Classify, Masks};
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub struct Avx2;

    impl Classify for Avx2 {
        #[inline(always)]
        unsafe fn classify(self, from: *const u8, to: *mut u8) -> Masks {
            // SAFETY: the caller promises AVX2 and 64 bytes on either side.
            unsafe {
                let (low, high) = (half(from, to), half(from.add(32), to.add(32)));
                Masks {
                    word: u64::from(low.0) | u64::from(high.0) << 32,
                    space: u64::from(low.1) | u64::from(high.1) << 32,
                    wide: u64::from(low.2) | u64::from(high.2) << 32,
                }
            }
        }
    }

    /// Word, space and wide of 32 bytes.
    ///
    /// # Safety
    /// As [`Classify::classify`], for 32 bytes.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn half(from: *const u8, to: *mut u8) -> (u32, u32, u32) {
        // SAFETY: the caller promises 32 bytes on either side.
        unsafe {
            let bytes = _mm256_loadu_si256(from.cast());
            let upper = within(bytes, b'A', 26);
            let lower = _mm256_or_si256(bytes, _mm256_and_si256(upper, _mm256_set1_epi8(0x20)));
            _mm256_storeu_si256(to.cast(), lower);
            let letter = within(lower, b'a', 26);
            let digit = _mm256_or_si256(
                within(bytes, b'0', 10),
                _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'_' as i8)),
            );
            let space = _mm256_or_si256(within(bytes, 0x09, 5), within(bytes, 0x1c, 5));
            (
                _mm256_movemask_epi8(_mm256_or_si256(letter, digit)) as u32,
                _mm256_movemask_epi8(space) as u32,
                _mm256_movemask_epi8(bytes) as u32,
            )
        }
    }

    /// Where bytes are of `first .. first + count`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn within(x: __m256i, first: u8, count: u8) -> __m256i {
        let place = _mm256_sub_epi8(x, _mm256_set1_epi8(first as i8));
        _mm256_cmpeq_epi8(_mm256_min_epu8(place, _mm256_set1_epi8(count as i8 - 1)), place)
    }

    #[derive(Clone, Copy)]
    pub struct Avx512;

    impl Classify for Avx512 {
        #[inline(always)]
        unsafe fn classify(self, from: *const u8, to: *mut u8) -> Masks {
            // SAFETY: the caller promises AVX-512 F and BW and 64 bytes on either side.
            unsafe {
                let all = |byte: u8| _mm512_set1_epi8(byte as i8);
                let within = |x: __m512i, first: u8, count: u8| {
                    _mm512_cmplt_epu8_mask(_mm512_sub_epi8(x, all(first)), all(count))
                };
                let bytes = _mm512_loadu_si512(from.cast());
                let upper = within(bytes, b'A', 26);
                let lower = _mm512_mask_add_epi8(bytes, upper, bytes, all(0x20));
                _mm512_storeu_si512(to.cast(), lower);
                let underscore = _mm512_cmpeq_epi8_mask(bytes, all(b'_'));
                Masks {
                    word: within(lower, b'a', 26) | within(bytes, b'0', 10) | underscore,
                    space: within(bytes, 0x09, 5) | within(bytes, 0x1c, 5),
                    wide: _mm512_movepi8_mask(bytes),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by<C: Classify>(way: C, bytes: &[u8; BLOCK]) -> (Masks, [u8; BLOCK]) {
        let mut lower = [0; BLOCK];
        // SAFETY: two arrays of 64 bytes; the callers ask for what the processor has.
        (unsafe { way.classify(bytes.as_ptr(), lower.as_mut_ptr()) }, lower)
    }

    proptest! {
        #[test]
        fn every_way_gives_the_classes_byte_by_byte(bytes in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let bytes: [u8; BLOCK] = bytes.try_into().unwrap();
            let mask = |is_in: fn(u8) -> bool| {
                bytes.iter().enumerate().fold(0, |mask, (i, &byte)| mask | u64::from(is_in(byte)) << i)
            };
            let want = Masks {
                word: mask(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
                space: mask(|byte| b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f ".contains(&byte)),
                wide: mask(|byte| !byte.is_ascii()),
            };
            let want = (want, bytes.map(|byte| byte.to_ascii_lowercase()));
            prop_assert_eq!(by(Portable, &bytes), want);
            #[cfg(target_arch = "x86_64")]
            {
                use crate::cpu::Cpu;
                if Cpu::detected().avx2 {
                    prop_assert_eq!(by(Avx2, &bytes), want);
                }
                if Cpu::detected().avx512 {
                    prop_assert_eq!(by(Avx512, &bytes), want);
                }
            }
        }
    }
}
