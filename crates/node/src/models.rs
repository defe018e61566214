//! Models: text embedders and causal language models.

use crate::failure::Failure;
use crate::files::gone;
use crate::job::{Job, promise, promise_of_pool};
use crate::texts::PackedTexts;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::path::PathBuf;
use std::sync::Arc;
use tamis_kernels::ngrams::Texts;
use tamis_nn::causal::CausalLm;
use tamis_nn::embedder::{self, Pooling};
use tamis_nn::template::{self, Message};

fn slices(texts: &Texts) -> Vec<&str> {
    (0..texts.len()).map(|i| texts.get(i)).collect()
}

/// Lists of tokens, one behind the other.
#[napi(object)]
pub struct TokenLists {
    pub tokens: Uint32Array,
    pub lengths: Uint32Array,
}

impl TokenLists {
    fn of(lists: Vec<Vec<u32>>) -> Self {
        TokenLists {
            lengths: Uint32Array::new(lists.iter().map(|list| list.len() as u32).collect()),
            tokens: Uint32Array::new(lists.concat()),
        }
    }
}

/// Lists cut out of one.
fn cut<'a>(tokens: &'a [u32], lengths: &[u32]) -> std::result::Result<Vec<&'a [u32]>, Failure> {
    let mut rest = tokens;
    let mut lists = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let (own, after) = rest
            .split_at_checked(length as usize)
            .ok_or_else(|| Failure::shape("lengths must sum to the tokens"))?;
        lists.push(own);
        rest = after;
    }
    Ok(lists)
}

#[napi(object)]
pub struct EmbedderOptions {
    pub pooling: Option<String>,
    pub normalize: Option<bool>,
    pub max_tokens: Option<u32>,
}

/// A text embedder, until it is disposed of.
#[napi(custom_finalize)]
pub struct TextEmbedder {
    shared: Option<Arc<embedder::TextEmbedder>>,
    bytes: i64,
}

/// Loads a folder.
#[napi]
pub fn open_text_embedder<'env>(
    env: &'env Env,
    folder: String,
    options: EmbedderOptions,
    job: &Job,
) -> Result<Object<'env>> {
    job.begin();
    let work = move |_: &tamis_kernels::job::Job| {
        let options = embedder::Options {
            pooling: options.pooling.map(|name| if name == "cls" { Pooling::Cls } else { Pooling::Mean }),
            normalize: options.normalize,
            max_tokens: options.max_tokens.map(|n| n as usize),
        };
        Ok(embedder::TextEmbedder::open(&PathBuf::from(folder), &options)?)
    };
    promise(env, Some(job), work, |model| TextEmbedder {
        bytes: model.bytes() as i64,
        shared: Some(Arc::new(model)),
    })
}

impl TextEmbedder {
    pub(crate) fn get(&self) -> std::result::Result<Arc<embedder::TextEmbedder>, Failure> {
        self.shared.clone().ok_or_else(|| gone("model"))
    }
}

#[napi]
impl TextEmbedder {
    /// Tells the engine of the model's memory; once.
    #[napi]
    pub fn weigh(&self, env: Env) -> Result<()> {
        env.adjust_external_memory(self.bytes).map(|_| ())
    }

    #[napi]
    pub fn width(&self) -> Result<u32> {
        Ok(self.get()?.width() as u32)
    }

    #[napi]
    pub fn most_tokens(&self) -> Result<u32> {
        Ok(self.get()?.most_tokens() as u32)
    }

    #[napi]
    pub fn pooling(&self) -> Result<String> {
        Ok(self.get()?.pooling().name().into())
    }

    #[napi]
    pub fn normalize(&self) -> Result<bool> {
        Ok(self.get()?.normalize())
    }

    /// The tokens of texts, cut to the most.
    #[napi]
    pub fn encode<'env>(&self, env: &'env Env, texts: &PackedTexts, job: &Job) -> Result<Object<'env>> {
        let (model, texts) = (self.get()?, texts.shared.clone());
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| Ok(model.encode(&slices(&texts), job)?);
        promise_of_pool(env, Some(job), work, TokenLists::of)
    }

    /// The vectors of texts, [texts, width].
    #[napi]
    pub fn embed<'env>(&self, env: &'env Env, texts: &PackedTexts, job: &Job) -> Result<Object<'env>> {
        let (model, texts) = (self.get()?, texts.shared.clone());
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| Ok(model.embed(&slices(&texts), job)?);
        promise_of_pool(env, Some(job), work, Float32Array::new)
    }

    /// Lets go of the weights, as soon as no call uses them.
    #[napi]
    pub fn dispose(&mut self, env: Env) -> Result<()> {
        release(&mut self.shared, self.bytes, env)
    }
}

