//! Several models as one: their updates merged window by window and added to the base again.

use super::journal::{Kept, Steps, once};
use super::output::{Writer, carried_bytes, carry, places_of};
use super::shown;
use super::updates::{Tensor, TensorChange, Updates};
use super::windows::{Windows, squares};
use crate::error::Error;
use crate::passes::blob;
use crate::state::State;
use rayon::prelude::*;
use tamis_kernels::elementwise::{add_scaled, weighted_sum};
use tamis_kernels::job::Job;
use tamis_kernels::magnitude::{Cut, MagnitudeSelect, PartCut, keep_count, select_parts};
use tamis_kernels::masks::{MaskError, agreement, apply_mask, sum_updates, task_mask};
use tamis_kernels::merge::{Elected, Merge, elect_merge};
use tamis_kernels::real::Stopped;
use tamis_kernels::threads;

/// Looking for what is kept, before anything is written: [`Job`]'s phase.
pub const MEASURE: u32 = 1;
/// Writing: [`Job`]'s phase.
pub const WRITE: u32 = 2;

/// How updates become one.
#[derive(Debug, Clone)]
pub enum Method {
    /// Their sum, each times its weight.
    Weighted { weights: Vec<f64> },
    /// Trimmed to their largest magnitudes, a sign elected for each number, what agrees with it merged.
    Elected { density: f64, merge: Merge, weights: Vec<f64>, each_tensor: bool },
    /// Their sum where at least `agree` of the updates count: those with `|update| > lambda |sum - update|`.
    Agreed { lambdas: Vec<f64>, agree: u64 },
}

/// How models are merged.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    pub method: Method,
    /// What the merged update is multiplied with before it is added to the base.
    pub lambda: f64,
}

/// What a merge came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// Of [`Method::Agreed`]: how many items 0, 1, 2, ... updates count for.
    pub histogram: Vec<u64>,
    /// Of [`Method::Elected`]: items whose weighted sum is exactly 0 though not every update is.
    pub undecided: u64,
    /// Of each tensor of the updates.
    pub tensors: Vec<TensorChange>,
}

/// What the tensors behind need of those that are merged.
#[derive(Debug, Clone, Default)]
pub struct Sofar {
    histogram: Vec<u64>,
    undecided: u64,
    /// Of the tensors of one scope.
    scope: Elected,
    /// As they are in front of the next tensor.
    cuts: Vec<Cut>,
    /// The tensors whose sign was not decided, and the cuts in front of each.
    again: Vec<(u64, Vec<Cut>)>,
    /// Of each tensor the sums of squares of what its windows hold, and of what was written.
    squares: Vec<Vec<f64>>,
}

impl Kept for Sofar {
    fn put(&self, out: &mut blob::Writer) {
        self.histogram.put(out);
        self.undecided.put(out);
        self.scope.put(out);
        self.cuts.put(out);
        self.again.put(out);
        self.squares.put(out);
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        Some(Sofar {
            histogram: Kept::take(from)?,
            undecided: Kept::take(from)?,
            scope: Kept::take(from)?,
            cuts: Kept::take(from)?,
            again: Kept::take(from)?,
            squares: Kept::take(from)?,
        })
    }
}

