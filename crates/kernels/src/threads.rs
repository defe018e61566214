//! The one thread budget of the process: every parallel operation and file job runs on this pool.
//!
//! A job that was started keeps the pool that it started on; a new size holds for what starts after it.

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

/// What `work` gives on budgets of 1, 2 and 7 threads: the same, or it panics. A pool of a test's own would not do: operations
/// move their work to the pool in force.
#[cfg(test)]
pub(crate) fn on_any_budget<T: PartialEq + std::fmt::Debug>(work: impl Fn() -> T) -> T {
    let _turn = tests::turn();
    let [one, two, seven] = [1, 2, 7].map(|budget| {
        set_threads(budget);
        assert_eq!(threads(), budget);
        work()
    });
    set_threads(0);
    assert!(one == two && one == seven, "the number of threads shows");
    one
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard};

    /// One test at a time sets the budget.
    pub fn turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(|e| e.into_inner())
    }

    #[test]
    fn a_new_size_holds_for_what_starts_after_it() {
        let _turn = turn();
        let before = super::pool();
        super::set_threads(3);
        assert_eq!(super::threads(), 3);
        super::set_threads(0);
        assert_eq!(super::threads(), super::default_threads());
        drop(before);
    }
}
