//! Steps of gradient descent over tensors of float32: directions from gradients, and updates along them.
//!
//! Directions: the gradient, its running sum (momentum), or the bias-corrected quotient of its moments (Adam: Kingma, Ba,
//! ICLR 2015; decoupled decay: Loshchilov, Hutter, ICLR 2019). Every item is worked off apart, in float32, in parallel: the
//! bits do not depend on the threads. O(items) a step; one number an item for a direction, two more for moments.

use crate::cpu::{Cpu, vectorized};
use crate::real::NotFinite;
use crate::{tasks, threads};
use rayon::prelude::*;

/// Added to the root of the second moment.
const EPSILON: f32 = 1e-8;

/// How gradients become directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// The sum of `momentum` times the last direction and the gradient.
    Momentum { momentum: f32 },
    /// Running means of the gradient and of its square.
    Moments { beta1: f64, beta2: f64 },
}

/// How weights decay: by so much of themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decay {
    pub rate: f32,
    /// Taken from the weights at an update, and not part of the gradient.
    pub decoupled: bool,
}

/// The state of a descent: a direction of each tensor, and what it is made from.
#[derive(Debug, Clone)]
pub struct Descent {
    rule: Rule,
    decay: Decay,
    steps: i32,
    directions: Vec<Vec<f32>>,
    moments: Vec<[Vec<f32>; 2]>,
}

impl Descent {
    /// Of tensors of these lengths; all directions are 0.
    pub fn new(rule: Rule, decay: Decay, lengths: &[usize]) -> Self {
        let zeros = || lengths.iter().map(|&n| vec![0.0; n]);
        let moments = match rule {
            Rule::Momentum { .. } => Vec::new(),
            Rule::Moments { .. } => zeros().zip(zeros()).map(|(first, second)| [first, second]).collect(),
        };
        Descent { rule, decay, steps: 0, directions: zeros().collect(), moments }
    }

    /// Makes the next directions at these weights.
    ///
    /// # Errors
    /// [`NotFinite`] if a gradient is NaN or infinite: nothing has changed then.
    ///
    /// # Panics
    /// If there are other numbers of items than there were.
    pub fn direct(&mut self, weights: &[Vec<f32>], gradients: &[&[f32]]) -> Result<(), NotFinite> {
        assert_eq!(gradients.len(), self.directions.len(), "as many gradients as tensors");
        let finite = |x: &&[f32]| {
            threads::pool().install(|| x.par_chunks(tasks::TASK).all(|x| x.iter().all(|x| x.is_finite())))
        };
        if !gradients.iter().all(finite) {
            return Err(NotFinite);
        }
        self.steps = self.steps.saturating_add(1);
        let decay = if self.decay.decoupled { 0.0 } else { self.decay.rate };
        let cpu = Cpu::current();
        for (i, direction) in self.directions.iter_mut().enumerate() {
            let (weights, gradient) = (&weights[i][..], gradients[i]);
            assert!(weights.len() == gradient.len() && gradient.len() == direction.len(), "other lengths");
            let parts = direction
                .par_chunks_mut(tasks::TASK)
                .zip(weights.par_chunks(tasks::TASK))
                .zip(gradient.par_chunks(tasks::TASK));
            match self.rule {
                Rule::Momentum { momentum } => threads::pool().install(|| {
                    parts.for_each(|((direction, weights), gradient)| {
                        accumulate(cpu, direction, weights, gradient, decay, momentum);
                    });
                }),
                Rule::Moments { beta1, beta2 } => {
                    let [first, second] = &mut self.moments[i];
                    let parts =
                        parts.zip(first.par_chunks_mut(tasks::TASK)).zip(second.par_chunks_mut(tasks::TASK));
                    let scales = [beta1, beta2].map(|beta| 1.0 - libm::pow(beta, f64::from(self.steps)));
                    let means = Means {
                        betas: [beta1 as f32, beta2 as f32],
                        rest: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
                        first: scales[0] as f32,
                        root: libm::sqrt(scales[1]) as f32,
                    };
                    threads::pool().install(|| {
                        parts.for_each(|((((direction, weights), gradient), first), second)| {
                            average(cpu, direction, weights, gradient, decay, [first, second], &means);
                        });
                    });
                }
            }
        }
        Ok(())
    }

    /// The last directions.
    pub fn directions(&self) -> &[Vec<f32>] {
        &self.directions
    }

    /// Takes `rate` times its direction from a tensor, after its decoupled decay.
    ///
    /// # Panics
    /// If the tensor has another length.
    pub fn update(&self, tensor: usize, weights: &mut [f32], rate: f64) {
        let direction = &self.directions[tensor];
        assert_eq!(weights.len(), direction.len(), "weights of another length");
        let decay = if self.decay.decoupled { (rate * f64::from(self.decay.rate)) as f32 } else { 0.0 };
        let cpu = Cpu::current();
        let parts = weights.par_chunks_mut(tasks::TASK).zip(direction.par_chunks(tasks::TASK));
        threads::pool().install(|| {
            parts.for_each(|(weights, direction)| descend(cpu, weights, direction, decay, rate as f32));
        });
    }
}

