//! What the products of a tile can reach.
//!
//! The value of a pair is `form = scale_row * scale_lane * product + bias`, off by at most `slope_row * weight_lane`.

use super::tile::{LANES, Products, TILE};
use crate::cpu::{Cpu, vectorized};

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

vectorized! {
    /// Writes the upper bounds of a row's products, vector by vector of its panel, whose biases are `biases`, and takes them
    /// into `top`.
    #[allow(clippy::too_many_arguments)]
    pub fn raise(
        cpu: Cpu,
        products: &[i32],
        row: Row,
        scales: &[f32],
        weights: &[f32],
        biases: &[f32],
        upper: &mut [f32],
        top: &mut Top,
    ) {
        // The compiler makes one instruction of this; `f32::max` would look for NaN.
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        let Top { mut least, mut first, mut second } = *top;
        let vectors = products.as_chunks::<LANES>().0.iter().zip(upper.as_chunks_mut::<LANES>().0);
        let sides = scales.as_chunks::<LANES>().0.iter().zip(weights.as_chunks::<LANES>().0);
        let sides = sides.zip(biases.as_chunks::<LANES>().0);
        for ((products, upper), ((scales, weights), biases)) in vectors.zip(sides) {
            for l in 0..LANES {
                let form = products[l] as f32 * scales[l] * row.scale + biases[l];
                let error = row.slope * weights[l];
                let bound = form + error;
                upper[l] = bound;
                least[l] = larger(form - error, least[l]);
                let next = if bound < first[l] { bound } else { first[l] };
                second[l] = larger(next, second[l]);
                first[l] = larger(bound, first[l]);
            }
        }
        *top = Top { least, first, second };
    }
}

/// The comparisons of this processor.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    cpu: Cpu,
}

impl Reach {
    pub fn of(cpu: Cpu) -> Reach {
        Reach { cpu }
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
        if self.cpu.avx512 {
            // SAFETY: the processor has the instructions.
            return unsafe { hits_avx512(products, row, scales, weights, least) };
        } else if self.cpu.avx2 {
            // SAFETY: the same.
            return unsafe { hits_avx2(products, row, scales, weights, least) };
        }
        let mut hits = 0;
        for l in 0..LANES {
            let form = products[l] as f32 * scales[l] * row.scale + row.bias;
            hits |= u16::from(form + row.slope * weights[l] >= least[l]) << l;
        }
        hits
    }
}

#[inline(always)]
fn lanes(products: &Products, r: usize, v: usize) -> &[i32; LANES] {
    let from = r * TILE + v * LANES;
    products[from..from + LANES].try_into().expect("sixteen lanes")
}

vectorized! {
    /// Appends the places of what is at least `least`.
    pub fn select(cpu: Cpu, upper: &[f32], least: f32, places: &mut Vec<u32>) {
        for (c, chunk) in upper.chunks(LANES).enumerate() {
            let any = chunk.iter().fold(false, |any, &x| any | (x >= least));
            if any {
                let at = chunk.iter().enumerate().filter(|(_, x)| **x >= least);
                places.extend(at.map(|(l, _)| (c * LANES + l) as u32));
            }
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
#[target_feature(enable = "avx2")]
unsafe fn hits_avx2(
    products: &[i32; LANES],
    row: Row,
    scales: &[f32; LANES],
    weights: &[f32; LANES],
    least: &[f32; LANES],
) -> u16 {
    use std::arch::x86_64::*;
    let half = |from: usize| {
        // SAFETY: each array has sixteen items, of which these are the eight from 0 or 8 on.
        let (product, scale, weight, least) = unsafe {
            (
                _mm256_loadu_si256(products.as_ptr().add(from).cast()),
                _mm256_loadu_ps(scales.as_ptr().add(from)),
                _mm256_loadu_ps(weights.as_ptr().add(from)),
                _mm256_loadu_ps(least.as_ptr().add(from)),
            )
        };
        let scaled =
            _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(product), scale), _mm256_set1_ps(row.scale));
        let form = _mm256_add_ps(scaled, _mm256_set1_ps(row.bias));
        let bound = _mm256_add_ps(form, _mm256_mul_ps(weight, _mm256_set1_ps(row.slope)));
        _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(bound, least)) as u16
    };
    half(0) | half(8) << 8
}
