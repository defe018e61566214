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

/// The sides of a product that a row of codes is made for: how large its codes may be depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The rows that meet panels.
    Row,
    /// The rows of panels.
    Lane,
    /// Each in turn.
    Both,
}

/// How large the codes of a side may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The largest magnitude.
    pub largest: i8,
    /// What the magnitudes of the codes of any two pairs whose products are added in 16 bits may sum to; they are the first
    /// halves, or the second ones, of two groups in succession, of which the first is at an even place.
    pub fours: Option<i16>,
}

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

    /// How large codes may be, lest the products overflow.
    pub fn range(self, side: Side) -> Range {
        match (self, side) {
            #[cfg(target_arch = "x86_64")]
            (Tile::Avx2, Side::Row) => Range { largest: 127, fours: Some(i16::MAX / AVX2_LARGEST as i16) },
            // Four of 63 are within what a row's may sum to.
            #[cfg(target_arch = "x86_64")]
            (Tile::Avx2, Side::Lane | Side::Both) => Range { largest: (AVX2_LARGEST / 2) as i8, fours: None },
            _ => Range { largest: 127, fours: None },
        }
    }

    /// How much larger the codes of panels are.
    pub fn offset(self) -> u8 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Tile::Avx2 => AVX2_LARGEST / 2 + 1,
            _ => 128,
        }
    }

    /// The products of `rows` with `panel`, both of `stride` codes within [`Tile::range`]; `sums` are the sums of the rows'
    /// codes.
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
        let starts = sums.map(|sum| -i32::from(self.offset()) * sum);
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

/// The largest code of a panel for AVX2, its offset included.
#[cfg(target_arch = "x86_64")]
const AVX2_LARGEST: u8 = 127;

/// Products of bytes, of which one instruction adds two in 16 bits: the ranges leave room for the sum of two such, so that half
/// as many are widened to 32.
///
/// # Safety
/// The processor has the instructions; `panel` holds whole vectors of `stride` codes a lane, `rows` `stride` codes each.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(panel: &[u8], stride: usize, rows: [&[i8]; ROWS], starts: [i32; ROWS], out: &mut Products) {
    use std::arch::x86_64::*;
    /// Rows whose sums are in registers together, and the registers of each.
    const ABREAST: usize = 4;
    const HALVES: usize = 2;
    let groups = stride / GROUP;
    let ones = _mm256_set1_epi16(1);
    for (v, vector) in panel.chunks_exact(LANES * stride).enumerate() {
        let codes = vector.as_ptr().cast::<__m256i>();
        for from in (0..ROWS).step_by(ABREAST) {
            let rows: [*const i8; ABREAST] = std::array::from_fn(|t| rows[from + t].as_ptr());
            let mut sums: [[__m256i; HALVES]; ABREAST] =
                std::array::from_fn(|t| [_mm256_set1_epi32(starts[from + t]); HALVES]);
            // SAFETY: for a group below `groups` the vector has two registers and each row four codes.
            let (lanes, four) = unsafe {
                (
                    |group: usize| [0, 1].map(|half| _mm256_loadu_si256(codes.add(group * HALVES + half))),
                    |t: usize, group: usize| {
                        _mm256_set1_epi32(rows[t].add(group * GROUP).cast::<i32>().read_unaligned())
                    },
                )
            };
            for group in (0..groups - groups % 2).step_by(2) {
                let (first, second) = (lanes(group), lanes(group + 1));
                for (t, sums) in sums.iter_mut().enumerate() {
                    let (by_first, by_second) = (four(t, group), four(t, group + 1));
                    for (half, sum) in sums.iter_mut().enumerate() {
                        let both = _mm256_add_epi16(
                            _mm256_maddubs_epi16(first[half], by_first),
                            _mm256_maddubs_epi16(second[half], by_second),
                        );
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(both, ones));
                    }
                }
            }
            if groups % 2 == 1 {
                let last = lanes(groups - 1);
                for (t, sums) in sums.iter_mut().enumerate() {
                    let by = four(t, groups - 1);
                    for (half, sum) in sums.iter_mut().enumerate() {
                        let products = _mm256_maddubs_epi16(last[half], by);
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(products, ones));
                    }
                }
            }
            for (t, sums) in sums.into_iter().enumerate() {
                let out = &mut out[(from + t) * TILE + v * LANES..][..LANES];
                for (half, sum) in sums.into_iter().enumerate() {
                    // SAFETY: a half is eight of sixteen lanes.
                    unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(8 * half).cast(), sum) };
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
