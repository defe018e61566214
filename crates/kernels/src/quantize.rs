//! Floats as small integers on an even grid, and back.
//!
//! All in float32, rounding half to even. A scale (and a zero point) belongs to the whole tensor, to an index of an axis,
//! or to a run along the last axis. Two passes, O(n), in parallel; minima and maxima know no order, so that threads do
//! not show.

use crate::job::{Aborted, Job};
use crate::real::{NotFinite, Stopped};
use crate::{tasks, threads};
use rayon::prelude::*;

/// To what a scale belongs, in a row-major tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    Tensor,
    /// An index of an axis of `count` indices, with `inner` items behind each.
    Channel {
        count: usize,
        inner: usize,
    },
    /// A run of `size` items of a row of `width`; the last of a row may be shorter.
    Group {
        width: usize,
        size: usize,
    },
}

impl Per {
    /// How many scales `n` items have.
    pub fn scales(self, n: usize) -> usize {
        match self {
            Per::Tensor => 1,
            Per::Channel { count, .. } => count,
            Per::Group { width, size } => n.checked_div(width).unwrap_or(0) * width.div_ceil(size),
        }
    }

    /// The scale of item i, and where the items that follow it with the same scale end.
    #[inline(always)]
    fn run(self, i: usize) -> (usize, usize) {
        match self {
            Per::Tensor => (0, usize::MAX),
            Per::Channel { count, inner } => (i / inner % count, (i / inner + 1) * inner),
            Per::Group { width, size } => {
                let (row, at) = (i / width, i % width);
                let group = at / size;
                (row * width.div_ceil(size) + group, row * width + width.min((group + 1) * size))
            }
        }
    }

    /// Calls `work` with the scale and the places of each run of `start..end`.
    #[inline(always)]
    fn each_run(self, start: usize, end: usize, mut work: impl FnMut(usize, std::ops::Range<usize>)) {
        let mut at = start;
        while at < end {
            let (scale, run_end) = self.run(at);
            work(scale, at..end.min(run_end));
            at = end.min(run_end);
        }
    }
}

/// An integer that holds codes.
pub trait Code: Copy + Default + Send + Sync {
    /// Of a whole number that it can hold.
    fn from_whole(x: f32) -> Self;
    fn to_f32(self) -> f32;
}

macro_rules! codes {
    ($($t:ty)*) => {$(
        impl Code for $t {
            #[inline(always)]
            fn from_whole(x: f32) -> Self {
                x as $t
            }

            #[inline(always)]
            fn to_f32(self) -> f32 {
                f32::from(self)
            }
        }
    )*};
}

codes!(i8 i16 u8 u16);

/// Codes, the scale of each, and for an asymmetric grid its zero point.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized<C> {
    pub codes: Vec<C>,
    pub scale: Vec<f32>,
    pub zero: Option<Vec<C>>,
}

/// `code = clamp(rint(x / scale), -top, top)` with `top = 2^(bits-1) - 1` and `scale = max |x| / top` (1 if that is 0).
///
/// # Errors
/// [`Stopped::NotFinite`] for a NaN or infinity.
///
/// # Panics
/// If `C` has fewer than `bits` bits, or a group's width does not divide the items.
///
/// ```
/// use tamis_kernels::{job::Job, quantize::{Per, symmetric}};
/// let q = symmetric::<i8>(&[0.5, 1.5, -127.0], Per::Tensor, 8, &Job::default()).unwrap();
/// assert_eq!((q.codes, q.scale), (vec![0, 2, -127], vec![1.0]));
/// ```
pub fn symmetric<C: Code>(x: &[f32], per: Per, bits: u32, job: &Job) -> Result<Quantized<C>, Stopped> {
    let top = ((1u32 << (bits - 1)) - 1) as f32;
    let scale: Vec<f32> =
        ranges(x, per, job)?.into_iter().map(|(lo, hi)| or_one(hi.max(-lo) / top)).collect();
    let codes = encode(x, per, job, |s, x| C::from_whole(round(x / scale[s]).clamp(-top, top)))?;
    Ok(Quantized { codes, scale, zero: None })
}

