//! Texts to vectors, by a folder of a sentence embedder.

use crate::bert::{Bert, Memory};
use crate::config::Settings;
use crate::pack::{self, groups, places};
use crate::tokens::Tokens;
use crate::weight::Source;
use rayon::prelude::*;
use std::ops::Range;
use std::path::Path;
use tamis_kernels::cpu::Cpu;
use tamis_kernels::job::Job;
use tamis_kernels::pointwise::add;
use tamis_kernels::threads;
use tamis_kernels::unit::unit_row;
use tamis_store::checkpoint::Checkpoint;
use tamis_store::error::Error;

/// What of a text's states makes its vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of all tokens' states.
    Mean,
    /// The first token's.
    Cls,
}

impl Pooling {
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Mean => "mean",
            Pooling::Cls => "cls",
        }
    }
}

/// What a caller wants other than what the folder says.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub pooling: Option<Pooling>,
    pub normalize: Option<bool>,
    pub max_tokens: Option<usize>,
}

/// A sentence embedder.
#[derive(Debug)]
pub struct TextEmbedder {
    tokens: Tokens,
    model: Bert,
    pooling: Pooling,
    normalize: bool,
    most: usize,
}

impl TextEmbedder {
    /// Loads `config.json`, `tokenizer.json` and the safetensors of a folder. Pooling, norm and the most tokens are those of its sentence-embedder
    /// files (`modules.json`, `1_Pooling/config.json`, `sentence_bert_config.json`); without them the mean, normalised, and as many tokens as the model has
    /// positions. The options rule over both.
    ///
    /// # Errors
    /// `ERR_TAMIS_IO`, and `ERR_TAMIS_FORMAT` with the file and the member: what is missing, damaged, or not known here.
    pub fn open(folder: &Path, options: &Options) -> Result<Self, Error> {
        let config = Settings::read(&folder.join("config.json"))?;
        let about = About::read(folder)?;
        let source = Source::Safetensors(Checkpoint::open(folder)?);
        let model = Bert::load(&config, &source)?;
        source.check_unchanged()?;
        let positions = model.most_tokens();
        let most = match options.max_tokens {
            Some(most) if most > positions => {
                return Err(Error::range(format!(
                    "maxTokens must be at most {positions}, the positions of the model, got {most}"
                )));
            }
            Some(most) => most,
            None => about.most.unwrap_or(positions).min(positions),
        };
        let path = folder.join("tokenizer.json");
        let tokens = Tokens::open(&path, most)?;
        tokens.check_fit(&path, model.vocabulary())?;
        Ok(TextEmbedder {
            tokens,
            model,
            pooling: options.pooling.unwrap_or(about.pooling),
            normalize: options.normalize.unwrap_or(about.normalize),
            most,
        })
    }

    /// Numbers of a vector.
    pub fn width(&self) -> usize {
        self.model.width()
    }

    /// Bytes of the weights in memory.
    pub fn bytes(&self) -> usize {
        self.model.bytes()
    }

    /// The most tokens of a text that are used.
    pub fn most_tokens(&self) -> usize {
        self.most
    }

    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    pub fn normalize(&self) -> bool {
        self.normalize
    }

    /// The tokens of each text, cut to the most.
    pub fn encode<T: AsRef<str> + Sync>(&self, texts: &[T], job: &Job) -> Result<Vec<Vec<u32>>, Error> {
        let encode = |text: &T| {
            job.check()?;
            self.tokens.encode(text.as_ref())
        };
        threads::pool().install(|| texts.par_iter().map(encode).collect())
    }

