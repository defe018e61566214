//! What recipes that choose documents compose: samples of groups, and rows near their centres.

use crate::call::{Now, run, word};
use crate::failure::Failure;
use crate::job::Job;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::assigned::{self, BadRow};
use tamis_kernels::distance::{Real, Rows};
use tamis_kernels::job;
use tamis_kernels::nearest::NearestError;
use tamis_kernels::philox::Philox;
use tamis_kernels::strata::{self, LogWeights};
use tamis_kernels::topk::top_k;
use tamis_kernels::unit;

/// The labels' groups: how many, and how many rows each has.
#[napi(object)]
pub struct GroupCounts {
    /// One more than the highest label; 0 without any.
    pub highest: f64,
    pub counts: Uint32Array,
}

/// Counts the rows of each group, those aside for which `excluded` is not 0; `groups` of them, by default one more than the
/// highest label. A label beyond the groups comes back in `highest`, with no counts.
#[napi]
pub fn count_groups<'env>(
    env: &'env Env,
    labels: &[u32],
    excluded: Option<&[u8]>,
    groups: Option<u32>,
    job: Option<&Job>,
) -> Result<Now<'env, GroupCounts>> {
    fits("exclude", labels.len(), excluded.map(<[u8]>::len))?;
    let (labels, excluded) = (labels.to_vec(), excluded.map(<[u8]>::to_vec));
    let work = move |_: &job::Job| {
        let highest = labels.iter().max().map_or(0, |&label| label as usize + 1);
        let groups = groups.map_or(highest, |groups| groups as usize);
        let counts = match highest > groups {
            true => Vec::new(),
            false => strata::count_rows(&labels, excluded.as_deref(), groups),
        };
        Ok((highest, counts))
    };
    run(env, job, work, |(highest, counts)| GroupCounts {
        highest: highest as f64,
        counts: Uint32Array::new(counts),
    })
}

fn fits(name: &str, rows: usize, length: Option<usize>) -> Result<()> {
    match length {
        Some(length) if length != rows => {
            Err(Failure::shape(format!("{name} must have {rows} items, one a row, got {length}")).into())
        }
        _ => Ok(()),
    }
}

fn in_groups(labels: &[u32], groups: usize) -> std::result::Result<(), Failure> {
    match labels.iter().find(|&&label| label as usize >= groups) {
        Some(label) => Err(Failure::range(format!("label out of range: {label} of {groups} groups"))),
        None => Ok(()),
    }
}

/// Draws `shares[j]` rows of each group j, in proportion to the exponential of the weights (or to the weights, `linear`).
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn draw_groups<'env>(
    env: &'env Env,
    labels: &[u32],
    weights: Option<&[f64]>,
    linear: bool,
    excluded: Option<&[u8]>,
    shares: &[u32],
    seed: BigInt,
    stream: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Uint32Array>> {
    fits("quality", labels.len(), weights.map(<[f64]>::len))?;
    fits("exclude", labels.len(), excluded.map(<[u8]>::len))?;
    let (labels, shares) = (labels.to_vec(), shares.to_vec());
    let (weights, excluded) = (weights.map(<[f64]>::to_vec), excluded.map(<[u8]>::to_vec));
    let seed = word(&seed);
    let work = move |_: &job::Job| {
        in_groups(&labels, shares.len())?;
        let weights = match weights.as_deref() {
            None => LogWeights::Equal,
            Some(weights) if linear => LogWeights::LogOf(weights),
            Some(weights) => LogWeights::Given(weights),
        };
        Ok(strata::draw(&labels, weights, excluded.as_deref(), &shares, seed, stream))
    };
    run(env, job, work, Uint32Array::new)
}

/// Of each group j its `shares[j]` best rows, and beyond those the best of all others until `total` are kept; ascending.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn keep_best<'env>(
    env: &'env Env,
    keys: &[f64],
    largest: bool,
    labels: &[u32],
    shares: &[u32],
    total: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Uint32Array>> {
    fits("classes", keys.len(), Some(labels.len()))?;
    let (labels, shares) = (labels.to_vec(), shares.to_vec());
    let sign = if largest { 1.0 } else { -1.0 };
    let keys: Vec<f64> = keys.iter().map(|&key| sign * key).collect();
    let work = move |_: &job::Job| {
        in_groups(&labels, shares.len())?;
        Ok(strata::keep_best(&keys, &labels, None, &shares, total as usize))
    };
    run(env, job, work, Uint32Array::new)
}

#[napi(object)]
pub struct GroupMeans {
    /// NaN for a group without values.
    pub means: Float64Array,
    pub counts: Uint32Array,
}

