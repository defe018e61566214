//! `kernels.farthestFirst`, and what the room of vectors stands on.

use crate::call::{Now, run_on, word};
use crate::failure::Failure;
use crate::job::{Job, guard};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::farthest::{self, FarthestError, Kept, Metric, Real, Request, Start};
use tamis_kernels::repel::{self, Batch};
use tamis_kernels::{flatten, job, unit};

/// What a distance is.
#[napi(string_enum = "lowercase")]
pub enum FarthestMetric {
    Cosine,
    Euclidean,
    Precomputed,
}

/// Where to begin; `Row` and `Random` with a number beside it.
#[napi(string_enum = "lowercase")]
pub enum FarthestStart {
    Row,
    Random,
    Isolated,
    Pair,
}

#[napi(object)]
pub struct FarthestOptions {
    pub rows: u32,
    pub width: u32,
    pub metric: FarthestMetric,
    pub k: u32,
    pub min_distance: Option<f64>,
    pub start: FarthestStart,
    pub row: u32,
    pub seed: BigInt,
}

#[napi(object)]
pub struct FarthestKept {
    pub indices: Uint32Array,
    pub distances: Float32Array,
    pub radius: f64,
}

impl From<FarthestError> for Failure {
    fn from(error: FarthestError) -> Self {
        match error {
            FarthestError::Aborted => job::Aborted.into(),
            other => Failure::range(other.to_string()),
        }
    }
}

impl FarthestOptions {
    /// Checks again what memory safety and the kernel's own checks rest on.
    fn request<'a, T>(
        &self,
        x: &'a [T],
        mask: Option<&'a [u8]>,
        initial: &'a [u32],
        anchors: &'a [T],
    ) -> std::result::Result<Request<'a, T>, Failure> {
        let (rows, width) = (self.rows as usize, self.width as usize);
        let metric = match self.metric {
            FarthestMetric::Cosine => Metric::Cosine,
            FarthestMetric::Euclidean => Metric::Euclidean,
            FarthestMetric::Precomputed => Metric::Precomputed,
        };
        let start = match self.start {
            FarthestStart::Row => Start::Row(self.row as usize),
            FarthestStart::Random => Start::Random(word(&self.seed)),
            FarthestStart::Isolated => Start::Isolated,
            FarthestStart::Pair => Start::Pair,
        };
        if Some(x.len()) != rows.checked_mul(width) {
            return Err(Failure::shape("dims: x does not hold what its dims say"));
        }
        if metric == Metric::Precomputed && (rows != width || !anchors.is_empty()) {
            return Err(Failure::shape("x must be square and without anchors if distances are precomputed"));
        }
        if anchors.len() != anchors.len().checked_div(width).unwrap_or(0) * width {
            return Err(Failure::shape(format!("anchors must have rows of {width} items")));
        }
        if mask.is_some_and(|mask| mask.len() != rows) {
            return Err(Failure::shape(format!("mask must have {rows} items")));
        }
        if initial.iter().any(|&row| row >= self.rows) {
            return Err(Failure::range(format!("initial must be of rows below {rows}")));
        }
        let begins = initial.is_empty() && anchors.is_empty() && rows > 0 && self.k > 0;
        if begins
            && let Start::Row(row) = start
            && (row >= rows || mask.is_some_and(|mask| mask[row] == 0))
        {
            return Err(Failure::range(format!("start must be a candidate row, got {row}")));
        }
        let (k, min_distance) = (self.k as usize, self.min_distance);
        Ok(Request { x, rows, width, metric, k, min_distance, start, mask, initial, anchors })
    }
}

/// Max-Min selection from `data`, rows of `dtype`, and beside `anchors` of the same type.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn farthest_first<'env>(
    env: &'env Env,
    dtype: String,
    data: &[u8],
    options: FarthestOptions,
    mask: Option<&[u8]>,
    initial: &[u32],
    anchors: &[u8],
    job: Option<&Job>,
) -> Result<Now<'env, FarthestKept>> {
    match dtype.as_str() {
        "float32" => farthest_of::<f32>(env, data, options, mask, initial, anchors, job),
        "float64" => farthest_of::<f64>(env, data, options, mask, initial, anchors, job),
        other => Err(Failure::kind(format!("x must be float32 or float64, got {other}")).into()),
    }
}

fn farthest_of<'env, T: Real + bytemuck::Pod>(
    env: &'env Env,
    data: &[u8],
    options: FarthestOptions,
    mask: Option<&[u8]>,
    initial: &[u32],
    anchors: &[u8],
    job: Option<&Job>,
) -> Result<Now<'env, FarthestKept>> {
    let (mask, initial) = (mask.map(<[u8]>::to_vec), initial.to_vec());
    let anchors = items_of::<T>(anchors)?.to_vec();
    let work = move |x: &[T], job: &job::Job| {
        let request = options.request(x, mask.as_deref(), &initial, &anchors)?;
        Ok(farthest::farthest_first(&request, job)?)
    };
    run_on(env, job, items_of::<T>(data)?, work, |kept: Kept| FarthestKept {
        indices: Uint32Array::new(kept.indices),
        distances: Float32Array::new(kept.distances),
        radius: kept.radius,
    })
}

