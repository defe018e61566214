//! What a model makes of every record, kept in the state of its run, and where it goes.

use super::corpus::Corpus;
use super::output::Output;
use super::passes::{Chosen, FileTotals, hashes, totals};
use super::state::State;
use super::vectors::Places;
use super::write::Written;
use super::{gone, number};
use crate::failure::Failure;
use crate::job::{Job, promise};
use crate::models::{CausalModel, TextEmbedder};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::Arc;
use tamis_store::atomic;
use tamis_store::passes::map::{Rows, map_texts};
use tamis_store::vectors::write::{Form, write_vectors as write};

/// A row of numbers for each record.
#[napi]
pub struct MappedRows {
    inner: Option<Arc<Rows>>,
}

impl MappedRows {
    fn get(&self) -> std::result::Result<Arc<Rows>, Failure> {
        self.inner.clone().ok_or_else(|| gone("rows"))
    }
}

#[napi]
impl MappedRows {
    #[napi]
    pub fn records(&self) -> Result<f64> {
        Ok(number(self.get()?.rows))
    }

    #[napi]
    pub fn files(&self) -> Result<Vec<FileTotals>> {
        Ok(totals(&self.get()?.seen.files))
    }

    #[napi]
    pub fn bad(&self) -> Result<Vec<String>> {
        Ok(self.get()?.seen.bad.clone())
    }

    #[napi]
    pub fn bytes_read(&self) -> Result<f64> {
        Ok(number(self.get()?.seen.bytes_read))
    }

    #[napi]
    pub fn hashes(&self) -> Result<Vec<Either<String, Null>>> {
        Ok(hashes(&self.get()?.seen))
    }

    /// Of rows of losses: tokens, and the mean loss of one.
    #[napi]
    pub fn means<'env>(&self, env: &'env Env, job: &Job) -> Result<Object<'env>> {
        let rows = self.get()?;
        let work = move |job: &tamis_kernels::job::Job| Ok(rows.means(job)?);
        promise(env, Some(job), work, |(count, mean)| vec![number(count), mean])
    }
}

/// The vectors of all records of a corpus; those that an interrupted run made are in the state.
#[napi]
pub fn embed_corpus<'env>(
    env: &'env Env,
    corpus: &Corpus,
    model: &TextEmbedder,
    state: &State,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, model, state) = (corpus.get()?, model.get()?, state.get()?);
    job.begin();
    let work = move |job: &tamis_kernels::job::Job| {
        let embed = |texts: &[String]| model.embed(texts, job);
        Ok(map_texts(&corpus, model.width(), true, &state, job, embed)?)
    };
    promise(env, Some(job), work, |rows| MappedRows { inner: Some(Arc::new(rows)) })
}

/// How texts go through a language model.
#[napi(object)]
pub struct LossOptions {
    pub begin: Option<bool>,
    pub window: u32,
    pub stride: u32,
}

/// The mean losses of all records of a corpus and their tokens; those that an interrupted run made are in the state.
#[napi]
pub fn measure_losses<'env>(
    env: &'env Env,
    corpus: &Corpus,
    model: &CausalModel,
    options: LossOptions,
    state: &State,
    job: &Job,
) -> Result<Object<'env>> {
    let (corpus, model, state) = (corpus.get()?, model.get()?, state.get()?);
    let LossOptions { begin, window, stride } = options;
    job.begin();
    let work = move |job: &tamis_kernels::job::Job| {
        let score = |texts: &[String]| {
            let tokens = model.encode(texts, begin, job)?;
            let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
            let means = model.means(&tokens, window as usize, stride as usize, job)?;
            Ok(means.into_iter().flat_map(|(loss, count)| [loss as f32, count as f32]).collect())
        };
        Ok(map_texts(&corpus, 2, true, &state, job, score)?)
    };
    promise(env, Some(job), work, |rows| MappedRows { inner: Some(Arc::new(rows)) })
}

/// All records, each with its loss.
#[napi]
pub fn choose_scored<'env>(
    env: &'env Env,
    places: &Places,
    rows: &mut MappedRows,
    job: &Job,
) -> Result<Object<'env>> {
    let rows = rows.inner.take().ok_or_else(|| gone("rows"))?;
    let (places, files) = (places.shared.clone(), rows.seen.files.len());
    let work = move |job: &tamis_kernels::job::Job| Ok(places.choose_all(&rows.scores(job)?)?);
    promise(env, Some(job), work, move |chosen| Chosen::new(chosen, files))
}

/// Fills an output with the rows, in the form of its ending; they are used up.
#[napi]
pub fn write_vectors<'env>(
    env: &'env Env,
    rows: &mut MappedRows,
    output: &mut Output,
    job: &Job,
) -> Result<Object<'env>> {
    let rows = rows.inner.take().and_then(Arc::into_inner).ok_or_else(|| gone("rows"))?;
    let atomic::Output::File(file) = output.take()? else {
        return Err(Failure::range("vectors go to one file").into());
    };
    job.begin();
    let work = move |job: &tamis_kernels::job::Job| {
        let form = Form::of(file.target())?;
        let (file, written) = write(rows, form, file, job)?;
        Ok(Written::new(written, Some(atomic::Output::File(file))))
    };
    promise(env, Some(job), work, |written| written)
}
