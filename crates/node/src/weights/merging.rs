//! Updates as one: merges, task masks, consensus.

use super::{Numbers, Part, not_finite, single, slices, stopped, view};
use crate::call::{Now, run};
use crate::failure::Failure;
use crate::job::{Job, guard};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::borrow::Cow;
use tamis_kernels::masks::MaskError;
use tamis_kernels::merge::{Merge, Trim, UpdateError};
use tamis_kernels::real::{Real, Stopped};
use tamis_kernels::{bits, elementwise, job, masks, merge};

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
    combine(&name, &model, &base, elementwise::subtract, elementwise::subtract)
}

/// `base + lambda update` of one tensor.
#[napi]
pub fn add_scaled(name: String, base: Part, update: Part, lambda: f64) -> Result<Float32Array> {
    combine(
        &name,
        &base,
        &update,
        |a, b, out, job| elementwise::add_scaled(a, b, lambda, out, job),
        |a, b, out, job| elementwise::add_scaled(a, b, lambda, out, job),
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
