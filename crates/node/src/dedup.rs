//! Near and exact duplicates of texts in memory, and mixtures of sources.

use crate::call::{Now, run, run_on, word};
use crate::failure::Failure;
use crate::job::{Job, guard, promise};
use crate::texts::PackedTexts;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::{Arc, Mutex};
use tamis_kernels::lsh::{self, Banding};
use tamis_kernels::mixture::{self, MixtureError};
use tamis_kernels::sources::SourceNames;
use tamis_kernels::{bloom, clean, job, minhash, near};
use tamis_store::near::{Batch, NearSettings, NearStream};

#[napi]
pub fn clean_text(text: String) -> Result<String> {
    guard(|| {
        let mut out = Vec::new();
        clean::clean(&text, &mut out);
        String::from_utf8(out).map_err(|e| Failure::range(e.to_string()))
    })
}

#[napi(object)]
pub struct Filtered {
    pub keep: Uint8Array,
    pub kept: Uint32Array,
    pub lengths: Uint32Array,
}

/// Which texts have enough code points, or a source that is exempt.
#[napi]
pub fn filter_short<'env>(
    env: &'env Env,
    texts: &PackedTexts,
    min_chars: u32,
    sources: Option<&[u32]>,
    exempt: Option<&[u32]>,
    job: Option<&Job>,
) -> Result<Now<'env, Filtered>> {
    let texts = texts.shared.clone();
    let exempt = sources.zip(exempt).map(|(sources, exempt)| (sources.to_vec(), exempt.to_vec()));
    let work = move |job: &job::Job| {
        let lengths = clean::lengths(&texts, job)?;
        let exempt = exempt.as_ref().map(|(sources, exempt)| (&sources[..], &exempt[..]));
        let keep = clean::long_enough(&lengths, min_chars, exempt);
        let kept = near::kept(&keep);
        Ok((keep, kept, lengths))
    };
    run(env, job, work, |(keep, kept, lengths)| Filtered {
        keep: Uint8Array::new(keep),
        kept: Uint32Array::new(kept),
        lengths: Uint32Array::new(lengths),
    })
}

#[napi]
pub fn min_hash<'env>(
    env: &'env Env,
    texts: &PackedTexts,
    ngram: u32,
    num_perm: u32,
    seed: BigInt,
    job: Option<&Job>,
) -> Result<Now<'env, Uint32Array>> {
    let (texts, seed) = (texts.shared.clone(), word(&seed));
    let work =
        move |job: &job::Job| Ok(minhash::min_hash(&texts, ngram as usize, num_perm as usize, seed, job)?);
    run(env, job, work, Uint32Array::new)
}

#[napi(object)]
pub struct LshParams {
    pub bands: u32,
    pub rows: u32,
}

#[napi]
pub fn lsh_params<'env>(
    env: &'env Env,
    threshold: f64,
    num_perm: u32,
    job: Option<&Job>,
) -> Result<Now<'env, LshParams>> {
    let work = move |_: &job::Job| Ok(lsh::params(threshold, num_perm as usize));
    run(env, job, work, |Banding { bands, rows }| LshParams { bands: bands as u32, rows: rows as u32 })
}

/// Numbers sources by name, in the order in which it sees them.
#[napi(js_name = "SourceNames")]
#[derive(Default)]
pub struct SourceNumbers {
    names: SourceNames,
}

#[napi]
impl SourceNumbers {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of each name.
    #[napi]
    pub fn number(&mut self, names: &PackedTexts) -> Result<Uint32Array> {
        let texts = &names.shared;
        guard(|| Ok((0..texts.len()).map(|i| self.names.number(texts.get(i))).collect()))
            .map(Uint32Array::new)
    }
}

/// Numbers of sources as they are kept; `name` is what a message calls the list.
#[napi]
pub fn source_numbers(name: String, numbers: &[f64]) -> Result<Uint32Array> {
    let number = |(i, &x): (usize, &f64)| match x as u32 {
        n if f64::from(n) == x => Ok(n),
        _ => Err(Failure::range(format!("{name}[{i}] must be an integer from 0 to 4294967295, got {x}"))),
    };
    guard(|| numbers.iter().enumerate().map(number).collect()).map(Uint32Array::new)
}

