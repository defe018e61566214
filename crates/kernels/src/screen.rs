//! Products of 8-bit copies of rows within a proved bound of their error: they tell which few pairs of many can matter,
//! so that only those are computed from the rows themselves.
//!
//! A row v is copied as `scale * code`, codes in -127..127 or less ([`Tile::range`]); `error` bounds the norm of the difference. For two rows
//! `|u . v - scale_u scale_v (code_u . code_v)| <= |u| error_v + error_u (|v| + error_v)`, by Cauchy and Schwarz. The
//! codes' product is an integer and exact, the same on every processor; what rounding adds to the bounds is counted in
//! them (see [`code`]). So a pair whose bound falls short of a threshold is proved to fall short.
//!
//! One side is packed in panels of sixteen rows, the other stays in rows of codes. A tile of 8 rows by 48 runs at four
//! products a lane and cycle with AVX-512 VNNI: four times the rate of float32. O(pairs * width / 64) cycles there. AVX2
//! multiplies bytes at up to 2.7 times that rate, where those of a panel have 7 bits.

mod code;
mod reach;
mod tile;

pub use code::{Coded, Coder};
pub use reach::{Reach, Row, Top, raise, select};
pub use tile::{LANES, Products, ROWS, Side, TILE, Tile, VECTORS};

/// Codes of a row, padded to whole groups of four.
pub fn stride(width: usize) -> usize {
    width.next_multiple_of(tile::GROUP)
}

/// The most that a row may be wide: products of codes then fit 32 bits.
pub const MAX_WIDTH: usize = 1 << 16;

/// Rows of one side, packed for [`Tile`], with what bounds their products.
#[derive(Debug, Default)]
pub struct Panels {
    rows: usize,
    stride: usize,
    /// `[vector][group][lane][4]`, codes + [`Tile::offset`].
    codes: Vec<u8>,
    /// The factor of each row's codes.
    pub scales: Vec<f32>,
    /// At least norm + error, and at least error / `share`.
    pub weights: Vec<f32>,
    /// What errors are of norms, about: `error <= share * weight` of every row.
    pub share: f32,
    /// Sixteen rows of codes.
    block: Vec<i8>,
}

impl Panels {
    /// Vectors of sixteen rows.
    pub fn vectors(&self) -> usize {
        self.rows.div_ceil(LANES)
    }

    /// The panel that begins at `vector`: up to [`VECTORS`] of them.
    pub fn panel(&self, vector: usize) -> &[u8] {
        let size = LANES * self.stride;
        &self.codes[vector * size..self.vectors().min(vector + VECTORS) * size]
    }

    /// Packs `rows` rows of `width`: `code` writes the codes of one and says how they bound it; lengths are multiplied by
    /// `unit`. Lanes without a row have scale and weight 0.
    pub fn pack(
        &mut self,
        rows: usize,
        width: usize,
        unit: f64,
        tile: Tile,
        mut code: impl FnMut(usize, &mut [i8]) -> Coded,
    ) {
        self.rows = rows;
        self.stride = stride(width);
        let padded = self.vectors() * LANES;
        self.codes.resize(padded * self.stride, 0);
        self.scales.clear();
        self.scales.resize(padded, 0.0);
        self.weights.clear();
        self.weights.resize(padded, 0.0);
        self.block.resize(LANES * self.stride, 0);
        let mut bounds = Vec::with_capacity(rows);
        for (vector, panel) in self.codes.chunks_exact_mut(LANES * self.stride).enumerate() {
            let here = LANES.min(rows - vector * LANES);
            for (i, codes) in (vector * LANES..).zip(self.block.chunks_exact_mut(self.stride)).take(here) {
                let coded = code(i, codes);
                self.scales[i] = (coded.scale * unit) as f32;
                bounds.push((coded.norm * unit, coded.error * unit));
            }
            self.block[here * self.stride..].fill(0);
            interleave(&self.block, panel, tile);
        }
        let (norms, errors) = bounds.iter().fold((0.0, 0.0), |(n, e), b| (n + b.0 + b.1, e + b.1));
        let share: f64 = if norms > 0.0 { (errors / norms).max(1e-9) } else { 1.0 };
        self.share = up(share);
        for (weight, (norm, error)) in self.weights.iter_mut().zip(bounds) {
            *weight = up((norm + error).max(error / share));
        }
    }
}

/// Lays sixteen rows of codes out as a vector of a panel: four codes of each row in turn, each larger by the
/// tile's offset.
///
/// # Panics
/// If the two sides differ in size, or rows are no whole groups of four.
pub fn interleave(rows: &[i8], vector: &mut [u8], tile: Tile) {
    assert!(rows.len() == vector.len() && rows.len().is_multiple_of(LANES * tile::GROUP), "sixteen rows");
    let (stride, offset) = (rows.len() / LANES, tile.offset());
    let lanes: [&[[i8; tile::GROUP]]; LANES] =
        std::array::from_fn(|lane| rows[lane * stride..][..stride].as_chunks().0);
    let (groups, _) = vector.as_chunks_mut::<{ LANES * tile::GROUP }>();
    for (group, out) in groups.iter_mut().enumerate() {
        for (lane, out) in lanes.iter().zip(out.as_chunks_mut::<{ tile::GROUP }>().0) {
            *out = lane[group].map(|code| (code as u8).wrapping_add(offset));
        }
    }
}

/// A float32 that is surely not below `x`, with room for a few more roundings.
pub fn up(x: f64) -> f32 {
    (x + x.abs() * 1e-6) as f32
}

#[cfg(test)]
mod tests;
