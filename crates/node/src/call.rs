//! How an operation is called: every function takes an optional job. Without one it works at once and borrows its
//! arguments; with one it copies what it needs and returns a promise.

use crate::failure::Failure;
use crate::job::{Job, guard, promise_of_pool};
use napi::bindgen_prelude::*;
use tamis_kernels::job;

/// A value now, or a promise of it.
pub type Now<'env, V> = Either<V, Object<'env>>;

/// Runs `work` here, or on the shared pool if there is a job.
pub fn run<'env, T, V>(
    env: &'env Env,
    job: Option<&Job>,
    work: impl FnOnce(&job::Job) -> std::result::Result<T, Failure> + Send + 'static,
    finish: impl FnOnce(T) -> V + Send + 'static,
) -> Result<Now<'env, V>>
where
    T: Send + 'static,
    V: ToNapiValue + 'static,
{
    match job {
        None => Ok(Either::A(finish(guard(|| work(&job::Job::default()))?))),
        Some(_) => Ok(Either::B(promise_of_pool(env, job, work, finish)?)),
    }
}

/// [`run`] over the caller's memory: read in place by a call that blocks, copied for a promise.
pub fn run_on<'env, X, T, V>(
    env: &'env Env,
    job: Option<&Job>,
    data: &[X],
    work: impl FnOnce(&[X], &job::Job) -> std::result::Result<T, Failure> + Send + 'static,
    finish: impl FnOnce(T) -> V + Send + 'static,
) -> Result<Now<'env, V>>
where
    X: Copy + Send + 'static,
    T: Send + 'static,
    V: ToNapiValue + 'static,
{
    match job {
        None => Ok(Either::A(finish(guard(|| work(data, &job::Job::default()))?))),
        Some(_) => {
            let data = data.to_vec();
            Ok(Either::B(promise_of_pool(env, job, move |job| work(&data, job), finish)?))
        }
    }
}

/// The 64 bits of a seed that the front has checked.
pub fn word(seed: &BigInt) -> u64 {
    seed.get_u64().1
}

/// Does something with a tensor's bytes as items of its type: `$items` is a slice, which borrows them.
macro_rules! with_items {
    ($dtype:expr, $data:expr, |$items:ident: &[$t:ident]| $body:expr) => {
        with_items!(@arms $dtype, $data, $items, $t, $body,
            "float32" f32, "float64" f64, "float16" f16, "bfloat16" bf16, "int8" i8, "uint8" u8, "bool" u8,
            "int16" i16, "uint16" u16, "int32" i32, "uint32" u32, "int64" i64)
    };
    (@arms $dtype:expr, $data:expr, $items:ident, $t:ident, $body:expr, $($name:literal $item:ty),*) => {
        match $dtype {
            $($name => {
                type $t = $item;
                let bytes: &[u8] = $data;
                // An empty array may lie anywhere.
                let $items: &[$t] = if bytes.is_empty() {
                    &[]
                } else {
                    bytemuck::try_cast_slice(bytes).map_err(|e| Failure::shape(format!("data of {}: {e}", $name)))?
                };
                $body
            })*
            other => Err(Failure::kind(format!("no tensor has the type {other}")).into()),
        }
    };
}
pub(crate) use with_items;
