//! Pairs that 8-bit products show to be too far are not scored.
//!
//! Every metric is a product and what is known of a row or a query alone: with u a query and v a row, less a mean m that
//! moves no distance, `q . y = u . v + q . m` (u = q) and `-|q - y|^2 / 2 = u . v - |v|^2 / 2 - |u|^2 / 2`. A query's
//! threshold is the worst score among its k best, in the same form; it only rises.

use super::best::Best;
use super::{Candidates, Chunk, Scan};
use crate::cpu::Cpu;
use crate::distance::{Metric, Pairs, Real, Vectors};
use crate::screen::{Coded, Coder, LANES, MAX_WIDTH, Panels, ROWS, Reach, Row, Side, TILE, Tile, stride, up};
use std::ops::Range;

/// Rows whose copies are made before all queries meet them.
const COPIES: usize = 128;
/// Narrower rows are scored faster than screened.
const MIN_WIDTH: usize = 16;
/// Products from which screening pays.
const MIN_WORK: usize = 1 << 20;
/// Rows that the mean is taken from.
const SAMPLE: usize = 4096;
/// Norms outside are not screened: their squares could leave float32.
const NORMS: Range<f64> = 1e-15..1e15;

pub struct Screened<'a, T> {
    pairs: &'a Vectors<'a, T>,
    queries: Coder<T>,
    rows: Coder<T>,
    /// Makes lengths of rows (and for l2 of queries) about 1.
    unit: f64,
    tile: Tile,
    reach: Reach,
}

/// Queries of a block.
pub struct Block {
    range: Range<usize>,
    panels: Panels,
    forms: Vec<Form>,
}

/// How a query's scores become forms: `factor * score - offset`, or with squares of l2.
#[derive(Clone, Copy)]
struct Form {
    factor: f64,
    offset: f64,
    /// What rounding can move a form by, relative to itself and beside.
    slack: f64,
}

/// What a worker keeps.
#[derive(Default)]
pub struct Scratch {
    list: Vec<usize>,
    codes: Vec<i8>,
    rows: Vec<Row>,
    sums: Vec<i32>,
    /// The least form that is still among the k best, by lane.
    least: Vec<f32>,
}

/// Whether screening is faster than scoring every pair.
pub fn pays(width: usize, candidates: &Candidates) -> bool {
    let work = candidates.queries.saturating_mul(candidates.count).saturating_mul(width);
    (MIN_WIDTH..=MAX_WIDTH).contains(&width) && work >= MIN_WORK && candidates.k <= candidates.count / 4
}

impl<'a, T: Real> Screened<'a, T> {
    pub fn new(pairs: &'a Vectors<'a, T>, candidates: &Candidates, cpu: Cpu) -> Self {
        let (mean, unit) = center(pairs, candidates);
        let none = vec![T::ZERO; mean.len()];
        let l2 = matches!(pairs.metric, Metric::L2 | Metric::L2sq);
        Screened {
            pairs,
            queries: Coder::new(if l2 { mean.clone() } else { none }, cpu),
            rows: Coder::new(mean, cpu),
            unit,
            tile: Tile::of(cpu),
            reach: Reach::of(cpu),
        }
    }

    fn is_l2(&self) -> bool {
        matches!(self.pairs.metric, Metric::L2 | Metric::L2sq)
    }

    /// The copy of a query and how its scores become forms; none if it cannot be screened.
    fn query(&self, i: usize, codes: &mut [i8]) -> Option<(Coded, Form)> {
        let q = self.pairs.left.row(i);
        let arithmetic = self.pairs.arithmetic;
        if self.is_l2() {
            let coded = self.queries.code(Side::Lane, q, T::ONE, 0.0, codes);
            let square = arithmetic.l2sq(q, self.rows.mean()) * self.unit * self.unit;
            let form = Form { factor: -0.5 * self.unit * self.unit, offset: -0.5 * square, slack: square };
            return NORMS.contains(&square).then_some((coded, form));
        }
        let norm = arithmetic.dot(q, q).sqrt();
        if !NORMS.contains(&norm) {
            return None;
        }
        let coded = self.queries.code(Side::Lane, q, T::from_f64(1.0 / norm), 1.0, codes);
        let along = arithmetic.dot(q, self.rows.mean()) / norm;
        let form = match self.pairs.metric {
            Metric::Cosine => Form { factor: 1.0, offset: along, slack: 1.0 },
            _ => {
                Form { factor: self.unit / norm, offset: self.unit * along, slack: (self.unit * along).abs() }
            }
        };
        Some((coded, form))
    }

