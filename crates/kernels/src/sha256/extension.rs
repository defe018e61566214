//! SHA-256 by the instructions made for it: a block is bound by their latency (about 130 cycles), so messages that
//! are there at the same time go through interleaved.

use super::{Blocks, Digests, K, LANES, START, Words};
use std::arch::x86_64::*;

/// Messages that go through interleaved.
const STREAMS: usize = 4;

/// Digests of the first `n` messages (and perhaps of some behind them).
///
/// # Safety
/// The processor has the SHA extension, SSSE3 and SSE4.1.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
pub unsafe fn one_block_each(blocks: &Blocks, n: usize, digests: &mut Digests) {
    for first in (0..n.min(LANES)).step_by(STREAMS) {
        let states: &mut [Words; STREAMS] =
            digests[first..first + STREAMS].first_chunk_mut().expect("as many");
        *states = [START; STREAMS];
        compress(states, std::array::from_fn(|stream| &blocks.blocks[first + stream]));
    }
}

/// One block of one message.
///
/// # Safety
/// The processor has the SHA extension, SSSE3 and SSE4.1.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
pub unsafe fn one(state: &mut Words, block: &[u8; 64]) {
    let mut states = [*state];
    compress(&mut states, [block]);
    *state = states[0];
}

/// A block each of `N` messages.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn compress<const N: usize>(states: &mut [Words; N], blocks: [&[u8; 64]; N]) {
    let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    let mut w = [[_mm_setzero_si128(); 4]; N];
    let mut abef = [_mm_setzero_si128(); N];
    let mut cdgh = abef;
    for n in 0..N {
        w[n] = std::array::from_fn(|i| {
            // SAFETY: bytes 16 i .. 16 i + 16 of a block of 64.
            let bytes = unsafe { _mm_loadu_si128(blocks[n].as_ptr().add(16 * i).cast()) };
            _mm_shuffle_epi8(bytes, order)
        });
        let [a, b, c, d, e, f, g, h] = states[n].map(|word| word as i32);
        abef[n] = _mm_set_epi32(a, b, e, f);
        cdgh[n] = _mm_set_epi32(c, d, g, h);
    }
    let start = (abef, cdgh);
    for four in 0..16 {
        // SAFETY: four of the 64 constants, from a multiple of four on.
        let k = unsafe { _mm_loadu_si128(K.as_ptr().add(4 * four).cast()) };
        for n in 0..N {
            let at = four % 4;
            if four >= 4 {
                let [w0, w1, w2, w3] = std::array::from_fn(|i| w[n][(at + i) % 4]);
                let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
                w[n][at] = _mm_sha256msg2_epu32(sum, w3);
            }
            let wk = _mm_add_epi32(w[n][at], k);
            cdgh[n] = _mm_sha256rnds2_epu32(cdgh[n], abef[n], wk);
            abef[n] = _mm_sha256rnds2_epu32(abef[n], cdgh[n], _mm_shuffle_epi32::<0x0e>(wk));
        }
    }
    for n in 0..N {
        let abef = _mm_add_epi32(abef[n], start.0[n]);
        let cdgh = _mm_add_epi32(cdgh[n], start.1[n]);
        let ab_cd = _mm_unpackhi_epi64(abef, cdgh);
        let ef_gh = _mm_unpacklo_epi64(abef, cdgh);
        // SAFETY: two halves of a state of eight words.
        unsafe {
            let out: *mut __m128i = states[n].as_mut_ptr().cast();
            _mm_storeu_si128(out, _mm_shuffle_epi32::<0xb1>(ab_cd));
            _mm_storeu_si128(out.add(1), _mm_shuffle_epi32::<0xb1>(ef_gh));
        }
    }
}
