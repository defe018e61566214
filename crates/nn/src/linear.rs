//! Products of rows with a weight: `y = x W^T + bias`.
//!
//! Bands of rows, or for few rows bands of outputs, are products of their own; each number is the same sum in the same order however
//! they are cut, so that the bits depend neither on the threads nor on whether a product is spread over them. Cost: `rows * inner * columns`
//! multiply-adds, and a pass over a weight that is not float32.

use crate::weight::Weight;
use rayon::prelude::*;
use tamis_kernels::cpu::Cpu;
use tamis_kernels::gemm::{Matrix, Target, multiply_into};
use tamis_kernels::panels::{self, Rows, worth_packing};

/// Rows of x that are multiplied at a time: whole tiles of six.
const BAND: usize = 252;
/// Up to so many rows the outputs are cut instead.
const FEW: usize = 64;
/// Outputs of such a piece.
const OUTPUTS: usize = 64;
/// Outputs of a weight that are widened at a time.
const SLAB: usize = 256;
/// Fewer rows are not worth packing a weight for.
const THIN: usize = 8;

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
    inputs: usize,
    outputs: usize,
    weight: Kept,
    bias: Option<Vec<f32>>,
}

#[derive(Debug)]
enum Kept {
    Plain(Weight),
    /// A float32 weight as the products want it.
    Packed(Vec<f32>),
}

/// What products need beside their operands.
#[derive(Debug, Default)]
pub struct Scratch {
    pub wide: Vec<f32>,
    packed: Vec<f32>,
}

impl Linear {
    /// # Panics
    /// If the bias has another length than the weight has rows.
    pub fn new(weight: Weight, bias: Option<Vec<f32>>) -> Self {
        assert!(bias.as_ref().is_none_or(|bias| bias.len() == weight.rows), "a bias of another length");
        let (inputs, outputs) = (weight.columns, weight.rows);
        let weight = match weight.as_f32().filter(|_| worth_packing(Cpu::current())) {
            Some(rows) => {
                let mut packed = vec![0.0; panels::size(inputs, outputs)];
                panels::pack(rows, inputs, inputs, outputs, &mut packed);
                Kept::Packed(packed)
            }
            None => Kept::Plain(weight),
        };
        Linear { inputs, outputs, weight, bias }
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes of the weight.
    pub fn bytes(&self) -> usize {
        match &self.weight {
            Kept::Plain(weight) => weight.bytes(),
            Kept::Packed(packed) => 4 * packed.len(),
        }
    }

    /// Writes `x W^T + bias` of rows of x.
    ///
    /// # Panics
    /// If x and out have not the same number of rows.
    pub fn forward(&self, x: &[f32], out: &mut [f32], scratch: &mut Scratch, spread: Spread) {
        let bias = self.bias.as_deref();
        match &self.weight {
            Kept::Plain(weight) => forward(weight, bias, x, out, scratch, spread),
            Kept::Packed(packed) => {
                let &Linear { inputs, outputs, .. } = self;
                let factor = Factor { data: packed, packed: true, inputs, outputs };
                let shape = Shape::of(x, self.inputs, self.outputs, out);
                if spread == Spread::Threads && shape.rows <= FEW {
                    shape.by_outputs(OUTPUTS, spread, bias, out, |from, to, part| {
                        factor.part(from, to).product(x, part, to - from, bias.is_some());
                    });
                    return;
                }
                let pieces = x.chunks(BAND * shape.inputs).zip(out.chunks_mut(BAND * shape.outputs));
                spread.each(pieces, |_, (x, out)| {
                    fill(out, shape.outputs, bias);
                    factor.product(x, out, shape.outputs, bias.is_some());
                });
            }
        }
    }
}

/// [`Linear::forward`] by a weight that is no layer's own.
///
/// # Panics
/// The same.
pub fn forward(
    weight: &Weight,
    bias: Option<&[f32]>,
    x: &[f32],
    out: &mut [f32],
    scratch: &mut Scratch,
    spread: Spread,
) {
    let shape = Shape::of(x, weight.columns, weight.rows, out);
    // What is not packed goes to a library, whose sums may depend on a product's shape: it is cut alike wherever it runs.
    if spread == Spread::Threads || !is_packed(shape.rows) {
        shape.by_outputs(SLAB, spread, bias, out, |from, to, part| {
            let mut scratch = Scratch::default();
            let factor = Factor::of(weight, from..to, shape.rows, &mut scratch);
            factor.product(x, part, to - from, bias.is_some());
        });
        return;
    }
    fill(out, shape.outputs, bias);
    for from in (0..shape.outputs).step_by(SLAB) {
        let factor = Factor::of(weight, from..shape.outputs.min(from + SLAB), shape.rows, scratch);
        factor.product(x, &mut out[from..], shape.outputs, bias.is_some());
    }
}

/// Whether weights are packed for products with so many rows.
fn is_packed(rows: usize) -> bool {
    rows >= THIN && worth_packing(Cpu::current())
}

/// Makes each row the bias, if there is one, for a product to be added to.
fn fill(out: &mut [f32], outputs: usize, bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        out.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
    }
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    inputs: usize,
    outputs: usize,
}

