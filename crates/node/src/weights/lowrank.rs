//! Products of low rank, and the second moments that they are measured by.

use super::{Numbers, Part, double, not_finite, stopped};
use crate::call::{Now, run};
use crate::failure::Failure;
use crate::job::Job;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::factor::FactorError;
use tamis_kernels::{gram, job, lowrank};

type Found<T> = std::result::Result<T, Failure>;

/// A tensor that outlives its caller.
fn owned(part: &Part) -> Result<Numbers<'static>> {
    let one = std::iter::once((part.dtype.as_str(), part.data.as_ref()));
    Ok(Numbers::of(one)?.into_owned())
}

fn moments(rows: &Numbers<'_>, width: usize, job: &job::Job) -> Found<Vec<f64>> {
    let found = match rows {
        Numbers::Single(x) => gram::gram(&x[0], width, job),
        Numbers::Double(x) => gram::gram(&x[0], width, job),
    };
    found.map_err(|error| stopped("inputs", error))
}

fn check_rows(part: &Numbers<'_>, width: usize) -> Result<()> {
    let items = match part {
        Numbers::Single(x) => x[0].len(),
        Numbers::Double(x) => x[0].len(),
    };
    let whole = if width == 0 { items == 0 } else { items.is_multiple_of(width) };
    if whole { Ok(()) } else { Err(Failure::shape("shape mismatch: inputs of another width").into()) }
}

/// X^T X of rows of `width` items, added to `into`, [width, width].
#[napi]
pub fn gram<'env>(
    env: &'env Env,
    inputs: Part,
    width: u32,
    into: Option<Part>,
    job: Option<&Job>,
) -> Result<Now<'env, Float32Array>> {
    let width = width as usize;
    let rows = owned(&inputs)?;
    check_rows(&rows, width)?;
    let into = match &into {
        Some(part) => Some(double(&part.dtype, part.data.as_ref())?.into_owned()),
        None => None,
    };
    if into.as_ref().is_some_and(|into| into.len() != width * width) {
        return Err(Failure::shape("shape mismatch: into of another shape").into());
    }
    let work = move |job: &job::Job| {
        let mut sum = moments(&rows, width, job)?;
        if let Some(into) = into {
            if into.iter().any(|x| !x.is_finite()) {
                return Err(not_finite("into"));
            }
            sum.iter_mut().zip(&into).for_each(|(sum, x)| *sum += x);
        }
        let sum: Vec<f32> = sum.into_iter().map(|x| x as f32).collect();
        if sum.iter().all(|x| x.is_finite()) {
            Ok(sum)
        } else {
            Err(not_finite("the sum of products in float32"))
        }
    };
    run(env, job, work, Float32Array::new)
}

#[napi(object)]
pub struct Factors {
    pub a: Float32Array,
    pub b: Float32Array,
    pub before: f64,
    pub after: f64,
}

/// The factors, [rank, columns] and [rows, rank], of what `weight - compressed` does to inputs: by their rows, or
/// (`is_gram`) by their second moments, or to any.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn low_rank<'env>(
    env: &'env Env,
    weight: Part,
    compressed: Part,
    rows: u32,
    columns: u32,
    inputs: Option<Part>,
    is_gram: bool,
    rank: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Factors>> {
    let ([m, n], rank) = ([rows as usize, columns as usize], rank as usize);
    let [weight, compressed] = [&weight, &compressed].map(|part| double(&part.dtype, part.data.as_ref()));
    let (mut difference, compressed) = (weight?.into_owned(), compressed?);
    if difference.len() != m * n || compressed.len() != m * n || rank > m.min(n) {
        return Err(Failure::shape("shape mismatch: a matrix of another shape").into());
    }
    for (name, items) in [("weight", &difference[..]), ("compressed", &compressed[..])] {
        if items.iter().any(|x| !x.is_finite()) {
            return Err(not_finite(name).into());
        }
    }
    difference.iter_mut().zip(compressed.iter()).for_each(|(x, other)| *x -= other);
    let inputs = match &inputs {
        Some(part) => Some(owned(part)?),
        None => None,
    };
    if let Some(inputs) = &inputs {
        check_rows(inputs, n)?;
    }
    let work = move |job: &job::Job| {
        let name = if is_gram { "gram" } else { "inputs" };
        let moments = match inputs {
            Some(Numbers::Single(x)) if is_gram => Some(x[0].iter().map(|&x| f64::from(x)).collect()),
            Some(Numbers::Double(x)) if is_gram => Some(x[0].to_vec()),
            Some(rows) => Some(moments(&rows, n, job)?),
            None => None,
        };
        if let Some(h) = moments.as_ref().filter(|_| m * n > 0) {
            if h.len() != n * n {
                return Err(Failure::shape("shape mismatch: gram of another shape"));
            }
            if h.iter().any(|x| !x.is_finite()) {
                return Err(not_finite(name));
            }
            if (0..n).all(|i| h[i * n + i] == 0.0) {
                return Err(Failure::range("inputs are all zero: nothing says what matters to them"));
            }
        }
        let found = lowrank::low_rank(&difference, [m, n], moments.as_deref(), rank, job);
        let found = found.map_err(|error| match error {
            FactorError::Aborted => job::Aborted.into(),
            FactorError::NotFinite { .. } => not_finite("weight - compressed over the inputs"),
            error => Failure::range(format!("{name} {error}")),
        })?;
        let round = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        Ok((round(&found.a), round(&found.b), found.before, found.after))
    };
    run(env, job, work, |(a, b, before, after)| Factors {
        a: Float32Array::new(a),
        b: Float32Array::new(b),
        before,
        after,
    })
}
