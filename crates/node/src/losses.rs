//! Losses from logits, and the sequences whose loss a second model reduces most.

use crate::failure::Failure;
use crate::job::guard;
use crate::weights::Part;
use bytemuck::Pod;
use half::{bf16, f16};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::job::{Aborted, Job};
use tamis_kernels::losses::{self, IGNORED, Logit, LossError};
use tamis_kernels::{sums, topk};

type Outcome<T> = std::result::Result<T, Failure>;

/// The mean loss of each sequence of `length` rows of `classes` logits, over the rows that the mask lets count.
#[napi]
pub fn sequence_losses(
    logits: Part,
    labels: Part,
    mask: Option<&[u8]>,
    length: u32,
    classes: u32,
) -> Result<Float32Array> {
    let (length, classes) = (length as usize, classes as usize);
    guard(|| {
        let labels = labels_of(&labels, |row| mask.is_none_or(|mask| mask[row] != 0))?;
        let place = |row: usize| format!("token {} of sequence {}", row % length, row / length);
        let losses = token_losses(&logits, classes, &labels, false, place)?;
        losses::mean_losses(&losses, &labels, length)
            .map_err(|sequence| Failure::range(format!("sequence {sequence} has no active token")))
    })
    .map(Float32Array::new)
}

/// The mean over windows of `length` rows of their mean loss, where the logits of a row predict the next row's token.
#[napi]
pub fn window_loss(logits: Part, tokens: Part, length: u32, classes: u32) -> Result<f64> {
    let (length, classes) = (length as usize, classes as usize);
    guard(|| {
        let mut labels = labels_of(&tokens, |_| true)?;
        if let Some(row) = labels.iter().position(|&token| token as usize >= classes) {
            let (token, window) = (row % length, row / length);
            return Err(Failure::range(format!(
                "token out of range: token {token} of window {window} is none of {classes}"
            )));
        }
        for window in labels.chunks_exact_mut(length) {
            window.rotate_left(1);
            window[length - 1] = IGNORED;
        }
        let place = |row: usize| format!("the logits of token {} of window {}", row % length, row / length);
        let losses = token_losses(&logits, classes, &labels, true, place)?;
        let windows = losses.len() / length;
        let mean = |window: usize| sums::sum_f64(&losses[window * length..][..length]) / (length - 1) as f64;
        Ok(sums::sum_by(windows, mean) / windows as f64)
    })
}

fn token_losses(
    logits: &Part,
    classes: usize,
    labels: &[u32],
    finite: bool,
    place: impl Fn(usize) -> String,
) -> Outcome<Vec<f64>> {
    fn of<T: Logit + Pod>(
        logits: &Part,
        classes: usize,
        labels: &[u32],
        finite: bool,
    ) -> Outcome<std::result::Result<Vec<f64>, LossError>> {
        let logits: &[T] = items(logits)?;
        if logits.len() != labels.len() * classes {
            return Err(Failure::shape("logits of another shape"));
        }
        Ok(losses::token_losses(logits, classes, labels, finite, &Job::default()))
    }
    let losses = match logits.dtype.as_str() {
        "float32" => of::<f32>(logits, classes, labels, finite),
        "float64" => of::<f64>(logits, classes, labels, finite),
        "float16" => of::<f16>(logits, classes, labels, finite),
        "bfloat16" => of::<bf16>(logits, classes, labels, finite),
        other => Err(Failure::kind(format!("logits cannot be {other}"))),
    }?;
    losses.map_err(|error| match error {
        LossError::Label { row } => {
            Failure::range(format!("label out of range: {} has none of {classes}", place(row)))
        }
        LossError::NotFinite { row } if finite => {
            Failure::range(format!("not finite: {} hold a NaN or infinity", place(row)))
        }
        LossError::NotFinite { row } => Failure::range(format!(
            "logits must be numbers below Infinity, and not all -Infinity: those of {} are not",
            place(row)
        )),
        LossError::Aborted => Aborted.into(),
    })
}

/// Labels of any integer type. Where one counts and no uint32 holds it, it becomes one that no number of classes reaches.
fn labels_of(labels: &Part, counts: impl Fn(usize) -> bool) -> Outcome<Vec<u32>> {
    fn of<T: Pod + Into<i64>>(labels: &Part, counts: impl Fn(usize) -> bool) -> Outcome<Vec<u32>> {
        const NONE: u32 = IGNORED - 1;
        let label = |(i, &item): (usize, &T)| match counts(i) {
            true => u32::try_from(item.into()).map_or(NONE, |label| label.min(NONE)),
            false => IGNORED,
        };
        Ok(items::<T>(labels)?.iter().enumerate().map(label).collect())
    }
    match labels.dtype.as_str() {
        "int8" => of::<i8>(labels, counts),
        "uint8" => of::<u8>(labels, counts),
        "int16" => of::<i16>(labels, counts),
        "uint16" => of::<u16>(labels, counts),
        "int32" => of::<i32>(labels, counts),
        "uint32" => of::<u32>(labels, counts),
        "int64" => of::<i64>(labels, counts),
        other => Err(Failure::kind(format!("labels cannot be {other}"))),
    }
}

fn items<T: Pod>(part: &Part) -> Outcome<&[T]> {
    // An empty array may lie anywhere.
    if part.data.is_empty() {
        return Ok(&[]);
    }
    bytemuck::try_cast_slice(&part.data).map_err(|e| Failure::shape(format!("data of {}: {e}", part.dtype)))
}

#[napi(object)]
pub struct Reduced {
    pub scores: Float32Array,
    /// Ascending.
    pub indices: Uint32Array,
    /// The lowest score of those.
    pub threshold: f64,
}

/// The `count` sequences whose loss falls most from `before` to `after`.
#[napi]
pub fn reduce_losses(before: &[f32], after: &[f32], count: u32) -> Result<Reduced> {
    let work = || {
        if before.len() != after.len() || count as usize > before.len() {
            return Err(Failure::shape("losses of another length"));
        }
        let scores = losses::reductions(before, after, &Job::default())?.map_err(|place| {
            let got = format!("got {} and {} for sequence {place}", before[place], after[place]);
            Failure::range(format!(
                "losses must be numbers above -Infinity, at most one of a sequence Infinity: {got}"
            ))
        })?;
        let indices = topk::top_k(&scores, count as usize, true, false);
        let kept = indices.iter().map(|&i| scores[i as usize]);
        let threshold = kept.fold(f32::INFINITY, f32::min);
        Ok((scores, indices, threshold))
    };
    guard(work).map(|(scores, indices, threshold)| Reduced {
        scores: Float32Array::new(scores),
        indices: Uint32Array::new(indices),
        threshold: threshold.into(),
    })
}
