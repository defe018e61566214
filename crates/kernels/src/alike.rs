//! The pairs of a group's rows whose cosine can reach a floor.
//!
//! Products of 8-bit copies of the rows, of unit length ([`crate::screen`]), prove of most pairs that their cosine is below
//! the floor; the others are offered, and with them a few that are below. O(m^2 * width / 64) cycles for m rows with
//! AVX-512 VNNI, memory 2 * width bytes a row.

use crate::cpu::Cpu;
use crate::distance::{Arithmetic, Real, Rows, cosine};
use crate::screen::{
    Coded, Coder, LANES, MAX_WIDTH, Panels, ROWS, Reach, Row, Side, TILE, Tile, VECTORS, stride, up,
};
use std::ops::Range;

/// Narrower rows, and fewer, are scored faster than screened.
const MIN_WIDTH: usize = 16;
const MIN_ROWS: usize = 24;
/// Norms outside are not screened: their squares could leave float32.
const NORMS: Range<f64> = 1e-15..1e15;

/// Rows that meet each other.
pub struct Group<'a, T> {
    rows: Rows<'a, T>,
    members: &'a [u32],
    arithmetic: Arithmetic,
    /// Squared norms.
    squares: Vec<f64>,
    screen: Option<Screen>,
}

struct Screen {
    tile: Tile,
    reach: Reach,
    stride: usize,
    codes: Vec<i8>,
    /// None of a row whose copy bounds nothing: it is offered with all others.
    coded: Vec<Option<Coded>>,
    panels: Panels,
}

impl<'a, T: Real> Group<'a, T> {
    /// The rows `members`, by their places in it.
    pub fn new(rows: Rows<'a, T>, members: &'a [u32], cpu: Cpu) -> Self {
        let arithmetic = Arithmetic::current();
        let square = |&row: &u32| arithmetic.dot(rows.row(row as usize), rows.row(row as usize));
        let squares: Vec<f64> = members.iter().map(square).collect();
        let pays = members.len() >= MIN_ROWS && (MIN_WIDTH..=MAX_WIDTH).contains(&rows.width());
        let screen = pays.then(|| Screen::new(rows, members, &squares, cpu));
        Group { rows, members, arithmetic, squares, screen }
    }

    /// How many parts the rows have for [`meet`](Self::meet): [`TILE`] rows each but the last.
    pub fn parts(&self) -> usize {
        self.members.len().div_ceil(TILE)
    }

    /// The cosine of two rows.
    pub fn score(&self, a: usize, b: usize) -> f64 {
        let row = |i: usize| self.rows.row(self.members[i] as usize);
        cosine(self.arithmetic.dot(row(a), row(b)), self.squares[a], self.squares[b])
    }

    /// Calls `offer(b, a)` for each row b of a part and each a before it whose cosine may be at least b's floor: that is
    /// `floor` at first, and from an offer on what the offer returned.
    pub fn meet(&self, part: usize, floor: f64, mut offer: impl FnMut(usize, usize) -> f64) {
        match &self.screen {
            Some(screen) => screen.meet(part, floor, offer),
            None => {
                for b in part * TILE..self.members.len().min((part + 1) * TILE) {
                    for a in 0..b {
                        offer(b, a);
                    }
                }
            }
        }
    }
}

impl Screen {
    fn new<T: Real>(rows: Rows<T>, members: &[u32], squares: &[f64], cpu: Cpu) -> Screen {
        const NOTHING: Coded = Coded { scale: 0.0, norm: 0.0, error: 0.0, square: 0.0, sum: 0 };
        let stride = stride(rows.width());
        let coder = Coder::new(vec![T::ZERO; rows.width()], cpu);
        let mut codes = vec![0; members.len() * stride];
        let places = members.iter().zip(squares).zip(codes.chunks_exact_mut(stride));
        let coded: Vec<Option<Coded>> = places
            .map(|((&row, square), codes)| {
                let norm = square.sqrt();
                let is_bound = NORMS.contains(&norm);
                is_bound.then(|| {
                    coder.code(Side::Both, rows.row(row as usize), T::from_f64(1.0 / norm), 1.0, codes)
                })
            })
            .collect();
        let (mut panels, tile) = (Panels::default(), Tile::of(cpu));
        panels.pack(members.len(), rows.width(), 1.0, tile, |i, to| {
            to.copy_from_slice(&codes[i * stride..][..stride]);
            coded[i].unwrap_or(NOTHING)
        });
        Screen { tile, reach: Reach::of(cpu), stride, codes, coded, panels }
    }

    fn row(&self, a: usize) -> Row {
        self.coded[a].map_or(
            Row { scale: 0.0, bias: f32::INFINITY, slope: 0.0 },
            |Coded { scale, norm, error, .. }| {
                let slope = up(norm * f64::from(self.panels.share) + error + 1e-6 * (norm + error));
                Row { scale: scale as f32, bias: 0.0, slope }
            },
        )
    }

