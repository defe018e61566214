//! `kernels.*`: factorisations. Matrices cross as bytes of float32 or float64 items, and are widened where the work is.

use crate::call::{Now, run_on};
use crate::failure::Failure;
use crate::job::Job;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::factor::{self, FactorError};
use tamis_kernels::job::{self, Aborted};

/// A float type of a matrix.
pub trait Real: bytemuck::Pod + Send {
    fn widen(self) -> f64;
    fn round(x: f64) -> Self;
}

impl Real for f32 {
    fn widen(self) -> f64 {
        f64::from(self)
    }
    fn round(x: f64) -> Self {
        x as f32
    }
}

impl Real for f64 {
    fn widen(self) -> f64 {
        self
    }
    fn round(x: f64) -> Self {
        x
    }
}

pub fn items<T: Real>(data: &[u8]) -> std::result::Result<&[T], Failure> {
    // An empty array may lie anywhere.
    if data.is_empty() {
        return Ok(&[]);
    }
    bytemuck::try_cast_slice(data).map_err(|e| Failure::shape(format!("data of a matrix: {e}")))
}

pub fn wide<T: Real>(items: &[T]) -> Vec<f64> {
    items.iter().map(|item| item.widen()).collect()
}

pub fn rounded<T: Real>(items: Vec<f64>) -> Vec<u8> {
    let items: Vec<T> = items.into_iter().map(T::round).collect();
    bytemuck::cast_slice(&items).to_vec()
}

/// An error of a matrix that messages call `name`.
fn refused(name: &'static str) -> impl Fn(FactorError) -> Failure {
    move |error| match error {
        FactorError::Aborted => Aborted.into(),
        error => Failure::range(format!("{name} {error}")),
    }
}

pub(crate) fn check_finite<T: Real>(name: &str, items: &[T]) -> std::result::Result<(), Failure> {
    match items.iter().position(|item| !item.widen().is_finite()) {
        Some(i) => {
            Err(Failure::range(format!("{name} must be finite, got {} at index {i}", items[i].widen())))
        }
        None => Ok(()),
    }
}

fn check_shape(holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Failure::shape("a matrix of another shape").into()) }
}

#[napi(object)]
pub struct Eigen {
    pub values: Float64Array,
    /// Bytes of items of the input's type.
    pub vectors: Option<Uint8Array>,
}

/// The `rank` largest eigenvalues of a symmetric matrix [n, n].
#[napi]
pub fn eigh<'env>(
    env: &'env Env,
    wide: bool,
    data: &[u8],
    n: u32,
    rank: u32,
    vectors: bool,
    job: Option<&Job>,
) -> Result<Now<'env, Eigen>> {
    if wide {
        eigh_of::<f64>(env, data, n, rank, vectors, job)
    } else {
        eigh_of::<f32>(env, data, n, rank, vectors, job)
    }
}

fn eigh_of<'env, T: Real>(
    env: &'env Env,
    data: &[u8],
    n: u32,
    rank: u32,
    vectors: bool,
    job: Option<&Job>,
) -> Result<Now<'env, Eigen>> {
    let (n, rank) = (n as usize, rank as usize);
    let a = items::<T>(data)?;
    check_shape(a.len() == n * n && rank <= n)?;
    let work = move |a: &[T], job: &job::Job| {
        let found = factor::eigh(&wide(a), n, rank, vectors, job).map_err(refused("a"))?;
        Ok((found.values, found.vectors.map(rounded::<T>)))
    };
    run_on(env, job, a, work, |(values, vectors)| Eigen {
        values: Float64Array::new(values),
        vectors: vectors.map(Uint8Array::new),
    })
}

#[napi(object)]
pub struct Svd {
    pub s: Float64Array,
    /// Bytes of items of the input's type.
    pub u: Option<Uint8Array>,
    pub v: Option<Uint8Array>,
}

/// The `rank` largest singular values of a matrix [m, n].
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn svd<'env>(
    env: &'env Env,
    wide: bool,
    data: &[u8],
    m: u32,
    n: u32,
    rank: u32,
    vectors: bool,
    job: Option<&Job>,
) -> Result<Now<'env, Svd>> {
    let dims = [m as usize, n as usize];
    if wide {
        svd_of::<f64>(env, data, dims, rank, vectors, job)
    } else {
        svd_of::<f32>(env, data, dims, rank, vectors, job)
    }
}

fn svd_of<'env, T: Real>(
    env: &'env Env,
    data: &[u8],
    [m, n]: [usize; 2],
    rank: u32,
    vectors: bool,
    job: Option<&Job>,
) -> Result<Now<'env, Svd>> {
    let rank = rank as usize;
    let a = items::<T>(data)?;
    check_shape(a.len() == m * n && rank <= m.min(n))?;
    let work = move |a: &[T], job: &job::Job| {
        let found = factor::svd(&wide(a), m, n, rank, vectors, job).map_err(refused("a"))?;
        Ok((found.s, found.vectors.map(|(u, v)| (rounded::<T>(u), rounded::<T>(v)))))
    };
    run_on(env, job, a, work, |(s, vectors)| {
        let (u, v) = vectors.map(|(u, v)| (Uint8Array::new(u), Uint8Array::new(v))).unzip();
        Svd { s: Float64Array::new(s), u, v }
    })
}

/// X of `(A + ridge I) X = B`, A of [n, n], B of [n, m].
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn solve<'env>(
    env: &'env Env,
    wide: bool,
    a: &[u8],
    b: &[u8],
    n: u32,
    m: u32,
    ridge: f64,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let dims = [n as usize, m as usize];
    if wide {
        solve_of::<f64>(env, a, b, dims, ridge, job)
    } else {
        solve_of::<f32>(env, a, b, dims, ridge, job)
    }
}

fn solve_of<'env, T: Real>(
    env: &'env Env,
    a: &[u8],
    b: &[u8],
    [n, m]: [usize; 2],
    ridge: f64,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let (a, b) = (items::<T>(a)?, items::<T>(b)?);
    check_shape(a.len() == n * n && b.len() == n * m)?;
    check_finite("b", b)?;
    let b = wide(b);
    let work = move |a: &[T], job: &job::Job| {
        let x = factor::solve(&wide(a), n, &b, m, ridge, job).map_err(refused("a"))?;
        Ok(rounded::<T>(x))
    };
    run_on(env, job, a, work, Uint8Array::new)
}

/// The W, [p, q], that minimises `||X W - Y||^2 + ridge ||W||^2`.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn least_squares<'env>(
    env: &'env Env,
    wide: bool,
    x: &[u8],
    y: &[u8],
    n: u32,
    p: u32,
    q: u32,
    ridge: f64,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let dims = [n as usize, p as usize, q as usize];
    if wide {
        least_squares_of::<f64>(env, x, y, dims, ridge, job)
    } else {
        least_squares_of::<f32>(env, x, y, dims, ridge, job)
    }
}

fn least_squares_of<'env, T: Real>(
    env: &'env Env,
    x: &[u8],
    y: &[u8],
    dims: [usize; 3],
    ridge: f64,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let [n, p, q] = dims;
    let (x, y) = (items::<T>(x)?, items::<T>(y)?);
    check_shape(x.len() == n * p && y.len() == n * q)?;
    check_finite("y", y)?;
    let y = wide(y);
    let work = move |x: &[T], job: &job::Job| {
        let w = factor::least_squares(&wide(x), &y, dims, ridge, job).map_err(refused("x"))?;
        Ok(rounded::<T>(w))
    };
    run_on(env, job, x, work, Uint8Array::new)
}