/// `code = clamp(rint(x / scale) + zero, 0, 2^bits - 1)`: `lo = min(0, min x)`, `hi = max(0, max x)`,
/// `scale = (hi - lo) / (2^bits - 1)` (1 if that is 0), `zero = clamp(rint(-lo / scale), 0, 2^bits - 1)`.
///
/// # Errors
/// [`Stopped::NotFinite`] for a NaN or infinity, or if `hi - lo` is infinite.
///
/// # Panics
/// If `C` has fewer than `bits` bits, or a group's width does not divide the items.
pub fn asymmetric<C: Code>(x: &[f32], per: Per, bits: u32, job: &Job) -> Result<Quantized<C>, Stopped> {
    let top = ((1u32 << bits) - 1) as f32;
    let ranges = ranges(x, per, job)?;
    let scale: Vec<f32> = ranges.iter().map(|(lo, hi)| or_one((hi - lo) / top)).collect();
    if scale.iter().any(|scale| !scale.is_finite()) {
        return Err(NotFinite.into());
    }
    let zero: Vec<f32> =
        ranges.iter().zip(&scale).map(|((lo, _), scale)| round(-lo / scale).clamp(0.0, top)).collect();
    let codes = encode(x, per, job, |s, x| C::from_whole((round(x / scale[s]) + zero[s]).clamp(0.0, top)))?;
    let zero = zero.into_iter().map(C::from_whole).collect();
    Ok(Quantized { codes, scale, zero: Some(zero) })
}

/// `(code - zero) scale`; without zero points `code scale`.
///
/// # Panics
/// If there are fewer scales or zero points than codes need.
pub fn dequantize<C: Code>(
    codes: &[C],
    scale: &[f32],
    zero: Option<&[C]>,
    per: Per,
    job: &Job,
) -> Result<Vec<f32>, Aborted> {
    let mut out = vec![0.0; codes.len()];
    tasks::fill(&mut out, 1, job, |start, out| {
        per.each_run(start, start + out.len(), |s, run| {
            let (scale, zero) = (scale[s], zero.map_or(0.0, |zero| zero[s].to_f32()));
            let out = &mut out[run.start - start..run.end - start];
            out.iter_mut().zip(&codes[run]).for_each(|(out, code)| *out = (code.to_f32() - zero) * scale);
        });
    })?;
    Ok(out)
}

fn or_one(scale: f32) -> f32 {
    if scale == 0.0 { 1.0 } else { scale }
}

/// To the nearest whole number, halves to the even one; for magnitudes up to 2^22, of which codes are far.
#[inline(always)]
fn round(x: f32) -> f32 {
    // Numbers of this size have no room for a fraction.
    const WHOLE: f32 = 3.0 * (1u32 << 22) as f32;
    (x + WHOLE) - WHOLE
}

/// The lowest (at most 0) and the highest item (at least 0) of each scale.
fn ranges(x: &[f32], per: Per, job: &Job) -> Result<Vec<(f32, f32)>, Stopped> {
    let scales = per.scales(x.len());
    let tasks = tasks::each(x.len(), job, |range| {
        let mut found: Vec<(usize, (f32, f32))> = Vec::new();
        let mut finite = true;
        per.each_run(range.start, range.end, |s, run| {
            let (mut lo, mut hi) = (0.0f32, 0.0f32);
            for &x in &x[run] {
                lo = if x < lo { x } else { lo };
                hi = if x > hi { x } else { hi };
                finite &= x.is_finite();
            }
            found.push((s, (lo, hi)));
        });
        (found, finite)
    })?;
    let mut ranges = vec![(0.0, 0.0); scales];
    for (found, finite) in tasks {
        if !finite {
            return Err(NotFinite.into());
        }
        for (s, (lo, hi)) in found {
            let range: &mut (f32, f32) = &mut ranges[s];
            *range = (range.0.min(lo), range.1.max(hi));
        }
    }
    Ok(ranges)
}

