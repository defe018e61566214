//! The functions between the products of a network, item by item and in place.
//!
//! float32; the same bits on every processor and in pieces of any size. O(n), on the calling thread.

use crate::cpu::{Cpu, vectorized};
use crate::elementary;

const LANES: usize = 16;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x Phi(x), Phi the normal distribution.
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// x / (1 + e^-x).
    Silu,
    /// max(x, 0).
    Relu,
}

impl Activation {
    /// Its value at each of `N` numbers.
    #[inline(always)]
    fn of(self, x: [f32; LANES]) -> [f32; LANES] {
        match self {
            Activation::Gelu => {
                let erf = elementary::erf(&x.map(|x| x * std::f32::consts::FRAC_1_SQRT_2));
                std::array::from_fn(|i| 0.5 * x[i] * (1.0 + erf[i]))
            }
            // (1 + tanh y) / 2 = 1 / (1 + e^-2y)
            Activation::GeluTanh => {
                const FACTOR: f32 = -2.0 * 0.797_884_6;
                let power = elementary::exp(&x.map(|x| FACTOR * (x + 0.044_715 * x * x * x)));
                std::array::from_fn(|i| x[i] / (1.0 + power[i]))
            }
            Activation::Silu => {
                let power = elementary::exp(&x.map(|x| -x));
                std::array::from_fn(|i| x[i] / (1.0 + power[i]))
            }
            Activation::Relu => x.map(|x| if x < 0.0 { 0.0 } else { x }),
        }
    }
}

/// Replaces each item by the function's value.
///
/// ```
/// use tamis_kernels::{cpu::Cpu, pointwise::{Activation, activate}};
/// let mut x = [-1.0, 2.0];
/// activate(Cpu::current(), Activation::Relu, &mut x);
/// assert_eq!(x, [0.0, 2.0]);
/// ```
pub fn activate(cpu: Cpu, by: Activation, x: &mut [f32]) {
    // The function is chosen once, outside the loop.
    match by {
        Activation::Gelu => gelu(cpu, x),
        Activation::GeluTanh => gelu_tanh(cpu, x),
        Activation::Silu => silu(cpu, x),
        Activation::Relu => relu(cpu, x),
    }
}

#[inline(always)]
fn each(x: &mut [f32], by: Activation) {
    let (whole, rest) = x.as_chunks_mut::<LANES>();
    for lanes in whole {
        *lanes = by.of(*lanes);
    }
    let mut last = [0.0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    rest.copy_from_slice(&by.of(last)[..rest.len()]);
}

vectorized! { fn gelu(cpu: Cpu, x: &mut [f32]) { each(x, Activation::Gelu); } }
vectorized! { fn gelu_tanh(cpu: Cpu, x: &mut [f32]) { each(x, Activation::GeluTanh); } }
vectorized! { fn silu(cpu: Cpu, x: &mut [f32]) { each(x, Activation::Silu); } }
vectorized! { fn relu(cpu: Cpu, x: &mut [f32]) { each(x, Activation::Relu); } }

vectorized! {
    /// `x[i] *= y[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn multiply(cpu: Cpu, x: &mut [f32], y: &[f32]) {
        assert_eq!(x.len(), y.len(), "slices of one length");
        for (x, y) in x.iter_mut().zip(y) {
            *x *= y;
        }
    }
}

vectorized! {
    /// `x[i] += y[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(cpu: Cpu, x: &mut [f32], y: &[f32]) {
        assert_eq!(x.len(), y.len(), "slices of one length");
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(by: Activation, x: f32) -> f64 {
        let x = f64::from(x);
        match by {
            Activation::Gelu => 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Relu => x.max(0.0),
        }
    }

    const ALL: [Activation; 4] = [Activation::Gelu, Activation::GeluTanh, Activation::Silu, Activation::Relu];

    proptest! {
        #[test]
        fn each_item_is_its_function(x in prop::collection::vec(-30f32..30.0, 0..70), cut in 0usize..70) {
            for by in ALL {
                let mut all: Option<Vec<f32>> = None;
                for cpu in Cpu::choices() {
                    let mut got = x.clone();
                    let (a, b) = got.split_at_mut(cut.min(x.len()));
                    activate(cpu, by, a);
                    activate(cpu, by, b);
                    prop_assert_eq!(all.get_or_insert_with(|| got.clone()), &got);
                }
                for (&x, got) in x.iter().zip(all.unwrap()) {
                    let want = naive(by, x);
                    prop_assert!((f64::from(got) - want).abs() <= 1e-6 * (1.0 + want.abs()), "{:?} {} {}", by, x, got);
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_visible() {
        for by in ALL {
            let mut x = [f32::NAN, f32::INFINITY, -100.0];
            activate(Cpu::current(), by, &mut x);
            assert!(x[0].is_nan() && x[1] == f32::INFINITY && x[2] == 0.0, "{by:?} {x:?}");
        }
    }

    #[test]
    fn sums_and_products_are_by_place() {
        let mut x = [1.0, 2.0, 3.0];
        add(Cpu::current(), &mut x, &[1.0, 0.0, -1.0]);
        multiply(Cpu::current(), &mut x, &[2.0, 3.0, 4.0]);
        assert_eq!(x, [4.0, 6.0, 8.0]);
    }
}
