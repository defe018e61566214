//! Exact distances between rows, and the checks that every row has one.

use super::{FarthestError, Metric, Request};
use crate::cpu::{Cpu, vectorized};
use crate::distance;
use crate::sums;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::{Add, Mul, Sub};

/// Lanes of an exact sum.
const LANES: usize = 32;
/// Items of a task, about.
const TASK: usize = 1 << 17;

/// What this needs of float32 and float64 beyond [`distance::Real`].
pub trait Real: distance::Real + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    const INFINITY: Self;
    const NEG_INFINITY: Self;
    /// Half the distance from 1 to the next number.
    const ROUNDOFF: f64;
    /// Squared norms from which a plain division by the norm loses nothing.
    const PLAIN_NORMS: std::ops::RangeInclusive<f64>;
    /// The least number that is not below `x`.
    fn above(x: f64) -> Self;
}

impl Real for f32 {
    const INFINITY: f32 = f32::INFINITY;
    const NEG_INFINITY: f32 = f32::NEG_INFINITY;
    const ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;
    const PLAIN_NORMS: std::ops::RangeInclusive<f64> = 1e-60..=1e60;

    fn above(x: f64) -> f32 {
        let near = x as f32;
        if f64::from(near) < x { near.next_up() } else { near }
    }
}

impl Real for f64 {
    const INFINITY: f64 = f64::INFINITY;
    const NEG_INFINITY: f64 = f64::NEG_INFINITY;
    const ROUNDOFF: f64 = f64::EPSILON / 2.0;
    const PLAIN_NORMS: std::ops::RangeInclusive<f64> = 1e-280..=1e280;

    fn above(x: f64) -> f64 {
        x
    }
}

/// Rows of x, and behind them the anchors, with the metric between them.
pub struct Space<'a, T: Real> {
    x: Cow<'a, [T]>,
    anchors: Cow<'a, [T]>,
    pub rows: usize,
    pub width: usize,
    pub metric: Metric,
    /// What each row's items are multiplied by: 1 / norm for the cosine, else empty.
    factors: Vec<T>,
    /// The largest squared norm of a row that is used.
    pub largest: f64,
    /// The rows kept earlier, and the anchors by their places behind the rows.
    pub before: Vec<usize>,
    cpu: Cpu,
}

impl<'a, T: Real> Space<'a, T> {
    /// Checks the rows that are used: `candidates`, those kept earlier and the anchors.
    pub fn new(request: &Request<'a, T>, candidates: &[u32]) -> Result<Self, FarthestError> {
        let &Request { x, rows, width, metric, anchors, initial, .. } = request;
        assert_eq!(x.len(), rows * width, "x has rows of one width");
        assert!(metric != Metric::Precomputed || (rows == width && anchors.is_empty()), "x must be square");
        let anchor_count = anchors.len().checked_div(width).unwrap_or(0);
        assert_eq!(anchors.len(), anchor_count * width, "anchors have the width of x");
        let mut space = Space {
            x: Cow::Borrowed(x),
            anchors: Cow::Borrowed(anchors),
            rows,
            width,
            metric,
            factors: Vec::new(),
            largest: 0.0,
            before: (rows..rows + anchor_count).chain(initial.iter().map(|&row| row as usize)).collect(),
            cpu: Cpu::current(),
        };
        if metric == Metric::Precomputed {
            space.check_entries(candidates, initial)?;
            return Ok(space);
        }
        let mut used = vec![false; rows];
        candidates.iter().chain(initial).for_each(|&row| used[row as usize] = true);
        let norms = space.norms(&used)?;
        space.largest = norms.iter().copied().fold(0.0, f64::max);
        if metric == Metric::Cosine {
            space.divide(&used, &norms)?;
        }
        Ok(space)
    }

    /// How many anchors there are.
    fn anchors(&self) -> usize {
        self.anchors.len().checked_div(self.width).unwrap_or(0)
    }

    /// Row `i` as it was given, `i` at or above the number of rows meaning an anchor.
    pub fn row(&self, i: usize) -> &[T] {
        match i.checked_sub(self.rows) {
            None => &self.x[i * self.width..][..self.width],
            Some(anchor) => &self.anchors[anchor * self.width..][..self.width],
        }
    }

