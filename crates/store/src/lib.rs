//! Corpora on disk, streamed: read in blocks, worked through in parallel, written whole or not at all.

pub mod atomic;
pub mod block;
pub mod corpus;
pub mod counts;
pub mod error;
mod failpoint;
mod fs;
mod hash;
pub mod input;
mod json;
pub mod ordered;
pub mod passes;
pub mod record;
pub mod scores;
pub mod sink;
mod spool;
pub mod state;
mod stream;
mod table;
