//! Codes of a few bits each, packed into bytes that lie segment by segment.
//!
//! The codes of a row are one string of bits, dimension by dimension, most significant bit first, padded with zeros to
//! whole bytes. Byte s of all rows is contiguous (`[segments, n]`), so that what one dimension needs of many rows is
//! read in one go. A code may straddle two bytes; a dimension without bits takes no room.

use rayon::prelude::*;

/// Rows of a task.
const TASK: usize = 4096;

/// Where each dimension's bits lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    bits: Vec<u8>,
    /// The first bit of each dimension.
    starts: Vec<usize>,
    /// Bytes of a row.
    pub segments: usize,
}

/// A code that has more bits than its dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFit {
    pub row: usize,
    pub dimension: usize,
    pub code: u8,
    pub bits: u8,
}

impl Layout {
    /// Of dimensions with these bits, at most 8 each.
    pub fn new(bits: &[u8]) -> Self {
        assert!(bits.iter().all(|&bits| bits <= 8), "a code has at most 8 bits");
        let mut total = 0;
        let starts = bits.iter().map(|&bits| {
            total += usize::from(bits);
            total - usize::from(bits)
        });
        let starts = starts.collect();
        Layout { bits: bits.to_vec(), starts, segments: total.div_ceil(8) }
    }

    /// Bits of each dimension.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The first byte of a dimension, and how far its code is from the right in that byte and the next.
    fn place(&self, dimension: usize) -> (usize, usize) {
        let start = self.starts[dimension];
        (start / 8, 16 - start % 8 - usize::from(self.bits[dimension]))
    }

    /// Gives the code of a dimension for each of `rows`, `n` rows being packed in `segments`.
    #[inline(always)]
    pub fn codes(
        &self,
        segments: &[u8],
        n: usize,
        dimension: usize,
        rows: impl Iterator<Item = usize>,
        mut give: impl FnMut(usize),
    ) {
        let bits = self.bits[dimension];
        if bits == 0 {
            return rows.for_each(|_| give(0));
        }
        let (segment, shift) = self.place(dimension);
        let mask = (1usize << bits) - 1;
        let high = &segments[segment * n..][..n];
        if shift >= 8 {
            return rows.for_each(|row| give(usize::from(high[row]) >> (shift - 8) & mask));
        }
        let low = &segments[(segment + 1) * n..][..n];
        rows.for_each(|row| give((usize::from(high[row]) << 8 | usize::from(low[row])) >> shift & mask));
    }
}

/// Packs codes `[n, d]`: `[segments, n]`. O(n d), in parallel.
///
/// # Errors
/// The first code that does not fit its bits.
///
/// ```
/// use tamis_kernels::codes::{pack, unpack, Layout};
/// let layout = Layout::new(&[3, 6]);
/// let segments = pack(&[5, 33, 1, 2], &layout).unwrap();
/// assert_eq!(segments, [0b101_10000, 0b001_00001, 0b1000_0000, 0]);
/// assert_eq!(unpack(&segments, 2, &layout), [5, 33, 1, 2]);
/// ```
pub fn pack(codes: &[u8], layout: &Layout) -> Result<Vec<u8>, NoFit> {
    let width = layout.bits.len();
    let n = codes.len().checked_div(width).unwrap_or(0);
    assert_eq!(codes.len(), n * width, "codes must have rows of one width");
    let exceeds = |&(at, &code): &(usize, &u8)| u32::from(code) >> layout.bits[at % width] > 0;
    let too_large = codes.iter().enumerate().find(exceeds);
    if let Some((at, &code)) = too_large {
        let dimension = at % width;
        return Err(NoFit { row: at / width, dimension, code, bits: layout.bits[dimension] });
    }
    let mut segments = vec![0; layout.segments * n];
    if n == 0 {
        return Ok(segments);
    }
    segments.par_chunks_mut(n).enumerate().for_each(|(segment, bytes)| {
        for dimension in 0..width {
            let (first, shift) = layout.place(dimension);
            // The code's part in this byte: the high one of the two that it may lie in, or the low one.
            let right = match segment.checked_sub(first) {
                Some(0) => 8,
                Some(1) => 0,
                _ => continue,
            };
            for (byte, codes) in bytes.iter_mut().zip(codes.chunks_exact(width)) {
                *byte |= (usize::from(codes[dimension]) << shift >> right) as u8;
            }
        }
    });
    Ok(segments)
}

