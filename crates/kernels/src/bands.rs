//! The low and the high bands of one Haar level of volumes, each mixed over channels.
//!
//! Cells of 2 x 2 x 2 samples become eight bands (orthonormal, in float64, rounded to the type of the input), band
//! `4 along depth + 2 along height + along width`; band 0 of all channels is mixed by one matrix, the seven others by
//! another, band by band and in each its channels. Cost: 8 loads a cell and channel, and the products; a panel of some
//! cells in memory a thread. The bits do not depend on the threads.

use crate::convolve::Item;
use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::threads;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Cells of a panel.
const CELLS: usize = 512;

/// A matrix over channels, [outputs, channels], and what is added to each output.
#[derive(Debug, Clone)]
pub struct Mix<T> {
    pub weight: Vec<T>,
    pub bias: Vec<T>,
}

/// Of `x`, [batch, channels, sides] with even sides: the low part by `low`, over `channels`, and the high part by `high`,
/// over 7 times as many; each [batch, outputs, halved sides].
///
/// # Panics
/// If the data have another shape.
pub fn mix_bands<T: Item + Real>(
    x: &[T],
    channels: usize,
    sides: [usize; 3],
    [low, high]: [&Mix<T>; 2],
    job: &Job,
) -> Result<[Vec<T>; 2], Aborted> {
    let size = channels * sides.iter().product::<usize>();
    assert!(sides.iter().all(|side| side % 2 == 0), "an odd side");
    assert!(size > 0 && x.len().is_multiple_of(size), "volumes of another shape");
    assert!(low.weight.len() == low.bias.len() * channels, "weights of another shape");
    assert!(high.weight.len() == high.bias.len() * 7 * channels, "weights of another shape");
    let cells = sides.iter().product::<usize>() / 8;
    let batch = x.len() / size;
    let mut out = [low, high].map(|mix| vec![T::default(); batch * mix.bias.len() * cells]);
    let tiles: Vec<(usize, usize)> =
        (0..batch).flat_map(|item| (0..cells).step_by(CELLS).map(move |first| (item, first))).collect();
    for some in tiles.chunks(4 * threads::threads()) {
        job.check()?;
        let mixed = |&(item, first): &(usize, usize)| {
            let count = CELLS.min(cells - first);
            let panel = panel(&x[item * size..][..size], channels, sides, first..first + count);
            let (lows, highs) = panel.split_at(channels * count);
            [product(low, lows, count), product(high, highs, count)]
        };
        let parts: Vec<[Vec<T>; 2]> = threads::pool().install(|| some.par_iter().map(mixed).collect());
        for (&(item, first), parts) in some.iter().zip(parts) {
            for (out, part) in out.iter_mut().zip(parts) {
                let count = CELLS.min(cells - first);
                let outputs = part.len() / count;
                for (o, line) in part.chunks(count).enumerate() {
                    out[(item * outputs + o) * cells + first..][..count].copy_from_slice(line);
                }
            }
        }
    }
    Ok(out)
}

/// [8 channels, cells]: band by band, in each the channels.
fn panel<T: Item + Real>(
    x: &[T],
    channels: usize,
    [depth, height, width]: [usize; 3],
    cells: std::ops::Range<usize>,
) -> Vec<T> {
    let count = cells.len();
    let mut panel = vec![T::default(); 8 * channels * count];
    for c in 0..channels {
        let x = &x[c * depth * height * width..];
        for (i, cell) in cells.clone().enumerate() {
            let (d, h, w) =
                (cell / (height / 2 * (width / 2)), cell / (width / 2) % (height / 2), cell % (width / 2));
            let start = (2 * d * height + 2 * h) * width + 2 * w;
            let mut bands: [f64; 8] = std::array::from_fn(|at| {
                x[start + (at >> 2) * height * width + (at >> 1 & 1) * width + (at & 1)].to_f64()
            });
            // Along depth, height, width: a pair becomes its sum and its difference.
            for step in [4, 2, 1] {
                for at in (0..8).filter(|at| at & step == 0) {
                    let (a, b) = (bands[at], bands[at + step]);
                    bands[at] = (a + b) * std::f64::consts::FRAC_1_SQRT_2;
                    bands[at + step] = (a - b) * std::f64::consts::FRAC_1_SQRT_2;
                }
            }
            for (band, value) in bands.into_iter().enumerate() {
                panel[(band * channels + c) * count + i] = T::from_f64(value);
            }
        }
    }
    panel
}

fn product<T: Item>(mix: &Mix<T>, lines: &[T], count: usize) -> Vec<T> {
    let (outputs, inputs) = (mix.bias.len(), lines.len() / count);
    let mut out = vec![T::default(); outputs * count];
    let to = MatMut::from_row_major_slice_mut(&mut out, outputs, count);
    let weight = MatRef::from_row_major_slice(&mix.weight, outputs, inputs);
    let lines = MatRef::from_row_major_slice(lines, inputs, count);
    matmul(to, Accum::Replace, weight, lines, T::ONE, Par::Seq);
    out.chunks_mut(count)
        .zip(&mix.bias)
        .for_each(|(line, bias)| line.iter_mut().for_each(|x| *x = x.plus(*bias)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::normals as data;
    use crate::wavelet::{Filters, Mode, forward};

    #[test]
    fn bands_are_those_of_the_wavelet_and_mixed_by_hand() {
        let (batch, channels, sides, outputs) = (2, 3, [4, 2, 6], 2);
        let x = data(batch * channels * 48, 1);
        let low = Mix { weight: data(outputs * channels, 2), bias: data(outputs, 3) };
        let high = Mix { weight: data(outputs * 7 * channels, 4), bias: data(outputs, 5) };
        let [lows, highs] = mix_bands(&x, channels, sides, [&low, &high], &Job::default()).unwrap();
        let haar = Filters::named("haar").unwrap();
        let bands = forward(&x, batch * channels, &sides, &haar, Mode::Periodization);
        let band = |item: usize, c: usize, band: usize, cell: usize| {
            bands[((item * channels + c) * 8 + band) * 6 + cell]
        };
        for item in 0..batch {
            for o in 0..outputs {
                for cell in 0..6 {
                    let at = (item * outputs + o) * 6 + cell;
                    let sum: f64 =
                        (0..channels).map(|c| low.weight[o * channels + c] * band(item, c, 0, cell)).sum();
                    assert!((lows[at] - sum - low.bias[o]).abs() < 1e-12);
                    let weight = |b: usize, c: usize| high.weight[(o * 7 + b) * channels + c];
                    let sum: f64 = (0..7 * channels)
                        .map(|k| (k / channels, k % channels))
                        .map(|(b, c)| weight(b, c) * band(item, c, b + 1, cell))
                        .sum();
                    assert!((highs[at] - sum - high.bias[o]).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn many_tiles_on_any_number_of_threads() {
        let x = data(2 * 20 * 24 * 26, 6);
        let low = Mix { weight: data(2, 7), bias: data(1, 8) };
        let high = Mix { weight: data(14, 9), bias: data(1, 10) };
        let [lows, _] = threads::on_any_budget(|| {
            mix_bands(&x, 2, [20, 24, 26], [&low, &high], &Job::default()).unwrap()
        });
        let half = mix_bands(&x, 2, [20, 24, 26], [&low, &high], &Job::default()).unwrap();
        assert_eq!(lows, half[0]);
    }
}
