//! Decoders of Llama's family: pre-norm layers of grouped causal attention with rotary positions and gated feed-forward.
//!
//! Memory of a pass: about `4 * hidden + 3 * inner` floats a token of a group, and a slab of logits. Weights stay in the type of their
//! file.

use crate::attention::{Cache, Heads, attend, attend_cached};
use crate::linear::{Factor, Linear, Scratch, Spread};
use crate::pack::places;
use crate::rotary::{Rotary, Turns};
use crate::weight::Weight;
use tamis_kernels::cpu::Cpu;
use tamis_kernels::job::{Aborted, Job};
use tamis_kernels::normalize::{log_sum_exp, rms_norm};
use tamis_kernels::pointwise::{Activation, activate, add, multiply};

/// Rows of row-wise work that go to a thread at a time.
const ROWS: usize = 64;
/// Rows, and outputs of the head, whose logits are made at a time: they stay in the cache.
const LOGITS: [usize; 2] = [256, 2048];

/// A layer.
#[derive(Debug)]
pub struct Layer {
    pub attention_norm: Vec<f32>,
    /// Queries, keys and values in one.
    pub attention: Linear,
    pub output: Linear,
    pub norm: Vec<f32>,
    /// Gate and up in one.
    pub gate_up: Linear,
    pub down: Linear,
    pub heads: Heads,
}

/// A decoder.
#[derive(Debug)]
pub struct Llama {
    pub embedding: Weight,
    pub layers: Vec<Layer>,
    pub norm: Vec<f32>,
    /// None where the embedding serves.
    pub head: Option<Weight>,
    pub rotary: Rotary,
    pub epsilon: f32,
}

/// Told of the states behind a number of layers, [tokens, hidden]; 0 is the embedding's.
pub type Watch<'a> = &'a (dyn Fn(usize, &[f32]) + Sync);

/// What a pass works in, kept from one group to the next.
#[derive(Debug, Default)]
pub struct Memory {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    rows: Vec<f32>,
    attended: Vec<f32>,
    added: Vec<f32>,
    inner: Vec<f32>,
    gated: Vec<f32>,
    logits: Vec<f32>,
    scratch: Scratch,
    turns: Turns,
}

impl Llama {
    /// Numbers of a state.
    pub fn width(&self) -> usize {
        self.embedding.columns
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> usize {
        let layer = |layer: &Layer| {
            [&layer.attention, &layer.output, &layer.gate_up, &layer.down]
                .map(Linear::bytes)
                .iter()
                .sum::<usize>()
        };
        let head = self.head.as_ref().map_or(0, Weight::bytes);
        self.embedding.bytes() + head + self.layers.iter().map(layer).sum::<usize>()
    }

    /// Tokens there are.
    pub fn vocabulary(&self) -> usize {
        self.embedding.rows
    }

    fn embed<'a>(&self, tokens: impl Iterator<Item = &'a u32>, hidden: &mut [f32], scratch: &mut Vec<f32>) {
        for (&token, row) in tokens.zip(hidden.chunks_exact_mut(self.width())) {
            let token = token as usize;
            row.copy_from_slice(self.embedding.widen(token..token + 1, scratch));
        }
    }

    /// Runs texts' tokens through all layers and the last norm; the states are left in the memory.
    ///
    /// # Panics
    /// If a token is none of the vocabulary.
    pub fn forward(
        &self,
        texts: &[&[u32]],
        memory: &mut Memory,
        spread: Spread,
        job: &Job,
        watch: Watch<'_>,
    ) -> Result<(), Aborted> {
        let places = places(texts.iter().map(|text| text.len()));
        let tokens = places.last().map_or(0, |last| last.end);
        memory.hidden.resize(tokens * self.width(), 0.0);
        self.embed(texts.iter().copied().flatten(), &mut memory.hidden, &mut memory.scratch.wide);
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        self.rotary.turns(0, longest, &mut memory.turns);
        for (i, layer) in self.layers.iter().enumerate() {
            job.check()?;
            watch(i, &memory.hidden);
            layer.attention_in(self.epsilon, memory, spread);
            let (heads, stride) = (layer.heads, layer.heads.stride());
            let Memory { rows, attended, turns, .. } = memory;
            for text in &places {
                let rows = &mut rows[text.start * stride..text.end * stride];
                spread.each(rows.chunks_mut(ROWS * stride), |piece, rows| {
                    for (at, row) in (piece * ROWS..).zip(rows.chunks_exact_mut(stride)) {
                        turns.turn(at, row, heads.heads + heads.groups, heads.width);
                    }
                });
            }
            attended.resize(tokens * heads.outputs(), 0.0);
            attend(heads, &places, rows, attended, spread);
            layer.rest(self.epsilon, memory, spread);
        }
        watch(self.layers.len(), &memory.hidden);
        norm_rows(&memory.hidden, &self.norm, self.epsilon, &mut memory.normed, spread);
        Ok(())
    }

