//! A network of convolutions, run through and derived.
//!
//! Steps work on maps, [channels, sides] for each item of a batch: map 0 is the input, step i makes map i + 1, the last
//! is the output. Convolutions have stride 1 and zeros around that keep the sides. All in the type of the input; sums of
//! losses and of derivatives by weights in float64. Cost: that of the convolutions; without a derivative a map is
//! dropped after the step that reads it last, with one all are kept. The bits do not depend on the threads.

use crate::activation::{Activated, Activation};
use crate::cells::Cells;
use crate::convolve::{Axes, Convolution, Item, convolve};
use crate::job::{Aborted, Job};
use crate::slopes;
use crate::{sums, threads};
use rayon::prelude::*;

/// Items of one task.
const TASK: usize = 1 << 14;

/// A convolution's numbers.
#[derive(Debug, Clone)]
pub struct Layer<T> {
    /// [outputs, channels, kernel]
    pub weight: Vec<T>,
    /// [outputs]
    pub bias: Vec<T>,
    pub kernel: Axes,
}

/// What makes the next map.
#[derive(Debug, Clone)]
pub enum Step {
    /// Layer `layer` over the channels of all these maps, one after the other; then the activation.
    Convolve { from: Vec<usize>, layer: usize, activation: Activation },
    /// `scale` times one map and another.
    Blend { scale: f64, from: usize, onto: usize },
    /// Channels to cells of the last `axes` axes: the cells of channel c, `factor` a side, are the `factor^axes`
    /// channels from `c factor^axes` on; or, `apart`, those at c, c + C, ... for C channels of the result.
    Shuffle { from: usize, factor: usize, axes: usize, apart: bool },
}

/// Some maps: what they hold and of what shape one item is.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps<T> {
    pub channels: usize,
    pub sides: Axes,
    pub data: Vec<T>,
}

/// A type that networks work in.
pub trait Number: Item + Activated {}

impl<T: Item + Activated> Number for T {}

/// The output for `batch` items.
///
/// # Panics
/// If maps, layers or steps do not fit together, or a kernel is even.
pub fn run<T: Number>(
    x: Maps<T>,
    batch: usize,
    layers: &[Layer<T>],
    steps: &[Step],
    job: &Job,
) -> Result<Maps<T>, Aborted> {
    let mut last_use = vec![0; steps.len() + 1];
    for (i, step) in steps.iter().enumerate() {
        reads(step).into_iter().for_each(|map| last_use[map] = i);
    }
    let mut maps = vec![x];
    for (i, step) in steps.iter().enumerate() {
        let next = forward(step, &maps, batch, layers, job)?;
        for map in reads(step).into_iter().filter(|&map| last_use[map] == i) {
            maps[map].data = Vec::new();
        }
        maps.push(next);
    }
    Ok(maps.pop().expect("the input, if nothing else"))
}

/// How far an output is from what it should be, and what each layer has to do with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// The mean of the squares of the differences.
    pub loss: f64,
    /// Of each layer, by its weight and its bias.
    pub by_layer: Vec<(Vec<f64>, Vec<f64>)>,
}

