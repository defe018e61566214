//! Which decoders are read, and what their settings and tensors are called in folders of safetensors and in GGUF files.

use crate::attention::Heads;
use crate::config::Settings;
use crate::linear::Linear;
use crate::llama::{Layer, Llama};
use crate::rotary::{Rotary, Scaling};
use crate::weight::{Source, Weight};
use tamis_store::error::Error;
use tamis_store::gguf::Gguf;

/// What a decoder is built from.
#[derive(Debug, Clone)]
pub struct Plan {
    layers: usize,
    hidden: usize,
    inner: usize,
    heads: Heads,
    vocabulary: usize,
    /// Positions that it was made for.
    pub positions: usize,
    epsilon: f64,
    theta: f64,
    scaling: Scaling,
    /// Whether the embedding is the head, too; none if the tensors say.
    tied: Option<bool>,
}

/// The most channels of all heads.
const MOST_WIDE: usize = 1 << 24;

/// `model_type`s whose decoders are Llama's.
const TYPES: [&str; 2] = ["llama", "mistral"];

impl Plan {
    /// What a `config.json` says.
    ///
    /// # Errors
    /// `ERR_TAMIS_FORMAT` with the member: another architecture, a bias, a scaling of positions, or an activation that is not read.
    pub fn of_config(config: &Settings) -> Result<Self, Error> {
        let kind = config.text("model_type")?;
        if !TYPES.contains(&kind) {
            return Err(config.bad(format!(
                "model_type is {kind:?}: causal language models of the types {} are read",
                TYPES.join(", ")
            )));
        }
        for name in ["attention_bias", "mlp_bias"] {
            if config.flag(name, false)? {
                return Err(config.bad(format!("{name} is true: layers without a bias are read")));
            }
        }
        if let Some(window) = config.get("sliding_window") {
            return Err(config.bad(format!("sliding_window is {window}: attention over all is read")));
        }
        let activation = config.get("hidden_act").map_or(Ok("silu"), |_| config.text("hidden_act"))?;
        if activation != "silu" {
            return Err(config.bad(format!("hidden_act is {activation:?}: silu is read")));
        }
        let (hidden, heads) = (config.count("hidden_size")?, config.count("num_attention_heads")?);
        let groups = config.count_or("num_key_value_heads", heads)?;
        let width = config.count_or("head_dim", hidden / heads)?;
        let positions = config.count_or("max_position_embeddings", 2048)?;
        // Newer configurations keep all of it in one member.
        let rope = config.get("rope_parameters").or(config.get("rope_scaling"));
        let inside = rope.and_then(|rope| rope.get("rope_theta")).and_then(serde_json::Value::as_f64);
        let theta = match inside {
            Some(theta) => theta,
            None => config.positive("rope_theta", Some(10_000.0))?,
        };
        let plan = Plan {
            layers: config.count("num_hidden_layers")?,
            hidden,
            inner: config.count("intermediate_size")?,
            heads: Heads { heads, groups, width, causal: true },
            vocabulary: config.count("vocab_size")?,
            positions,
            epsilon: config.positive("rms_norm_eps", Some(1e-6))?,
            theta,
            scaling: rope.map_or(Ok(Scaling::None), |rope| scaling(config, rope))?,
            tied: Some(config.flag("tie_word_embeddings", false)?),
        };
        plan.check().map_err(|why| config.bad(why))?;
        Ok(plan)
    }

    /// What the metadata of a GGUF file say.
    ///
    /// # Errors
    /// The same.
    pub fn of_gguf(file: &Gguf) -> Result<Self, Error> {
        let bad = |message: String| Error::format(file.path(), None, message);
        let kind = file.text("general.architecture").unwrap_or_default();
        if kind != "llama" {
            return Err(bad(format!("general.architecture is {kind:?}: llama is read")));
        }
        let count = |name: &str| -> Result<usize, Error> {
            let name = format!("llama.{name}");
            let count = file.unsigned(&name).filter(|n| (1..=1 << 24).contains(n));
            count
                .map(|n| n as usize)
                .ok_or_else(|| bad(format!("{name} must be a whole number from 1 to 16777216")))
        };
        let or = |name: &str, usual: usize| match file.get(&format!("llama.{name}")) {
            None => Ok(usual),
            Some(_) => count(name),
        };
        if let Some(kind) = file.text("llama.rope.scaling.type").filter(|kind| *kind != "none") {
            return Err(bad(format!("llama.rope.scaling.type is {kind:?}: none is read")));
        }
        let (hidden, heads) = (count("embedding_length")?, count("attention.head_count")?);
        let vocabulary = file.find("token_embd.weight").and_then(|tensor| tensor.dims.first().copied());
        let plan = Plan {
            layers: count("block_count")?,
            hidden,
            inner: count("feed_forward_length")?,
            heads: Heads {
                heads,
                groups: or("attention.head_count_kv", heads)?,
                width: or("attention.key_length", hidden / heads)?,
                causal: true,
            },
            vocabulary: vocabulary.ok_or_else(|| bad("the tensor \"token_embd.weight\" is missing".into()))?
                as usize,
            positions: count("context_length")?,
            epsilon: file
                .float("llama.attention.layer_norm_rms_epsilon")
                .filter(|x| *x > 0.0)
                .ok_or_else(|| bad("llama.attention.layer_norm_rms_epsilon must be above 0".into()))?,
            theta: file.float("llama.rope.freq_base").unwrap_or(10_000.0),
            scaling: Scaling::None,
            tied: None,
        };
        plan.check().map_err(bad)?;
        Ok(plan)
    }

