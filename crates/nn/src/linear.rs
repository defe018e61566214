//! Products of rows with a weight: `y = x W^T + bias`.
//!
//! Bands of rows, or for few rows bands of the weight's, are products of their own; how they are cut depends on the shape alone, so that the bits
//! depend neither on the threads nor on whether a product is spread over them. Cost: `rows * inner * columns` multiply-adds, and a
//! pass over a weight that is not float32.

use crate::weight::Weight;
use rayon::prelude::*;
use tamis_kernels::gemm::{Matrix, Target, multiply_into};

/// Rows of x that are multiplied at a time: the weight is packed once for each.
const BAND: usize = 256;
/// Up to so many rows the weight's are cut instead, into bands of so many.
const FEW: usize = 64;
const OUTPUTS: usize = 64;
/// Items of a weight that are widened at a time.
const SLAB: usize = 1 << 20;

/// Whether the pieces of an operation are spread over the threads: not where whole groups of texts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    Here,
    Threads,
}

impl Spread {
    /// Does something with each piece and its number.
    pub fn each<T: Send>(self, pieces: impl Iterator<Item = T>, work: impl Fn(usize, T) + Sync) {
        match self {
            Spread::Here => pieces.enumerate().for_each(|(i, piece)| work(i, piece)),
            Spread::Threads => {
                pieces.collect::<Vec<T>>().into_par_iter().enumerate().for_each(|(i, piece)| work(i, piece));
            }
        }
    }
}

/// A layer: its weight is [outputs, inputs].
#[derive(Debug)]
pub struct Linear {
    pub weight: Weight,
    pub bias: Option<Vec<f32>>,
}

impl Linear {
    /// # Panics
    /// If the bias has another length than the weight has rows.
    pub fn new(weight: Weight, bias: Option<Vec<f32>>) -> Self {
        assert!(bias.as_ref().is_none_or(|bias| bias.len() == weight.rows), "a bias of another length");
        Linear { weight, bias }
    }

    pub fn inputs(&self) -> usize {
        self.weight.columns
    }

    pub fn outputs(&self) -> usize {
        self.weight.rows
    }

    /// Writes `x W^T + bias` of rows of x; `scratch` is memory for widened weights.
    ///
    /// # Panics
    /// If x and out have not the same number of rows.
    pub fn forward(&self, x: &[f32], out: &mut [f32], scratch: &mut Vec<f32>, spread: Spread) {
        forward(&self.weight, self.bias.as_deref(), x, out, scratch, spread);
    }
}

/// [`Linear::forward`] by a weight that somebody else has.
///
/// # Panics
/// The same.
pub fn forward(
    weight: &Weight,
    bias: Option<&[f32]>,
    x: &[f32],
    out: &mut [f32],
    scratch: &mut Vec<f32>,
    spread: Spread,
) {
    let (inputs, outputs) = (weight.columns, weight.rows);
    let rows = x.len() / inputs;
    assert!(x.len() == rows * inputs && out.len() == rows * outputs, "rows of another width");
    if let Some(bias) = bias {
        out.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
    }
    let slab = (SLAB / inputs).next_multiple_of(OUTPUTS);
    for from in (0..outputs).step_by(slab) {
        let to = outputs.min(from + slab);
        let part = weight.widen(from..to, scratch);
        multiply(x, part, inputs, out, outputs, from, bias.is_some(), spread);
    }
}

/// `out = x W^T`, on the calling thread.
pub fn product(x: &[f32], weight: &[f32], inputs: usize, out: &mut [f32]) {
    let outputs = weight.len() / inputs;
    let to = Target { data: out, stride: outputs, add: false };
    let weight = Matrix::new(weight, outputs, inputs).transpose();
    multiply_into(Matrix::new(x, x.len() / inputs, inputs), weight, 1.0, to);
}

/// `out[.., at..] (+)= x W^T`; rows of `out` are `stride` wide.
#[allow(clippy::too_many_arguments)]
fn multiply(
    x: &[f32],
    weight: &[f32],
    inputs: usize,
    out: &mut [f32],
    stride: usize,
    at: usize,
    add: bool,
    spread: Spread,
) {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    if rows > FEW {
        let whole = Matrix::new(weight, outputs, inputs).transpose();
        let bands = x.chunks(BAND * inputs).zip(out.chunks_mut(BAND * stride));
        spread.each(bands, |_, (x, out)| {
            let to = Target { data: &mut out[at..], stride, add };
            multiply_into(Matrix::new(x, x.len() / inputs, inputs), whole, 1.0, to);
        });
        return;
    }
    // Columns of a matrix are no slice: each band has a place of its own.
    let bands: Vec<&[f32]> = weight.chunks(OUTPUTS * inputs).collect();
    let mut parts = vec![0.0; rows * outputs];
    let places = bands.into_iter().zip(parts.chunks_mut(rows * OUTPUTS));
    spread.each(places, |_, (band, part)| {
        let columns = band.len() / inputs;
        let to = Target { data: part, stride: columns, add: false };
        let band = Matrix::new(band, columns, inputs).transpose();
        multiply_into(Matrix::new(x, rows, inputs), band, 1.0, to);
    });
    for (i, part) in parts.chunks(rows * OUTPUTS).enumerate() {
        let columns = part.len() / rows;
        for (out, part) in out.chunks_exact_mut(stride).zip(part.chunks_exact(columns)) {
            let out = &mut out[at + i * OUTPUTS..][..columns];
            if add {
                out.iter_mut().zip(part).for_each(|(out, part)| *out += part);
            } else {
                out.copy_from_slice(part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tamis_kernels::philox::Philox;

    fn draw(n: usize, seed: u64) -> Vec<f32> {
        Philox::new(seed, 0).first_normal(n)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn it_is_the_sum_of_products(rows in 1usize..400, inputs in 1usize..40, outputs in 1usize..150, biased: bool) {
            let (x, w) = (draw(rows * inputs, 1), draw(outputs * inputs, 2));
            let bias = biased.then(|| draw(outputs, 3));
            let layer = Linear::new(Weight::new(w.clone(), outputs, inputs), bias.clone());
            let mut out = vec![f32::NAN; rows * outputs];
            layer.forward(&x, &mut out, &mut Vec::new(), Spread::Here);
            let mut spread = vec![f32::NAN; rows * outputs];
            layer.forward(&x, &mut spread, &mut Vec::new(), Spread::Threads);
            prop_assert_eq!(&out, &spread);
            for i in 0..rows {
                for j in 0..outputs {
                    let sum: f64 = (0..inputs)
                        .map(|k| f64::from(x[i * inputs + k]) * f64::from(w[j * inputs + k]))
                        .sum();
                    let want = sum + bias.as_ref().map_or(0.0, |bias| f64::from(bias[j]));
                    prop_assert!((f64::from(out[i * outputs + j]) - want).abs() < 1e-4);
                }
            }
        }
    }
}
