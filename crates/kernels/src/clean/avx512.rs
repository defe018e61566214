//! ASCII in blocks of 64 bytes by AVX-512: classes are masks, and what is kept is compressed.

use super::Cleaned;
use crate::cpu::Cpu;
use std::arch::x86_64::*;

/// The way over blocks, if `cpu` and the processor have what it takes.
pub fn available(cpu: Cpu) -> Option<fn(&mut Cleaned, &[u8]) -> usize> {
    let able = cpu.avx512 && is_x86_feature_detected!("avx512vbmi2");
    // SAFETY: the processor has the instructions, as just asked.
    able.then_some(|cleaned, bytes| unsafe { ascii(cleaned, bytes) })
}

/// As [`Cleaned::ascii`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
fn ascii(cleaned: &mut Cleaned, bytes: &[u8]) -> usize {
    let (mut done, mut used) = (0, cleaned.used);
    // Bit 0: white space may not be kept next.
    let mut after_space = u64::from(cleaned.after_space);
    let result = loop {
        let block = &bytes[done..];
        let present = if block.len() < 64 { (1u64 << block.len()) - 1 } else { !0 };
        // SAFETY: only the bytes that are present are read.
        let loaded = unsafe { _mm512_maskz_loadu_epi8(present, block.as_ptr().cast()) };
        let beyond = _mm512_movepi8_mask(loaded);
        // The bytes in front of the first that is no ASCII.
        let valid = present & (beyond.wrapping_sub(1) & !beyond);
        let upper = in_range(loaded, b'A', 26);
        let lower = to_lower(loaded, upper);
        let letters = in_range(lower, b'a', 26);
        let digits = in_range(loaded, b'0', 10);
        let punctuation = in_range(loaded, b'!', 94) & !letters & !digits;
        let spaces = in_range(loaded, 0x09, 5) | in_range(loaded, 0x1c, 5);

        // Among the bytes that are not deleted, white space is dropped behind white space.
        let stays = valid & !punctuation;
        let spaces = _pext_u64(spaces, stays);
        let count = stays.count_ones();
        let dropped = spaces & (spaces << 1 | after_space);
        let kept = _pdep_u64(!dropped, stays);
        if count > 0 {
            after_space = spaces >> (count - 1) & 1;
        }
        // Every white space that is kept is a U+0020.
        let bytes = _mm512_mask_blend_epi8(_pdep_u64(spaces, stays), lower, _mm512_set1_epi8(b' ' as i8));
        let packed = _mm512_maskz_compress_epi8(kept, bytes);
        if cleaned.out.len() < used + 64 {
            cleaned.used = used;
            cleaned.reserve(bytes_left(block.len()));
        }
        // SAFETY: 64 bytes behind `used` are there.
        unsafe { _mm512_storeu_si512(cleaned.out.as_mut_ptr().add(used).cast(), packed) };
        used += kept.count_ones() as usize;
        let taken = valid.count_ones() as usize;
        done += taken;
        if taken < 64 {
            break done;
        }
    };
    cleaned.used = used;
    cleaned.after_space = after_space != 0;
    result
}

/// Room for what is left of a text, of which a block is always written whole.
fn bytes_left(len: usize) -> usize {
    len.max(64)
}

/// The bytes that are `first` or up to `count - 1` above it.
#[target_feature(enable = "avx512f,avx512bw")]
fn in_range(bytes: __m512i, first: u8, count: u8) -> u64 {
    let offset = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
    _mm512_cmplt_epu8_mask(offset, _mm512_set1_epi8(count as i8))
}

/// The letters of the mask in lower case.
#[target_feature(enable = "avx512f,avx512bw")]
fn to_lower(bytes: __m512i, mask: u64) -> __m512i {
    _mm512_mask_add_epi8(bytes, mask, bytes, _mm512_set1_epi8(0x20))
}
