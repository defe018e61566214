//! Cross-correlation over one, two or three axes, in the type of its input.
//!
//! `out = bias + sum over c, k of weight * x[stride * o + dilation * k - pad]`. The places that a tile of outputs
//! reads are gathered into a panel that fits the cache, which one matrix product then serves (im2col). Tiles are a
//! function of the shape alone, so the bits do not depend on the threads that work them off. Cost:
//! `outputs * (channels / groups) * kernel` multiply-adds an output channel; a panel of about 1 MB a thread.

use crate::job::{Aborted, Job};
use crate::threads;
use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Items of a panel.
const PANEL: usize = 1 << 18;
/// Outputs of a tile: at least, so that the product has room; at most.
const TILE: Range<usize> = 32..1024;

/// What lies beyond the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    Zero,
    /// The input mirrored, its edge not repeated. Less than a side at both ends.
    Reflect,
    /// The edge again and again.
    Replicate,
}

/// Three axes; those that are not there have one place.
pub type Axes = [usize; 3];

#[derive(Debug, Clone)]
pub struct Convolution {
    pub batch: usize,
    pub channels: usize,
    pub outputs: usize,
    pub groups: usize,
    pub input: Axes,
    pub kernel: Axes,
    pub stride: Axes,
    pub dilation: Axes,
    /// At the beginning of each axis.
    pub before: Axes,
    /// At its end.
    pub after: Axes,
    pub padding: Padding,
}

impl Convolution {
    /// Of stride 1 with zeros around, so that the output has the sides of the input.
    ///
    /// # Panics
    /// If the kernel is even along an axis.
    pub fn of_same_sides([batch, channels, outputs]: [usize; 3], sides: Axes, kernel: Axes) -> Self {
        assert!(kernel.iter().all(|k| k % 2 == 1), "an even kernel");
        let half = kernel.map(|k| k / 2);
        Convolution {
            batch,
            channels,
            outputs,
            groups: 1,
            input: sides,
            kernel,
            stride: [1; 3],
            dilation: [1; 3],
            before: half,
            after: half,
            padding: Padding::Zero,
        }
    }

    /// The sides of the output; none if the kernel does not fit into the padded input.
    pub fn output(&self) -> Option<Axes> {
        let side = |axis: usize| {
            let padded = self.input[axis] + self.before[axis] + self.after[axis];
            let reach = self.dilation[axis] * self.kernel[axis].checked_sub(1)?;
            Some(padded.checked_sub(reach + 1)? / self.stride[axis] + 1)
        };
        Some([side(0)?, side(1)?, side(2)?])
    }

    /// The place of the input that output `o` reads through tap `k` of an axis; none for a zero.
    fn place(&self, axis: usize, o: usize, k: usize) -> Option<usize> {
        let n = self.input[axis] as isize;
        let i = (self.stride[axis] * o + self.dilation[axis] * k) as isize - self.before[axis] as isize;
        let inside = match self.padding {
            _ if (0..n).contains(&i) => i,
            Padding::Zero => return None,
            Padding::Reflect => {
                if i < 0 {
                    -i
                } else {
                    2 * n - 2 - i
                }
            }
            Padding::Replicate => i.clamp(0, n - 1),
        };
        Some(inside as usize)
    }
}

/// A type that is convolved.
pub trait Item: ComplexField + Copy + Default + Send + Sync {
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
}

impl Item for f32 {
    const ONE: f32 = 1.0;
    fn plus(self, other: f32) -> f32 {
        self + other
    }
}

impl Item for f64 {
    const ONE: f64 = 1.0;
    fn plus(self, other: f64) -> f64 {
        self + other
    }
}

/// [batch, outputs, sides of the output]. `weight` is [outputs, channels / groups, kernel], `bias` [outputs].
///
/// # Panics
/// If the data have another shape, groups do not divide the channels and outputs, or the kernel does not fit.
pub fn convolve<T: Item>(
    shape: &Convolution,
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    job: &Job,
) -> Result<Vec<T>, Aborted> {
    let sides = shape.output().expect("a kernel that fits");
    let [channels, outputs] = [shape.channels / shape.groups, shape.outputs / shape.groups];
    let (area, places) = (shape.input.iter().product::<usize>(), sides.iter().product::<usize>());
    let depth = channels * shape.kernel.iter().product::<usize>();
    assert_eq!(x.len(), shape.batch * shape.channels * area, "input of another shape");
    assert_eq!(weight.len(), shape.outputs * depth, "weight of another shape");
    let mut out = vec![T::default(); shape.batch * shape.outputs * places];
    if out.is_empty() {
        return Ok(out);
    }
    let gather = Gather::new(shape, sides);
    let spans = spans(places, depth);
    let parts = out.len() / (outputs * places);
    let tiles: Vec<(usize, &Range<usize>)> =
        (0..parts).flat_map(|part| spans.iter().map(move |span| (part, span))).collect();
    // A few tiles at a time, since their results are copied into place.
    for batch in tiles.chunks(4 * threads::threads()) {
        job.check()?;
        let product = |&(part, span): &(usize, &Range<usize>)| {
            let weight = &weight[part % shape.groups * outputs * depth..][..outputs * depth];
            let panel = gather.panel(&x[part * channels * area..][..channels * area], channels, span);
            let mut product = vec![T::default(); outputs * span.len()];
            let to = MatMut::from_row_major_slice_mut(&mut product, outputs, span.len());
            let panel = MatRef::from_row_major_slice(&panel, depth, span.len());
            let weight = MatRef::from_row_major_slice(weight, outputs, depth);
            matmul(to, Accum::Replace, weight, panel, T::ONE, Par::Seq);
            product
        };
        let products: Vec<Vec<T>> = threads::pool().install(|| batch.par_iter().map(product).collect());
        for ((part, span), product) in batch.iter().zip(products) {
            let bias = bias.map(|bias| &bias[part % shape.groups * outputs..][..outputs]);
            for (o, row) in product.chunks(span.len()).enumerate() {
                let to = &mut out[(part * outputs + o) * places..][(*span).clone()];
                match bias {
                    Some(bias) => to.iter_mut().zip(row).for_each(|(to, x)| *to = x.plus(bias[o])),
                    None => to.copy_from_slice(row),
                }
            }
        }
    }
    Ok(out)
}