    /// The natural logarithm of the odds against each token behind its text's first, text by text: what a text of n tokens has n - 1 of.
    ///
    /// # Panics
    /// If a token is none of the vocabulary.
    pub fn losses(
        &self,
        texts: &[&[u32]],
        memory: &mut Memory,
        spread: Spread,
        job: &Job,
    ) -> Result<Vec<f32>, Aborted> {
        self.forward(texts, memory, spread, job, &|_, _| {})?;
        let width = self.width();
        // States that predict a token, each with it.
        let mut predicted = Vec::new();
        let mut kept = 0;
        let mut row = 0;
        for text in texts {
            for &next in text.iter().skip(1) {
                memory.normed.copy_within(row * width..(row + 1) * width, kept * width);
                predicted.push(next);
                kept += 1;
                row += 1;
            }
            row += usize::from(!text.is_empty());
        }
        memory.normed.truncate(kept * width);
        self.head_losses(&predicted, memory, spread, job)
    }

    /// Goes through the head slab by slab, so that no more than a slab of logits is ever there.
    fn head_losses(
        &self,
        tokens: &[u32],
        memory: &mut Memory,
        spread: Spread,
        job: &Job,
    ) -> Result<Vec<f32>, Aborted> {
        let [rows, slab] = LOGITS;
        let (width, vocabulary) = (self.width(), self.vocabulary());
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        let mut sums = vec![f64::NEG_INFINITY; tokens.len()];
        let mut own = vec![0.0f32; tokens.len()];
        let Memory { normed, logits, scratch, .. } = memory;
        for from in (0..vocabulary).step_by(slab) {
            job.check()?;
            let to = vocabulary.min(from + slab);
            let factor = Factor::of(head, from..to, tokens.len(), scratch);
            let pieces = normed.chunks(rows * width).zip(sums.chunks_mut(rows)).zip(own.chunks_mut(rows));
            let pieces = pieces.zip(tokens.chunks(rows));
            logits.resize(tokens.len() * (to - from), 0.0);
            let pieces = pieces.zip(logits.chunks_mut(rows * (to - from)));
            spread.each(pieces, |_, ((((states, sums), own), tokens), logits)| {
                factor.product(states, logits, to - from, false);
                let rows = logits.chunks_exact(to - from).zip(sums).zip(own.iter_mut().zip(tokens));
                for ((logits, sum), (own, &token)) in rows {
                    let here = log_sum_exp(Cpu::current(), logits);
                    let most = sum.max(here);
                    *sum = most + ((*sum - most).exp() + (here - most).exp()).ln();
                    if (from..to).contains(&(token as usize)) {
                        *own = logits[token as usize - from];
                    }
                }
            });
        }
        Ok(sums.iter().zip(own).map(|(sum, own)| (sum - f64::from(own)) as f32).collect())
    }

    /// The logits of texts' tokens, [tokens, vocabulary].
    pub fn logits(
        &self,
        texts: &[&[u32]],
        memory: &mut Memory,
        spread: Spread,
        job: &Job,
    ) -> Result<Vec<f32>, Aborted> {
        self.forward(texts, memory, spread, job, &|_, _| {})?;
        let mut out = vec![0.0; memory.normed.len() / self.width() * self.vocabulary()];
        self.head(&memory.normed, &mut out, &mut memory.scratch, spread);
        Ok(out)
    }

    fn head(&self, normed: &[f32], out: &mut [f32], scratch: &mut Scratch, spread: Spread) {
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        crate::linear::forward(head, None, normed, out, scratch, spread);
    }

