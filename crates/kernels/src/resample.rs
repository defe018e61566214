//! Images of another size: separable, in float64.
//!
//! Output i of an axis lies at `c = (i + 0.5) s` of the input, `s = in / out`. Bicubic: the kernel of Keys with
//! a = -0.5, stretched by s where the axis shrinks, over the pixels that there are, whose weights are divided by their
//! sum. (Keys, "Cubic convolution interpolation for digital image processing", 1981.) Cost: O(taps) an output and
//! axis, taps being 4, or 4 s; one plane's half-done rows in memory a thread.

use crate::cpu::{Cpu, vectorized};
use crate::real::Real;
use crate::threads;
use rayon::prelude::*;

/// Outputs of one task.
const TASK: usize = 1 << 12;

/// How an output is made of the pixels around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    Bicubic,
    /// The pixel at `floor(i s)`.
    Nearest,
}

/// Planes of `to` from planes of `from`, height and width, each at least 1.
///
/// ```
/// use tamis_kernels::resample::{Filter, resample};
/// assert_eq!(resample(&[1.0f32, 2.0], [1, 2], [1, 4], Filter::Nearest), [1.0, 1.0, 2.0, 2.0]);
/// ```
///
/// # Panics
/// If the items are no whole planes.
pub fn resample<T: Real>(x: &[T], from: [usize; 2], to: [usize; 2], filter: Filter) -> Vec<T> {
    let ([height, width], [rows, columns]) = (from, to);
    assert!(height * width > 0 && rows * columns > 0, "a plane without pixels");
    assert!(x.len().is_multiple_of(height * width), "planes of another shape");
    let mut out = vec![T::default(); x.len() / (height * width) * rows * columns];
    let [down, across] = [taps(height, rows, filter), taps(width, columns, filter)];
    let cpu = Cpu::current();
    let planes = x.par_chunks(height * width).zip(out.par_chunks_mut(rows * columns));
    threads::pool().install(|| {
        planes.for_each(|(x, out)| {
            let wide = |row: &[T]| row.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
            // The dearer way, across, goes over the fewer rows.
            let last = if rows > height {
                let mut half = vec![0.0; height * columns];
                half.par_chunks_mut(columns)
                    .with_min_len(TASK.div_ceil(columns))
                    .zip(x.par_chunks(width))
                    .for_each(|(out, row)| row_across(&wide(row), &across, out));
                half
            } else {
                wide(x)
            };
            let width = if rows > height { columns } else { width };
            out.par_chunks_mut(columns).with_min_len(TASK.div_ceil(columns)).enumerate().for_each(
                |(i, out)| {
                    let mut line = vec![0.0; width];
                    for (k, &weight) in down[i].weights.iter().enumerate() {
                        add_scaled(cpu, &mut line, &last[(down[i].first + k) * width..][..width], weight);
                    }
                    if rows <= height {
                        let mut narrow = vec![0.0; columns];
                        row_across(&line, &across, &mut narrow);
                        line = narrow;
                    }
                    out.iter_mut().zip(&line).for_each(|(out, &x)| *out = T::from_f64(x));
                },
            );
        });
    });
    out
}

/// The pixels of an axis that one output is made of.
#[derive(Debug, Clone, PartialEq)]
struct Taps {
    first: usize,
    weights: Vec<f64>,
}

fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps> {
    let step = from as f64 / to as f64;
    let stretch = step.max(1.0);
    let output = |i: usize| {
        if filter == Filter::Nearest {
            return Taps { first: (i as u128 * from as u128 / to as u128) as usize, weights: vec![1.0] };
        }
        let center = (i as f64 + 0.5) * step;
        let edge = |at: f64| (at + 0.5).floor().clamp(0.0, from as f64) as usize;
        let mut first = edge(center - 2.0 * stretch);
        let last = edge(center + 2.0 * stretch);
        let mut weights: Vec<f64> =
            (first..last).map(|j| keys((j as f64 - center + 0.5) / stretch)).collect();
        // What does not count must not bring a NaN in.
        while weights.last() == Some(&0.0) {
            weights.pop();
        }
        let idle = weights.iter().take_while(|&&weight| weight == 0.0).count();
        first += idle;
        weights.drain(..idle);
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Taps { first, weights }
    };
    (0..to).map(output).collect()
}

