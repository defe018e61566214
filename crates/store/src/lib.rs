//! Corpora on disk, streamed: read in blocks, worked through in parallel, written whole or not at all.

pub mod atomic;
pub mod block;
pub mod checkpoint;
pub mod corpus;
pub mod counts;
pub mod dedup;
pub mod error;
mod failpoint;
mod fs;
pub mod gguf;
mod hash;
pub mod input;
mod json;
pub mod near;
pub mod ordered;
pub mod passes;
pub mod record;
pub mod safetensors;
pub mod scores;
pub mod sink;
mod spool;
pub mod state;
mod stream;
mod table;
pub mod vectors;