/// Merges the updates and writes `base + lambda merged` (without a base: `lambda merged`) and what else the layout holds. A tensor is a
/// step: an interrupted run goes on from the last one that it noted.
///
/// Reads every update once, or three times where magnitudes must be ranked and a tensor is longer than a window; memory is a window
/// of each.
///
/// # Errors
/// With the file and the tensor: a number that is not finite, in an input or in the result, or does not fit its type.
///
/// # Panics
/// If there are not as many weights or lambdas as models.
pub fn merge(
    updates: &Updates,
    writer: &Writer,
    options: &MergeOptions,
    state: &State,
    job: &Job,
) -> Result<Merged, Error> {
    let mut pass = Pass::new(updates, writer, options.lambda, job);
    let tensors = updates.tensors();
    let mut steps: Steps<Sofar> = writer.steps();
    let mut before = tensors.len();
    let begin = |steps: &Steps<Sofar>, reads: u64| {
        job.begin(WRITE, reads * updates.pass_bytes() + carried_bytes(updates));
        steps.tell(job);
    };
    match &options.method {
        Method::Weighted { weights } => {
            begin(&steps, 1);
            for tensor in tensors.iter().skip(steps.done) {
                let squares = pass.walk(tensor, |_, slots, out| weighted_sum(slots, weights, out, job))?;
                steps.more.squares.push(squares);
                writer.step(&mut steps, job)?;
            }
        }
        Method::Agreed { lambdas, agree } => {
            begin(&steps, 1);
            steps.more.histogram.resize(lambdas.len() + 1, 0);
            let mut votes = Votes::new(lambdas, *agree);
            for tensor in tensors.iter().skip(steps.done) {
                let counts = &mut steps.more.histogram;
                let squares = pass.walk(tensor, |_, slots, out| votes.sum(slots, out, counts, job))?;
                steps.more.squares.push(squares);
                writer.step(&mut steps, job)?;
            }
        }
        Method::Elected { density, merge, weights, each_tensor } => {
            let whole = *density == 1.0;
            if steps.done == 0 {
                steps.more.cuts = if whole || *each_tensor {
                    vec![Cut::all(); updates.models().len()]
                } else {
                    once(state, "cuts", &updates.print(), || {
                        global_cuts(updates, *density, &mut pass.windows, job)
                    })?
                };
            }
            begin(&steps, if whole || !each_tensor { 1 } else { RANKINGS + 1 });
            for (t, tensor) in tensors.iter().enumerate().skip(steps.done) {
                let Sofar { undecided, scope, cuts, again, squares, .. } = &mut steps.more;
                if *each_tensor && !whole && tensor.items > 0 {
                    *cuts = tensor_cuts(updates, tensor, *density, &mut pass.windows, job)?;
                }
                let mut in_front = cuts.clone();
                let (elected, mut own) = pass.elect(tensor, cuts, weights, *merge, 1.0)?;
                *undecided += elected.undecided;
                if *each_tensor {
                    if elected.undecided > 0 && elected.balance < 0 {
                        own = pass.elect(tensor, &mut in_front, weights, *merge, -1.0)?.1;
                    }
                } else {
                    *scope = scope.and(elected);
                    if elected.undecided > 0 {
                        again.push((t as u64, in_front));
                    }
                }
                squares.push(own);
                writer.step(&mut steps, job)?;
            }
            if steps.more.scope.balance < 0 {
                let again = steps.more.again.clone();
                before += again.len();
                for (t, mut cuts) in again.into_iter().skip(steps.done - tensors.len()) {
                    let t = t as usize;
                    steps.more.squares[t] = pass.elect(&tensors[t], &mut cuts, weights, *merge, -1.0)?.1;
                    writer.step(&mut steps, job)?;
                }
            }
        }
    }
    carry(updates, writer, before, &mut steps, job)?;
    updates.check_unchanged()?;
    let Sofar { histogram, undecided, squares, .. } = steps.more;
    let models = updates.models().len();
    let has_base = updates.base().is_some();
    let change = |(tensor, squares): (&Tensor, Vec<f64>)| TensorChange {
        name: tensor.name.clone(),
        items: tensor.items,
        updates: squares[..models].iter().map(|x| x.sqrt()).collect(),
        base: has_base.then(|| squares[models].sqrt()),
        written: options.lambda.abs() * squares.last().map_or(0.0, |x| x.sqrt()),
        nonzeros: None,
    };
    let tensors = tensors.iter().zip(squares).map(change).collect();
    Ok(Merged { histogram, undecided, tensors })
}

/// Which updates need a number, and how many must.
struct Votes<'a> {
    lambdas: &'a [f64],
    agree: u64,
    masks: Vec<Vec<u8>>,
    mask: Vec<u8>,
    sum: Vec<f32>,
}

impl<'a> Votes<'a> {
    fn new(lambdas: &'a [f64], agree: u64) -> Self {
        let masks = vec![Vec::new(); lambdas.len()];
        Votes { lambdas, agree, masks, mask: Vec::new(), sum: Vec::new() }
    }

    /// The sum of the updates where enough of them need a number; counts how many do.
    fn sum(
        &mut self,
        updates: &[&[f32]],
        out: &mut [f32],
        counts: &mut [u64],
        job: &Job,
    ) -> Result<(), Stopped> {
        let Votes { lambdas, agree, masks, mask, sum } = self;
        sum.resize(out.len(), 0.0);
        mask.resize(out.len(), 0);
        sum_updates(updates, sum, job)?;
        for ((own, update), lambda) in masks.iter_mut().zip(updates).zip(*lambdas) {
            own.resize(out.len(), 0);
            task_mask(update, sum, *lambda, own, job)?;
        }
        let all: Vec<&[u8]> = masks.iter().map(Vec::as_slice).collect();
        agreement(&all, *agree, mask, counts, job).map_err(|error| match error {
            MaskError::Aborted => Stopped::Aborted,
            MaskError::NotMask { .. } => unreachable!("the masks were made here"),
        })?;
        Ok(apply_mask(mask, sum, out, job)?)
    }
}

/// Passes of [`MagnitudeSelect`] over float32.
const RANKINGS: u64 = 2;

/// A walk over tensors that writes what is made of each window.
struct Pass<'a> {
    updates: &'a Updates,
    writer: &'a Writer<'a>,
    lambda: f64,
    job: &'a Job,
    windows: Windows,
    /// Whether the windows hold a base behind the updates.
    has_base: bool,
    merged: Vec<f32>,
    out: Vec<f32>,
}

impl<'a> Pass<'a> {
    fn new(updates: &'a Updates, writer: &'a Writer<'a>, lambda: f64, job: &'a Job) -> Self {
        let has_base = updates.base().is_some() || updates.origin() != 0.0;
        let windows = Windows::new(updates.models().len() + usize::from(has_base));
        Pass { updates, writer, lambda, job, windows, has_base, merged: Vec::new(), out: Vec::new() }
    }

