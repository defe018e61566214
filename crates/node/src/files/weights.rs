//! Checkpoints: updates of models merged, compressed, expanded.

use super::corpus::path;
use super::output::Output;
use super::state::State;
use super::{gone, number};
use crate::job::{Job, promise};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::path::PathBuf;
use std::sync::Arc;
use tamis_kernels::merge::Merge;
use tamis_kernels::ternary::Scale;
use tamis_store::atomic;
use tamis_store::checkpoint::compress::{self, CompressOptions, Encoding};
use tamis_store::checkpoint::expand::{self, ExpandOptions};
use tamis_store::checkpoint::merge::{self, MergeOptions, Method};
use tamis_store::checkpoint::output::{Plan, Writer, WrittenFile};
use tamis_store::checkpoint::updates::{self, MatchOptions, Origin, TensorChange};
use tamis_store::checkpoint::{Checkpoint, tasks};
use tamis_store::safetensors::Dtype;

/// A file of a checkpoint.
#[napi(object)]
pub struct WeightsFile {
    pub path: String,
    pub bytes: f64,
}

fn files_of<'a>(checkpoints: impl Iterator<Item = &'a Checkpoint>) -> Vec<WeightsFile> {
    let one = |path: &std::path::Path, bytes| WeightsFile { path: text(path), bytes: number(bytes) };
    checkpoints.flat_map(|checkpoint| checkpoint.files().iter().map(|f| one(f.path(), f.bytes()))).collect()
}

fn text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A type of weights that the caller has checked.
fn dtype(name: Option<String>) -> Option<Dtype> {
    name.map(|name| match name.as_str() {
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        _ => Dtype::F32,
    })
}

/// What models are told from.
fn origin(name: String, base: Option<String>) -> Origin {
    match (base, name.as_str()) {
        (Some(base), _) => Origin::Base(path(base)),
        (None, "one") => Origin::One,
        _ => Origin::Zero,
    }
}

/// How checkpoints are matched.
#[napi(object)]
pub struct UpdatesOptions {
    /// `zero`, `one`, or with `base` anything.
    pub origin: String,
    pub base: Option<String>,
    pub skip: Vec<String>,
    /// Copies, and the original of each.
    pub copies: Vec<String>,
    pub originals: Vec<String>,
}

/// Models and their base, opened and matched.
#[napi]
pub struct Updates {
    shared: Arc<updates::Updates>,
}

#[napi]
impl Updates {
    #[napi]
    pub fn inputs(&self) -> Vec<WeightsFile> {
        files_of(self.shared.models().iter().chain(self.shared.base()))
    }

    #[napi]
    pub fn tensors(&self) -> f64 {
        number(self.shared.tensors().len() as u64)
    }

    #[napi]
    pub fn elements(&self) -> f64 {
        number(self.shared.elements())
    }
}

/// Opens models and their base, and matches their tensors.
#[napi]
pub fn open_updates<'env>(
    env: &'env Env,
    models: Vec<String>,
    options: UpdatesOptions,
    job: &Job,
) -> Result<Object<'env>> {
    let open = move |job: &tamis_kernels::job::Job| {
        let models: Vec<PathBuf> = models.into_iter().map(path).collect();
        let UpdatesOptions { origin: name, base, skip, copies, originals } = options;
        let tied = copies.into_iter().zip(originals).collect();
        Ok(updates::Updates::open(&models, &MatchOptions { origin: origin(name, base), skip, tied }, job)?)
    };
    promise(env, Some(job), open, |updates| Updates { shared: Arc::new(updates) })
}

/// What is written but not in place yet, and what it came to.
#[napi]
pub struct WrittenWeights {
    output: Option<atomic::Output>,
    files: Vec<WrittenFile>,
    left_out: Vec<PathBuf>,
    histogram: Vec<u64>,
    densities: Vec<f64>,
    signs: Option<compress::Compressed>,
    tensors: Vec<TensorChange>,
}

impl WrittenWeights {
    fn new(output: atomic::Output, files: Vec<WrittenFile>) -> Self {
        WrittenWeights {
            output: Some(output),
            files,
            left_out: Vec::new(),
            histogram: Vec::new(),
            densities: Vec::new(),
            signs: None,
            tensors: Vec::new(),
        }
    }
}

/// What a compression came to.
#[napi(object)]
pub struct SignsInfo {
    pub scale: f64,
    pub elements: f64,
    pub kept: f64,
    pub golomb_parameter: u32,
    pub entropy_bits: f64,
    pub golomb_bits: f64,
    pub bitmask_bits: f64,
    pub dense_bits: f64,
}

