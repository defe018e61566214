//! Outputs that appear whole or not at all.

use super::corpus::path;
use super::gone;
use crate::failure::Failure;
use crate::job::guard;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_store::atomic;

/// An output that is not in place yet.
#[napi]
pub struct Output {
    inner: Option<atomic::Output>,
}

impl Output {
    /// Hands it to the pass that fills it.
    pub(super) fn take(&mut self) -> std::result::Result<atomic::Output, Failure> {
        self.inner.take().ok_or_else(|| gone("output"))
    }
}

#[napi]
impl Output {
    /// Removes what was written.
    #[napi]
    pub fn abandon(&mut self) {
        self.inner = None;
    }
}

/// Starts an output file or folder, which must not exist without `force`.
#[napi]
pub fn open_output(target: String, folder: bool, force: bool) -> Result<Output> {
    guard(|| {
        let target = path(target);
        let inner = if folder { atomic::Output::folder(&target, force)? } else { atomic::Output::file(&target, force)? };
        Ok(Output { inner: Some(inner) })
    })
}
