//! The functions of whole rows in a network, in place: layer and root-mean-square norms, softmax, logarithms of sums of exponentials.
//!
//! float32, sums in sixteen lanes that are joined in a fixed order: the same bits on every processor. O(n) a row, on the calling thread.

use crate::cpu::vectorized;
use crate::elementary;

const LANES: usize = 16;

#[inline(always)]
fn join(lanes: &[f32; LANES]) -> f64 {
    lanes.iter().map(|&x| f64::from(x)).sum()
}

/// The sum of a function of each item.
#[inline(always)]
fn sum_by(x: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for x in whole {
        for i in 0..LANES {
            lanes[i] += of(x[i]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += of(x);
    }
    join(&lanes)
}

#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for x in whole {
        for i in 0..LANES {
            lanes[i] = if x[i] > lanes[i] { x[i] } else { lanes[i] };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

vectorized! {
    /// `(x - mean) / sqrt(variance + epsilon) * weight + bias`, of one row.
    ///
    /// # Panics
    /// If weight or bias have another length.
    pub fn layer_norm(cpu: Cpu, x: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
        assert!(x.len() == weight.len() && x.len() == bias.len(), "a row's weight and bias");
        let n = x.len() as f64;
        let mean = (sum_by(x, |x| x) / n) as f32;
        let variance = sum_by(x, |x| (x - mean) * (x - mean)) / n;
        let scale = (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32;
        for ((x, weight), bias) in x.iter_mut().zip(weight).zip(bias) {
            *x = (*x - mean) * scale * weight + bias;
        }
    }
}

vectorized! {
    /// Writes `x / sqrt(mean of squares + epsilon) * weight`, of one row.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn rms_norm(cpu: Cpu, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
        assert!(x.len() == weight.len() && x.len() == out.len(), "a row's weight and place");
        let squares = sum_by(x, |x| x * x) / x.len() as f64;
        let scale = (1.0 / (squares + f64::from(epsilon)).sqrt()) as f32;
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * scale * weight;
        }
    }
}

vectorized! {
    /// Replaces a row by its exponentials over their sum; those of `factor x`.
    ///
    /// ```
    /// use tamis_kernels::{cpu::Cpu, normalize::softmax};
    /// let mut x = [0.0, 0.0, f32::NEG_INFINITY];
    /// softmax(Cpu::current(), &mut x, 1.0);
    /// assert_eq!(x, [0.5, 0.5, 0.0]);
    /// ```
    pub fn softmax(cpu: Cpu, x: &mut [f32], factor: f32) {
        let most = largest(x);
        let mut lanes = [0.0; LANES];
        let (whole, rest) = x.as_chunks_mut::<LANES>();
        for x in whole {
            *x = elementary::exp(&x.map(|x| (x - most) * factor));
            for i in 0..LANES {
                lanes[i] += x[i];
            }
        }
        let mut last = [f32::NEG_INFINITY; LANES];
        last[..rest.len()].copy_from_slice(rest);
        let last = elementary::exp(&last.map(|x| (x - most) * factor));
        rest.copy_from_slice(&last[..rest.len()]);
        for (lane, x) in lanes.iter_mut().zip(&*rest) {
            *lane += x;
        }
        let scale = (1.0 / join(&lanes)) as f32;
        for x in x {
            *x *= scale;
        }
    }
}

vectorized! {
    /// The natural logarithm of the sum of a row's exponentials.
    pub fn log_sum_exp(cpu: Cpu, x: &[f32]) -> f64 {
        let most = largest(x);
        let (whole, rest) = x.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for x in whole {
            let powers = elementary::exp(&x.map(|x| x - most));
            for i in 0..LANES {
                lanes[i] += powers[i];
            }
        }
        let mut last = [f32::NEG_INFINITY; LANES];
        last[..rest.len()].copy_from_slice(rest);
        let powers = elementary::exp(&last.map(|x| x - most));
        for i in 0..LANES {
            lanes[i] += powers[i];
        }
        f64::from(most) + join(&lanes).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
    use proptest::prelude::*;

    /// What each processor gives: the same bits.
    fn on_all(work: impl Fn(Cpu) -> Vec<f32>) -> Vec<f32> {
        let all: Vec<Vec<f32>> = Cpu::choices().into_iter().map(work).collect();
        assert!(all.iter().all(|got| got == &all[0]));
        all[0].clone()
    }

    fn near(got: &[f32], want: &[f64]) -> Result<(), TestCaseError> {
        for (got, want) in got.iter().zip(want) {
            prop_assert!((f64::from(*got) - want).abs() <= 2e-6 * (1.0 + want.abs()), "{} {}", got, want);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn rows_are_as_by_definition(x in prop::collection::vec(-20f32..20.0, 1..100), factor in 0.1f32..1.0) {
            let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
            let n = x.len() as f64;
            let (weight, bias) = (vec![0.5; x.len()], vec![0.25; x.len()]);

            let mean = wide.iter().sum::<f64>() / n;
            let variance = wide.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let want: Vec<f64> =
                wide.iter().map(|x| (x - mean) / (variance + 1e-3).sqrt() * 0.5 + 0.25).collect();
            near(&on_all(|cpu| {
                let mut x = x.clone();
                layer_norm(cpu, &mut x, &weight, &bias, 1e-3);
                x
            }), &want)?;

            let squares = wide.iter().map(|x| x * x).sum::<f64>() / n;
            let want: Vec<f64> = wide.iter().map(|x| x / (squares + 1e-3).sqrt() * 0.5).collect();
            near(&on_all(|cpu| {
                let mut out = x.clone();
                rms_norm(cpu, &x, &weight, 1e-3, &mut out);
                out
            }), &want)?;

            let powers: Vec<f64> = wide.iter().map(|x| (x * f64::from(factor)).exp()).collect();
            let sum: f64 = powers.iter().sum();
            let want: Vec<f64> = powers.iter().map(|p| p / sum).collect();
            near(&on_all(|cpu| {
                let mut x = x.clone();
                softmax(cpu, &mut x, factor);
                x
            }), &want)?;

            let want = wide.iter().map(|x| x.exp()).sum::<f64>().ln();
            near(&on_all(|cpu| vec![log_sum_exp(cpu, &x) as f32]), &[want])?;
        }
    }
}
