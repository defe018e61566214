//! Dots and squared distances of two rows in float64.

use crate::cpu::{Cpu, vectorized};
use crate::sums::{BLOCK, LANES, join};

/// A type of vectors' items, and what loops over them need in its own arithmetic.
pub trait Real: Copy + Send + Sync + Into<f64> + PartialOrd + std::fmt::Debug + 'static {
    const ZERO: Self;
    const ONE: Self;
    /// The nearest value.
    fn from_f64(x: f64) -> Self;
    /// Neither NaN nor infinite.
    fn is_finite(self) -> bool;
    fn plus(self, other: Self) -> Self;
    fn less(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn magnitude(self) -> Self;
    fn larger(self, other: Self) -> Self;
    /// The nearest integer of a number from -127 to 127, also as such.
    fn round(self) -> (Self, i8);
}

macro_rules! reals {
    ($($t:ty: $magic:expr;)*) => {$(
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn less(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn magnitude(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn larger(self, other: Self) -> Self {
                if self > other { self } else { other }
            }
            #[inline(always)]
            fn round(self) -> (Self, i8) {
                // At this size the unit in the last place is 1, and the last bits are the integer's.
                let shifted = self + $magic;
                (shifted - $magic, shifted.to_bits() as i8)
            }
        }
    )*};
}

reals! {
    f32: 12_582_912.0;
    f64: 6_755_399_441_055_744.0;
}

/// The sum of `term` over the places of two rows, in blocks and lanes.
#[inline(always)]
fn sum<T: Real>(x: &[T], y: &[T], term: impl Fn(f64, f64) -> f64) -> f64 {
    assert_eq!(x.len(), y.len(), "rows of another width");
    let mut total = 0.0;
    for (x, y) in x.chunks(BLOCK).zip(y.chunks(BLOCK)) {
        let mut lanes = [0.0; LANES];
        let (x, y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
        for ((lane, &x), &y) in lanes.iter_mut().zip(x.remainder()).zip(y.remainder()) {
            *lane = term(x.into(), y.into());
        }
        // Joined after the whole eights, as the last of each lane.
        let last = std::mem::replace(&mut lanes, [0.0; LANES]);
        for (x, y) in x.zip(y) {
            for l in 0..LANES {
                lanes[l] += term(x[l].into(), y[l].into());
            }
        }
        for (lane, last) in lanes.iter_mut().zip(last) {
            *lane += last;
        }
        total += join(lanes);
    }
    total
}

vectorized! {
    #[inline]
    fn dot<T: Real>(cpu: Cpu, x: &[T], y: &[T]) -> f64 {
        sum(x, y, |x, y| x * y)
    }
}

vectorized! {
    #[inline]
    fn l2sq<T: Real>(cpu: Cpu, x: &[T], y: &[T]) -> f64 {
        sum(x, y, |x, y| (x - y) * (x - y))
    }
}

/// The arithmetic of this processor. The same bits on all.
#[derive(Debug, Clone, Copy)]
pub struct Arithmetic {
    cpu: Cpu,
}

impl Arithmetic {
    /// With the instructions in use.
    pub fn current() -> Self {
        Arithmetic { cpu: Cpu::current() }
    }

    #[cfg(test)]
    pub(crate) fn with_cpu(cpu: Cpu) -> Self {
        Arithmetic { cpu }
    }

    /// The sum of products of two rows.
    ///
    /// # Panics
    /// If their widths differ.
    #[inline]
    pub fn dot<T: Real>(&self, x: &[T], y: &[T]) -> f64 {
        dot(self.cpu, x, y)
    }

    /// The sum of squared differences of two rows.
    ///
    /// # Panics
    /// If their widths differ.
    #[inline]
    pub fn l2sq<T: Real>(&self, x: &[T], y: &[T]) -> f64 {
        l2sq(self.cpu, x, y)
    }
}
