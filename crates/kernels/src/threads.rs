//! The one thread budget of the process: every parallel operation and file job runs on this pool.
//!
//! A job that was started keeps the pool that it started on; a new size holds for what starts after it.

mod turns;

pub use turns::take_long as take_long_turns;

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Arc, Mutex, OnceLock};

fn slot() -> &'static Mutex<Arc<ThreadPool>> {
    static POOL: OnceLock<Mutex<Arc<ThreadPool>>> = OnceLock::new();
    POOL.get_or_init(|| Mutex::new(build(default_threads())))
}

fn build(threads: usize) -> Arc<ThreadPool> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("tamis-{i}"))
        .start_handler(|_| take_long_turns())
        .build()
        .expect("the operating system refused to start threads");
    Arc::new(pool)
}

/// `TAMIS_THREADS`, else `RAYON_NUM_THREADS`, else the cores this process may use; at least 1.
pub fn default_threads() -> usize {
    ["TAMIS_THREADS", "RAYON_NUM_THREADS"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.trim().parse::<usize>().ok().filter(|&n| n > 0))
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
}

/// The pool in force.
pub fn pool() -> Arc<ThreadPool> {
    slot().lock().unwrap_or_else(|e| e.into_inner()).clone()
}

/// The number of threads in force.
pub fn threads() -> usize {
    pool().current_num_threads()
}

/// Sets the budget for everything that starts from now on; 0 goes back to the default.
pub fn set_threads(threads: usize) {
    let threads = if threads == 0 { default_threads() } else { threads };
    let mut slot = slot().lock().unwrap_or_else(|e| e.into_inner());
    if slot.current_num_threads() != threads {
        *slot = build(threads);
    }
}

/// A budget of a test's own while it lives; one test at a time has one. A pool of the test's own would not do: operations move
/// their work to the pool in force.
#[cfg(test)]
pub(crate) struct Budget {
    _turn: std::sync::MutexGuard<'static, ()>,
}

#[cfg(test)]
impl Budget {
    pub(crate) fn of(threads: usize) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let budget = Budget { _turn: TURN.lock().unwrap_or_else(|e| e.into_inner()) };
        set_threads(threads);
        budget
    }

    /// Runs `work` on the pool.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        pool().install(work)
    }
}

#[cfg(test)]
impl Drop for Budget {
    fn drop(&mut self) {
        set_threads(0);
    }
}

/// What `work` gives on budgets of 1, 2 and 7 threads: the same, or it panics.
#[cfg(test)]
pub(crate) fn on_any_budget<T: PartialEq + std::fmt::Debug>(work: impl Fn() -> T) -> T {
    let [one, two, seven] = [1, 2, 7].map(|threads| {
        let _budget = Budget::of(threads);
        assert_eq!(self::threads(), threads);
        work()
    });
    assert!(one == two && one == seven, "the number of threads shows");
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_size_holds_for_what_starts_after_it() {
        let budget = Budget::of(3);
        assert_eq!(threads(), 3);
        let before = pool();
        set_threads(5);
        assert_eq!((threads(), before.current_num_threads()), (5, 3));
        set_threads(0);
        assert_eq!(threads(), default_threads());
        drop(budget);
    }
}
