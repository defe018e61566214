//! Rows as 16-bit integers, and what their products prove about exact distances.
//!
//! A row is scaled (Euclidean: moved by a centre first, which changes no distance) and rounded, so that it is wrong
//! by at most half a unit at each place: by `√d / 2` as a vector. With that a product of codes bounds the product of
//! the rows from both sides (Cauchy-Schwarz), and a distance of codes the distance (triangle inequality). What the
//! exact sum itself is off by is added, so the bounds hold for the exact distance as it is computed.
//!
//! Rows to which distances are sought lie in groups of [`GROUP`], place by place, so that one pass over a row gives
//! [`GROUP`] products without adding across a vector. The sums fit 32 bits: no code row is longer than 2^15.

use super::Metric;
use super::space::{Real, Space};
use crate::cpu::Cpu;
use rayon::prelude::*;

/// Rows of a group.
pub const GROUP: usize = 16;
/// Rows that go through a group side by side.
pub const SIDE: usize = 4;
/// Rows whose mean is the centre.
const SAMPLE: usize = 1024;
/// Rows of a task.
const TASK: usize = 256;
/// The length of a unit row in codes.
const UNIT: f64 = 32_700.0;
/// The length of the longest row in codes where rows are of any length: its square is below 2^28.
const LONGEST: f64 = 16_000.0;
/// How far a code may be from what it stands for: half a unit, and what float32 rounds on the way.
const OFF: f64 = 0.51;

/// Products of up to [`SIDE`] rows with a group.
pub type Products = [[i32; GROUP]; SIDE];

/// Rows as integers.
pub struct Codes {
    /// Padded to an even width.
    width: usize,
    rows: Vec<i16>,
    /// Squared lengths; empty where all rows have one length.
    lengths: Vec<i32>,
    /// Subtracted from each row; empty for none.
    centre: Vec<f64>,
    scale: f64,
    /// How far the distance of two code rows may be from that of the rows, in codes.
    off: f64,
    /// The error of an exact sum, as a share.
    error: f64,
    kernel: Kernel,
}

/// Code rows to which distances are sought, in groups.
pub struct Groups {
    width: usize,
    data: Vec<i16>,
    /// The same row after row, of rows that came one by one.
    rows: Vec<i16>,
    /// Where each sum begins: minus half the squared length, or the least there is in a place that is still free.
    begin: Vec<[i32; GROUP]>,
    len: usize,
}

impl Groups {
    pub fn new(codes: &Codes) -> Self {
        Groups { width: codes.width, data: Vec::new(), rows: Vec::new(), begin: Vec::new(), len: 0 }
    }

    /// Groups of many rows at once, in parallel: row after row of `rows`.
    pub fn of_rows(codes: &Codes, rows: &[u32]) -> Self {
        let width = codes.width;
        let count = rows.len().div_ceil(GROUP);
        let data = vec![0; count * GROUP * width];
        let mut groups = Groups { width, data, rows: Vec::new(), begin: Vec::new(), len: rows.len() };
        let of = |lane: usize, rows: &[u32]| rows.get(lane).map(|&row| codes.row(row as usize));
        groups.data.par_chunks_mut((GROUP * width).max(1)).zip(rows.par_chunks(GROUP)).for_each(
            |(group, rows)| {
                let lanes: [&[i16]; GROUP] = std::array::from_fn(|lane| of(lane, rows).unwrap_or(&[]));
                for (pair, out) in group.chunks_exact_mut(2 * GROUP).enumerate() {
                    for (lane, out) in lanes.iter().zip(out.chunks_exact_mut(2)) {
                        if let Some(codes) = lane.get(2 * pair..2 * pair + 2) {
                            out.copy_from_slice(codes);
                        }
                    }
                }
            },
        );
        let begin = |rows: &[u32]| {
            std::array::from_fn(|lane| rows.get(lane).map_or(i32::MIN, |&row| codes.begin(row as usize)))
        };
        groups.begin = rows.chunks(GROUP).map(begin).collect();
        groups
    }

    fn push(&mut self, row: &[i16], begin: i32) {
        let lane = self.len % GROUP;
        if lane == 0 {
            self.data.resize(self.data.len() + GROUP * self.width, 0);
            self.begin.push([i32::MIN; GROUP]);
        }
        let group = self.len / GROUP;
        let data = &mut self.data[group * GROUP * self.width..];
        for (pair, codes) in row.chunks_exact(2).enumerate() {
            data[(pair * GROUP + lane) * 2..][..2].copy_from_slice(codes);
        }
        self.begin[group][lane] = begin;
        self.rows.extend_from_slice(row);
        self.len += 1;
    }