    /// A cache for texts of at most `positions` tokens.
    pub fn cache(&self, positions: usize) -> Vec<Cache> {
        self.layers.iter().map(|layer| Cache::new(layer.heads, positions)).collect()
    }

    /// Goes on with a text: adds tokens to the cache and gives the logits behind the last one.
    ///
    /// # Panics
    /// If there is no token, or the cache is full.
    pub fn go_on(&self, tokens: &[u32], cache: &mut [Cache], memory: &mut Memory) -> Vec<f32> {
        let (width, spread) = (self.width(), Spread::Threads);
        let first = cache.first().map_or(0, Cache::len);
        memory.hidden.resize(tokens.len() * width, 0.0);
        self.embed(tokens.iter(), &mut memory.hidden, &mut memory.scratch.wide);
        self.rotary.turns(first, tokens.len(), &mut memory.turns);
        for (layer, cache) in self.layers.iter().zip(cache) {
            layer.attention_in(self.epsilon, memory, spread);
            let (heads, stride) = (layer.heads, layer.heads.stride());
            let Memory { rows, attended, turns, .. } = memory;
            for (at, row) in rows.chunks_exact_mut(stride).enumerate() {
                turns.turn(at, row, heads.heads + heads.groups, heads.width);
            }
            attended.resize(tokens.len() * heads.outputs(), 0.0);
            attend_cached(cache, rows, attended, spread);
            layer.rest(self.epsilon, memory, spread);
        }
        let last = memory.hidden.len() - width;
        norm_rows(&memory.hidden[last..], &self.norm, self.epsilon, &mut memory.normed, spread);
        let mut out = vec![0.0; self.vocabulary()];
        self.head(&memory.normed, &mut out, &mut memory.scratch, spread);
        out
    }
}

impl Layer {
    /// Makes queries, keys and values of the hidden states.
    fn attention_in(&self, epsilon: f32, memory: &mut Memory, spread: Spread) {
        let Memory { hidden, normed, rows, scratch, .. } = memory;
        norm_rows(hidden, &self.attention_norm, epsilon, normed, spread);
        rows.resize(hidden.len() / self.attention.inputs() * self.heads.stride(), 0.0);
        self.attention.forward(normed, rows, scratch, spread);
    }

    /// Adds what was attended to, and the feed-forward.
    fn rest(&self, epsilon: f32, memory: &mut Memory, spread: Spread) {
        let Memory { hidden, normed, attended, added, inner, gated, scratch, .. } = memory;
        added.resize(hidden.len(), 0.0);
        self.output.forward(attended, added, scratch, spread);
        add_rows(hidden, added, spread);
        norm_rows(hidden, &self.norm, epsilon, normed, spread);
        let (tokens, width) = (hidden.len() / self.norm.len(), self.down.inputs());
        inner.resize(tokens * 2 * width, 0.0);
        self.gate_up.forward(normed, inner, scratch, spread);
        gated.resize(tokens * width, 0.0);
        let pieces = inner.chunks(ROWS * 2 * width).zip(gated.chunks_mut(ROWS * width));
        spread.each(pieces, |_, (inner, gated)| {
            for (inner, gated) in inner.chunks_exact(2 * width).zip(gated.chunks_exact_mut(width)) {
                gated.copy_from_slice(&inner[..width]);
                activate(Cpu::current(), Activation::Silu, gated);
                multiply(Cpu::current(), gated, &inner[width..]);
            }
        });
        self.down.forward(gated, added, scratch, spread);
        add_rows(hidden, added, spread);
    }
}

fn norm_rows(x: &[f32], weight: &[f32], epsilon: f32, out: &mut Vec<f32>, spread: Spread) {
    let width = weight.len();
    out.resize(x.len(), 0.0);
    let pieces = x.chunks(ROWS * width).zip(out.chunks_mut(ROWS * width));
    spread.each(pieces, |_, (x, out)| {
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            rms_norm(Cpu::current(), x, weight, epsilon, out);
        }
    });
}

fn add_rows(x: &mut [f32], y: &[f32], spread: Spread) {
    const PIECE: usize = 1 << 14;
    spread.each(x.chunks_mut(PIECE).zip(y.chunks(PIECE)), |_, (x, y)| add(Cpu::current(), x, y));
}
