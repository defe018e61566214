//! What a layer of a network does to each of its outputs.
//!
//! Float32 goes through float64 and plain loops of 20 to 30 operations an item, which vectorise, within one unit in the
//! last place; float64 through libm. O(n), in parallel; the same bits on every processor.

use crate::cpu::{Cpu, vectorized};
use crate::real::Real;
use crate::threads;
use rayon::prelude::*;

/// Items of one task.
const TASK: usize = 1 << 14;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// The output itself.
    None,
    Relu,
    /// Negative outputs by this factor, which must not be negative.
    Leaky(f64),
    Tanh,
    /// 1 / (1 + e^-x)
    Sigmoid,
}

/// A type that goes through an activation.
pub trait Activated: Real {
    fn tanh_all(cpu: Cpu, x: &mut [Self]);
    fn sigmoid_all(cpu: Cpu, x: &mut [Self]);
}

impl Activation {
    /// Changes each item. NaN stays NaN.
    pub fn apply<T: Activated>(self, x: &mut [T]) {
        if self == Activation::None {
            return;
        }
        let cpu = Cpu::current();
        threads::pool().install(|| {
            x.par_chunks_mut(TASK).for_each(|x| match self {
                Activation::None => {}
                Activation::Relu => relu(cpu, x),
                Activation::Leaky(slope) => leaky(cpu, x, slope),
                Activation::Tanh => T::tanh_all(cpu, x),
                Activation::Sigmoid => T::sigmoid_all(cpu, x),
            });
        });
    }

    /// Multiplies each item of `slopes` by the derivative where the output is `y`; at the corner of [`Self::Relu`] and
    /// [`Self::Leaky`] it is that of the negative side.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn back<T: Activated>(self, y: &[T], slopes: &mut [T]) {
        assert_eq!(y.len(), slopes.len(), "slopes of another shape");
        let (one, zero) = (T::from_f64(1.0), T::default());
        let mut each = |change: &(dyn Fn(&mut T, T) + Sync)| {
            threads::pool().install(|| {
                slopes.par_chunks_mut(TASK).zip(y.par_chunks(TASK)).for_each(|(slopes, y)| {
                    slopes.iter_mut().zip(y).for_each(|(slope, &y)| change(slope, y));
                });
            });
        };
        match self {
            Activation::None => {}
            Activation::Relu => each(&|slope, y| *slope = if y > zero { *slope } else { zero }),
            Activation::Leaky(negative) => {
                let negative = T::from_f64(negative);
                each(&|slope, y| *slope = if y > zero { *slope } else { *slope * negative });
            }
            Activation::Tanh => each(&|slope, y| *slope = *slope * (one - y * y)),
            Activation::Sigmoid => each(&|slope, y| *slope = *slope * (y * (one - y))),
        }
    }
}

vectorized! {
    fn relu<T: Real>(cpu: Cpu, x: &mut [T]) {
        for x in x {
            // In this direction NaN stays.
            *x = if *x < T::default() { T::default() } else { *x };
        }
    }
}

vectorized! {
    fn leaky<T: Real>(cpu: Cpu, x: &mut [T], slope: f64) {
        let slope = T::from_f64(slope);
        for x in x {
            *x = if *x < T::default() { *x * slope } else { *x };
        }
    }
}

/// e^x for |x| <= 700, to about 1e-12: a power of two times a polynomial on what is left.
#[inline(always)]
fn exp(x: f64) -> f64 {
    /// A float64 of this size holds an integer in its low bits.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    const FACTORIALS: [f64; 11] =
        [1.0, 1.0, 2.0, 6.0, 24.0, 120.0, 720.0, 5040.0, 40_320.0, 362_880.0, 3_628_800.0];
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let rest = x - (shifted - SHIFT) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for factorial in FACTORIALS.iter().rev() {
        sum = sum * rest + 1.0 / factorial;
    }
    sum * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52))
}

vectorized! {
    fn tanh32(cpu: Cpu, x: &mut [f32]) {
        for item in x {
            let x = f64::from(*item);
            let bounded = x.clamp(-20.0, 20.0);
            let large = 1.0 - 2.0 / (exp(2.0 * bounded) + 1.0);
            // Near 0 the difference would lose the digits that are left.
            let square = x * x;
            let small = x * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0)));
            *item = (if square < 1e-4 { small } else { large }) as f32;
        }
    }
}