    /// What row `i` is multiplied by to have norm 1.
    pub fn factor(&self, i: usize) -> T {
        self.factors.get(i).copied().unwrap_or(T::ONE)
    }

    /// A comparable distance as the metric's: the Euclidean is compared squared.
    pub fn distance(&self, near: T) -> f64 {
        let near: f64 = near.into();
        if self.metric == Metric::Euclidean { near.sqrt() } else { near }
    }

    /// What no distance can be below.
    pub fn floor(&self) -> T {
        if self.metric == Metric::Precomputed { T::NEG_INFINITY } else { T::ZERO }
    }

    /// The comparable distance from row `i` to `j`, a row or an anchor.
    pub fn between(&self, i: usize, j: usize) -> T {
        match self.metric {
            Metric::Precomputed => self.x[i * self.width + j],
            Metric::Euclidean => squared(self.cpu, self.row(i), self.row(j)),
            Metric::Cosine => {
                let (x, y) = ((self.row(i), self.factor(i)), (self.row(j), self.factor(j)));
                let far = T::ONE - dot(self.cpu, x, y);
                if far > T::from_f64(self.error() + 4.0 * T::ROUNDOFF) {
                    far
                } else if far <= T::ZERO || equal(x, y) {
                    T::ZERO
                } else {
                    far
                }
            }
        }
    }

    /// How far an exact sum may be from the sum of exact terms, as a share of the sum of their magnitudes.
    pub fn error(&self) -> f64 {
        (self.width.div_ceil(LANES) + 12) as f64 * T::ROUNDOFF
    }

    /// Squared norms of the rows that are used, and of the anchors.
    fn norms(&self, used: &[bool]) -> Result<Vec<f64>, FarthestError> {
        let count = self.rows + self.anchors();
        let mut norms = vec![0.0; count];
        let rows = (TASK / self.width.max(1)).max(1);
        norms.par_chunks_mut(rows).enumerate().for_each(|(task, norms)| {
            for (i, norm) in (task * rows..).zip(norms) {
                if i >= self.rows || used[i] {
                    *norm = norm_sq(self.cpu, self.row(i));
                }
            }
        });
        let spoilt = |&i: &usize| {
            // A square may overflow where the item does not.
            !norms[i].is_finite() && self.row(i).iter().any(|&x| !Into::<f64>::into(x).is_finite())
        };
        match (0..count).find(spoilt) {
            Some(i) => Err(self.not_finite(i)),
            None => Ok(norms),
        }
    }

    /// Finds what each row is multiplied by. Rows whose norm no plain division serves are divided here.
    fn divide(&mut self, used: &[bool], norms: &[f64]) -> Result<(), FarthestError> {
        self.factors = vec![T::ONE; norms.len()];
        for (i, &norm) in norms.iter().enumerate() {
            if T::PLAIN_NORMS.contains(&norm) {
                self.factors[i] = T::from_f64(1.0 / norm.sqrt());
            } else if i >= self.rows || used[i] {
                let most = self.row(i).iter().fold(0.0f64, |most, &x| most.max(x.into().abs()));
                if most == 0.0 {
                    return Err(FarthestError::Zero { row: self.place(i).0, anchor: self.place(i).1 });
                }
                let scaled: Vec<f64> = self.row(i).iter().map(|&x| x.into() / most).collect();
                let norm = sums::norm_sq(&scaled).sqrt();
                let width = self.width;
                let (place, anchor) = self.place(i);
                let side = if anchor { &mut self.anchors } else { &mut self.x };
                let row = &mut side.to_mut()[place * width..][..width];
                row.iter_mut().zip(scaled).for_each(|(x, scaled)| *x = T::from_f64(scaled / norm));
            }
        }
        Ok(())
    }

    /// The number that a row has among its like, and whether it is an anchor.
    fn place(&self, i: usize) -> (usize, bool) {
        i.checked_sub(self.rows).map_or((i, false), |anchor| (anchor, true))
    }

    fn not_finite(&self, i: usize) -> FarthestError {
        let (row, anchor) = self.place(i);
        FarthestError::NotFinite { row, anchor }
    }

