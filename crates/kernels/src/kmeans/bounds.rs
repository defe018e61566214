//! Bounds of a row's distances, kept up while the centres drift: a row nearer to its centre than any other can be stays.
//!
//! By the triangle inequality a distance changes by at most the drift of its centre. (Hamerly, "Making k-means even
//! faster", SDM 2010.) Lengths are in units of the labeller; each bound is rounded outward.

use super::Data;
use crate::distance::Real;
use rayon::prelude::*;

/// The distance to the own centre is at most `own`, to any other at least `others`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    own: f32,
    others: f32,
}

const OUT: f64 = 1.0 + 1e-6;
const IN: f64 = 1.0 - 1e-6;
/// What rounded norms can make of 2 (1 - x . c) against the squared distance, on the sphere.
pub const SPHERE: f64 = 2e-6;

impl Bounds {
    /// From bounds of squared distances.
    pub fn of_squares(own: f64, others: f64) -> Self {
        Bounds { own: (own.max(0.0).sqrt() * OUT) as f32, others: (others.max(0.0).sqrt() * IN) as f32 }
    }

    /// Takes in the distance to the own centre.
    pub fn set_own(&mut self, distance: f64, unit: f64, spherical: bool) {
        let square = if spherical { 2.0 * distance + SPHERE } else { distance };
        self.own = (square.sqrt() * unit * OUT) as f32;
    }

    /// Takes in the least distance to some others.
    pub fn cap_others(&mut self, distance: f64, unit: f64, spherical: bool) {
        let square = if spherical { (2.0 * distance - SPHERE).max(0.0) } else { distance };
        self.others = self.others.min((square.sqrt() * unit * IN) as f32);
    }

    /// Whether the own centre is proved to be the nearest.
    pub fn show(&self, spherical: bool, unit: f64) -> bool {
        let (own, others) = (f64::from(self.own), f64::from(self.others));
        let blur = if spherical { 2.0 * SPHERE * unit * unit } else { 0.0 };
        // A bound that drifted below 0 says nothing.
        others > 0.0 && own * own * OUT + blur < others * others
    }

    /// Moves the bounds by the drifts of the centres; whether the own centre is still proved to be the nearest.
    pub fn move_by(&mut self, drifts: &Drifts, label: u32) -> bool {
        let (own, others) = drifts.of(label);
        self.own = ((f64::from(self.own) + own) * OUT) as f32;
        let left = f64::from(self.others) - others;
        self.others = (left * if left > 0.0 { IN } else { OUT }) as f32;
        self.show(drifts.spherical, drifts.unit)
    }
}

/// How far each centre moved.
pub struct Drifts {
    each: Vec<f64>,
    /// The greatest, whose it is, and the next one.
    most: (f64, usize, f64),
    unit: f64,
    spherical: bool,
}

impl Drifts {
    pub fn new<T: Real>(data: &Data<T>, from: &[T], to: &[T], unit: f64) -> Self {
        let width = data.x.width();
        let pairs = from.par_chunks(width).zip(to.par_chunks(width)).with_min_len(64);
        let each: Vec<f64> =
            pairs.map(|(from, to)| data.arithmetic.l2sq(from, to).sqrt() * unit * OUT).collect();
        let mut most = (0.0, usize::MAX, 0.0);
        for (j, &drift) in each.iter().enumerate() {
            if drift > most.0 {
                most = (drift, j, most.0);
            } else if drift > most.2 {
                most.2 = drift;
            }
        }
        Drifts { each, most, unit, spherical: data.spherical }
    }

    /// Of a centre, and the greatest of the others.
    fn of(&self, label: u32) -> (f64, f64) {
        let (most, whose, next) = self.most;
        (self.each[label as usize], if whose == label as usize { next } else { most })
    }
}