/// The tiles of `places` outputs that read `depth` items each.
pub(crate) fn spans(places: usize, depth: usize) -> Vec<Range<usize>> {
    let tile = (PANEL / depth.max(1)).clamp(TILE.start, TILE.end);
    (0..places).step_by(tile).map(|first| first..places.min(first + tile)).collect()
}

/// Which places of the input each output reads.
pub(crate) struct Gather {
    input: Axes,
    kernel: Axes,
    sides: Axes,
    /// Of each axis: the place of output o through tap k at `k * side + o`.
    places: [Vec<Option<usize>>; 3],
    /// Of each tap along the last axis: outputs whose places follow one another.
    runs: Vec<Range<usize>>,
}

impl Gather {
    pub(crate) fn new(shape: &Convolution, sides: Axes) -> Self {
        let places = std::array::from_fn(|axis| {
            let taps = 0..shape.kernel[axis];
            taps.flat_map(|k| (0..sides[axis]).map(move |o| shape.place(axis, o, k))).collect()
        });
        let [_, _, along]: &[Vec<Option<usize>>; 3] = &places;
        let runs = along.chunks(sides[2].max(1)).map(longest_run).collect();
        Gather { input: shape.input, kernel: shape.kernel, sides, places, runs }
    }

    /// [channels * kernel, places]: what these outputs read.
    pub(crate) fn panel<T: Item>(&self, x: &[T], channels: usize, places: &Range<usize>) -> Vec<T> {
        let [_, height, width] = self.sides;
        let [depths, rows, columns] = self.input;
        let mut panel = Vec::with_capacity(channels * self.kernel.iter().product::<usize>() * places.len());
        for c in 0..channels {
            for taps in 0..self.kernel.iter().product() {
                let (kd, kh, kw) = (
                    taps / (self.kernel[1] * self.kernel[2]),
                    taps / self.kernel[2] % self.kernel[1],
                    taps % self.kernel[2],
                );
                let mut at = places.start;
                while at < places.end {
                    // The outputs of one line.
                    let (d, h, w) = (at / (height * width), at / width % height, at % width);
                    let end = places.end.min(at - w + width);
                    let depth = self.places[0][kd * self.sides[0] + d];
                    let row = self.places[1][kh * height + h];
                    match depth.zip(row) {
                        Some((depth, row)) => {
                            let start = ((c * depths + depth) * rows + row) * columns;
                            let line = &x[start..start + columns];
                            let places = &self.places[2][kw * width..][..width];
                            let wanted = w..w + end - at;
                            let run = &self.runs[kw];
                            let [from, to] = [run.start, run.end].map(|o| o.clamp(wanted.start, wanted.end));
                            let item = |place: &Option<usize>| place.map_or(T::default(), |i| line[i]);
                            panel.extend(places[wanted.start..from].iter().map(item));
                            if let Some(&Some(first)) = places[from..to].first() {
                                panel.extend_from_slice(&line[first..first + to - from]);
                            }
                            panel.extend(places[to..wanted.end].iter().map(item));
                        }
                        None => panel.resize(panel.len() + end - at, T::default()),
                    }
                    at = end;
                }
            }
        }
        panel
    }
}

