//! Sparse and quantised tensors.

use super::{Numbers, Part, single, stopped};
use crate::call::{Now, run_on, with_items};
use crate::failure::Failure;
use crate::job::{Job, guard};
use half::{bf16, f16};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::borrow::Cow;
use tamis_kernels::quantize::{Code, Per, Quantized};
use tamis_kernels::real::Stopped;
use tamis_kernels::{job, quantize, sparsify};

#[napi(object)]
pub struct Sparse {
    /// Bytes of items of the input's type.
    pub values: Uint8Array,
    pub mask: Uint8Array,
}

/// Keeps the `keep` best of each row of `width` items: by magnitude, or by scores.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn sparsify<'env>(
    env: &'env Env,
    dtype: String,
    data: &[u8],
    scores: Option<Part>,
    width: f64,
    keep: f64,
    job: Option<&Job>,
) -> Result<Now<'env, Sparse>> {
    let (width, keep) = (width as usize, keep as usize);
    // Ranked by magnitude are the items themselves.
    let magnitudes = scores.is_none();
    let ranked = match &scores {
        Some(scores) => Numbers::of([(scores.dtype.as_str(), scores.data.as_ref())].into_iter())?,
        None => Numbers::of([(dtype.as_str(), data)].into_iter())?,
    };
    let mask_of = move |ranked: &Numbers, job: &job::Job| {
        macro_rules! mask_of {
            ($x:expr) => {{
                let x: &[_] = $x;
                if x.iter().any(|x| x.is_nan()) {
                    let what = if magnitudes { "x" } else { "scores" };
                    return Err(Failure::range(format!("{what} must be finite, or at least no NaN")));
                }
                if keep > width || (width > 0 && !x.len().is_multiple_of(width)) {
                    return Err(Failure::shape("rows that do not fit"));
                }
                if magnitudes {
                    sparsify::mask_of_magnitudes(x, width, keep, job)?
                } else {
                    sparsify::mask_of_scores(x, width, keep, job)?
                }
            }};
        }
        Ok(match ranked {
            Numbers::Single(x) => mask_of!(&x[0]),
            Numbers::Double(x) => mask_of!(&x[0]),
        })
    };
    with_items!(dtype.as_str(), data, |items: &[Item]| {
        let apply = move |x: &[Item], ranked: &Numbers, job: &job::Job| {
            let mask = mask_of(ranked, job)?;
            if mask.len() != x.len() {
                return Err(Failure::shape("scores of another length"));
            }
            let values = sparsify::keep_masked(&mask, x, job)?;
            Ok((bytemuck::cast_slice(&values).to_vec(), mask))
        };
        let finish = |(values, mask)| Sparse { values: Uint8Array::new(values), mask: Uint8Array::new(mask) };
        match job {
            None => {
                let found = guard(|| apply(items, &ranked, &job::Job::default()))?;
                Ok(Either::A(finish(found)))
            }
            Some(_) => {
                let ranked = ranked.into_owned();
                run_on(env, job, items, move |x: &[Item], job: &job::Job| apply(x, &ranked, job), finish)
            }
        }
    })
}

/// To what a scale belongs: a whole tensor, a channel of `count` with `inner` items behind each index, a run of `size`
/// of a row of `width`.
#[napi(object)]
pub struct ScaleShape {
    /// tensor, channel or group
    pub per: String,
    /// Channels, or the width of a row.
    pub count: f64,
    /// Items behind an index, or those of a group.
    pub size: f64,
}

impl ScaleShape {
    fn per(&self) -> Per {
        let (count, size) = ((self.count as usize).max(1), (self.size as usize).max(1));
        match self.per.as_str() {
            "channel" => Per::Channel { count, inner: size },
            "group" => Per::Group { width: count, size },
            _ => Per::Tensor,
        }
    }
}

