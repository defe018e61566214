//! The floats that carry weights, and their order by magnitude.
//!
//! A magnitude's rank is its bits without the sign: an integer that grows with it, 0 for both zeros, and at or above
//! [`Real::INFINITE`] for what is not finite.

use crate::bits;
use crate::cpu::Cpu;
use crate::ternary;
use std::ops::{Add, Mul, Sub};

/// `f32` or `f64`.
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + 'static
{
    /// Bits of a rank.
    const MAGNITUDE_BITS: u32;
    /// The rank of infinity; that of NaN is above it.
    const INFINITE: u64;
    /// The magnitude's place in the order, larger for larger.
    fn magnitude(self) -> u64;
    /// Whether the magnitude has at least this rank, in the number's own width.
    fn reaches(self, least: u64) -> bool;
    fn abs(self) -> Self;
    fn to_f64(self) -> f64;
    /// Rounds to nearest even.
    fn from_f64(x: f64) -> Self;

    /// Of 64 items, which have at least the rank `least`, and which of those that are not zero are negative.
    #[inline(always)]
    fn magnitude_masks(x: &[Self; bits::WORD], least: u64, _: Cpu) -> (u64, u64) {
        bits::portable_magnitude_masks(x, least)
    }

    /// Adds the items at bits of `positive` to their lanes (item i to lane i mod 16), and takes those at bits of
    /// `negative` from them.
    #[inline(always)]
    fn add_masked(items: &[Self; bits::WORD], positive: u64, negative: u64, lanes: &mut [Self; 16], _: Cpu) {
        ternary::add_masked(items, positive, negative, lanes);
    }

    /// Neither NaN nor infinite.
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.magnitude() < Self::INFINITE
    }
}

impl Real for f32 {
    const MAGNITUDE_BITS: u32 = 31;
    const INFINITE: u64 = 0x7f80_0000;

    #[inline(always)]
    fn magnitude(self) -> u64 {
        u64::from(self.to_bits() & (u32::MAX >> 1))
    }

    #[inline(always)]
    fn reaches(self, least: u64) -> bool {
        self.to_bits() & (u32::MAX >> 1) >= least as u32
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.abs()
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn magnitude_masks(x: &[f32; bits::WORD], least: u64, cpu: Cpu) -> (u64, u64) {
        #[cfg(target_arch = "x86_64")]
        {
            if cpu.avx512 {
                // SAFETY: the processor has these instructions, says `cpu`.
                return unsafe { bits::magnitude_masks_avx512(x, least as u32) };
            }
            if cpu.avx2 {
                // SAFETY: the processor has these instructions, says `cpu`.
                return unsafe { bits::magnitude_masks_avx2(x, least as u32) };
            }
        }
        let _ = cpu;
        bits::portable_magnitude_masks(x, least)
    }

    #[inline(always)]
    fn add_masked(items: &[f32; bits::WORD], positive: u64, negative: u64, lanes: &mut [f32; 16], cpu: Cpu) {
        #[cfg(target_arch = "x86_64")]
        if cpu.avx512 {
            // SAFETY: the processor has these instructions, says `cpu`.
            return unsafe { ternary::add_masked_avx512(items, positive, negative, lanes) };
        }
        let _ = cpu;
        ternary::add_masked(items, positive, negative, lanes);
    }
}

impl Real for f64 {
    const MAGNITUDE_BITS: u32 = 63;
    const INFINITE: u64 = 0x7ff0 << 48;

    #[inline(always)]
    fn magnitude(self) -> u64 {
        self.to_bits() & (u64::MAX >> 1)
    }

    #[inline(always)]
    fn reaches(self, least: u64) -> bool {
        self.magnitude() >= least
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.abs()
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
}

/// A NaN or infinity where there must be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotFinite;

/// Why a pass over numbers did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It met a NaN or infinity.
    NotFinite,
    /// It was asked to stop.
    Aborted,
}

impl From<NotFinite> for Stopped {
    fn from(_: NotFinite) -> Self {
        Stopped::NotFinite
    }
}

impl From<crate::job::Aborted> for Stopped {
    fn from(_: crate::job::Aborted) -> Self {
        Stopped::Aborted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_follow_magnitudes() {
        let ascending = [0.0, f32::from_bits(1), f32::MIN_POSITIVE, 0.5, 1.0, f32::MAX, f32::INFINITY];
        for pair in ascending.windows(2) {
            assert!(Real::magnitude(-pair[0]) < Real::magnitude(pair[1]));
            assert!(Real::magnitude(f64::from(pair[0])) < Real::magnitude(-f64::from(pair[1])));
        }
        assert_eq!(Real::magnitude(-0.0f32), 0);
        assert!(Real::is_finite(f32::MAX) && !Real::is_finite(-f32::INFINITY) && !Real::is_finite(f32::NAN));
        assert!(
            Real::is_finite(f64::MAX) && !Real::is_finite(f64::NEG_INFINITY) && !Real::is_finite(f64::NAN)
        );
    }
}
