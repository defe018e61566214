//! The derivatives of a convolution of stride 1 by its weight, its bias and its input.
//!
//! By the weight: products of tiles as in [`convolve`](crate::convolve), in the type of the input, added in float64 in
//! the order of the tiles. By the input: a convolution with the weight turned round. Cost: each as the convolution.
//! The bits do not depend on the threads.

use crate::convolve::{Convolution, Gather, Item, Padding, convolve, spans};
use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::{sums, threads};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// By the weight, [outputs, channels, kernel], and by the bias, [outputs].
///
/// `slopes`, [batch, outputs, sides of the output], is the derivative of what is minimised by the convolution's output.
///
/// # Panics
/// If there are groups, or the data have another shape.
pub fn by_weight<T: Item + Real>(
    shape: &Convolution,
    x: &[T],
    slopes: &[T],
    job: &Job,
) -> Result<(Vec<f64>, Vec<f64>), Aborted> {
    assert_eq!(shape.groups, 1, "groups");
    let sides = shape.output().expect("a kernel that fits");
    let (area, places) = (shape.input.iter().product::<usize>(), sides.iter().product::<usize>());
    let Convolution { channels, outputs, batch, .. } = *shape;
    let depth = channels * shape.kernel.iter().product::<usize>();
    assert_eq!(x.len(), batch * channels * area, "input of another shape");
    assert_eq!(slopes.len(), batch * outputs * places, "slopes of another shape");
    let mut sum = vec![0.0; outputs * depth];
    let gather = Gather::new(shape, sides);
    let spans = spans(places, depth);
    let tiles: Vec<(usize, &Range<usize>)> =
        (0..batch).flat_map(|item| spans.iter().map(move |span| (item, span))).collect();
    let product = |&(item, span): &(usize, &Range<usize>)| {
        let panel = gather.panel(&x[item * channels * area..][..channels * area], channels, span);
        let rows: Vec<T> = (0..outputs)
            .flat_map(|o| &slopes[(item * outputs + o) * places..][span.start..span.end])
            .copied()
            .collect();
        let mut product = vec![T::default(); outputs * depth];
        let to = MatMut::from_row_major_slice_mut(&mut product, outputs, depth);
        let panel = MatRef::from_row_major_slice(&panel, depth, span.len()).transpose();
        let rows = MatRef::from_row_major_slice(&rows, outputs, span.len());
        matmul(to, Accum::Replace, rows, panel, T::ONE, Par::Seq);
        product
    };
    for some in tiles.chunks(4 * threads::threads()) {
        job.check()?;
        let products: Vec<Vec<T>> = threads::pool().install(|| some.par_iter().map(product).collect());
        for product in products {
            sum.iter_mut().zip(product).for_each(|(sum, x)| *sum += x.to_f64());
        }
    }
    let bias = |o: usize| {
        let item = |item: usize| {
            let line = &slopes[(item * outputs + o) * places..][..places];
            sums::sum_by(places, |i| line[i].to_f64())
        };
        (0..batch).map(item).sum()
    };
    Ok((sum, (0..outputs).map(bias).collect()))
}

/// By the input, [batch, channels, sides of the input].
///
/// # Panics
/// If there are groups or strides, the padding is no zeros or more than the kernel reaches, or the data have another
/// shape.
pub fn by_input<T: Item>(
    shape: &Convolution,
    weight: &[T],
    slopes: &[T],
    job: &Job,
) -> Result<Vec<T>, Aborted> {
    let plain = shape.groups == 1 && shape.stride == [1; 3] && shape.padding == Padding::Zero;
    assert!(plain, "a convolution whose derivative is another");
    let Convolution { channels, outputs, batch, kernel, dilation, .. } = *shape;
    let taps = kernel.iter().product::<usize>();
    assert_eq!(weight.len(), outputs * channels * taps, "weight of another shape");
    let turned: Vec<T> = (0..channels)
        .flat_map(|c| {
            (0..outputs).flat_map(move |o| (0..taps).rev().map(move |k| (o * channels + c) * taps + k))
        })
        .map(|at| weight[at])
        .collect();
    let reach = |axis: usize| dilation[axis] * (kernel[axis] - 1);
    let back = Convolution {
        batch,
        channels: outputs,
        outputs: channels,
        input: shape.output().expect("a kernel that fits"),
        before: std::array::from_fn(|axis| reach(axis) - shape.before[axis]),
        after: std::array::from_fn(|axis| reach(axis) - shape.after[axis]),
        ..shape.clone()
    };
    convolve(&back, slopes, &turned, None, job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::normals as data;
    use proptest::prelude::*;

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn shape(input: [usize; 3], kernel: [usize; 3], dilation: usize) -> Convolution {
        let half = kernel.map(|k| dilation * (k - 1) / 2);
        Convolution {
            batch: 2,
            channels: 3,
            outputs: 4,
            groups: 1,
            input,
            kernel,
            stride: [1; 3],
            dilation: [dilation; 3],
            before: half,
            after: half,
            padding: Padding::Zero,
        }
    }

    /// A convolution is linear in each of its three: the derivative is its transpose.
    fn check(shape: &Convolution) {
        let job = Job::default();
        let taps = shape.kernel.iter().product::<usize>();
        let x = data(2 * 3 * shape.input.iter().product::<usize>(), 1);
        let (weight, bias) = (data(12 * taps, 2), data(4, 3));
        let y = convolve(shape, &x, &weight, Some(&bias), &job).unwrap();
        let slopes = data(y.len(), 4);
        let (dw, db) = by_weight(shape, &x, &slopes, &job).unwrap();
        let dx = by_input(shape, &weight, &slopes, &job).unwrap();
        for seed in 5..8 {
            let nudged =
                |x: &[f64]| x.iter().zip(data(x.len(), seed)).map(|(x, by)| x + by).collect::<Vec<f64>>();
            let moved = |x: &[f64], weight: &[f64], bias: &[f64]| {
                let to = convolve(shape, x, weight, Some(bias), &job).unwrap();
                dot(&to, &slopes) - dot(&y, &slopes)
            };
            let near =
                |got: f64, want: f64| assert!((got - want).abs() < 1e-9 * (1.0 + want.abs()), "{got} {want}");
            near(moved(&nudged(&x), &weight, &bias), dot(&dx, &data(x.len(), seed)));
            near(moved(&x, &nudged(&weight), &bias), dot(&dw, &data(weight.len(), seed)));
            near(moved(&x, &weight, &nudged(&bias)), dot(&db, &data(4, seed)));
        }
    }

    #[test]
    fn several_tiles() {
        check(&shape([1, 40, 37], [1, 3, 3], 1));
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let shape = shape([1, 30, 40], [1, 5, 5], 1);
        let (x, slopes) = (data(2 * 3 * 1200, 1), data(2 * 4 * 1200, 2));
        threads::on_any_budget(|| by_weight(&shape, &x, &slopes, &Job::default()).unwrap());
    }

    proptest! {
        #[test]
        fn derivatives_are_the_transposes(
            input in prop::array::uniform3(1usize..6), half in prop::array::uniform3(0usize..2),
            dilation in 1usize..3,
        ) {
            check(&shape(input, half.map(|h| 2 * h + 1), dilation));
        }
    }
}
