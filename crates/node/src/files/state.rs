//! What an interrupted run leaves for the next one.

use super::corpus::{Corpus, path};
use super::gone;
use crate::failure::Failure;
use crate::job::promise;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::{Arc, Mutex};
use tamis_store::passes::features::Features;
use tamis_store::state::{self, Fingerprint, InputPrint, state_folder};

/// The phase under which a run notes that it begins to put its output in place.
const COMMIT: &str = "commit";

/// N-grams that a counting pass kept for the passes that score and write.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Option<Features>>>);

impl Kept {
    pub(super) fn put(&self, features: Option<Features>) {
        *self.0.lock().unwrap_or_else(|e| e.into_inner()) = features;
    }

    pub(super) fn take(&self) -> Option<Features> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).take()
    }
}

/// The locked state of a run.
#[napi]
pub struct State {
    shared: Option<Arc<state::State>>,
    path: String,
    pub(super) kept: Kept,
}

impl State {
    pub(super) fn get(&self) -> std::result::Result<Arc<state::State>, Failure> {
        self.shared.clone().ok_or_else(|| gone("state"))
    }
}

/// Of an argument that may be left out.
pub(super) fn shared(state: Option<&State>) -> std::result::Result<Option<Arc<state::State>>, Failure> {
    state.map(State::get).transpose()
}

#[napi]
impl State {
    #[napi]
    pub fn path(&self) -> String {
        self.path.clone()
    }

    #[napi]
    pub fn resumed(&self) -> bool {
        self.shared.as_ref().is_some_and(|state| state.resumed())
    }

    #[napi]
    pub fn mark_commit<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let state = self.get()?;
        promise(env, None, move |_| Ok(state.put(COMMIT, 0, &[])?), |()| ())
    }

    #[napi]
    pub fn has_commit_mark(&self) -> Result<bool> {
        let state = self.get()?;
        Ok(state.resumed() && state.get(COMMIT, 0).is_some())
    }

    /// Keeps a result of the run under a name: lower-case letters.
    #[napi]
    pub fn keep<'env>(&self, env: &'env Env, name: String, bytes: &[u8]) -> Result<Object<'env>> {
        let (state, bytes) = (self.get()?, bytes.to_vec());
        promise(env, None, move |_| Ok(state.put(&name, 0, &bytes)?), |()| ())
    }

    /// What the interrupted run kept under a name.
    #[napi]
    pub fn kept<'env>(&self, env: &'env Env, name: String) -> Result<Object<'env>> {
        let state = self.get()?;
        promise(env, None, move |_| Ok(state.get(&name, 0)), |found| found.map(Uint8Array::new))
    }

    /// Removes it, unless somebody still works with it after an abort.
    #[napi]
    pub fn finish<'env>(&mut self, env: &'env Env) -> Result<Object<'env>> {
        self.kept.put(None);
        let state = self.shared.take().and_then(Arc::into_inner);
        promise(env, None, move |_| Ok(state.map_or(Ok(()), state::State::finish)?), |()| ())
    }

    #[napi]
    pub fn release(&mut self) {
        self.kept.put(None);
        self.shared = None;
    }
}

/// Opens and locks the state of runs on this output, which read these corpora and files.
#[napi]
pub fn open_state<'env>(
    env: &'env Env,
    output: String,
    options: String,
    corpora: Vec<&Corpus>,
    files: Vec<String>,
    resume: bool,
) -> Result<Object<'env>> {
    let mut inputs = Vec::new();
    for corpus in corpora {
        inputs.extend(corpus.get()?.prints());
    }
    let open = move |_: &tamis_kernels::job::Job| {
        for file in files {
            inputs.push(InputPrint::of(&path(file))?);
        }
        let output = path(output);
        let folder = state_folder(&output)?;
        let state = state::State::open(&output, &Fingerprint { options, inputs }, resume)?;
        Ok((state, folder.to_string_lossy().into_owned()))
    };
    promise(env, None, open, |(state, path)| State {
        shared: Some(Arc::new(state)),
        path,
        kept: Kept::default(),
    })
}
