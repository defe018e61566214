//! The nearest centre of each row.
//!
//! Products of 8-bit copies ([`crate::screen`]) leave a few centres for each row, of which distances decide. A row
//! whose bounds ([`super::bounds`]) show that its centre is still the nearest is not looked at.

use super::Data;
use super::bounds::{Bounds, Drifts, SPHERE};
use crate::cpu::Cpu;
use crate::distance::Real;
use crate::job::{Aborted, Job};
use crate::screen::{
    Coded, Coder, LANES, MAX_WIDTH, Panels, ROWS, Row, Side, TILE, Tile, Top, VECTORS, raise, select, stride,
    up,
};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Rows of one task.
const TASK: usize = 128;
/// Narrower rows and fewer centres are compared faster than screened.
const MIN_WIDTH: usize = 16;
const MIN_CENTERS: usize = 8;
/// What the greatest norm must be for its square to be in the middle of float32.
const NORMS: Range<f64> = 1e-9..1e15;

/// Finds the nearest centre of rows.
pub struct Labeler<T> {
    screen: Option<Screen<T>>,
    /// The centres of the last labelling of all rows.
    last: Option<Vec<T>>,
}

/// What is kept of the rows, and what is made of the centres.
struct Screen<T> {
    coder: Coder<T>,
    /// Makes the greatest norm 1.
    unit: f64,
    codes: Vec<i8>,
    rows: Vec<Copied>,
    bounds: Vec<Bounds>,
    panels: Panels,
    biases: Vec<f32>,
    /// What the biases can be off by, and the decisions by distance.
    blur: f32,
    tile: Tile,
    cpu: Cpu,
}

/// A row's copy, in units.
#[derive(Clone, Copy)]
struct Copied {
    scale: f32,
    norm: f32,
    error: f32,
    square: f32,
    sum: i32,
}

/// What a task keeps.
#[derive(Default)]
struct Scratch {
    rows: Vec<u32>,
    /// A centre of each row and its distance.
    known: Vec<(u32, f64)>,
    upper: Vec<f32>,
    places: Vec<u32>,
}

impl<T: Real> Labeler<T> {
    pub fn new(data: &Data<T>, k: usize, means: &[f64], cpu: Cpu) -> Self {
        let pays = k >= MIN_CENTERS && (MIN_WIDTH..=MAX_WIDTH).contains(&data.x.width());
        Labeler { screen: if pays { Screen::new(data, means, cpu) } else { None }, last: None }
    }

    /// The next labelling starts anew.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// The label of every row, and how many are others than in `labels`, which must be those of the last call.
    pub fn label_all(
        &mut self,
        data: &Data<T>,
        centers: &[T],
        labels: &mut [u32],
        job: &Job,
    ) -> Result<usize, Aborted> {
        let changed = AtomicUsize::new(0);
        let Some(screen) = &mut self.screen else {
            labels.par_chunks_mut(TASK).enumerate().try_for_each(|(t, labels)| {
                job.check()?;
                for (i, label) in labels.iter_mut().enumerate() {
                    let found = nearest_of_all(data, t * TASK + i, centers);
                    changed.fetch_add(usize::from(found != *label), Relaxed);
                    *label = found;
                }
                Ok(())
            })?;
            return Ok(changed.into_inner());
        };
        screen.pack(data, centers);
        let drifts = self.last.as_deref().map(|last| Drifts::new(data, last, centers, screen.unit));
        let mut bounds = std::mem::take(&mut screen.bounds);
        let chunks = labels.par_chunks_mut(TASK).zip(bounds.par_chunks_mut(TASK)).enumerate();
        let result = chunks.try_for_each_init(Scratch::default, |scratch, (t, (labels, bounds))| {
            job.check()?;
            let first = t * TASK;
            let (mut rows, mut known) =
                (std::mem::take(&mut scratch.rows), std::mem::take(&mut scratch.known));
            rows.clear();
            known.clear();
            for (i, (label, bounds)) in labels.iter().zip(bounds.iter_mut()).enumerate() {
                if let Some(drifts) = &drifts {
                    if bounds.move_by(drifts, *label) {
                        continue;
                    }
                    let distance = data.distance(first + i, center(data, centers, *label as usize));
                    bounds.set_own(distance, screen.unit, data.spherical);
                    if bounds.show(data.spherical, screen.unit) {
                        continue;
                    }
                    known.push((*label, distance));
                }
                rows.push((first + i) as u32);
            }
            let mut others = 0;
            screen.nearest(data, (&rows, &known), centers, scratch, |row, label, found| {
                let i = row as usize - first;
                others += usize::from(labels[i] != label);
                labels[i] = label;
                bounds[i] = found;
            });
            changed.fetch_add(others, Relaxed);
            (scratch.rows, scratch.known) = (rows, known);
            Ok(())
        });
        screen.bounds = bounds;
        result?;
        self.last = Some(centers.to_vec());
        Ok(changed.into_inner())
    }

