//! Rounds of random rows, for `training`.

use crate::call::word;
use crate::failure::Failure;
use crate::job::guard;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::rounds::{self, Size};

/// The rounds, one after the other.
#[napi]
pub struct Rounds {
    rounds: rounds::Rounds,
}

#[napi]
impl Rounds {
    /// Rounds of `size` rows, or of a share of the rows (of each class); the front has checked the ranges.
    #[napi(constructor)]
    pub fn new(
        n: u32,
        size: Option<u32>,
        ratio: f64,
        classes: Option<&[u32]>,
        replacement: bool,
        seed: BigInt,
    ) -> Result<Self> {
        let size = match (size, classes) {
            (Some(count), _) => Size::Count(count),
            (None, Some(classes)) => Size::Strata(ratio, classes),
            (None, None) => Size::Ratio(ratio),
        };
        let rounds = guard(|| {
            rounds::Rounds::new(n, size, replacement, word(&seed)).map_err(|e| Failure::range(e.to_string()))
        })?;
        Ok(Rounds { rounds })
    }

    /// The rows of the next round.
    #[napi]
    pub fn next(&mut self) -> Result<Uint32Array> {
        guard(|| Ok(self.rounds.next_round())).map(Uint32Array::new)
    }

    #[napi]
    pub fn seek(&mut self, round: u32) -> Result<()> {
        guard(|| {
            self.rounds.seek(round);
            Ok(())
        })
    }

    #[napi(getter)]
    pub fn round(&self) -> u32 {
        self.rounds.round()
    }

    #[napi(getter)]
    pub fn size(&self) -> u32 {
        self.rounds.size() as u32
    }
}