/// The cubic kernel, a = -0.5.
fn keys(t: f64) -> f64 {
    let t = t.abs();
    if t <= 1.0 {
        (1.5 * t - 2.5) * t * t + 1.0
    } else if t < 2.0 {
        ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    } else {
        0.0
    }
}

fn row_across(row: &[f64], across: &[Taps], out: &mut [f64]) {
    for (out, Taps { first, weights }) in out.iter_mut().zip(across) {
        *out = weights.iter().zip(&row[*first..]).fold(0.0, |sum, (weight, x)| sum + weight * x);
    }
}

vectorized! {
    fn add_scaled(cpu: Cpu, sums: &mut [f64], row: &[f64], weight: f64) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += weight * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pixels(n: usize, seed: u64) -> Vec<f64> {
        let mut out = vec![0.0; n];
        crate::philox::Philox::new(seed, 0).normal(&mut out);
        out
    }

    /// The definition, an output at a time over all pixels.
    fn naive(x: &[f64], [height, width]: [usize; 2], [rows, columns]: [usize; 2]) -> Vec<f64> {
        let weight = |from: usize, to: usize, i: usize| -> Vec<f64> {
            let step = from as f64 / to as f64;
            let raw: Vec<f64> =
                (0..from).map(|j| keys((j as f64 + 0.5 - (i as f64 + 0.5) * step) / step.max(1.0))).collect();
            let sum: f64 = raw.iter().sum();
            raw.iter().map(|weight| weight / sum).collect()
        };
        let mut out = Vec::new();
        for plane in x.chunks(height * width) {
            for i in 0..rows {
                for j in 0..columns {
                    let (down, across) = (weight(height, rows, i), weight(width, columns, j));
                    let pixel = |at: usize| down[at / width] * across[at % width] * plane[at];
                    out.push((0..height * width).map(pixel).sum());
                }
            }
        }
        out
    }

    #[test]
    fn the_same_size_is_the_same_image() {
        let mut x = pixels(35, 1);
        x[7] = f64::NAN;
        for filter in [Filter::Bicubic, Filter::Nearest] {
            let same = resample(&x, [5, 7], [5, 7], filter);
            assert!(same.iter().zip(&x).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    #[test]
    fn the_nearest_pixel() {
        let x: Vec<f32> = (0..6).map(|i| i as f32).collect();
        assert_eq!(resample(&x, [2, 3], [1, 2], Filter::Nearest), [0.0, 1.0]);
        assert_eq!(resample(&x[..3], [1, 3], [1, 7], Filter::Nearest), [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn constants_stay_to_the_border() {
        let out = resample(&[3.0f32; 12], [3, 4], [11, 2], Filter::Bicubic);
        assert!(out.iter().all(|x| (x - 3.0).abs() < 1e-6));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let x = pixels(3 * 90 * 80, 2);
        threads::on_any_budget(|| resample(&x, [90, 80], [200, 60], Filter::Bicubic));
        threads::on_any_budget(|| resample(&x, [90, 80], [70, 160], Filter::Bicubic));
    }

    proptest! {
        #[test]
        fn outputs_are_those_of_the_definition(
            from in prop::array::uniform2(1usize..9), to in prop::array::uniform2(1usize..14),
            planes in 0usize..3, seed in 0u64..100,
        ) {
            let x = pixels(planes * from[0] * from[1], seed);
            let got = resample(&x, from, to, Filter::Bicubic);
            let want = naive(&x, from, to);
            prop_assert_eq!(got.len(), want.len());
            for (got, want) in got.iter().zip(&want) {
                prop_assert!((got - want).abs() < 1e-12, "{} {}", got, want);
            }
        }
    }
}
