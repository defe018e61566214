//! Operations that decide what to keep, over slices.

pub mod job;
pub mod threads;
