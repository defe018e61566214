//! `weights.*`, and the kernels below it: sparse, quantised and ternary tensors, merges and masks.

use crate::call::{Now, run, run_on, with_items};
use crate::failure::Failure;
use crate::job::{Job, guard};
use half::{bf16, f16};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::borrow::Cow;
use tamis_kernels::golomb::GolombError;
use tamis_kernels::masks::MaskError;
use tamis_kernels::merge::{Merge, Trim, UpdateError};
use tamis_kernels::quantize::{Code, Per, Quantized};
use tamis_kernels::real::{Real, Stopped};
use tamis_kernels::ternary::{BadSigns, Scale, TernarizeError};
use tamis_kernels::{bits, golomb, job, masks, merge, quantize, sparsify, ternary};

/// A float tensor: `data` holds items of `type`.
#[napi(object)]
pub struct Part {
    #[napi(js_name = "type")]
    pub dtype: String,
    pub data: Uint8Array,
}

/// Float tensors side by side: in float64 if one of them is, else in float32.
enum Numbers<'a> {
    Single(Vec<Cow<'a, [f32]>>),
    Double(Vec<Cow<'a, [f64]>>),
}

/// What [`Numbers`] are made of.
trait Widen: Copy {
    fn single(items: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure>;
    fn double(items: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure>;
}

macro_rules! widen_halves {
    ($($t:ty)*) => {$(
        impl Widen for $t {
            fn single(items: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure> {
                Ok(items.iter().map(|x| x.to_f32()).collect())
            }
            fn double(items: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure> {
                Ok(items.iter().map(|x| x.to_f64()).collect())
            }
        }
    )*};
}

macro_rules! refuse_integers {
    ($($t:ty)*) => {$(
        impl Widen for $t {
            fn single(_: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure> {
                Err(Failure::kind("a tensor of floats is wanted"))
            }
            fn double(_: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure> {
                Err(Failure::kind("a tensor of floats is wanted"))
            }
        }
    )*};
}

widen_halves!(f16 bf16);
refuse_integers!(i8 u8 i16 u16 i32 u32 i64);

impl Widen for f32 {
    fn single(items: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure> {
        Ok(Cow::Borrowed(items))
    }
    fn double(items: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure> {
        Ok(items.iter().map(|&x| f64::from(x)).collect())
    }
}

impl Widen for f64 {
    fn single(items: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure> {
        Ok(items.iter().map(|&x| x as f32).collect())
    }
    fn double(items: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure> {
        Ok(Cow::Borrowed(items))
    }
}

fn single<'a>(dtype: &str, data: &'a [u8]) -> Result<Cow<'a, [f32]>> {
    with_items!(dtype, data, |items: &[Item]| Ok(<Item as Widen>::single(items)?))
}

fn double<'a>(dtype: &str, data: &'a [u8]) -> Result<Cow<'a, [f64]>> {
    with_items!(dtype, data, |items: &[Item]| Ok(<Item as Widen>::double(items)?))
}

impl<'a> Numbers<'a> {
    fn of(parts: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Result<Self> {
        if parts.clone().any(|(dtype, _)| dtype == "float64") {
            Ok(Numbers::Double(parts.map(|(dtype, data)| double(dtype, data)).collect::<Result<_>>()?))
        } else {
            Ok(Numbers::Single(parts.map(|(dtype, data)| single(dtype, data)).collect::<Result<_>>()?))
        }
    }

    /// Copies what is borrowed, for a call that outlives its caller.
    fn into_owned(self) -> Numbers<'static> {
        fn own<T: Copy>(parts: Vec<Cow<'_, [T]>>) -> Vec<Cow<'static, [T]>> {
            parts.into_iter().map(|part| Cow::Owned(part.into_owned())).collect()
        }
        match self {
            Numbers::Single(parts) => Numbers::Single(own(parts)),
            Numbers::Double(parts) => Numbers::Double(own(parts)),
        }
    }
}

fn view(parts: &[Part]) -> impl Iterator<Item = (&str, &[u8])> + Clone {
    parts.iter().map(|part| (part.dtype.as_str(), part.data.as_ref()))
}

fn slices<'a, T: Copy>(parts: &'a [Cow<'_, [T]>]) -> Vec<&'a [T]> {
    parts.iter().map(|part| part.as_ref()).collect()
}

fn not_finite(name: &str) -> Failure {
    Failure::range(format!("{name} is not finite: it holds a NaN or infinity"))
}

fn stopped(name: &str, stopped: Stopped) -> Failure {
    match stopped {
        Stopped::NotFinite => not_finite(name),
        Stopped::Aborted => job::Aborted.into(),
    }
}

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

/// All tensors of several updates, update after update, as they came from `names.len()` tensors each.
fn all_numbers(updates: &[Vec<Part>], merged: Option<&[Part]>) -> Result<Numbers<'static>> {
    let all = updates.iter().flat_map(|update| view(update)).chain(merged.into_iter().flat_map(view));
    Ok(Numbers::of(all)?.into_owned())
}

fn rows_of<'a, T: Copy>(parts: &'a [Cow<'_, [T]>], width: usize, count: usize) -> Vec<Vec<&'a [T]>> {
    (0..count).map(|row| slices(&parts[row * width..(row + 1) * width])).collect()
}

/// Refuses tensors that differ in length from update to update.
fn check_lengths<T: Copy>(parts: &[Cow<'_, [T]>], width: usize) -> std::result::Result<(), Failure> {
    let whole = width == 0 || parts.len().is_multiple_of(width);
    if whole && parts.iter().enumerate().all(|(i, part)| part.len() == parts[i % width].len()) {
        return Ok(());
    }
    Err(Failure::shape("shape mismatch between updates"))
}

fn update_failure(names: &[String], updates: usize, merged: bool, error: UpdateError) -> Failure {
    match error {
        UpdateError::Aborted => job::Aborted.into(),
        UpdateError::NotFinite { update, part } if update < updates => {
            not_finite(&format!("updates[{update}]: tensor {:?}", names[part]))
        }
        UpdateError::NotFinite { part, .. } => {
            let what = if merged { "merged" } else { "the sum of the updates" };
            not_finite(&format!("{what}: tensor {:?}", names[part]))
        }
    }
}

fn float_arrays(parts: Vec<Vec<f32>>) -> Vec<Float32Array> {
    parts.into_iter().map(Float32Array::new).collect()
}

/// Trims, elects and merges updates of the same tensors: `merge` is mean, sum or max.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn merge_updates<'env>(
    env: &'env Env,
    names: Vec<String>,
    updates: Vec<Vec<Part>>,
    density: f64,
    whole: bool,
    weights: Vec<f64>,
    merge: String,
    job: Option<&Job>,
) -> Result<Now<'env, Vec<Float32Array>>> {
    let count = updates.len();
    let numbers = all_numbers(&updates, None)?;
    let merge = match merge.as_str() {
        "mean" => Merge::Mean,
        "sum" => Merge::Sum,
        _ => Merge::Max,
    };
    let trim = Trim { density, whole };
    let work = move |job: &job::Job| {
        fn merged<T: Real>(
            parts: &[Cow<'_, [T]>],
            [width, count]: [usize; 2],
            (trim, weights, merge): (Trim, &[f64], Merge),
            job: &job::Job,
        ) -> std::result::Result<std::result::Result<Vec<Vec<f32>>, UpdateError>, Failure> {
            check_lengths(parts, width)?;
            Ok(merge::trim_merge(&rows_of(parts, width, count), trim, weights, merge, job))
        }
        let (shape, how) = ([names.len(), count], (trim, weights.as_slice(), merge));
        let found = match &numbers {
            Numbers::Single(parts) => merged(parts, shape, how, job)?,
            Numbers::Double(parts) => merged(parts, shape, how, job)?,
        };
        found.map_err(|error| update_failure(&names, count, false, error))
    };
    run(env, job, work, float_arrays)
}

/// `model - base` of one tensor.
#[napi]
pub fn subtract(name: String, model: Part, base: Part) -> Result<Float32Array> {
    combine(&name, &model, &base, merge::subtract, merge::subtract)
}

/// `base + lambda update` of one tensor.
#[napi]
pub fn add_scaled(name: String, base: Part, update: Part, lambda: f64) -> Result<Float32Array> {
    combine(
        &name,
        &base,
        &update,
        |a, b, out, job| merge::add_scaled(a, b, lambda, out, job),
        |a, b, out, job| merge::add_scaled(a, b, lambda, out, job),
    )
}

fn combine(
    name: &str,
    a: &Part,
    b: &Part,
    on_single: impl FnOnce(&[f32], &[f32], &mut [f32], &job::Job) -> std::result::Result<(), Stopped>,
    on_double: impl FnOnce(&[f64], &[f64], &mut [f32], &job::Job) -> std::result::Result<(), Stopped>,
) -> Result<Float32Array> {
    let both = [(a.dtype.as_str(), a.data.as_ref()), (b.dtype.as_str(), b.data.as_ref())];
    let numbers = Numbers::of(both.into_iter())?;
    let work = || {
        let job = job::Job::default();
        let length = |a: usize, b: usize| {
            if a == b { Ok(vec![0.0; a]) } else { Err(Failure::shape("shape mismatch")) }
        };
        let (out, result) = match &numbers {
            Numbers::Single(x) => {
                let mut out = length(x[0].len(), x[1].len())?;
                let result = on_single(&x[0], &x[1], &mut out, &job);
                (out, result)
            }
            Numbers::Double(x) => {
                let mut out = length(x[0].len(), x[1].len())?;
                let result = on_double(&x[0], &x[1], &mut out, &job);
                (out, result)
            }
        };
        result.map_err(|error| stopped(name, error))?;
        Ok(out)
    };
    guard(work).map(Float32Array::new)
}

#[napi(object)]
pub struct TaskMasks {
    /// Of each update, of each tensor.
    pub masks: Vec<Vec<Uint8Array>>,
    /// Of each update.
    pub ones: Vec<f64>,
}

/// Which items each update needs, against `merged` or the updates' sum.
#[napi]
pub fn task_masks<'env>(
    env: &'env Env,
    names: Vec<String>,
    updates: Vec<Vec<Part>>,
    merged: Option<Vec<Part>>,
    lambdas: Vec<f64>,
    job: Option<&Job>,
) -> Result<Now<'env, TaskMasks>> {
    let (count, given) = (updates.len(), merged.is_some());
    let numbers = all_numbers(&updates, merged.as_deref())?;
    let work = move |job: &job::Job| {
        let width = names.len();
        macro_rules! masks_of {
            ($parts:expr) => {{
                check_lengths($parts, width)?;
                let mut rows = rows_of($parts, width, count + usize::from(given));
                let merged = given.then(|| rows.pop()).flatten();
                masks::task_masks(&rows, merged.as_deref(), &lambdas, job)
            }};
        }
        let found = match &numbers {
            Numbers::Single(parts) => masks_of!(parts),
            Numbers::Double(parts) => masks_of!(parts),
        };
        found.map_err(|error| update_failure(&names, count, given, error))
    };
    run(env, job, work, |(masks, ones)| TaskMasks {
        masks: masks.into_iter().map(|parts| parts.into_iter().map(Uint8Array::new).collect()).collect(),
        ones: ones.into_iter().map(|n| n as f64).collect(),
    })
}

#[napi(object)]
pub struct Consensus {
    pub mask: Vec<Uint8Array>,
    pub histogram: Vec<f64>,
    pub ones: f64,
}

type Agreement = (Vec<Vec<u8>>, Vec<u64>, u64);

/// `masks[t][i]` is mask t of tensor i.
fn agreement(masks: &[Vec<Vec<u8>>], agree: u64, job: &job::Job) -> std::result::Result<Agreement, Failure> {
    let width = masks.first().map_or(0, Vec::len);
    let (mut all, mut histogram, mut ones) = (Vec::with_capacity(width), vec![0; masks.len() + 1], 0);
    for part in 0..width {
        let slices: Option<Vec<&[u8]>> =
            masks.iter().map(|masks| masks.get(part).map(Vec::as_slice)).collect();
        let slices = slices.ok_or_else(|| Failure::shape("masks differ in tensors"))?;
        let mut mask = vec![0; slices[0].len()];
        if slices.iter().any(|other| other.len() != mask.len()) {
            return Err(Failure::shape("shape mismatch between masks"));
        }
        ones += masks::agreement(&slices, agree, &mut mask, &mut histogram, job).map_err(
            |error| match error {
                MaskError::NotMask { mask } => {
                    Failure::range(format!("mask must hold 0 and 1, masks[{mask}] holds something else"))
                }
                MaskError::Aborted => job::Aborted.into(),
            },
        )?;
        all.push(mask);
    }
    Ok((all, histogram, ones))
}

fn owned(masks: Vec<Vec<Uint8Array>>) -> Vec<Vec<Vec<u8>>> {
    masks.into_iter().map(|masks| masks.into_iter().map(|mask| mask.to_vec()).collect()).collect()
}

/// Where at least `agree` of the masks are 1; `masks[t][i]` is mask t of tensor i.
#[napi]
pub fn consensus<'env>(
    env: &'env Env,
    masks: Vec<Vec<Uint8Array>>,
    agree: f64,
    job: Option<&Job>,
) -> Result<Now<'env, Consensus>> {
    let masks = owned(masks);
    run(
        env,
        job,
        move |job| agreement(&masks, agree as u64, job),
        |(mask, histogram, ones)| Consensus {
            mask: mask.into_iter().map(Uint8Array::new).collect(),
            histogram: histogram.into_iter().map(|n| n as f64).collect(),
            ones: ones as f64,
        },
    )
}

/// `merged`, or the updates' sum, where at least `agree` of the masks are 1.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn merge_consensus<'env>(
    env: &'env Env,
    names: Vec<String>,
    updates: Vec<Vec<Part>>,
    merged: Option<Vec<Part>>,
    masks: Vec<Vec<Uint8Array>>,
    agree: f64,
    job: Option<&Job>,
) -> Result<Now<'env, Vec<Float32Array>>> {
    let (count, given) = (updates.len(), merged.is_some());
    let numbers = all_numbers(&updates, merged.as_deref())?;
    let masks = owned(masks);
    let work = move |job: &job::Job| {
        let (mask, _, _) = agreement(&masks, agree as u64, job)?;
        let width = names.len();
        macro_rules! merged_of {
            ($parts:expr) => {{
                check_lengths($parts, width)?;
                if mask.len() != width || mask.iter().zip($parts).any(|(mask, part)| mask.len() != part.len())
                {
                    return Err(Failure::shape("shape mismatch between masks and updates"));
                }
                let mut rows = rows_of($parts, width, count + usize::from(given));
                let merged = given.then(|| rows.pop()).flatten();
                masks::merge_masked(&rows, merged.as_deref(), &mask, job)
            }};
        }
        let found = match &numbers {
            Numbers::Single(parts) => merged_of!(parts),
            Numbers::Double(parts) => merged_of!(parts),
        };
        found.map_err(|error| update_failure(&names, count, given, error))
    };
    run(env, job, work, float_arrays)
}

/// Items in float32, all of which must be finite.
#[napi]
pub fn finite_float32(name: String, part: Part) -> Result<Float32Array> {
    let x = single(&part.dtype, &part.data)?;
    let work = || match x.iter().all(|x| x.is_finite()) {
        true => Ok(x.into_owned()),
        false => Err(not_finite(&name)),
    };
    guard(work).map(Float32Array::new)
}

/// A mask of 0 and 1 as bits.
#[napi]
pub fn pack_mask(name: String, mask: &[u8]) -> Result<Uint8Array> {
    let work = || {
        if mask.iter().fold(0, |any, item| any | item) > 1 {
            return Err(Failure::range(format!("mask must hold 0 and 1, {name} holds something else")));
        }
        let mut packed = vec![0; bits::bytes_of(mask.len())];
        bits::pack(mask, &mut packed, &job::Job::default())?;
        Ok(packed)
    };
    guard(work).map(Uint8Array::new)
}

/// x where the mask's bit is set.
#[napi]
pub fn apply_packed_mask(packed: &[u8], x: &[f32]) -> Result<Float32Array> {
    let work = || {
        if packed.len() != bits::bytes_of(x.len()) {
            return Err(Failure::shape("mask of another length"));
        }
        let (mut mask, mut out) = (vec![0; x.len()], vec![0.0; x.len()]);
        bits::unpack(packed, &mut mask, &job::Job::default())?;
        masks::apply_mask(&mask, x, &mut out, &job::Job::default())?;
        Ok(out)
    };
    guard(work).map(Float32Array::new)
}

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
