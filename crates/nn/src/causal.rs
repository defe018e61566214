//! A causal language model with its tokenizer: losses, perplexity, states, logits and greedy continuations of texts.

use crate::config::Settings;
use crate::family::Plan;
use crate::linear::Spread;
use crate::llama::{Llama, Memory};
use crate::pack::{self, TOKENS, groups};
use crate::tokens::Tokens;
use crate::vocabulary;
use crate::weight::Source;
use crate::windows::{Window, windows};
use rayon::prelude::*;
use std::path::Path;
use std::sync::Mutex;
use tamis_kernels::job::Job;
use tamis_kernels::threads;
use tamis_store::checkpoint::Checkpoint;
use tamis_store::error::Error;
use tamis_store::gguf::Gguf;

/// A model.
#[derive(Debug)]
pub struct CausalLm {
    tokens: Tokens,
    model: Llama,
    positions: usize,
    begin: Option<u32>,
    ends: Vec<u32>,
    template: Option<String>,
}

impl CausalLm {
    /// Loads a folder of `config.json`, `tokenizer.json` and safetensors, or a GGUF file, which brings all of that.
    ///
    /// # Errors
    /// `ERR_TAMIS_IO`, and `ERR_TAMIS_FORMAT` with the file and the member or tensor: what is missing, damaged, or not read here.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let about = std::fs::metadata(path).map_err(|e| Error::io(path, "open", e))?;
        if about.is_dir() { Self::open_folder(path) } else { Self::open_gguf(path) }
    }

    fn open_folder(folder: &Path) -> Result<Self, Error> {
        let config = Settings::read(&folder.join("config.json"))?;
        let plan = Plan::of_config(&config)?;
        let source = Source::Safetensors(Checkpoint::open(folder)?);
        let tokens = Tokens::open(&folder.join("tokenizer.json"), usize::MAX)?;
        let about = Settings::read_if_there(&folder.join("tokenizer_config.json"))?;
        let beside = folder.join("chat_template.jinja");
        let template = match beside.is_file() {
            true => Some(std::fs::read_to_string(&beside).map_err(|e| Error::io(&beside, "read", e))?),
            false => about.as_ref().and_then(|about| about.text("chat_template").ok().map(str::to_owned)),
        };
        let number = |value: &serde_json::Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let ends = match config.get("eos_token_id") {
            Some(serde_json::Value::Array(all)) => all.iter().filter_map(number).collect(),
            Some(one) => number(one).into_iter().collect(),
            None => Vec::new(),
        };
        let begin = config.get("bos_token_id").and_then(number);
        Self::new(folder, plan, &source, tokens, begin, ends, template)
    }

    fn open_gguf(path: &Path) -> Result<Self, Error> {
        let file = Gguf::open(path)?;
        let plan = Plan::of_gguf(&file)?;
        let json = vocabulary::tokenizer(&file)?;
        let tokens = Tokens::of_json(path, &json, usize::MAX)?;
        let id = |name: &str| file.unsigned(name).and_then(|id| u32::try_from(id).ok());
        let begin = id("tokenizer.ggml.bos_token_id");
        let ends = id("tokenizer.ggml.eos_token_id").into_iter().collect();
        let template = file.text("tokenizer.chat_template").map(str::to_owned);
        Self::new(path, plan, &Source::Gguf(file), tokens, begin, ends, template)
    }

    fn new(
        path: &Path,
        plan: Plan,
        source: &Source,
        tokens: Tokens,
        begin: Option<u32>,
        ends: Vec<u32>,
        template: Option<String>,
    ) -> Result<Self, Error> {
        let model = plan.load(source)?;
        source.check_unchanged()?;
        tokens.check_fit(path, model.vocabulary())?;
        Ok(CausalLm { tokens, model, positions: plan.positions, begin, ends, template })
    }

    /// The most tokens that it was made for.
    pub fn positions(&self) -> usize {
        self.positions
    }

    pub fn vocabulary(&self) -> usize {
        self.model.vocabulary()
    }

    /// Bytes of the weights in memory.
    pub fn bytes(&self) -> usize {
        self.model.bytes()
    }

    /// Numbers of a state.
    pub fn width(&self) -> usize {
        self.model.width()
    }

    pub fn layers(&self) -> usize {
        self.model.layers.len()
    }

    /// The token that texts begin with, and those that end one.
    pub fn begin(&self) -> Option<u32> {
        self.begin
    }

    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The template of conversations, of Jinja.
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The tokens of texts. `begin` says whether they begin with the token for that; without it as the tokenizer does.
    ///
    /// # Errors
    /// `ERR_TAMIS_RANGE` if such a token is wanted, and there is none.
    pub fn encode<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        begin: Option<bool>,
        job: &Job,
    ) -> Result<Vec<Vec<u32>>, Error> {
        let first = match (begin, self.begin) {
            (Some(true), None) => {
                return Err(Error::range("bos must be false: the model has no token for it"));
            }
            (Some(true), Some(token)) => Some(token),
            _ => None,
        };
        let encode = |text: &T| {
            job.check()?;
            let mut tokens = self.tokens.encode_with(text.as_ref(), begin.is_none())?;
            if let Some(first) = first {
                tokens.insert(0, first);
            }
            Ok(tokens)
        };
        threads::pool().install(|| texts.par_iter().map(encode).collect())
    }

    /// The negative natural logarithms of the odds of each text's tokens, `None` where nothing precedes a token in its window. Texts go
    /// through the model in windows of at most `length` tokens, `stride` apart. Counts texts as records.
    ///
    /// # Errors
    /// `ERR_TAMIS_RANGE` for a token that is none of the vocabulary.
    pub fn losses(
        &self,
        texts: &[&[u32]],
        length: usize,
        stride: usize,
        job: &Job,
    ) -> Result<Vec<Vec<Option<f32>>>, Error> {
        self.check_tokens(texts)?;
        let parts: Vec<(usize, Window)> = texts
            .iter()
            .enumerate()
            .flat_map(|(i, text)| windows(text.len(), length, stride).into_iter().map(move |w| (i, w)))
            .collect();
        // Longest first: what comes last on many threads is short.
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(parts[i].1.tokens.len()), i));
        let groups = groups(order.iter().map(|&i| parts[i].1.tokens.len()));
        job.advance(0, texts.iter().filter(|text| text.is_empty()).count() as u64);
        let found = pack::each(&groups, job, |group, memory: &mut Memory, spread| {
            let firsts = order[group.clone()].iter().filter(|&&i| parts[i].1.tokens.start == 0);
            job.advance(0, firsts.count() as u64);
            let own: Vec<&[u32]> = order[group]
                .iter()
                .map(|&i| {
                    let (text, window) = &parts[i];
                    &texts[*text][window.tokens.clone()]
                })
                .collect();
            self.model.losses(&own, memory, spread, job)
        })?;
        let mut losses: Vec<Vec<Option<f32>>> = texts.iter().map(|text| vec![None; text.len()]).collect();
        for (group, found) in groups.iter().zip(found) {
            let mut found = found.into_iter();
            for &i in &order[group.clone()] {
                let (text, window) = &parts[i];
                let first = window.tokens.start + 1;
                for (at, place) in (first..).zip(&mut losses[*text][first..window.tokens.end]) {
                    let loss = found.next();
                    if at >= window.from {
                        *place = loss;
                    }
                }
            }
        }
        Ok(losses)
    }

    /// The mean loss of each text and of how many tokens that is: NaN of none. As [`losses`](Self::losses).
    ///
    /// # Errors
    /// The same.
    pub fn means(
        &self,
        texts: &[&[u32]],
        length: usize,
        stride: usize,
        job: &Job,
    ) -> Result<Vec<(f64, usize)>, Error> {
        let mean = |losses: Vec<Option<f32>>| {
            let count = losses.iter().flatten().count();
            let sum: f64 = losses.iter().flatten().map(|&loss| f64::from(loss)).sum();
            (sum / count as f64, count)
        };
        Ok(self.losses(texts, length, stride, job)?.into_iter().map(mean).collect())
    }

    /// The natural logarithm of perplexity: of windows of `length` tokens without overlap, the mean of each's mean loss; what is left at the
    /// end is dropped. And how many windows that is; NaN of none.
    ///
    /// # Errors
    /// Those of [`losses`](Self::losses).
    pub fn log_perplexity(&self, tokens: &[u32], length: usize, job: &Job) -> Result<(f64, usize), Error> {
        let windows: Vec<&[u32]> = tokens.chunks_exact(length).collect();
        let means = self.means(&windows, length, length, job)?;
        let sum: f64 = means.iter().map(|(mean, _)| mean).sum();
        Ok((sum / means.len() as f64, means.len()))
    }

    fn check_tokens(&self, texts: &[&[u32]]) -> Result<(), Error> {
        let most = self.vocabulary();
        for (i, text) in texts.iter().enumerate() {
            if let Some(at) = text.iter().position(|&token| token as usize >= most) {
                return Err(Error::range(format!(
                    "tokens[{i}][{at}] must be below {most}, the size of the vocabulary, got {}",
                    text[at]
                )));
            }
        }
        Ok(())
    }

    /// The logits behind each token of a text, [tokens, vocabulary].
    pub fn logits(&self, text: &[u32], job: &Job) -> Result<Vec<f32>, Error> {
        self.check_tokens(&[text])?;
        let logits = |memory: &mut Memory| self.model.logits(&[text], memory, Spread::Threads, job);
        Ok(threads::pool().install(|| logits(&mut Memory::default()))?)
    }

    /// The states of a text's tokens behind some numbers of layers, [layers, tokens, width] in their order; 0 is the embedding.
    pub fn states(&self, text: &[u32], layers: &[usize], job: &Job) -> Result<Vec<f32>, Error> {
        self.check_tokens(&[text])?;
        let size = text.len() * self.width();
        let kept = Mutex::new(vec![0.0; layers.len() * size]);
        let watch = |behind: usize, rows: &[f32]| {
            let mut kept = kept.lock().unwrap_or_else(|e| e.into_inner());
            for (at, _) in layers.iter().enumerate().filter(|(_, wanted)| **wanted == behind) {
                kept[at * size..][..size].copy_from_slice(rows);
            }
        };
        threads::pool()
            .install(|| self.model.forward(&[text], &mut Memory::default(), Spread::Threads, job, &watch))?;
        Ok(kept.into_inner().unwrap_or_else(|e| e.into_inner()))
    }

    /// Continues a text, each time by the token with the largest logit, the first of equal ones, until one that ends a text (which is not
    /// given back) or `most` tokens.
    ///
    /// # Errors
    /// `ERR_TAMIS_RANGE` for an empty text, or more tokens than the model has positions.
    pub fn generate(&self, text: &[u32], most: usize, job: &Job) -> Result<Vec<u32>, Error> {
        self.check_tokens(&[text])?;
        if text.is_empty() {
            return Err(Error::range("prompt must have at least one token, got none"));
        }
        if text.len() + most > self.positions {
            return Err(Error::range(format!(
                "prompt and maxTokens must fit the model's {} positions, got {} and {most}",
                self.positions,
                text.len()
            )));
        }
        threads::pool().install(|| {
            let mut cache = self.model.cache(text.len() + most);
            let (mut memory, mut out) = (Memory::default(), Vec::new());
            let mut next = text;
            let mut one = [0];
            // Long prompts go in pieces: activations stay small.
            while next.len() > TOKENS {
                job.check()?;
                let (piece, rest) = next.split_at(TOKENS);
                self.model.go_on(piece, &mut cache, &mut memory);
                next = rest;
            }
            while out.len() < most {
                job.check()?;
                let logits = self.model.go_on(next, &mut cache, &mut memory);
                let larger = |best: usize, i: usize| if logits[i] > logits[best] { i } else { best };
                let token = (0..logits.len()).fold(0, larger) as u32;
                if self.ends.contains(&token) {
                    break;
                }
                out.push(token);
                job.advance(0, 1);
                one[0] = token;
                next = &one;
            }
            Ok(out)
        })
    }
}