fn encode<C: Code>(
    x: &[f32],
    per: Per,
    job: &Job,
    code: impl Fn(usize, f32) -> C + Sync,
) -> Result<Vec<C>, Aborted> {
    let mut out = vec![C::default(); x.len()];
    let one = |(task, out): (usize, &mut [C])| {
        job.check()?;
        let start = task * tasks::TASK;
        per.each_run(start, start + out.len(), |s, run| {
            let out = &mut out[run.start - start..run.end - start];
            out.iter_mut().zip(&x[run]).for_each(|(out, &x)| *out = code(s, x));
        });
        Ok(())
    };
    if x.len() <= tasks::TASK {
        out.chunks_mut(tasks::TASK).enumerate().try_for_each(one)?;
    } else {
        let parts = out.par_chunks_mut(tasks::TASK).enumerate();
        threads::pool().install(|| parts.try_for_each(one))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The scale of an item, by its indices.
    fn scale_of(i: usize, per: Per) -> usize {
        match per {
            Per::Tensor => 0,
            Per::Channel { count, inner } => (i / inner) % count,
            Per::Group { width, size } => i / width * width.div_ceil(size) + i % width / size,
        }
    }

    fn naive(x: &[f32], per: Per, bits: u32, symmetric: bool) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let scales = per.scales(x.len());
        let (mut lo, mut hi) = (vec![0f32; scales], vec![0f32; scales]);
        for (i, &x) in x.iter().enumerate() {
            let s = scale_of(i, per);
            (lo[s], hi[s]) = (lo[s].min(x), hi[s].max(x));
        }
        let (least, top) = if symmetric {
            let top = (1i32 << (bits - 1)) - 1;
            (-top as f32, top as f32)
        } else {
            (0.0, ((1i32 << bits) - 1) as f32)
        };
        let one = |s: f32| if s == 0.0 { 1.0 } else { s };
        let scale: Vec<f32> = (0..scales)
            .map(|s| one(if symmetric { hi[s].max(-lo[s]) / top } else { (hi[s] - lo[s]) / top }))
            .collect();
        let zero: Vec<f32> = (0..scales)
            .map(|s| if symmetric { 0.0 } else { (-lo[s] / scale[s]).round_ties_even().clamp(0.0, top) })
            .collect();
        let code = |(i, x): (usize, &f32)| {
            let s = scale_of(i, per);
            ((x / scale[s]).round_ties_even() + zero[s]).clamp(least, top)
        };
        (x.iter().enumerate().map(code).collect(), scale, zero)
    }

    fn check(x: &[f32], per: Per, bits: u32) {
        let job = Job::default();
        let (codes, scale, _) = naive(x, per, bits, true);
        let got = symmetric::<i16>(x, per, bits, &job).unwrap();
        assert!(got.codes.iter().map(|code| code.to_f32()).eq(codes.iter().copied()));
        assert_eq!(got.scale, scale);
        let back = dequantize(&got.codes, &got.scale, None, per, &job).unwrap();
        assert!(back.iter().enumerate().all(|(i, x)| *x == codes[i] * scale[scale_of(i, per)]));
        let (codes, scale, zero) = naive(x, per, bits, false);
        let got = asymmetric::<u16>(x, per, bits, &job).unwrap();
        assert!(got.codes.iter().map(|code| code.to_f32()).eq(codes.iter().copied()));
        let zeros = got.zero.as_deref().unwrap();
        assert!(got.scale == scale && zeros.iter().map(|zero| zero.to_f32()).eq(zero.iter().copied()));
        let back = dequantize(&got.codes, &got.scale, Some(zeros), per, &job).unwrap();
        for (i, x) in back.iter().enumerate() {
            let s = scale_of(i, per);
            assert_eq!(*x, (codes[i] - zero[s]) * scale[s]);
        }
    }

    #[test]
    fn nothing_and_zeros_have_codes() {
        check(&[], Per::Tensor, 8);
        check(&[], Per::Group { width: 0, size: 4 }, 8);
        check(&[0.0, -0.0], Per::Tensor, 2);
        check(&[f32::MIN_POSITIVE / 8e6, 0.0], Per::Tensor, 16);
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let job = Job::default();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(symmetric::<i8>(&[1.0, bad], Per::Tensor, 8, &job), Err(Stopped::NotFinite));
            assert_eq!(asymmetric::<u8>(&[1.0, bad], Per::Tensor, 8, &job), Err(Stopped::NotFinite));
        }
        let wide = [f32::MAX, f32::MIN];
        assert_eq!(asymmetric::<u8>(&wide, Per::Tensor, 8, &job), Err(Stopped::NotFinite));
        assert!(symmetric::<i8>(&wide, Per::Tensor, 8, &job).is_ok());
    }

    #[test]
    fn long_tensors_are_the_same_for_any_number_of_threads() {
        let mut x = vec![0.0; 3 * tasks::TASK + 4095];
        crate::philox::Philox::new(2, 0).uniform(0, &mut x);
        x.iter_mut().for_each(|x| *x = *x * 5.0 - 2.0);
        let width = x.len() / 3;
        for per in [Per::Tensor, Per::Channel { count: 3, inner: width }, Per::Group { width, size: 100 }] {
            for threads in [1, 2, 7] {
                let pool = crate::threads::Budget::of(threads);
                pool.install(|| check(&x, per, 8));
            }
        }
    }

    proptest! {
        #[test]
        fn codes_match_the_definition(
            x in proptest::collection::vec(prop_oneof![-2.0..2.0f32, (-6i8..7).prop_map(|i| f32::from(i) / 2.0)], 0..300),
            bits in 2u32..16, count in 1usize..5, inner in 1usize..9, size in 1usize..9,
        ) {
            check(&x, Per::Tensor, bits);
            let x = &x[..x.len() / (count * inner) * count * inner];
            check(x, Per::Channel { count, inner }, bits);
            check(x, Per::Group { width: count * inner, size }, bits);
        }
    }
}
