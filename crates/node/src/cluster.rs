//! `kernels.pairwise`, `kernels.nearest` and `kernels.kMeans`.

use crate::call::{Now, with_items, word};
use crate::failure::Failure;
use crate::job::{Job, guard, promise_of_pool};
use half::{bf16, f16};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::distance::{self, Bits, Item, Metric, Pairs, Places, Real, Rows, SetMetric, Vectors};
use tamis_kernels::job;
use tamis_kernels::kmeans::{self, Clustering, Init, KMeansError};
use tamis_kernels::nearest::{self, NearestError, Neighbours};

/// What rows are compared by.
#[napi(string_enum = "lowercase")]
#[derive(Clone, Copy)]
pub enum RowMetric {
    Dot,
    Cosine,
    L2sq,
    L2,
    Hamming,
    Jaccard,
}

impl RowMetric {
    fn of_sets(self) -> std::result::Result<SetMetric, Metric> {
        match self {
            RowMetric::Dot => Err(Metric::Dot),
            RowMetric::Cosine => Err(Metric::Cosine),
            RowMetric::L2sq => Err(Metric::L2sq),
            RowMetric::L2 => Err(Metric::L2),
            RowMetric::Hamming => Ok(SetMetric::Hamming),
            RowMetric::Jaccard => Ok(SetMetric::Jaccard),
        }
    }
}

/// Two sides of rows of one width: `left` of the one and `right` of the other.
#[napi(object)]
pub struct RowSides {
    pub left: u32,
    pub right: u32,
    pub width: u32,
    pub metric: RowMetric,
    /// Rows are bits.
    pub packed: bool,
}

type Sides<'a, T> = (Rows<'a, T>, Rows<'a, T>);

impl RowSides {
    fn rows<'a, T>(&self, x: &'a [T], y: &'a [T]) -> std::result::Result<Sides<'a, T>, Failure> {
        let width = self.width as usize;
        Ok((rows(x, self.left as usize, width)?, rows(y, self.right as usize, width)?))
    }
}

fn rows<T>(x: &[T], count: usize, width: usize) -> std::result::Result<Rows<'_, T>, Failure> {
    if Some(x.len()) != count.checked_mul(width) {
        return Err(Failure::shape(format!("dims: {count} rows of {width} do not fit {} items", x.len())));
    }
    Ok(Rows::new(x, count, width))
}

/// The other side's bytes as items of the same type.
fn like<'a, X: bytemuck::AnyBitPattern>(_: &[X], bytes: &'a [u8]) -> Result<&'a [X]> {
    // An empty array may lie anywhere.
    if bytes.is_empty() {
        return Ok(&[]);
    }
    Ok(bytemuck::try_cast_slice(bytes).map_err(|e| Failure::shape(format!("data of the other side: {e}")))?)
}

/// Runs `work` on both sides' memory: read in place by a call that blocks, copied for a promise.
fn on_both<'env, X, T, V>(
    env: &'env Env,
    job: Option<&Job>,
    (x, y): (&[X], &[X]),
    work: impl FnOnce(&[X], &[X], &job::Job) -> std::result::Result<T, Failure> + Send + 'static,
    finish: impl FnOnce(T) -> V + Send + 'static,
) -> Result<Now<'env, V>>
where
    X: Copy + Send + 'static,
    T: Send + 'static,
    V: ToNapiValue + 'static,
{
    match job {
        None => Ok(Either::A(finish(guard(|| work(x, y, &job::Job::default()))?))),
        Some(_) => {
            // One side alone comes as both.
            let other = if std::ptr::eq(x, y) { None } else { Some(y.to_vec()) };
            let x = x.to_vec();
            let work = move |job: &job::Job| work(&x, other.as_deref().unwrap_or(&x), job);
            Ok(Either::B(promise_of_pool(env, job, work, finish)?))
        }
    }
}

/// Something to do with any kind of pairs.
trait WithPairs<T> {
    fn with(self, pairs: &impl Pairs) -> std::result::Result<T, Failure>;
}

/// As vectors where the metric and the items are such, else as sets.
fn with_pairs<T, X: AnyItem>(
    sides: &RowSides,
    x: &[X],
    y: &[X],
    vectors: impl FnOnce(Sides<X::Vector>, Metric) -> std::result::Result<T, Failure>,
    sets: impl WithPairs<T>,
) -> std::result::Result<T, Failure> {
    let (left, right) = sides.rows(x, y)?;
    match sides.metric.of_sets() {
        Ok(metric) if sides.packed => match (X::bytes(x), X::bytes(y)) {
            (Some(x), Some(y)) => {
                let (left, right) = sides.rows(x, y)?;
                sets.with(&Bits { left, right, metric })
            }
            _ => Err(Failure::kind("packed rows must be uint8")),
        },
        Ok(metric) => sets.with(&Places { left, right, metric }),
        Err(metric) => match (X::vectors(x), X::vectors(y)) {
            (Some(x), Some(y)) => vectors(sides.rows(x, y)?, metric),
            _ => Err(Failure::kind("vectors must be float32 or float64")),
        },
    }
}

