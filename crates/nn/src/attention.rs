//! Scaled dot-product attention over texts that lie packed behind each other, each attending to itself alone.
//!
//! `softmax(q k^T / sqrt(width)) v` for each head; heads of keys and values are shared by `heads / groups` heads of queries each. Queries go in
//! blocks, so that the scores of a block fit the cache. Cost: `2 * length^2 * width` multiply-adds a text and head (half of it
//! where attention is causal), `64 * length` floats of memory a thread.

use crate::linear::Spread;
use std::ops::Range;
use tamis_kernels::cpu::Cpu;
use tamis_kernels::gemm::{Matrix, Target, multiply_into};
use tamis_kernels::normalize::softmax;

/// Queries whose scores are made at a time.
const BLOCK: usize = 64;

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
    let (width, outputs) = (heads.width, heads.outputs());
    let count = out.len() / outputs;
    let seen = if heads.causal { first + count } else { length };
    let scale = 1.0 / (width as f32).sqrt();
    let mut scores = vec![0.0; count * seen];
    for head in 0..heads.heads {
        let group = head / (heads.heads / heads.groups);
        let to = Target { data: &mut scores, stride: seen, add: false };
        let keys = keys.head(group, width, seen).transpose();
        multiply_into(queries.head(head, width, count), keys, 1.0, to);
        for (i, row) in scores.chunks_exact_mut(seen).enumerate() {
            let visible = if heads.causal { first + i + 1 } else { seen };
            let (visible, hidden) = row.split_at_mut(visible);
            softmax(Cpu::current(), visible, scale);
            hidden.fill(0.0);
        }
        let to = Target { data: &mut out[head * width..], stride: outputs, add: false };
        multiply_into(Matrix::new(&scores, count, seen), values.head(group, width, seen), 1.0, to);
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
            width in 1usize..6, causal: bool,
        ) {
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