    /// The number of groups, the last of which may have free places.
    pub fn count(&self) -> usize {
        self.begin.len()
    }
}

impl Codes {
    /// Codes of the candidates; none where rows are too long or too short for them.
    pub fn new<T: Real>(space: &Space<T>, candidates: &[u32]) -> Option<Codes> {
        Codes::with_kernel(space, candidates, Kernel::current(Cpu::current()))
    }

    pub fn with_kernel<T: Real>(space: &Space<T>, candidates: &[u32], kernel: Kernel) -> Option<Codes> {
        let width = space.width.next_multiple_of(2);
        let root = (space.width as f64).sqrt();
        let (centre, scale) = match space.metric {
            Metric::Precomputed => return None,
            Metric::Cosine => (Vec::new(), UNIT),
            Metric::Euclidean => {
                let centre = mean(space, candidates);
                let reach = space.largest.sqrt() + centre.iter().map(|c| c * c).sum::<f64>().sqrt();
                // Squares of what is much longer or shorter would leave the range of float32.
                if !(1e-15..=1e15).contains(&reach) {
                    return None;
                }
                let longest = longest(space, candidates, &centre);
                (centre, LONGEST / longest)
            }
        };
        if space.width == 0 || !scale.is_finite() || root * OFF > 1000.0 {
            return None;
        }
        let mut codes = Codes {
            width,
            rows: vec![0; space.rows * width],
            lengths: vec![0; if centre.is_empty() { 0 } else { space.rows }],
            centre,
            scale,
            off: 2.0 * root * OFF,
            error: space.error(),
            kernel,
        };
        codes.fill(space, candidates);
        Some(codes)
    }

    fn fill<T: Real>(&mut self, space: &Space<T>, candidates: &[u32]) {
        let mut rows = std::mem::take(&mut self.rows);
        let mut lengths = std::mem::take(&mut self.lengths);
        let measured = !lengths.is_empty();
        if !measured {
            lengths = vec![0; space.rows];
        }
        rows.par_chunks_mut(TASK * self.width).zip(lengths.par_chunks_mut(TASK)).enumerate().for_each(
            |(task, (rows, lengths))| {
                let first = (task * TASK) as u32;
                let from = candidates.partition_point(|&row| row < first);
                let here = candidates[from..].iter().take_while(|&&row| row < first + TASK as u32);
                for &row in here {
                    let at = (row - first) as usize;
                    let codes = &mut rows[at * self.width..][..self.width];
                    self.encode(space, row as usize, codes);
                    if measured {
                        lengths[at] = length(codes);
                    }
                }
            },
        );
        self.rows = rows;
        if measured {
            self.lengths = lengths;
        }
    }

    /// Writes the codes of a row or an anchor.
    fn encode<T: Real>(&self, space: &Space<T>, i: usize, codes: &mut [i16]) {
        /// Added to a number below 2^21, leaves its nearest integer in the lowest bits.
        const MAGIC: f32 = 12_582_912.0;
        let round = |x: f64| (x as f32 + MAGIC).to_bits() as u16 as i16;
        let (row, factor) = (space.row(i), space.factor(i));
        if self.centre.is_empty() {
            for (code, &x) in codes.iter_mut().zip(row) {
                *code = round((x * factor).into() * self.scale);
            }
        } else {
            for ((code, &x), centre) in codes.iter_mut().zip(row).zip(&self.centre) {
                *code = round((x.into() - centre) * self.scale);
            }
        }
    }

    /// Adds a row or an anchor to groups.
    pub fn push<T: Real>(&self, groups: &mut Groups, space: &Space<T>, i: usize) {
        let begin = |codes: &[i16]| if self.centre.is_empty() { 0 } else { -(length(codes) / 2) };
        let mut codes = vec![0; self.width];
        self.encode(space, i, &mut codes);
        groups.push(&codes, begin(&codes));
    }

    fn row(&self, row: usize) -> &[i16] {
        &self.rows[row * self.width..][..self.width]
    }

    /// Where the sums of products with a row begin.
    fn begin(&self, row: usize) -> i32 {
        self.lengths.get(row).map_or(0, |length| -(length / 2))
    }