/// Items of a tensor, as what they can be.
trait AnyItem: Item {
    type Vector: Real + bytemuck::Pod;
    fn vectors(x: &[Self]) -> Option<&[Self::Vector]>;
    fn bytes(x: &[Self]) -> Option<&[u8]>;
}

macro_rules! any_items {
    ($($t:ty as $vector:ty: $vectors:expr, $bytes:expr;)*) => {$(
        impl AnyItem for $t {
            type Vector = $vector;
            fn vectors(x: &[Self]) -> Option<&[$vector]> {
                let as_vectors: fn(&[$t]) -> Option<&[$vector]> = $vectors;
                as_vectors(x)
            }
            fn bytes(x: &[Self]) -> Option<&[u8]> {
                let as_bytes: fn(&[$t]) -> Option<&[u8]> = $bytes;
                as_bytes(x)
            }
        }
    )*};
}

any_items! {
    f32 as f32: |x| Some(x), |_| None;
    f64 as f64: |x| Some(x), |_| None;
    u8 as f32: |_| None, |x| Some(x);
    i8 as f32: |_| None, |_| None;
    f16 as f32: |_| None, |_| None;
    bf16 as f32: |_| None, |_| None;
    i16 as f32: |_| None, |_| None;
    u16 as f32: |_| None, |_| None;
    i32 as f32: |_| None, |_| None;
    u32 as f32: |_| None, |_| None;
    i64 as f32: |_| None, |_| None;
}

/// Scores as bytes: float64 of float64 rows, else float32.
fn score_bytes(scores: &[f64], wide: bool) -> Vec<u8> {
    if wide {
        return bytemuck::cast_slice(scores).to_vec();
    }
    let narrow: Vec<f32> = scores.iter().map(|&score| score as f32).collect();
    bytemuck::cast_slice(&narrow).to_vec()
}

struct AllPairs<'a> {
    job: &'a job::Job,
}

impl WithPairs<Vec<u8>> for AllPairs<'_> {
    fn with(self, pairs: &impl Pairs) -> std::result::Result<Vec<u8>, Failure> {
        Ok(bytemuck::cast_slice(&distance::pairwise::<f32>(pairs, self.job)?).to_vec())
    }
}

/// The scores of all pairs: bytes of float64 items for float64 vectors, else of float32 ones. Without `y` of x with
/// itself.
#[napi]
pub fn pairwise<'env>(
    env: &'env Env,
    dtype: String,
    x: &[u8],
    y: Option<&[u8]>,
    sides: RowSides,
    job: Option<&Job>,
) -> Result<Now<'env, Uint8Array>> {
    let y = y.unwrap_or(x);
    with_items!(dtype.as_str(), x, |left: &[X]| {
        let right = like(left, y)?;
        let work = move |x: &[X], y: &[X], job: &job::Job| {
            let vectors = |(left, right): Sides<<X as AnyItem>::Vector>, metric| {
                let all: Vec<_> =
                    distance::pairwise::<<X as AnyItem>::Vector>(&Vectors::new(left, right, metric), job)?;
                Ok(bytemuck::cast_slice(&all).to_vec())
            };
            with_pairs(&sides, x, y, vectors, AllPairs { job })
        };
        on_both(env, job, (left, right), work, Uint8Array::new)
    })
}

#[napi(object)]
pub struct NearestRows {
    pub indices: Uint32Array,
    /// Bytes of float64 items for float64 vectors, else of float32 ones.
    pub scores: Uint8Array,
}

impl From<NearestError> for Failure {
    fn from(error: NearestError) -> Self {
        match error {
            NearestError::Aborted => job::Aborted.into(),
            other => Failure::range(other.to_string()),
        }
    }
}

/// Which neighbours.
#[napi(object)]
pub struct NearestSearch {
    pub k: u32,
    pub exclude_self: bool,
}

struct NearestPairs<'a> {
    search: nearest::Search<'a>,
    job: &'a job::Job,
}

impl WithPairs<Neighbours> for NearestPairs<'_> {
    fn with(self, pairs: &impl Pairs) -> std::result::Result<Neighbours, Failure> {
        Ok(nearest::nearest_by(pairs, self.search, self.job)?)
    }
}