vectorized! {
    fn sigmoid32(cpu: Cpu, x: &mut [f32]) {
        for item in x {
            let x = f64::from(*item);
            let bounded = x.clamp(-700.0, 700.0);
            *item = (1.0 / (1.0 + exp(-bounded))) as f32;
        }
    }
}

impl Activated for f32 {
    fn tanh_all(cpu: Cpu, x: &mut [f32]) {
        tanh32(cpu, x);
    }
    fn sigmoid_all(cpu: Cpu, x: &mut [f32]) {
        sigmoid32(cpu, x);
    }
}

impl Activated for f64 {
    fn tanh_all(_: Cpu, x: &mut [f64]) {
        x.iter_mut().for_each(|x| *x = libm::tanh(*x));
    }
    fn sigmoid_all(_: Cpu, x: &mut [f64]) {
        x.iter_mut().for_each(|x| *x = 1.0 / (1.0 + libm::exp(-*x)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Vec<f32> {
        let mut x: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.023).collect();
        x.extend((-60..3).flat_map(|e| [1.3f32, -1.1].map(|x| x * 2f32.powi(e))));
        x.extend([0.0, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE]);
        x
    }

    fn run(activation: Activation, x: &[f32]) -> Vec<f32> {
        let mut x = x.to_vec();
        activation.apply(&mut x);
        x
    }

    #[test]
    fn float32_is_right_to_the_last_place() {
        let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
        for activation in [Activation::Tanh, Activation::Sigmoid] {
            let exact = if activation == Activation::Tanh { libm::tanh } else { sigmoid };
            for (x, got) in inputs().iter().zip(run(activation, &inputs())) {
                let want = exact(f64::from(*x));
                let slack = 1.5e-7 * want.abs() + 1e-44;
                assert!((f64::from(got) - want).abs() <= slack, "{activation:?} {x}: {got}, not {want}");
            }
        }
    }

    #[test]
    fn corners_and_nan() {
        assert_eq!(run(Activation::Relu, &[-2.0, 0.0, 3.0]), [0.0, 0.0, 3.0]);
        assert_eq!(run(Activation::Leaky(0.5), &[-2.0, 0.0, 3.0]), [-1.0, 0.0, 3.0]);
        for activation in [Activation::Relu, Activation::Leaky(0.1), Activation::Tanh, Activation::Sigmoid] {
            assert!(run(activation, &[f32::NAN])[0].is_nan(), "{activation:?}");
        }
    }

    #[test]
    fn every_processor_gives_the_same_bits() {
        for (all, name) in [(tanh32 as fn(Cpu, &mut [f32]), "tanh"), (sigmoid32, "sigmoid")] {
            let bits = |cpu: Cpu| {
                let mut x = inputs();
                all(cpu, &mut x);
                x.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
            };
            let want = bits(Cpu::BASELINE);
            assert!(Cpu::choices().into_iter().all(|cpu| bits(cpu) == want), "{name}");
        }
    }

    #[test]
    fn derivatives_are_those_of_the_outputs() {
        let all = [
            Activation::None,
            Activation::Relu,
            Activation::Leaky(0.01),
            Activation::Tanh,
            Activation::Sigmoid,
        ];
        let x: Vec<f64> = (-20..20).map(|i| 0.17 * f64::from(i) + 0.01).collect();
        for activation in all {
            let at = |step: f64| {
                let mut y: Vec<f64> = x.iter().map(|x| x + step).collect();
                activation.apply(&mut y);
                y
            };
            let mut slopes = vec![2.0; x.len()];
            activation.back(&at(0.0), &mut slopes);
            for (i, slope) in slopes.iter().enumerate() {
                let want = 2.0 * (at(1e-6)[i] - at(-1e-6)[i]) / 2e-6;
                assert!((slope - want).abs() < 1e-8, "{activation:?} {}", x[i]);
            }
        }
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let x: Vec<f32> = (0..40_000).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
        threads::on_any_budget(|| run(Activation::Tanh, &x));
    }
}
