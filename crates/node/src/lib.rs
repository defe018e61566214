//! The addon: what the crates offer, as JavaScript sees it. No logic lives here.

mod failure;
mod files;
mod job;
mod kernels;
mod process;
mod texts;
