//! Vectors into a file: those of a pass, in the order of its records.
//!
//! | ending | what is written |
//! | --- | --- |
//! | `.safetensors` | one tensor `embedding`, F32 |
//! | `.npy` | a float32 array of two axes in C order, version 1 |
//! | `.parquet` | a column `embedding` of lists of float32 |
//!
//! The first two are the file that the rows were kept in, with a head; Parquet is written batch by batch. Memory: a batch.

use super::USUAL_FIELD;
use crate::atomic::AtomicFile;
use crate::error::Error;
use crate::hash::RunningHash;
use crate::passes::map::{HEAD, Rows};
use crate::passes::write::Written;
use crate::safetensors::{Dtype, Entry, encode_header};
use crate::scores::failed;
use crate::sink::OutputFile;
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use tamis_kernels::job::Job;

/// The forms of a file of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Safetensors,
    Npy,
    Parquet,
}

impl Form {
    /// By the ending.
    ///
    /// # Errors
    /// `ERR_TAMIS_RANGE` for another.
    pub fn of(path: &Path) -> Result<Form, Error> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("safetensors") => Ok(Form::Safetensors),
            Some("npy") => Ok(Form::Npy),
            Some("parquet") => Ok(Form::Parquet),
            _ => Err(Error::range(format!(
                "out must end in .safetensors, .npy or .parquet, got {}",
                path.display()
            ))),
        }
    }
}

/// Fills the output with the rows, and tells of it.
///
/// # Errors
/// `ERR_TAMIS_IO`.
pub fn write_vectors(
    rows: Rows,
    form: Form,
    mut output: AtomicFile,
    job: &Job,
) -> Result<(AtomicFile, Written), Error> {
    let (path, records, totals) = (output.target().to_owned(), rows.rows, rows.seen.files.clone());
    let mut hash = RunningHash::default();
    let head = match form {
        Form::Safetensors => safetensors_head(rows.rows, rows.width as u64),
        Form::Npy => npy_head(rows.rows, rows.width as u64),
        Form::Parquet => {
            let hashed = write_parquet(&rows, Hashed { file: output, hash }, job)?;
            (output, hash) = (hashed.file, hashed.hash);
            Vec::new()
        }
    };
    if form != Form::Parquet {
        hash.update(&head);
        rows.each(job, |piece| {
            hash.update(bytemuck::cast_slice(piece));
            Ok(())
        })?;
        let (file, from) = rows.into_file(&head)?;
        output.adopt(file, &from)?;
    }
    let file = OutputFile { path, records, bytes: hash.bytes(), sha256: hash.hex() };
    Ok((output, Written { files: vec![file], totals, ..Written::default() }))
}

/// A file whose bytes are hashed as they are written.
struct Hashed {
    file: AtomicFile,
    hash: RunningHash,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn safetensors_head(rows: u64, width: u64) -> Vec<u8> {
    let end = rows * width * 4;
    let entry =
        Entry { name: USUAL_FIELD.into(), dtype: Dtype::F32, shape: vec![rows, width], begin: 0, end };
    let mut head = encode_header(&[], &[entry]);
    head.resize(HEAD as usize, b' ');
    head[..8].copy_from_slice(&(HEAD - 8).to_le_bytes());
    head
}

fn npy_head(rows: u64, width: u64) -> Vec<u8> {
    let mut head = b"\x93NUMPY\x01\x00".to_vec();
    head.extend_from_slice(&((HEAD - 10) as u16).to_le_bytes());
    let about = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    head.extend_from_slice(about.as_bytes());
    head.resize(HEAD as usize - 1, b' ');
    head.push(b'\n');
    head
}

fn write_parquet(rows: &Rows, output: Hashed, job: &Job) -> Result<Hashed, Error> {
    let target = output.file.target().to_owned();
    let failed = |error: ParquetError| failed(&target, "write", error);
    let item = Arc::new(Field::new("element", DataType::Float32, false));
    let list = DataType::FixedSizeList(item.clone(), rows.width as i32);
    let schema = Arc::new(Schema::new(vec![Field::new(USUAL_FIELD, list, false)]));
    let level = ZstdLevel::try_new(1).map_err(failed)?;
    // Vectors' bytes are as good as random: a dictionary would be as large as they are.
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        .build();
    let mut writer = ArrowWriter::try_new(output, schema.clone(), Some(properties)).map_err(failed)?;
    rows.each(job, |piece| {
        let items: ArrayRef = Arc::new(Float32Array::from(piece.to_vec()));
        let lists = FixedSizeListArray::try_new(item.clone(), rows.width as i32, items, None);
        let batch = lists.and_then(|lists| RecordBatch::try_new(schema.clone(), vec![Arc::new(lists)]));
        writer.write(&batch.map_err(|error| failed(error.into()))?).map_err(failed)
    })?;
    writer.into_inner().map_err(failed)
}
