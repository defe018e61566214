//! Checkpoints as outputs: their layout planned before the first byte, their tensors written at their places in any order.
//!
//! Inside a file the types of larger items come first, so that every tensor is aligned to its items; tensors of one size go by name.

use super::config::with_dtype;
use super::journal::{Journal, Kept, Print, Steps, print_of};
use super::side::{SideFiles, copy_side_files, side_files};
use super::updates::Updates;
use super::windows::{PIECE, narrow, read_f32};
use super::{Checkpoint, Place, shown};
use crate::atomic::Output;
use crate::error::Error;
use crate::fs;
use crate::safetensors::{Dtype, Entry, encode_header};
use crate::state::State;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tamis_kernels::job::Job;
use tamis_kernels::threads;

/// A tensor that is to be written.
#[derive(Debug, Clone)]
pub struct Planned {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
}

/// A file that is to be written.
#[derive(Debug)]
pub struct FilePlan {
    /// In an output folder.
    pub name: String,
    /// With the lengths of its header before it.
    header: Vec<u8>,
    /// In the order of their bytes.
    entries: Vec<Entry>,
    bytes: u64,
}

impl FilePlan {
    /// Lays out tensors in the order given.
    ///
    /// # Errors
    /// A tensor whose bytes cannot be counted.
    pub fn in_order(
        name: String,
        metadata: &[(String, String)],
        tensors: Vec<Planned>,
    ) -> Result<Self, Error> {
        let mut names = HashSet::new();
        if let Some(twice) = tensors.iter().find(|tensor| !names.insert(tensor.name.as_str())) {
            return Err(Error::range(format!("two tensors would be named {}", shown(&twice.name))));
        }
        let mut at = 0u64;
        let mut entries = Vec::with_capacity(tensors.len());
        for Planned { name, dtype, shape } in tensors {
            let bytes = dtype.bytes(&shape).and_then(|bytes| at.checked_add(bytes));
            let end = bytes.ok_or_else(|| {
                Error::range(format!("the tensor {} is too large as {dtype}", shown(&name)))
            })?;
            entries.push(Entry { name, dtype, shape, begin: at, end });
            at = end;
        }
        let header = encode_header(metadata, &entries);
        let bytes = header.len() as u64 + at;
        Ok(FilePlan { name, header, entries, bytes })
    }

    /// Lays out tensors as the module says.
    fn aligned(
        name: String,
        metadata: &[(String, String)],
        mut tensors: Vec<Planned>,
    ) -> Result<Self, Error> {
        tensors.sort_by(|a, b| (Reverse(a.dtype.bits()), &a.name).cmp(&(Reverse(b.dtype.bits()), &b.name)));
        Self::in_order(name, metadata, tensors)
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// What an output will be.
#[derive(Debug)]
pub struct Plan {
    files: Vec<FilePlan>,
    /// Name and text of the index.
    index: Option<(String, String)>,
    /// The folder whose side files go along, and those files.
    side: Option<(PathBuf, SideFiles)>,
    /// The type that weights are written in, where it is not each tensor's own.
    dtype: Option<Dtype>,
}

impl Plan {
    /// One file.
    pub fn file(file: FilePlan) -> Self {
        Plan { files: vec![file], index: None, side: None, dtype: None }
    }

    /// The tensors of a checkpoint, those of weights as `dtype` if one is given: one file with all, or a folder of the same files.
    pub fn like(layout: &Checkpoint, one_file: bool, dtype: Option<Dtype>) -> Result<Self, Error> {
        let planned = |entry: &Entry| Planned {
            name: entry.name.clone(),
            dtype: dtype.filter(|_| entry.dtype.is_weight()).unwrap_or(entry.dtype),
            shape: entry.shape.clone(),
        };
        let all = layout.files().iter().zip(layout.file_names());
        let mut files = Vec::new();
        if one_file {
            let metadata = layout.files().first().map_or(&[][..], |file| &file.header().metadata);
            let tensors = layout.files().iter().flat_map(|file| file.header().entries.iter().map(planned));
            files.push(FilePlan::aligned(String::new(), metadata, tensors.collect())?);
            return Ok(Plan { files, index: None, side: None, dtype });
        }
        for (file, name) in all {
            let tensors = file.header().entries.iter().map(planned).collect();
            files.push(FilePlan::aligned(name.clone(), &file.header().metadata, tensors)?);
        }
        let index = layout.index().map(|index| {
            let size: u64 = files.iter().flat_map(|file| &file.entries).map(Entry::bytes).sum();
            let mut metadata = index.metadata.clone();
            metadata.insert("total_size".into(), size.into());
            let map: BTreeMap<&str, &str> = files
                .iter()
                .flat_map(|file| file.entries.iter().map(|entry| (entry.name.as_str(), file.name.as_str())))
                .collect();
            let json = serde_json::json!({ "metadata": metadata, "weight_map": map });
            (index.name.clone(), format!("{json:#}\n"))
        });
        let plan = Plan { files, index, side: None, dtype };
        plan.with_side_files(layout)
    }

    /// The same with the side files of a checkpoint that is a folder.
    pub fn with_side_files(mut self, of: &Checkpoint) -> Result<Self, Error> {
        if let Some(folder) = of.folder() {
            self.side = Some((folder.into(), side_files(of)?));
        }
        Ok(self)
    }

    /// Bytes of all that will be written.
    pub fn bytes(&self) -> u64 {
        let side = self.side.as_ref().map_or(0, |(_, side)| side.bytes);
        self.files.iter().map(FilePlan::bytes).sum::<u64>() + side
    }

    /// Other weights that lie beside the layout and do not go along.
    pub fn left_out(&self) -> Vec<PathBuf> {
        self.side.as_ref().map_or(vec![], |(_, side)| side.left.clone())
    }
}

/// A file of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    pub path: PathBuf,
    pub bytes: u64,
}

/// An output that is being filled.
pub struct Writer<'a> {
    output: Output,
    plan: Plan,
    /// The files, in the order of the plan.
    journal: Journal<'a>,
    /// Of each tensor: its file and the entry there.
    places: BTreeMap<String, (usize, usize)>,
}

