//! Products of 8 rows of codes with a panel of up to 48.

use crate::cpu::Cpu;

/// Codes that one lane multiplies at a time.
pub const GROUP: usize = 4;
/// Rows of a panel's vector.
pub const LANES: usize = 16;
/// Vectors of a panel.
pub const VECTORS: usize = 3;
/// Rows of a tile.
pub const ROWS: usize = 8;

/// Products, `[row][lane of the panel]`, rows [`TILE`] apart.
pub type Products = [i32; ROWS * TILE];
/// Lanes of a whole panel.
pub const TILE: usize = LANES * VECTORS;

/// The tile of this processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tile {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

impl Tile {
    /// The fastest that `cpu` allows.
    pub fn of(cpu: Cpu) -> Tile {
        #[cfg(target_arch = "x86_64")]
        if cpu.avx512 && is_x86_feature_detected!("avx512vnni") {
            return Tile::Vnni;
        } else if cpu.avx2 {
            return Tile::Avx2;
        }
        let _ = cpu;
        Tile::Portable
    }

    /// The products of `rows` with `panel`, both of `stride` codes; `sums` are the sums of the rows' codes.
    ///
    /// # Panics
    /// If a row or the panel has another size.
    pub fn products(
        self,
        panel: &[u8],
        stride: usize,
        rows: [&[i8]; ROWS],
        sums: [i32; ROWS],
        out: &mut Products,
    ) {
        let vectors = panel.len() / (LANES * stride);
        assert!(stride.is_multiple_of(GROUP) && (1..=VECTORS).contains(&vectors), "a panel of another size");
        assert!(panel.len() == vectors * LANES * stride, "a panel of another size");
        assert!(rows.iter().all(|row| row.len() == stride), "a row of another size");
        // The panel's codes are 128 too large.
        let starts = sums.map(|sum| -128 * sum);
        match self {
            Tile::Portable => portable(panel, stride, rows, starts, out),
            // SAFETY: `of` saw the instructions; sizes are those of the asserts.
            #[cfg(target_arch = "x86_64")]
            Tile::Avx2 => unsafe { avx2(panel, stride, rows, starts, out) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            Tile::Vnni => unsafe {
                match vectors {
                    1 => vnni::<1>(panel, stride, rows, starts, out),
                    2 => vnni::<2>(panel, stride, rows, starts, out),
                    _ => vnni::<3>(panel, stride, rows, starts, out),
                }
            },
        }
    }
}

#[inline(always)]
fn portable(panel: &[u8], stride: usize, rows: [&[i8]; ROWS], starts: [i32; ROWS], out: &mut Products) {
    for (v, vector) in panel.chunks_exact(LANES * stride).enumerate() {
        for (r, (row, start)) in rows.into_iter().zip(starts).enumerate() {
            let mut lanes = [start; LANES];
            let fours = vector.chunks_exact(LANES * GROUP).zip(row.chunks_exact(GROUP));
            for (codes, four) in fours {
                for (lane, codes) in lanes.iter_mut().zip(codes.chunks_exact(GROUP)) {
                    let products = codes.iter().zip(four).map(|(&a, &b)| i32::from(a) * i32::from(b));
                    *lane += products.sum::<i32>();
                }
            }
            out[r * TILE + v * LANES..][..LANES].copy_from_slice(&lanes);
        }
    }
}

/// Products of 16 bits, of which one instruction adds two: the codes of a lane at even places and those at odd ones are each a
/// pair, which costs a mask and a shift for all rows.
///
/// # Safety
/// The processor has the instructions; `panel` holds whole vectors of `stride` codes a lane, `rows` `stride` codes each.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(panel: &[u8], stride: usize, rows: [&[i8]; ROWS], starts: [i32; ROWS], out: &mut Products) {
    use std::arch::x86_64::*;
    /// Codes of a row that are split at a time.
    const CHUNK: usize = 512;
    /// Rows whose sums are in registers together, and the registers of each.
    const ABREAST: usize = 4;
    const HALVES: usize = 2;
    let vectors = panel.len() / (LANES * stride);
    for (r, start) in starts.into_iter().enumerate() {
        out[r * TILE..][..vectors * LANES].fill(start);
    }
    let mut split = [[[0; CHUNK / GROUP]; 2]; ROWS];
    for first in (0..stride).step_by(CHUNK) {
        let groups = CHUNK.min(stride - first) / GROUP;
        for ([even, odd], row) in split.iter_mut().zip(rows) {
            let fours = row[first..].as_chunks::<GROUP>().0;
            for ((even, odd), four) in even.iter_mut().zip(odd).zip(fours) {
                let codes = i32::from_le_bytes(four.map(|code| code as u8));
                *even = (codes << 8 >> 24) << 16 | (codes << 24 >> 24) & 0xffff;
                *odd = (codes >> 24) << 16 | (codes << 16 >> 24) & 0xffff;
            }
        }
        for v in 0..vectors {
            let codes = &panel[(v * stride + first) * LANES..][..groups * GROUP * LANES];
            for (rows, split) in split.as_chunks::<ABREAST>().0.iter().enumerate() {
                let place = |t: usize, half: usize| (rows * ABREAST + t) * TILE + v * LANES + 8 * half;
                // SAFETY: eight items from a place of a row and a vector on are in `out`, a group's codes in `codes` and `split`.
                unsafe {
                    let mut sums: [[__m256i; HALVES]; ABREAST] = std::array::from_fn(|t| {
                        std::array::from_fn(|half| {
                            _mm256_loadu_si256(out.as_ptr().add(place(t, half)).cast())
                        })
                    });
                    for group in 0..groups {
                        let codes = codes.as_ptr().add(group * GROUP * LANES).cast::<__m256i>();
                        let codes: [__m256i; HALVES] =
                            std::array::from_fn(|half| _mm256_loadu_si256(codes.add(half)));
                        let low = _mm256_set1_epi16(0xff);
                        let even = codes.map(|codes| _mm256_and_si256(codes, low));
                        let odd = codes.map(|codes| _mm256_srli_epi16::<8>(codes));
                        for (sums, [of_even, of_odd]) in sums.iter_mut().zip(split) {
                            let by_even = _mm256_set1_epi32(*of_even.get_unchecked(group));
                            let by_odd = _mm256_set1_epi32(*of_odd.get_unchecked(group));
                            for (half, sum) in sums.iter_mut().enumerate() {
                                let both = _mm256_add_epi32(
                                    _mm256_madd_epi16(even[half], by_even),
                                    _mm256_madd_epi16(odd[half], by_odd),
                                );
                                *sum = _mm256_add_epi32(*sum, both);
                            }
                        }
                    }
                    for (t, sums) in sums.into_iter().enumerate() {
                        for (half, sum) in sums.into_iter().enumerate() {
                            _mm256_storeu_si256(out.as_mut_ptr().add(place(t, half)).cast(), sum);
                        }
                    }
                }
            }
        }
    }
}