/// What became of a tensor: see [`TensorChange`].
#[napi(object)]
pub struct WeightsChange {
    pub name: String,
    pub elements: f64,
    pub updates: Vec<f64>,
    pub base: Option<f64>,
    pub written: f64,
    pub nonzeros: Option<f64>,
}

#[napi]
impl WrittenWeights {
    #[napi]
    pub fn files(&self) -> Vec<WeightsFile> {
        self.files
            .iter()
            .map(|file| WeightsFile { path: text(&file.path), bytes: number(file.bytes) })
            .collect()
    }

    /// Weights beside the inputs that did not go along.
    #[napi]
    pub fn left_out(&self) -> Vec<String> {
        self.left_out.iter().map(|path| text(path)).collect()
    }

    #[napi]
    pub fn histogram(&self) -> Vec<f64> {
        self.histogram.iter().map(|&n| number(n)).collect()
    }

    #[napi]
    pub fn densities(&self) -> Vec<f64> {
        self.densities.clone()
    }

    #[napi]
    pub fn signs(&self) -> Option<SignsInfo> {
        let signs = self.signs.as_ref()?;
        Some(SignsInfo {
            scale: f64::from(signs.scale),
            elements: number(signs.elements),
            kept: number(signs.nonzeros),
            golomb_parameter: signs.cost.golomb_parameter,
            entropy_bits: signs.cost.entropy,
            golomb_bits: signs.cost.golomb,
            bitmask_bits: signs.cost.bitmask,
            dense_bits: signs.cost.dense,
        })
    }

    /// What became of each tensor of the update.
    #[napi]
    pub fn changes(&self) -> Vec<WeightsChange> {
        self.tensors
            .iter()
            .map(|one| WeightsChange {
                name: one.name.clone(),
                elements: number(one.items),
                updates: one.updates.clone(),
                base: one.base,
                written: one.written,
                nonzeros: one.nonzeros.map(number),
            })
            .collect()
    }

    /// Removes what was written.
    #[napi]
    pub fn abandon<'env>(&mut self, env: &'env Env) -> Result<Object<'env>> {
        let output = self.output.take();
        let remove = move |_: &tamis_kernels::job::Job| {
            drop(output);
            Ok(())
        };
        promise(env, None, remove, |()| ())
    }
}

/// Puts the output in place, the manifest last; returns where that lies.
#[napi]
pub fn commit_weights<'env>(
    env: &'env Env,
    written: &mut WrittenWeights,
    manifest: String,
    job: &Job,
) -> Result<Object<'env>> {
    let output = written.output.take().ok_or_else(|| gone("output"))?;
    promise(env, Some(job), move |_| Ok(output.commit(&manifest)?), |path| text(&path))
}

/// How updates are merged and written; which members count depends on the method.
#[napi(object)]
pub struct WeightsMergeOptions {
    /// `weighted`, `elected` or `agreed`.
    pub method: String,
    pub weights: Vec<f64>,
    pub density: f64,
    /// `mean`, `sum` or `max`.
    pub merge: String,
    pub each_tensor: bool,
    pub lambdas: Vec<f64>,
    pub agree: f64,
    pub lambda: f64,
    pub dtype: Option<String>,
    pub one_file: bool,
}

impl WeightsMergeOptions {
    fn method(&self) -> Method {
        let weights = self.weights.clone();
        match self.method.as_str() {
            "weighted" => Method::Weighted { weights },
            "agreed" => Method::Agreed { lambdas: self.lambdas.clone(), agree: self.agree as u64 },
            _ => Method::Elected {
                density: self.density,
                merge: match self.merge.as_str() {
                    "sum" => Merge::Sum,
                    "max" => Merge::Max,
                    _ => Merge::Mean,
                },
                weights,
                each_tensor: self.each_tensor,
            },
        }
    }
}

/// Merges updates into the output, laid out as the base or the first model.
#[napi]
pub fn merge_models<'env>(
    env: &'env Env,
    updates: &Updates,
    output: &mut Output,
    state: &State,
    options: WeightsMergeOptions,
    job: &Job,
) -> Result<Object<'env>> {
    let (updates, output, state) = (updates.shared.clone(), output.take()?, state.get()?);
    let merge = move |job: &tamis_kernels::job::Job| {
        let plan = Plan::like(updates.layout(), options.one_file, dtype(options.dtype.clone()))?;
        let left_out = plan.left_out();
        let writer = Writer::begin(output, plan, &updates.print(), &state, job)?;
        let merge = MergeOptions { method: options.method(), lambda: options.lambda };
        let merged = merge::merge(&updates, &writer, &merge, &state, job)?;
        let (output, files) = writer.finish()?;
        let written = WrittenWeights::new(output, files);
        Ok(WrittenWeights { left_out, histogram: merged.histogram, tensors: merged.tensors, ..written })
    };
    promise(env, Some(job), merge, |written| written)
}

