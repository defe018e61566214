//! All pairs of rows on 8-bit codes at once, held: for a start that is sought among all pairs of few rows.
//!
//! Half of the products of all pairs (see [`crate::screen`]) are made tile by tile and kept as float32, half of them
//! again the room of a matrix. Of each pair that is an approximate cosine with a proved bound of its error, so that a
//! search computes the exact distances of those pairs alone that may decide it: of the start, and of each row after
//! it. O(n^2 d / 8) byte products and O(n^2 + n d) memory, where n is at most d or a thousand.
//!
//! Where the bounds turn out to decide too little (rows of very unequal items, or much closer than the bounds) the
//! search is given up between two rows, and goes on by other means from what it has kept.

use super::space::{Real, Space};
use super::{Kept, Metric};
use crate::cpu::Cpu;
use crate::job::{Aborted, Job};
use crate::screen::{Coder, LANES, MAX_WIDTH, ROWS, Side, TILE, Tile, VECTORS, interleave, stride, up};
use rayon::prelude::*;
use std::sync::Mutex;

/// Rows of a block of which the largest distance is known.
const BLOCK: usize = 32;
/// As many rows as may be paired if they are wider than that, and at most where they are not.
const WIDE: usize = 4096;
const NARROW: usize = 1024;
/// Tiles of one panel for each panel before it and for itself.
const TILES: usize = TILE / ROWS;
/// Tiles of a task at least.
const TASK: usize = 6;
/// Exact distances for each row, on average, from which on bounds are not worth their while.
const EXACT: usize = 8;
/// A mean error of a row's codes from which on they tell too little.
const COARSE: f64 = 0.05;

/// Bytes of memory that are kept from one search to the next, at most.
const SPARE_BYTES: usize = 16 << 20;

/// Memory of a search, kept for the next one: the first touch of fresh memory takes a fifth of the time of a search. One is kept;
/// searches at the same time have their own.
#[derive(Default)]
struct Memory {
    codes: Vec<i8>,
    panels: Vec<u8>,
    forms: Vec<f32>,
}

static SPARE: Mutex<Option<Memory>> = Mutex::new(None);

impl Memory {
    /// Of any contents.
    fn take(codes: usize, forms: usize) -> Self {
        let mut memory = SPARE.lock().unwrap_or_else(|e| e.into_inner()).take().unwrap_or_default();
        memory.codes.resize(codes, 0);
        memory.panels.resize(codes, 0);
        memory.forms.resize(forms, 0.0);
        memory
    }

    fn keep(self) {
        let bytes = self.codes.capacity() + self.panels.capacity() + 4 * self.forms.capacity();
        if bytes <= SPARE_BYTES {
            *SPARE.lock().unwrap_or_else(|e| e.into_inner()) = Some(self);
        }
    }
}

/// What is held of each pair.
pub struct Pairs<'a, T: Real> {
    space: &'a Space<'a, T>,
    /// The candidates, ascending: places below are places among them.
    rows: &'a [u32],
    /// `forms` is the cosine by codes: tile after tile, of all rows up to a panel's last with the panel's lanes. Minus
    /// infinity for what is no pair or was computed.
    memory: Memory,
    /// What a row adds to the error of its pairs; infinite where there is no row.
    errors: Vec<f32>,
    /// What every pair's error has beside: of roundings here and in the exact distance.
    slack: f32,
    /// Exact distances that may still be computed.
    budget: usize,
}

impl<T: Real> Drop for Pairs<'_, T> {
    fn drop(&mut self) {
        std::mem::take(&mut self.memory).keep();
    }
}

/// How far the candidates are from what is kept, at most.
struct Near<T> {
    near: Vec<T>,
    /// The largest of each block.
    peaks: Vec<T>,
    /// How many of the kept are behind a row: the others may still lower what is known of it.
    done: Vec<u32>,
}

impl<T: Real> Near<T> {
    fn new(count: usize) -> Self {
        Near {
            near: vec![T::INFINITY; count],
            peaks: vec![T::INFINITY; count.div_ceil(BLOCK)],
            done: vec![0; count],
        }
    }

