//! Ternary numbers: of the largest magnitudes the signs, and one scale for all; packed in two masks of bits.
//!
//! `positive` and `negative` hold a bit an item ([`crate::bits`]), never both of one item: 2 bits an item and a scale.
//! [`ternarize`] ranks several tensors as one vector and reads it once where a sample tells about where to cut (`sift`),
//! else in a pass for the moments, two for the cut and one for the signs, in parallel; the same bytes for any number of
//! threads.

mod multiply;
mod sift;

pub(crate) use multiply::add_masked;
#[cfg(target_arch = "x86_64")]
pub(crate) use multiply::add_masked_avx512;
pub use multiply::multiply;

use crate::bits::{WORD, bytes_of, magnitude_masks, words};
use crate::cpu::{Cpu, vectorized};
use crate::golomb;
use crate::job::{Aborted, Job};
use crate::magnitude::{Cut, PartCut, keep_count, select_parts};
use crate::moments::Moments;
use crate::real::{Real, Stopped};
use crate::sums::{BLOCK, sum_by};
use crate::{tasks, threads};
use rayon::prelude::*;
use sift::Sifted;
use std::fmt;

/// What the signs are multiplied with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// So many standard deviations of all items, dropped ones included.
    Std(f64),
    /// The mean magnitude of the items that are kept.
    MeanAbs,
}

/// The signs of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signs {
    pub positive: Vec<u8>,
    pub negative: Vec<u8>,
}

/// Signs of all parts, and their one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Ternary {
    pub parts: Vec<Signs>,
    pub scale: f32,
    /// Signs that are not 0.
    pub nonzeros: u64,
}

/// Why there is nothing to pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TernarizeError {
    /// No item in any part.
    Empty,
    /// A NaN or infinity in this part.
    NotFinite {
        part: usize,
    },
    Aborted,
}

impl From<Aborted> for TernarizeError {
    fn from(_: Aborted) -> Self {
        TernarizeError::Aborted
    }
}

/// Keeps the signs of the `max(1, floor(density n + 1e-6))` largest magnitudes of all parts together, equal ones by the
/// lowest index, and gives them one scale. A zero that is kept has no sign.
///
/// `density` is in (0, 1]. O(n).
///
/// ```
/// use tamis_kernels::{job::Job, ternary::{Scale, ternarize}};
/// let kept = ternarize(&[&[3.0f32, -0.1], &[0.2, -5.0]], 0.5, Scale::MeanAbs, &Job::default()).unwrap();
/// assert_eq!((kept.scale, &kept.parts[1].negative[..]), (4.0, &[2][..]));
/// ```
pub fn ternarize<T: Real>(
    parts: &[&[T]],
    density: f64,
    scale: Scale,
    job: &Job,
) -> Result<Ternary, TernarizeError> {
    let n: usize = parts.iter().map(|part| part.len()).sum();
    if n == 0 {
        return Err(TernarizeError::Empty);
    }
    let keep = keep_count(density, n as u64);
    let at_once = if keep < n as u64 { sift::sift(parts, keep, job)? } else { None };
    let Sifted { parts: signs, nonzeros, moments, mut cut } = match at_once {
        Some(found) => found,
        None => in_passes(parts, keep, n as u64, job)?,
    };
    let mut sum = 0.0;
    if scale == Scale::MeanAbs {
        parts.iter().try_for_each(|x| add_kept(x, cut.part(x), &mut sum, job))?;
    }
    let scale = match scale {
        Scale::Std(alpha) => alpha * moments.std(),
        Scale::MeanAbs => sum / keep as f64,
    };
    Ok(Ternary { parts: signs, scale: scale as f32, nonzeros })
}

/// What [`sift::sift`] finds, for numbers of any kind.
fn in_passes<T: Real>(parts: &[&[T]], keep: u64, n: u64, job: &Job) -> Result<Sifted<T>, TernarizeError> {
    let mut moments = Moments::default();
    for (part, x) in parts.iter().enumerate() {
        moments.add(x, job).map_err(|stopped| match stopped {
            Stopped::NotFinite => TernarizeError::NotFinite { part },
            Stopped::Aborted => TernarizeError::Aborted,
        })?;
    }
    let cut = if keep == n {
        Cut::all()
    } else {
        // Nothing is left to be not finite.
        select_parts(parts, keep, job).map_err(|_| TernarizeError::Aborted)?
    };
    let mut next = cut.clone();
    let mut nonzeros = 0;
    let mut signs = Vec::with_capacity(parts.len());
    for x in parts {
        let mut own = Signs { positive: vec![0; bytes_of(x.len())], negative: vec![0; bytes_of(x.len())] };
        nonzeros += pack_signs(x, next.part(x), &mut own.positive, &mut own.negative, job)?;
        signs.push(own);
    }
    Ok(Sifted { parts: signs, nonzeros, moments, cut })
}

