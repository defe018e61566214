//! Cutting long slices into tasks for the shared pool.
//!
//! A task is a fixed number of items, so that what is made of each, and the order in which that is joined, does not
//! depend on the number of threads. What fits one task is done at once, without the pool.

use crate::job::{Aborted, Job};
use crate::threads;
use rayon::prelude::*;
use std::ops::Range;

/// Items of a task: sixteen of the blocks in which sums run.
pub(crate) const TASK: usize = 1 << 16;

/// What `work` makes of each task of `0..n`, in order.
pub(crate) fn each<R: Send>(
    n: usize,
    job: &Job,
    work: impl Fn(Range<usize>) -> R + Sync,
) -> Result<Vec<R>, Aborted> {
    grouped(n, TASK, n <= TASK, job, work)
}

/// The same for things of which `size` are a task; all at once without the pool if they are `few`.
pub(crate) fn grouped<R: Send>(
    n: usize,
    size: usize,
    few: bool,
    job: &Job,
    work: impl Fn(Range<usize>) -> R + Sync,
) -> Result<Vec<R>, Aborted> {
    let one = |task: usize| {
        job.check()?;
        Ok(work(task * size..n.min((task + 1) * size)))
    };
    let tasks = n.div_ceil(size);
    if few {
        return (0..tasks).map(one).collect();
    }
    threads::pool().install(|| (0..tasks).into_par_iter().map(one).collect())
}

/// The same with the task's share of `out`, of which each `items` items have one; `items` divides a task.
pub(crate) fn fill<U: Send, R: Send>(
    out: &mut [U],
    items: usize,
    job: &Job,
    work: impl Fn(usize, &mut [U]) -> R + Sync,
) -> Result<Vec<R>, Aborted> {
    let size = TASK / items;
    let one = |(task, out): (usize, &mut [U])| {
        job.check()?;
        Ok(work(task * TASK, out))
    };
    if out.len() <= size {
        return out.chunks_mut(size).enumerate().map(one).collect();
    }
    threads::pool().install(|| out.par_chunks_mut(size).enumerate().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_cover_everything_once_and_in_order() {
        for n in [0, 1, TASK, TASK + 1, 3 * TASK + 5] {
            let ranges = each(n, &Job::default(), |range| range).unwrap();
            assert_eq!(ranges.iter().map(|range| range.len()).sum::<usize>(), n);
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            let mut out = vec![0; n];
            let starts = fill(&mut out, 1, &Job::default(), |start, out| {
                out.iter_mut().zip(start..).for_each(|(out, i)| *out = i);
                start
            });
            assert_eq!(starts.unwrap(), ranges.iter().map(|range| range.start).collect::<Vec<_>>());
            assert!(out.iter().enumerate().all(|(i, &x)| i == x));
        }
    }

    #[test]
    fn a_stopped_job_ends_them() {
        let job = Job::default();
        job.stop();
        assert_eq!(each(3 * TASK, &job, |_| ()), Err(Aborted));
        assert_eq!(fill(&mut [0], 1, &job, |_, _| ()), Err(Aborted));
    }
}
