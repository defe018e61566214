//! Rows and columns of matrices: statistics in streams, sums, columns taken out.

use super::{Numbers, Part, not_finite, stopped};
use crate::call::with_items;
use crate::failure::Failure;
use crate::job::guard;
use half::{bf16, f16};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::columns::stream::{self, Spread};
use tamis_kernels::columns::{self, Term};
use tamis_kernels::job::Job;
use tamis_kernels::paired::{self, Measure};
use tamis_kernels::real::Real;
use tamis_kernels::rows;

/// Does something with tensors of floats as slices of `f32` or, if one of them is float64, of `f64`.
macro_rules! with_numbers {
    (|$($name:ident),*| $body:expr) => {{
        let parts = [$($name),*];
        match Numbers::of(parts.iter().map(|part: &&Part| (part.dtype.as_str(), part.data.as_ref())))? {
            Numbers::Single(items) => {
                let [$($name),*] = &items[..] else { unreachable!("a slice for each tensor") };
                guard(|| $body)
            }
            Numbers::Double(items) => {
                let [$($name),*] = &items[..] else { unreachable!("a slice for each tensor") };
                guard(|| $body)
            }
        }
    }};
}

/// A width that divides the items.
fn whole_rows(items: usize, width: f64) -> std::result::Result<usize, Failure> {
    let width = width as usize;
    if items == 0 || (width > 0 && items.is_multiple_of(width)) {
        return Ok(width);
    }
    Err(Failure::shape("rows that do not fit"))
}

#[napi(object)]
pub struct ColumnSummary {
    pub matrices: f64,
    pub mean: Float64Array,
    pub squares: Float64Array,
    pub spread: Float64Array,
}

/// Mean, squares and spread of each column over a stream of matrices.
#[napi]
pub struct ColumnStats {
    stats: stream::ColumnStats,
}

#[napi]
impl ColumnStats {
    /// `of_rows`: the spread is the variance over all rows, else that of each matrix from the mean so far.
    #[napi(constructor)]
    pub fn new(width: u32, of_rows: bool) -> Self {
        let kind = if of_rows { Spread::OfRows } else { Spread::OfMatrices };
        ColumnStats { stats: stream::ColumnStats::new(width as usize, kind) }
    }

    /// Adds matrices of `rows` rows each.
    #[napi]
    pub fn add(&mut self, name: String, x: Part, rows: f64) -> Result<()> {
        let (x, stats) = (&x, &mut self.stats);
        with_numbers!(|x| {
            let rows = rows as usize;
            if !x.is_empty() && (rows == 0 || !x.len().is_multiple_of(rows * stats.width())) {
                return Err(Failure::shape("matrices that do not fit"));
            }
            stats.add(x, rows, &Job::default()).map_err(|error| stopped(&name, error))
        })
    }

    #[napi]
    pub fn result(&self) -> ColumnSummary {
        ColumnSummary {
            matrices: self.stats.matrices() as f64,
            mean: Float64Array::new(self.stats.mean()),
            squares: Float64Array::new(self.stats.squares()),
            spread: Float64Array::new(self.stats.spread()),
        }
    }
}

fn measure_of(name: &str) -> Measure {
    match name {
        "angular" => Measure::Angular,
        "mse" => Measure::MeanSquare,
        "mae" => Measure::MeanMagnitude,
        _ => Measure::Cosine,
    }
}

#[napi(object)]
pub struct PairedSums {
    pub sums: Float64Array,
    pub rows: Float64Array,
}

/// Sums of how alike the rows of two matrices are, over streams of them.
#[napi]
pub struct PairedStats {
    stats: paired::PairedStats,
    streams: usize,
}

#[napi]
impl PairedStats {
    /// `measure`: cosine, angular, mse or mae; `added`: what is compared with x is x + y.
    #[napi(constructor)]
    pub fn new(streams: u32, measure: String, added: bool) -> Self {
        let streams = streams as usize;
        PairedStats { stats: paired::PairedStats::new(streams, measure_of(&measure), added), streams }
    }