/// Packs the signs of what a cut keeps of a part; returns how many are not 0. Runs in parallel.
///
/// A piece of a part may be given that begins at a multiple of 8 items, with its own cut.
///
/// # Panics
/// If the masks have not [`bytes_of`] the part's length.
pub fn pack_signs<T: Real>(
    x: &[T],
    cut: PartCut<T>,
    positive: &mut [u8],
    negative: &mut [u8],
    job: &Job,
) -> Result<u64, Aborted> {
    assert!(positive.len() == bytes_of(x.len()) && negative.len() == positive.len(), "a bit for each item");
    let cpu = Cpu::current();
    let one = |(task, (positive, negative)): (usize, (&mut [u8], &mut [u8]))| {
        job.check()?;
        let start = task * tasks::TASK;
        let mut nonzeros = 0;
        let eights = positive.chunks_mut(WORD / 8).zip(negative.chunks_mut(WORD / 8));
        for (i, (positive, negative)) in eights.enumerate() {
            let at = start + i * WORD;
            let items = &x[at..x.len().min(at + WORD)];
            let (kept, below_zero) = word_of(items, cut, at, cpu);
            nonzeros += u64::from(kept.count_ones());
            positive.copy_from_slice(&(kept & !below_zero).to_le_bytes()[..positive.len()]);
            negative.copy_from_slice(&(kept & below_zero).to_le_bytes()[..negative.len()]);
        }
        Ok(nonzeros)
    };
    let bytes = tasks::TASK / 8;
    if x.len() <= tasks::TASK {
        return one((0, (positive, negative)));
    }
    threads::pool().install(|| {
        positive.par_chunks_mut(bytes).zip(negative.par_chunks_mut(bytes)).enumerate().map(one).sum()
    })
}

/// Which of up to 64 items from place `at` on have a sign, and which are negative.
#[inline(always)]
fn word_of<T: Real>(items: &[T], cut: PartCut<T>, at: usize, cpu: Cpu) -> (u64, u64) {
    // A zero has no sign even where it is kept.
    let least = |i: usize| cut.threshold_at(i).max(1);
    let (first, last) = (least(at), least(at + items.len() - 1));
    let (kept, below_zero) = magnitude_masks(items, first, cpu);
    if first == last {
        return (kept, below_zero);
    }
    // The limit of the ties lies in this word.
    let kept =
        (0..items.len()).fold(0, |kept, i| kept | u64::from(items[i].magnitude() >= least(at + i)) << i);
    (kept, below_zero)
}

/// Adds the magnitudes of what a cut keeps of a part to `sum`: float64, a block of 4,096 items at a time, in order.
///
/// A piece of a part may be given that begins at a multiple of 4,096 items, with its own cut. Runs in parallel.
pub fn add_kept<T: Real>(x: &[T], cut: PartCut<T>, sum: &mut f64, job: &Job) -> Result<(), Aborted> {
    let tasks = tasks::each(x.len(), job, |range| {
        let blocks = range.clone().step_by(BLOCK).map(|start| {
            let magnitude = |i: usize| {
                let item = x[start + i];
                if item.magnitude() >= cut.threshold_at(start + i) { item.to_f64().abs() } else { 0.0 }
            };
            sum_by(BLOCK.min(range.end - start), magnitude)
        });
        blocks.collect::<Vec<f64>>()
    })?;
    tasks.into_iter().flatten().for_each(|block| *sum += block);
    Ok(())
}

/// `scale` times the signs.
///
/// # Panics
/// If the masks have not [`bytes_of`] the length of `out`.
pub fn expand(
    positive: &[u8],
    negative: &[u8],
    scale: f32,
    out: &mut [f32],
    job: &Job,
) -> Result<(), Aborted> {
    assert!(positive.len() == bytes_of(out.len()) && negative.len() == positive.len(), "a bit for each item");
    // By the two bits of an item, positive first.
    let values = [0.0, scale, -scale, 0.0];
    tasks::fill(out, 1, job, |start, out| {
        let masks = positive[start / 8..].iter().zip(&negative[start / 8..]);
        for (eight, (&positive, &negative)) in out.chunks_mut(8).zip(masks) {
            for (i, item) in eight.iter_mut().enumerate() {
                *item = values[usize::from(positive >> i & 1 | (negative >> i & 1) << 1)];
            }
        }
    })?;
    Ok(())
}

/// Masks that are not those of ternary numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSigns {
    /// Both bits of an item.
    Both,
    /// A bit behind the last item.
    Behind,
}

impl fmt::Display for BadSigns {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            BadSigns::Both => write!(f, "positive and negative must not both hold a bit"),
            BadSigns::Behind => write!(f, "positive and negative must hold no bit behind the last item"),
        }
    }
}

impl std::error::Error for BadSigns {}

