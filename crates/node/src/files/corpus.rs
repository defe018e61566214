//! Input files.

use super::{gone, number, whole};
use crate::failure::Failure;
use crate::job::{Job, promise};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::path::PathBuf;
use std::sync::Arc;
use tamis_store::corpus;
use tamis_store::record::{self, OnBad, TextUnit};

/// How records are read.
#[napi(object)]
pub struct ReadOptions {
    pub text_field: String,
    pub text_unit: String,
    pub max_record: f64,
    pub on_bad: String,
}

impl From<ReadOptions> for record::ReadOptions {
    fn from(o: ReadOptions) -> Self {
        record::ReadOptions {
            text_field: o.text_field,
            max_record: whole(o.max_record),
            on_bad: if o.on_bad == "skip" { OnBad::Skip } else { OnBad::Throw },
            text_unit: if o.text_unit == "file" { TextUnit::File } else { TextUnit::Line },
            ..record::ReadOptions::default()
        }
    }
}

/// One input file.
#[napi(object)]
pub struct Input {
    pub path: String,
    pub name: String,
    pub format: String,
    pub bytes: f64,
    /// Which of the patterns named it.
    pub pattern: u32,
}

/// Input files, found and cut into shards.
#[napi]
pub struct Corpus {
    shared: Option<Arc<corpus::Corpus>>,
}

impl Corpus {
    pub(super) fn get(&self) -> std::result::Result<Arc<corpus::Corpus>, Failure> {
        self.shared.clone().ok_or_else(|| gone("corpus"))
    }
}

#[napi]
impl Corpus {
    #[napi]
    pub fn inputs(&self) -> Result<Vec<Input>> {
        let one = |input: &tamis_store::input::Input| Input {
            path: input.path.to_string_lossy().into_owned(),
            name: input.name.clone(),
            format: input.format.ending().into(),
            bytes: number(input.bytes),
            pattern: input.pattern as u32,
        };
        Ok(self.get()?.inputs.iter().map(one).collect())
    }

    #[napi]
    pub fn uses_standard_input(&self) -> bool {
        self.shared.as_ref().is_some_and(|corpus| corpus.uses_standard_input())
    }

    /// Lets go of the files; the copy of standard input goes when nothing works on it any more.
    #[napi]
    pub fn close<'env>(&mut self, env: &'env Env) -> Result<Object<'env>> {
        let shared = self.shared.take();
        promise(
            env,
            None,
            move |_| {
                drop(shared);
                Ok(())
            },
            |()| (),
        )
    }
}

/// Finds the files that the patterns name.
#[napi]
pub fn open_corpus<'env>(
    env: &'env Env,
    patterns: Vec<String>,
    options: ReadOptions,
    job: &Job,
) -> Result<Object<'env>> {
    let open = move |job: &tamis_kernels::job::Job| Ok(corpus::Corpus::open(&patterns, options.into(), job)?);
    promise(env, Some(job), open, |corpus| Corpus { shared: Some(Arc::new(corpus)) })
}

/// A path out of JavaScript.
pub(super) fn path(text: String) -> PathBuf {
    PathBuf::from(text)
}
