//! Packed updates opened and read: signs and a scale ([`super::compress`]), or one model of several ([`super::tasks`]).

use super::windows::{check_finite, read_f32};
use super::{Checkpoint, Place, compress, shown, tasks};
use crate::error::Error;
use crate::safetensors::{Dtype, Safetensors};
use std::collections::BTreeMap;
use std::path::Path;
use tamis_kernels::bits::{bytes_of, unpack};
use tamis_kernels::golomb::{self, GolombError};
use tamis_kernels::job::Job;
use tamis_kernels::masks::apply_mask;
use tamis_kernels::ternary::{check_signs, expand as expand_signs};

/// A packed update.
#[derive(Debug)]
pub struct Packed {
    pub(super) checkpoint: Checkpoint,
    form: Form,
    /// Of each tensor its shape.
    pub(super) shapes: BTreeMap<String, Vec<u64>>,
}

#[derive(Debug)]
enum Form {
    Signs { golomb: bool },
    Tasks { names: Vec<String> },
}

impl Packed {
    /// Opens a packed update, a file or a folder with one, and checks that everything is there and of its size.
    ///
    /// # Errors
    /// `not a ternary file` (nor one of tasks), `unsupported version`; a tensor that lacks a part, or has one of another size.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let checkpoint = Checkpoint::open(path)?;
        let [file] = checkpoint.files() else {
            return Err(Error::format(path, None, "not a ternary file: it is a sharded checkpoint"));
        };
        let bad = |message: String| Error::format(file.path(), None, message);
        let header = file.header();
        let (form, shapes) = match header.metadata("format") {
            Some(compress::FORMAT) => {
                check_version(file, compress::VERSION)?;
                let golomb = match header.metadata("encoding") {
                    Some("golomb") => true,
                    Some("bitmask") => false,
                    other => return Err(bad(format!("unknown encoding {:?}", other.unwrap_or_default()))),
                };
                let shapes: BTreeMap<String, Vec<u64>> =
                    serde_json::from_str(header.metadata("shapes").unwrap_or(""))
                        .map_err(|error| bad(format!("its metadata's shapes are damaged: {error}")))?;
                (Form::Signs { golomb }, shapes)
            }
            Some(tasks::FORMAT) => {
                check_version(file, tasks::VERSION)?;
                let names: Vec<String> = serde_json::from_str(header.metadata("tasks").unwrap_or(""))
                    .map_err(|error| bad(format!("its metadata's tasks are damaged: {error}")))?;
                let merged = header.entries.iter().filter_map(|entry| {
                    Some((entry.name.strip_prefix("merged.")?.to_owned(), entry.shape.clone()))
                });
                (Form::Tasks { names }, merged.collect())
            }
            _ => {
                return Err(bad(
                    "not a ternary file, nor a task file: it is no update that `tamis weights` wrote".into(),
                ));
            }
        };
        let packed = Packed { checkpoint, form, shapes };
        packed.check_parts()?;
        Ok(packed)
    }

    pub(super) fn file(&self) -> &Safetensors {
        &self.checkpoint.files()[0]
    }

    fn check_parts(&self) -> Result<(), Error> {
        for (name, shape) in &self.shapes {
            let items = Dtype::U8.bytes(shape).filter(|&n| usize::try_from(n).is_ok());
            let items = items.ok_or_else(|| {
                Error::format(
                    self.file().path(),
                    None,
                    format!("the tensor {} has too many items: {shape:?}", shown(name)),
                )
            })?;
            let mask = Some(items.div_ceil(8));
            match &self.form {
                Form::Signs { golomb } => {
                    self.part(&format!("{name}.scale"), Dtype::F32, Some(1))?;
                    if *golomb {
                        self.part(&format!("{name}.golomb"), Dtype::U8, None)?;
                    } else {
                        self.part(&format!("{name}.negative"), Dtype::U8, mask)?;
                        self.part(&format!("{name}.positive"), Dtype::U8, mask)?;
                    }
                }
                Form::Tasks { names } => {
                    self.part(&format!("merged.{name}"), Dtype::F32, Some(items))?;
                    for task in names {
                        self.part(&format!("mask.{task}.{name}"), Dtype::U8, mask)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn part(&self, name: &str, dtype: Dtype, items: Option<u64>) -> Result<Place<'_>, Error> {
        let file = self.file();
        let place = self.checkpoint.find(name).ok_or_else(|| {
            Error::format(file.path(), None, format!("the tensor {} is missing", shown(name)))
        })?;
        let entry = place.entry;
        if entry.dtype != dtype || items.is_some_and(|items| items != entry.items()) {
            return Err(place.error(format_args!(
                "is {} of shape {:?}, where {dtype} of {} is wanted",
                entry.dtype,
                entry.shape,
                items.map_or("any length".into(), |items| format!("{items} items"))
            )));
        }
        Ok(place)
    }

    /// The names of its tasks, if it holds several.
    pub fn tasks(&self) -> &[String] {
        match &self.form {
            Form::Signs { .. } => &[],
            Form::Tasks { names } => names,
        }
    }

    /// The files that it lies in.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Bytes of what is read of one tensor.
    pub(super) fn bytes_of(&self, name: &str, task: Option<&str>) -> u64 {
        let parts = match &self.form {
            Form::Signs { golomb: true } => vec![format!("{name}.scale"), format!("{name}.golomb")],
            Form::Signs { golomb: false } => {
                ["scale", "negative", "positive"].map(|part| format!("{name}.{part}")).to_vec()
            }
            Form::Tasks { .. } => {
                vec![format!("merged.{name}"), format!("mask.{}.{name}", task.unwrap_or_default())]
            }
        };
        parts.iter().filter_map(|part| self.checkpoint.find(part)).map(bytes).sum()
    }

    /// Reads the masks of one tensor, ready for [`fill`](Self::fill).
    pub(super) fn masks(
        &self,
        name: &str,
        items: usize,
        task: Option<&str>,
        job: &Job,
    ) -> Result<Masks, Error> {
        let read = |name: String| -> Result<Vec<u8>, Error> {
            let place = self.part(&name, Dtype::U8, None)?;
            let mut bytes = vec![0; place.entry.bytes() as usize];
            // Not at once: a read of gigabytes could not be stopped.
            for (i, part) in bytes.chunks_mut(1 << 24).enumerate() {
                job.check()?;
                place.file.read(place.entry, (i << 24) as u64, part)?;
            }
            Ok(bytes)
        };
        match &self.form {
            Form::Tasks { .. } => Ok(Masks::Task(read(format!("mask.{}.{name}", task.unwrap_or_default()))?)),
            Form::Signs { golomb } => {
                let mut scale = [0.0];
                let place = self.part(&format!("{name}.scale"), Dtype::F32, Some(1))?;
                read_f32(place, 0, &mut scale)?;
                check_finite(place, 0, &scale)?;
                let (positive, negative) = if *golomb {
                    let stream = format!("{name}.golomb");
                    golomb::decode(&read(stream.clone())?, items, job).map_err(|error| match error {
                        GolombError::Aborted => Error::Aborted,
                        error => Error::format(
                            self.file().path(),
                            None,
                            format!("the tensor {}: {error}", shown(&stream)),
                        ),
                    })?
                } else {
                    let masks = (read(format!("{name}.positive"))?, read(format!("{name}.negative"))?);
                    check_signs(&masks.0, &masks.1, items).map_err(|error| {
                        Error::format(
                            self.file().path(),
                            None,
                            format!("the tensor {}: {error}", shown(name)),
                        )
                    })?;
                    masks
                };
                Ok(Masks::Signs { positive, negative, scale: scale[0] })
            }
        }
    }

    /// Fills `out` with the items of a tensor from `start` on, a multiple of eight.
    pub(super) fn fill(
        &self,
        name: &str,
        masks: &Masks,
        start: u64,
        scratch: &mut Scratch,
        out: &mut [f32],
        job: &Job,
    ) -> Result<(), Error> {
        let place = start as usize / 8..start as usize / 8 + bytes_of(out.len());
        match masks {
            Masks::Signs { positive, negative, scale } => {
                Ok(expand_signs(&positive[place.clone()], &negative[place], *scale, out, job)?)
            }
            Masks::Task(bits) => {
                let merged = self.part(&format!("merged.{name}"), Dtype::F32, None)?;
                scratch.merged.resize(out.len(), 0.0);
                scratch.mask.resize(out.len(), 0);
                read_f32(merged, start, &mut scratch.merged)?;
                check_finite(merged, start, &scratch.merged)?;
                unpack(&bits[place], &mut scratch.mask, job)?;
                Ok(apply_mask(&scratch.mask, &scratch.merged, out, job)?)
            }
        }
    }
}

pub(super) fn bytes(place: Place) -> u64 {
    place.entry.bytes()
}

/// What of one tensor lies in memory while it is expanded: a bit or two an item.
pub(super) enum Masks {
    Signs { positive: Vec<u8>, negative: Vec<u8>, scale: f32 },
    Task(Vec<u8>),
}

#[derive(Default)]
pub(super) struct Scratch {
    merged: Vec<f32>,
    mask: Vec<u8>,
}

fn check_version(file: &Safetensors, wanted: &str) -> Result<(), Error> {
    match file.header().metadata("version") {
        Some(version) if version == wanted => Ok(()),
        other => Err(Error::format(
            file.path(),
            None,
            format!("unsupported version {:?}: {wanted:?} is read here", other.unwrap_or_default()),
        )),
    }
}