/// The codes `[n, d]` of `[segments, n]`. O(n d), in parallel.
pub fn unpack(segments: &[u8], n: usize, layout: &Layout) -> Vec<u8> {
    assert_eq!(segments.len(), layout.segments * n, "segments must hold a byte of each row");
    let width = layout.bits.len();
    let mut codes = vec![0; n * width];
    if codes.is_empty() {
        return codes;
    }
    codes.par_chunks_mut(TASK * width).enumerate().for_each(|(task, codes)| {
        let first = task * TASK;
        let rows = codes.len() / width;
        for dimension in 0..width {
            let mut at = dimension;
            layout.codes(segments, n, dimension, first..first + rows, |code| {
                codes[at] = code as u8;
                at += width;
            });
        }
    });
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, bit by bit.
    fn naive(codes: &[u8], bits: &[u8]) -> Vec<u8> {
        let n = codes.len() / bits.len();
        let strings: Vec<Vec<u8>> = codes
            .chunks(bits.len())
            .map(|row| {
                let bit = |(&code, &bits): (&u8, &u8)| {
                    (0..bits).rev().map(move |b| code >> b & 1).collect::<Vec<_>>()
                };
                row.iter().zip(bits).flat_map(bit).collect()
            })
            .collect();
        let segments = bits.iter().map(|&b| usize::from(b)).sum::<usize>().div_ceil(8);
        let byte = |s: usize, i: usize| {
            (0..8).fold(0, |byte, b| byte << 1 | strings[i].get(8 * s + b).copied().unwrap_or(0))
        };
        (0..segments).flat_map(|s| (0..n).map(move |i| (s, i))).map(|(s, i)| byte(s, i)).collect()
    }

    #[test]
    fn a_code_that_does_not_fit_is_named() {
        let error = pack(&[1, 0, 3, 8], &Layout::new(&[2, 3])).unwrap_err();
        assert_eq!(error, NoFit { row: 1, dimension: 1, code: 8, bits: 3 });
        assert!(pack(&[1], &Layout::new(&[0])).is_err());
        assert_eq!(pack(&[0, 255], &Layout::new(&[0, 8])), Ok(vec![255]));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let layout = Layout::new(&[5, 3, 7, 1, 0, 6]);
        let codes: Vec<u8> =
            (0..6 * (3 * TASK + 11)).map(|i| ((i * 7919) % (1 << layout.bits[i % 6])) as u8).collect();
        for threads in [1, 2, 7] {
            let pool = crate::threads::Budget::of(threads);
            pool.install(|| {
                let segments = pack(&codes, &layout).unwrap();
                assert!(segments == naive(&codes, &layout.bits));
                assert!(unpack(&segments, codes.len() / 6, &layout) == codes);
            });
        }
    }

    proptest! {
        #[test]
        fn packing_is_the_string_of_bits_and_back(
            bits in prop::collection::vec(0u8..9, 1..20), seed: u64, n in 0usize..20
        ) {
            let layout = Layout::new(&bits);
            let code = |i: usize| ((seed.wrapping_mul(i as u64 + 1) >> 13) % (1 << bits[i % bits.len()])) as u8;
            let codes: Vec<u8> = (0..n * bits.len()).map(code).collect();
            let segments = pack(&codes, &layout).unwrap();
            prop_assert_eq!(&segments, &naive(&codes, &bits));
            prop_assert_eq!(unpack(&segments, n, &layout), codes);
        }
    }
}