impl<'a> Writer<'a> {
    /// Checks that there is room, writes the headers, and copies the side files. What an interrupted run of the same plan and the same
    /// `work` wrote is gone on with.
    ///
    /// # Errors
    /// `ERR_TAMIS_IO` where the disk has no room for all of it.
    pub fn begin(
        mut output: Output,
        plan: Plan,
        work: &Print,
        state: &'a State,
        job: &Job,
    ) -> Result<Self, Error> {
        let mut places = BTreeMap::new();
        for (f, file) in plan.files.iter().enumerate() {
            for (e, entry) in file.entries.iter().enumerate() {
                places.insert(entry.name.clone(), (f, e));
            }
        }
        let shown: Vec<PathBuf> = plan
            .files
            .iter()
            .map(|file| match &output {
                Output::File(file) => file.target().to_owned(),
                Output::Folder(folder) => folder.target().join(&file.name),
            })
            .collect();
        let headers = plan.files.iter().map(|file| file.header.as_slice());
        let print = print_of(std::iter::once(work.as_slice()).chain(headers));
        let journal = Journal::open(state, "tensors", print, shown)?;
        check_room(&output, plan.bytes().saturating_sub(journal.bytes()))?;
        if let Output::Folder(folder) = &mut output {
            if let Some((from, side)) = &plan.side {
                let config = |text: &str| match plan.dtype {
                    Some(dtype) => with_dtype(text, config_name(dtype)),
                    None => text.to_owned(),
                };
                copy_side_files(from, side, folder, &config, job)?;
            }
            if let Some((name, json)) = &plan.index {
                let mut file = folder.file(Path::new(name))?;
                let path = file.path().to_owned();
                file.write_all(json.as_bytes()).map_err(|e| Error::io(path, "write", e))?;
                file.finish()?;
            }
        }
        for (f, file) in plan.files.iter().enumerate() {
            journal.write_at(f, &file.header, 0)?;
        }
        Ok(Writer { output, plan, journal, places })
    }

    /// How far an interrupted run was; a new one has done nothing.
    pub fn steps<T: Kept + Default>(&self) -> Steps<T> {
        self.journal.steps()
    }

    /// One more step is done.
    pub fn step<T: Kept>(&self, steps: &mut Steps<T>, job: &Job) -> Result<(), Error> {
        self.journal.step(steps, job)
    }

    /// Writes items of a tensor from `start` on, rounded to nearest even to the tensor's type.
    ///
    /// # Errors
    /// An item that does not fit the type.
    ///
    /// # Panics
    /// If the tensor is not planned, or ends before.
    pub fn write(&self, name: &str, start: u64, items: &[f32], job: &Job) -> Result<(), Error> {
        let (file, entry, begin) = self.place(name);
        let width = entry.dtype.bits() / 8;
        assert!((start + items.len() as u64) * width <= entry.bytes(), "a write passes the tensor's end");
        let write = |(piece, x): (usize, &[f32])| -> Result<(), Error> {
            job.check()?;
            let first = start + (piece * PIECE) as u64;
            let at = begin + first * width;
            if entry.dtype == Dtype::F32 {
                return self.journal.write_at(file, bytemuck::cast_slice(x), at);
            }
            let mut bytes = Vec::with_capacity(x.len() * width as usize);
            narrow(x, entry.dtype, &mut bytes).map_err(|i| {
                Error::range(format!(
                    "{}: the tensor {} does not fit {}: its item {} is {}; choose bfloat16 or float32 (--dtype)",
                    self.journal.shown(file).display(),
                    shown(name),
                    config_name(entry.dtype),
                    first + i as u64,
                    x[i]
                ))
            })?;
            self.journal.write_at(file, &bytes, at)
        };
        if items.len() <= PIECE {
            return write((0, items));
        }
        threads::pool().install(|| items.par_chunks(PIECE).enumerate().try_for_each(write))
    }

