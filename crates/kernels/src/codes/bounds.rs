//! Bounds of the distance from a query to coded rows.
//!
//! For every dimension a table over its cells: the least and the greatest squared difference between the query and a
//! value of the cell. A row's bounds are the roots of the sums over its codes. Tables and sums are float32.

use super::packing::Layout;
use rayon::prelude::*;

/// Rows of a task.
const TASK: usize = 1024;

/// Squared differences of a query to the nearer and to the farther end of each cell.
#[derive(Debug, Clone)]
pub struct Tables {
    nearer: Vec<Vec<f32>>,
    farther: Vec<Vec<f32>>,
}

impl Tables {
    /// `boundaries[j]` are those of the cells of dimension j.
    pub fn new(boundaries: &[Vec<f32>], query: &[f64]) -> Self {
        let of = |end: fn(f64, f64) -> f64| {
            let row = |(boundaries, &q): (&Vec<f32>, &f64)| {
                let cell = |ends: &[f32]| {
                    let difference = end(f64::from(ends[0]) - q, q - f64::from(ends[1]));
                    (difference * difference) as f32
                };
                boundaries.windows(2).map(cell).collect()
            };
            boundaries.iter().zip(query).map(row).collect()
        };
        Tables {
            nearer: of(|below, above| below.max(above).max(0.0)),
            farther: of(|below, above| below.abs().max(above.abs())),
        }
    }

    /// The squared lower bound of each of `rows`, `n` rows being packed in `segments`. In parallel.
    pub fn lower(&self, layout: &Layout, segments: &[u8], n: usize, rows: &[u32]) -> Vec<f32> {
        sums(&self.nearer, layout, segments, n, rows)
    }

    /// The squared upper bounds.
    pub fn upper(&self, layout: &Layout, segments: &[u8], n: usize, rows: &[u32]) -> Vec<f32> {
        sums(&self.farther, layout, segments, n, rows)
    }
}

fn sums(tables: &[Vec<f32>], layout: &Layout, segments: &[u8], n: usize, rows: &[u32]) -> Vec<f32> {
    let mut sums = vec![0.0; rows.len()];
    sums.par_chunks_mut(TASK).zip(rows.par_chunks(TASK)).for_each(|(sums, rows)| {
        for (dimension, table) in tables.iter().enumerate() {
            let mut sums = sums.iter_mut();
            layout.codes(segments, n, dimension, rows.iter().map(|&row| row as usize), |code| {
                if let Some(sum) = sums.next() {
                    *sum += table[code];
                }
            });
        }
    });
    sums
}

/// Lower and upper bounds of the distance from a query to rows of codes `[n, d]`; `cells[j]` of dimension j lie between
/// the first `cells[j] + 1` boundaries of column j of `[most + 1, d]`. O(n d).
///
/// # Errors
/// The row and the dimension of a code that is no cell.
///
/// ```
/// use tamis_kernels::codes::quantized_bounds;
/// let bounds = quantized_bounds(&[0, 1], &[0.0, 1.0, 3.0], &[2], &[-1.0]).unwrap();
/// assert_eq!(bounds, (vec![1.0, 2.0], vec![2.0, 4.0]));
/// ```
pub fn quantized_bounds(
    codes: &[u8],
    boundaries: &[f32],
    cells: &[u32],
    query: &[f64],
) -> Result<(Vec<f32>, Vec<f32>), (usize, usize)> {
    let width = cells.len();
    assert!(query.len() == width, "the query has an item a dimension");
    if width == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    if let Some(at) = (0..codes.len()).find(|&at| u32::from(codes[at]) >= cells[at % width]) {
        return Err((at / width, at % width));
    }
    let column = |j: usize| (0..=cells[j] as usize).map(|row| boundaries[row * width + j]).collect();
    let columns: Vec<Vec<f32>> = (0..width).map(column).collect();
    let tables = Tables::new(&columns, query);
    let bound = |tables: &[Vec<f32>]| -> Vec<f32> {
        let sum = |row: &[u8]| {
            let terms = row.iter().zip(tables).map(|(&code, table)| table[usize::from(code)]);
            terms.fold(0.0f32, |sum, term| sum + term).sqrt()
        };
        codes.par_chunks_exact(width).map(sum).collect()
    };
    Ok((bound(&tables.nearer), bound(&tables.farther)))
}