impl ObjectFinalize for TextEmbedder {
    fn finalize(mut self, env: Env) -> Result<()> {
        release(&mut self.shared, self.bytes, env)
    }
}

fn release<T>(shared: &mut Option<Arc<T>>, bytes: i64, env: Env) -> Result<()> {
    match shared.take() {
        Some(_) => env.adjust_external_memory(-bytes).map(|_| ()),
        None => Ok(()),
    }
}

/// A causal language model, until it is disposed of.
#[napi(custom_finalize)]
pub struct CausalModel {
    shared: Option<Arc<CausalLm>>,
    bytes: i64,
}

/// Loads a folder or a GGUF file.
#[napi]
pub fn open_causal_model<'env>(env: &'env Env, path: String, job: &Job) -> Result<Object<'env>> {
    job.begin();
    let work = move |_: &tamis_kernels::job::Job| Ok(CausalLm::open(&PathBuf::from(path))?);
    promise(env, Some(job), work, |model| CausalModel {
        bytes: model.bytes() as i64,
        shared: Some(Arc::new(model)),
    })
}

/// A turn of a conversation.
#[napi(object)]
pub struct ChatMessage {
    pub role: String,
    pub content: String,
}

/// A perplexity's logarithm, and of how many windows.
#[napi(object)]
pub struct WindowedPerplexity {
    pub log_perplexity: f64,
    pub windows: u32,
}

/// Mean losses, NaN of none, and of how many tokens each is.
#[napi(object)]
pub struct MeanLosses {
    pub means: Float64Array,
    pub counts: Uint32Array,
}

impl CausalModel {
    pub(crate) fn get(&self) -> std::result::Result<Arc<CausalLm>, Failure> {
        self.shared.clone().ok_or_else(|| gone("model"))
    }
}

#[napi]
impl CausalModel {
    /// Tells the engine of the model's memory; once.
    #[napi]
    pub fn weigh(&self, env: Env) -> Result<()> {
        env.adjust_external_memory(self.bytes).map(|_| ())
    }

    #[napi]
    pub fn positions(&self) -> Result<u32> {
        Ok(self.get()?.positions() as u32)
    }

    #[napi]
    pub fn vocabulary(&self) -> Result<u32> {
        Ok(self.get()?.vocabulary() as u32)
    }

    #[napi]
    pub fn width(&self) -> Result<u32> {
        Ok(self.get()?.width() as u32)
    }

    #[napi]
    pub fn layers(&self) -> Result<u32> {
        Ok(self.get()?.layers() as u32)
    }