    /// The copy of a row of the base and what it brings to its pairs: an endless bias if it cannot be screened.
    fn row(&self, j: usize, share: f32, codes: &mut [i8]) -> (Row, i32) {
        const OPEN: Row = Row { scale: 0.0, bias: f32::INFINITY, slope: 0.0 };
        let y = self.pairs.right.row(j);
        let coded = if self.pairs.metric == Metric::Cosine {
            let norm = self.pairs.arithmetic.dot(y, y).sqrt();
            if norm != 0.0 && !NORMS.contains(&norm) {
                return (OPEN, 0);
            }
            let factor = if norm == 0.0 { T::ZERO } else { T::from_f64(1.0 / norm) };
            self.rows.code(Side::Row, y, factor, 1.0, codes)
        } else {
            self.rows.code(Side::Row, y, T::ONE, 0.0, codes)
        };
        let (norm, error) = (coded.norm * self.unit, coded.error * self.unit);
        if norm.is_nan() || norm >= NORMS.end {
            return (OPEN, 0);
        }
        let bias = if self.is_l2() {
            -0.5 * coded.square * (1.0 - self.rows.accuracy()) * self.unit * self.unit
        } else {
            0.0
        };
        let slope = up(norm * f64::from(share) + error + 1e-6 * (norm + error));
        (Row { scale: (coded.scale * self.unit) as f32, bias: up(bias), slope }, coded.sum)
    }

    /// The least form of a pair that may still be among the k best.
    fn least(&self, i: usize, form: Form, best: &Best) -> f32 {
        let Some(last) = best.last() else { return f32::NEG_INFINITY };
        let score = self.pairs.score(i, last);
        let score = if self.pairs.metric == Metric::L2 { score * score } else { score };
        let value = form.factor * score - form.offset;
        let least = value - 2e-6 * (value.abs() + form.offset.abs() + form.slack);
        if least.is_finite() { (least - least.abs() * 1e-6) as f32 } else { f32::NEG_INFINITY }
    }
}

impl<T: Real> Scan for Screened<'_, T> {
    type Block = Block;
    type Scratch = Scratch;

    fn prepare(&self, queries: Range<usize>) -> Block {
        /// Never rises: every row is scored.
        const OPEN: Form = Form { factor: f64::NAN, offset: 0.0, slack: 0.0 };
        let mut panels = Panels::default();
        let mut forms = Vec::with_capacity(queries.len());
        let unit = if self.is_l2() { self.unit } else { 1.0 };
        panels.pack(queries.len(), self.pairs.left.width(), unit, self.tile, |i, codes| {
            match self.query(queries.start + i, codes) {
                Some((coded, form)) => {
                    forms.push(form);
                    coded
                }
                None => {
                    forms.push(OPEN);
                    codes.fill(0);
                    Coded { scale: 0.0, norm: 0.0, error: 0.0, square: 0.0, sum: 0 }
                }
            }
        });
        Block { range: queries, panels, forms }
    }

    fn scan(&self, block: &Block, chunk: &Chunk, best: &mut [Best], scratch: &mut Scratch) {
        let stride = stride(self.pairs.right.width());
        let Scratch { list, codes, rows, sums, least } = scratch;
        if least.is_empty() {
            least.resize(block.panels.scales.len(), f32::NAN);
            least[..block.range.len()].fill(f32::NEG_INFINITY);
        }
        list.clear();
        list.extend(chunk.rows());
        codes.resize(COPIES * stride, 0);
        for list in list.chunks(COPIES) {
            rows.clear();
            sums.clear();
            for (&j, codes) in list.iter().zip(codes.chunks_exact_mut(stride)) {
                let (row, sum) = self.row(j, block.panels.share, codes);
                rows.push(row);
                sums.push(sum);
            }
            self.meet(block, chunk.candidates.exclude_self, (list, codes, rows, sums), least, best);
        }
    }
}

