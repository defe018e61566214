//! Encoders of BERT's family: BERT, RoBERTa and XLM-RoBERTa, DistilBERT.
//!
//! Post-norm transformer layers over absolute positions. Memory of a pass: about `4 * intermediate + 6 * hidden` floats a token of
//! a group.

use crate::attention::{Heads, attend};
use crate::config::Settings;
use crate::linear::{Linear, Scratch, Spread};
use crate::pack::places;
use crate::weight::{Source, Weight};
use tamis_kernels::cpu::Cpu;
use tamis_kernels::normalize::layer_norm;
use tamis_kernels::pointwise::{Activation, activate, add};
use tamis_store::error::Error;

/// Rows of row-wise work that go to a thread at a time.
const ROWS: usize = 64;

/// A layer norm.
#[derive(Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

#[derive(Debug)]
struct Layer {
    /// Queries, keys and values in one.
    attention: Linear,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

/// An encoder.
#[derive(Debug)]
pub struct Bert {
    words: Weight,
    positions: Weight,
    /// The position of a text's first token: RoBERTa counts from behind its padding token.
    first_position: usize,
    /// Of the first type, which all tokens have.
    kind: Option<Vec<f32>>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: Heads,
    activation: Activation,
}

/// What a pass works in, kept from one group to the next.
#[derive(Debug, Default)]
pub struct Memory {
    hidden: Vec<f32>,
    rows: Vec<f32>,
    attended: Vec<f32>,
    added: Vec<f32>,
    inner: Vec<f32>,
    scratch: Scratch,
}

/// What the tensors and settings of a family are called.
struct Names {
    hidden: &'static str,
    layers: &'static str,
    heads: &'static str,
    inner: &'static str,
    activation: &'static str,
    layer: &'static str,
    /// Queries, keys, values, output.
    attention: [&'static str; 4],
    attention_norm: &'static str,
    up: &'static str,
    down: &'static str,
    norm: &'static str,
}

const BERT: Names = Names {
    hidden: "hidden_size",
    layers: "num_hidden_layers",
    heads: "num_attention_heads",
    inner: "intermediate_size",
    activation: "hidden_act",
    layer: "encoder.layer",
    attention: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
    ],
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};

const DISTILBERT: Names = Names {
    hidden: "dim",
    layers: "n_layers",
    heads: "n_heads",
    inner: "hidden_dim",
    activation: "activation",
    layer: "transformer.layer",
    attention: ["attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"],
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm: "output_layer_norm",
};

/// The families, by `model_type`.
pub const FAMILIES: [&str; 5] = ["bert", "roberta", "xlm-roberta", "camembert", "distilbert"];

impl Bert {
    /// Loads an encoder.
    ///
    /// # Errors
    /// `ERR_TAMIS_FORMAT`: another architecture, by its name; a setting or a tensor that is missing or wrong, by its own.
    pub fn load(config: &Settings, source: &Source) -> Result<Self, Error> {
        let family = config.text("model_type")?;
        let names = match family {
            "distilbert" => DISTILBERT,
            _ if FAMILIES.contains(&family) => BERT,
            other => {
                return Err(config.bad(format!(
                    "model_type is {other:?}: embedders of the types {} are read",
                    FAMILIES.join(", ")
                )));
            }
        };
        if let Some(kind) = config.get("position_embedding_type")
            && kind != "absolute"
        {
            return Err(config.bad(format!("position_embedding_type is {kind}: \"absolute\" is read")));
        }
        let activation = match config.text(names.activation)? {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluTanh,
            "relu" => Activation::Relu,
            other => {
                return Err(config.bad(format!(
                    "{} is {other:?}: gelu, gelu_new, gelu_pytorch_tanh, gelu_fast and relu are read",
                    names.activation
                )));
            }
        };
        let (hidden, inner) = (config.count(names.hidden)?, config.count(names.inner)?);
        let heads = config.count(names.heads)?;
        if hidden % heads != 0 {
            return Err(
                config.bad(format!("{} must divide {}: {heads}, {hidden}", names.heads, names.hidden))
            );
        }
        let epsilon = config.positive("layer_norm_eps", Some(1e-12))? as f32;
        let prefixes = ["", "bert.", "roberta.", "distilbert.", "0.auto_model."];
        let usual = "embeddings.word_embeddings.weight";
        let prefix =
            prefixes.into_iter().find(|prefix| source.has(&format!("{prefix}{usual}"))).unwrap_or("");
        let vector = |name: String, length| source.vector(&format!("{prefix}{name}"), length);
        let matrix = |name: String, rows, columns| source.matrix(&format!("{prefix}{name}"), rows, columns);
        let norm = |name: String| -> Result<Norm, Error> {
            // Early checkpoints have the names of TensorFlow.
            let old = source.has(&format!("{prefix}{name}.gamma"));
            let [weight, bias] = if old { ["gamma", "beta"] } else { ["weight", "bias"] };
            Ok(Norm {
                weight: vector(format!("{name}.{weight}"), hidden)?,
                bias: vector(format!("{name}.{bias}"), hidden)?,
                epsilon,
            })
        };
        let linear = |name: String, inputs, outputs| -> Result<Linear, Error> {
            let weight = matrix(format!("{name}.weight"), outputs, inputs)?;
            Ok(Linear::new(weight, Some(vector(format!("{name}.bias"), outputs)?)))
        };
        let layer = |i: usize| -> Result<Layer, Error> {
            let name = |part: &str| format!("{}.{i}.{part}", names.layer);
            let [query, key, value, output] = names.attention;
            let mut weights = Vec::new();
            let mut biases = Vec::new();
            for part in [query, key, value] {
                weights.push(matrix(format!("{}.weight", name(part)), hidden, hidden)?);
                biases.extend(vector(format!("{}.bias", name(part)), hidden)?);
            }
            Ok(Layer {
                attention: Linear::new(Weight::stack(weights), Some(biases)),
                output: linear(name(output), hidden, hidden)?,
                attention_norm: norm(name(names.attention_norm))?,
                up: linear(name(names.up), hidden, inner)?,
                down: linear(name(names.down), inner, hidden)?,
                norm: norm(name(names.norm))?,
            })
        };
        let kinds = config.count_or("type_vocab_size", 2)?;
        let kind_name = "embeddings.token_type_embeddings.weight";
        let kind = match source.has(&format!("{prefix}{kind_name}")) {
            true => Some(matrix(kind_name.into(), kinds, hidden)?.into_f32()[..hidden].to_vec()),
            false => None,
        };
        let padded = matches!(family, "roberta" | "xlm-roberta" | "camembert");
        let first_position = match padded {
            true => {
                config.get("pad_token_id").and_then(serde_json::Value::as_u64).unwrap_or(1).saturating_add(1)
                    as usize
            }
            false => 0,
        };
        let (words, places) = (config.count("vocab_size")?, config.count("max_position_embeddings")?);
        if first_position >= places {
            return Err(config.bad("max_position_embeddings leaves no position for a token"));
        }
        Ok(Bert {
            words: matrix("embeddings.word_embeddings.weight".into(), words, hidden)?,
            positions: matrix("embeddings.position_embeddings.weight".into(), places, hidden)?,
            first_position,
            kind,
            norm: norm("embeddings.LayerNorm".into())?,
            layers: (0..config.count(names.layers)?).map(layer).collect::<Result<_, _>>()?,
            heads: Heads { heads, groups: heads, width: hidden / heads, causal: false },
            activation,
        })
    }

