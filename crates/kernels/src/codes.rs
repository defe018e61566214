//! Scalar codes: a few bits for each dimension of a vector, more where the variance is, and the bounds of distances
//! that they prove.
//!
//! [`allocate_bits`] shares a budget out over dimensions, [`design_cells`] cuts the values of one dimension into
//! cells, [`pack`] lays the numbers of the cells out segment by segment, [`Tables`] bound distances by them, and
//! [`Index`] finds exact nearest neighbours with all of these: it orders rows by their lower bounds and computes true
//! distances only until no bound is below the k-th best.
//!
//! Oakley, Ferhatosmanoglu, "SQUASH", 2025; Ferhatosmanoglu et al., "Vector approximation based indexing for
//! non-uniform high dimensional data sets", 2000 (bits by variance).

mod bits;
mod bounds;
mod cells;
mod file;
mod index;
mod packing;
mod search;
#[cfg(test)]
mod tests;

pub use bits::{MOST_BITS, allocate_bits};
pub use bounds::{Tables, quantized_bounds};
pub use cells::design_cells;
pub use file::FormatError;
pub use index::{Build, BuildError, Index};
pub use packing::{Layout, NoFit, pack, unpack};
pub use search::{Answer, Filter, Operator, Query, SearchMode};
