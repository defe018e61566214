//! `signals.*`, and the kernels below it. Data cross as bytes of float32 or float64 items.

mod networks;

use crate::call::{Now, run_on, with_items, word};
use crate::factor::{Real, check_finite, items, rounded};
use crate::failure::Failure;
use crate::filters::axes;
use crate::job::{Job, guard};
use half::{bf16, f16};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::bands::{Mix, mix_bands};
use tamis_kernels::cells::Cells;
use tamis_kernels::factor::FactorError;
use tamis_kernels::layers::Number;
use tamis_kernels::philox::Philox;
use tamis_kernels::regress::{Regression, fit_filters};
use tamis_kernels::resample::{self, Filter};
use tamis_kernels::shrink::{Threshold, shrink};
use tamis_kernels::wavelet::Filters;
use tamis_kernels::{job, noise};

type Found<T> = std::result::Result<T, Failure>;

/// A type of signals.
trait Signal: Real + Number {}

impl<T: Real + Number> Signal for T {}

fn bytes<T: bytemuck::Pod>(items: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(items).to_vec()
}

/// Channels as cells of the last axes; `sides` are those with the channels apart.
#[napi(object)]
pub struct CellShape {
    pub batch: u32,
    /// Of the maps with larger sides.
    pub channels: u32,
    pub sides: Vec<u32>,
    pub factor: u32,
    pub axes: u32,
    pub apart: bool,
    /// From cells to channels.
    pub back: bool,
}

/// Cells of channels, or channels of cells.
#[napi]
pub fn shuffle_cells(dtype: String, data: &[u8], shape: CellShape) -> Result<Uint8Array> {
    let cells = Cells { factor: shape.factor as usize, axes: shape.axes as usize, apart: shape.apart };
    let (batch, channels) = (shape.batch as usize, shape.channels as usize);
    let sides = axes(&shape.sides)?;
    with_items!(dtype.as_str(), data, |items: &[Item]| {
        let moved = guard(|| {
            Ok(if shape.back {
                cells.gather::<Item>(items, batch, channels, cells.grown(sides))
            } else {
                cells.scatter::<Item>(items, batch, channels, sides)
            })
        })?;
        Ok(Uint8Array::new(bytes(&moved)))
    })
}

/// Planes of other sides: `from` and `to` are height and width.
#[napi]
pub fn resize_planes<'env>(
    env: &'env Env,
    wide: bool,
    data: &[u8],
    from: Vec<u32>,
    to: Vec<u32>,
    nearest: bool,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let (&[height, width], &[rows, columns]) = (&from[..], &to[..]) else {
        return Err(Failure::shape("two sides are wanted").into());
    };
    let [from, to] = [[height, width], [rows, columns]].map(|sides| sides.map(|side| side as usize));
    let filter = if nearest { Filter::Nearest } else { Filter::Bicubic };
    if wide {
        let work = move |x: &[f64], _: &job::Job| Ok(bytes(&resample::resample(x, from, to, filter)));
        run_on(env, job, items::<f64>(data)?, work, Uint8Array::new)
    } else {
        let work = move |x: &[f32], _: &job::Job| Ok(bytes(&resample::resample(x, from, to, filter)));
        run_on(env, job, items::<f32>(data)?, work, Uint8Array::new)
    }
}

#[napi(object)]
pub struct RegressionShape {
    pub batch: u32,
    pub channels: u32,
    pub outputs: u32,
    pub sides: Vec<u32>,
    pub kernel: Vec<u32>,
    pub ridge: f64,
}

#[napi(object)]
pub struct FittedFilters {
    pub weight: Uint8Array,
    pub bias: Uint8Array,
    pub mse: f64,
}

/// The convolution of `x` that is nearest to `y`; `names` is what messages call them.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn fit_convolution<'env>(
    env: &'env Env,
    wide: bool,
    x: &[u8],
    y: &[u8],
    names: Vec<String>,
    shape: RegressionShape,
    job: Option<&Job>,
) -> Result<Now<'env, FittedFilters>> {
    if wide {
        fit_of::<f64>(env, x, y, names, shape, job)
    } else {
        fit_of::<f32>(env, x, y, names, shape, job)
    }
}