/// Whether masks of `n` items hold each item's bit at most once, and none behind the last.
///
/// # Panics
/// If the masks have not [`bytes_of`] n.
pub fn check_signs(positive: &[u8], negative: &[u8], n: usize) -> Result<(), BadSigns> {
    assert!(positive.len() == bytes_of(n) && negative.len() == positive.len(), "a bit for each item");
    if positive.iter().zip(negative).fold(0, |both, (p, n)| both | p & n) != 0 {
        return Err(BadSigns::Both);
    }
    let behind = |mask: &[u8]| !n.is_multiple_of(8) && mask.last().is_some_and(|last| last >> (n % 8) != 0);
    if behind(positive) || behind(negative) { Err(BadSigns::Behind) } else { Ok(()) }
}

/// Signs that agree less signs that differ: the inner product of two tensors of signs.
///
/// # Panics
/// If the masks differ in length.
///
/// ```
/// // (1, -1, 0) and (1, 1, -1)
/// assert_eq!(tamis_kernels::ternary::dot([&[1], &[2]], [&[3], &[4]]), 0);
/// ```
pub fn dot([ap, an]: [&[u8]; 2], [bp, bn]: [&[u8]; 2]) -> i64 {
    assert!([an, bp, bn].iter().all(|mask| mask.len() == ap.len()), "masks must have one length");
    agreement(Cpu::current(), [ap, an], [bp, bn])
}

vectorized! {
    /// [`dot`] of masks of one length.
    fn agreement(cpu: Cpu, a: [&[u8]; 2], b: [&[u8]; 2]) -> i64 {
        let (a, b) = (words(a[0]).zip(words(a[1])), words(b[0]).zip(words(b[1])));
        a.zip(b).map(|((ap, an), (bp, bn))| {
            i64::from((ap & bp | an & bn).count_ones()) - i64::from((ap & bn | an & bp).count_ones())
        }).sum()
    }
}

/// What ternary numbers take, in bits; 16 of each form but the dense one are the scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Of the numbers' entropy, signs taken as even.
    pub entropy: f64,
    /// Expected in the Golomb-Rice code of parameter `golomb_parameter`.
    pub golomb: f64,
    pub golomb_parameter: u32,
    pub bitmask: f64,
    /// As half-precision floats.
    pub dense: f64,
}