    /// The labels of some rows.
    pub fn label(
        &mut self,
        data: &Data<T>,
        rows: &[u32],
        centers: &[T],
        labels: &mut [u32],
        job: &Job,
    ) -> Result<(), Aborted> {
        if let Some(screen) = &mut self.screen {
            screen.pack(data, centers);
        }
        let chunks = labels.par_chunks_mut(TASK).zip(rows.par_chunks(TASK));
        chunks.try_for_each_init(Scratch::default, |scratch, (labels, rows)| {
            job.check()?;
            let mut to = labels.iter_mut();
            let mut set = |label| to.next().into_iter().for_each(|to| *to = label);
            match &self.screen {
                Some(screen) => screen.nearest(data, (rows, &[]), centers, scratch, |_, label, _| set(label)),
                None => rows.iter().for_each(|&row| set(nearest_of_all(data, row as usize, centers))),
            }
            Ok(())
        })
    }
}

fn center<'a, T: Real>(data: &Data<T>, centers: &'a [T], j: usize) -> &'a [T] {
    let width = data.x.width();
    &centers[j * width..(j + 1) * width]
}

fn nearest_of_all<T: Real>(data: &Data<T>, row: usize, centers: &[T]) -> u32 {
    let count = centers.len() / data.x.width().max(1);
    let mut best = Best::NONE;
    for j in 0..count {
        best.meet(j as u32, data.distance(row, center(data, centers, j)));
    }
    best.label
}

/// The nearest of some centres, the first of equal ones, its distance, and the next one's.
struct Best {
    label: u32,
    distance: f64,
    next: f64,
}

impl Best {
    const NONE: Best = Best { label: 0, distance: f64::INFINITY, next: f64::INFINITY };

    /// Takes in another centre; whether it is the nearest now.
    fn meet(&mut self, label: u32, distance: f64) -> bool {
        let nearer = distance < self.distance || (distance == self.distance && label < self.label);
        let farther = if nearer { self.distance } else { distance };
        self.next = self.next.min(farther);
        if nearer {
            (self.label, self.distance) = (label, distance);
        }
        nearer
    }
}

impl<T: Real> Screen<T> {
    /// None if the rows are all alike, or of sizes that float32 does not bear.
    fn new(data: &Data<T>, means: &[f64], cpu: Cpu) -> Option<Self> {
        let (n, width) = (data.x.count(), data.x.width());
        let stride = stride(width);
        let coder = Coder::new(means.iter().map(|&mean| T::from_f64(mean)).collect(), cpu);
        let mut codes = vec![0; n * stride];
        let code = |(i, codes): (usize, &mut [i8])| coder.code(Side::Row, data.x.row(i), T::ONE, 0.0, codes);
        let coded: Vec<Coded> = codes.par_chunks_mut(stride).with_min_len(64).enumerate().map(code).collect();
        let greatest = coded.iter().fold(0.0, |most, row| if row.norm > most { row.norm } else { most });
        // NaN and infinity are not among finite items, but squares may be.
        if !NORMS.contains(&greatest) || !coded.iter().all(|row| row.norm.is_finite()) {
            return None;
        }
        let unit = 1.0 / greatest;
        let copied = |row: &Coded| Copied {
            scale: (row.scale * unit) as f32,
            norm: up(row.norm * unit),
            error: up(row.error * unit),
            square: (row.square * unit * unit) as f32,
            sum: row.sum,
        };
        Some(Screen {
            rows: coded.iter().map(copied).collect(),
            coder,
            unit,
            codes,
            bounds: vec![Bounds::default(); n],
            panels: Panels::default(),
            biases: Vec::new(),
            blur: 0.0,
            tile: Tile::of(cpu),
            cpu,
        })
    }

    /// Makes the panels of the centres. The form of a pair is u . c - |c|^2 / 2, both less the mean: half of how much
    /// nearer c is than the mean.
    fn pack(&mut self, data: &Data<T>, centers: &[T]) {
        let width = data.x.width();
        let count = centers.len() / width;
        let mut squares = Vec::with_capacity(count);
        self.panels.pack(count, width, self.unit, self.tile, |j, codes| {
            let coded = self.coder.code(Side::Lane, center(data, centers, j), T::ONE, 0.0, codes);
            squares.push(coded.square);
            coded
        });
        self.biases.clear();
        let bias = |square: f64| (-0.5 * square * self.unit * self.unit) as f32;
        self.biases.extend(squares.into_iter().map(bias));
        let largest = self.biases.iter().fold(0.0, |most: f32, bias| most.max(bias.abs()));
        self.biases.resize(self.panels.vectors() * LANES, f32::NEG_INFINITY);
        // On the sphere distances decide by 1 - x . c, which is half of the squared one but for rounded norms.
        let rounded = if data.spherical { 1e-6 * self.unit * self.unit } else { 0.0 };
        self.blur = up((self.coder.accuracy() + 2e-6) * f64::from(largest) + rounded + 1e-12);
    }