    /// The products of rows, at most [`SIDE`], with a group.
    #[inline]
    pub fn products(&self, rows: &[usize], groups: &Groups, group: usize) -> Products {
        let codes = |i: usize| self.row(rows[i]);
        let data = &groups.data[group * GROUP * self.width..][..GROUP * self.width];
        let begin = &groups.begin[group];
        let mut products = [[0; GROUP]; SIDE];
        if rows.len() == SIDE {
            self.kernel.multiply(std::array::from_fn(codes), data, begin, &mut products);
        } else {
            for (i, products) in products.iter_mut().enumerate().take(rows.len()) {
                self.kernel.multiply_one(codes(i), data, begin, products);
            }
        }
        products
    }

    /// The product of a row with row `kept` of groups whose rows came one by one.
    #[inline]
    pub fn product(&self, row: usize, groups: &Groups, kept: usize) -> i32 {
        let other = &groups.rows[kept * self.width..][..self.width];
        groups.begin[kept / GROUP][kept % GROUP] + self.kernel.multiply_pair(self.row(row), other)
    }

    fn length_of(&self, row: usize) -> f64 {
        self.lengths.get(row).map_or(0.0, |&length| length.into())
    }

    /// The most that the comparable distance from `row` can be where the product is `product`.
    #[inline]
    pub fn upper(&self, row: usize, product: i32) -> f64 {
        if self.centre.is_empty() {
            return 1.0 - f64::from(product) / (UNIT * UNIT) + self.slack();
        }
        let squared = self.length_of(row) - 2.0 * f64::from(product) + 1.0;
        let distance = (squared.max(0.0).sqrt() + self.off) / self.scale;
        distance * distance * (1.0 + 2.0 * self.error) + TINY
    }

    /// The product up to which the distance from `row` cannot be below `near`.
    #[inline]
    pub fn reach(&self, row: usize, near: f64) -> i32 {
        if self.centre.is_empty() {
            return ((1.0 - self.slack() - near) * (UNIT * UNIT)).floor() as i32;
        }
        let distance = ((near + TINY) * (1.0 + 4.0 * self.error)).sqrt() * self.scale + self.off;
        ((self.length_of(row) - distance * distance) / 2.0 - 1.0).floor() as i32
    }

    /// The product from which on the distance from `row` cannot be as much as `far`.
    #[inline]
    pub fn beyond(&self, row: usize, far: f64) -> i32 {
        if self.centre.is_empty() {
            return ((1.0 + self.slack() - far) * (UNIT * UNIT) + 1.0).ceil() as i32;
        }
        let distance = ((far - TINY).max(0.0) / (1.0 + 4.0 * self.error)).sqrt() * self.scale - self.off;
        let squared = distance.max(0.0) * distance.max(0.0);
        ((self.length_of(row) - squared) / 2.0 + 1.0).ceil() as i32
    }

    /// How far `1 - product` of codes may be from the exact cosine distance.
    fn slack(&self) -> f64 {
        let off = self.off / UNIT;
        // A unit row's norm is 1 within four roundings; the difference to 1 is rounded once more.
        off * (1.0 + off) + self.error + 1e-6
    }
}

/// What squares below the normal range of float32 may be off by.
const TINY: f64 = 1e-36;

fn length(codes: &[i16]) -> i32 {
    codes.iter().map(|&code| i32::from(code) * i32::from(code)).sum()
}

/// The mean of some candidates: any point near the rows serves.
fn mean<T: Real>(space: &Space<T>, candidates: &[u32]) -> Vec<f64> {
    let step = candidates.len().div_ceil(SAMPLE).max(1);
    let sample: Vec<usize> = candidates.iter().step_by(step).map(|&row| row as usize).collect();
    let mut mean = vec![0.0; space.width];
    for &row in &sample {
        mean.iter_mut().zip(space.row(row)).for_each(|(sum, &x)| *sum += x.into());
    }
    mean.iter_mut().for_each(|sum| *sum /= sample.len().max(1) as f64);
    mean
}

/// The largest distance from the centre, of candidates and of what may be kept beside them.
fn longest<T: Real>(space: &Space<T>, candidates: &[u32], centre: &[f64]) -> f64 {
    let distance = |i: usize| {
        let squares = space.row(i).iter().zip(centre).map(|(&x, c)| (x.into() - c) * (x.into() - c));
        squares.sum::<f64>().sqrt()
    };
    let rows = candidates.par_iter().map(|&row| distance(row as usize));
    rows.chain(space.before.par_iter().map(|&i| distance(i))).reduce(|| 0.0, f64::max)
}

