//! How alike each row of a matrix and the row that belongs to it in another are.
//!
//! Float64 sums in the one order of [`crate::sums`]: one pass over both rows, rows side by side in parallel. The bits do not
//! depend on the threads, nor on how a stream of rows is cut into calls. O(rows width).

use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::real::{Real, Stopped};
use crate::sums::{BLOCK, LANES, RowSums, join};
use crate::tasks;

/// The least norm by which a product is divided.
const LEAST_NORM: f64 = 1e-8;

/// What is said of two rows x and y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// `x.y / (max(|x|, 1e-8) max(|y|, 1e-8))`, so 0 with a row of zeros.
    Cosine,
    /// `arccos(clamp(cosine, -1, 1)) / pi`
    Angular,
    /// The mean of `(x - y)^2`.
    MeanSquare,
    /// The mean of `|x - y|`.
    MeanMagnitude,
}

/// The measure of each pair of rows of `width` items; with `added` the second row is `x + y` in place of `y`.
///
/// # Errors
/// [`Stopped::NotFinite`] for a NaN or infinity, or sums that leave float64.
///
/// # Panics
/// If the matrices differ in length or are no whole rows.
///
/// ```
/// use tamis_kernels::{job::Job, paired::{Measure, measures}};
/// let (x, y) = ([3.0f32, 4.0, 1.0, 0.0], [3.0, 4.0, 0.0, 1.0]);
/// assert_eq!(measures(&x, &y, 2, Measure::Cosine, false, &Job::default()), Ok(vec![1.0, 0.0]));
/// ```
pub fn measures<T: Real>(
    x: &[T],
    y: &[T],
    width: usize,
    measure: Measure,
    added: bool,
    job: &Job,
) -> Result<Vec<f64>, Stopped> {
    assert_eq!(x.len(), y.len(), "both sides must have one length");
    assert!(
        x.is_empty() || (width > 0 && x.len().is_multiple_of(width)),
        "x must hold whole rows of {width}"
    );
    let rows = x.len() / width.max(1);
    let cpu = Cpu::current();
    let found =
        tasks::grouped(rows, (tasks::TASK / width.max(1)).max(1), x.len() <= tasks::TASK, job, |range| {
            let items = range.start * width..range.end * width;
            let pairs = x[items.clone()].chunks_exact(width).zip(y[items].chunks_exact(width));
            pairs.map(|(x, y)| of_pair(cpu, x, y, measure, added)).collect::<Vec<_>>()
        });
    let found = found.map_err(|Aborted| Stopped::Aborted)?.concat();
    if found.iter().all(|x| x.is_finite()) { Ok(found) } else { Err(Stopped::NotFinite) }
}

/// NaN where a sum is not finite.
fn of_pair<T: Real>(cpu: Cpu, x: &[T], y: &[T], measure: Measure, added: bool) -> f64 {
    let mean = |[sum]: [f64; 1]| sum / x.len() as f64;
    let cosine = |sums: [f64; 3]| {
        let [product, x, y] = sums;
        if !sums.iter().all(|sum| sum.is_finite()) {
            return f64::NAN;
        }
        product / (x.sqrt().max(LEAST_NORM) * y.sqrt().max(LEAST_NORM))
    };
    match measure {
        Measure::Cosine => cosine(products(cpu, x, y, added)),
        Measure::Angular => cosine(products(cpu, x, y, added)).clamp(-1.0, 1.0).acos() / std::f64::consts::PI,
        Measure::MeanSquare => mean(squares(cpu, x, y, added)),
        Measure::MeanMagnitude => mean(magnitudes(cpu, x, y, added)),
    }
}

vectorized! {
    /// The sums of `x y`, `x x` and `y y`.
    fn products<T: Real>(cpu: Cpu, x: &[T], y: &[T], added: bool) -> [f64; 3] {
        sum_terms(x, y, added, |x, y| [x * y, x * x, y * y])
    }
}

vectorized! {
    fn squares<T: Real>(cpu: Cpu, x: &[T], y: &[T], added: bool) -> [f64; 1] {
        sum_terms(x, y, added, |x, y| [(x - y) * (x - y)])
    }
}

