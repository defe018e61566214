//! Models and the base that they were made from, matched tensor by tensor: their differences are what is merged and compressed.

use super::config::tied_copies;
use super::journal::{Print, print_of};
use super::{Checkpoint, Place};
use crate::error::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tamis_kernels::job::Job;

/// What models are told from.
#[derive(Debug, Clone, Default)]
pub enum Origin {
    /// Nothing: the models are updates themselves (adapters).
    #[default]
    Zero,
    /// A tensor of ones for each (vectors that scale activations).
    One,
    /// A checkpoint.
    Base(PathBuf),
}

/// How checkpoints are matched.
#[derive(Debug, Clone, Default)]
pub struct MatchOptions {
    pub origin: Origin,
    /// Tensors that are no part of an update.
    pub skip: Vec<String>,
    /// Tensors that are copies of another one (copy, original), beside those that the configurations say.
    pub tied: Vec<(String, String)>,
}

/// A tensor of all checkpoints.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<u64>,
    pub items: u64,
    /// Under which name it lies in each model, and in the base: its own, or that of a copy.
    models: Vec<String>,
    base: Option<String>,
}

/// What became of a tensor.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorChange {
    pub name: String,
    pub items: u64,
    /// Euclidean norm of each model's update.
    pub updates: Vec<f64>,
    /// Of the base, where it was looked at.
    pub base: Option<f64>,
    /// Of the update that was written.
    pub written: f64,
    /// Items of that update that are not 0, where they were counted.
    pub nonzeros: Option<u64>,
}

/// Models that were made from one base, and the tensors that they have in common.
#[derive(Debug)]
pub struct Updates {
    models: Vec<Checkpoint>,
    base: Option<Checkpoint>,
    /// What is subtracted where there is no base.
    origin: f32,
    /// By name, in the order of their UTF-8 bytes.
    tensors: Vec<Tensor>,
    /// Copy to original.
    copies: BTreeMap<String, String>,
}

impl Updates {
    /// Opens the checkpoints and matches their tensors.
    ///
    /// Tensors of other types than float32, float16 and bfloat16 (positions, masks) are no part of an update; they must be the same in all.
    /// So must tensors and their copies.
    ///
    /// # Errors
    /// With the file and the tensor: one that a checkpoint lacks or has besides (`updates differ in tensors`), another shape (`shape
    /// mismatch`), tensors that should be the same and are not, `update is empty`; configurations that contradict each other.
    pub fn open(models: &[PathBuf], options: &MatchOptions, job: &Job) -> Result<Self, Error> {
        let open = |path: &PathBuf| Checkpoint::open(path);
        let (base, origin) = match &options.origin {
            Origin::Zero => (None, 0.0),
            Origin::One => (None, 1.0),
            Origin::Base(path) => (Some(open(path)?), 0.0),
        };
        let models = models.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        if models.is_empty() {
            return Err(Error::range("at least one update is needed"));
        }
        let mut updates = Updates { models, base, origin, tensors: Vec::new(), copies: BTreeMap::new() };
        updates.copies = find_copies(&updates.checkpoints().collect::<Vec<_>>(), &options.tied)?;
        updates.match_tensors(&options.skip, job)?;
        if updates.elements() == 0 {
            return Err(Error::format(
                updates.models[0].path(),
                None,
                "update is empty: it holds no weights",
            ));
        }
        updates.checkpoints().try_for_each(|one| check_copies(one, &updates.copies, job))?;
        Ok(updates)
    }

    /// The models.
    pub fn models(&self) -> &[Checkpoint] {
        &self.models
    }

    /// The base, where it is a checkpoint.
    pub fn base(&self) -> Option<&Checkpoint> {
        self.base.as_ref()
    }

    /// The checkpoint that outputs are laid out like: the base, else the first model.
    pub fn layout(&self) -> &Checkpoint {
        self.base.as_ref().unwrap_or(&self.models[0])
    }

    /// What is subtracted from the models where there is no base.
    pub fn origin(&self) -> f32 {
        self.origin
    }

    /// The tensors of the updates, by name.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Of the tensors and their order.
    pub fn print(&self) -> Print {
        print_of(self.tensors.iter().map(|tensor| format!("{} {:?}", tensor.name, tensor.shape)))
    }