    #[napi]
    pub fn encode<'env>(
        &self,
        env: &'env Env,
        texts: &PackedTexts,
        begin: Option<bool>,
        job: &Job,
    ) -> Result<Object<'env>> {
        let (model, texts) = (self.get()?, texts.shared.clone());
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| Ok(model.encode(&slices(&texts), begin, job)?);
        promise_of_pool(env, Some(job), work, TokenLists::of)
    }

    #[napi]
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        Ok(self.get()?.tokens().decode(tokens).map_err(Failure::from)?)
    }

    /// A conversation in the model's own form.
    #[napi]
    pub fn render(&self, messages: Vec<ChatMessage>, answer: bool) -> Result<String> {
        let messages: Vec<Message> = messages
            .into_iter()
            .map(|message| Message { role: message.role, content: message.content })
            .collect();
        Ok(template::render(&*self.get()?, &messages, answer).map_err(Failure::from)?)
    }

    /// The losses of all tokens, in their order; NaN where nothing precedes one in its window.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn losses<'env>(
        &self,
        env: &'env Env,
        tokens: &[u32],
        lengths: &[u32],
        window: u32,
        stride: u32,
        job: &Job,
    ) -> Result<Object<'env>> {
        let (model, tokens, lengths) = (self.get()?, tokens.to_vec(), lengths.to_vec());
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| {
            let lists = cut(&tokens, &lengths)?;
            let losses = model.losses(&lists, window as usize, stride as usize, job)?;
            Ok(losses.into_iter().flatten().map(|loss| loss.unwrap_or(f32::NAN)).collect::<Vec<f32>>())
        };
        promise_of_pool(env, Some(job), work, Float32Array::new)
    }

    /// The mean loss of each list.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn mean_losses<'env>(
        &self,
        env: &'env Env,
        tokens: &[u32],
        lengths: &[u32],
        window: u32,
        stride: u32,
        job: &Job,
    ) -> Result<Object<'env>> {
        let (model, tokens, lengths) = (self.get()?, tokens.to_vec(), lengths.to_vec());
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| {
            Ok(model.means(&cut(&tokens, &lengths)?, window as usize, stride as usize, job)?)
        };
        promise_of_pool(env, Some(job), work, |means| {
            let (means, counts) = means.into_iter().map(|(mean, count)| (mean, count as u32)).unzip();
            MeanLosses { means: Float64Array::new(means), counts: Uint32Array::new(counts) }
        })
    }

    #[napi]
    pub fn log_perplexity<'env>(
        &self,
        env: &'env Env,
        tokens: &[u32],
        window: u32,
        job: &Job,
    ) -> Result<Object<'env>> {
        let (model, tokens) = (self.get()?, tokens.to_vec());
        job.begin();
        let work =
            move |job: &tamis_kernels::job::Job| Ok(model.log_perplexity(&tokens, window as usize, job)?);
        promise_of_pool(env, Some(job), work, |(log_perplexity, windows)| WindowedPerplexity {
            log_perplexity,
            windows: windows as u32,
        })
    }

    /// [tokens, vocabulary]
    #[napi]
    pub fn logits<'env>(&self, env: &'env Env, tokens: &[u32], job: &Job) -> Result<Object<'env>> {
        let (model, tokens) = (self.get()?, tokens.to_vec());
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| Ok(model.logits(&tokens, job)?);
        promise_of_pool(env, Some(job), work, Float32Array::new)
    }

    /// [layers, tokens, width]
    #[napi]
    pub fn states<'env>(
        &self,
        env: &'env Env,
        tokens: &[u32],
        layers: Vec<u32>,
        job: &Job,
    ) -> Result<Object<'env>> {
        let (model, tokens) = (self.get()?, tokens.to_vec());
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| {
            let layers: Vec<usize> = layers.into_iter().map(|n| n as usize).collect();
            Ok(model.states(&tokens, &layers, job)?)
        };
        promise_of_pool(env, Some(job), work, Float32Array::new)
    }

    #[napi]
    pub fn generate<'env>(
        &self,
        env: &'env Env,
        tokens: &[u32],
        most: u32,
        job: &Job,
    ) -> Result<Object<'env>> {
        let (model, tokens) = (self.get()?, tokens.to_vec());
        job.begin();
        let work = move |job: &tamis_kernels::job::Job| Ok(model.generate(&tokens, most as usize, job)?);
        promise_of_pool(env, Some(job), work, Uint32Array::new)
    }

    /// Lets go of the weights, as soon as no call uses them.
    #[napi]
    pub fn dispose(&mut self, env: Env) -> Result<()> {
        release(&mut self.shared, self.bytes, env)
    }
}

impl ObjectFinalize for CausalModel {
    fn finalize(mut self, env: Env) -> Result<()> {
        release(&mut self.shared, self.bytes, env)
    }
}

/// A GGUF file as a folder of safetensors.
#[napi(object)]
pub struct ConvertedModel {
    pub tensors: u32,
    pub parameters: f64,
    pub bytes: f64,
}

/// Writes it.
#[napi]
pub fn convert_gguf<'env>(
    env: &'env Env,
    file: String,
    folder: String,
    dtype: String,
    force: bool,
    job: &Job,
) -> Result<Object<'env>> {
    job.begin();
    let work = move |job: &tamis_kernels::job::Job| {
        let (file, folder) = (PathBuf::from(file), PathBuf::from(folder));
        Ok(tamis_nn::convert::convert_gguf(&file, &folder, &dtype, force, job)?)
    };
    promise(env, Some(job), work, |done| ConvertedModel {
        tensors: done.tensors as u32,
        parameters: done.parameters as f64,
        bytes: done.bytes as f64,
    })
}
