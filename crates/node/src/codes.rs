//! Scalar codes of vectors, and the index over them.

use crate::call::{Now, run};
use crate::failure::Failure;
use crate::job::{Job, guard};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::Arc;
use tamis_kernels::codes::{self, Build, BuildError, Filter, Layout, Operator, Query, SearchMode};
use tamis_kernels::job;

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Aborted => job::Aborted.into(),
            other => Failure::range(other.to_string()),
        }
    }
}

#[napi]
pub fn allocate_bits(energies: &[f64], budget: f64) -> Uint8Array {
    Uint8Array::new(codes::allocate_bits(energies, budget as usize))
}

/// Boundaries of cells for values, which must be finite and as many as the cells.
#[napi]
pub fn design_cells(values: &[f64], cells: u32) -> Result<Float64Array> {
    let mut values = values.to_vec();
    guard(|| {
        if !(1..=values.len()).contains(&(cells as usize)) {
            return Err(Failure::range(format!("cells must be from 1 to {}, got {cells}", values.len())));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Failure::range("values is not finite"));
        }
        Ok(codes::design_cells(&mut values, cells as usize))
    })
    .map(Float64Array::new)
}

fn layout(bits: &[u8]) -> std::result::Result<Layout, Failure> {
    match bits.iter().find(|&&bits| bits > codes::MOST_BITS) {
        Some(bits) => Err(Failure::range(format!("bits must be at most 8, got {bits}"))),
        None => Ok(Layout::new(bits)),
    }
}

/// Packs codes `[n, bits.length]`: `[segments, n]`.
#[napi]
pub fn pack_codes(codes: &[u8], bits: &[u8]) -> Result<Uint8Array> {
    guard(|| {
        let layout = layout(bits)?;
        if codes.len() != codes.len().checked_div(bits.len()).unwrap_or(0) * bits.len() {
            return Err(Failure::shape(format!("codes must have rows of {} items", bits.len())));
        }
        codes::pack(codes, &layout).map_err(|e| {
            let place = format!("row {}, dimension {}", e.row, e.dimension);
            Failure::range(format!("code {} at {place} does not fit its {} bits", e.code, e.bits))
        })
    })
    .map(Uint8Array::new)
}

/// Unpacks `[segments, n]`: codes `[n, bits.length]`.
#[napi]
pub fn unpack_codes(segments: &[u8], n: u32, bits: &[u8]) -> Result<Uint8Array> {
    guard(|| {
        let layout = layout(bits)?;
        if Some(segments.len()) != layout.segments.checked_mul(n as usize) {
            return Err(Failure::shape(format!("segments must have dims [{}, {n}]", layout.segments)));
        }
        Ok(codes::unpack(segments, n as usize, &layout))
    })
    .map(Uint8Array::new)
}

#[napi(object)]
pub struct Bounds {
    pub lower: Float32Array,
    pub upper: Float32Array,
}

fn bounds((lower, upper): (Vec<f32>, Vec<f32>)) -> Bounds {
    Bounds { lower: Float32Array::new(lower), upper: Float32Array::new(upper) }
}

/// Bounds of the distance from a query to rows of codes; `boundaries` is `[most + 1, cells.length]`.
#[napi]
pub fn quantized_bounds(codes: &[u8], boundaries: &[f32], cells: &[u32], query: &[f64]) -> Result<Bounds> {
    guard(|| {
        let width = cells.len();
        let rows = boundaries.len().checked_div(width).unwrap_or(0);
        if query.len() != width
            || boundaries.len() != rows * width
            || !codes.len().is_multiple_of(width.max(1))
        {
            return Err(Failure::shape(format!(
                "codes, boundaries and query must have rows of {width} items"
            )));
        }
        if let Some(cells) = cells.iter().find(|&&cells| cells as usize + 1 > rows) {
            return Err(Failure::range(format!("cells must be below the {rows} boundaries, got {cells}")));
        }
        codes::quantized_bounds(codes, boundaries, cells, query).map_err(|(row, dimension)| {
            Failure::range(format!("code of row {row}, dimension {dimension} is none of its cells"))
        })
    })
    .map(bounds)
}

/// How a [`CodedIndex`] is built.
#[napi(object)]
pub struct IndexOptions {
    pub width: u32,
    pub cosine: bool,
    pub budget: f64,
    pub columns: u32,
    pub partitions: u32,
    pub seed: BigInt,
}

#[napi(object)]
pub struct IndexFilter {
    pub column: u32,
    /// `<`, `<=`, `=`, `>`, `>=` or `between`.
    pub op: String,
    pub value: f64,
    pub upper: f64,
}

/// What a search is told; `fast` with the three numbers behind it.
#[napi(object)]
pub struct IndexSearch {
    pub k: u32,
    pub filters: Vec<IndexFilter>,
    pub fast: bool,
    pub hamming_share: f64,
    pub rerank: u32,
    pub centroid_factor: f64,
}