/// The mean squared error against `target`, of the output's shape, and its derivatives.
///
/// # Panics
/// As [`run`]; or if the target has another shape.
pub fn derive<T: Number>(
    x: Maps<T>,
    target: &[T],
    batch: usize,
    layers: &[Layer<T>],
    steps: &[Step],
    job: &Job,
) -> Result<Derived, Aborted> {
    let mut maps = vec![x];
    for step in steps {
        let next = forward(step, &maps, batch, layers, job)?;
        maps.push(next);
    }
    let output = &maps[steps.len()].data;
    assert_eq!(output.len(), target.len(), "a target of another shape");
    let difference = |i: usize| output[i].to_f64() - target[i].to_f64();
    let loss = sums::par_sum_by(output.len(), |i| difference(i) * difference(i)) / output.len() as f64;
    let share = 2.0 / output.len() as f64;
    let mut slopes: Vec<Vec<T>> = vec![Vec::new(); maps.len()];
    slopes[steps.len()] = (0..output.len()).map(|i| T::from_f64(share * difference(i))).collect();
    let mut by_layer: Vec<(Vec<f64>, Vec<f64>)> =
        layers.iter().map(|layer| (vec![0.0; layer.weight.len()], vec![0.0; layer.bias.len()])).collect();
    for (i, step) in steps.iter().enumerate().rev() {
        let mut slope = std::mem::take(&mut slopes[i + 1]);
        if slope.is_empty() {
            continue;
        }
        match step {
            Step::Convolve { from, layer, activation } => {
                let Layer { weight, .. } = &layers[*layer];
                activation.back(&maps[i + 1].data, &mut slope);
                let x = joined(&maps, from, batch);
                let shape = shape_of(&layers[*layer], x.channels, x.sides, batch);
                let (dw, db) = slopes::by_weight(&shape, &x.data, &slope, job)?;
                let sums = &mut by_layer[*layer];
                sums.0.iter_mut().zip(dw).for_each(|(sum, x)| *sum += x);
                sums.1.iter_mut().zip(db).for_each(|(sum, x)| *sum += x);
                // Nobody asks for the derivative by the input itself.
                if from.iter().any(|&map| map > 0) {
                    let back = slopes::by_input(&shape, weight, &slope, job)?;
                    give_back(&mut slopes, &maps, from, batch, &back);
                }
            }
            Step::Blend { scale, from, onto } => {
                let scaled: Vec<T> = slope.iter().map(|x| *x * T::from_f64(*scale)).collect();
                add(&mut slopes[*from], scaled);
                add(&mut slopes[*onto], slope);
            }
            Step::Shuffle { from, factor, axes, apart } => {
                let Maps { channels, sides, .. } = maps[i + 1];
                let cells = Cells { factor: *factor, axes: *axes, apart: *apart };
                add(&mut slopes[*from], cells.gather(&slope, batch, channels, sides));
            }
        }
    }
    Ok(Derived { loss, by_layer })
}

fn reads(step: &Step) -> Vec<usize> {
    match step {
        Step::Convolve { from, .. } => from.clone(),
        Step::Blend { from, onto, .. } => vec![*from, *onto],
        Step::Shuffle { from, .. } => vec![*from],
    }
}

fn shape_of<T>(layer: &Layer<T>, channels: usize, sides: Axes, batch: usize) -> Convolution {
    Convolution::of_same_sides([batch, channels, layer.bias.len()], sides, layer.kernel)
}

fn forward<T: Number>(
    step: &Step,
    maps: &[Maps<T>],
    batch: usize,
    layers: &[Layer<T>],
    job: &Job,
) -> Result<Maps<T>, Aborted> {
    match step {
        Step::Convolve { from, layer, activation } => {
            let layer = &layers[*layer];
            let through = |x: &Maps<T>| {
                let shape = shape_of(layer, x.channels, x.sides, batch);
                convolve(&shape, &x.data, &layer.weight, Some(&layer.bias), job)
            };
            let mut data = match from[..] {
                [one] => through(&maps[one])?,
                _ => through(&joined(maps, from, batch))?,
            };
            activation.apply(&mut data);
            Ok(Maps { channels: layer.bias.len(), sides: maps[from[0]].sides, data })
        }
        Step::Blend { scale, from, onto } => {
            let scale = T::from_f64(*scale);
            let (from, onto) = (&maps[*from], &maps[*onto]);
            assert_eq!(from.data.len(), onto.data.len(), "maps of other shapes");
            let mut data = vec![T::default(); from.data.len()];
            threads::pool().install(|| {
                let both = from.data.par_chunks(TASK).zip(onto.data.par_chunks(TASK));
                data.par_chunks_mut(TASK).zip(both).for_each(|(to, (from, onto))| {
                    to.iter_mut().zip(from.iter().zip(onto)).for_each(|(to, (x, y))| *to = scale * *x + *y);
                });
            });
            Ok(Maps { data, ..*onto })
        }
        Step::Shuffle { from, factor, axes, apart } => {
            let Maps { channels, sides, data } = &maps[*from];
            let cells = Cells { factor: *factor, axes: *axes, apart: *apart };
            let channels = channels / factor.pow(*axes as u32);
            Ok(Maps {
                channels,
                sides: cells.grown(*sides),
                data: cells.scatter(data, batch, channels, *sides),
            })
        }
    }
}

fn joined<T: Number>(maps: &[Maps<T>], from: &[usize], batch: usize) -> Maps<T> {
    let sides = maps[from[0]].sides;
    assert!(from.iter().all(|&map| maps[map].sides == sides), "maps of other sides");
    let area = sides.iter().product::<usize>();
    let channels: usize = from.iter().map(|&map| maps[map].channels).sum();
    let mut data = Vec::with_capacity(batch * channels * area);
    for item in 0..batch {
        for &map in from {
            let size = maps[map].channels * area;
            data.extend_from_slice(&maps[map].data[item * size..][..size]);
        }
    }
    Maps { channels, sides, data }
}

