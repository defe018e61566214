//! Files of n-gram counts.

use super::corpus::path;
use super::{number, whole};
use crate::failure::Failure;
use crate::job::{Job, guard, promise};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::ratio;
use tamis_store::counts::{CountsHeader, NgramCounts};

/// Counts of hashed n-grams, and over what.
#[napi(object)]
pub struct NgramCountsObject {
    pub ngrams: u32,
    pub buckets: u32,
    pub unicode: String,
    pub records: f64,
    pub tokens: f64,
    pub features: f64,
    pub bytes: f64,
    pub counts: Float64Array,
}

fn to_object(NgramCounts { header, counts }: NgramCounts) -> NgramCountsObject {
    let (major, minor, patch) = header.unicode;
    NgramCountsObject {
        ngrams: header.ngrams,
        buckets: header.buckets,
        unicode: format!("{major}.{minor}.{patch}"),
        records: number(header.records),
        tokens: number(header.tokens),
        features: number(header.features),
        bytes: number(header.bytes),
        counts: Float64Array::new(counts.into_iter().map(number).collect()),
    }
}

fn from_object(o: NgramCountsObject) -> std::result::Result<NgramCounts, Failure> {
    let parts: Option<Vec<u8>> = o.unicode.split('.').map(|part| part.parse().ok()).collect();
    let Some(&[major, minor, patch]) = parts.as_deref() else {
        return Err(Failure::range(format!(
            "unicode must be three numbers from 0 to 255, got {}",
            o.unicode
        )));
    };
    Ok(NgramCounts {
        header: CountsHeader {
            ngrams: o.ngrams,
            buckets: o.buckets,
            unicode: (major, minor, patch),
            records: whole(o.records),
            tokens: whole(o.tokens),
            features: whole(o.features),
            bytes: whole(o.bytes),
        },
        counts: o.counts.iter().map(|&n| whole(n)).collect(),
    })
}

#[napi]
pub fn write_counts<'env>(
    env: &'env Env,
    target: String,
    counts: NgramCountsObject,
    force: bool,
    job: &Job,
) -> Result<Object<'env>> {
    let counts = from_object(counts)?;
    promise(env, Some(job), move |_| Ok(counts.write(&path(target), force)?), |()| ())
}

#[napi]
pub fn read_counts<'env>(env: &'env Env, target: String, job: &Job) -> Result<Object<'env>> {
    promise(env, Some(job), move |_| Ok(NgramCounts::read(&path(target))?), to_object)
}

#[napi]
pub fn merge_counts<'env>(env: &'env Env, paths: Vec<String>, job: &Job) -> Result<Object<'env>> {
    promise(env, Some(job), move |_| Ok(NgramCounts::merge(&paths)?), to_object)
}

/// The buckets whose shares grew and shrank most.
#[napi(object)]
pub struct Shifts {
    pub gained: Uint32Array,
    pub lost: Uint32Array,
}

#[napi]
pub fn largest_shifts(before: &[f64], after: &[f64], k: u32) -> Result<Shifts> {
    guard(|| {
        if before.len() != after.len() {
            return Err(Failure::shape(format!(
                "after must hold {} counts, got {}",
                before.len(),
                after.len()
            )));
        }
        let (gained, lost) = ratio::largest_shifts(before, after, k as usize);
        Ok(Shifts { gained: Uint32Array::new(gained), lost: Uint32Array::new(lost) })
    })
}