/// The mean of the values of each group.
#[napi]
pub fn group_means(values: &[f64], labels: &[u32], groups: u32) -> Result<GroupMeans> {
    fits("values", labels.len(), Some(values.len()))?;
    in_groups(labels, groups as usize)?;
    let (means, counts) = strata::group_means(values, labels, groups as usize);
    Ok(GroupMeans { means: Float64Array::new(means), counts: Uint32Array::new(counts) })
}

/// The labels of some rows.
#[napi]
pub fn labels_of(labels: &[u32], rows: &[u32]) -> Result<Uint32Array> {
    if let Some(row) = rows.iter().find(|&&row| row as usize >= labels.len()) {
        return Err(Failure::range(format!("row {row} of {} labels", labels.len())).into());
    }
    Ok(Uint32Array::new(rows.iter().map(|&row| labels[row as usize]).collect()))
}

/// The flags with those of some rows set.
#[napi]
pub fn mark_rows(flags: &[u8], rows: &[u32]) -> Result<Uint8Array> {
    if let Some(row) = rows.iter().find(|&&row| row as usize >= flags.len()) {
        return Err(Failure::range(format!("row {row} of {} flags", flags.len())).into());
    }
    let mut flags = flags.to_vec();
    rows.iter().for_each(|&row| flags[row as usize] = 1);
    Ok(Uint8Array::new(flags))
}

/// Which rows have a flag that is not 0, ascending.
#[napi]
pub fn marked_rows(flags: &[u8]) -> Uint32Array {
    let rows = flags.iter().enumerate().filter(|(_, flag)| **flag != 0);
    Uint32Array::new(rows.map(|(row, _)| row as u32).collect())
}

/// The first number that is NaN, infinite, or not above what it must be above.
#[napi]
pub fn find_unfit(x: &[f64], above: Option<f64>) -> Option<u32> {
    let bad = |x: &f64| !x.is_finite() || above.is_some_and(|above| *x <= above);
    x.iter().position(bad).map(|i| i as u32)
}

/// The first NaN.
#[napi]
pub fn find_nan(x: &[f64]) -> Option<u32> {
    x.iter().position(|x| x.is_nan()).map(|i| i as u32)
}

/// A row that has no direction, or that is not finite.
#[napi(object)]
pub struct BadRows {
    pub row: u32,
    pub zero: bool,
}

/// A matrix of a float type whose name is `dtype`, read from its bytes.
fn reals<T: Real + bytemuck::Pod>(data: &[u8]) -> std::result::Result<Vec<T>, Failure> {
    let items = bytemuck::try_cast_slice(data).map_err(|e| Failure::shape(format!("data: {e}")));
    // An empty array may lie anywhere.
    if data.is_empty() { Ok(Vec::new()) } else { items.map(<[T]>::to_vec) }
}

fn matrix<T>(x: &[T], width: usize) -> std::result::Result<Rows<'_, T>, Failure> {
    match x.len().checked_rem(width) {
        Some(0) => Ok(Rows::new(x, x.len() / width, width)),
        _ => Err(Failure::shape(format!("dims: {} items are no rows of {width}", x.len()))),
    }
}

/// The first row that is not finite, else the first of zeros.
#[napi]
pub fn find_bad_row(dtype: String, data: &[u8], width: u32) -> Result<Option<BadRows>> {
    fn find<T: Real + bytemuck::Pod>(
        data: &[u8],
        width: u32,
    ) -> std::result::Result<Option<BadRow>, Failure> {
        Ok(assigned::find_bad_row(matrix(&reals::<T>(data)?, width as usize)?))
    }
    let found = if dtype == "float64" { find::<f64>(data, width) } else { find::<f32>(data, width) };
    Ok(found?.map(|bad| match bad {
        BadRow::Zero(row) => BadRows { row: row as u32, zero: true },
        BadRow::NotFinite(row) => BadRows { row: row as u32, zero: false },
    }))
}

/// How far rows are from their centres.
#[napi(object)]
pub struct AssignedRows {
    pub scores: Float32Array,
    pub labels: Uint32Array,
}