/// Adds the derivatives by joined maps to those of each.
fn give_back<T: Number>(slopes: &mut [Vec<T>], maps: &[Maps<T>], from: &[usize], batch: usize, joined: &[T]) {
    let area = maps[from[0]].sides.iter().product::<usize>();
    let whole = joined.len() / batch;
    let mut first = 0;
    for &map in from {
        let size = maps[map].channels * area;
        let part = (0..batch).flat_map(|item| &joined[item * whole + first..][..size]).copied().collect();
        add(&mut slopes[map], part);
        first += size;
    }
}

fn add<T: Number>(to: &mut Vec<T>, by: Vec<T>) {
    if to.is_empty() {
        *to = by;
    } else {
        to.iter_mut().zip(by).for_each(|(to, by)| *to = to.plus(by));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::normals as data;

    fn layer(outputs: usize, channels: usize, kernel: Axes, seed: u64) -> Layer<f64> {
        let n = outputs * channels * kernel.iter().product::<usize>();
        let weight = data(n, seed).into_iter().map(|x| 0.3 * x).collect();
        Layer { weight, bias: data(outputs, seed + 100), kernel }
    }

    /// Every kind of step, maps that are read twice, and one that nobody reads.
    fn network() -> (Maps<f64>, Vec<Layer<f64>>, Vec<Step>) {
        let x = Maps { channels: 2, sides: [1, 4, 5], data: data(2 * 2 * 20, 1) };
        let kernel = [1, 3, 3];
        let layers = vec![
            layer(3, 2, kernel, 2),
            layer(3, 5, kernel, 3),
            layer(8, 3, [1, 1, 5], 4),
            layer(1, 2, kernel, 5),
        ];
        let convolve = |from: &[usize], layer: usize, activation: Activation| Step::Convolve {
            from: from.to_vec(),
            layer,
            activation,
        };
        let steps = vec![
            convolve(&[0], 0, Activation::Tanh),
            convolve(&[0, 1], 1, Activation::Leaky(0.1)),
            Step::Blend { scale: 0.2, from: 2, onto: 1 },
            convolve(&[1], 2, Activation::None),
            convolve(&[3], 2, Activation::Relu),
            Step::Shuffle { from: 5, factor: 2, axes: 2, apart: true },
            convolve(&[6], 3, Activation::Sigmoid),
        ];
        (x, layers, steps)
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        let (x, layers, steps) = network();
        let job = Job::default();
        let target = data(2 * 80, 9);
        let loss = |layers: &[Layer<f64>]| derive(x.clone(), &target, 2, layers, &steps, &job).unwrap().loss;
        let Derived { loss: here, by_layer } = derive(x.clone(), &target, 2, &layers, &steps, &job).unwrap();
        let output = run(x.clone(), 2, &layers, &steps, &job).unwrap();
        assert_eq!((output.channels, output.sides), (1, [1, 8, 10]));
        let want = output.data.iter().zip(&target).map(|(y, t)| (y - t) * (y - t)).sum::<f64>() / 160.0;
        assert!((here - want).abs() < 1e-12);
        let step = 1e-6;
        for l in 0..layers.len() {
            for i in 0..layers[l].weight.len() + layers[l].bias.len() {
                let nudged = |by: f64| {
                    let mut layers = layers.clone();
                    let size = layers[l].weight.len();
                    if i < size {
                        layers[l].weight[i] += by
                    } else {
                        layers[l].bias[i - size] += by
                    }
                    loss(&layers)
                };
                let want = (nudged(step) - nudged(-step)) / (2.0 * step);
                let size = layers[l].weight.len();
                let got = if i < size { by_layer[l].0[i] } else { by_layer[l].1[i - size] };
                assert!((got - want).abs() < 1e-7, "layer {l}, {i}: {got}, not {want}");
            }
        }
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let (x, layers, steps) = network();
        let target = data(2 * 80, 9);
        threads::on_any_budget(|| derive(x.clone(), &target, 2, &layers, &steps, &Job::default()).unwrap());
        threads::on_any_budget(|| run(x.clone(), 2, &layers, &steps, &Job::default()).unwrap());
    }
}