impl Shape {
    fn of(x: &[f32], inputs: usize, outputs: usize, out: &[f32]) -> Self {
        let rows = x.len() / inputs;
        assert!(x.len() == rows * inputs && out.len() == rows * outputs, "rows of another width");
        Shape { rows, inputs, outputs }
    }

    /// Makes columns of the result apart from each other, since columns of a matrix are no slice: `product` adds those between two
    /// outputs to a part.
    fn by_outputs(
        self,
        size: usize,
        spread: Spread,
        bias: Option<&[f32]>,
        out: &mut [f32],
        product: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) {
        let Shape { rows, outputs, .. } = self;
        if rows == 0 {
            return;
        }
        let mut parts = vec![0.0; rows * outputs];
        spread.each(parts.chunks_mut(rows * size), |i, part| {
            let (from, columns) = (i * size, part.len() / rows);
            fill(part, columns, bias.map(|bias| &bias[from..from + columns]));
            product(from, from + columns, part);
        });
        for (i, part) in parts.chunks(rows * size).enumerate() {
            let columns = part.len() / rows;
            for (out, part) in out.chunks_exact_mut(outputs).zip(part.chunks_exact(columns)) {
                out[i * size..][..columns].copy_from_slice(part);
            }
        }
    }
}

/// Some rows of a weight, ready for products.
#[derive(Debug, Clone, Copy)]
pub struct Factor<'a> {
    data: &'a [f32],
    packed: bool,
    inputs: usize,
    outputs: usize,
}

impl<'a> Factor<'a> {
    /// Widens rows of a weight, and packs them if this processor wants that of a product with so many rows.
    pub fn of(
        weight: &'a Weight,
        rows: std::ops::Range<usize>,
        count: usize,
        scratch: &'a mut Scratch,
    ) -> Self {
        let (inputs, outputs) = (weight.columns, rows.len());
        let Scratch { wide, packed } = scratch;
        let wide = weight.widen(rows, wide);
        if !is_packed(count) {
            return Factor { data: wide, packed: false, inputs, outputs };
        }
        packed.resize(panels::size(inputs, outputs), 0.0);
        panels::pack(wide, inputs, inputs, outputs, packed);
        Factor { data: packed, packed: true, inputs, outputs }
    }

    /// `out (+)= x W^T`, on the calling thread; rows of `out` are `stride` apart.
    pub fn product(&self, x: &[f32], out: &mut [f32], stride: usize, add: bool) {
        let &Factor { data, inputs, outputs, .. } = self;
        let count = x.len() / inputs;
        if self.packed {
            let x = Rows { data: x, stride: inputs, count };
            panels::multiply(Cpu::current(), x, data, inputs, outputs, out, stride, add);
        } else {
            let weight = Matrix::new(data, outputs, inputs).transpose();
            let to = Target { data: out, stride, add };
            multiply_into(Matrix::new(x, count, inputs), weight, 1.0, to);
        }
    }

    /// Outputs between two, of which the first is a multiple of a panel's.
    fn part(&self, from: usize, to: usize) -> Factor<'_> {
        let (inputs, outputs) = (self.inputs, to - from);
        let size = if self.packed { panels::size(inputs, outputs) } else { inputs * outputs };
        Factor { data: &self.data[from * inputs..][..size], outputs, ..*self }
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
        fn it_is_the_sum_of_products(rows in 1usize..400, inputs in 1usize..40, outputs in 1usize..300, biased: bool) {
            let (x, w) = (draw(rows * inputs, 1), draw(outputs * inputs, 2));
            let bias = biased.then(|| draw(outputs, 3));
            let weight = Weight::new(w.clone(), outputs, inputs);
            let layer = Linear::new(weight.clone(), bias.clone());
            let mut out = vec![f32::NAN; rows * outputs];
            layer.forward(&x, &mut out, &mut Scratch::default(), Spread::Here);
            let [mut here, mut threads] = [out.clone(), out.clone()];
            forward(&weight, bias.as_deref(), &x, &mut here, &mut Scratch::default(), Spread::Here);
            forward(&weight, bias.as_deref(), &x, &mut threads, &mut Scratch::default(), Spread::Threads);
            prop_assert!(here.iter().zip(&out).all(|(a, b)| (a - b).abs() < 1e-4));
            prop_assert_eq!(&here, &threads);
            let mut spread = vec![f32::NAN; rows * outputs];
            layer.forward(&x, &mut spread, &mut Scratch::default(), Spread::Threads);
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