#[napi(object)]
pub struct IndexAnswer {
    pub indices: Uint32Array,
    pub distances: Float32Array,
    pub examined: f64,
}

/// An index over rows by scalar codes.
#[napi]
pub struct CodedIndex {
    shared: Arc<codes::Index>,
}

/// Builds an index of `x`, `[n, width]`.
#[napi]
pub fn build_index<'env>(
    env: &'env Env,
    x: &[f32],
    attributes: &[f32],
    options: IndexOptions,
    job: Option<&Job>,
) -> Result<Now<'env, CodedIndex>> {
    let (x, attributes) = (x.to_vec(), attributes.to_vec());
    let seed = crate::call::word(&options.seed);
    let work = move |job: &job::Job| {
        let (width, columns) = (options.width as usize, options.columns as usize);
        if width == 0 || x.is_empty() || x.len() % width != 0 {
            return Err(Failure::shape("dims: x must have a row and a column at least"));
        }
        if attributes.len() != x.len() / width * columns {
            return Err(Failure::shape("attributes must have a row for each row of x"));
        }
        let build = Build {
            rows: &x,
            width,
            cosine: options.cosine,
            budget: options.budget as usize,
            attributes,
            columns,
            partitions: options.partitions as usize,
            seed,
        };
        Ok(Arc::new(codes::Index::build(build, job)?))
    };
    run(env, job, work, |shared| CodedIndex { shared })
}

/// The index of bytes that `toBytes` made, over `x` where that is given.
#[napi]
pub fn read_index(bytes: &[u8], x: Option<&[f32]>) -> Result<CodedIndex> {
    let shared = guard(|| {
        let index = codes::Index::from_bytes(bytes, x);
        index.map(Arc::new).map_err(|error| Failure::format(error.to_string()))
    })?;
    Ok(CodedIndex { shared })
}

#[napi]
impl CodedIndex {
    #[napi]
    pub fn rows(&self) -> u32 {
        self.shared.count() as u32
    }

    #[napi]
    pub fn width(&self) -> u32 {
        self.shared.width() as u32
    }

    /// Columns of the attributes.
    #[napi]
    pub fn columns(&self) -> u32 {
        self.shared.columns() as u32
    }

    #[napi]
    pub fn bytes_per_row(&self) -> u32 {
        self.shared.bytes_per_row() as u32
    }

    #[napi]
    pub fn to_bytes(&self, with_rows: bool) -> Result<Buffer> {
        guard(|| Ok(self.shared.to_bytes(with_rows))).map(Buffer::from)
    }

    #[napi]
    pub fn bounds(&self, query: &[f32]) -> Result<Bounds> {
        guard(|| {
            if query.len() != self.shared.width() {
                return Err(Failure::shape("dims: the query has another width than the index"));
            }
            self.shared.bounds(query).map_err(zero_query)
        })
        .map(bounds)
    }

    #[napi]
    pub fn search<'env>(
        &self,
        env: &'env Env,
        queries: &[f32],
        options: IndexSearch,
        mask: Option<&[u8]>,
        job: Option<&Job>,
    ) -> Result<Now<'env, IndexAnswer>> {
        let index = self.shared.clone();
        let (queries, mask) = (queries.to_vec(), mask.map(<[u8]>::to_vec));
        let work = move |job: &job::Job| {
            let filters = options.filters.iter().map(|one| filter(one, index.columns()));
            let filters = filters.collect::<std::result::Result<Vec<_>, _>>()?;
            if queries.len() % index.width() != 0 || mask.as_ref().is_some_and(|m| m.len() != index.count()) {
                return Err(Failure::shape("queries or mask do not fit the index"));
            }
            let fast = SearchMode::Fast {
                hamming_share: options.hamming_share,
                rerank: options.rerank as usize,
                centroid_factor: options.centroid_factor,
            };
            let query = Query {
                queries: &queries,
                k: options.k as usize,
                filters: &filters,
                mask: mask.as_deref(),
                mode: if options.fast { fast } else { SearchMode::Exact },
            };
            index.search(&query, job)?.map_err(zero_query)
        };
        run(env, job, work, |answer| IndexAnswer {
            indices: Uint32Array::new(answer.indices),
            distances: Float32Array::new(answer.distances),
            examined: answer.examined as f64,
        })
    }
}

fn zero_query(query: usize) -> Failure {
    Failure::range(format!("query {query} is zero: it has no cosine distance"))
}

fn filter(one: &IndexFilter, columns: usize) -> std::result::Result<Filter, Failure> {
    let operator = match one.op.as_str() {
        "<" => Operator::Less,
        "<=" => Operator::LessEqual,
        "=" => Operator::Equal,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterEqual,
        "between" => Operator::Between,
        other => return Err(Failure::range(format!("op {other} is unknown"))),
    };
    if one.column as usize >= columns {
        return Err(Failure::range(format!("column must be below {columns}, got {}", one.column)));
    }
    Ok(Filter { column: one.column as usize, operator, value: one.value as f32, upper: one.upper as f32 })
}
