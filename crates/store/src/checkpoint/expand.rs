//! Packed updates expanded, alone or on their base.

use super::journal::{Steps, print_of};
use super::merge::WRITE;
use super::output::{FilePlan, Plan, Planned, Writer, WrittenFile};
use super::packed::{Masks, Packed, Scratch, bytes};
use super::updates::{Origin, TensorChange, check_copies, find_copies};
use super::windows::{Windows, check_finite, read_f32, squares};
use super::{Checkpoint, Place, shown};
use crate::atomic::Output;
use crate::error::Error;
use crate::safetensors::Dtype;
use crate::state::State;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tamis_kernels::elementwise::{add_scaled, weighted_sum};
use tamis_kernels::job::Job;
use tamis_kernels::real::Stopped;

/// What a packed update is added to, and how it is written.
#[derive(Debug, Clone, Default)]
pub struct ExpandOptions {
    pub origin: Origin,
    /// Which of several models; needed where there are several.
    pub task: Option<String>,
    /// What the update is multiplied with.
    pub lambda: f64,
    /// The type of all weights; without it those of the base, and float32 without a base.
    pub dtype: Option<Dtype>,
    /// Copies beside those that the base's configuration says.
    pub tied: Vec<(String, String)>,
}

/// What an expansion came to.
#[derive(Debug, Clone)]
pub struct Expanded {
    pub files: Vec<WrittenFile>,
    /// Other weights that lie beside the base and did not go along.
    pub left: Vec<PathBuf>,
    /// Of each tensor of the update.
    pub tensors: Vec<TensorChange>,
}

/// Opened and checked against each other: a packed update and its base.
#[derive(Debug)]
pub struct Expansion {
    packed: Packed,
    base: Option<Checkpoint>,
    copies: BTreeMap<String, String>,
    options: ExpandOptions,
}

impl Expansion {
    /// Opens both.
    ///
    /// # Errors
    /// What [`Packed::open`] refuses; `unknown task`; with file and tensor: one that the base lacks (`updates differ in tensors`), another
    /// shape (`shape mismatch`), another type than one of weights.
    pub fn open(path: &Path, options: ExpandOptions, job: &Job) -> Result<Self, Error> {
        let packed = Packed::open(path)?;
        match (&options.task, packed.tasks()) {
            (None, []) => {}
            (Some(task), names) if names.contains(task) => {}
            (task, []) => {
                return Err(Error::range(format!(
                    "unknown task {:?}: {} holds one update, and no tasks",
                    task.as_deref().unwrap_or_default(),
                    path.display()
                )));
            }
            (task, names) => {
                let got = task.as_ref().map_or("none".into(), |task| format!("{task:?}"));
                return Err(Error::range(format!(
                    "unknown task: --task (task) must be one of {}, got {got}",
                    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
                )));
            }
        }
        let base = match &options.origin {
            Origin::Base(path) => Some(Checkpoint::open(path)?),
            _ => None,
        };
        let mut copies = BTreeMap::new();
        if let Some(base) = &base {
            copies = find_copies(&[base], &options.tied)?;
            check_copies(base, &copies, job)?;
        }
        let expansion = Expansion { packed, base, copies, options };
        expansion.check_base()?;
        Ok(expansion)
    }

    fn check_base(&self) -> Result<(), Error> {
        let Some(base) = &self.base else { return Ok(()) };
        for (name, shape) in &self.packed.shapes {
            let Some(place) = self.base_places(base, name).first().and_then(|name| base.find(name)) else {
                return Err(Error::format(
                    base.path(),
                    None,
                    format!(
                        "updates differ in tensors: {} is missing here, and is in {}",
                        shown(name),
                        self.packed.file().path().display()
                    ),
                ));
            };
            if place.entry.shape != *shape {
                return Err(place.error(format_args!(
                    "is of another shape (shape mismatch): {:?} here, {shape:?} in {}",
                    place.entry.shape,
                    self.packed.file().path().display()
                )));
            }
            if !place.entry.dtype.is_weight() {
                return Err(place.error(format_args!(
                    "is of type {}: only F32, F16 and BF16 are worked with",
                    place.entry.dtype
                )));
            }
        }
        Ok(())
    }

