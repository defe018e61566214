//! Outputs that appear whole or not at all.

use super::corpus::path;
use super::gone;
use crate::failure::Failure;
use crate::job::promise;
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
    pub fn abandon<'env>(&mut self, env: &'env Env) -> Result<Object<'env>> {
        let inner = self.inner.take();
        promise(
            env,
            None,
            move |_| {
                drop(inner);
                Ok(())
            },
            |()| (),
        )
    }
}

/// Starts an output file or folder, which must not exist without `force`.
#[napi]
pub fn open_output<'env>(env: &'env Env, target: String, folder: bool, force: bool) -> Result<Object<'env>> {
    let open = move |_: &tamis_kernels::job::Job| {
        let target = path(target);
        Ok(if folder {
            atomic::Output::folder(&target, force)?
        } else {
            atomic::Output::file(&target, force)?
        })
    };
    promise(env, None, open, |output| Output { inner: Some(output) })
}
