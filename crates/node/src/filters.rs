//! `kernels.*`: convolutions and wavelets. Data cross as bytes of float32 or float64 items.

use crate::call::{Now, run_on};
use crate::factor::{Real, items, rounded, wide};
use crate::failure::Failure;
use crate::job::Job;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::convolve::{self, Convolution, Item};
use tamis_kernels::job;
use tamis_kernels::wavelet::{self, Filters, Mode};

/// Three axes each; those that are not there have one place.
#[napi(object)]
pub struct ConvolutionShape {
    pub batch: u32,
    pub channels: u32,
    pub outputs: u32,
    pub groups: u32,
    pub input: Vec<u32>,
    pub kernel: Vec<u32>,
    pub stride: Vec<u32>,
    pub dilation: Vec<u32>,
    pub before: Vec<u32>,
    pub after: Vec<u32>,
    pub padding: String,
}

pub(crate) fn axes(sides: &[u32]) -> Result<convolve::Axes> {
    match sides {
        &[d, h, w] => Ok([d as usize, h as usize, w as usize]),
        _ => Err(Failure::shape("a convolution has three axes").into()),
    }
}

/// Cross-correlation; the front has checked that groups, channels and the kernel fit.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn convolve<'env>(
    env: &'env Env,
    wide: bool,
    x: &[u8],
    weight: &[u8],
    bias: Option<&[u8]>,
    shape: ConvolutionShape,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let shape = Convolution {
        batch: shape.batch as usize,
        channels: shape.channels as usize,
        outputs: shape.outputs as usize,
        groups: shape.groups as usize,
        input: axes(&shape.input)?,
        kernel: axes(&shape.kernel)?,
        stride: axes(&shape.stride)?,
        dilation: axes(&shape.dilation)?,
        before: axes(&shape.before)?,
        after: axes(&shape.after)?,
        padding: match shape.padding.as_str() {
            "reflect" => convolve::Padding::Reflect,
            "replicate" => convolve::Padding::Replicate,
            _ => convolve::Padding::Zero,
        },
    };
    if wide {
        convolve_of::<f64>(env, x, weight, bias, shape, job)
    } else {
        convolve_of::<f32>(env, x, weight, bias, shape, job)
    }
}

fn convolve_of<'env, T: Real + Item>(
    env: &'env Env,
    x: &[u8],
    weight: &[u8],
    bias: Option<&[u8]>,
    shape: Convolution,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let x = items::<T>(x)?;
    let weight = items::<T>(weight)?.to_vec();
    let bias = bias.map(|bias| items::<T>(bias).map(<[T]>::to_vec)).transpose()?;
    let work = move |x: &[T], job: &job::Job| {
        let out = convolve::convolve(&shape, x, &weight, bias.as_deref(), job)?;
        Ok(bytemuck::cast_slice(&out).to_vec())
    };
    run_on(env, job, x, work, |out: Vec<u8>| Uint8Array::new(out))
}

fn filters(name: &str) -> Result<Filters> {
    Filters::named(name).ok_or_else(|| Failure::range(format!("no wavelet {name}")).into())
}

fn mode(name: &str) -> Mode {
    match name {
        "zero" => Mode::Zero,
        "periodization" => Mode::Periodization,
        _ => Mode::Symmetric,
    }
}

fn sizes(sides: &[u32]) -> Vec<usize> {
    sides.iter().map(|&side| side as usize).collect()
}

#[napi(object)]
pub struct WaveletFilters {
    pub low: Float64Array,
    pub high: Float64Array,
}

/// The two filters that take a line apart.
#[napi]
pub fn wavelet_filter(name: String) -> Result<WaveletFilters> {
    let filters = filters(&name)?;
    Ok(WaveletFilters { low: Float64Array::new(filters.dec_low), high: Float64Array::new(filters.dec_high) })
}

/// Sides of the bands of arrays of these sides.
#[napi]
pub fn wavelet_bands(name: String, mode: String, sides: Vec<u32>) -> Result<Vec<u32>> {
    let filters = filters(&name)?;
    Ok(sides.iter().map(|&side| filters.band(self::mode(&mode), side as usize) as u32).collect())
}

/// The longest sides that bands of these sides give back; 0 where they are too short.
#[napi]
pub fn wavelet_lines(name: String, mode: String, bands: Vec<u32>) -> Result<Vec<u32>> {
    let filters = filters(&name)?;
    let line = |band: &u32| filters.line(self::mode(&mode), *band as usize).unwrap_or(0) as u32;
    Ok(bands.iter().map(line).collect())
}

/// The bands of `batch` arrays.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn wavelet<'env>(
    env: &'env Env,
    wide: bool,
    data: &[u8],
    batch: u32,
    sides: Vec<u32>,
    name: String,
    mode: String,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let (filters, mode, sides) = (filters(&name)?, self::mode(&mode), sizes(&sides));
    let work = move |x: &[f64]| wavelet::forward(x, batch as usize, &sides, &filters, mode);
    transformed(env, wide, data, work, job)
}

/// `batch` arrays from their bands.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn inverse_wavelet<'env>(
    env: &'env Env,
    wide: bool,
    data: &[u8],
    batch: u32,
    bands: Vec<u32>,
    sides: Vec<u32>,
    name: String,
    mode: String,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let (filters, mode) = (filters(&name)?, self::mode(&mode));
    let (bands, sides) = (sizes(&bands), sizes(&sides));
    let work = move |x: &[f64]| wavelet::inverse(x, batch as usize, &bands, &sides, &filters, mode);
    transformed(env, wide, data, work, job)
}

fn transformed<'env>(
    env: &'env Env,
    wide: bool,
    data: &[u8],
    work: impl FnOnce(&[f64]) -> Vec<f64> + Send + 'static,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    if wide {
        transformed_of::<f64>(env, data, work, job)
    } else {
        transformed_of::<f32>(env, data, work, job)
    }
}

fn transformed_of<'env, T: Real>(
    env: &'env Env,
    data: &[u8],
    work: impl FnOnce(&[f64]) -> Vec<f64> + Send + 'static,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let work = move |x: &[T], _: &job::Job| Ok(rounded::<T>(work(&wide(x))));
    run_on(env, job, items::<T>(data)?, work, |out: Vec<u8>| Uint8Array::new(out))
}
