//! Signs with one scale: made, packed, multiplied.

use super::{Numbers, Part, not_finite, slices, view};
use crate::call::{Now, run};
use crate::failure::Failure;
use crate::job::{Job, guard};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::golomb::GolombError;
use tamis_kernels::real::Real;
use tamis_kernels::ternary::{BadSigns, Scale, TernarizeError};
use tamis_kernels::{bits, golomb, job, ternary};

impl From<BadSigns> for Failure {
    fn from(bad: BadSigns) -> Self {
        Failure::range(bad.to_string())
    }
}

#[napi(object)]
pub struct SignMasks {
    pub positive: Uint8Array,
    pub negative: Uint8Array,
}

#[napi(object)]
pub struct Ternary {
    pub parts: Vec<SignMasks>,
    pub scale: f64,
    pub nonzeros: f64,
}

/// The signs of the largest magnitudes of all parts; without `alpha` the scale is the mean magnitude of what is kept.
#[napi]
pub fn ternarize<'env>(
    env: &'env Env,
    names: Vec<String>,
    parts: Vec<Part>,
    density: f64,
    alpha: Option<f64>,
    job: Option<&Job>,
) -> Result<Now<'env, Ternary>> {
    let scale = alpha.map_or(Scale::MeanAbs, Scale::Std);
    let numbers = Numbers::of(view(&parts))?;
    let work = move |numbers: &Numbers, job: &job::Job| {
        let found = match numbers {
            Numbers::Single(parts) => ternary::ternarize(&slices(parts), density, scale, job),
            Numbers::Double(parts) => ternary::ternarize(&slices(parts), density, scale, job),
        };
        found.map_err(|error| match error {
            TernarizeError::Empty => Failure::range("update is empty"),
            TernarizeError::NotFinite { part } => not_finite(&names[part]),
            TernarizeError::Aborted => job::Aborted.into(),
        })
    };
    let finish = |found: ternary::Ternary| Ternary {
        parts: found
            .parts
            .into_iter()
            .map(|signs| SignMasks {
                positive: Uint8Array::new(signs.positive),
                negative: Uint8Array::new(signs.negative),
            })
            .collect(),
        scale: f64::from(found.scale),
        nonzeros: found.nonzeros as f64,
    };
    match job {
        None => Ok(Either::A(finish(guard(|| work(&numbers, &job::Job::default()))?))),
        Some(_) => {
            let numbers = numbers.into_owned();
            run(env, job, move |job| work(&numbers, job), finish)
        }
    }
}

#[napi(object)]
pub struct TernaryCost {
    pub elements: f64,
    pub kept: f64,
    pub golomb_parameter: u32,
    pub entropy_bits: f64,
    pub golomb_bits: f64,
    pub bitmask_bits: f64,
    pub dense_bits: f64,
}

#[napi]
pub fn ternary_cost(elements: f64, kept: f64) -> TernaryCost {
    let cost = ternary::cost(elements as u64, kept as u64);
    TernaryCost {
        elements,
        kept,
        golomb_parameter: cost.golomb_parameter,
        entropy_bits: cost.entropy,
        golomb_bits: cost.golomb,
        bitmask_bits: cost.bitmask,
        dense_bits: cost.dense,
    }
}

/// Refuses masks that do not have a bit for each of `n` items, or are not those of signs.
fn check_signs(positive: &[u8], negative: &[u8], n: usize) -> std::result::Result<(), Failure> {
    if positive.len() != bits::bytes_of(n) || negative.len() != positive.len() {
        return Err(Failure::shape("masks of another length"));
    }
    Ok(ternary::check_signs(positive, negative, n)?)
}

#[napi]
pub fn expand_ternary(positive: &[u8], negative: &[u8], n: f64, scale: f64) -> Result<Float32Array> {
    let n = n as usize;
    let work = || {
        check_signs(positive, negative, n)?;
        let mut out = vec![0.0; n];
        ternary::expand(positive, negative, scale as f32, &mut out, &job::Job::default())?;
        Ok(out)
    };
    guard(work).map(Float32Array::new)
}

#[napi]
pub fn encode_golomb(positive: &[u8], negative: &[u8], n: f64) -> Result<Uint8Array> {
    let work = || {
        check_signs(positive, negative, n as usize)?;
        Ok(golomb::encode(positive, negative, n as usize, &job::Job::default())?)
    };
    guard(work).map(Uint8Array::new)
}

#[napi]
pub fn decode_golomb(bytes: &[u8], n: f64) -> Result<SignMasks> {
    let work = || {
        golomb::decode(bytes, n as usize, &job::Job::default()).map_err(|error| match error {
            GolombError::Aborted => job::Aborted.into(),
            other => Failure::format(other.to_string()),
        })
    };
    let (positive, negative) = guard(work)?;
    Ok(SignMasks { positive: Uint8Array::new(positive), negative: Uint8Array::new(negative) })
}

/// Signs that agree less those that differ, of two tensors of `n` items.
#[napi]
pub fn dot_ternary(
    positive: &[u8],
    negative: &[u8],
    other_positive: &[u8],
    other_negative: &[u8],
    n: f64,
) -> Result<f64> {
    guard(|| {
        check_signs(positive, negative, n as usize)?;
        check_signs(other_positive, other_negative, n as usize)?;
        Ok(ternary::dot([positive, negative], [other_positive, other_negative]) as f64)
    })
}

/// The product of a ternary matrix of `rows` by `cols` with the rows of x, as bytes of float64 for float64, else of
/// float32.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn multiply_ternary(
    positive: &[u8],
    negative: &[u8],
    scale: f64,
    rows: f64,
    cols: f64,
    batch: f64,
    dtype: String,
    data: &[u8],
) -> Result<Uint8Array> {
    let (rows, cols, batch) = (rows as usize, cols as usize, batch as usize);
    let numbers = Numbers::of([(dtype.as_str(), data)].into_iter())?;
    fn product<T: Real + bytemuck::Pod>(
        masks: [&[u8]; 2],
        scale: f64,
        [rows, cols, batch]: [usize; 3],
        x: &[T],
    ) -> std::result::Result<Vec<u8>, Failure> {
        if x.len() != batch * cols {
            return Err(Failure::shape("x of another length"));
        }
        let mut out = vec![T::default(); rows * batch];
        ternary::multiply(masks, scale, cols, x, &mut out, &job::Job::default())?;
        Ok(bytemuck::cast_slice(&out).to_vec())
    }
    let work = || {
        check_signs(positive, negative, rows * cols)?;
        let (masks, shape) = ([positive, negative], [rows, cols, batch]);
        match &numbers {
            Numbers::Single(x) => product(masks, scale, shape, &x[0]),
            Numbers::Double(x) => product(masks, scale, shape, &x[0]),
        }
    };
    guard(work).map(Uint8Array::new)
}
