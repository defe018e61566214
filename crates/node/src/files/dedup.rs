//! Duplicates in files: marks, groups, and what is written of them.

use super::corpus::{Corpus, path};
use super::output::Output;
use super::passes::{FileTotals, hashes, totals};
use super::state::{State, shared};
use super::vectors::Places;
use super::write::Written;
use super::{gone, number, whole};
use crate::call::word;
use crate::failure::Failure;
use crate::job::{Job, promise};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::Arc;
use tamis_kernels::distance::Rows;
use tamis_kernels::lsh::Banding;
use tamis_store::dedup::clusters::write_clusters as write_clusters_file;
use tamis_store::dedup::documents::Documents;
use tamis_store::dedup::find::{self, FindOptions, Method};
use tamis_store::dedup::groups::Groups;
use tamis_store::dedup::markers::{Exact, Near};
use tamis_store::dedup::semantic::similar_documents;
use tamis_store::dedup::write;
use tamis_store::passes;

/// Which documents are near each other.
#[napi(object)]
pub struct NearSettings {
    pub ngram: u32,
    pub num_perm: u32,
    pub seed: BigInt,
    pub bands: u32,
    pub rows: u32,
    /// Above which estimated Jaccard similarity, where that is to be verified.
    pub verify: Option<f64>,
}

#[napi(object)]
pub struct DigestOptions {
    /// Of exact duplicates: whether texts are cleaned first.
    pub clean: bool,
    /// Of near ones; exact ones without it.
    pub near: Option<NearSettings>,
    pub sources: Option<Vec<u32>>,
    pub memory: f64,
    pub threads: Option<u32>,
}

impl From<DigestOptions> for FindOptions {
    fn from(o: DigestOptions) -> Self {
        let method = match o.near {
            None => Method::Exact(Exact { clean: o.clean }),
            Some(near) => {
                let banding = Banding { bands: near.bands as usize, rows: near.rows as usize };
                let marker = Near {
                    ngram: near.ngram as usize,
                    num_perm: near.num_perm as usize,
                    seed: word(&near.seed),
                    banding,
                    verify: near.verify.is_some(),
                };
                Method::Near(marker, near.verify)
            }
        };
        FindOptions {
            method,
            sources: o.sources,
            memory: whole(o.memory),
            hash: true,
            threads: o.threads.map(|n| n as usize),
        }
    }
}

/// What the marking pass saw of one corpus.
#[napi(object)]
pub struct SeenOfCorpus {
    pub files: Vec<FileTotals>,
    pub bad: Vec<String>,
    pub bytes_read: f64,
    pub hashes: Vec<Either<String, Null>>,
}

/// Marked documents.
#[napi]
pub struct Digested {
    inner: Option<find::Digested>,
}

#[napi]
impl Digested {
    /// Of each corpus; the last one is the one that is written.
    #[napi]
    pub fn seen(&self) -> Result<Vec<SeenOfCorpus>> {
        let one = |documents: &Documents| SeenOfCorpus {
            files: totals(&documents.seen.files),
            bad: documents.seen.bad.clone(),
            bytes_read: number(documents.seen.bytes_read),
            hashes: hashes(&documents.seen),
        };
        let inner = self.inner.as_ref().ok_or_else(|| gone("marks"))?;
        Ok(inner.sides.iter().map(one).collect())
    }

    /// Bytes that finding the groups goes through.
    #[napi]
    pub fn link_bytes(&self) -> f64 {
        self.inner.as_ref().map_or(0.0, |inner| number(inner.link_bytes()))
    }
}

/// Marks the documents of two corpora, the first of which is only compared with, or of one.
#[napi]
pub fn digest_corpora<'env>(
    env: &'env Env,
    against: Option<&Corpus>,
    corpus: &Corpus,
    options: DigestOptions,
    state: Option<&State>,
    job: &Job,
) -> Result<Object<'env>> {
    let (against, corpus, state) = (against.map(Corpus::get).transpose()?, corpus.get()?, shared(state)?);
    let work = move |job: &tamis_kernels::job::Job| {
        let options = options.into();
        Ok(find::digest_corpora(against.as_deref(), &corpus, &options, state.as_deref(), job)?)
    };
    job.begin();
    promise(env, Some(job), work, |digested| Digested { inner: Some(digested) })
}

/// Documents, and which of them are the same.
#[napi]
pub struct Duplicates {
    pub(super) shared: Arc<(Vec<Documents>, Groups)>,
}

