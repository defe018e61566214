//! SHA-256 of many one-block messages side by side: lane l of every vector belongs to message l.
//!
//! One body for vectors of 16 lanes (AVX-512), 8 (AVX2) and 1. The blocks are transposed in registers on the way in.

use super::{Blocks, Digests, K, START, Words};

/// A vector of 32-bit words.
trait Vector: Copy {
    fn splat(x: u32) -> Self;
    fn add(self, other: Self) -> Self;
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self;
    fn shift<const RIGHT: u32>(self) -> Self;
    fn xor3(self, b: Self, c: Self) -> Self;
    /// Bits of `b` where self is 1, of `c` elsewhere.
    fn choose(self, b: Self, c: Self) -> Self;
    fn majority(self, b: Self, c: Self) -> Self;
}

macro_rules! round {
    ($s:ident, $a:tt $b:tt $c:tt $d:tt $e:tt $f:tt $g:tt $h:tt, $kw:expr) => {
        let sum1 = $s[$e].rotate::<26, 6>().xor3($s[$e].rotate::<21, 11>(), $s[$e].rotate::<7, 25>());
        let t1 = $s[$h].add($kw).add(sum1).add($s[$e].choose($s[$f], $s[$g]));
        let sum0 = $s[$a].rotate::<30, 2>().xor3($s[$a].rotate::<19, 13>(), $s[$a].rotate::<10, 22>());
        $s[$d] = $s[$d].add(t1);
        $s[$h] = t1.add(sum0.add($s[$a].majority($s[$b], $s[$c])));
    };
}

/// The states behind the blocks whose words are `w`, `before` them.
#[inline(always)]
fn compress<V: Vector>(before: [V; 8], mut w: [V; 16]) -> [V; 8] {
    let mut s = before;
    for sixteen in 0..4 {
        let k = |i: usize| V::splat(K[sixteen * 16 + i]);
        round!(s, 0 1 2 3 4 5 6 7, w[0].add(k(0)));
        round!(s, 7 0 1 2 3 4 5 6, w[1].add(k(1)));
        round!(s, 6 7 0 1 2 3 4 5, w[2].add(k(2)));
        round!(s, 5 6 7 0 1 2 3 4, w[3].add(k(3)));
        round!(s, 4 5 6 7 0 1 2 3, w[4].add(k(4)));
        round!(s, 3 4 5 6 7 0 1 2, w[5].add(k(5)));
        round!(s, 2 3 4 5 6 7 0 1, w[6].add(k(6)));
        round!(s, 1 2 3 4 5 6 7 0, w[7].add(k(7)));
        round!(s, 0 1 2 3 4 5 6 7, w[8].add(k(8)));
        round!(s, 7 0 1 2 3 4 5 6, w[9].add(k(9)));
        round!(s, 6 7 0 1 2 3 4 5, w[10].add(k(10)));
        round!(s, 5 6 7 0 1 2 3 4, w[11].add(k(11)));
        round!(s, 4 5 6 7 0 1 2 3, w[12].add(k(12)));
        round!(s, 3 4 5 6 7 0 1 2, w[13].add(k(13)));
        round!(s, 2 3 4 5 6 7 0 1, w[14].add(k(14)));
        round!(s, 1 2 3 4 5 6 7 0, w[15].add(k(15)));
        if sixteen < 3 {
            for i in 0..16 {
                let (early, late) = (w[(i + 1) % 16], w[(i + 14) % 16]);
                let small0 = early.rotate::<25, 7>().xor3(early.rotate::<14, 18>(), early.shift::<3>());
                let small1 = late.rotate::<15, 17>().xor3(late.rotate::<13, 19>(), late.shift::<10>());
                w[i] = w[i].add(small0).add(w[(i + 9) % 16].add(small1));
            }
        }
    }
    std::array::from_fn(|i| s[i].add(before[i]))
}

