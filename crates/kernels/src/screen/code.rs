//! A row's 8-bit copy and what it is off by.

use super::tile::{Side, Tile};
use crate::cpu::{Cpu, vectorized};
use crate::distance::Real;

/// How a row's codes bound it. With v the row (times its factor, less the mean): `norm >= |v|`,
/// `error >= |v - scale * codes|`, `square` within [`Coder::accuracy`] times itself of `|v|^2`.
#[derive(Debug, Clone, Copy)]
pub struct Coded {
    pub scale: f64,
    pub norm: f64,
    pub error: f64,
    pub square: f64,
    /// The sum of the codes.
    pub sum: i32,
}

/// Copies rows around a mean.
#[derive(Debug, Clone)]
pub struct Coder<T> {
    mean: Vec<T>,
    cpu: Cpu,
    tile: Tile,
}

const WIDE: usize = 16;

impl<T: Real> Coder<T> {
    /// Copies of rows less `mean`.
    pub fn new(mean: Vec<T>, cpu: Cpu) -> Self {
        Coder { mean, cpu, tile: Tile::of(cpu) }
    }

    /// What is taken from each row.
    pub fn mean(&self) -> &[T] {
        &self.mean
    }

    /// The relative error of sums of squares: one rounding for each addition to a lane, and a few.
    pub fn accuracy(&self) -> f64 {
        1.2e-7 * (self.mean.len() as f64 / WIDE as f64 + 24.0)
    }

    /// Writes the codes of `factor * row - mean` for a side, zeros behind them. `length` is at least the norm of `factor * row`
    /// unless the factor is 1, whose product is exact.
    ///
    /// Nothing that is added to the bounds is smaller than the rounding that it stands for: each item of v is off by at
    /// most 2^-24 of itself and of the product, each item of the difference by at most 2^-24 of v's and of the copy's,
    /// and squares below 2^-126 may be lost.
    pub fn code(&self, side: Side, row: &[T], factor: T, length: f64, codes: &mut [i8]) -> Coded {
        let range = self.tile.range(side);
        let (top, square) = sizes(self.cpu, row, factor, &self.mean);
        let largest = f64::from(range.largest);
        let scale = range.fours.map_or(top / largest, |most| {
            // Each of the four may be rounded up by a half, and all are off by a few roundings.
            let most = f64::from(most) - 2.1;
            (top / largest).max(fours(self.cpu, row, factor, &self.mean) / most)
        });
        let (error, sum) = if top <= 1e-30 {
            codes.fill(0);
            (square, 0)
        } else {
            code(self.cpu, row, factor, &self.mean, scale, codes)
        };
        let lost = (self.mean.len() as f64).sqrt() * 2e-19;
        let grown = 1.0 + self.accuracy();
        let norm = square.sqrt() * grown + lost + 1.3e-7 * length;
        let error = error.sqrt() * grown + lost + 4e-7 * norm + 1.3e-7 * length;
        Coded { scale: if top <= 1e-30 { 0.0 } else { scale }, norm, error, square, sum }
    }
}

vectorized! {
    /// The largest magnitude of the items of `factor * row - mean`, and the square of the norm.
    fn sizes<T: Real>(cpu: Cpu, row: &[T], factor: T, mean: &[T]) -> (f64, f64) {
        let mut tops = [T::ZERO; WIDE];
        let mut squares = [T::ZERO; WIDE];
        each_block(row, factor, mean, |_, v| {
            for l in 0..WIDE {
                tops[l] = tops[l].larger(v[l].magnitude());
                squares[l] = squares[l].plus(v[l].times(v[l]));
            }
        });
        let top = tops.into_iter().fold(T::ZERO, T::larger);
        (top.into(), squares.into_iter().fold(0.0, |sum, x| sum + x.into()))
    }
}

vectorized! {
    /// The largest sum of magnitudes of four items that [`super::tile::Range::fours`] is about.
    fn fours<T: Real>(cpu: Cpu, row: &[T], factor: T, mean: &[T]) -> f64 {
        let mut tops = [T::ZERO; WIDE / 4];
        each_block(row, factor, mean, |_, v| {
            let two = |l: usize| v[l].magnitude().plus(v[l + 1].magnitude());
            for (top, l) in tops.iter_mut().zip([0, 2, 8, 10]) {
                *top = top.larger(two(l).plus(two(l + 4)));
            }
        });
        tops.into_iter().fold(T::ZERO, T::larger).into()
    }
}

vectorized! {
    /// Writes the codes of `(factor * row - mean) / scale`: the square of the difference's norm, and the sum of the codes.
    fn code<T: Real>(cpu: Cpu, row: &[T], factor: T, mean: &[T], scale: f64, codes: &mut [i8]) -> (f64, i32) {
        let width = mean.len();
        assert!(codes.len() >= width, "codes of another width");
        let (inverse, scale) = (T::from_f64(1.0 / scale), T::from_f64(scale));
        let mut errors = [T::ZERO; WIDE];
        let mut sums = [0i32; WIDE];
        codes[width..].fill(0);
        let (blocks, codes_rest) = codes[..width].as_chunks_mut::<WIDE>();
        let mut last_codes = [0i8; WIDE];
        each_block(row, factor, mean, |b, v| {
            let codes = blocks.get_mut(b).unwrap_or(&mut last_codes);
            for l in 0..WIDE {
                let (rounded, code) = v[l].times(inverse).round();
                let off = v[l].less(rounded.times(scale));
                errors[l] = errors[l].plus(off.times(off));
                sums[l] += i32::from(code);
                codes[l] = code;
            }
        });
        codes_rest.copy_from_slice(&last_codes[..codes_rest.len()]);
        let error = errors.into_iter().fold(0.0, |sum, x| sum + x.into());
        (error, sums.into_iter().sum())
    }
}

/// Tells the items of `factor * row - mean` in blocks of a known length, which become vectors; zeros behind the last.
#[inline(always)]
fn each_block<T: Real>(row: &[T], factor: T, mean: &[T], mut tell: impl FnMut(usize, [T; WIDE])) {
    assert!(row.len() == mean.len(), "rows of another width");
    let (row, row_rest) = row.as_chunks::<WIDE>();
    let (mean, mean_rest) = mean.as_chunks::<WIDE>();
    let last = (padded(row_rest), padded(mean_rest));
    for (b, (x, mean)) in row.iter().zip(mean).chain([(&last.0, &last.1)]).enumerate() {
        tell(b, std::array::from_fn(|l| x[l].times(factor).less(mean[l])));
    }
}

/// A block of what is left, with zeros behind it.
#[inline(always)]
fn padded<T: Real>(rest: &[T]) -> [T; WIDE] {
    let mut block = [T::ZERO; WIDE];
    block[..rest.len()].copy_from_slice(rest);
    block
}