    /// Adds rows of `width` items to a stream.
    #[napi]
    pub fn add(&mut self, name: String, stream: u32, x: Part, y: Part, width: f64) -> Result<()> {
        let (x, y, stats, stream) = (&x, &y, &mut self.stats, stream as usize);
        if stream >= self.streams {
            return Err(Failure::range("no such stream").into());
        }
        with_numbers!(|x, y| {
            if x.len() != y.len() {
                return Err(Failure::shape("sides of two lengths"));
            }
            let width = whole_rows(x.len(), width)?;
            stats.add(stream, x, y, width, &Job::default()).map_err(|error| stopped(&name, error))
        })
    }

    #[napi]
    pub fn result(&self) -> PairedSums {
        let (sums, rows): (Vec<f64>, Vec<f64>) =
            self.stats.sums().into_iter().map(|(sum, rows)| (sum, rows as f64)).unzip();
        PairedSums { sums: Float64Array::new(sums), rows: Float64Array::new(rows) }
    }
}

/// Refuses sums that are not finite, which those of a NaN or infinity never are.
fn finite(name: &str, sums: Vec<f64>) -> std::result::Result<Float64Array, Failure> {
    if sums.iter().all(|sum| sum.is_finite()) { Ok(Float64Array::new(sums)) } else { Err(not_finite(name)) }
}

/// The sum of each column's magnitudes, or of its squares.
#[napi]
pub fn column_sums(name: String, x: Part, width: f64, squared: bool) -> Result<Float64Array> {
    let x = &x;
    with_numbers!(|x| {
        let width = whole_rows(x.len(), width)?;
        let term = if squared { Term::Square } else { Term::Magnitude };
        finite(&name, columns::sums(x, width, term, &Job::default())?)
    })
}

/// The sum of each row's magnitudes.
#[napi]
pub fn row_magnitudes(name: String, x: Part, width: f64) -> Result<Float64Array> {
    let x = &x;
    with_numbers!(|x| {
        let width = whole_rows(x.len(), width)?;
        finite(&name, rows::magnitudes(x, width, &Job::default())?)
    })
}

/// The sum of each row's products with the weights, one a column.
#[napi]
pub fn weighted_row_sums(name: String, x: Part, weights: &[f64]) -> Result<Float64Array> {
    let x = &x;
    with_numbers!(|x| {
        whole_rows(x.len(), weights.len() as f64)?;
        finite(&name, rows::weighted_sums(x, weights, &Job::default())?)
    })
}

/// Bytes of `|x| scale` for each column's scale: float64 for float64, else float32.
#[napi]
pub fn scaled_magnitudes(x: Part, scale: &[f64]) -> Result<Uint8Array> {
    fn scaled<T: Real + bytemuck::Pod>(x: &[T], scale: &[f64]) -> std::result::Result<Uint8Array, Failure> {
        whole_rows(x.len(), scale.len() as f64)?;
        let scale: Vec<T> = scale.iter().map(|&scale| T::from_f64(scale)).collect();
        let found = rows::scaled_magnitudes(x, &scale, &Job::default())?;
        Ok(Uint8Array::new(bytemuck::cast_slice(&found).to_vec()))
    }
    let x = &x;
    with_numbers!(|x| scaled(x, scale))
}

/// Bytes of the columns where the mask, one item a column, is not 0.
#[napi]
pub fn keep_columns(x: Part, mask: &[u8]) -> Result<Uint8Array> {
    with_items!(x.dtype.as_str(), x.data.as_ref(), |items: &[Item]| {
        guard(|| {
            whole_rows(items.len(), mask.len() as f64)?;
            let kept = rows::keep_columns(items, mask, &Job::default())?;
            Ok(Uint8Array::new(bytemuck::cast_slice(&kept).to_vec()))
        })
    })
}

/// Refuses a NaN or infinity.
#[napi]
pub fn check_finite(name: String, x: Part) -> Result<()> {
    let x = &x;
    with_numbers!(|x| { if rows::all_finite(x, &Job::default())? { Ok(()) } else { Err(not_finite(&name)) } })
}