    /// The vectors of texts, [texts, width]; in parallel, the same bits for any number of threads. Counts records.
    pub fn embed<T: AsRef<str> + Sync>(&self, texts: &[T], job: &Job) -> Result<Vec<f32>, Error> {
        let tokens = self.encode(texts, job)?;
        let width = self.width();
        // Texts of a length are together, so that groups are alike; a text's vector depends on its group by rounding alone.
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(tokens[i].len()), i));
        let groups = groups(order.iter().map(|&i| tokens[i].len()));
        let pooled = pack::each(&groups, job, |group, memory: &mut Memory, spread| {
            let texts: Vec<&[u32]> = order[group].iter().map(|&i| &tokens[i][..]).collect();
            let states = self.model.forward(&texts, memory, spread);
            let places = places(texts.iter().map(|text| text.len()));
            job.advance(0, texts.len() as u64);
            let pool = |text: Range<usize>| self.pool(&states[text.start * width..text.end * width]);
            Ok(places.into_iter().flat_map(pool).collect())
        })?;
        let mut out = vec![0.0; tokens.len() * width];
        let rows: Vec<f32> = pooled.into_iter().flat_map(|rows: Vec<f32>| rows).collect();
        for (row, i) in rows.chunks_exact(width).zip(order) {
            out[i * width..][..width].copy_from_slice(row);
        }
        Ok(out)
    }

    fn pool(&self, states: &[f32]) -> Vec<f32> {
        let width = self.width();
        let count = states.len() / width;
        let mut out = vec![0.0; width];
        match (self.pooling, count) {
            (_, 0) => {}
            (Pooling::Cls, _) => out.copy_from_slice(&states[..width]),
            (Pooling::Mean, _) => {
                states.chunks_exact(width).for_each(|row| add(Cpu::current(), &mut out, row));
                out.iter_mut().for_each(|x| *x /= count as f32);
            }
        }
        if self.normalize {
            unit_row(&mut out);
        }
        out
    }
}

/// What the files of a sentence embedder say beside the model itself.
struct About {
    pooling: Pooling,
    normalize: bool,
    most: Option<usize>,
}

impl About {
    fn read(folder: &Path) -> Result<Self, Error> {
        let mut about = About { pooling: Pooling::Mean, normalize: true, most: None };
        for name in
            ["sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json"]
        {
            if let Some(settings) = Settings::read_if_there(&folder.join(name))?
                && settings.get("max_seq_length").is_some()
            {
                about.most = Some(settings.count("max_seq_length")?);
            }
        }
        let Some(modules) = Settings::read_if_there(&folder.join("modules.json"))? else { return Ok(about) };
        about.normalize = false;
        let list = modules.value().as_array().ok_or_else(|| modules.bad("must be an array of modules"))?;
        for (i, module) in list.iter().enumerate() {
            let part = |name: &str| module.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
            let kind = part("type").rsplit('.').next().unwrap_or_default();
            match (i, kind) {
                (0, "Transformer") if part("path").is_empty() => {}
                (_, "Normalize") => about.normalize = true,
                (_, "Pooling") => {
                    // A path out of a file: a plain name, lest it leads elsewhere.
                    let path = Path::new(part("path"));
                    if !path.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
                        return Err(
                            modules.bad(format!("module {i} has the path {path:?}, no folder in this one"))
                        );
                    }
                    about.pooling = pooling(&Settings::read(&folder.join(path).join("config.json"))?)?;
                }
                _ => {
                    return Err(modules.bad(format!(
                        "module {i} is {:?} at {:?}: a Transformer in the folder itself, then Pooling and Normalize are read",
                        part("type"),
                        part("path")
                    )));
                }
            }
        }
        Ok(about)
    }
}

fn pooling(settings: &Settings) -> Result<Pooling, Error> {
    const MODES: [(&str, Option<Pooling>); 6] = [
        ("pooling_mode_mean_tokens", Some(Pooling::Mean)),
        ("pooling_mode_cls_token", Some(Pooling::Cls)),
        ("pooling_mode_max_tokens", None),
        ("pooling_mode_mean_sqrt_len_tokens", None),
        ("pooling_mode_weightedmean_tokens", None),
        ("pooling_mode_lasttoken", None),
    ];
    let mut chosen = Vec::new();
    for (name, pooling) in MODES {
        if settings.flag(name, false)? {
            chosen.push((name, pooling));
        }
    }
    match chosen.as_slice() {
        [(_, Some(pooling))] => Ok(*pooling),
        others => {
            let names: Vec<&str> = others.iter().map(|(name, _)| *name).collect();
            Err(settings.bad(format!(
                "pools by [{}]: exactly one of pooling_mode_mean_tokens and pooling_mode_cls_token is read (the option pooling says another)",
                names.join(", ")
            )))
        }
    }
}
