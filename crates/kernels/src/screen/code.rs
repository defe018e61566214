//! A row's 8-bit copy and what it is off by.

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
}

const WIDE: usize = 16;

impl<T: Real> Coder<T> {
    /// Copies of rows less `mean`.
    pub fn new(mean: Vec<T>, cpu: Cpu) -> Self {
        Coder { mean, cpu }
    }

    /// What is taken from each row.
    pub fn mean(&self) -> &[T] {
        &self.mean
    }

    /// The relative error of sums of squares: one rounding for each addition to a lane, and a few.
    pub fn accuracy(&self) -> f64 {
        1.2e-7 * (self.mean.len() as f64 / WIDE as f64 + 24.0)
    }

    /// Writes the codes of `factor * row - mean`, zeros behind them. `length` is at least the norm of `factor * row`
    /// unless the factor is 1, whose product is exact.
    ///
    /// Nothing that is added to the bounds is smaller than the rounding that it stands for: each item of v is off by at
    /// most 2^-24 of itself and of the product, each item of the difference by at most 2^-24 of v's and of the copy's,
    /// and squares below 2^-126 may be lost.
    pub fn code(&self, row: &[T], factor: T, length: f64, codes: &mut [i8]) -> Coded {
        let (top, square, error, sum) = code(self.cpu, row, factor, &self.mean, codes);
        let lost = (self.mean.len() as f64).sqrt() * 2e-19;
        let grown = 1.0 + self.accuracy();
        let norm = square.sqrt() * grown + lost + 1.3e-7 * length;
        let error = error.sqrt() * grown + lost + 4e-7 * norm + 1.3e-7 * length;
        Coded { scale: top / 127.0, norm, error, square, sum }
    }
}

vectorized! {
    /// The largest magnitude, the square of the norm, that of the difference's, and the sum of the codes.
    fn code<T: Real>(cpu: Cpu, row: &[T], factor: T, mean: &[T], codes: &mut [i8]) -> (f64, f64, f64, i32) {
        let width = mean.len();
        assert!(row.len() == width && codes.len() >= width, "rows of another width");
        // Blocks of a known length become vectors. Zeros behind the last add nothing to any sum.
        let (row, row_rest) = row.as_chunks::<WIDE>();
        let (mean, mean_rest) = mean.as_chunks::<WIDE>();
        let last = (padded(row_rest), padded(mean_rest));
        let mut tops = [T::ZERO; WIDE];
        let mut squares = [T::ZERO; WIDE];
        for (x, mean) in row.iter().zip(mean).chain([(&last.0, &last.1)]) {
            for l in 0..WIDE {
                let v = x[l].times(factor).less(mean[l]);
                tops[l] = tops[l].larger(v.magnitude());
                squares[l] = squares[l].plus(v.times(v));
            }
        }
        let top = tops.into_iter().fold(T::ZERO, T::larger);
        let square = squares.into_iter().fold(0.0, |sum, x| sum + x.into());
        codes[width..].fill(0);
        let top_wide: f64 = top.into();
        if top_wide <= 1e-30 {
            codes.fill(0);
            return (0.0, square, square, 0);
        }
        let (inverse, scale) = (T::from_f64(127.0 / top_wide), T::from_f64(top_wide / 127.0));
        let mut errors = [T::ZERO; WIDE];
        let mut sums = [0i32; WIDE];
        let (blocks, codes_rest) = codes[..width].as_chunks_mut::<WIDE>();
        let mut last_codes = [0i8; WIDE];
        let rows = row.iter().zip(mean).chain([(&last.0, &last.1)]);
        for ((x, mean), codes) in rows.zip(blocks.iter_mut().chain([&mut last_codes])) {
            for l in 0..WIDE {
                let v = x[l].times(factor).less(mean[l]);
                let (rounded, code) = v.times(inverse).round();
                let off = v.less(rounded.times(scale));
                errors[l] = errors[l].plus(off.times(off));
                sums[l] += i32::from(code);
                codes[l] = code;
            }
        }
        codes_rest.copy_from_slice(&last_codes[..codes_rest.len()]);
        let error = errors.into_iter().fold(0.0, |sum, x| sum + x.into());
        (top_wide, square, error, sums.into_iter().sum())
    }
}

/// A block of what is left, with zeros behind it.
#[inline(always)]
fn padded<T: Real>(rest: &[T]) -> [T; WIDE] {
    let mut block = [T::ZERO; WIDE];
    block[..rest.len()].copy_from_slice(rest);
    block
}