/// What the moments of a step are made with.
struct Means {
    betas: [f32; 2],
    /// 1 less the betas.
    rest: [f32; 2],
    /// What the first moment is divided by.
    first: f32,
    /// What the root of the second is divided by.
    root: f32,
}

vectorized! {
    fn accumulate(
        cpu: Cpu,
        direction: &mut [f32],
        weights: &[f32],
        gradient: &[f32],
        decay: f32,
        momentum: f32,
    ) {
        for ((d, w), g) in direction.iter_mut().zip(weights).zip(gradient) {
            *d = momentum * *d + (g + decay * w);
        }
    }
}

vectorized! {
    fn average(
        cpu: Cpu,
        direction: &mut [f32],
        weights: &[f32],
        gradient: &[f32],
        decay: f32,
        moments: [&mut [f32]; 2],
        means: &Means,
    ) {
        let [first, second] = moments;
        let items = direction.iter_mut().zip(weights).zip(gradient).zip(first).zip(second);
        for ((((d, w), g), m), v) in items {
            let g = g + decay * w;
            *m = means.betas[0] * *m + means.rest[0] * g;
            *v = means.betas[1] * *v + means.rest[1] * (g * g);
            *d = (*m / means.first) / (v.sqrt() / means.root + EPSILON);
        }
    }
}

vectorized! {
    fn descend(cpu: Cpu, weights: &mut [f32], direction: &[f32], decay: f32, rate: f32) {
        for (w, d) in weights.iter_mut().zip(direction) {
            *w = (*w - decay * *w) - rate * d;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use crate::threads::on_any_budget;

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0; n];
        Philox::new(seed, 0).normal(&mut out);
        out.into_iter().map(|x| x as f32).collect()
    }

    /// The definition in float64, for one weight.
    fn naive(rule: Rule, decay: Decay, rate: f64, mut w: f64, gradients: &[f64]) -> f64 {
        let (mut d, mut m, mut v) = (0.0, 0.0, 0.0);
        let rate_of_decay = f64::from(decay.rate);
        for (step, g) in gradients.iter().enumerate() {
            let g = g + if decay.decoupled { 0.0 } else { rate_of_decay * w };
            match rule {
                Rule::Momentum { momentum } => d = f64::from(momentum) * d + g,
                Rule::Moments { beta1, beta2 } => {
                    (m, v) = (beta1 * m + (1.0 - beta1) * g, beta2 * v + (1.0 - beta2) * g * g);
                    let at = step as i32 + 1;
                    d = m / (1.0 - beta1.powi(at)) / ((v / (1.0 - beta2.powi(at))).sqrt() + 1e-8);
                }
            }
            if decay.decoupled {
                w -= rate * rate_of_decay * w;
            }
            w -= rate * d;
        }
        w
    }

    #[test]
    fn steps_are_those_of_the_definition_on_any_budget() {
        let n = tasks::TASK + 37;
        let gradients: Vec<Vec<f32>> = (0..5).map(|step| normal(n, 10 + step)).collect();
        let adam = Rule::Moments { beta1: 0.9, beta2: 0.999 };
        for rule in [Rule::Momentum { momentum: 0.0 }, Rule::Momentum { momentum: 0.9 }, adam] {
            for decoupled in [false, true] {
                let decay = Decay { rate: 0.01, decoupled };
                let got = on_any_budget(|| {
                    let mut weights = vec![normal(n, 1)];
                    let mut descent = Descent::new(rule, decay, &[n]);
                    for gradient in &gradients {
                        descent.direct(&weights, &[gradient]).unwrap();
                        descent.update(0, &mut weights[0], 0.1);
                    }
                    weights
                });
                let start = normal(n, 1);
                for i in (0..n).step_by(97) {
                    let own: Vec<f64> = gradients.iter().map(|g| f64::from(g[i])).collect();
                    let want = naive(rule, decay, 0.1, start[i].into(), &own);
                    assert!((f64::from(got[0][i]) - want).abs() < 2e-6, "{rule:?} {decay:?} {i}");
                }
            }
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let decay = Decay { rate: 0.0, decoupled: false };
        let mut descent = Descent::new(Rule::Momentum { momentum: 0.5 }, decay, &[1, 2]);
        let weights = [vec![1.0], vec![1.0, 1.0]];
        assert_eq!(descent.direct(&weights, &[&[1.0], &[0.0, f32::NAN]]), Err(NotFinite));
        assert_eq!(descent.directions(), [vec![0.0], vec![0.0, 0.0]]);
        assert_eq!(descent.direct(&weights, &[&[1.0], &[0.0, 2.0]]), Ok(()));
        assert_eq!(descent.directions(), [vec![1.0], vec![0.0, 2.0]]);
    }
}