fn items_of<T: bytemuck::Pod>(bytes: &[u8]) -> Result<&[T]> {
    // An empty array may lie anywhere.
    if bytes.is_empty() {
        return Ok(&[]);
    }
    bytemuck::try_cast_slice(bytes).map_err(|e| Failure::shape(format!("data: {e}")).into())
}

/// The place of the first item of `dtype` float32 or float64 that is NaN or infinite.
#[napi]
pub fn find_not_finite(dtype: String, data: &[u8]) -> Result<Option<f64>> {
    fn find<T: Real + bytemuck::Pod>(data: &[u8]) -> Result<Option<f64>> {
        let finite = |&x: &T| Into::<f64>::into(x).is_finite();
        Ok(items_of::<T>(data)?.iter().position(|x| !finite(x)).map(|at| at as f64))
    }
    if dtype == "float32" { find::<f32>(data) } else { find::<f64>(data) }
}

/// Rows of `width`, each divided by its norm; `name` is what a message calls them.
#[napi]
pub fn unit_rows(name: String, dtype: String, data: &[u8], width: u32) -> Result<Uint8Array> {
    fn divide<T: Real + bytemuck::Pod>(name: &str, data: &[u8], width: u32) -> Result<Uint8Array> {
        let x = items_of::<T>(data)?;
        if x.len() != x.len().checked_div(width as usize).unwrap_or(0) * width as usize {
            return Err(Failure::shape(format!("dims: {name} must have rows of {width} items")).into());
        }
        let rows = guard(|| {
            let zero = |row| Failure::range(format!("row {row} of {name} is zero: it has no direction"));
            unit::unit_rows(x, width as usize).map_err(zero)
        })?;
        Ok(Uint8Array::new(bytemuck::cast_slice(&rows).to_vec()))
    }
    if dtype == "float32" { divide::<f32>(&name, data, width) } else { divide::<f64>(&name, data, width) }
}

/// Weights that flatten a sample whose k-th neighbours are at `radii`; the `drop` largest are 0.
#[napi]
pub fn flatten_weights(radii: &[f64], power: f64, drop: u32) -> Result<Float64Array> {
    let all_equal = |_| Failure::range("all samples are equal: no weight is above 0");
    guard(|| flatten::flatten(radii, power, drop as usize).map_err(all_equal)).map(Float64Array::new)
}

#[napi(object)]
pub struct RepelOptions {
    pub channels: u32,
    pub places: u32,
    pub limit: Option<f64>,
    pub step: f64,
}

#[napi(object)]
pub struct RepelledItems {
    /// Bytes of items of the input's type.
    pub items: Uint8Array,
    pub nearest: Uint32Array,
}

/// Pushes the items of a batch away from their nearest neighbours.
#[napi]
pub fn repel_items(
    dtype: String,
    data: &[u8],
    options: RepelOptions,
    mask: Option<&[u8]>,
) -> Result<RepelledItems> {
    if dtype == "float32" {
        repel_of::<f32>(data, &options, mask)
    } else {
        repel_of::<f64>(data, &options, mask)
    }
}

fn repel_of<T: Real + bytemuck::Pod>(
    data: &[u8],
    options: &RepelOptions,
    mask: Option<&[u8]>,
) -> Result<RepelledItems> {
    let &RepelOptions { channels, places, limit, step } = options;
    let (channels, places) = (channels as usize, places as usize);
    let items = items_of::<T>(data)?;
    let size = channels.checked_mul(places).unwrap_or(0);
    if size == 0 || items.len() % size != 0 || items.len() / size < 2 {
        return Err(Failure::shape("batch: two whole items at least are wanted").into());
    }
    if mask.is_some_and(|mask| mask.len() != places || mask.iter().all(|&m| m == 0)) {
        return Err(Failure::shape(format!("mask must have {places} items, one of them not 0")).into());
    }
    let batch = Batch { items, channels, places, mask, limit, step };
    let moved = guard(|| {
        let spoilt = |item| Failure::range(format!("item {item} is not finite: it holds NaN or Infinity"));
        repel::repel(&batch).map_err(spoilt)
    })?;
    Ok(RepelledItems {
        items: Uint8Array::new(bytemuck::cast_slice(&moved.items).to_vec()),
        nearest: Uint32Array::new(moved.nearest),
    })
}