/// The most outputs in a row that read places in a row.
fn longest_run(places: &[Option<usize>]) -> Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for o in 0..places.len() {
        let follows =
            o > start && places[o - 1].zip(places[o]).is_some_and(|(before, place)| place == before + 1);
        if !follows {
            start = o;
        }
        if places[o].is_some() && o + 1 - start > longest.len() {
            longest = start..o + 1;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::normals as data;
    use proptest::prelude::*;

    /// The definition, in float64.
    fn naive(shape: &Convolution, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
        let sides = shape.output().unwrap();
        let [channels, outputs] = [shape.channels / shape.groups, shape.outputs / shape.groups];
        let area: usize = shape.input.iter().product();
        let mut out = Vec::new();
        for b in 0..shape.batch {
            for o in 0..shape.outputs {
                for at in 0..sides.iter().product() {
                    let at = [at / (sides[1] * sides[2]), at / sides[2] % sides[1], at % sides[2]];
                    let mut sum = bias.map_or(0.0, |bias| bias[o]);
                    for c in 0..channels {
                        let taps: usize = shape.kernel.iter().product();
                        for tap in 0..taps {
                            let k = [
                                tap / (shape.kernel[1] * shape.kernel[2]),
                                tap / shape.kernel[2] % shape.kernel[1],
                                tap % shape.kernel[2],
                            ];
                            let place = (0..3).try_fold(0, |place, axis| {
                                Some(place * shape.input[axis] + shape.place(axis, at[axis], k[axis])?)
                            });
                            let channel = b * shape.channels + o / outputs * channels + c;
                            let x = place.map_or(0.0, |place| x[channel * area + place]);
                            sum += weight[(o * channels + c) * taps + tap] * x;
                        }
                    }
                    out.push(sum);
                }
            }
        }
        out
    }

    fn check(shape: &Convolution) {
        let weights = shape.outputs * shape.channels / shape.groups * shape.kernel.iter().product::<usize>();
        let x = data(shape.batch * shape.channels * shape.input.iter().product::<usize>(), 1);
        let (weight, bias) = (data(weights, 2), data(shape.outputs, 3));
        let want = naive(shape, &x, &weight, Some(&bias));
        let got = convolve(shape, &x, &weight, Some(&bias), &Job::default()).unwrap();
        assert_eq!(got.len(), want.len());
        got.iter().zip(&want).for_each(|(got, want)| assert!((got - want).abs() < 1e-11, "{got} {want}"));
        let round = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let got = convolve(shape, &round(&x), &round(&weight), None, &Job::default()).unwrap();
        let want = naive(shape, &x, &weight, None);
        got.iter()
            .zip(&want)
            .for_each(|(got, want)| assert!((f64::from(*got) - want).abs() < 1e-4, "{got} {want}"));
    }

    const PLAIN: Convolution = Convolution {
        batch: 1,
        channels: 1,
        outputs: 1,
        groups: 1,
        input: [1, 1, 4],
        kernel: [1, 1, 2],
        stride: [1; 3],
        dilation: [1; 3],
        before: [0; 3],
        after: [0; 3],
        padding: Padding::Zero,
    };

    #[test]
    fn several_tiles_and_groups() {
        let wide = Convolution {
            batch: 2,
            channels: 6,
            outputs: 4,
            groups: 2,
            input: [1, 50, 61],
            kernel: [1, 3, 3],
            before: [0, 1, 1],
            after: [0, 1, 1],
            ..PLAIN
        };
        check(&wide);
        check(&Convolution { channels: 4, outputs: 4, groups: 4, ..wide });
    }

    #[test]
    fn a_kernel_that_does_not_fit() {
        assert_eq!(Convolution { kernel: [1, 1, 5], ..PLAIN }.output(), None);
        assert_eq!(Convolution { kernel: [1, 1, 0], ..PLAIN }.output(), None);
        assert_eq!(Convolution { kernel: [1, 1, 5], after: [0, 0, 1], ..PLAIN }.output(), Some([1, 1, 1]));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let shape = Convolution { input: [1, 120, 130], kernel: [1, 3, 3], outputs: 3, ..PLAIN };
        let round = |x: Vec<f64>| x.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
        let (x, weight) = (round(data(120 * 130, 4)), round(data(27, 5)));
        let run = |threads: usize| {
            let pool = crate::threads::Budget::of(threads);
            pool.install(|| convolve(&shape, &x, &weight, None, &Job::default()).unwrap())
        };
        let one = run(1);
        assert!(one == run(2) && one == run(7));
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_definition(
            input in prop::array::uniform3(1usize..7), kernel in prop::array::uniform3(1usize..4),
            stride in prop::array::uniform3(1usize..3), dilation in prop::array::uniform3(1usize..3),
            pads in prop::array::uniform6(0usize..3), groups in 1usize..3, padding in 0usize..3,
        ) {
            let padding = [Padding::Zero, Padding::Reflect, Padding::Replicate][padding];
            let most = |axis: usize| if padding == Padding::Reflect { input[axis] - 1 } else { 9 };
            let shape = Convolution {
                batch: 2, channels: 2 * groups, outputs: 3 * groups, groups, input, kernel, stride, dilation,
                before: std::array::from_fn(|axis| pads[axis].min(most(axis))),
                after: std::array::from_fn(|axis| pads[3 + axis].min(most(axis))),
                padding,
            };
            if shape.output().is_some() {
                check(&shape);
            }
        }
    }
}
