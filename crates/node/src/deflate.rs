//! Sizes of gzip files, for `corpus`.

use crate::call::{Now, run};
use crate::job::Job;
use crate::texts::PackedTexts;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::{deflate, job};

/// The gzip size of each text.
#[napi]
pub fn compressed_sizes<'env>(
    env: &'env Env,
    texts: &PackedTexts,
    level: u32,
    job: Option<&Job>,
) -> Result<Now<'env, Uint32Array>> {
    let texts = texts.shared.clone();
    run(env, job, move |job: &job::Job| Ok(deflate::sizes(&texts, level, job)?), Uint32Array::new)
}

#[napi(object)]
pub struct CompressionAlignments {
    pub scores: Float64Array,
    pub mean: f64,
}

/// The mean of 1 - NCD of each source over the targets.
#[napi]
pub fn compression_alignments<'env>(
    env: &'env Env,
    sources: &PackedTexts,
    targets: &PackedTexts,
    level: u32,
    job: Option<&Job>,
) -> Result<Now<'env, CompressionAlignments>> {
    let (sources, targets) = (sources.shared.clone(), targets.shared.clone());
    let work = move |job: &job::Job| Ok(deflate::alignments(&sources, &targets, level, job)?);
    run(env, job, work, |found| CompressionAlignments {
        scores: Float64Array::new(found.scores),
        mean: found.mean,
    })
}