    /// Under which names the base holds a tensor: its own and those of copies.
    fn base_places<'a>(&'a self, base: &'a Checkpoint, name: &'a str) -> Vec<&'a str> {
        base.tensors().filter(|one| self.original(one) == self.original(name)).collect()
    }

    fn original<'a>(&'a self, name: &'a str) -> &'a str {
        self.copies.get(name).map_or(name, String::as_str)
    }

    /// All files that are read.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        std::iter::once(&self.packed.checkpoint).chain(&self.base)
    }

    /// How many tensors the update has.
    pub fn tensors(&self) -> usize {
        self.packed.shapes.len()
    }

    /// Items of the update.
    pub fn elements(&self) -> u64 {
        self.packed.shapes.values().map(|shape| shape.iter().product::<u64>()).sum()
    }

    /// Bytes that a run reads; copies in the base count although they are not read again.
    fn pass_bytes(&self) -> u64 {
        let task = self.options.task.as_deref();
        let packed: u64 = self.packed.shapes.keys().map(|name| self.packed.bytes_of(name, task)).sum();
        let base = self.base.iter().flat_map(|base| base.tensors().filter_map(|name| base.find(name)));
        packed + base.map(bytes).sum::<u64>()
    }

    /// What will be written: files like the base's, or one file with the update's tensors.
    pub fn plan(&self, one_file: bool) -> Result<Plan, Error> {
        if let Some(base) = &self.base {
            return Plan::like(base, one_file, self.options.dtype);
        }
        let dtype = self.options.dtype.unwrap_or(Dtype::F32);
        let tensors = self.packed.shapes.iter().map(|(name, shape)| Planned {
            name: name.clone(),
            dtype,
            shape: shape.clone(),
        });
        let is_adapter = self
            .packed
            .checkpoint
            .folder()
            .is_some_and(|folder| folder.join("adapter_config.json").is_file());
        let name = if is_adapter { "adapter_model.safetensors" } else { "model.safetensors" };
        let metadata = [("format".to_owned(), "pt".to_owned())];
        let file = FilePlan::in_order(name.into(), &metadata, tensors.collect())?;
        Plan::file(file).with_side_files(&self.packed.checkpoint)
    }

    /// Writes `base + lambda update`; without a base `lambda update` (on ones: `1 + lambda update`).
    ///
    /// Reads both once. Memory: windows, and one or two bits an item of the largest tensor. A tensor is a step, from which an interrupted
    /// run goes on.
    ///
    /// # Errors
    /// With the file and the tensor: what is damaged, not finite, or does not fit its type.
    pub fn run(
        &self,
        output: Output,
        one_file: bool,
        state: &State,
        job: &Job,
    ) -> Result<(Output, Expanded), Error> {
        let plan = self.plan(one_file)?;
        let left = plan.left_out();
        let names = self.packed.shapes.keys().map(|name| format!("{name} {}", self.original(name)));
        let writer = Writer::begin(output, plan, &print_of(names), state, job)?;
        // Of each tensor the sums of squares of the base and of what is added to it.
        let mut steps: Steps<Vec<(f64, f64)>> = writer.steps();
        job.begin(WRITE, self.pass_bytes());
        steps.tell(job);
        let mut windows = Windows::new(3);
        let mut scratch = Scratch::default();
        for (name, shape) in self.packed.shapes.iter().skip(steps.done) {
            let items: u64 = shape.iter().product();
            let masks = self.packed.masks(name, items as usize, self.options.task.as_deref(), job)?;
            let names = match &self.base {
                Some(base) => self.base_places(base, name),
                None => vec![name.as_str()],
            };
            let below = self.base.as_ref().and_then(|base| base.find(names[0]));
            let mut own = (0.0, 0.0);
            for start in windows.starts(items) {
                self.window(name, below, &masks, start, items, &mut windows, &mut scratch, job)?;
                if below.is_some() {
                    own.0 += squares(windows.slot(0));
                }
                own.1 += squares(windows.slot(1));
                for name in &names {
                    writer.write(name, start, windows.slot(2), job)?;
                }
            }
            let below: u64 = self
                .base
                .iter()
                .flat_map(|base| names.iter().filter_map(|name| base.find(name)))
                .map(bytes)
                .sum();
            job.advance(self.packed.bytes_of(name, self.options.task.as_deref()) + below, 1);
            steps.more.push(own);
            writer.step(&mut steps, job)?;
        }
        if let Some(base) = &self.base {
            let originals: Vec<&str> = self.packed.shapes.keys().map(|name| self.original(name)).collect();
            let others = base.tensors().filter(|name| !originals.contains(&self.original(name)));
            for name in others.skip(steps.done - self.tensors()) {
                writer.copy(name, base.find(name).expect("it was listed"), job)?;
                writer.step(&mut steps, job)?;
            }
        }
        self.checkpoints().try_for_each(Checkpoint::check_unchanged)?;
        let (output, files) = writer.finish()?;
        let change = |((name, shape), (base, update)): ((&String, &Vec<u64>), (f64, f64))| TensorChange {
            name: name.clone(),
            items: shape.iter().product(),
            updates: Vec::new(),
            base: self.base.is_some().then(|| base.sqrt()),
            written: self.options.lambda.abs() * update.sqrt(),
            nonzeros: None,
        };
        let tensors = self.packed.shapes.iter().zip(steps.more).map(change).collect();
        Ok((output, Expanded { files, left, tensors }))
    }

    /// Makes one window: the base in slot 0, the update in slot 1, what is written in slot 2.
    #[allow(clippy::too_many_arguments)]
    fn window(
        &self,
        name: &str,
        below: Option<Place>,
        masks: &Masks,
        start: u64,
        items: u64,
        windows: &mut Windows,
        scratch: &mut Scratch,
        job: &Job,
    ) -> Result<(), Error> {
        let [base, update, out] = windows.three(items, start);
        self.packed.fill(name, masks, start, scratch, update, job)?;
        let lambda = self.options.lambda;
        let added = match (below, &self.options.origin) {
            (Some(place), _) => {
                read_f32(place, start, base)?;
                check_finite(place, start, base)?;
                add_scaled(base, update, lambda, out, job)
            }
            (None, Origin::One) => {
                base.fill(1.0);
                add_scaled(base, update, lambda, out, job)
            }
            (None, _) if lambda == 1.0 => {
                out.copy_from_slice(update);
                Ok(())
            }
            (None, _) => weighted_sum(&[&*update], &[lambda], out, job),
        };
        added.map_err(|stopped| match stopped {
            Stopped::Aborted => Error::Aborted,
            Stopped::NotFinite => Error::range(format!(
                "the tensor {} of the result is not finite: it is too large for float32",
                shown(name)
            )),
        })
    }
}