#[napi(object)]
pub struct Representatives {
    pub keep: Uint8Array,
    pub kept: Uint32Array,
    pub representative: Uint32Array,
}

impl Representatives {
    fn new(keep: Vec<u8>, representative: Vec<u32>) -> Self {
        let kept = near::kept(&keep);
        Representatives {
            keep: Uint8Array::new(keep),
            kept: Uint32Array::new(kept),
            representative: Uint32Array::new(representative),
        }
    }
}

/// The first of equal texts, of those that are not in a holdout.
#[napi]
pub fn dedup_exact<'env>(
    env: &'env Env,
    texts: &PackedTexts,
    against: &PackedTexts,
    clean: bool,
    sources: Option<&[u32]>,
    job: Option<&Job>,
) -> Result<Now<'env, Representatives>> {
    let (texts, against) = (texts.shared.clone(), against.shared.clone());
    let sources = sources.map(<[u32]>::to_vec);
    let work = move |job: &job::Job| {
        let how = near::Equality { clean, sources: sources.as_deref() };
        Ok(near::distinct(&texts, &against, how, job)?)
    };
    run(env, job, work, |found| Representatives::new(found.keep, found.representative))
}

/// How near duplicates are found.
#[napi(object)]
pub struct NearOptionsObject {
    pub ngram: u32,
    pub num_perm: u32,
    pub seed: BigInt,
    pub bands: Option<u32>,
    pub rows: Option<u32>,
    pub threshold: f64,
    pub verify: bool,
    pub local: bool,
    pub spill_dir: Option<String>,
    pub memory: f64,
}

impl From<NearOptionsObject> for NearSettings {
    fn from(o: NearOptionsObject) -> Self {
        let banding = o.bands.zip(o.rows);
        NearSettings {
            ngram: o.ngram as usize,
            num_perm: o.num_perm as usize,
            seed: word(&o.seed),
            banding: banding.map(|(bands, rows)| Banding { bands: bands as usize, rows: rows as usize }),
            threshold: o.threshold,
            verify: o.verify,
            local: o.local,
            spill: o.spill_dir.map(|folder| (folder.into(), o.memory as u64)),
        }
    }
}

#[napi(object)]
pub struct AddedBatch {
    pub first: u32,
    pub keep: Uint8Array,
}

/// Near duplicates of batches. Calls that are under way at the same time go one after the other, in any order.
#[napi]
pub struct NearFinder {
    shared: Arc<Mutex<NearStream>>,
}

impl NearFinder {
    fn add<'env>(
        &self,
        env: &'env Env,
        job: &Job,
        (sources, prefer): (Option<&[u32]>, Option<&[f32]>),
        add: impl FnOnce(&mut NearStream, Option<&[u32]>, Option<&[f32]>, &job::Job) -> Outcome + Send + 'static,
    ) -> Result<Object<'env>> {
        let stream = self.shared.clone();
        let (sources, prefer) = (sources.map(<[u32]>::to_vec), prefer.map(<[f32]>::to_vec));
        let work = move |job: &job::Job| {
            let mut stream = stream.lock().unwrap_or_else(|e| e.into_inner());
            Ok(add(&mut stream, sources.as_deref(), prefer.as_deref(), job)?)
        };
        promise(env, Some(job), work, |added| AddedBatch {
            first: added.first,
            keep: Uint8Array::new(added.keep),
        })
    }
}

type Outcome = std::result::Result<tamis_store::near::Added, tamis_store::error::Error>;

#[napi]
impl NearFinder {
    #[napi(constructor)]
    pub fn new(options: NearOptionsObject) -> Self {
        NearFinder { shared: Arc::new(Mutex::new(NearStream::new(options.into()))) }
    }