vectorized! {
    fn magnitudes<T: Real>(cpu: Cpu, x: &[T], y: &[T], added: bool) -> [f64; 1] {
        sum_terms(x, y, added, |x, y| [(x - y).abs()])
    }
}

#[inline(always)]
fn sum_terms<T: Real, const N: usize>(
    x: &[T],
    y: &[T],
    added: bool,
    term: impl Fn(f64, f64) -> [f64; N],
) -> [f64; N] {
    if added { sum_pairs(x, y, |x, y| term(x, x + y)) } else { sum_pairs(x, y, term) }
}

#[inline(always)]
fn sum_pairs<T: Real, const N: usize>(x: &[T], y: &[T], term: impl Fn(f64, f64) -> [f64; N]) -> [f64; N] {
    let mut totals = [0.0; N];
    for (x, y) in x.chunks(BLOCK).zip(y.chunks(BLOCK)) {
        let mut lanes = [[0.0; LANES]; N];
        let (eights, rest) = x.as_chunks::<LANES>();
        let (other_eights, other_rest) = y.as_chunks::<LANES>();
        let mut add = |x: &[T], y: &[T]| {
            for (l, (x, y)) in x.iter().zip(y).enumerate() {
                let terms = term(x.to_f64(), y.to_f64());
                lanes.iter_mut().zip(terms).for_each(|(lanes, term)| lanes[l] += term);
            }
        };
        eights.iter().zip(other_eights).for_each(|(x, y)| add(x, y));
        add(rest, other_rest);
        totals.iter_mut().zip(lanes).for_each(|(total, lanes)| *total += join(lanes));
    }
    totals
}

/// The measure's sums over streams of pairs, side by side.
///
/// ```
/// use tamis_kernels::{job::Job, paired::{Measure, PairedStats}};
/// let mut stats = PairedStats::new(2, Measure::MeanSquare, true);
/// stats.add(1, &[1.0f32, 2.0], &[3.0, 4.0], 1, &Job::default()).unwrap();
/// assert_eq!(stats.sums(), [(0.0, 0), (25.0, 2)]);
/// ```
#[derive(Debug, Clone)]
pub struct PairedStats {
    measure: Measure,
    added: bool,
    streams: Vec<(RowSums, u64)>,
}

impl PairedStats {
    /// Of nothing yet; with `added` what is compared with x is `x + y`.
    pub fn new(streams: usize, measure: Measure, added: bool) -> Self {
        PairedStats { measure, added, streams: vec![(RowSums::new(1), 0); streams] }
    }

    /// Adds rows of `width` items to a stream.
    ///
    /// # Errors
    /// Those of [`measures`]; nothing is added then.
    ///
    /// # Panics
    /// Those of [`measures`], and if there is no such stream.
    pub fn add<T: Real>(
        &mut self,
        stream: usize,
        x: &[T],
        y: &[T],
        width: usize,
        job: &Job,
    ) -> Result<(), Stopped> {
        let found = measures(x, y, width, self.measure, self.added, job)?;
        let (sums, rows) = &mut self.streams[stream];
        found.iter().for_each(|&x| sums.add(&[x], 1.0));
        *rows += found.len() as u64;
        Ok(())
    }