    /// Items of all tensors together.
    pub fn elements(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.items).sum()
    }

    /// The original that a tensor is a copy of, if it is one.
    pub fn original<'a>(&'a self, name: &'a str) -> &'a str {
        self.copies.get(name).map_or(name, String::as_str)
    }

    /// Bytes that one pass over the tensors reads.
    pub fn pass_bytes(&self) -> u64 {
        self.tensors
            .iter()
            .map(|tensor| self.places(tensor).map(|place| place.entry.bytes()).sum::<u64>())
            .sum()
    }

    /// Where a tensor lies in a model.
    pub fn model_place(&self, tensor: &Tensor, model: usize) -> Place<'_> {
        self.models[model].find(&tensor.models[model]).expect("it was matched")
    }

    /// Where a tensor lies in the base.
    pub fn base_place(&self, tensor: &Tensor) -> Option<Place<'_>> {
        let base = self.base.as_ref()?;
        tensor.base.as_ref().map(|name| base.find(name).expect("it was matched"))
    }

    /// Where it lies in all of them, the base last.
    fn places<'a>(&'a self, tensor: &'a Tensor) -> impl Iterator<Item = Place<'a>> {
        (0..self.models.len()).map(|m| self.model_place(tensor, m)).chain(self.base_place(tensor))
    }

    fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        self.models.iter().chain(&self.base)
    }

    /// An error if a file was written to since it was opened.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        self.checkpoints().try_for_each(Checkpoint::check_unchanged)
    }

    fn match_tensors(&mut self, skip: &[String], job: &Job) -> Result<(), Error> {
        let names: BTreeSet<&str> =
            self.checkpoints().flat_map(Checkpoint::tensors).map(|name| self.original(name)).collect();
        let skipped: BTreeSet<&str> = skip.iter().map(|name| self.original(name)).collect();
        if let Some(name) = skipped.iter().find(|name| !names.contains(*name)) {
            return Err(Error::range(format!(
                "skip names the tensor {}, which no checkpoint holds",
                shown(name)
            )));
        }
        let mut tensors = Vec::new();
        for name in names {
            job.check()?;
            if skipped.contains(name) {
                continue;
            }
            let found = |one: &Checkpoint| self.stored_name(one, name);
            if let Some(lacking) = self.checkpoints().find(|one| found(one).is_none()) {
                let holding = self.checkpoints().find(|one| found(one).is_some()).unwrap_or(lacking);
                return Err(Error::format(
                    lacking.path(),
                    None,
                    format!(
                        "updates differ in tensors: {} is missing here, and is in {}",
                        shown(name),
                        holding.path().display()
                    ),
                ));
            }
            let of = |one: &Checkpoint| found(one).unwrap_or_default();
            let tensor = Tensor {
                name: name.to_owned(),
                shape: Vec::new(),
                items: 0,
                models: self.models.iter().map(of).collect(),
                base: self.base.as_ref().map(of),
            };
            if let Some(tensor) = self.check_tensor(tensor, job)? {
                tensors.push(tensor);
            }
        }
        self.tensors = tensors;
        Ok(())
    }

    /// The name under which a checkpoint holds a tensor: its own, or else that of a copy of it.
    fn stored_name(&self, checkpoint: &Checkpoint, name: &str) -> Option<String> {
        let copies =
            self.copies.iter().filter(|(_, original)| *original == name).map(|(copy, _)| copy.as_str());
        std::iter::once(name).chain(copies).find(|name| checkpoint.find(name).is_some()).map(str::to_owned)
    }

    /// A tensor of weights whose shapes agree; none where it holds no weights, and is the same everywhere.
    fn check_tensor(&self, tensor: Tensor, job: &Job) -> Result<Option<Tensor>, Error> {
        let places: Vec<Place> = self.places(&tensor).collect();
        let first = places[places.len() - 1];
        for place in &places {
            if place.entry.shape != first.entry.shape {
                return Err(place.error(format_args!(
                    "is of another shape (shape mismatch): {:?} here, {:?} in {}",
                    place.entry.shape,
                    first.entry.shape,
                    first.file.path().display()
                )));
            }
            if place.entry.dtype.is_weight() != first.entry.dtype.is_weight() {
                return Err(place.error(format_args!(
                    "is of another type: {} here, {} in {}",
                    place.entry.dtype,
                    first.entry.dtype,
                    first.file.path().display()
                )));
            }
        }
        let shape = first.entry.shape.clone();
        let items = first.entry.items();
        if first.entry.dtype.is_weight() {
            return Ok(Some(Tensor { shape, items, ..tensor }));
        }
        for place in &places[..places.len() - 1] {
            if !same_bytes(*place, first, job)? {
                return Err(place.error(format_args!(
                    "is of type {} and differs from that in {}: only F32, F16 and BF16 are worked with; name it in --skip (skip) to keep that of {}",
                    place.entry.dtype,
                    first.file.path().display(),
                    self.layout().path().display()
                )));
            }
        }
        Ok(None)
    }
}

