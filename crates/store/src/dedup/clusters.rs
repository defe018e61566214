//! Writes which document duplicates which: a record for each one that was dropped.
//!
//! `file` and `record` say which one it is, `of_file` and `of_record` which one it is the same as; records are numbered from 0 among
//! the good ones of their file. `against` says whether the other one is only compared with. A file of JSON lines or Parquet, by its
//! ending, in the order of the documents.

use super::documents::Documents;
use super::groups::Groups;
use crate::atomic::{AtomicFile, Output};
use crate::error::Error;
use crate::input::{Format, Input};
use crate::record::ReadOptions;
use crate::sink::{Forms, Raw, Sink};
use serde::Serialize;
use std::path::Path;
use tamis_kernels::job::Job;

/// Records encoded at a time.
const ROWS: usize = 1 << 14;

#[derive(Serialize)]
struct Duplicate<'a> {
    file: &'a str,
    record: u64,
    of_file: &'a str,
    of_record: u64,
    against: bool,
}

impl Duplicate<'_> {
    fn line(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|e| Error::range(e.to_string()))
    }
}

/// Writes the duplicates among the documents of `sides`, the last of which is the one that is written.
pub fn write_clusters(
    path: &Path,
    sides: &[(&[Input], &Documents)],
    groups: &Groups,
    force: bool,
    job: &Job,
) -> Result<(), Error> {
    let names: Vec<Vec<String>> = sides
        .iter()
        .map(|(inputs, _)| inputs.iter().map(|input| input.shown().to_string_lossy().into_owned()).collect())
        .collect();
    let unknown = || {
        Error::range(format!(
            "{}: clusters must end in .jsonl, .jsonl.gz, .jsonl.zst or .parquet",
            path.display()
        ))
    };
    let sample = Duplicate { file: "", record: 0, of_file: "", of_record: 0, against: false }.line()?;
    let forms = Forms::of_records(Format::of(path).ok_or_else(unknown)?, &sample).ok_or_else(unknown)?;
    let read = ReadOptions::default();
    let mut output = Output::File(AtomicFile::create("clusters", path, force)?);
    let mut sink = Sink::new(&mut output, &forms, &[], &read)?;
    let side_of = |document: u64| sides.iter().zip(&names).find(|((_, d), _)| d.range().contains(&document));
    let place = |document: u64| {
        let ((_, documents), names) = side_of(document)?;
        let (file, record) = documents.place(document);
        Some((names[file].as_str(), record))
    };
    let mut lines: Vec<String> = Vec::new();
    let mut put = |lines: &mut Vec<String>| -> Result<(), Error> {
        job.check()?;
        let rows: Vec<&str> = lines.iter().map(String::as_str).collect();
        let encoded = forms.of(0).encode(Raw::Json(&rows), "", None).map_err(Error::range)?;
        sink.put(0, rows.len() as u64, encoded)?;
        lines.clear();
        Ok(())
    };
    for (document, of) in groups.dropped() {
        if let (Some((file, record)), Some((of_file, of_record))) = (place(document), place(of)) {
            let against = groups.is_pinned(of);
            lines.push(Duplicate { file, record, of_file, of_record, against }.line()?);
        }
        if lines.len() == ROWS {
            put(&mut lines)?;
        }
    }
    put(&mut lines)?;
    sink.finish()?;
    match output {
        Output::File(file) => file.commit(),
        Output::Folder(_) => Ok(()),
    }
}