/// Writes the merged update and the mask of each model.
#[napi]
pub fn mask_models<'env>(
    env: &'env Env,
    updates: &Updates,
    output: &mut Output,
    state: &State,
    names: Vec<String>,
    lambdas: Vec<f64>,
    job: &Job,
) -> Result<Object<'env>> {
    let (updates, output, state) = (updates.shared.clone(), output.take()?, state.get()?);
    let mask = move |job: &tamis_kernels::job::Job| {
        let (output, masked) = tasks::mask_updates(&updates, output, &names, &lambdas, &state, job)?;
        let written = WrittenWeights::new(output, masked.files);
        Ok(WrittenWeights { densities: masked.densities, tensors: masked.tensors, ..written })
    };
    promise(env, Some(job), mask, |written| written)
}

/// How an update is compressed.
#[napi(object)]
pub struct SignsOptions {
    pub density: f64,
    /// Standard deviations of the scale; without it the scale is the mean magnitude of the kept.
    pub alpha: Option<f64>,
    pub golomb: bool,
}

/// Writes the signs of the first model's update, and their scale.
#[napi]
pub fn compress_model<'env>(
    env: &'env Env,
    updates: &Updates,
    output: &mut Output,
    state: &State,
    options: SignsOptions,
    job: &Job,
) -> Result<Object<'env>> {
    let (updates, output, state) = (updates.shared.clone(), output.take()?, state.get()?);
    let compress = move |job: &tamis_kernels::job::Job| {
        let options = CompressOptions {
            density: options.density,
            scale: options.alpha.map_or(Scale::MeanAbs, Scale::Std),
            encoding: if options.golomb { Encoding::Golomb } else { Encoding::Bitmask },
        };
        let (output, mut compressed) = compress::compress(&updates, output, &options, &state, job)?;
        let files = compressed.files.clone();
        let tensors = std::mem::take(&mut compressed.tensors);
        Ok(WrittenWeights { signs: Some(compressed), tensors, ..WrittenWeights::new(output, files) })
    };
    promise(env, Some(job), compress, |written| written)
}

/// What a packed update is added to, and how it is written.
#[napi(object)]
pub struct ExpansionOptions {
    /// `zero`, `one`, or with `base` anything.
    pub origin: String,
    pub base: Option<String>,
    pub task: Option<String>,
    pub lambda: f64,
    pub dtype: Option<String>,
    pub copies: Vec<String>,
    pub originals: Vec<String>,
}

/// A packed update and its base, opened and matched.
#[napi]
pub struct Expansion {
    shared: Arc<expand::Expansion>,
}

#[napi]
impl Expansion {
    #[napi]
    pub fn inputs(&self) -> Vec<WeightsFile> {
        files_of(self.shared.checkpoints())
    }

    #[napi]
    pub fn tensors(&self) -> f64 {
        number(self.shared.tensors() as u64)
    }

    #[napi]
    pub fn elements(&self) -> f64 {
        number(self.shared.elements())
    }
}

/// Opens a packed update and its base.
#[napi]
pub fn open_expansion<'env>(
    env: &'env Env,
    update: String,
    options: ExpansionOptions,
    job: &Job,
) -> Result<Object<'env>> {
    let open = move |job: &tamis_kernels::job::Job| {
        let options = ExpandOptions {
            origin: origin(options.origin, options.base),
            task: options.task,
            lambda: options.lambda,
            dtype: dtype(options.dtype),
            tied: options.copies.into_iter().zip(options.originals).collect(),
        };
        Ok(expand::Expansion::open(&path(update), options, job)?)
    };
    promise(env, Some(job), open, |expansion| Expansion { shared: Arc::new(expansion) })
}

/// Writes the base with the update, or the update alone.
#[napi]
pub fn expand_model<'env>(
    env: &'env Env,
    expansion: &Expansion,
    output: &mut Output,
    state: &State,
    one_file: bool,
    job: &Job,
) -> Result<Object<'env>> {
    let (expansion, output, state) = (expansion.shared.clone(), output.take()?, state.get()?);
    let expand = move |job: &tamis_kernels::job::Job| {
        let (output, expanded) = expansion.run(output, one_file, &state, job)?;
        let written = WrittenWeights::new(output, expanded.files);
        Ok(WrittenWeights { left_out: expanded.left, tensors: expanded.tensors, ..written })
    };
    promise(env, Some(job), expand, |written| written)
}