    fn peak(&mut self, block: usize) {
        let near = self.near[block * BLOCK..].iter().take(BLOCK);
        self.peaks[block] = near.fold(T::NEG_INFINITY, |peak, &x| if x > peak { x } else { peak });
    }

    fn set(&mut self, place: usize, near: T) {
        self.near[place] = near;
        self.peak(place / BLOCK);
    }

    /// The first place of the largest; none if all are taken.
    fn largest(&self) -> Option<usize> {
        let most = self.peaks.iter().fold(T::NEG_INFINITY, |most, &x| if x > most { x } else { most });
        let block = self.peaks.iter().position(|&x| x == most && x > T::NEG_INFINITY)?;
        (block * BLOCK..).zip(&self.near[block * BLOCK..]).find(|(_, x)| **x == most).map(|(place, _)| place)
    }
}

impl<'a, T: Real> Pairs<'a, T> {
    /// Whether as many candidates are to be paired.
    pub fn fit(space: &Space<T>, candidates: usize) -> bool {
        let most = space.width.clamp(NARROW, WIDE);
        space.metric == Metric::Cosine
            && (2..=most).contains(&candidates)
            && (1..=MAX_WIDTH).contains(&space.width)
    }

    /// The pairs of `rows`, which [`Pairs::fit`]; none where codes tell too little of them.
    pub fn new(space: &'a Space<'a, T>, rows: &'a [u32], job: &Job) -> Result<Option<Self>, Aborted> {
        let count = rows.len();
        let stride = stride(space.width);
        let size = LANES * stride;
        let vectors = count.div_ceil(LANES);
        let tiles: Vec<(usize, usize)> = (0..count.div_ceil(TILE))
            .flat_map(|panel| {
                let rows = count.min((panel + 1) * TILE);
                (0..rows.div_ceil(ROWS)).map(move |octet| (panel, octet))
            })
            .collect();
        let mut memory = Memory::take(vectors * size, tiles.len() * ROWS * TILE);
        let Memory { codes, panels, forms } = &mut memory;
        let mut bounds = vec![(0i32, 0.0f64, 0.0f64, 0.0f64); vectors * LANES];
        let (coder, tile) =
            (Coder::new(vec![T::ZERO; space.width], Cpu::current()), Tile::of(Cpu::current()));
        let tasks = codes.par_chunks_mut(size).zip(panels.par_chunks_mut(size));
        let tasks = tasks.zip(bounds.par_chunks_mut(LANES)).zip(rows.par_chunks(LANES));
        tasks.for_each(|(((codes, panel), bounds), rows)| {
            codes[rows.len() * stride..].fill(0);
            for ((&row, codes), bound) in rows.iter().zip(codes.chunks_exact_mut(stride)).zip(bounds) {
                let row = row as usize;
                let coded = coder.code(Side::Both, space.row(row), space.factor(row), 1.001, codes);
                *bound = (coded.sum, coded.scale, coded.norm, coded.error);
            }
            interleave(codes, panel, tile);
        });
        job.check()?;
        let norm = bounds.iter().fold(0.0f64, |most, bound| most.max(bound.2));
        let error = bounds.iter().fold(0.0f64, |most, bound| most.max(bound.3));
        if bounds.iter().map(|bound| bound.3).sum::<f64>() > COARSE * count as f64 {
            memory.keep();
            return Ok(None);
        }
        // |u . v - û . v̂| <= |u| e_v + e_u (|v| + e_v), and a product of errors is at most half the larger, by the sum.
        let share = norm + error / 2.0;
        let padded = count.next_multiple_of(TILE);
        let mut errors = vec![f32::INFINITY; padded];
        errors.iter_mut().zip(&bounds).take(count).for_each(|(to, bound)| *to = up(share * bound.3));
        let mut scales = vec![0.0; padded];
        scales.iter_mut().zip(&bounds).for_each(|(to, bound)| *to = bound.1 as f32);
        let tasks = forms.par_chunks_exact_mut(ROWS * TILE).zip(&tiles).with_min_len(TASK);
        tasks.for_each(|(forms, &(panel, octet))| {
            if job.is_stopped() {
                return;
            }
            let from = panel * VECTORS * size;
            let lanes = &panels[from..panels.len().min(from + VECTORS * size)];
            let rows = std::array::from_fn(|r| &codes[(octet * ROWS + r) * stride..][..stride]);
            let sums = std::array::from_fn(|r| bounds[octet * ROWS + r].0);
            let mut products = [0; ROWS * TILE];
            tile.products(lanes, stride, rows, sums, &mut products);
            let scales = &scales[panel * TILE..][..TILE];
            for (r, (forms, products)) in
                forms.chunks_exact_mut(TILE).zip(products.chunks_exact(TILE)).enumerate()
            {
                let row = octet * ROWS + r;
                let scale = bounds[row].1 as f32;
                for ((form, &product), &lane) in forms.iter_mut().zip(products).zip(scales) {
                    *form = product as f32 * lane * scale;
                }
                if let Some(itself) = row.checked_sub(panel * TILE) {
                    forms[itself] = f32::NEG_INFINITY;
                }
            }
        });
        job.check()?;
        // A unit row's norm is 1 within four roundings; forms and bounds are of few roundings of numbers below 2.
        let slack = up(1.01 * space.error() + 2e-6);
        Ok(Some(Pairs { space, rows, memory, errors, slack, budget: EXACT * count }))
    }