/// Which instructions multiply code rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// AVX-512 with its fused 16-bit multiply-add.
    Fused,
    /// AVX2.
    Half,
    Portable,
}

impl Kernel {
    pub fn current(cpu: Cpu) -> Kernel {
        #[cfg(target_arch = "x86_64")]
        {
            if cpu.avx512 && is_x86_feature_detected!("avx512vnni") {
                return Kernel::Fused;
            }
            if cpu.avx2 {
                return Kernel::Half;
            }
        }
        let _ = cpu;
        Kernel::Portable
    }

    #[inline]
    fn multiply(self, rows: [&[i16]; SIDE], group: &[i16], begin: &[i32; GROUP], out: &mut Products) {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `current` gives this where the processor has AVX-512 F, BW, VL and VNNI.
            Kernel::Fused => unsafe { x86::fused(rows, group, begin, out) },
            _ => rows.iter().zip(out).for_each(|(row, out)| self.multiply_one(row, group, begin, out)),
        }
    }

    #[inline]
    fn multiply_one(self, row: &[i16], group: &[i16], begin: &[i32; GROUP], out: &mut [i32; GROUP]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `current` gives this where the processor has AVX-512 F, BW, VL and VNNI.
            Kernel::Fused => unsafe { x86::fused_one(row, group, begin, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `current` gives this where the processor has AVX2.
            Kernel::Half => unsafe { x86::half(row, group, begin, out) },
            _ => portable(row, group, begin, out),
        }
    }

    /// The product of two code rows.
    #[inline]
    fn multiply_pair(self, row: &[i16], other: &[i16]) -> i32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `current` gives this where the processor has AVX-512 F, BW, VL and VNNI.
            Kernel::Fused => unsafe { x86::fused_pair(row, other) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `current` gives this where the processor has AVX2.
            Kernel::Half => unsafe { x86::half_pair(row, other) },
            _ => portable_pair(row, other),
        }
    }
}

