//! Files: corpora, what a run keeps for the next one, outputs, and the passes over them.
//!
//! Handles are classes that share what they hold with the threads that work on it; a handle that was closed, or used
//! up, says so.

mod corpus;
mod counts;
mod dedup;
mod mapped;
mod output;
mod passes;
mod state;
mod survey;
mod vectors;
mod weights;
mod write;

use crate::failure::Failure;

/// What is left of a handle that was closed or used up.
pub(crate) fn gone(what: &str) -> Failure {
    Failure::range(format!("the {what} was closed"))
}

/// Numbers of bytes, records and tokens are exact up to 2^53 in JavaScript.
fn number(n: u64) -> f64 {
    n as f64
}

/// A size that the caller has checked to be a whole number.
fn whole(n: f64) -> u64 {
    n as u64
}