    #[napi]
    pub fn add_texts<'env>(
        &self,
        env: &'env Env,
        texts: &PackedTexts,
        sources: Option<&[u32]>,
        prefer: Option<&[f32]>,
        job: &Job,
    ) -> Result<Object<'env>> {
        let texts = texts.shared.clone();
        self.add(env, job, (sources, prefer), move |stream, sources, prefer, job| {
            stream.add(Batch::Texts(&texts), sources, prefer, job)
        })
    }

    #[napi]
    pub fn add_signatures<'env>(
        &self,
        env: &'env Env,
        signatures: &[u32],
        sources: Option<&[u32]>,
        prefer: Option<&[f32]>,
        job: &Job,
    ) -> Result<Object<'env>> {
        let signatures = signatures.to_vec();
        self.add(env, job, (sources, prefer), move |stream, sources, prefer, job| {
            stream.add(Batch::Signatures(&signatures), sources, prefer, job)
        })
    }

    #[napi]
    pub fn finish<'env>(&self, env: &'env Env, job: &Job) -> Result<Object<'env>> {
        let stream = self.shared.clone();
        let work = move |job: &job::Job| {
            let found = stream.lock().unwrap_or_else(|e| e.into_inner()).finish(job)?;
            Ok((near::keep(&found), found))
        };
        promise(env, Some(job), work, |(keep, found)| Representatives::new(keep, found))
    }
}

/// Bytes of a Bloom filter.
#[napi]
pub fn bloom_bytes(capacity: f64, error_rate: f64) -> f64 {
    bloom::Bloom::bits_for(capacity as u64, error_rate) as f64 / 8.0
}

/// A set of texts in few bits.
#[napi(custom_finalize)]
pub struct Bloom {
    filter: bloom::Bloom,
}

#[napi]
impl Bloom {
    #[napi(constructor)]
    pub fn new(env: Env, capacity: f64, error_rate: f64) -> Result<Self> {
        let filter = guard(|| Ok(bloom::Bloom::new(capacity as u64, error_rate)))?;
        env.adjust_external_memory(filter.memory() as i64)?;
        Ok(Bloom { filter })
    }

    /// Adds texts; tells of each whether it was there.
    #[napi]
    pub fn add(&mut self, texts: &PackedTexts) -> Result<Uint8Array> {
        let texts = &texts.shared;
        guard(|| Ok((0..texts.len()).map(|i| u8::from(self.filter.add(texts.get(i)))).collect()))
            .map(Uint8Array::new)
    }

    #[napi]
    pub fn has(&self, texts: &PackedTexts) -> Result<Uint8Array> {
        let texts = &texts.shared;
        guard(|| Ok((0..texts.len()).map(|i| u8::from(self.filter.has(texts.get(i)))).collect()))
            .map(Uint8Array::new)
    }
}

impl ObjectFinalize for Bloom {
    fn finalize(self, env: Env) -> Result<()> {
        env.adjust_external_memory(-(self.filter.memory() as i64)).map(|_| ())
    }
}

#[napi(object)]
pub struct MixtureObject {
    pub source: Uint32Array,
    pub index: Uint32Array,
    pub epochs: Float64Array,
}

/// Draws of sources by their probabilities, and of items in epochs.
#[napi]
pub fn mix_sources<'env>(
    env: &'env Env,
    probabilities: &[f64],
    counts: &[u32],
    total: u32,
    seed: BigInt,
    job: Option<&Job>,
) -> Result<Now<'env, MixtureObject>> {
    let (counts, seed) = (counts.to_vec(), word(&seed));
    let work = move |probabilities: &[f64], job: &job::Job| {
        mixture::mix(probabilities, &counts, total as usize, seed, job).map_err(|error| match error {
            MixtureError::Aborted => Failure::from(job::Aborted),
            streams => Failure::range(streams.to_string()),
        })
    };
    run_on(env, job, probabilities, work, |mixture| MixtureObject {
        source: Uint32Array::new(mixture.source),
        index: Uint32Array::new(mixture.index),
        epochs: Float64Array::new(mixture.epochs),
    })
}
