//! Operations that decide what to keep, over slices.

pub mod apportion;
pub mod assign;
pub mod cpu;
pub mod job;
pub mod ngrams;
pub mod philox;
pub mod ratio;
pub mod sha256;
pub mod sums;
pub mod threads;
pub mod topk;
mod unicode;
