//! Work in parallel, results in order.
//!
//! One item is one task on the process's pool, so that several jobs share it fairly and a short call never waits
//! for more than an item. The calling thread, which must not be one of the pool's, folds results strictly in the items' order; at
//! most two items a worker are alive at once. The first error in order wins, whichever thread met one first.

use crate::block::{Block, BlockReader};
use crate::error::Error;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use tamis_kernels::job::Job;
use tamis_kernels::threads;

/// What a task sends back.
enum Outcome<R> {
    Done(u64, Result<R, Error>),
    Panicked(Box<dyn Any + Send>),
    /// There was no item left to take.
    Empty,
}

/// Runs `work` on every block of `reader`, each worker with a state of its own made by `init`, and `fold` on the
/// results in order; see [`for_each`].
pub fn for_each_block<S: Send, R: Send>(
    reader: &BlockReader,
    threads: Option<usize>,
    job: &Job,
    init: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &Block) -> Result<R, Error> + Sync,
    mut fold: impl FnMut(&Block, R) -> Result<(), Error>,
) -> Result<(), Error> {
    let work = |state: &mut S, block: Block| work(state, &block).map(|result| (block, result));
    for_each(
        || reader.next(),
        threads,
        job,
        init,
        work,
        |(block, result)| {
            job.advance(block.disk_bytes(), 0);
            fold(&block, result)
        },
    )
}

/// Runs `work` on everything that `next` gives, each worker with a state of its own made by `init`, and `fold` on the
/// results in order.
///
/// `next` numbers its items, and its error, from 0 without a gap. `threads` is the most workers at a time, at most the pool's.
pub fn for_each<T: Send, S: Send, R: Send>(
    next: impl Fn() -> Result<Option<(u64, T)>, (u64, Error)> + Sync,
    threads: Option<usize>,
    job: &Job,
    init: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> Result<R, Error> + Sync,
    mut fold: impl FnMut(R) -> Result<(), Error>,
) -> Result<(), Error> {
    let pool = threads::pool();
    let workers = threads.unwrap_or(usize::MAX).clamp(1, pool.current_num_threads());
    let states: Mutex<Vec<S>> = Mutex::default();
    let stop = AtomicBool::new(false);
    let attempt = || {
        let (sequence, item) = match if stop.load(Relaxed) { Ok(None) } else { next() } {
            Ok(None) => return Outcome::Empty,
            Err((sequence, error)) => return Outcome::Done(sequence, Err(error)),
            Ok(Some(taken)) => taken,
        };
        if let Err(aborted) = job.check() {
            return Outcome::Done(sequence, Err(aborted.into()));
        }
        let state = states.lock().unwrap_or_else(|e| e.into_inner()).pop();
        let mut state = state.unwrap_or_else(&init);
        let result = work(&mut state, item);
        states.lock().unwrap_or_else(|e| e.into_inner()).push(state);
        Outcome::Done(sequence, result)
    };
    let task = |results: Sender<Outcome<R>>| {
        let outcome = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(Outcome::Panicked);
        // The receiver is gone only when the fold has panicked: then nobody waits for this result.
        let _ = results.send(outcome);
    };

    let task = &task;
    pool.in_place_scope(|scope| {
        let (sender, results) = channel();
        let spawn = || {
            let sender = sender.clone();
            scope.spawn(move |_| task(sender));
        };
        let mut running = workers;
        let mut exhausted = false;
        let mut waiting: BTreeMap<u64, _> = BTreeMap::new();
        let mut due = 0;
        let mut result = Ok(());
        (0..workers).for_each(|_| spawn());
        while running > 0 {
            let Ok(outcome) = results.recv() else { break };
            running -= 1;
            match outcome {
                Outcome::Empty => exhausted = true,
                Outcome::Panicked(panic) => {
                    stop.store(true, Relaxed);
                    resume_unwind(panic)
                }
                Outcome::Done(sequence, done) => {
                    waiting.insert(sequence, done);
                }
            }
            while result.is_ok()
                && let Some(done) = waiting.remove(&due)
            {
                due += 1;
                result = done.and_then(&mut fold);
            }
            if result.is_err() {
                stop.store(true, Relaxed);
                exhausted = true;
            }
            while !exhausted && running < workers && running + waiting.len() < 2 * workers {
                spawn();
                running += 1;
            }
        }
        result
    })
}

#[cfg(test)]
mod tests;
