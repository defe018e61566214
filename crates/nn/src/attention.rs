//! Scaled dot-product attention over texts that lie packed behind each other, each attending to itself alone.
//!
//! `softmax(q k^T / sqrt(width)) v` for each head; heads of keys and values are shared by `heads / groups` heads of queries each. Queries go in
//! blocks, so that the scores of a block fit the cache. Cost: `2 * length^2 * width` multiply-adds a text and head (half of it
//! where attention is causal), `48 * length` scores and a head's keys and values of memory a thread.

use crate::linear::Spread;
use std::ops::Range;
use tamis_kernels::cpu::Cpu;
use tamis_kernels::gemm::{Matrix, Target, multiply_into};
use tamis_kernels::normalize::softmax;
use tamis_kernels::panels::{self, Columns, LANES, Panel, Rows, multiply_panel, worth_packing};

/// Queries of a piece, which packs keys and values for itself.
const BLOCK: usize = 256;
/// Queries whose scores are made at a time: they stay in the cache.
const QUERIES: usize = 48;
/// From so many queries on packing pays.
const FEW: usize = 12;

/// How a layer's heads are laid out in rows of `[queries | keys | values]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and of values.
    pub groups: usize,
    /// Numbers of a head.
    pub width: usize,
    /// Whether a token sees only those up to itself.
    pub causal: bool,
}

impl Heads {
    /// Numbers of a row of queries, keys and values.
    pub fn stride(&self) -> usize {
        (self.heads + 2 * self.groups) * self.width
    }

    /// Numbers of a row of results.
    pub fn outputs(&self) -> usize {
        self.heads * self.width
    }
}

/// Writes what the tokens of each text attend to.
///
/// # Panics
/// If the texts do not cover the rows one behind the other, or a slice has another size.
pub fn attend(heads: Heads, texts: &[Range<usize>], rows: &[f32], out: &mut [f32], spread: Spread) {
    let (stride, outputs) = (heads.stride(), heads.outputs());
    let count = rows.len() / stride;
    assert!(rows.len() == count * stride && out.len() == count * outputs, "rows of another width");
    let mut rest = out;
    let mut pieces = Vec::new();
    let mut behind = 0;
    for text in texts {
        assert!(text.start == behind && text.end <= count, "texts one behind the other");
        behind = text.end;
        let (own, after) = rest.split_at_mut(text.len() * outputs);
        rest = after;
        let rows = &rows[text.start * stride..text.end * stride];
        for (block, out) in own.chunks_mut(BLOCK * outputs).enumerate() {
            pieces.push((block * BLOCK, rows, out));
        }
    }
    spread.each(pieces.into_iter(), |_, (first, rows, out)| {
        let part = |head: usize| Part { data: &rows[head * heads.width..], stride };
        let queries = Part { data: &rows[first * stride..], stride };
        let (keys, values) = (part(heads.heads), part(heads.heads + heads.groups));
        block(heads, first, queries, keys, values, rows.len() / stride, out);
    });
}

/// Rows within wider ones.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    data: &'a [f32],
    stride: usize,
}

impl<'a> Part<'a> {
    /// The numbers of a head in each of the first rows.
    fn head(self, head: usize, width: usize, rows: usize) -> Matrix<'a, f32> {
        Matrix::strided(&self.data[head * width..], rows, width, self.stride)
    }
}

/// Queries of the positions from `first` on, over `length` keys and values of the same text.
fn block(
    heads: Heads,
    first: usize,
    queries: Part<'_>,
    keys: Part<'_>,
    values: Part<'_>,
    length: usize,
    out: &mut [f32],
) {
    let count = out.len() / heads.outputs();
    // Packing pays by the number of queries, and needs heads of whole panels.
    let packed = worth_packing(Cpu::current()) && count >= FEW && heads.width.is_multiple_of(LANES);
    let seen = if heads.causal { first + count } else { length };
    let mut memory = Memory::default();
    for group in 0..heads.groups {
        if packed {
            memory.pack(keys, values, group, heads.width, seen);
        }
        let shared = heads.heads / heads.groups;
        for head in group * shared..(group + 1) * shared {
            for from in (0..count).step_by(QUERIES) {
                let rows = QUERIES.min(count - from);
                let head = Head { heads, head, group, first: first + from, from, rows, length };
                match packed {
                    true => head.packed(queries, &mut memory, out),
                    false => head.plain(queries, keys, values, &mut memory.scores, out),
                }
            }
        }
    }
}