fn fit_of<'env, T: Signal>(
    env: &'env Env,
    x: &[u8],
    y: &[u8],
    names: Vec<String>,
    shape: RegressionShape,
    job: Option<&Job>,
) -> Result<Now<'env, FittedFilters>> {
    let about = Regression {
        batch: shape.batch as usize,
        channels: shape.channels as usize,
        outputs: shape.outputs as usize,
        sides: axes(&shape.sides)?,
        kernel: axes(&shape.kernel)?,
        ridge: shape.ridge,
    };
    let (x, y) = (items::<T>(x)?, items::<T>(y)?);
    for (name, items) in names.iter().zip([x, y]) {
        check_finite(name, items)?;
    }
    let y = y.to_vec();
    let work = move |x: &[T], job: &job::Job| {
        let found = fit_filters(&about, x, &y, job).map_err(|error| match error {
            FactorError::Aborted => Failure::from(job::Aborted),
            FactorError::NotPositiveDefinite { .. } => Failure::range(
                "singular: the images do not settle the filters, give more of them or a larger ridge",
            ),
            error => Failure::range(format!("the products of the images {error}")),
        })?;
        Ok((rounded::<T>(found.weight), rounded::<T>(found.bias), found.mse))
    };
    run_on(env, job, x, work, |(weight, bias, mse)| FittedFilters {
        weight: Uint8Array::new(weight),
        bias: Uint8Array::new(bias),
        mse,
    })
}

#[napi(object)]
pub struct MixedBands {
    pub low: Uint8Array,
    pub high: Uint8Array,
}

/// The bands of one Haar level, mixed: `low` and `high` are a weight and a bias.
#[napi]
pub fn mix_haar_bands(
    wide: bool,
    x: &[u8],
    channels: u32,
    sides: Vec<u32>,
    low: Vec<Uint8Array>,
    high: Vec<Uint8Array>,
) -> Result<MixedBands> {
    if wide {
        mix_of::<f64>(x, channels, &sides, &low, &high)
    } else {
        mix_of::<f32>(x, channels, &sides, &low, &high)
    }
}

fn mix_of<T: Signal>(
    x: &[u8],
    channels: u32,
    sides: &[u32],
    low: &[Uint8Array],
    high: &[Uint8Array],
) -> Result<MixedBands> {
    let mix = |parts: &[Uint8Array]| match parts {
        [weight, bias] => Ok(Mix { weight: items::<T>(weight)?.to_vec(), bias: items::<T>(bias)?.to_vec() }),
        _ => Err(Failure::shape("a weight and a bias are wanted")),
    };
    let (low, high, sides, x) = (mix(low)?, mix(high)?, axes(sides)?, items::<T>(x)?);
    let found = guard(|| Ok(mix_bands(x, channels as usize, sides, [&low, &high], &job::Job::default())?))?;
    let [low, high] = found.map(|part| Uint8Array::new(bytes(&part)));
    Ok(MixedBands { low, high })
}

/// Planes with their wavelet coefficients shrunk; `rule` is bayes, universal, or given (by `threshold`).
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn shrink_wavelets<'env>(
    env: &'env Env,
    wide: bool,
    data: &[u8],
    sides: Vec<u32>,
    name: String,
    levels: u32,
    rule: String,
    threshold: f64,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let filters =
        Filters::named(&name).ok_or_else(|| Error::from(Failure::range(format!("no wavelet {name}"))))?;
    let sides: Vec<usize> = sides.iter().map(|&side| side as usize).collect();
    let rule = match rule.as_str() {
        "bayes" => Threshold::Bayes,
        "universal" => Threshold::Universal,
        _ => Threshold::Given(threshold),
    };
    let about = Shrinking { sides, filters, levels: levels as usize, rule };
    if wide { about.run::<f64>(env, data, job) } else { about.run::<f32>(env, data, job) }
}

struct Shrinking {
    sides: Vec<usize>,
    filters: Filters,
    levels: usize,
    rule: Threshold,
}

impl Shrinking {
    fn run<'env, T: Signal>(
        self,
        env: &'env Env,
        data: &[u8],
        job: Option<&Job>,
    ) -> Result<Now<'env, Uint8Array>> {
        let work = move |x: &[T], job: &job::Job| -> Found<Vec<u8>> {
            check_finite("x", x)?;
            let Shrinking { sides, filters, levels, rule } = &self;
            Ok(bytes(&shrink(x, sides, filters, *levels, *rule, job)?))
        };
        run_on(env, job, items::<T>(data)?, work, Uint8Array::new)
    }
}

/// `x + sigma z`, z the normal draws of a stream.
#[napi]
pub fn add_normal_noise(
    wide: bool,
    data: &[u8],
    sigma: f64,
    seed: BigInt,
    stream: u32,
) -> Result<Uint8Array> {
    fn added<T: Signal>(data: &[u8], sigma: f64, draws: &Philox) -> Result<Uint8Array> {
        let x = items::<T>(data)?;
        let out = guard(|| Ok(noise::add_normal(x, sigma, draws)))?;
        Ok(Uint8Array::new(bytes(&out)))
    }
    let draws = Philox::new(word(&seed), stream);
    if wide { added::<f64>(data, sigma, &draws) } else { added::<f32>(data, sigma, &draws) }
}