#[napi(object)]
pub struct QuantizedParts {
    /// Bytes of codes: of 8 bits up to 8 bits, else of 16.
    pub codes: Uint8Array,
    pub scale: Float32Array,
    pub zero: Option<Uint8Array>,
}

/// Codes of `bits` bits for items of a float type.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn quantize<'env>(
    env: &'env Env,
    dtype: String,
    data: &[u8],
    symmetric: bool,
    bits: u32,
    shape: ScaleShape,
    job: Option<&Job>,
) -> Result<Now<'env, QuantizedParts>> {
    let per = shape.per();
    let x = single(&dtype, data)?;
    type Bytes = (Vec<u8>, Vec<f32>, Option<Vec<u8>>);
    fn bytes<C: Code + bytemuck::Pod>(
        found: std::result::Result<Quantized<C>, Stopped>,
    ) -> std::result::Result<Bytes, Failure> {
        let found = found.map_err(|error| stopped("x", error))?;
        let bytes = |codes: Vec<C>| bytemuck::cast_slice(&codes).to_vec();
        Ok((bytes(found.codes), found.scale, found.zero.map(bytes)))
    }
    let work = move |x: &[f32], job: &job::Job| match (symmetric, bits) {
        (true, 2..=8) => bytes(quantize::symmetric::<i8>(x, per, bits, job)),
        (true, 9..=16) => bytes(quantize::symmetric::<i16>(x, per, bits, job)),
        (false, 2..=8) => bytes(quantize::asymmetric::<u8>(x, per, bits, job)),
        (false, 9..=16) => bytes(quantize::asymmetric::<u16>(x, per, bits, job)),
        _ => Err(Failure::range("bits must be 2 to 16")),
    };
    run_on(env, job, &x, work, |(codes, scale, zero)| QuantizedParts {
        codes: Uint8Array::new(codes),
        scale: Float32Array::new(scale),
        zero: zero.map(Uint8Array::new),
    })
}

/// The numbers that codes stand for.
#[napi]
pub fn dequantize<'env>(
    env: &'env Env,
    dtype: String,
    codes: &[u8],
    scale: &[f32],
    zero: Option<&[u8]>,
    shape: ScaleShape,
    job: Option<&Job>,
) -> Result<Now<'env, Float32Array>> {
    let per = shape.per();
    let scale = scale.to_vec();
    fn numbers<C: Code + bytemuck::Pod>(
        codes: &[u8],
        scale: &[f32],
        zero: Option<&[u8]>,
        per: Per,
        job: &job::Job,
    ) -> std::result::Result<Vec<f32>, Failure> {
        // A copy of bytes may lie anywhere.
        let items = |bytes: &[u8]| -> Vec<C> {
            bytes.chunks_exact(size_of::<C>()).map(bytemuck::pod_read_unaligned).collect()
        };
        let codes: Cow<'_, [C]> = match bytemuck::try_cast_slice(codes) {
            Ok(codes) => Cow::Borrowed(codes),
            Err(_) => Cow::Owned(items(codes)),
        };
        let zero = zero.map(items);
        let scales = per.scales(codes.len());
        if scale.len() < scales || zero.as_ref().is_some_and(|zero| zero.len() < scales) {
            return Err(Failure::shape("fewer scales than codes need"));
        }
        Ok(quantize::dequantize(&codes, scale, zero.as_deref(), per, job)?)
    }
    let zero = zero.map(<[u8]>::to_vec);
    let work = move |codes: &[u8], job: &job::Job| match dtype.as_str() {
        "int8" => numbers::<i8>(codes, &scale, zero.as_deref(), per, job),
        "int16" => numbers::<i16>(codes, &scale, zero.as_deref(), per, job),
        "uint8" => numbers::<u8>(codes, &scale, zero.as_deref(), per, job),
        "uint16" => numbers::<u16>(codes, &scale, zero.as_deref(), per, job),
        other => Err(Failure::kind(format!("codes must be integers, got {other}"))),
    };
    run_on(env, job, codes, work, Float32Array::new)
}