/// What a block of queries works in.
#[derive(Debug, Default)]
struct Memory {
    scores: Vec<f32>,
    keys: Vec<f32>,
    /// Panels of sixteen numbers of all values each.
    values: Vec<f32>,
}

impl Memory {
    fn pack(&mut self, keys: Part<'_>, values: Part<'_>, group: usize, width: usize, seen: usize) {
        self.keys.resize(panels::size(width, seen), 0.0);
        panels::pack(&keys.data[group * width..], keys.stride, width, seen, &mut self.keys);
        self.values.resize(seen * width, 0.0);
        for (i, panel) in self.values.chunks_exact_mut(seen * LANES).enumerate() {
            for (row, step) in panel.chunks_exact_mut(LANES).enumerate() {
                let at = row * values.stride + group * width + i * LANES;
                step.copy_from_slice(&values.data[at..at + LANES]);
            }
        }
    }
}

/// Some queries of one head.
#[derive(Debug, Clone, Copy)]
struct Head {
    heads: Heads,
    head: usize,
    group: usize,
    /// The position of the first query, and its row in the block.
    first: usize,
    from: usize,
    rows: usize,
    length: usize,
}

impl Head {
    fn seen(&self) -> usize {
        if self.heads.causal { self.first + self.rows } else { self.length }
    }

    /// Makes shares of scores, [rows, seen] with rows `stride` apart.
    fn shares(&self, scores: &mut [f32], stride: usize) {
        let scale = 1.0 / (self.heads.width as f32).sqrt();
        for (i, row) in scores.chunks_exact_mut(stride).enumerate() {
            let visible = if self.heads.causal { self.first + i + 1 } else { self.length };
            let (visible, hidden) = row.split_at_mut(visible);
            softmax(Cpu::current(), visible, scale);
            hidden.fill(0.0);
        }
    }

    fn packed(&self, queries: Part<'_>, memory: &mut Memory, out: &mut [f32]) {
        let (width, seen, outputs, cpu) =
            (self.heads.width, self.seen(), self.heads.outputs(), Cpu::current());
        let Memory { scores, keys, values } = memory;
        // Every head's values are as long as the whole block sees.
        let length = values.len() / width;
        scores.resize(self.rows * seen, 0.0);
        let at = self.from * queries.stride + self.head * width;
        let rows = Rows { data: &queries.data[at..], stride: queries.stride, count: self.rows };
        let keys = &keys[..panels::size(width, seen)];
        panels::multiply(cpu, rows, keys, width, seen, scores, seen, false);
        self.shares(scores, seen);
        let rows = Rows { data: scores, stride: seen, count: self.rows };
        for (i, panel) in values.chunks_exact(length * LANES).enumerate() {
            let at = self.from * outputs + self.head * width + i * LANES;
            let to = Columns { data: &mut out[at..], stride: outputs, count: LANES, add: false };
            multiply_panel(cpu, rows, Panel { data: panel, stride: LANES }, seen, to);
        }
    }

    fn plain(
        &self,
        queries: Part<'_>,
        keys: Part<'_>,
        values: Part<'_>,
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let (width, seen, outputs) = (self.heads.width, self.seen(), self.heads.outputs());
        scores.resize(self.rows * seen, 0.0);
        let queries = Part { data: &queries.data[self.from * queries.stride..], ..queries };
        let to = Target { data: scores, stride: seen, add: false };
        let keys = keys.head(self.group, width, seen).transpose();
        multiply_into(queries.head(self.head, width, self.rows), keys, 1.0, to);
        self.shares(scores, seen);
        let at = self.from * outputs + self.head * width;
        let to = Target { data: &mut out[at..], stride: outputs, add: false };
        let values = values.head(self.group, width, seen);
        multiply_into(Matrix::new(scores, self.rows, seen), values, 1.0, to);
    }
}

/// The keys and values of a text so far.
#[derive(Debug)]
pub struct Cache {
    heads: Heads,
    /// [positions, groups * width], room for all from the start.
    keys: Vec<f32>,
    values: Vec<f32>,
    positions: usize,
}

impl Cache {
    /// Room for so many tokens.
    pub fn new(heads: Heads, positions: usize) -> Self {
        let room = positions * heads.groups * heads.width;
        Cache { heads, keys: Vec::with_capacity(room), values: Vec::with_capacity(room), positions }
    }

