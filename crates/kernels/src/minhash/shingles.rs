//! Where the shingles of a clean text are, and their hashes.

use crate::xxh3::{Short, hash64};

/// The finaliser of MurmurHash3 for 32 bits.
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// Bytes of ASCII in a row whose shingles are windows even where other characters are about.
const RUN: usize = 64;

/// Shingles of a part of a text, numbered; there is at least one.
pub enum Shingles<'b> {
    Windows(Windows<'b>),
    Spans(Spans<'b>),
}

impl Shingles<'_> {
    pub fn count(&self) -> usize {
        match self {
            Shingles::Windows(windows) => windows.last + 1,
            Shingles::Spans(spans) => spans.starts.len() - spans.width,
        }
    }
}

/// Gives every run of `width` characters of UTF-8 to `visit`, part by part. `starts` is scratch memory.
pub fn for_each_part(bytes: &[u8], width: usize, starts: &mut Vec<usize>, mut visit: impl FnMut(&Shingles)) {
    let mut visit_spans = |bytes: &[u8], visit: &mut dyn FnMut(&Shingles)| {
        let begins = |&(_, &byte): &(usize, &u8)| byte & 0xc0 != 0x80;
        starts.clear();
        starts.extend(bytes.iter().enumerate().filter(begins).map(|(at, _)| at));
        starts.push(bytes.len());
        if starts.len() > width {
            visit(&Shingles::Spans(Spans { bytes, starts, width }));
        }
    };
    // Shingles that begin in front of it were given.
    let mut due = 0;
    let mut at = 0;
    while at < bytes.len() {
        let end = at + ascii_prefix(&bytes[at..]);
        let is_long = end - at >= RUN.max(width) || (end - at == bytes.len() && end >= width);
        if is_long && let Some(short) = Short::new(&bytes[at..end], width) {
            if due < at {
                visit_spans(&bytes[due..at + width - 1], &mut visit);
            }
            visit(&Shingles::Windows(Windows { short, last: end - at - width }));
            due = end - (width - 1);
        }
        at = bytes[end..].iter().position(u8::is_ascii).map_or(bytes.len(), |others| end + others);
    }
    if bytes.len() - due >= width {
        visit_spans(&bytes[due..], &mut visit);
    }
}

/// How many bytes lie in front of the first that is no ASCII.
fn ascii_prefix(bytes: &[u8]) -> usize {
    // By blocks, since a search that can end at every byte is slow.
    const BLOCK: usize = 64;
    let blocks = bytes.as_chunks::<BLOCK>().0;
    let ascii = blocks.iter().position(|block| !block.is_ascii()).unwrap_or(blocks.len()) * BLOCK;
    let rest = bytes[ascii..].iter().position(|byte| !byte.is_ascii());
    rest.map_or(bytes.len(), |more| ascii + more)
}

/// Shingles of 9 to 16 bytes, one at every byte: those of ASCII.
#[derive(Clone, Copy)]
pub struct Windows<'b> {
    short: Short<'b>,
    last: usize,
}

impl Windows<'_> {
    /// The mixed hash of shingle `i`, or of the last if there are not so many.
    #[inline(always)]
    pub fn hash(&self, i: usize) -> u32 {
        // SAFETY: the last window ends within the bytes.
        mix(unsafe { self.short.low32(i.min(self.last)) })
    }

    /// Writes the mixed hashes of the shingles from `first` on, eight at a time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    pub fn hash_avx2(&self, first: usize, hashes: &mut [u32]) {
        use std::arch::x86_64::_mm256_storeu_si256;
        let mut at = first;
        let (eights, rest) = hashes.as_chunks_mut::<8>();
        for eight in eights {
            match self.short.low32_of_eight(at) {
                // SAFETY: 32 writable bytes; the store asks for no alignment.
                Some(low) => unsafe { _mm256_storeu_si256(eight.as_mut_ptr().cast(), mix_avx2(low)) },
                None => eight.iter_mut().zip(at..).for_each(|(hash, i)| *hash = self.hash(i)),
            }
            at += 8;
        }
        rest.iter_mut().zip(at..).for_each(|(hash, i)| *hash = self.hash(i));
    }
}

/// [`mix`] of eight.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn mix_avx2(x: std::arch::x86_64::__m256i) -> std::arch::x86_64::__m256i {
    use std::arch::x86_64::*;
    let x = _mm256_xor_si256(x, _mm256_srli_epi32::<16>(x));
    let x = _mm256_mullo_epi32(x, _mm256_set1_epi32(0x85eb_ca6bu32 as i32));
    let x = _mm256_xor_si256(x, _mm256_srli_epi32::<13>(x));
    let x = _mm256_mullo_epi32(x, _mm256_set1_epi32(0xc2b2_ae35u32 as i32));
    _mm256_xor_si256(x, _mm256_srli_epi32::<16>(x))
}

/// Shingles of any length, of characters that begin at known places.
pub struct Spans<'b> {
    bytes: &'b [u8],
    /// The start of each character, and the end of the last.
    starts: &'b [usize],
    /// Characters of a shingle.
    width: usize,
}

impl Spans<'_> {
    /// Writes the mixed hashes of the shingles `first..`.
    pub fn hash(&self, first: usize, hashes: &mut [u32]) {
        let ends = &self.starts[first + self.width..];
        for ((&start, &end), hash) in self.starts[first..].iter().zip(ends).zip(hashes) {
            let low32 = match Short::new(self.bytes, end - start) {
                // SAFETY: a shingle ends within the bytes.
                Some(short) => unsafe { short.low32(start) },
                None => hash64(&self.bytes[start..end], 0) as u32,
            };
            *hash = mix(low32);
        }
    }
}
