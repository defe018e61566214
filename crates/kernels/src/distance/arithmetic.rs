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
    /// Adds to each of eight lanes the terms of its items in two rows of eights, in order.
    fn add_terms(cpu: Cpu, term: Term, x: &[[Self; LANES]], y: &[[Self; LANES]], lanes: &mut [f64; LANES]);
}

/// What is made of an item of each of two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Their product.
    Product,
    /// The square of their difference.
    Square,
}

macro_rules! reals {
    ($($t:ident: $magic:expr;)*) => {$(
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
            #[inline]
            fn add_terms(
                cpu: Cpu,
                term: Term,
                x: &[[Self; LANES]],
                y: &[[Self; LANES]],
                lanes: &mut [f64; LANES],
            ) {
                #[cfg(target_arch = "x86_64")]
                if cpu.avx2 && !cpu.avx512 {
                    // SAFETY: the processor has AVX2.
                    return unsafe {
                        match term {
                            Term::Product => avx2::$t::products(x, y, lanes),
                            Term::Square => avx2::$t::squares(x, y, lanes),
                        }
                    };
                }
                match term {
                    Term::Product => products(cpu, x, y, lanes),
                    Term::Square => squares(cpu, x, y, lanes),
                }
            }
        }
    )*};
}

reals! {
    f32: 12_582_912.0;
    f64: 6_755_399_441_055_744.0;
}

impl Term {
    #[inline(always)]
    fn of(self, x: f64, y: f64) -> f64 {
        match self {
            Term::Product => x * y,
            Term::Square => (x - y) * (x - y),
        }
    }
}

/// The sum of the terms of two rows, in blocks and lanes.
#[inline]
fn sum<T: Real>(cpu: Cpu, term: Term, x: &[T], y: &[T]) -> f64 {
    assert_eq!(x.len(), y.len(), "rows of another width");
    let mut total = 0.0;
    for (x, y) in x.chunks(BLOCK).zip(y.chunks(BLOCK)) {
        let ((x, x_rest), (y, y_rest)) = (x.as_chunks(), y.as_chunks());
        let mut lanes = [0.0; LANES];
        T::add_terms(cpu, term, x, y, &mut lanes);
        // The last of each lane.
        for ((lane, &x), &y) in lanes.iter_mut().zip(x_rest).zip(y_rest) {
            *lane += term.of(x.into(), y.into());
        }
        total += join(lanes);
    }
    total
}

vectorized! {
    #[inline]
    fn products<T: Real>(cpu: Cpu, x: &[[T; LANES]], y: &[[T; LANES]], lanes: &mut [f64; LANES]) {
        add(x, y, lanes, |x, y| Term::Product.of(x, y))
    }
}

vectorized! {
    #[inline]
    fn squares<T: Real>(cpu: Cpu, x: &[[T; LANES]], y: &[[T; LANES]], lanes: &mut [f64; LANES]) {
        add(x, y, lanes, |x, y| Term::Square.of(x, y))
    }
}

#[inline(always)]
fn add<T: Real>(
    x: &[[T; LANES]],
    y: &[[T; LANES]],
    lanes: &mut [f64; LANES],
    term: impl Fn(f64, f64) -> f64,
) {
    for (x, y) in x.iter().zip(y) {
        for l in 0..LANES {
            lanes[l] += term(x[l].into(), y[l].into());
        }
    }
}

/// The same by hand: the compiler makes vectors of two of plain loops here, at a fifth of the speed.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use crate::sums::LANES;
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    fn product(x: __m256d, y: __m256d) -> __m256d {
        _mm256_mul_pd(x, y)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn square(x: __m256d, y: __m256d) -> __m256d {
        let less = _mm256_sub_pd(x, y);
        _mm256_mul_pd(less, less)
    }

    macro_rules! terms {
        ($t:ident, $name:ident, $term:ident) => {
            #[target_feature(enable = "avx2")]
            pub fn $name(x: &[[$t; LANES]], y: &[[$t; LANES]], lanes: &mut [f64; LANES]) {
                let [low, high] = [lanes.as_ptr(), lanes[4..].as_ptr()];
                // SAFETY: eight lanes are two registers.
                let mut sums = unsafe { [_mm256_loadu_pd(low), _mm256_loadu_pd(high)] };
                for (x, y) in x.iter().zip(y) {
                    let (x, y) = (wide(x), wide(y));
                    for half in 0..2 {
                        sums[half] = _mm256_add_pd(sums[half], $term(x[half], y[half]));
                    }
                }
                for half in 0..2 {
                    // SAFETY: the same.
                    unsafe { _mm256_storeu_pd(lanes.as_mut_ptr().add(4 * half), sums[half]) };
                }
            }
        };
    }

    pub mod f32 {
        use super::*;

        #[inline]
        #[target_feature(enable = "avx2")]
        fn wide(x: &[f32; LANES]) -> [__m256d; 2] {
            // SAFETY: eight items are two registers of four.
            let (low, high) = unsafe { (_mm_loadu_ps(x.as_ptr()), _mm_loadu_ps(x.as_ptr().add(4))) };
            [_mm256_cvtps_pd(low), _mm256_cvtps_pd(high)]
        }

        terms!(f32, products, product);
        terms!(f32, squares, square);
    }

    pub mod f64 {
        use super::*;

        #[inline]
        #[target_feature(enable = "avx2")]
        fn wide(x: &[f64; LANES]) -> [__m256d; 2] {
            // SAFETY: eight items are two registers.
            unsafe { [_mm256_loadu_pd(x.as_ptr()), _mm256_loadu_pd(x.as_ptr().add(4))] }
        }

        terms!(f64, products, product);
        terms!(f64, squares, square);
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
        sum(self.cpu, Term::Product, x, y)
    }

    /// The sum of squared differences of two rows.
    ///
    /// # Panics
    /// If their widths differ.
    #[inline]
    pub fn l2sq<T: Real>(&self, x: &[T], y: &[T]) -> f64 {
        sum(self.cpu, Term::Square, x, y)
    }
}
