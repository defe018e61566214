//! A causal language model with its tokenizer: losses, perplexity, states, logits and greedy continuations of texts.

use crate::config::Settings;
use crate::family::Plan;
use crate::llama::{Llama, Memory, Watch};
use crate::pack::{self, TOKENS, groups};
use crate::tokens::Tokens;
use crate::vocabulary;
use crate::weight::Source;
use rayon::prelude::*;
use std::ops::Range;
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

/// A part of a text that goes through the model on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its tokens, of the text's.
    pub tokens: Range<usize>,
    /// The first token whose loss counts: those before are there to be seen.
    pub from: usize,
}

/// Cuts `count` tokens into windows of at most `length`, each `stride` behind the one before; every token counts in the first window that
/// reaches it, but for those that nothing precedes there.
///
/// # Panics
/// If the stride is 0 or longer than a window.
pub fn windows(count: usize, length: usize, stride: usize) -> Vec<Window> {
    assert!((1..=length).contains(&stride), "a stride within the window");
    let mut windows = Vec::new();
    let (mut start, mut counted) = (0, 0);
    while counted < count {
        let end = count.min(start + length);
        windows.push(Window { tokens: start..end, from: counted.max(start + 1) });
        counted = end;
        start += stride;
    }
    windows
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
        if tokens.vocabulary() > model.vocabulary() {
            let (has, most) = (tokens.vocabulary(), model.vocabulary());
            return Err(Error::format(
                path,
                None,
                format!("its tokenizer has {has} tokens, its embedding {most}"),
            ));
        }
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
            self.model.losses(&own, memory, spread, &())
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

    /// The mean loss of each text and of how many tokens that is: NaN of none. As [`losses`](Self::losses) of [`encode`](Self::encode).
    ///
    /// # Errors
    /// Theirs.
    pub fn score<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        begin: Option<bool>,
        length: usize,
        stride: usize,
        job: &Job,
    ) -> Result<Vec<(f64, usize)>, Error> {
        let tokens = self.encode(texts, begin, job)?;
        let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        let mean = |losses: Vec<Option<f32>>| {
            let count = losses.iter().flatten().count();
            let sum: f64 = losses.iter().flatten().map(|&loss| f64::from(loss)).sum();
            (sum / count as f64, count)
        };
        Ok(self.losses(&tokens, length, stride, job)?.into_iter().map(mean).collect())
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
        let whole = Range { start: 0, end: 1 };
        let found = pack::each(&[whole], job, |_, memory: &mut Memory, spread| {
            self.model.logits(&[text], memory, spread)
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The states of a text's tokens behind some numbers of layers, [layers, tokens, width] in their order; 0 is the embedding.
    pub fn states(&self, text: &[u32], layers: &[usize], job: &Job) -> Result<Vec<f32>, Error> {
        self.check_tokens(&[text])?;
        struct Kept<'a> {
            layers: &'a [usize],
            size: usize,
            out: Mutex<Vec<f32>>,
        }
        impl Watch for Kept<'_> {
            fn states(&self, layers: usize, rows: &[f32]) {
                let mut out = self.out.lock().unwrap_or_else(|e| e.into_inner());
                for (at, _) in self.layers.iter().enumerate().filter(|(_, wanted)| **wanted == layers) {
                    out[at * self.size..][..self.size].copy_from_slice(rows);
                }
            }
        }
        let size = text.len() * self.width();
        let kept = Kept { layers, size, out: Mutex::new(vec![0.0; layers.len() * size]) };
        pack::each(&[Range { start: 0, end: 1 }], job, |_, memory: &mut Memory, spread| {
            self.model.watch(&[text], memory, spread, &kept);
        })?;
        Ok(kept.out.into_inner().unwrap_or_else(|e| e.into_inner()))
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

/// Of windows of `length` tokens without overlap, the mean of each's mean loss; what is left at the end is dropped. None without a
/// window.
///
/// # Errors
/// Those of [`CausalLm::losses`].
pub fn log_perplexity(
    model: &CausalLm,
    tokens: &[u32],
    length: usize,
    job: &Job,
) -> Result<Option<(f64, usize)>, Error> {
    let windows: Vec<&[u32]> = tokens.chunks_exact(length).collect();
    let losses = model.losses(&windows, length, length, job)?;
    let mean = |window: &Vec<Option<f32>>| {
        let sum: f64 = window.iter().flatten().map(|&loss| f64::from(loss)).sum();
        sum / (length - 1) as f64
    };
    let count = losses.len();
    let sum: f64 = losses.iter().map(mean).sum();
    Ok((count > 0).then(|| (sum / count as f64, count)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_token_counts_once(count in 0usize..200, length in 1usize..50, stride in 1usize..50) {
            let stride = stride.min(length);
            let windows = windows(count, length, stride);
            let mut seen = vec![0; count];
            for (i, window) in windows.iter().enumerate() {
                prop_assert!(window.tokens.len() <= length && window.tokens.start == i * stride);
                (window.from.min(window.tokens.end)..window.tokens.end).for_each(|at| seen[at] += 1);
            }
            // Without overlap the first of each window has nothing before it.
            for (at, seen) in seen.into_iter().enumerate() {
                let first = at == 0 || (stride == length && at % length == 0) || length == 1;
                prop_assert_eq!(seen, usize::from(!first), "{} of {:?}", at, windows);
            }
        }
    }
}
