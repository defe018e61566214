//! What a long call shares with whoever waits for it: a stop flag and counters of progress.
//!
//! A [`Job`] is written by the threads that work and read by any other; every field is an atomic, so neither
//! side ever waits for the other. Work checks [`Job::check`] at least once a block (a few milliseconds).

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The work was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted;

/// A stop flag and progress counters of one long call.
#[derive(Debug, Default)]
pub struct Job {
    stop: AtomicBool,
    phase: AtomicU32,
    done: AtomicU64,
    total: AtomicU64,
    records: AtomicU64,
}

/// A reading of a job's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Which phase of the call runs, numbered by the operation.
    pub phase: u32,
    /// Bytes done in this phase.
    pub done: u64,
    /// Bytes of this phase in all; 0 while unknown.
    pub total: u64,
    /// Records done in this phase.
    pub records: u64,
}

impl Job {
    /// Asks the work to stop at its next check.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Whether a stop was asked for.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// An error once a stop was asked for.
    pub fn check(&self) -> Result<(), Aborted> {
        if self.is_stopped() { Err(Aborted) } else { Ok(()) }
    }

    /// Starts a phase: counters go back to zero.
    pub fn begin(&self, phase: u32, total: u64) {
        self.done.store(0, Relaxed);
        self.records.store(0, Relaxed);
        self.total.store(total, Relaxed);
        self.phase.store(phase, Relaxed);
    }

    /// Adds bytes and records done.
    pub fn advance(&self, bytes: u64, records: u64) {
        self.done.fetch_add(bytes, Relaxed);
        self.records.fetch_add(records, Relaxed);
    }

    /// The counters now.
    pub fn progress(&self) -> Progress {
        Progress {
            phase: self.phase.load(Relaxed),
            done: self.done.load(Relaxed),
            total: self.total.load(Relaxed),
            records: self.records.load(Relaxed),
        }
    }
}