    /// What the bound of a pair with row b is at least if the cosine is at least `floor`.
    fn least(&self, b: usize, floor: f64) -> f32 {
        // Room for the roundings of the bound and of the cosine.
        if self.coded[b].is_some() { (floor - 3e-6 * (floor.abs() + 1.0)) as f32 } else { f32::NEG_INFINITY }
    }

    fn meet(&self, part: usize, floor: f64, mut offer: impl FnMut(usize, usize) -> f64) {
        let first = part * TILE;
        let end = self.coded.len().min(first + TILE);
        // Lanes without a row are never met.
        let mut least = [f32::NAN; TILE];
        least.iter_mut().zip(first..end).for_each(|(least, b)| *least = self.least(b, floor));
        let panel = self.panels.panel(part * VECTORS);
        let codes = |a: usize| &self.codes[a * self.stride..(a + 1) * self.stride];
        let mut products = [0; ROWS * TILE];
        for from in (0..end).step_by(ROWS) {
            // Beyond the last row the last one comes again, and is not looked at.
            let at = |r: usize| (from + r).min(end - 1);
            let rows = std::array::from_fn(|r| codes(at(r)));
            let sums = std::array::from_fn(|r| self.coded[at(r)].map_or(0, |coded| coded.sum));
            self.tile.products(panel, self.stride, rows, sums, &mut products);
            for a in from..end.min(from + ROWS) {
                let row = self.row(a);
                for lane in (0..end - first).step_by(LANES).filter(|lane| first + lane + LANES > a + 1) {
                    let (scales, weights) = (&self.panels.scales, &self.panels.weights);
                    let mut hits = self.reach.hits(
                        &products,
                        (a - from, lane / LANES),
                        row,
                        lanes(scales, first + lane),
                        lanes(weights, first + lane),
                        lanes(&least, lane),
                    );
                    while hits != 0 {
                        let l = lane + hits.trailing_zeros() as usize;
                        hits &= hits - 1;
                        if first + l > a {
                            least[l] = self.least(first + l, offer(first + l, a));
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn lanes(x: &[f32], from: usize) -> &[f32; LANES] {
    x[from..from + LANES].try_into().expect("sixteen lanes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item() -> impl Strategy<Value = f32> {
        prop_oneof![-1f32..1.0, Just(0.0), Just(1e4f32), Just(-1e-3)]
    }

    proptest! {
        /// Rows that repeat with other lengths, among them zeros and lengths beyond what is screened.
        #[test]
        fn offers_all_that_reach_the_floor(
            width in 1usize..40,
            n in 1usize..120,
            items in prop::collection::vec(item(), 40 * 9),
            lengths in prop::collection::vec(prop_oneof![Just(1f32), Just(0.3), Just(0.0), Just(1e-18), Just(1e18)], 120),
            floor in -1.0..=1.0f64,
        ) {
            let x: Vec<f32> = (0..n * width)
                .map(|i| items[(i / width * 7 % 9) * 40 + i % width] * lengths[i / width] + (i / width / 9) as f32 * 1e-3 * items[i % 40])
                .collect();
            let rows = Rows::new(&x, n, width);
            let members: Vec<u32> = (0..n as u32).rev().collect();
            for cpu in Cpu::choices() {
                let group = Group::new(rows, &members, cpu);
                let mut offered = vec![false; n * n];
                let mut most = vec![floor; n];
                for part in 0..group.parts() {
                    group.meet(part, floor, |b, a| {
                        assert!(a < b && b / TILE == part && !offered[b * n + a]);
                        offered[b * n + a] = true;
                        floor
                    });
                    group.meet(part, floor, |b, a| {
                        most[b] = most[b].max(group.score(b, a));
                        most[b]
                    });
                }
                for b in 0..n {
                    let before = (0..b).map(|a| group.score(a, b));
                    prop_assert_eq!(most[b], before.clone().fold(floor, f64::max));
                    for (a, score) in before.enumerate() {
                        prop_assert!(offered[b * n + a] || score < floor, "{} {} {}", a, b, score);
                    }
                }
            }
        }
    }

    #[test]
    fn few_pairs_are_offered() {
        let (n, width) = (500, 384);
        let mut x = vec![0.0; n * width];
        crate::philox::Philox::new(3, 0).normal(&mut x);
        let x: Vec<f32> = x.into_iter().map(|x| x as f32).collect();
        let members: Vec<u32> = (0..n as u32).collect();
        let group = Group::new(Rows::new(&x, n, width), &members, Cpu::current());
        let mut offers = 0;
        (0..group.parts()).for_each(|part| {
            group.meet(part, 0.5, |_, _| {
                offers += 1;
                0.5
            });
        });
        assert_eq!(offers, 0);
    }
}