    /// Each stream's sum, and of how many rows.
    pub fn sums(&self) -> Vec<(f64, u64)> {
        self.streams.iter().map(|(sums, rows)| (sums.clone().finish()[0], *rows)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use crate::threads::on_any_budget;

    const ALL: [Measure; 4] =
        [Measure::Cosine, Measure::Angular, Measure::MeanSquare, Measure::MeanMagnitude];

    fn draws(n: usize, stream: u32) -> Vec<f32> {
        let mut x = vec![0.0; n];
        Philox::new(9, stream).normal(&mut x);
        x.into_iter().map(|x| x as f32).collect()
    }

    /// The definition.
    fn naive(x: &[f32], y: &[f32], measure: Measure, added: bool) -> f64 {
        let pairs = || {
            x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y) + if added { x.into() } else { 0.0 }))
        };
        let norm = |x: f64| x.sqrt().max(1e-8);
        let cosine = pairs().map(|(x, y)| x * y).sum::<f64>()
            / norm(pairs().map(|(x, _)| x * x).sum())
            / norm(pairs().map(|(_, y)| y * y).sum());
        match measure {
            Measure::Cosine => cosine,
            Measure::Angular => cosine.clamp(-1.0, 1.0).acos() / std::f64::consts::PI,
            Measure::MeanSquare => pairs().map(|(x, y)| (x - y).powi(2)).sum::<f64>() / x.len() as f64,
            Measure::MeanMagnitude => pairs().map(|(x, y)| (x - y).abs()).sum::<f64>() / x.len() as f64,
        }
    }

    #[test]
    fn measures_are_those_of_the_definition_on_any_threads() {
        for (rows, width) in [(1, 1), (5, 7), (600, 130), (2, 9001)] {
            let (x, y) = (draws(rows * width, 1), draws(rows * width, 2));
            for measure in ALL {
                for added in [false, true] {
                    let got = on_any_budget(|| measures(&x, &y, width, measure, added, &Job::default()));
                    let got = got.unwrap();
                    assert_eq!(got.len(), rows);
                    for (i, got) in got.into_iter().enumerate() {
                        let range = i * width..(i + 1) * width;
                        let want = naive(&x[range.clone()], &y[range], measure, added);
                        assert!((got - want).abs() < 1e-7, "{measure:?} {added}: {got} for {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn sums_are_in_the_one_order_with_any_instructions() {
        let (x, y) = (draws(9003, 3), draws(9003, 4));
        let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let (a, b) = (wide(&x), wide(&y));
        let want = [crate::sums::dot(&a, &b), crate::sums::norm_sq(&a), crate::sums::norm_sq(&b)];
        for cpu in Cpu::choices() {
            assert_eq!(products(cpu, &x, &y, false), want);
            assert_eq!(squares(cpu, &x, &y, true), squares(Cpu::BASELINE, &x, &y, true));
            assert_eq!(magnitudes(cpu, &x, &y, true), magnitudes(Cpu::BASELINE, &x, &y, true));
        }
    }

    #[test]
    fn rows_of_zeros_and_opposite_rows() {
        let one =
            |x: &[f64], y: &[f64], measure| measures(x, y, 2, measure, false, &Job::default()).unwrap()[0];
        assert_eq!(one(&[0.0, 0.0], &[1.0, 2.0], Measure::Cosine), 0.0);
        assert_eq!(one(&[0.0, 0.0], &[0.0, 0.0], Measure::Angular), 0.5);
        assert_eq!(one(&[1.0, 0.0], &[-3.0, 0.0], Measure::Angular), 1.0);
        // 1e-9 is below the least norm.
        assert!((one(&[1e-9, 0.0], &[1.0, 0.0], Measure::Cosine) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn how_a_stream_is_cut_does_not_show() {
        let (x, y) = (draws(5000 * 3, 5), draws(5000 * 3, 6));
        let run = |rows: usize| {
            let mut stats = PairedStats::new(2, Measure::Cosine, true);
            for (x, y) in x.chunks(3 * rows).zip(y.chunks(3 * rows)) {
                stats.add(1, x, y, 3, &Job::default()).unwrap();
            }
            stats.sums()
        };
        assert!([1, 7, 4096].into_iter().all(|rows| run(rows) == run(5000)));
        assert_eq!(run(5000)[0], (0.0, 0));
    }

    #[test]
    fn what_is_not_finite_is_not_added() {
        let mut stats = PairedStats::new(1, Measure::Cosine, false);
        stats.add(0, &[1.0f64], &[1.0], 1, &Job::default()).unwrap();
        for (x, y) in [(f64::NAN, 1.0), (1.0, f64::INFINITY), (1e200, 1.0)] {
            assert_eq!(stats.add(0, &[x], &[y], 1, &Job::default()), Err(Stopped::NotFinite));
        }
        for measure in ALL {
            let found = measures(&[0.0, f32::NAN], &[1.0, 1.0], 2, measure, true, &Job::default());
            assert_eq!(found, Err(Stopped::NotFinite));
        }
        stats.add::<f32>(0, &[], &[], 1, &Job::default()).unwrap();
        assert_eq!(stats.sums(), [(1.0, 1)]);
    }
}
