//! Many models of one base as their merged update and a bit an item and model, in a safetensors file.
//!
//! # The file, version 1
//! The metadata, in this order: `format` (`tamis.tall`), `tasks` (JSON: the models' names, in the order given), `version` (`1`). Then of each
//! tensor NAME `merged.NAME` (F32, its shape), by name; then of each model and tensor `mask.MODEL.NAME` (U8, a bit an item, least significant
//! first), by name.

use super::journal::Steps;
use super::merge::WRITE;
use super::output::{FilePlan, Plan, Planned, Writer, WrittenFile};
use super::shown;
use super::updates::{Tensor, TensorChange, Updates};
use super::windows::{Windows, squares};
use crate::atomic::Output;
use crate::error::Error;
use crate::safetensors::Dtype;
use crate::state::State;
use tamis_kernels::bits;
use tamis_kernels::job::Job;
use tamis_kernels::masks::{sum_updates, task_mask};
use tamis_kernels::real::Stopped;

/// The metadata's `format`.
pub const FORMAT: &str = "tamis.tall";
/// The metadata's `version`.
pub const VERSION: &str = "1";
/// The file's name in an output folder.
pub const NAME: &str = "tasks.safetensors";

/// What the masks came to.
#[derive(Debug, Clone)]
pub struct Masked {
    pub files: Vec<WrittenFile>,
    /// Of each model: the share of its mask that is 1.
    pub densities: Vec<f64>,
    /// Of each tensor of the updates.
    pub tensors: Vec<TensorChange>,
}

/// Writes the sum of the updates, and of each the mask where `|update| > lambda |sum - update|`.
///
/// Reads every update once; memory is a window of each. A tensor is a step, from which an interrupted run goes on.
///
/// # Errors
/// With the file and the tensor: a number that is not finite.
///
/// # Panics
/// If there are not as many names or lambdas as models.
pub fn mask_updates(
    updates: &Updates,
    output: Output,
    names: &[String],
    lambdas: &[f64],
    state: &State,
    job: &Job,
) -> Result<(Output, Masked), Error> {
    assert!(
        names.len() == updates.models().len() && lambdas.len() == names.len(),
        "a name and a lambda for each model"
    );
    let writer = Writer::begin(output, plan(updates, names)?, &updates.print(), state, job)?;
    let mut windows = Windows::new(updates.models().len());
    // Of each model the ones of its mask; of each tensor the sums of squares of the updates and of their sum.
    let mut steps: Steps<(Vec<u64>, Vec<Vec<f64>>)> = writer.steps();
    steps.more.0.resize(names.len(), 0);
    let (mut sum, mut mask, mut packed) = (Vec::new(), Vec::new(), Vec::new());
    job.begin(WRITE, updates.pass_bytes());
    steps.tell(job);
    for tensor in updates.tensors().iter().skip(steps.done) {
        let mut own = vec![0.0; names.len() + 1];
        for start in windows.starts(tensor.items) {
            updates.read(tensor, start, &mut windows, job)?;
            let slots = windows.slots();
            let n = slots[0].len();
            sum.resize(n, 0.0);
            mask.resize(n, 0);
            packed.resize(bits::bytes_of(n), 0);
            let stopped = |stopped| match stopped {
                Stopped::Aborted => Error::Aborted,
                Stopped::NotFinite => Error::range(format!(
                    "the tensor {} of the merged update is not finite: it is too large for float32",
                    shown(&tensor.name)
                )),
            };
            sum_updates(&slots, &mut sum, job).map_err(stopped)?;
            let made = squares(&sum);
            own.iter_mut().zip(windows.squares().iter().chain([&made])).for_each(|(sum, x)| *sum += x);
            writer.write(&format!("merged.{}", tensor.name), start, &sum, job)?;
            for (m, update) in slots.iter().enumerate() {
                steps.more.0[m] += task_mask(update, &sum, lambdas[m], &mut mask, job).map_err(stopped)?;
                bits::pack(&mask, &mut packed, job)?;
                writer.write_bytes(&format!("mask.{}.{}", names[m], tensor.name), start / 8, &packed)?;
            }
        }
        steps.more.1.push(own);
        writer.step(&mut steps, job)?;
    }
    updates.check_unchanged()?;
    let (output, files) = writer.finish()?;
    let elements = updates.elements() as f64;
    let (ones, squares) = steps.more;
    let densities = ones.into_iter().map(|ones| ones as f64 / elements).collect();
    let change = |(tensor, squares): (&Tensor, Vec<f64>)| {
        let mut norms: Vec<f64> = squares.iter().map(|x| x.sqrt()).collect();
        let written = norms.pop().unwrap_or_default();
        let (name, items) = (tensor.name.clone(), tensor.items);
        TensorChange { name, items, updates: norms, base: None, written, nonzeros: None }
    };
    let tensors = updates.tensors().iter().zip(squares).map(change).collect();
    Ok((output, Masked { files, densities, tensors }))
}

fn plan(updates: &Updates, names: &[String]) -> Result<Plan, Error> {
    let metadata = [
        ("format", FORMAT.to_owned()),
        ("tasks", serde_json::json!(names).to_string()),
        ("version", VERSION.to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    let merged = updates.tensors().iter().map(|tensor| Planned {
        name: format!("merged.{}", tensor.name),
        dtype: Dtype::F32,
        shape: tensor.shape.clone(),
    });
    let mut masks: Vec<Planned> = names
        .iter()
        .flat_map(|task| {
            updates.tensors().iter().map(move |tensor| Planned {
                name: format!("mask.{task}.{}", tensor.name),
                dtype: Dtype::U8,
                shape: vec![tensor.items.div_ceil(8)],
            })
        })
        .collect();
    masks.sort_by(|a, b| a.name.cmp(&b.name));
    let file = FilePlan::in_order(NAME.into(), &metadata, merged.chain(masks).collect())?;
    Plan::file(file).with_side_files(updates.layout())
}