    /// Tells the nearest centre of each row, and bounds of its distances, in order. Of all rows or of none a centre and its
    /// distance are known.
    fn nearest(
        &self,
        data: &Data<T>,
        (rows, known): (&[u32], &[(u32, f64)]),
        centers: &[T],
        scratch: &mut Scratch,
        mut tell: impl FnMut(u32, u32, Bounds),
    ) {
        let stride = stride(data.x.width());
        let lanes_in_all = self.panels.vectors() * LANES;
        scratch.upper.resize(ROWS * lanes_in_all, 0.0);
        let mut products = [0; ROWS * TILE];
        for (g, group) in rows.chunks(ROWS).enumerate() {
            let row = |r: usize| group[r.min(group.len() - 1)] as usize;
            let codes = std::array::from_fn(|r| &self.codes[row(r) * stride..(row(r) + 1) * stride]);
            let sums = std::array::from_fn(|r| self.rows[row(r)].sum);
            let sides: [Row; ROWS] = std::array::from_fn(|r| self.side(row(r)));
            let mut tops = [Top::NONE; ROWS];
            for first in (0..self.panels.vectors()).step_by(VECTORS) {
                let panel = self.panels.panel(first);
                self.tile.products(panel, stride, codes, sums, &mut products);
                let lanes = panel.len() / stride;
                let panel = first * LANES..first * LANES + lanes;
                for r in 0..group.len() {
                    raise(
                        self.cpu,
                        &products[r * TILE..][..lanes],
                        sides[r],
                        &self.panels.scales[panel.clone()],
                        &self.panels.weights[panel.clone()],
                        &self.biases[panel.clone()],
                        &mut scratch.upper[r * lanes_in_all..][panel.clone()],
                        &mut tops[r],
                    );
                }
            }
            for (r, &row) in group.iter().enumerate() {
                let upper = &scratch.upper[r * lanes_in_all..(r + 1) * lanes_in_all];
                let (label, bounds) = self.decide(
                    data,
                    (row as usize, known.get(g * ROWS + r)),
                    centers,
                    (&tops[r], sides[r], upper),
                    &mut scratch.places,
                );
                tell(row, label, bounds);
            }
        }
    }

    fn side(&self, row: usize) -> Row {
        let Copied { scale, norm, error, .. } = self.rows[row];
        let (norm, error) = (f64::from(norm), f64::from(error));
        let slope = up(norm * f64::from(self.panels.share) + error + 1e-6 * (norm + error));
        Row { scale, bias: 0.0, slope }
    }

    /// Of what the bounds leave the nearest.
    fn decide(
        &self,
        data: &Data<T>,
        (row, known): (usize, Option<&(u32, f64)>),
        centers: &[T],
        (top, side, upper): (&Top, Row, &[f32]),
        places: &mut Vec<u32>,
    ) -> (u32, Bounds) {
        let (least, first, second) = top.join();
        let least = least - 2.0 * self.blur - least.abs() * 1e-6;
        places.clear();
        select(self.cpu, upper, least, places);
        let square = f64::from(self.rows[row].square);
        let accuracy = self.coder.accuracy() + 2e-7;
        // The squared distance, in units, of a form.
        let nearest = |form: f64| square * (1.0 - accuracy) - 2.0 * (form + f64::from(self.blur)) - 1e-12;
        if let [label] = places[..] {
            let own = upper[label as usize];
            let form =
                f64::from(own) - 2.000_001 * f64::from(side.slope * self.panels.weights[label as usize]);
            let farthest = square * (1.0 + accuracy) - 2.0 * (form - f64::from(self.blur)) + 1e-12;
            let other = if own >= first { second } else { first };
            return (label, Bounds::of_squares(farthest, nearest(f64::from(other))));
        }
        let at = |j: u32| data.distance(row, center(data, centers, j as usize));
        let most = |a: &u32, b: &u32| upper[*a as usize].total_cmp(&upper[*b as usize]);
        let likely = || places.iter().copied().max_by(most).map(|j| (j, at(j)));
        let (start, distance) = known.copied().or_else(likely).unwrap_or((0, f64::INFINITY));
        let mut best = Best { label: start, distance, next: f64::INFINITY };
        // What a form must reach to be as near as a distance.
        let floor = |distance: f64| {
            let form = 0.5 * (square * (1.0 - accuracy) - self.farthest(distance, data.spherical) - 1e-12);
            let form = form - f64::from(self.blur);
            (form - form.abs() * 1e-6) as f32
        };
        let (mut needed, mut passed) = (floor(distance), least);
        for &j in places.iter().filter(|j| **j != start) {
            let reached = upper[j as usize];
            if reached < needed {
                passed = passed.max(reached);
            } else if best.meet(j, at(j)) {
                needed = floor(best.distance);
            }
        }
        let mut bounds = Bounds::of_squares(0.0, nearest(f64::from(passed)));
        bounds.set_own(best.distance, self.unit, data.spherical);
        bounds.cap_others(best.next, self.unit, data.spherical);
        (best.label, bounds)
    }

    /// The most that the square of a distance can be, in units.
    fn farthest(&self, distance: f64, spherical: bool) -> f64 {
        let square = if spherical { 2.0 * distance + SPHERE } else { distance };
        square * self.unit * self.unit * (1.0 + 1e-12)
    }
}