/// The k nearest rows of the base (the right side) for each query (the left one), `[queries, k]`.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn nearest<'env>(
    env: &'env Env,
    dtype: String,
    queries: &[u8],
    base: &[u8],
    sides: RowSides,
    search: NearestSearch,
    mask: Option<&[u8]>,
    job: Option<&Job>,
) -> Result<Now<'env, NearestRows>> {
    let mask = mask.map(<[u8]>::to_vec);
    let wide = dtype == "float64";
    with_items!(dtype.as_str(), queries, |left: &[X]| {
        let right = like(left, base)?;
        let work = move |x: &[X], y: &[X], job: &job::Job| {
            if mask.as_ref().is_some_and(|mask| mask.len() != sides.right as usize) {
                return Err(Failure::shape("mask must have one item a row of the base"));
            }
            if search.exclude_self && sides.left != sides.right {
                return Err(Failure::shape("excludeSelf needs as many queries as rows"));
            }
            let NearestSearch { k, exclude_self } = search;
            let search = nearest::Search { k: k as usize, mask: mask.as_deref(), exclude_self };
            let vectors = |(left, right): Sides<<X as AnyItem>::Vector>, metric| {
                Ok(nearest::nearest(left, right, metric, search, job)?)
            };
            let found = with_pairs(&sides, x, y, vectors, NearestPairs { search, job })?;
            Ok((found.indices, score_bytes(&found.scores, wide && sides.metric.of_sets().is_err())))
        };
        on_both(env, job, (left, right), work, |(indices, scores)| NearestRows {
            indices: Uint32Array::new(indices),
            scores: Uint8Array::new(scores),
        })
    })
}

#[napi(string_enum = "lowercase")]
pub enum KMeansInit {
    PlusPlus,
    Random,
    Centers,
}

#[napi(object)]
pub struct KMeansOptions {
    pub rows: u32,
    pub width: u32,
    pub k: u32,
    pub init: KMeansInit,
    pub restarts: u32,
    pub max_iterations: u32,
    pub tolerance: f64,
    pub spherical: bool,
    pub batch_size: Option<u32>,
    pub seed: BigInt,
}

#[napi(object)]
pub struct KMeansClusters {
    /// Bytes of items of the input's type.
    pub centers: Uint8Array,
    pub labels: Uint32Array,
    pub inertia: f64,
    pub iterations: u32,
    pub counts: Uint32Array,
}

impl From<KMeansError> for Failure {
    fn from(error: KMeansError) -> Self {
        let message = error.to_string();
        match error {
            KMeansError::Aborted => job::Aborted.into(),
            KMeansError::Init(_) => Failure::shape(message),
            _ => Failure::range(message),
        }
    }
}

/// Clusters the rows of `x`, float32 or float64; `centers` of the same type, with `init: 'centers'`.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn k_means<'env>(
    env: &'env Env,
    dtype: String,
    x: &[u8],
    options: KMeansOptions,
    centers: &[u8],
    weights: Option<&[f64]>,
    job: Option<&Job>,
) -> Result<Now<'env, KMeansClusters>> {
    match dtype.as_str() {
        "float32" => cluster::<f32>(env, (items(x)?, items(centers)?), options, weights, job),
        "float64" => cluster::<f64>(env, (items(x)?, items(centers)?), options, weights, job),
        other => Err(Failure::kind(format!("x must be float32 or float64, got {other}")).into()),
    }
}

fn items<T: bytemuck::Pod>(bytes: &[u8]) -> Result<&[T]> {
    // An empty array may lie anywhere.
    if bytes.is_empty() {
        return Ok(&[]);
    }
    bytemuck::try_cast_slice(bytes).map_err(|e| Failure::shape(format!("data: {e}")).into())
}

fn cluster<'env, T: Real + bytemuck::Pod>(
    env: &'env Env,
    sides: (&[T], &[T]),
    options: KMeansOptions,
    weights: Option<&[f64]>,
    job: Option<&Job>,
) -> Result<Now<'env, KMeansClusters>> {
    let weights = weights.map(<[f64]>::to_vec);
    let work = move |x: &[T], centers: &[T], job: &job::Job| {
        let rows = rows(x, options.rows as usize, options.width as usize)?;
        let told = kmeans::Options {
            k: options.k as usize,
            init: match options.init {
                KMeansInit::PlusPlus => Init::PlusPlus,
                KMeansInit::Random => Init::Random,
                KMeansInit::Centers => Init::Centers(centers),
            },
            restarts: options.restarts as usize,
            max_iterations: options.max_iterations as usize,
            tolerance: options.tolerance,
            spherical: options.spherical,
            batch_size: options.batch_size.map(|size| size as usize),
            weights: weights.as_deref(),
            seed: word(&options.seed),
        };
        Ok(kmeans::kmeans(rows, &told, job)?)
    };
    on_both(env, job, sides, work, |found: Clustering<T>| KMeansClusters {
        centers: Uint8Array::new(bytemuck::cast_slice(&found.centers).to_vec()),
        labels: Uint32Array::new(found.labels),
        inertia: found.inertia,
        iterations: found.iterations as u32,
        counts: Uint32Array::new(found.counts),
    })
}