    /// The `config.json` of a GGUF file's model whose weights are written in a type.
    pub fn config(&self, file: &Gguf, dtype: &str) -> serde_json::Value {
        // As short as the float32 that the file holds.
        let short = |x: f64| (x as f32).to_string().parse::<f64>().unwrap_or(x);
        let id = |name: &str| file.unsigned(&format!("tokenizer.ggml.{name}_token_id"));
        serde_json::json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama",
            "hidden_size": self.hidden, "intermediate_size": self.inner, "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads.heads, "num_key_value_heads": self.heads.groups,
            "head_dim": self.heads.width, "vocab_size": self.vocabulary, "hidden_act": "silu",
            "max_position_embeddings": self.positions, "rms_norm_eps": short(self.epsilon),
            "rope_theta": short(self.theta), "rope_scaling": null, "attention_bias": false, "mlp_bias": false,
            "tie_word_embeddings": file.find("output.weight").is_none(), "torch_dtype": dtype,
            "bos_token_id": id("bos"), "eos_token_id": id("eos"), "pad_token_id": id("padding"),
        })
    }

    fn check(&self) -> Result<(), String> {
        let Heads { heads, groups, width, .. } = self.heads;
        if !heads.is_multiple_of(groups) {
            return Err(format!("the heads of keys must divide those of queries: {groups}, {heads}"));
        }
        if width == 0 || !width.is_multiple_of(2) || heads * width > MOST_WIDE {
            return Err(format!(
                "a head must have an even number of channels from 2 on, got {width} of {heads}"
            ));
        }
        if !(self.theta > 1.0 && self.theta.is_finite()) {
            return Err(format!("the base of rotary positions must be above 1, got {}", self.theta));
        }
        Ok(())
    }

    /// Loads the weights.
    ///
    /// # Errors
    /// `ERR_TAMIS_FORMAT` with the tensor's name: it is missing, has another shape or a type that is not read.
    pub fn load(&self, source: &Source) -> Result<Llama, Error> {
        let [embedding, norm, head] = self.ends();
        // A file of a tied model may hold a copy of the embedding as its head.
        let tied = self.tied.unwrap_or(!source.has(head.name(source)));
        let width = self.heads.width;
        let scaling = match source.has(FREQUENCIES) {
            true => Scaling::Each(source.vector(FREQUENCIES, width / 2)?),
            false => self.scaling.clone(),
        };
        Ok(Llama {
            embedding: embedding.load(source)?,
            layers: (0..self.layers).map(|i| self.layer(source, i)).collect::<Result<_, _>>()?,
            norm: norm.load(source)?.into_f32(),
            head: if tied { None } else { Some(head.load(source)?) },
            rotary: Rotary::new(width, self.theta, &scaling),
            epsilon: self.epsilon as f32,
        })
    }

    fn layer(&self, source: &Source, i: usize) -> Result<Layer, Error> {
        let parts = self.layer_parts(i);
        for part in &parts {
            let bias = part.name(source).replace(".weight", ".bias");
            if source.has(&bias) {
                return Err(source.bad(format!("holds the tensor {bias:?}: layers without a bias are read")));
            }
        }
        let [attention_norm, q, k, v, output, norm, gate, up, down] = parts.map(|part| part.load(source));
        Ok(Layer {
            attention_norm: attention_norm?.into_f32(),
            attention: Linear::new(Weight::stack(vec![q?, k?, v?]), None),
            output: Linear::new(output?, None),
            norm: norm?.into_f32(),
            gate_up: Linear::new(Weight::stack(vec![gate?, up?]), None),
            down: Linear::new(down?, None),
            heads: self.heads,
        })
    }

    /// All tensors, in the order of the layers; without the head of a file that has none.
    pub fn parts(&self, source: &Source) -> Vec<Part> {
        let [embedding, norm, head] = self.ends();
        let head = source.has(head.name(source)).then_some(head);
        let layers = (0..self.layers).flat_map(|i| self.layer_parts(i));
        [embedding].into_iter().chain(layers).chain([norm]).chain(head).collect()
    }

    fn ends(&self) -> [Part; 3] {
        let &Plan { hidden, vocabulary, .. } = self;
        [
            Part::new("model.embed_tokens", "token_embd", vec![vocabulary, hidden]),
            Part::new("model.norm", "output_norm", vec![hidden]),
            Part::new("lm_head", "output", vec![vocabulary, hidden]),
        ]
    }

    fn layer_parts(&self, i: usize) -> [Part; 9] {
        let &Plan { hidden, inner, heads, .. } = self;
        let (queries, kept) = (heads.heads * heads.width, heads.groups * heads.width);
        let part = |usual: &str, gguf: &str, shape: &[usize]| {
            Part::new(&format!("model.layers.{i}.{usual}"), &format!("blk.{i}.{gguf}"), shape.to_vec())
        };
        [
            part("input_layernorm", "attn_norm", &[hidden]),
            part("self_attn.q_proj", "attn_q", &[queries, hidden]).in_pairs(heads.heads),
            part("self_attn.k_proj", "attn_k", &[kept, hidden]).in_pairs(heads.groups),
            part("self_attn.v_proj", "attn_v", &[kept, hidden]),
            part("self_attn.o_proj", "attn_output", &[hidden, queries]),
            part("post_attention_layernorm", "ffn_norm", &[hidden]),
            part("mlp.gate_proj", "ffn_gate", &[inner, hidden]),
            part("mlp.up_proj", "ffn_up", &[inner, hidden]),
            part("mlp.down_proj", "ffn_down", &[hidden, inner]),
        ]
    }
}