    /// Keeps rows from the most isolated one on, as many as `k` and none nearer than `least`. Whether it came to its
    /// end: if not, what is kept so far is right.
    pub fn choose(&mut self, k: usize, least: f64, kept: &mut Kept, job: &Job) -> Result<bool, Aborted> {
        let Some((first, near)) = self.isolated() else { return Ok(false) };
        kept.indices.push(self.rows[first]);
        kept.distances.push(self.space.distance(near) as f32);
        let mut near = Near::new(self.rows.len());
        let mut order = vec![first];
        loop {
            job.check()?;
            self.approach(&mut near, order[order.len() - 1]);
            let farthest = loop {
                match near.largest() {
                    Some(place) if self.lower(&mut near, place, &order) => {}
                    found => break found,
                }
            };
            if self.budget == 0 {
                return Ok(false);
            }
            let Some(place) = farthest else { return Ok(true) };
            let distance = self.space.distance(near.near[place]);
            if !kept.take(self.rows[place] as usize, distance, k, least) {
                return Ok(true);
            }
            order.push(place);
        }
    }

    /// The candidate whose nearest other one is farthest, and how far; none beyond the budget.
    fn isolated(&mut self) -> Option<(usize, T)> {
        let count = self.rows.len();
        let tops = self.tops();
        let upper: Vec<T> = (0..count).map(|i| self.upper(-tops[i], self.errors[i])).collect();
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_unstable_by(|&a, &b| {
            upper[b].partial_cmp(&upper[a]).expect("bounds are numbers").then(a.cmp(&b))
        });
        let mut best: Option<(usize, T)> = None;
        for i in order {
            let bar = best.map_or(T::NEG_INFINITY, |(_, near)| near);
            if upper[i] < bar {
                break;
            }
            if let Some(near) = self.nearest(i, bar)?
                && best.is_none_or(|(other, far)| near > far || (near == far && i < other))
            {
                best = Some((i, near));
            }
        }
        best
    }

    /// The distance to the nearest other candidate, if it is at least `bar`; nothing beyond the budget.
    fn nearest(&mut self, i: usize, bar: T) -> Option<Option<T>> {
        let lower: Vec<f32> =
            (0..self.rows.len()).map(|j| self.least(self.memory.forms[place(i, j)], i, j)).collect();
        let first = (0..lower.len()).filter(|&j| j != i).min_by(|&a, &b| lower[a].total_cmp(&lower[b]))?;
        let mut near = self.exact(i, first)?;
        for (j, &lower) in lower.iter().enumerate() {
            if near < bar {
                return Some(None);
            }
            if j != i && j != first && f64::from(lower) < near.into() {
                let exact = self.exact(i, j)?;
                near = if exact < near { exact } else { near };
            }
        }
        Some((near >= bar).then_some(near))
    }