    /// Makes each window of a tensor one update with `make`, which is told where the window begins, and writes the model. Gives the sums of
    /// squares of what the windows hold, and last of the update that was made.
    fn walk(
        &mut self,
        tensor: &Tensor,
        mut make: impl FnMut(u64, &[&[f32]], &mut [f32]) -> Result<(), Stopped>,
    ) -> Result<Vec<f64>, Error> {
        let Pass { updates, writer, job, .. } = *self;
        let names = places_of(updates, &tensor.name);
        let models = updates.models().len();
        let mut all = vec![0.0; models + usize::from(self.has_base) + 1];
        for start in self.windows.starts(tensor.items) {
            updates.read(tensor, start, &mut self.windows, job)?;
            let slots = self.windows.slots();
            let n = slots[0].len();
            self.merged.resize(n, 0.0);
            self.out.resize(n, 0.0);
            let stopped = |stopped| match stopped {
                Stopped::Aborted => Error::Aborted,
                Stopped::NotFinite => Error::range(format!(
                    "the tensor {} of the merged model is not finite: it is too large for float32",
                    shown(&tensor.name)
                )),
            };
            make(start, &slots[..models], &mut self.merged).map_err(stopped)?;
            let made = squares(&self.merged);
            all.iter_mut().zip(self.windows.squares().iter().chain([&made])).for_each(|(sum, x)| *sum += x);
            let model: &[f32] = if self.has_base {
                add_scaled(slots[models], &self.merged, self.lambda, &mut self.out, job).map_err(stopped)?;
                &self.out
            } else {
                if self.lambda != 1.0 {
                    let sum = [self.merged.as_slice()];
                    weighted_sum(&sum, &[self.lambda], &mut self.out, job).map_err(stopped)?;
                    &self.out
                } else {
                    &self.merged
                }
            };
            for name in &names {
                writer.write(name, start, model, job)?;
            }
        }
        Ok(all)
    }

    fn elect(
        &mut self,
        tensor: &Tensor,
        cuts: &mut [Cut],
        weights: &[f64],
        merge: Merge,
        majority: f64,
    ) -> Result<(Elected, Vec<f64>), Error> {
        let job = self.job;
        let mut elected = Elected::default();
        let squares = self.walk(tensor, |_, slots, out| {
            let cuts: Vec<PartCut> = cuts.iter_mut().zip(slots).map(|(cut, x)| cut.part(x)).collect();
            elected = elected.and(elect_merge(slots, &cuts, weights, merge, majority, out, job)?);
            Ok(())
        })?;
        Ok((elected, squares))
    }
}

/// For each update the cut that keeps a share of all its items.
fn global_cuts(updates: &Updates, density: f64, windows: &mut Windows, job: &Job) -> Result<Vec<Cut>, Error> {
    job.begin(MEASURE, RANKINGS * updates.pass_bytes());
    let tensors: Vec<&Tensor> = updates.tensors().iter().collect();
    cuts_over(updates, &tensors, keep_count(density, updates.elements()), windows, job)
}

/// For each update the cut that keeps a share of one tensor's items.
fn tensor_cuts(
    updates: &Updates,
    tensor: &Tensor,
    density: f64,
    windows: &mut Windows,
    job: &Job,
) -> Result<Vec<Cut>, Error> {
    cuts_over(updates, &[tensor], keep_count(density, tensor.items), windows, job)
}

fn cuts_over(
    updates: &Updates,
    tensors: &[&Tensor],
    keep: u64,
    windows: &mut Windows,
    job: &Job,
) -> Result<Vec<Cut>, Error> {
    if let &[tensor] = tensors
        && tensor.items <= windows.size() as u64
    {
        // All of it is there at once; progress counts a read for each ranking.
        for _ in 0..RANKINGS {
            updates.read(tensor, 0, windows, job)?;
        }
        let cut = |x| select_parts(&[x], keep, job).map_err(|_| Error::Aborted);
        return windows.slots().into_iter().take(updates.models().len()).map(cut).collect();
    }
    let mut selects: Vec<MagnitudeSelect> =
        updates.models().iter().map(|_| MagnitudeSelect::new(keep)).collect();
    loop {
        for tensor in tensors {
            for start in windows.starts(tensor.items) {
                updates.read(tensor, start, windows, job)?;
                let slots = windows.slots();
                let add = |(select, x): (&mut MagnitudeSelect, &&[f32])| select.add(x, job);
                let added = match selects.len() {
                    1 => selects.iter_mut().zip(&slots).try_for_each(add),
                    _ => threads::pool().install(|| selects.par_iter_mut().zip(&slots).try_for_each(add)),
                };
                // What is not finite was refused as it was read.
                added.map_err(|_| Error::Aborted)?;
            }
        }
        // All have as many digits to go.
        let again: Vec<bool> = selects.iter_mut().map(MagnitudeSelect::next_pass).collect();
        if !again[0] {
            return Ok(selects.into_iter().map(MagnitudeSelect::cut).collect());
        }
    }
}