#[inline(always)]
fn portable_pair(row: &[i16], other: &[i16]) -> i32 {
    row.iter().zip(other).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

fn portable(row: &[i16], group: &[i16], begin: &[i32; GROUP], out: &mut [i32; GROUP]) {
    *out = *begin;
    for (pair, group) in row.chunks_exact(2).zip(group.chunks_exact(2 * GROUP)) {
        let (a, b) = (i32::from(pair[0]), i32::from(pair[1]));
        for (out, codes) in out.iter_mut().zip(group.chunks_exact(2)) {
            *out += a * i32::from(codes[0]) + b * i32::from(codes[1]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{GROUP, Products, SIDE};
    use std::arch::x86_64::*;

    /// Two codes as they lie, in every lane.
    #[inline(always)]
    fn pair(row: &[i16], at: usize) -> i32 {
        i32::from(row[at] as u16) | i32::from(row[at + 1]) << 16
    }

    /// # Safety
    /// The processor has AVX-512 F, BW, VL and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub unsafe fn fused(rows: [&[i16]; SIDE], group: &[i16], begin: &[i32; GROUP], out: &mut Products) {
        let width = group.len() / GROUP;
        let rows = rows.map(|row| &row[..width]);
        // SAFETY: `begin` holds 16 integers; lane vectors end at `(width / 2) * 32` codes, which `group` holds.
        unsafe {
            let mut sums = [_mm512_loadu_si512(begin.as_ptr().cast()); SIDE];
            for at in (0..width).step_by(2) {
                let codes = _mm512_loadu_si512(group.as_ptr().add(at * GROUP).cast());
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum = _mm512_dpwssd_epi32(*sum, codes, _mm512_set1_epi32(pair(row, at)));
                }
            }
            for (sum, out) in sums.into_iter().zip(out) {
                _mm512_storeu_si512(out.as_mut_ptr().cast(), sum);
            }
        }
    }

    /// # Safety
    /// The processor has AVX-512 F, BW, VL and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub unsafe fn fused_one(row: &[i16], group: &[i16], begin: &[i32; GROUP], out: &mut [i32; GROUP]) {
        /// Sums side by side, so that none waits for the one before it.
        const SUMS: usize = 4;
        let width = group.len() / GROUP;
        let row = &row[..width];
        // SAFETY: as in `fused`.
        unsafe {
            let codes = |at: usize| _mm512_loadu_si512(group.as_ptr().add(at * GROUP).cast());
            let mut sums = [_mm512_setzero_si512(); SUMS];
            sums[0] = _mm512_loadu_si512(begin.as_ptr().cast());
            let whole = width / (2 * SUMS) * (2 * SUMS);
            for at in (0..whole).step_by(2 * SUMS) {
                for (s, sum) in sums.iter_mut().enumerate() {
                    let at = at + 2 * s;
                    *sum = _mm512_dpwssd_epi32(*sum, codes(at), _mm512_set1_epi32(pair(row, at)));
                }
            }
            for at in (whole..width).step_by(2) {
                sums[1] = _mm512_dpwssd_epi32(sums[1], codes(at), _mm512_set1_epi32(pair(row, at)));
            }
            let [a, b, c, d] = sums;
            let sum = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
            _mm512_storeu_si512(out.as_mut_ptr().cast(), sum);
        }
    }

    /// # Safety
    /// The processor has AVX-512 F, BW, VL and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub unsafe fn fused_pair(row: &[i16], other: &[i16]) -> i32 {
        /// Codes of a vector.
        const LANES: usize = 32;
        let (whole, rest) = row.as_chunks::<LANES>();
        let (whole_other, rest_other) = other[..row.len()].as_chunks::<LANES>();
        let mut sums = [_mm512_setzero_si512(); 2];
        for (at, (a, b)) in whole.iter().zip(whole_other).enumerate() {
            // SAFETY: both are 32 codes.
            let (a, b) =
                unsafe { (_mm512_loadu_si512(a.as_ptr().cast()), _mm512_loadu_si512(b.as_ptr().cast())) };
            sums[at % 2] = _mm512_dpwssd_epi32(sums[at % 2], a, b);
        }
        super::portable_pair(rest, rest_other) + _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
    }

    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn half_pair(row: &[i16], other: &[i16]) -> i32 {
        super::portable_pair(row, other)
    }

    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn half(row: &[i16], group: &[i16], begin: &[i32; GROUP], out: &mut [i32; GROUP]) {
        let width = group.len() / GROUP;
        let row = &row[..width];
        // SAFETY: as in `fused`, in halves of 8 lanes.
        unsafe {
            let mut low = _mm256_loadu_si256(begin.as_ptr().cast());
            let mut high = _mm256_loadu_si256(begin.as_ptr().add(8).cast());
            for at in (0..width).step_by(2) {
                let codes = group.as_ptr().add(at * GROUP);
                let pair = _mm256_set1_epi32(pair(row, at));
                let (first, second) =
                    (_mm256_loadu_si256(codes.cast()), _mm256_loadu_si256(codes.add(GROUP).cast()));
                low = _mm256_add_epi32(low, _mm256_madd_epi16(first, pair));
                high = _mm256_add_epi32(high, _mm256_madd_epi16(second, pair));
            }
            _mm256_storeu_si256(out.as_mut_ptr().cast(), low);
            _mm256_storeu_si256(out.as_mut_ptr().add(8).cast(), high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_gives_the_same_products(
            rows in prop::collection::vec(prop::collection::vec(-9000i16..9000, 14), SIDE..SIDE + 1),
            group in prop::collection::vec(-9000i16..9000, 14 * GROUP),
            pairs in 0usize..8, begin: [i16; GROUP],
        ) {
            let width = 2 * pairs;
            let group = &group[..width * GROUP];
            let begin = begin.map(i32::from);
            let rows: [&[i16]; SIDE] = std::array::from_fn(|i| &rows[i][..width]);
            let mut want = [[0; GROUP]; SIDE];
            rows.iter().zip(&mut want).for_each(|(row, want)| portable(row, group, &begin, want));
            for kernel in Cpu::choices().into_iter().map(Kernel::current) {
                let mut got = [[0; GROUP]; SIDE];
                kernel.multiply(rows, group, &begin, &mut got);
                prop_assert_eq!(got, want);
                rows.iter().zip(&mut got).for_each(|(r, o)| kernel.multiply_one(r, group, &begin, o));
                prop_assert_eq!(got, want);
                prop_assert_eq!(kernel.multiply_pair(rows[0], rows[1]), portable_pair(rows[0], rows[1]));
                // Longer than a vector, and not a whole number of them.
                let (all, turned) = (&group[..group.len() / 3], &group[group.len() / 2..]);
                let n = all.len().min(turned.len());
                let (all, turned) = (&all[..n], &turned[..n]);
                prop_assert_eq!(kernel.multiply_pair(all, turned), portable_pair(all, turned));
            }
        }
    }
}