/// The cost of `n` numbers of which `nonzeros` are not 0.
///
/// ```
/// let cost = tamis_kernels::ternary::cost(240, 24);
/// assert_eq!((cost.golomb_parameter, cost.bitmask, cost.dense), (3, 496.0, 3840.0));
/// ```
pub fn cost(n: u64, nonzeros: u64) -> Cost {
    let (items, kept) = (n as f64, nonzeros as f64);
    let p = if n == 0 { 0.0 } else { kept / items };
    // 0 log 0 is 0.
    let term = |share: f64, of: f64| if share == 0.0 { 0.0 } else { -share * libm::log2(of) };
    let golomb_parameter = golomb::parameter(nonzeros, n);
    let each = |b: u32| f64::from(b) + 1.0 / (1.0 - libm::pow(1.0 - p, f64::from(1u32 << b))) + 1.0;
    Cost {
        entropy: items * (term(1.0 - p, 1.0 - p) + term(p, p / 2.0)) + 16.0,
        golomb: if nonzeros == 0 { 16.0 } else { kept * each(golomb_parameter) + 16.0 },
        golomb_parameter,
        bitmask: 2.0 * items + 16.0,
        dense: 16.0 * items,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The signs by sorting, and the scale by plain sums.
    fn naive(x: &[f64], density: f64, scale: Scale) -> (Vec<i8>, f64) {
        let keep = keep_count(density, x.len() as u64) as usize;
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&a, &b| x[b].abs().total_cmp(&x[a].abs()).then(a.cmp(&b)));
        let mut signs = vec![0; x.len()];
        let mut sum = 0.0;
        for &i in &order[..keep] {
            signs[i] = if x[i] == 0.0 { 0 } else { x[i].signum() as i8 };
            sum += x[i].abs();
        }
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let m2: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
        let std = if x.len() == 1 { x[0].abs() } else { (m2 / (n - 1.0)).sqrt() };
        match scale {
            Scale::Std(alpha) => (signs, alpha * std),
            Scale::MeanAbs => (signs, sum / keep as f64),
        }
    }

    fn signs(Signs { positive, negative }: &Signs, n: usize) -> Vec<i8> {
        check_signs(positive, negative, n).unwrap();
        let bit = |mask: &[u8], i: usize| (mask[i / 8] >> (i % 8) & 1) as i8;
        (0..n).map(|i| bit(positive, i) - bit(negative, i)).collect()
    }

    #[test]
    fn nothing_and_what_is_not_finite_are_refused() {
        let job = Job::default();
        let refuse = |parts: &[&[f32]]| ternarize(parts, 0.5, Scale::Std(1.0), &job).unwrap_err();
        assert_eq!(refuse(&[]), TernarizeError::Empty);
        assert_eq!(refuse(&[&[], &[]]), TernarizeError::Empty);
        assert_eq!(refuse(&[&[1.0], &[0.0, f32::NAN]]), TernarizeError::NotFinite { part: 1 });
        assert_eq!(refuse(&[&[f32::NEG_INFINITY]]), TernarizeError::NotFinite { part: 0 });
        job.stop();
        assert_eq!(refuse(&[&[1.0]]), TernarizeError::Aborted);
    }

    #[test]
    fn zeros_have_no_sign() {
        let all = ternarize(&[&[0.0f32, -0.0, 0.0]], 1.0, Scale::Std(2.0), &Job::default()).unwrap();
        assert_eq!((all.scale, all.nonzeros, &all.parts[0].negative[..]), (0.0, 0, &[0][..]));
    }

    #[test]
    fn long_parts_are_the_same_for_any_number_of_threads() {
        let mut x = vec![0.0; 3 * tasks::TASK + 4097];
        crate::philox::Philox::new(3, 0).uniform(0, &mut x);
        x.iter_mut().for_each(|x| *x = ((*x - 0.4) * 300.0).round() / 64.0);
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let parts = [&x[..100_001], &x[100_001..]];
        for scale in [Scale::Std(3.0), Scale::MeanAbs] {
            let (want, want_scale) = naive(&wide, 0.2, scale);
            let mut before = None;
            for threads in [1, 2, 7] {
                let pool = crate::threads::Budget::of(threads);
                let got = pool.install(|| ternarize(&parts, 0.2, scale, &Job::default()).unwrap());
                let all =
                    [signs(&got.parts[0], parts[0].len()), signs(&got.parts[1], parts[1].len())].concat();
                assert!(all == want);
                assert!((f64::from(got.scale) - want_scale).abs() < 1e-6 * want_scale);
                assert!(before.is_none_or(|before| before == got));
                before = Some(got);
            }
        }
    }

    #[test]
    fn costs_at_the_ends() {
        let none = cost(8, 0);
        assert_eq!((none.entropy, none.golomb, none.bitmask, none.dense), (16.0, 16.0, 32.0, 128.0));
        let all = cost(8, 8);
        assert_eq!((all.entropy, all.golomb, all.golomb_parameter), (24.0, 32.0, 0));
    }

    proptest! {
        #[test]
        fn signs_and_scale_match_the_definition(
            x in proptest::collection::vec(prop_oneof![-2.0..2.0f64, Just(1.0), Just(-1.0), Just(0.0), Just(-0.0)], 1..300),
            density in 0.001..=1.0f64,
            cut in 0.0..=1.0f64,
            mean_abs: bool,
        ) {
            let scale = if mean_abs { Scale::MeanAbs } else { Scale::Std(1.5) };
            let middle = (x.len() as f64 * cut) as usize;
            let (want, want_scale) = naive(&x, density, scale);
            let got = ternarize(&[&x[..middle], &x[middle..]], density, scale, &Job::default()).unwrap();
            let all = [signs(&got.parts[0], middle), signs(&got.parts[1], x.len() - middle)].concat();
            prop_assert_eq!(got.nonzeros, all.iter().filter(|&&sign| sign != 0).count() as u64);
            prop_assert!((f64::from(got.scale) - want_scale).abs() <= 1e-6 * want_scale.abs());
            let mut back = vec![9.0; middle];
            expand(&got.parts[0].positive, &got.parts[0].negative, 0.5, &mut back, &Job::default()).unwrap();
            prop_assert!(back.iter().zip(&want).all(|(x, &sign)| *x == 0.5 * f32::from(sign)));
            prop_assert_eq!(all, want);
        }

        #[test]
        fn dots_match_the_sum_of_products(pairs in proptest::collection::vec((-1i8..2, -1i8..2), 0..300)) {
            let masks = |side: &dyn Fn(&(i8, i8)) -> i8| {
                let mut masks = [vec![0u8; bytes_of(pairs.len())], vec![0; bytes_of(pairs.len())]];
                for (i, pair) in pairs.iter().enumerate() {
                    match side(pair) {
                        1 => masks[0][i / 8] |= 1 << (i % 8),
                        -1 => masks[1][i / 8] |= 1 << (i % 8),
                        _ => {}
                    }
                }
                masks
            };
            let (a, b) = (masks(&|pair| pair.0), masks(&|pair| pair.1));
            let want: i64 = pairs.iter().map(|&(a, b)| i64::from(a * b)).sum();
            prop_assert_eq!(dot([&a[0], &a[1]], [&b[0], &b[1]]), want);
        }
    }
}
