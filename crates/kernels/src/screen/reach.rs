//! What the products of a tile can reach.
//!
//! The value of a pair is `form = scale_row * scale_lane * product + bias`, off by at most `slope_row * weight_lane`.

use super::tile::{LANES, Products, TILE};
use crate::cpu::Cpu;

/// What a row brings to its pairs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Row {
    pub scale: f32,
    pub bias: f32,
    pub slope: f32,
}

/// The largest values of a row's pairs, lane by lane.
#[derive(Debug, Clone, Copy)]
pub struct Top {
    /// What the pair with the best lower bound has at least.
    pub least: [f32; LANES],
    /// The largest and the second largest upper bound.
    pub first: [f32; LANES],
    pub second: [f32; LANES],
}

impl Top {
    pub const NONE: Top = Top {
        least: [f32::NEG_INFINITY; LANES],
        first: [f32::NEG_INFINITY; LANES],
        second: [f32::NEG_INFINITY; LANES],
    };

    /// The best lower bound, the largest and the second largest upper bound of all lanes.
    pub fn join(&self) -> (f32, f32, f32) {
        let least = self.least.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (mut first, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
        for &x in self.first.iter().chain(&self.second) {
            second = second.max(first.min(x));
            first = first.max(x);
        }
        (least, first, second)
    }
}

/// The comparisons of this processor.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    wide: bool,
}

impl Reach {
    pub fn of(cpu: Cpu) -> Reach {
        Reach { wide: cpu.avx512 }
    }

    /// Bit l: the upper bound of row `r` of the products with lane l of the panel's vector `v` is at least
    /// `least[l]`.
    #[inline(always)]
    pub fn hits(
        self,
        products: &Products,
        (r, v): (usize, usize),
        row: Row,
        scales: &[f32; LANES],
        weights: &[f32; LANES],
        least: &[f32; LANES],
    ) -> u16 {
        let products = lanes(products, r, v);
        #[cfg(target_arch = "x86_64")]
        if self.wide {
            // SAFETY: the processor has the instructions.
            return unsafe { hits_avx512(products, row, scales, weights, least) };
        }
        let mut hits = 0;
        for l in 0..LANES {
            let form = products[l] as f32 * scales[l] * row.scale + row.bias;
            hits |= u16::from(form + row.slope * weights[l] >= least[l]) << l;
        }
        hits
    }

    /// Writes the upper bounds of row `r` with the lanes of vector `v`, whose biases are `biases`, and takes them into
    /// `top`.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    pub fn raise(
        self,
        products: &Products,
        (r, v): (usize, usize),
        row: Row,
        scales: &[f32; LANES],
        weights: &[f32; LANES],
        biases: &[f32; LANES],
        upper: &mut [f32; LANES],
        top: &mut Top,
    ) {
        let products = lanes(products, r, v);
        #[cfg(target_arch = "x86_64")]
        if self.wide {
            // SAFETY: the processor has the instructions.
            return unsafe { raise_avx512(products, row, scales, weights, biases, upper, top) };
        }
        for l in 0..LANES {
            let form = products[l] as f32 * scales[l] * row.scale + biases[l];
            let error = row.slope * weights[l];
            let bound = form + error;
            upper[l] = bound;
            top.least[l] = top.least[l].max(form - error);
            top.second[l] = top.second[l].max(top.first[l].min(bound));
            top.first[l] = top.first[l].max(bound);
        }
    }
}

#[inline(always)]
fn lanes(products: &Products, r: usize, v: usize) -> &[i32; LANES] {
    let from = r * TILE + v * LANES;
    products[from..from + LANES].try_into().expect("sixteen lanes")
}

/// Appends the places of what is at least `least`.
pub fn select(upper: &[f32], least: f32, places: &mut Vec<u32>) {
    for (c, chunk) in upper.chunks(LANES).enumerate() {
        let any = chunk.iter().fold(false, |any, &x| any | (x >= least));
        if any {
            let at = chunk.iter().enumerate().filter(|(_, x)| **x >= least);
            places.extend(at.map(|(l, _)| (c * LANES + l) as u32));
        }
    }
}

/// # Safety
/// The processor has the instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn hits_avx512(
    products: &[i32; LANES],
    row: Row,
    scales: &[f32; LANES],
    weights: &[f32; LANES],
    least: &[f32; LANES],
) -> u16 {
    use std::arch::x86_64::*;
    // SAFETY: each array has sixteen items.
    unsafe {
        let product = _mm512_cvtepi32_ps(_mm512_loadu_si512(products.as_ptr().cast()));
        let scaled = _mm512_mul_ps(product, _mm512_loadu_ps(scales.as_ptr()));
        let form = _mm512_fmadd_ps(scaled, _mm512_set1_ps(row.scale), _mm512_set1_ps(row.bias));
        let weight = _mm512_loadu_ps(weights.as_ptr());
        let bound = _mm512_fmadd_ps(weight, _mm512_set1_ps(row.slope), form);
        _mm512_cmp_ps_mask::<_CMP_GE_OQ>(bound, _mm512_loadu_ps(least.as_ptr()))
    }
}

/// # Safety
/// The processor has the instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn raise_avx512(
    products: &[i32; LANES],
    row: Row,
    scales: &[f32; LANES],
    weights: &[f32; LANES],
    biases: &[f32; LANES],
    upper: &mut [f32; LANES],
    top: &mut Top,
) {
    use std::arch::x86_64::*;
    // SAFETY: each array has sixteen items.
    unsafe {
        let product = _mm512_cvtepi32_ps(_mm512_loadu_si512(products.as_ptr().cast()));
        let scaled = _mm512_mul_ps(product, _mm512_loadu_ps(scales.as_ptr()));
        let bias = _mm512_loadu_ps(biases.as_ptr());
        let form = _mm512_fmadd_ps(scaled, _mm512_set1_ps(row.scale), bias);
        let weight = _mm512_loadu_ps(weights.as_ptr());
        let slope = _mm512_set1_ps(row.slope);
        let bound = _mm512_fmadd_ps(weight, slope, form);
        _mm512_storeu_ps(upper.as_mut_ptr(), bound);
        let lower = _mm512_fnmadd_ps(weight, slope, form);
        let least = _mm512_max_ps(_mm512_loadu_ps(top.least.as_ptr()), lower);
        _mm512_storeu_ps(top.least.as_mut_ptr(), least);
        let first = _mm512_loadu_ps(top.first.as_ptr());
        let second = _mm512_loadu_ps(top.second.as_ptr());
        let second = _mm512_max_ps(second, _mm512_min_ps(first, bound));
        _mm512_storeu_ps(top.second.as_mut_ptr(), second);
        _mm512_storeu_ps(top.first.as_mut_ptr(), _mm512_max_ps(first, bound));
    }
}
