//! Long calls: a job that JavaScript can stop and ask how far it is, and promises settled from other threads.
//!
//! What is computed runs on the shared pool, so that a service's libuv threads stay free for its own files and
//! sockets.

use crate::failure::Failure;
use napi::bindgen_prelude::{Env, Object, Result, ToNapiValue};
use napi_derive::napi;
use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Weak};

/// A running call's stop flag and counters.
#[napi]
#[derive(Default)]
pub struct Job {
    pub(crate) shared: Arc<tamis_kernels::job::Job>,
}

/// How far a job is; `phase` is numbered by the call.
#[napi(object)]
pub struct JobProgress {
    pub phase: u32,
    pub done: f64,
    pub total: f64,
    pub records: f64,
}

#[napi]
impl Job {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn stop(&self) {
        self.shared.stop();
    }

    #[napi]
    pub fn progress(&self) -> JobProgress {
        let p = self.shared.progress();
        JobProgress { phase: p.phase, done: p.done as f64, total: p.total as f64, records: p.records as f64 }
    }
}

impl Job {
    /// Sets the counters to zero for the operation that is about to start.
    pub fn begin(&self) {
        self.shared.begin(0, 0);
    }
}

type Running = Arc<Mutex<Vec<Weak<tamis_kernels::job::Job>>>>;

thread_local! {
    /// The jobs that this JavaScript thread started and that may still run.
    static RUNNING: OnceCell<Running> = const { OnceCell::new() };
}

/// Makes the end of this JavaScript environment (a worker's `terminate`, the end of the process) stop the job.
fn stop_with_environment(env: &Env, job: &Arc<tamis_kernels::job::Job>) -> Result<()> {
    RUNNING.with(|cell| {
        if cell.get().is_none() {
            let running = Running::default();
            env.add_env_cleanup_hook(running.clone(), |running: Running| {
                for job in running.lock().unwrap_or_else(|e| e.into_inner()).drain(..) {
                    if let Some(job) = job.upgrade() {
                        job.stop();
                    }
                }
            })?;
            let _ = cell.set(running);
        }
        if let Some(running) = cell.get() {
            let mut running = running.lock().unwrap_or_else(|e| e.into_inner());
            running.retain(|job| job.strong_count() > 0);
            running.push(Arc::downgrade(job));
        }
        Ok(())
    })
}

/// Runs `work` on a thread of its own and settles the returned promise with what `finish` makes of its result
/// on the JavaScript thread. A panic rejects; it never crosses. For work that waits: for files, for other threads.
pub fn promise<'env, T, V>(
    env: &'env Env,
    job: Option<&Job>,
    work: impl FnOnce(&tamis_kernels::job::Job) -> std::result::Result<T, Failure> + Send + 'static,
    finish: impl FnOnce(T) -> V + Send + 'static,
) -> Result<Object<'env>>
where
    T: Send + 'static,
    V: ToNapiValue + 'static,
{
    settle(env, job, work, finish, |task| {
        let work = || {
            tamis_kernels::threads::take_long_turns();
            task();
        };
        let thread = std::thread::Builder::new().name("tamis-job".into()).spawn(work);
        thread.map(drop).map_err(|error| Failure::range(format!("no thread could be started: {error}")))
    })
}

/// The same on the shared pool, for work that only computes: any number of calls wait in its queue.
pub fn promise_of_pool<'env, T, V>(
    env: &'env Env,
    job: Option<&Job>,
    work: impl FnOnce(&tamis_kernels::job::Job) -> std::result::Result<T, Failure> + Send + 'static,
    finish: impl FnOnce(T) -> V + Send + 'static,
) -> Result<Object<'env>>
where
    T: Send + 'static,
    V: ToNapiValue + 'static,
{
    settle(env, job, work, finish, |task| {
        tamis_kernels::threads::pool().spawn(task);
        Ok(())
    })
}

fn settle<'env, T, V>(
    env: &'env Env,
    job: Option<&Job>,
    work: impl FnOnce(&tamis_kernels::job::Job) -> std::result::Result<T, Failure> + Send + 'static,
    finish: impl FnOnce(T) -> V + Send + 'static,
    start: impl FnOnce(Box<dyn FnOnce() + Send>) -> std::result::Result<(), Failure>,
) -> Result<Object<'env>>
where
    T: Send + 'static,
    V: ToNapiValue + 'static,
{
    let shared = job.map_or_else(Default::default, |job| job.shared.clone());
    stop_with_environment(env, &shared)?;
    let (deferred, promise) = env.create_deferred()?;
    start(Box::new(move || {
        let result = catch_unwind(AssertUnwindSafe(|| {
            // What waited in a queue may have been stopped meanwhile.
            shared.check()?;
            work(&shared)
        }));
        deferred.resolve(move |_env: Env| match result {
            Ok(Ok(value)) => Ok(finish(value)),
            Ok(Err(failure)) => Err(failure.into()),
            Err(panic) => Err(Failure::internal(panic).into()),
        });
    }))?;
    Ok(promise)
}

/// The same for a synchronous call: runs `work` here and turns a panic into an exception.
pub fn guard<T>(work: impl FnOnce() -> std::result::Result<T, Failure>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Into::into),
        Err(panic) => Err(Failure::internal(panic).into()),
    }
}
