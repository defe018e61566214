//! The pass that writes what was chosen, and its commit.

use super::corpus::Corpus;
use super::output::Output;
use super::passes::{Chosen, FileTotals, totals};
use super::state::State;
use super::{gone, number};
use crate::job::{Job, promise};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_store::atomic;
use tamis_store::passes::write;

#[napi(object)]
pub struct WriteOptions {
    pub ngrams: u32,
    pub buckets: u32,
    pub add_scores: Option<Vec<String>>,
    /// In place of them: add losses.
    pub add_losses: Option<bool>,
    pub examples: u32,
    pub threads: Option<u32>,
}

#[napi(object)]
pub struct OutputFile {
    pub path: String,
    pub records: f64,
    pub bytes: f64,
    pub sha256: String,
}

#[napi(object)]
pub struct Example {
    pub file: u32,
    pub record: f64,
    pub score: f64,
    pub key: f64,
    pub tokens: u32,
    pub text: String,
}

/// What was read again, and written if there is an output.
#[napi]
pub struct Written {
    inner: write::Written,
    output: Option<atomic::Output>,
}

impl Written {
    pub(super) fn new(inner: write::Written, output: Option<atomic::Output>) -> Self {
        Written { inner, output }
    }
}

fn examples(examples: &[write::Example]) -> Vec<Example> {
    let one = |e: &write::Example| Example {
        file: e.file,
        record: number(e.record),
        score: e.score,
        key: e.key,
        tokens: e.tokens,
        text: e.text.clone(),
    };
    examples.iter().map(one).collect()
}

#[napi]
impl Written {
    #[napi]
    pub fn files(&self) -> Vec<OutputFile> {
        let one = |file: &tamis_store::sink::OutputFile| OutputFile {
            path: file.path.to_string_lossy().into_owned(),
            records: number(file.records),
            bytes: number(file.bytes),
            sha256: file.sha256.clone(),
        };
        self.inner.files.iter().map(one).collect()
    }

    /// Of each input, what was written of it: records, their tokens where they were counted, bytes of text.
    #[napi]
    pub fn totals(&self) -> Vec<FileTotals> {
        totals(&self.inner.totals)
    }

    /// Bytes of text of the records written.
    #[napi]
    pub fn text_bytes(&self) -> f64 {
        number(self.inner.totals.iter().map(|file| file.text_bytes).sum())
    }

    #[napi]
    pub fn counts(&self) -> Float64Array {
        Float64Array::new(self.inner.counts.iter().map(|&n| number(n)).collect())
    }

    #[napi]
    pub fn highest(&self) -> Vec<Example> {
        examples(&self.inner.highest)
    }

    #[napi]
    pub fn lowest(&self) -> Vec<Example> {
        examples(&self.inner.lowest)
    }

    #[napi]
    pub fn misses(&self) -> Vec<Example> {
        examples(&self.inner.misses)
    }

    /// Removes what was written.
    #[napi]
    pub fn abandon<'env>(&mut self, env: &'env Env) -> Result<Object<'env>> {
        let output = self.output.take();
        promise(
            env,
            None,
            move |_| {
                drop(output);
                Ok(())
            },
            |()| (),
        )
    }
}

/// Reads the chosen records again, counts their n-grams (those that the counting pass kept in the state, if it did) and writes them
/// to the output, if there is one.
#[napi]
pub fn write_chosen<'env>(
    env: &'env Env,
    corpus: &Corpus,
    chosen: &Chosen,
    output: Option<&mut Output>,
    options: WriteOptions,
    state: Option<&State>,
    job: &Job,
) -> Result<Object<'env>> {
    let kept = state.map(|state| state.kept.clone());
    let (corpus, chosen) = (corpus.get()?, chosen.shared.clone());
    let mut output = output.map(Output::take).transpose()?;
    let work = move |job: &tamis_kernels::job::Job| {
        let options = write::WriteOptions {
            order: options.ngrams,
            buckets: options.buckets,
            add: match options.add_losses {
                Some(true) => Some(write::Add::Losses),
                _ => options.add_scores.map(write::Add::Weights),
            },
            examples: options.examples as usize,
            threads: options.threads.map(|n| n as usize),
        };
        let features = kept.and_then(|kept| kept.take());
        let (inputs, read) = (&corpus.inputs, &corpus.read);
        let inner =
            write::write_chosen(inputs, read, &chosen, output.as_mut(), &options, features.as_ref(), job)?;
        Ok(Written::new(inner, output))
    };
    job.begin();
    promise(env, Some(job), work, |written| written)
}

/// Puts the output in place, the manifest last; resolves to where that lies.
#[napi]
pub fn commit_written<'env>(
    env: &'env Env,
    written: &mut Written,
    manifest: String,
    job: &Job,
) -> Result<Object<'env>> {
    let output = written.output.take().ok_or_else(|| gone("output"))?;
    promise(
        env,
        Some(job),
        move |_| Ok(output.commit(&manifest)?),
        |path| path.to_string_lossy().into_owned(),
    )
}
