//! Vectors on disk: embeddings as a field of records, a column of a table, an array or a tensor, read as float32.
//!
//! | ending | what is read |
//! | --- | --- |
//! | `.npy` | a float array of two axes in C order: versions 1 to 3, `f2`, `f4`, `f8` of either byte order |
//! | `.safetensors` | a tensor of two axes, F16, BF16, F32 or F64: the one that is named, or the only one |
//! | `.parquet` | a column of lists of numbers: the one that is named, or the only one |
//! | `.jsonl` and its compressed forms | a field that holds an array of numbers: the one that is named |
//!
//! Every row has the same number of numbers, all of them finite in float32. Memory: the result, and a buffer of a few megabytes
//! (of JSONL: blocks; of Parquet: a batch of rows).

pub(crate) mod columns;
mod npy;
mod tensors;
pub mod write;

use crate::block::{Block, BlockReader, Scratch, Start, plan_shards};
use crate::error::Error;
use crate::input::{Format, Input, Layout};
use crate::json::{FieldPath, numbers_of};
use crate::ordered::for_each_block;
use crate::record::ReadOptions;
use std::path::Path;
use tamis_kernels::job::Job;

/// Rows of one width.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    pub rows: usize,
    /// Numbers of a row; 0 where there are no rows.
    pub width: usize,
    /// [rows, width]
    pub data: Vec<f32>,
}

/// The field that is read where none is named.
pub const USUAL_FIELD: &str = "embedding";

/// Numbers read at a time from arrays and tensors.
const PIECE: usize = 1 << 20;

impl Vectors {
    /// Appends a row; the message says why it does not fit.
    fn push(&mut self, row: &[f64]) -> Result<(), String> {
        check_width(self.rows, self.width, row.len())?;
        self.width = row.len();
        let start = self.data.len();
        self.data.extend(row.iter().map(|&x| x as f32));
        if let Some(at) = self.data[start..].iter().position(|x| !x.is_finite()) {
            return Err(format!("number {} of the vector is not finite in float32", at + 1));
        }
        self.rows += 1;
        Ok(())
    }

    /// Appends the rows of another file.
    fn append(&mut self, path: &Path, other: Vectors) -> Result<(), Error> {
        if other.rows == 0 {
            return Ok(());
        }
        check_width(self.rows, self.width, other.width).map_err(|why| Error::format(path, None, why))?;
        self.width = other.width;
        self.rows += other.rows;
        if self.data.is_empty() {
            self.data = other.data;
        } else {
            self.data.extend_from_slice(&other.data);
        }
        Ok(())
    }
}

/// Refuses numbers that are not finite, [rows, width], by the row.
fn check_finite(path: &Path, width: usize, data: &[f32]) -> Result<(), Error> {
    let Some(at) = data.iter().position(|x| !x.is_finite()) else { return Ok(()) };
    let (row, column) = (at / width, at % width + 1);
    Err(Error::format(
        path,
        Some(row as u64 + 1),
        format!("number {column} of the vector is not finite in float32"),
    ))
}

fn check_width(rows: usize, width: usize, got: usize) -> Result<(), String> {
    match (rows, got) {
        (_, 0) => Err("a vector of no numbers".into()),
        (0, _) => Ok(()),
        _ if got == width => Ok(()),
        _ => Err(format!("a vector of {got} numbers, where those before have {width}")),
    }
}

/// The rows of files, one file after the other. `name`: the tensor, column or field, where a file has several.
///
/// # Errors
/// `ERR_TAMIS_FORMAT` with the file (and row) for what is no such file or no such vector, `ERR_TAMIS_IO`, `ERR_TAMIS_ABORTED`.
pub fn read_vectors<P: AsRef<Path>>(paths: &[P], name: Option<&str>, job: &Job) -> Result<Vectors, Error> {
    let mut all = Vectors::default();
    for path in paths.iter().map(AsRef::as_ref) {
        job.check()?;
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let vectors = match (ending.as_deref(), Format::of(path).map(|format| format.layout)) {
            (Some("npy"), _) => npy::read(path, job)?,
            (Some("safetensors"), _) => tensors::read(path, name, job)?,
            (_, Some(Layout::Parquet)) => columns::read(&Input::open(path)?, name, job)?,
            (_, Some(Layout::Jsonl)) => read_lines(&Input::open(path)?, name.unwrap_or(USUAL_FIELD), job)?,
            _ => {
                let known =
                    "vectors are read from .npy, .safetensors, .parquet, .jsonl, .jsonl.gz and .jsonl.zst";
                return Err(Error::format(path, None, known));
            }
        };
        all.append(path, vectors)?;
    }
    Ok(all)
}

/// The vectors of JSON records.
fn read_lines(input: &Input, field: &str, job: &Job) -> Result<Vectors, Error> {
    // Its lines are all that is wanted of the records: they need no text.
    let format = Format { layout: Layout::Text, ..input.format };
    let inputs = [Input { format, ..input.clone() }];
    let read = ReadOptions::default();
    let shards = plan_shards(&inputs, &read)?;
    let reader = BlockReader::new(&inputs, &shards, &read, Start::default());
    let path = FieldPath::new(field);
    let work = |scratch: &mut Scratch, block: &Block| {
        let (mut rows, mut numbers) = (Vectors::default(), Vec::new());
        block.records(scratch, |record| {
            job.check()?;
            numbers.clear();
            let read = numbers_of(record.text, &path, &mut numbers);
            read.map_err(|why| no_vector(field, &why))
                .and_then(|()| rows.push(&numbers))
                .map_err(|why| Error::format(&input.path, Some(block.before() + record.ordinal + 1), why))
        })?;
        Ok(rows)
    };
    let mut all = Vectors::default();
    let fold = |_: &Block, rows: Vectors| all.append(&input.path, rows);
    for_each_block(&reader, None, job, Scratch::default, work, fold)?;
    Ok(all)
}

/// The sentence of a record that has none.
pub(crate) fn no_vector(field: &str, why: &str) -> String {
    format!("no array of numbers in the field \"{field}\" ({why})")
}

#[cfg(test)]
mod tests;