/// One lane.
impl Vector for u32 {
    #[inline(always)]
    fn splat(x: u32) -> Self {
        x
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        self.rotate_right(RIGHT as u32)
    }
    #[inline(always)]
    fn shift<const RIGHT: u32>(self) -> Self {
        self >> RIGHT
    }
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self ^ b ^ c
    }
    #[inline(always)]
    fn choose(self, b: Self, c: Self) -> Self {
        ((b ^ c) & self) ^ c
    }
    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        (self & b) | ((self | b) & c)
    }
}

/// One block of one message.
pub fn one(state: &mut Words, block: &[u8; 64]) {
    let word =
        |i: usize| u32::from_be_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]]);
    *state = compress(*state, std::array::from_fn(word));
}

/// Digests of the first `n` messages.
pub fn portable(blocks: &Blocks, n: usize, digests: &mut Digests) {
    for (lane, block) in blocks.blocks[..n].iter().enumerate() {
        digests[lane] = START;
        one(&mut digests[lane], block);
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{avx2, avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::LANES;
    use super::{Blocks, Digests, START, Vector, compress};
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    struct Avx2(__m256i);

    // SAFETY of every block below: reached only from `avx2`, whose caller promises the instructions.
    impl Vector for Avx2 {
        #[inline(always)]
        fn splat(x: u32) -> Self {
            // SAFETY: see above.
            Avx2(unsafe { _mm256_set1_epi32(x as i32) })
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            // SAFETY: see above.
            Avx2(unsafe { _mm256_add_epi32(self.0, other.0) })
        }
        #[inline(always)]
        fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
            // SAFETY: see above.
            Avx2(unsafe {
                _mm256_or_si256(_mm256_slli_epi32::<LEFT>(self.0), _mm256_srli_epi32::<RIGHT>(self.0))
            })
        }
        #[inline(always)]
        fn shift<const RIGHT: u32>(self) -> Self {
            // SAFETY: see above.
            Avx2(unsafe { _mm256_srl_epi32(self.0, _mm_cvtsi32_si128(RIGHT as i32)) })
        }
        #[inline(always)]
        fn xor3(self, b: Self, c: Self) -> Self {
            // SAFETY: see above.
            Avx2(unsafe { _mm256_xor_si256(_mm256_xor_si256(self.0, b.0), c.0) })
        }
        #[inline(always)]
        fn choose(self, b: Self, c: Self) -> Self {
            // SAFETY: see above.
            Avx2(unsafe { _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(b.0, c.0), self.0), c.0) })
        }
        #[inline(always)]
        fn majority(self, b: Self, c: Self) -> Self {
            // SAFETY: see above.
            Avx2(unsafe {
                let either = _mm256_and_si256(_mm256_or_si256(self.0, b.0), c.0);
                _mm256_or_si256(_mm256_and_si256(self.0, b.0), either)
            })
        }
    }

    #[derive(Clone, Copy)]
    struct Avx512(__m512i);

    // SAFETY of every block below: reached only from `avx512`, whose caller promises the instructions.
    impl Vector for Avx512 {
        #[inline(always)]
        fn splat(x: u32) -> Self {
            // SAFETY: see above.
            Avx512(unsafe { _mm512_set1_epi32(x as i32) })
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            // SAFETY: see above.
            Avx512(unsafe { _mm512_add_epi32(self.0, other.0) })
        }
        #[inline(always)]
        fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
            // SAFETY: see above.
            Avx512(unsafe { _mm512_rol_epi32::<LEFT>(self.0) })
        }
        #[inline(always)]
        fn shift<const RIGHT: u32>(self) -> Self {
            // SAFETY: see above.
            Avx512(unsafe { _mm512_srli_epi32::<RIGHT>(self.0) })
        }
        #[inline(always)]
        fn xor3(self, b: Self, c: Self) -> Self {
            // SAFETY: see above.
            Avx512(unsafe { _mm512_ternarylogic_epi32::<0x96>(self.0, b.0, c.0) })
        }
        #[inline(always)]
        fn choose(self, b: Self, c: Self) -> Self {
            // SAFETY: see above.
            Avx512(unsafe { _mm512_ternarylogic_epi32::<0xca>(self.0, b.0, c.0) })
        }
        #[inline(always)]
        fn majority(self, b: Self, c: Self) -> Self {
            // SAFETY: see above.
            Avx512(unsafe { _mm512_ternarylogic_epi32::<0xe8>(self.0, b.0, c.0) })
        }
    }

    /// Digests of all messages, or of the first eight alone if `n` is no more.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn avx2(blocks: &Blocks, n: usize, digests: &mut Digests) {
        for first in (0..n.min(LANES)).step_by(8) {
            let mut w = [Avx2(_mm256_setzero_si256()); 16];
            for half in 0..2 {
                let row = |lane: usize| {
                    let block: &[u8; 64] = &blocks.blocks[first + lane];
                    // SAFETY: 32 of the block's 64 bytes, from byte 0 or 32 on.
                    big_endian(unsafe { _mm256_loadu_si256(block.as_ptr().add(32 * half).cast()) })
                };
                let columns = transpose8(std::array::from_fn(row));
                for (w, column) in w[8 * half..].iter_mut().zip(columns) {
                    *w = Avx2(column);
                }
            }
            let words = compress(START.map(Avx2::splat), w).map(|words| words.0);
            for (digest, words) in digests[first..first + 8].iter_mut().zip(transpose8(words)) {
                // SAFETY: the eight words of a digest.
                unsafe { _mm256_storeu_si256(digest.as_mut_ptr().cast(), words) };
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn big_endian(x: __m256i) -> __m256i {
        let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(order))
    }

    #[target_feature(enable = "avx2")]
    fn transpose8(r: [__m256i; 8]) -> [__m256i; 8] {
        let mut pairs = r;
        for i in (0..8).step_by(2) {
            pairs[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
        }
        let mut fours = pairs;
        for i in [0, 4] {
            fours[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
            fours[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
            fours[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
            fours[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
        }
        let mut columns = fours;
        for i in 0..4 {
            columns[i] = _mm256_permute2x128_si256::<0x20>(fours[i], fours[i + 4]);
            columns[i + 4] = _mm256_permute2x128_si256::<0x31>(fours[i], fours[i + 4]);
        }
        columns
    }

    /// Digests of all messages.
    ///
    /// # Safety
    /// The processor has AVX-512 F and BW.
    #[target_feature(enable = "avx512f,avx512bw,avx2")]
    pub unsafe fn avx512(blocks: &Blocks, digests: &mut Digests) {
        let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        let order = _mm512_broadcast_i32x4(order);
        let row = |lane: usize| {
            // SAFETY: a whole block of 64 bytes.
            _mm512_shuffle_epi8(unsafe { _mm512_loadu_si512(blocks.blocks[lane].as_ptr().cast()) }, order)
        };
        let words = compress(START.map(Avx512::splat), transpose16(std::array::from_fn(row)).map(Avx512));
        for (half, digests) in digests.chunks_exact_mut(8).enumerate() {
            let part = words.map(|words| match half {
                0 => _mm512_castsi512_si256(words.0),
                _ => _mm512_extracti64x4_epi64::<1>(words.0),
            });
            for (digest, words) in digests.iter_mut().zip(transpose8(part)) {
                // SAFETY: the eight words of a digest.
                unsafe { _mm256_storeu_si256(digest.as_mut_ptr().cast(), words) };
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    fn transpose16(r: [__m512i; 16]) -> [__m512i; 16] {
        let mut pairs = r;
        for i in (0..16).step_by(2) {
            pairs[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
            pairs[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
        }
        // fours[4 g + j]: in its 128-bit part p the word 4 p + j of rows 4 g .. 4 g + 4.
        let mut fours = pairs;
        for i in (0..16).step_by(4) {
            fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
            fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
            fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
            fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
        }
        let mut columns = fours;
        for j in 0..4 {
            let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
            let (ab_even, ab_odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
            let (cd_even, cd_odd) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
            columns[j] = _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even);
            columns[4 + j] = _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd);
            columns[8 + j] = _mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even);
            columns[12 + j] = _mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd);
        }
        columns
    }
}