/// The cosine distance of each row to the centre of its label, or to the nearest one.
#[napi]
pub fn assign_rows<'env>(
    env: &'env Env,
    dtype: String,
    x: &[u8],
    centers: &[u8],
    width: u32,
    labels: Option<&[u32]>,
    job: Option<&Job>,
) -> Result<Now<'env, AssignedRows>> {
    fn assign<T: Real + bytemuck::Pod>(
        (x, centers): (Vec<T>, Vec<T>),
        width: usize,
        labels: Option<&[u32]>,
        job: &job::Job,
    ) -> std::result::Result<(Vec<f32>, Vec<u32>), Failure> {
        let (x, centers) = (matrix(&x, width)?, matrix(&centers, width)?);
        if let Some(labels) = labels {
            in_groups(labels, centers.count())?;
            if labels.len() != x.count() {
                return Err(Failure::shape(format!(
                    "labels must be {} numbers, got {}",
                    x.count(),
                    labels.len()
                )));
            }
        }
        assigned::distances(x, centers, labels, job).map_err(|error| match error {
            NearestError::Aborted => Failure::from(job::Aborted),
            NearestError::TooFew { .. } => Failure::range("centroids must be at least one"),
        })
    }
    let labels = labels.map(<[u32]>::to_vec);
    let finish = |(scores, labels)| AssignedRows {
        scores: Float32Array::new(scores),
        labels: Uint32Array::new(labels),
    };
    if dtype == "float64" {
        let sides = (reals::<f64>(x)?, reals::<f64>(centers)?);
        run(env, job, move |job| assign(sides, width as usize, labels.as_deref(), job), finish)
    } else {
        let sides = (reals::<f32>(x)?, reals::<f32>(centers)?);
        run(env, job, move |job| assign(sides, width as usize, labels.as_deref(), job), finish)
    }
}

/// For each row the largest cosine with the rows of its label that come before it: by descending score, by ascending
/// score, or by the words of `seed`'s permutation.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn max_similarity_before<'env>(
    env: &'env Env,
    dtype: String,
    x: &[u8],
    width: u32,
    labels: &[u32],
    scores: &[f32],
    order: String,
    seed: BigInt,
    job: Option<&Job>,
) -> Result<Now<'env, Float32Array>> {
    fn most<T: Real + bytemuck::Pod>(
        x: Vec<T>,
        width: usize,
        (labels, order): (&[u32], &[u32]),
        job: &job::Job,
    ) -> std::result::Result<Vec<f32>, Failure> {
        let x = matrix(&x, width)?;
        if (labels.len(), order.len()) != (x.count(), x.count()) {
            return Err(Failure::shape(format!("labels and scores must be {} numbers", x.count())));
        }
        Ok(assigned::max_similarity_before(x, labels, order, job)?)
    }
    let (labels, scores, seed) = (labels.to_vec(), scores.to_vec(), word(&seed));
    let ordered = move || match order.as_str() {
        "hard" => top_k(&scores, scores.len(), true, true),
        "easy" => top_k(&scores, scores.len(), false, true),
        _ => Philox::new(seed, 0).permutation(scores.len()),
    };
    let width = width as usize;
    if dtype == "float64" {
        let x = reals::<f64>(x)?;
        run(env, job, move |job| most(x, width, (&labels, &ordered()), job), Float32Array::new)
    } else {
        let x = reals::<f32>(x)?;
        run(env, job, move |job| most(x, width, (&labels, &ordered()), job), Float32Array::new)
    }
}

/// The rows whose similarity is at most `most`.
#[napi]
pub fn rows_at_most(similarity: &[f32], most: f64) -> Uint32Array {
    let rows = similarity.iter().enumerate().filter(|(_, x)| f64::from(**x) <= most);
    Uint32Array::new(rows.map(|(row, _)| row as u32).collect())
}

/// Float32 rows of length 1.
#[napi]
pub fn unit_vectors<'env>(
    env: &'env Env,
    x: Float32Array,
    width: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Float32Array>> {
    let x = x.to_vec();
    let work = move |_: &job::Job| {
        let zero = |row| Failure::range(format!("a zero row has no direction: row {row} of the vectors"));
        unit::unit_rows(&x, width as usize).map_err(zero)
    };
    run(env, job, work, Float32Array::new)
}

/// A mixture by the records' places among all.
#[napi(object)]
pub struct MixtureOrder {
    pub order: Uint32Array,
    /// Records of each source.
    pub counts: Uint32Array,
}

/// The places of records that a mixture names by source and by index in it; `firsts`: the place of each source's first record.
#[napi]
pub fn mixture_order(source: &[u32], index: &[u32], firsts: &[u32]) -> Result<MixtureOrder> {
    fits("index", source.len(), Some(index.len()))?;
    in_groups(source, firsts.len())?;
    let place = |(&source, &index): (&u32, &u32)| firsts[source as usize].saturating_add(index);
    let counts = strata::count_rows(source, None, firsts.len());
    Ok(MixtureOrder {
        order: Uint32Array::new(source.iter().zip(index).map(place).collect()),
        counts: Uint32Array::new(counts),
    })
}