    /// The entries that are read: from candidates to candidates and to rows kept earlier.
    fn check_entries(&self, candidates: &[u32], initial: &[u32]) -> Result<(), FarthestError> {
        let finite = |&i: &u32| {
            let row = self.row(i as usize);
            candidates.iter().chain(initial).all(|&j| Into::<f64>::into(row[j as usize]).is_finite())
        };
        match candidates.par_iter().find_first(|i| !finite(i)) {
            Some(&i) => Err(self.not_finite(i as usize)),
            None => Ok(()),
        }
    }
}

/// Whether two rows have the same direction, bit for bit.
fn equal<T: Real>((x, a): (&[T], T), (y, b): (&[T], T)) -> bool {
    x.iter().zip(y).all(|(&x, &y)| x * a == y * b)
}

vectorized! {
    /// The squared norm, in the order of every float64 sum.
    fn norm_sq<T: Real>(cpu: Cpu, x: &[T]) -> f64 {
        sums::norm_sq(x)
    }
}

vectorized! {
    /// The product of two rows, each times its factor.
    fn dot<T: Real>(cpu: Cpu, x: (&[T], T), y: (&[T], T)) -> T {
        let ((x, a), (y, b)) = (x, y);
        lanes(x, y, |x, y| (x * a) * (y * b))
    }
}

vectorized! {
    /// The sum of squared differences.
    fn squared<T: Real>(cpu: Cpu, x: &[T], y: &[T]) -> T {
        lanes(x, y, |x, y| (x - y) * (x - y))
    }
}

/// The sum of `term` over the places of two rows: place i goes to lane i mod 32, lanes are joined by halves.
#[inline(always)]
fn lanes<T: Real>(x: &[T], y: &[T], term: impl Fn(T, T) -> T) -> T {
    let mut sums = [T::ZERO; LANES];
    let (whole_x, rest_x) = x.split_at(x.len() / LANES * LANES);
    let (whole_y, rest_y) = y.split_at(whole_x.len());
    for (x, y) in whole_x.chunks_exact(LANES).zip(whole_y.chunks_exact(LANES)) {
        for l in 0..LANES {
            sums[l] = sums[l] + term(x[l], y[l]);
        }
    }
    for (sum, (&x, &y)) in sums.iter_mut().zip(rest_x.iter().zip(rest_y)) {
        *sum = *sum + term(x, y);
    }
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            sums[l] = sums[l] + sums[l + half];
        }
        half /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_below_is_the_next_number_up() {
        assert_eq!(f32::above(0.5), 0.5);
        assert_eq!(f32::above(1.0 + 1e-12), 1.0f32.next_up());
        assert_eq!(f32::above(-1.0 - 1e-12), -1.0);
        assert_eq!(f32::above(f64::INFINITY), f32::INFINITY);
    }

    proptest! {
        #[test]
        fn every_path_gives_the_same_bits(
            x in prop::collection::vec(-1e3f32..1e3, 0..200), seed in 0.1f32..9.0
        ) {
            let y: Vec<f32> = x.iter().map(|x| (x * seed).sin()).collect();
            let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
            for cpu in Cpu::choices() {
                let (x, y) = (&x[..], &y[..]);
                prop_assert_eq!(
                    dot(cpu, (x, seed), (y, 1.0)).to_bits(), dot(Cpu::BASELINE, (x, seed), (y, 1.0)).to_bits()
                );
                prop_assert_eq!(squared(cpu, x, y).to_bits(), squared(Cpu::BASELINE, x, y).to_bits());
                prop_assert_eq!(norm_sq(cpu, x).to_bits(), sums::norm_sq(x).to_bits());
                prop_assert_eq!(squared(cpu, &wide, &wide), 0.0);
            }
        }

        #[test]
        fn a_product_is_within_its_error(
            x in prop::collection::vec(-1.0f32..1.0, 1..300), seed in 0.1f32..9.0
        ) {
            let y: Vec<f32> = x.iter().map(|x| (x * seed).cos()).collect();
            let exact: f64 = x.iter().zip(&y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            let size: f64 = x.iter().zip(&y).map(|(&x, &y)| (f64::from(x) * f64::from(y)).abs()).sum();
            let got = f64::from(dot(Cpu::BASELINE, (&x, 1.0), (&y, 1.0)));
            let error = (x.len().div_ceil(LANES) + 12) as f64 * f32::ROUNDOFF;
            prop_assert!((got - exact).abs() <= error * size);
        }
    }
}