    /// The most that the form less the other's error is among each row's pairs.
    fn tops(&self) -> Vec<f32> {
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        let mut tops = vec![f32::NEG_INFINITY; self.errors.len()];
        let mut tiles = self.memory.forms.chunks_exact(ROWS * TILE);
        for (panel, lane_errors) in self.errors.chunks_exact(TILE).enumerate() {
            let mut lane_tops = [f32::NEG_INFINITY; TILE];
            let rows = self.rows.len().min((panel + 1) * TILE);
            for (octet, tile) in (0..rows.div_ceil(ROWS)).zip(&mut tiles) {
                for (row, forms) in (octet * ROWS..).zip(tile.chunks_exact(TILE)) {
                    let error = self.errors[row];
                    let mut most = [f32::NEG_INFINITY; LANES];
                    for (at, (&form, &lane_error)) in forms.iter().zip(lane_errors).enumerate() {
                        lane_tops[at] = larger(lane_tops[at], form - error);
                        most[at % LANES] = larger(most[at % LANES], form - lane_error);
                    }
                    tops[row] = most.into_iter().fold(tops[row], larger);
                }
            }
            let tops = &mut tops[panel * TILE..][..TILE];
            tops.iter_mut().zip(lane_tops).for_each(|(top, lane)| *top = larger(*top, lane));
        }
        tops
    }

    /// Brings what is known of the candidates up to one that is kept.
    fn approach(&self, near: &mut Near<T>, kept: usize) {
        for (i, known) in near.near.iter_mut().enumerate() {
            let upper = self.upper(self.errors[i] - self.memory.forms[place(i, kept)], self.errors[kept]);
            if upper < *known {
                *known = upper;
            }
        }
        near.near[kept] = T::NEG_INFINITY;
        (0..near.peaks.len()).for_each(|block| near.peak(block));
    }

    /// Computes the likeliest exact distance of a candidate to what is kept that may still be less than what is known;
    /// false if there is none, or the budget is spent.
    fn lower(&mut self, near: &mut Near<T>, place_of: usize, order: &[usize]) -> bool {
        let known: f64 = near.near[place_of].into();
        let mut likeliest = None;
        let mut most = f32::NEG_INFINITY;
        for (at, &kept) in order.iter().enumerate().skip(near.done[place_of] as usize) {
            let form = self.memory.forms[place(place_of, kept)];
            if form > most && f64::from(self.least(form, place_of, kept)) < known {
                (likeliest, most) = (Some(at), form);
            }
        }
        let Some(at) = likeliest else {
            near.done[place_of] = order.len() as u32;
            return false;
        };
        let Some(exact) = self.exact(place_of, order[at]) else { return false };
        self.memory.forms[place(place_of, order[at])] = f32::NEG_INFINITY;
        if exact < near.near[place_of] {
            near.set(place_of, exact);
        }
        true
    }

    /// The most that a distance can be, of minus its form and the errors of its rows.
    #[inline(always)]
    fn upper(&self, form: f32, error: f32) -> T {
        let upper = (1.0 + self.slack) + (form + error);
        T::from_f64(if upper > 0.0 { upper.into() } else { 0.0 })
    }

    /// The least that the distance of a pair can be by its form.
    #[inline(always)]
    fn least(&self, form: f32, i: usize, j: usize) -> f32 {
        (1.0 - self.slack) - (form + (self.errors[i] + self.errors[j]))
    }

    /// The exact distance of a pair, while there is a budget.
    fn exact(&mut self, i: usize, j: usize) -> Option<T> {
        self.budget = self.budget.checked_sub(1)?;
        Some(self.space.between(self.rows[i] as usize, self.rows[j] as usize))
    }
}

/// Where a pair's form is.
#[inline(always)]
fn place(i: usize, j: usize) -> usize {
    let (row, lane) = if i < j { (i, j) } else { (j, i) };
    let panel = lane / TILE;
    let tile = TILES * panel * (panel + 1) / 2 + row / ROWS;
    (tile * ROWS + row % ROWS) * TILE + lane % TILE
}
