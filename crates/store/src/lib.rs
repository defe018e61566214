//! Corpora on disk, streamed: read in blocks, worked through in parallel, written whole or not at all.