/// # Safety
/// The processor has the instructions; `panel` holds `V` vectors of `stride` groups, `rows` `stride` codes each.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn vnni<const V: usize>(
    panel: &[u8],
    stride: usize,
    rows: [&[i8]; ROWS],
    starts: [i32; ROWS],
    out: &mut Products,
) {
    use std::arch::x86_64::*;
    let rows = rows.map(<[i8]>::as_ptr);
    let panel = panel.as_ptr();
    let mut sums = starts.map(|start| [_mm512_set1_epi32(start); V]);
    for group in 0..stride / GROUP {
        // SAFETY: `group` is below the groups of each vector and row.
        unsafe {
            let codes: [__m512i; V] = std::array::from_fn(|v| {
                _mm512_loadu_si512(panel.add((v * stride + group * GROUP) * LANES).cast())
            });
            for (sums, row) in sums.iter_mut().zip(rows) {
                let four = _mm512_set1_epi32(row.add(group * GROUP).cast::<i32>().read_unaligned());
                for (sum, codes) in sums.iter_mut().zip(codes) {
                    *sum = _mm512_dpbusd_epi32(*sum, codes, four);
                }
            }
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (v, sum) in sums.into_iter().enumerate() {
            // SAFETY: `r` and `v` are within the tile.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(r * TILE + v * LANES).cast(), sum) };
        }
    }
}