    /// Tokens so far.
    pub fn len(&self) -> usize {
        self.keys.len() / (self.heads.groups * self.heads.width)
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// [`attend`] of tokens that come behind those of the cache, causally; they are added to it.
///
/// # Panics
/// If the cache has no room for them, or a slice has another size.
pub fn attend_cached(cache: &mut Cache, rows: &[f32], out: &mut [f32], spread: Spread) {
    let heads = Heads { causal: true, ..cache.heads };
    let (stride, outputs, first) = (heads.stride(), heads.outputs(), cache.len());
    let count = rows.len() / stride;
    assert!(rows.len() == count * stride && out.len() == count * outputs, "rows of another width");
    assert!(first + count <= cache.positions, "the cache is full");
    let (queries, kept) = (heads.heads * heads.width, heads.groups * heads.width);
    for row in rows.chunks_exact(stride) {
        cache.keys.extend_from_slice(&row[queries..queries + kept]);
        cache.values.extend_from_slice(&row[queries + kept..]);
    }
    let (keys, values) =
        (Part { data: &cache.keys, stride: kept }, Part { data: &cache.values, stride: kept });
    spread.each(out.chunks_mut(BLOCK * outputs), |piece, out| {
        let queries = Part { data: &rows[piece * BLOCK * stride..], stride };
        block(heads, first + piece * BLOCK, queries, keys, values, first + count, out);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tamis_kernels::philox::Philox;

    /// By definition, in float64.
    fn naive(heads: Heads, texts: &[Range<usize>], rows: &[f32]) -> Vec<f64> {
        let Heads { heads: queries, groups, width, causal } = heads;
        let at = |row: usize, head: usize, i: usize| f64::from(rows[row * heads.stride() + head * width + i]);
        let mut out = Vec::new();
        for text in texts {
            for row in text.clone() {
                let seen = if causal { text.start..row + 1 } else { text.clone() };
                for head in 0..queries {
                    let group = head / (queries / groups);
                    let score = |key: usize| {
                        let dot: f64 =
                            (0..width).map(|i| at(row, head, i) * at(key, queries + group, i)).sum();
                        (dot / (width as f64).sqrt()).exp()
                    };
                    let sum: f64 = seen.clone().map(score).sum();
                    out.extend((0..width).map(|i| {
                        seen.clone()
                            .map(|key| score(key) / sum * at(key, queries + groups + group, i))
                            .sum::<f64>()
                    }));
                }
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn it_is_as_defined(
            lengths in prop::collection::vec(1usize..100, 0..4), groups in 1usize..3, shared in 1usize..4,
            narrow in 1usize..6, whole: bool, causal: bool,
        ) {
            let width = if whole { 16 * narrow } else { narrow };
            let heads = Heads { heads: groups * shared, groups, width, causal };
            let texts: Vec<Range<usize>> = lengths
                .iter()
                .scan(0, |at, &length| {
                    *at += length;
                    Some(*at - length..*at)
                })
                .collect();
            let count: usize = lengths.iter().sum();
            let rows: Vec<f32> = Philox::new(1, 0).first_normal(count * heads.stride());
            let mut out = vec![f32::NAN; count * heads.outputs()];
            attend(heads, &texts, &rows, &mut out, Spread::Here);
            let mut spread = out.clone();
            attend(heads, &texts, &rows, &mut spread, Spread::Threads);
            prop_assert_eq!(&out, &spread);
            if let (true, Some(first)) = (causal, texts.first()) {
                // The same by way of a cache, in two steps.
                let (mut cache, cut) = (Cache::new(heads, first.end), first.end / 2);
                let mut cached = vec![f32::NAN; first.end * heads.outputs()];
                let (a, b) = cached.split_at_mut(cut * heads.outputs());
                attend_cached(&mut cache, &rows[..cut * heads.stride()], a, Spread::Here);
                attend_cached(&mut cache, &rows[cut * heads.stride()..first.end * heads.stride()], b, Spread::Threads);
                prop_assert!(cached.iter().zip(&out).all(|(a, b)| (a - b).abs() < 1e-5));
            }
            for (got, want) in out.iter().zip(naive(heads, &texts, &rows)) {
                prop_assert!((f64::from(*got) - want).abs() < 1e-5, "{} {}", got, want);
            }
        }
    }
}