    /// Writes bytes of a tensor from byte `at` of it on.
    pub fn write_bytes(&self, name: &str, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let (file, entry, begin) = self.place(name);
        assert!(at + bytes.len() as u64 <= entry.bytes(), "a write passes the tensor's end");
        self.journal.write_at(file, bytes, begin + at)
    }

    /// Of a tensor: its file, its entry, and where it begins.
    fn place(&self, name: &str) -> (usize, &Entry, u64) {
        let &(f, e) = self.places.get(name).unwrap_or_else(|| panic!("the tensor {name:?} is not planned"));
        let file = &self.plan.files[f];
        let entry = &file.entries[e];
        (f, entry, file.header.len() as u64 + entry.begin)
    }

    /// Copies a tensor, in the planned type.
    pub fn copy(&self, name: &str, from: Place, job: &Job) -> Result<(), Error> {
        let (_, entry, _) = self.place(name);
        let same = entry.dtype == from.entry.dtype;
        let mut items = vec![0.0; if same { 0 } else { PIECE }];
        let mut bytes = vec![0; if same { 1 << 20 } else { 0 }];
        let mut at = 0;
        let end = if same { from.entry.bytes() } else { from.entry.items() };
        while at < end {
            job.check()?;
            let n = (end - at).min(items.len().max(bytes.len()) as u64) as usize;
            if same {
                from.file.read(from.entry, at, &mut bytes[..n])?;
                self.write_bytes(name, at, &bytes[..n])?;
            } else {
                read_f32(from, at, &mut items[..n])?;
                self.write(name, at, &items[..n], job)?;
            }
            at += n as u64;
        }
        job.advance(from.entry.bytes(), 0);
        Ok(())
    }

    /// Ends all files: their bytes are on the disk. What is left is to put them in place.
    pub fn finish(self) -> Result<(Output, Vec<WrittenFile>), Error> {
        let Writer { mut output, plan, journal, .. } = self;
        let written = plan
            .files
            .iter()
            .enumerate()
            .map(|(f, file)| WrittenFile { path: journal.shown(f).into(), bytes: file.bytes })
            .collect();
        for ((file, from), planned) in journal.finish()?.into_iter().zip(&plan.files) {
            match &mut output {
                Output::File(target) => target.adopt(file, &from)?,
                Output::Folder(folder) => folder.adopt(Path::new(&planned.name), &from)?,
            }
        }
        Ok((output, written))
    }
}

/// Which tensors of the layout an update's tensor is written to: itself and its copies, as far as they are there.
pub fn places_of<'a>(updates: &'a Updates, name: &'a str) -> Vec<&'a str> {
    updates.layout().tensors().filter(|one| updates.original(one) == name).collect()
}

/// Copies the tensors of the layout that are no part of the updates, a step each; `before` are the steps in front of the first.
pub fn carry<T: Kept>(
    updates: &Updates,
    writer: &Writer,
    before: usize,
    steps: &mut Steps<T>,
    job: &Job,
) -> Result<(), Error> {
    for (name, place) in carried(updates).skip(steps.done.saturating_sub(before)) {
        writer.copy(name, place, job)?;
        writer.step(steps, job)?;
    }
    Ok(())
}

/// The tensors of the layout that are no part of the updates.
fn carried(updates: &Updates) -> impl Iterator<Item = (&str, Place<'_>)> {
    let layout = updates.layout();
    layout.tensors().filter_map(move |name| {
        let original = updates.original(name);
        let tensors = updates.tensors();
        match tensors.binary_search_by(|tensor| tensor.name.as_str().cmp(original)) {
            Ok(_) => None,
            Err(_) => Some((name, layout.find(name)?)),
        }
    })
}

/// Bytes that [`carry`] reads.
pub fn carried_bytes(updates: &Updates) -> u64 {
    carried(updates).map(|(_, place)| place.entry.bytes()).sum()
}

/// As a `config.json` names a type.
pub fn config_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F16 => "float16",
        Dtype::BF16 => "bfloat16",
        _ => "float32",
    }
}

fn check_room(output: &Output, needed: u64) -> Result<(), Error> {
    let target = output.target();
    let free = fs::free_bytes(target.parent().unwrap_or(target));
    // 0: it cannot be told.
    if free == 0 || needed <= free {
        return Ok(());
    }
    let message = format!("it needs {needed} bytes of disk, and {free} are free");
    Err(Error::io(target, "write", io::Error::new(io::ErrorKind::StorageFull, message)))
}