/// What was found.
#[napi(object)]
pub struct DuplicateCounts {
    /// Documents kept of each file.
    pub kept: Vec<f64>,
    /// Documents dropped because of one that is only compared with.
    pub matched: f64,
    /// Groups of two and more.
    pub clusters: f64,
}

/// Finds the groups; the marks are used up.
#[napi]
pub fn find_duplicates<'env>(
    env: &'env Env,
    digested: &mut Digested,
    state: Option<&State>,
    job: &Job,
) -> Result<Object<'env>> {
    let inner = digested.inner.take().ok_or_else(|| gone("marks"))?;
    let state = shared(state)?;
    job.begin();
    promise(
        env,
        Some(job),
        move |job| Ok(inner.groups(state.as_deref(), job)?),
        |found| Duplicates { shared: Arc::new(found) },
    )
}

#[napi]
impl Duplicates {
    /// The documents that are written, in order.
    #[napi]
    pub fn kept(&self) -> Uint32Array {
        Uint32Array::new(self.shared.1.all_kept())
    }

    #[napi]
    pub fn counts(&self) -> DuplicateCounts {
        let (sides, groups) = &*self.shared;
        let own = sides.last();
        let files = own.map_or(0, |own| own.seen.files.len());
        let kept = |file| own.map_or(0, |own| groups.kept(own.of_file(file)));
        DuplicateCounts {
            kept: (0..files).map(|file| number(kept(file))).collect(),
            matched: number(groups.matched()),
            clusters: number(groups.clusters()),
        }
    }
}

#[napi(object)]
pub struct SimilarOptions {
    pub threshold: f64,
    pub sources: Option<Vec<u32>>,
}

/// Groups records that lie in one cluster and whose vectors, [records, width], have a high cosine.
#[napi]
pub fn find_similar<'env>(
    env: &'env Env,
    places: &Places,
    vectors: &[f32],
    labels: &[u32],
    options: SimilarOptions,
    job: &Job,
) -> Result<Object<'env>> {
    let (places, vectors, labels) = (places.shared.clone(), vectors.to_vec(), labels.to_vec());
    let work = move |job: &tamis_kernels::job::Job| {
        let SimilarOptions { threshold, sources } = options;
        let count = labels.len();
        let rows = Rows::new(&vectors, count, vectors.len().checked_div(count).unwrap_or(0));
        let (documents, groups) =
            similar_documents(&places.seen, rows, &labels, sources.as_deref(), threshold, job)?;
        Ok((vec![documents], groups))
    };
    job.begin();
    promise(env, Some(job), work, |found| Duplicates { shared: Arc::new(found) })
}

/// Writes one document of each group to the output, or only counts them without one; the texts of `shown` come back as the best.
#[napi]
pub fn write_distinct<'env>(
    env: &'env Env,
    corpus: &Corpus,
    duplicates: &Duplicates,
    shown: &[u32],
    output: Option<&mut Output>,
    threads: Option<u32>,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, found) = (corpus.get()?, duplicates.shared.clone());
    let shown: Vec<u64> = shown.iter().map(|&document| document.into()).collect();
    let mut output = output.map(Output::take).transpose()?;
    let work = move |job: &tamis_kernels::job::Job| {
        let (sides, groups) = &*found;
        let own = sides.last().ok_or_else(|| gone("marks"))?;
        let is_kept = |document| groups.is_kept(document);
        let threads = threads.map(|n| n as usize);
        let written = write::write_kept(&corpus, own, is_kept, &shown, output.as_mut(), threads, job)?;
        let inner = passes::write::Written {
            files: written.files,
            totals: written.totals,
            highest: written.shown,
            ..Default::default()
        };
        Ok::<_, Failure>(Written::new(inner, output))
    };
    job.begin();
    promise(env, Some(job), work, |written| written)
}

/// Writes which document duplicates which.
#[napi]
pub fn write_clusters<'env>(
    env: &'env Env,
    target: String,
    against: Option<&Corpus>,
    corpus: &Corpus,
    duplicates: &Duplicates,
    force: bool,
    job: &Job,
) -> Result<Object<'env>> {
    let corpora = against.map(Corpus::get).into_iter().chain([corpus.get()]);
    let corpora = corpora.collect::<std::result::Result<Vec<_>, Failure>>()?;
    let found = duplicates.shared.clone();
    let work = move |job: &tamis_kernels::job::Job| {
        let (sides, groups) = &*found;
        let sides: Vec<_> = corpora.iter().map(|corpus| corpus.inputs.as_slice()).zip(sides).collect();
        Ok(write_clusters_file(&path(target), &sides, groups, force, job)?)
    };
    promise(env, Some(job), work, |()| ())
}
