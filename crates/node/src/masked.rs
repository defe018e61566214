//! Products of matrices, and masks with what flows back through them. All work at once, in float32.

use crate::failure::Failure;
use crate::job::guard;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::gemm::{self, Matrix};
use tamis_kernels::job::Job;
use tamis_kernels::masked::{self, Scoring};

/// A row-major matrix [rows, columns], taken as it is or transposed.
#[napi(object)]
pub struct Factor {
    pub data: Float32Array,
    pub rows: u32,
    pub columns: u32,
    pub transposed: bool,
}

impl Factor {
    fn matrix(&self) -> std::result::Result<Matrix<'_, f32>, Failure> {
        let (rows, columns) = (self.rows as usize, self.columns as usize);
        if self.data.len() != rows * columns {
            return Err(Failure::shape("a matrix of another shape"));
        }
        let matrix = Matrix::new(&self.data, rows, columns);
        Ok(if self.transposed { matrix.transpose() } else { matrix })
    }

    fn sides(&self) -> [usize; 2] {
        let [rows, columns] = [self.rows as usize, self.columns as usize];
        if self.transposed { [columns, rows] } else { [rows, columns] }
    }
}

/// `base + factor * A B`; without a base `factor * A B`.
#[napi]
pub fn multiply(a: Factor, b: Factor, factor: f64, base: Option<&[f32]>) -> Result<Float32Array> {
    let ([rows, inner], [height, columns]) = (a.sides(), b.sides());
    guard(|| {
        if inner != height || base.is_some_and(|base| base.len() != rows * columns) {
            return Err(Failure::shape("matrices that do not fit"));
        }
        Ok(gemm::multiply(a.matrix()?, b.matrix()?, factor as f32, base, &Job::default())?)
    })
    .map(Float32Array::new)
}

/// `|weight| + productFactor * product + lineFactor * (row + column)`.
#[napi]
pub fn mask_scores(
    weight: &[f32],
    product: &[f32],
    product_factor: f64,
    rows: &[f32],
    columns: &[f32],
    line_factor: f64,
) -> Result<Float32Array> {
    guard(|| {
        if weight.len() != rows.len() * columns.len() || product.len() != weight.len() {
            return Err(Failure::shape("matrices of other shapes"));
        }
        let [product_factor, line_factor] = [product_factor as f32, line_factor as f32];
        let scoring = Scoring { weight, product, product_factor, rows, columns, line_factor };
        Ok(masked::scores(&scoring, &Job::default())?)
    })
    .map(Float32Array::new)
}

#[napi(object)]
pub struct MaskSlopes {
    pub scores: Float32Array,
    pub rows: Float32Array,
    pub columns: Float32Array,
    pub weight: Float32Array,
}

/// The slopes behind `mask * weight`, rows of `width` items.
#[napi]
pub fn mask_slopes(gradient: &[f32], weight: &[f32], mask: &[u8], width: u32) -> Result<MaskSlopes> {
    let width = width as usize;
    let work = || {
        let n = weight.len();
        let rows = n == 0 || (width > 0 && n.is_multiple_of(width));
        if !rows || gradient.len() != n || mask.len() != n {
            return Err(Failure::shape("matrices of other shapes"));
        }
        Ok(masked::slopes(gradient, weight, mask, width, &Job::default())?)
    };
    guard(work).map(|found| MaskSlopes {
        scores: Float32Array::new(found.scores),
        rows: Float32Array::new(found.rows),
        columns: Float32Array::new(found.columns),
        weight: Float32Array::new(found.weight),
    })
}