    /// Numbers of a state.
    pub fn width(&self) -> usize {
        self.words.columns
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> usize {
        let layer = |layer: &Layer| {
            [&layer.attention, &layer.output, &layer.up, &layer.down].map(Linear::bytes).iter().sum::<usize>()
        };
        self.words.bytes() + self.positions.bytes() + self.layers.iter().map(layer).sum::<usize>()
    }

    /// The most tokens of a text.
    pub fn most_tokens(&self) -> usize {
        self.positions.rows - self.first_position
    }

    /// Tokens there are.
    pub fn vocabulary(&self) -> usize {
        self.words.rows
    }

    /// The last layer's states of texts' tokens, one text behind the other, [tokens, width].
    ///
    /// # Panics
    /// If a text is longer than [`most_tokens`](Self::most_tokens), or a token is none of the vocabulary.
    pub fn forward<'a>(&self, texts: &[&[u32]], memory: &'a mut Memory, spread: Spread) -> &'a [f32] {
        let width = self.width();
        let places = places(texts.iter().map(|text| text.len()));
        let tokens = places.last().map_or(0, |last| last.end);
        let Memory { hidden, rows, attended, added, inner, scratch } = memory;
        hidden.resize(tokens * width, 0.0);
        self.embed(texts, hidden, &mut scratch.wide);
        for layer in &self.layers {
            rows.resize(tokens * self.heads.stride(), 0.0);
            layer.attention.forward(hidden, rows, scratch, spread);
            attended.resize(tokens * width, 0.0);
            attend(self.heads, &places, rows, attended, spread);
            added.resize(tokens * width, 0.0);
            layer.output.forward(attended, added, scratch, spread);
            layer.attention_norm.add(hidden, added, spread);
            let outputs = layer.up.outputs();
            inner.resize(tokens * outputs, 0.0);
            layer.up.forward(hidden, inner, scratch, spread);
            let pieces = inner.chunks_mut(ROWS * outputs);
            spread.each(pieces, |_, rows| activate(Cpu::current(), self.activation, rows));
            layer.down.forward(inner, added, scratch, spread);
            layer.norm.add(hidden, added, spread);
        }
        hidden
    }

    /// Writes the normed sums of words', positions' and types' embeddings.
    fn embed(&self, texts: &[&[u32]], hidden: &mut [f32], scratch: &mut Vec<f32>) {
        let (width, cpu) = (self.width(), Cpu::current());
        let places = texts.iter().flat_map(|text| text.iter().zip(self.first_position..));
        for ((&token, position), row) in places.zip(hidden.chunks_exact_mut(width)) {
            let token = token as usize;
            row.copy_from_slice(self.words.widen(token..token + 1, scratch));
            add(cpu, row, self.positions.widen(position..position + 1, scratch));
            if let Some(kind) = &self.kind {
                add(cpu, row, kind);
            }
            layer_norm(cpu, row, &self.norm.weight, &self.norm.bias, self.norm.epsilon);
        }
    }
}

impl Norm {
    /// `x = norm(x + y)`, row by row.
    fn add(&self, x: &mut [f32], y: &[f32], spread: Spread) {
        let (width, cpu) = (self.weight.len(), Cpu::current());
        let pieces = x.chunks_mut(ROWS * width).zip(y.chunks(ROWS * width));
        spread.each(pieces, |_, (x, y)| {
            for (x, y) in x.chunks_exact_mut(width).zip(y.chunks_exact(width)) {
                add(cpu, x, y);
                layer_norm(cpu, x, &self.weight, &self.bias, self.epsilon);
            }
        });
    }
}