/// Of GGUF files: what each frequency of positions is divided by.
pub const FREQUENCIES: &str = "rope_freqs.weight";

/// A tensor of a decoder.
#[derive(Debug)]
pub struct Part {
    /// Its name in folders of safetensors.
    pub usual: String,
    gguf: String,
    pub shape: Vec<usize>,
    /// Heads whose rows lie in pairs in GGUF files; 0 where none do.
    paired: usize,
}

impl Part {
    fn new(usual: &str, gguf: &str, shape: Vec<usize>) -> Self {
        Part { usual: format!("{usual}.weight"), gguf: format!("{gguf}.weight"), shape, paired: 0 }
    }

    fn in_pairs(self, heads: usize) -> Self {
        Part { paired: heads, ..self }
    }

    fn name(&self, source: &Source) -> &str {
        match source {
            Source::Safetensors(_) => &self.usual,
            Source::Gguf(_) => &self.gguf,
        }
    }

    /// The tensor, its rows in the order of folders; a vector is one row.
    pub fn load(&self, source: &Source) -> Result<Weight, Error> {
        let weight = source.load(self.name(source), &self.shape)?;
        let is_paired = self.paired > 0 && matches!(source, Source::Gguf(_));
        Ok(if is_paired { weight.unpermute(self.paired) } else { weight })
    }
}

fn scaling(config: &Settings, rope: &serde_json::Value) -> Result<Scaling, Error> {
    let kind = rope.get("rope_type").or(rope.get("type")).and_then(serde_json::Value::as_str);
    let number = |name: &str| {
        let number = rope.get(name).and_then(serde_json::Value::as_f64).filter(|x| *x > 0.0);
        number.ok_or_else(|| config.bad(format!("{name} of the scaling of positions must be above 0")))
    };
    match kind {
        None | Some("default") => Ok(Scaling::None),
        Some("linear") => Ok(Scaling::Linear { factor: number("factor")? }),
        Some("llama3") => {
            let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
            if high <= low {
                return Err(
                    config.bad(format!("high_freq_factor must be above low_freq_factor: {high}, {low}"))
                );
            }
            let (factor, original) = (number("factor")?, number("original_max_position_embeddings")?);
            Ok(Scaling::Llama3 { factor, low, high, original })
        }
        Some(other) => Err(config.bad(format!(
            "positions are scaled by {other:?} (rope_scaling): default, linear and llama3 are read"
        ))),
    }
}
