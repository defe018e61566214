//! The process as a whole: version, instruction sets, the thread budget.

use crate::job::guard;
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use tamis_kernels::{cpu, ngrams, threads};

#[napi]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

#[napi]
pub fn instruction_sets() -> Vec<String> {
    cpu::instruction_sets().into_iter().map(Into::into).collect()
}

/// The Unicode version of the character tables that tokens depend on.
#[napi]
pub fn unicode_version() -> String {
    let (major, minor, patch) = ngrams::UNICODE_VERSION;
    format!("{major}.{minor}.{patch}")
}

#[napi]
pub fn threads() -> u32 {
    threads::threads() as u32
}

/// Sets the thread budget of everything that starts from now on; 0 goes back to the default.
#[napi]
pub fn set_threads(threads: u32) -> Result<()> {
    guard(|| {
        threads::set_threads(threads as usize);
        Ok(())
    })
}