/// Copies by the configurations and by what the caller says.
pub(super) fn find_copies(
    checkpoints: &[&Checkpoint],
    said: &[(String, String)],
) -> Result<BTreeMap<String, String>, Error> {
    let configs = || checkpoints.iter().filter_map(|one| Some((*one, one.config()?)));
    let says = |tie: bool| configs().find(|(_, config)| config.tie_word_embeddings == Some(tie));
    if let (Some((a, _)), Some((b, _))) = (says(true), says(false)) {
        return Err(Error::format(
            b.path(),
            None,
            format!(
                "config.json says that embeddings are not tied (tie_word_embeddings), that of {} says that they are",
                a.path().display()
            ),
        ));
    }
    let all: BTreeMap<String, Vec<u64>> = checkpoints
        .iter()
        .flat_map(|one| {
            one.tensors()
                .map(|name| (name.to_owned(), one.find(name).map_or(vec![], |p| p.entry.shape.clone())))
        })
        .collect();
    let mut copies = BTreeMap::new();
    let config = says(true).or_else(|| configs().find(|(_, config)| config.is_encoder_decoder));
    let known = |name: &String| said.iter().any(|(copy, _)| copy == name);
    if let Some((checkpoint, config)) = config {
        let others: BTreeMap<String, Vec<u64>> =
            all.iter().filter(|(name, _)| !known(name)).map(|(k, v)| (k.clone(), v.clone())).collect();
        copies = tied_copies(config, &others).map_err(|why| Error::format(checkpoint.path(), None, why))?;
    }
    for (copy, original) in said {
        for name in [copy, original] {
            if !all.contains_key(name) {
                return Err(Error::range(format!(
                    "tied names the tensor {}, which no checkpoint holds",
                    shown(name)
                )));
            }
        }
        if copy == original
            || copies.contains_key(original)
            || said.iter().any(|(other, _)| other == original)
        {
            return Err(Error::range(format!(
                "tied must lead from a copy to an original, got {} = {}, which is a copy itself",
                shown(copy),
                shown(original)
            )));
        }
        copies.insert(copy.clone(), original.clone());
    }
    Ok(copies)
}

/// Copies that are not the same as their originals are none.
pub(super) fn check_copies(
    checkpoint: &Checkpoint,
    copies: &BTreeMap<String, String>,
    job: &Job,
) -> Result<(), Error> {
    for (copy, original) in copies {
        let (Some(a), Some(b)) = (checkpoint.find(copy), checkpoint.find(original)) else { continue };
        if !same_bytes(a, b, job)? {
            return Err(a.error(format_args!(
                "differs from {}, though they are tied (tie_word_embeddings of config.json, or --tied): mend the file or its configuration",
                shown(original)
            )));
        }
    }
    Ok(())
}

/// Whether two tensors are the same, to the byte.
fn same_bytes(a: Place, b: Place, job: &Job) -> Result<bool, Error> {
    const CHUNK: u64 = 1 << 20;
    if (a.entry.dtype, &a.entry.shape) != (b.entry.dtype, &b.entry.shape) {
        return Ok(false);
    }
    let bytes = a.entry.bytes();
    let (mut x, mut y) = (vec![0; bytes.min(CHUNK) as usize], vec![0; bytes.min(CHUNK) as usize]);
    for at in (0..bytes).step_by(CHUNK as usize) {
        job.check()?;
        let n = (bytes - at).min(CHUNK) as usize;
        a.file.read(a.entry, at, &mut x[..n])?;
        b.file.read(b.entry, at, &mut y[..n])?;
        if x[..n] != y[..n] {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A tensor's name as a message shows it.
pub(crate) fn shown(name: &str) -> String {
    const MOST: usize = 200;
    if name.chars().count() <= MOST {
        return format!("{name:?}");
    }
    let short: String = name.chars().take(MOST).collect();
    format!("{short:?}...")
}