type Copies<'a> = (&'a [usize], &'a [i8], &'a [Row], &'a [i32]);

impl<T: Real> Screened<'_, T> {
    /// Every query of the block meets some rows.
    fn meet(
        &self,
        block: &Block,
        exclude_self: bool,
        (list, codes, rows, sums): Copies,
        least: &mut [f32],
        best: &mut [Best],
    ) {
        let stride = stride(self.pairs.right.width());
        let mut products = [0; ROWS * TILE];
        for first in (0..block.panels.vectors()).step_by(crate::screen::VECTORS) {
            let panel = block.panels.panel(first);
            for from in (0..list.len()).step_by(ROWS) {
                // Beyond the last row the last one comes again, and is not looked at.
                let at = |r: usize| (from + r).min(list.len() - 1);
                let row = |r| &codes[at(r) * stride..(at(r) + 1) * stride];
                self.tile.products(
                    panel,
                    stride,
                    std::array::from_fn(row),
                    std::array::from_fn(|r| sums[at(r)]),
                    &mut products,
                );
                for r in 0..ROWS.min(list.len() - from) {
                    for v in 0..panel.len() / (LANES * stride) {
                        let lane = (first + v) * LANES;
                        let mut hits = self.reach.hits(
                            &products,
                            (r, v),
                            rows[from + r],
                            lanes(&block.panels.scales, lane),
                            lanes(&block.panels.weights, lane),
                            lanes(least, lane),
                        );
                        while hits != 0 {
                            let i = lane + hits.trailing_zeros() as usize;
                            hits &= hits - 1;
                            let (query, j) = (block.range.start + i, list[from + r]);
                            if !(exclude_self && query == j)
                                && best[i].offer(self.pairs.score(query, j), self.pairs.larger_is_nearer(), j)
                            {
                                least[i] = self.least(query, block.forms[i], &best[i]);
                            }
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

/// About the mean of the candidates (of unit length for cosine), and one over their greatest distance from it. Any
/// mean and any unit give the same neighbours; these make the bounds narrow.
fn center<T: Real>(pairs: &Vectors<T>, candidates: &Candidates) -> (Vec<T>, f64) {
    let width = pairs.right.width();
    let step = candidates.count.div_ceil(SAMPLE).max(1);
    let all = Chunk { candidates, places: 0..candidates.count };
    let sample = || all.rows().step_by(step).map(|j| pairs.right.row(j));
    let factor = |row: &[T]| match pairs.metric {
        Metric::Cosine => 1.0 / pairs.arithmetic.dot(row, row).sqrt(),
        _ => 1.0,
    };
    let mut sums = vec![0.0f64; width];
    let mut count = 0.0;
    for row in sample() {
        let factor = factor(row);
        if factor.is_finite() && row.iter().all(|x| x.is_finite()) {
            count += 1.0;
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += factor * x.into());
        }
    }
    let mut mean: Vec<T> = sums.iter().map(|sum| T::from_f64(sum / count)).collect();
    if !mean.iter().all(|x| x.is_finite()) {
        mean.fill(T::ZERO);
    }
    if pairs.metric == Metric::Cosine {
        return (mean, 1.0);
    }
    let far = sample().map(|row| pairs.arithmetic.l2sq(row, &mean)).filter(|d| d.is_finite());
    let unit = 1.0 / far.fold(0.0, f64::max).sqrt();
    (mean, if NORMS.contains(&unit) { unit } else { 1.0 })
}
