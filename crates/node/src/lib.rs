//! The addon: what the crates offer, as JavaScript sees it. No logic lives here.

// The binding macros register nothing in a test build.
#![cfg_attr(test, allow(dead_code))]

mod call;
mod cluster;
mod codes;
mod corpus;
mod dedup;
mod deflate;
mod diversity;
mod factor;
mod failure;
mod files;
mod filters;
mod groups;
mod job;
mod kernels;
mod linear;
mod losses;
mod masked;
mod models;
mod process;
mod rounds;
mod signals;
mod texts;
mod weights;

use tamis_kernels::memory::LargePages;

#[global_allocator]
static ALLOCATOR: LargePages = LargePages;
