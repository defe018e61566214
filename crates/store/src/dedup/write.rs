//! Writes the documents that are kept, in input order.
//!
//! The corpus is streamed once more, in blocks that are cut and put in their output's form in parallel and written in order, so that
//! the bytes written do not depend on threads; memory does not grow with the number of documents kept. O(bytes); twice where
//! JSON records go to a Parquet file, whose columns have to be known first.

use super::documents::Documents;
use crate::atomic::Output;
use crate::block::{Block, BlockReader, Scratch, Start};
use crate::corpus::Corpus;
use crate::error::Error;
use crate::input::{Input, Layout, changed};
use crate::ordered::for_each_block;
use crate::passes::seen::FileTotals;
use crate::passes::write::Example;
use crate::record::ReadOptions;
use crate::sink::{Encoded, Form, Forms, OutputFile, Raw, Records, Sink};
use std::ops::Range;
use tamis_kernels::job::Job;

/// What was written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The output's files, which are complete but for the output's commit; none without an output.
    pub files: Vec<OutputFile>,
    /// Of each input: records and bytes of text that are kept.
    pub totals: Vec<FileTotals>,
    /// The documents that were to be shown, in their order.
    pub shown: Vec<Example>,
}

/// Writes the documents of a corpus that `is_kept` says into `output`, whose commit is the caller's; without one they are only
/// counted. The texts of `shown` (ascending), kept or not, are noted on the way.
pub fn write_kept(
    corpus: &Corpus,
    documents: &Documents,
    is_kept: impl Fn(u64) -> bool + Sync,
    shown: &[u64],
    output: Option<&mut Output>,
    threads: Option<usize>,
    job: &Job,
) -> Result<Written, Error> {
    let inputs = &corpus.inputs;
    let read = &ReadOptions { hash: false, ..corpus.read.clone() };
    let reader = || BlockReader::new(inputs, &corpus.shards, read, Start::default());
    let keeping = Keeping { inputs, read, documents, is_kept, shown, job };
    let shape = || keeping.shape(&reader());
    let forms = output.as_deref().map(|output| Forms::new(output, inputs, read, None, shape)).transpose()?;
    let mut written = Written { totals: vec![FileTotals::default(); inputs.len()], ..Written::default() };
    let mut sink = match (output, &forms) {
        (Some(output), Some(forms)) => Some(Sink::new(output, forms, inputs, read)?),
        _ => None,
    };
    let work = |scratch: &mut Scratch, block: &Block| {
        let kept = keeping.pick(block, scratch)?;
        let encoded = match &forms {
            Some(forms) => keeping.encode(block, &kept, forms.of(block.file()))?,
            None => Vec::new(),
        };
        Ok((kept.totals, kept.shown, encoded))
    };
    let fold = |block: &Block, (totals, shown, encoded): (FileTotals, Vec<Example>, Vec<(u64, Encoded)>)| {
        job.advance(0, totals.records);
        written.totals[block.file() as usize].add(&totals);
        written.shown.extend(shown);
        if let Some(sink) = &mut sink {
            for (records, encoded) in encoded {
                sink.put(block.file(), records, encoded)?;
            }
        }
        Ok(())
    };
    for_each_block(&reader(), threads, job, Scratch::default, work, fold)?;
    written.files = sink.map(Sink::finish).transpose()?.unwrap_or_default();
    Ok(written)
}

/// Which records of a block are kept.
struct Kept {
    /// Where each starts in the (decompressed) file, and its bytes; of a table, its row.
    places: Vec<(u64, u64)>,
    totals: FileTotals,
    /// Records, kept or not, that are shown.
    shown: Vec<Example>,
}

struct Keeping<'a, K> {
    inputs: &'a [Input],
    read: &'a ReadOptions,
    documents: &'a Documents,
    is_kept: K,
    shown: &'a [u64],
    job: &'a Job,
}

impl<K: Fn(u64) -> bool + Sync> Keeping<'_, K> {
    fn pick(&self, block: &Block, scratch: &mut Scratch) -> Result<Kept, Error> {
        self.job.check()?;
        let input = &self.inputs[block.file() as usize];
        let first = self.documents.first_of(block);
        let Range { start, end } = self.documents.of_file(block.file() as usize);
        let mut kept = Kept { places: Vec::new(), totals: FileTotals::default(), shown: Vec::new() };
        let mut shown = self.shown[self.shown.partition_point(|&document| document < first)..].iter();
        let mut next = shown.next();
        block.records(scratch, |record| {
            let document = first + record.ordinal;
            if document >= end {
                return Err(changed(input.shown()));
            }
            let is_kept = (self.is_kept)(document);
            if next == Some(&document) {
                let place = document - start;
                kept.shown.push(Example::unscored(block.file(), place, is_kept, record.text));
                next = shown.next();
            }
            if is_kept {
                kept.places.push((record.offset, record.len));
                kept.totals.records += 1;
                kept.totals.text_bytes += record.text.len() as u64;
            }
            Ok(())
        })?;
        Ok(kept)
    }

    /// The kept lines, or whole texts, of a block.
    fn lines<'b>(&self, block: &'b Block, kept: &Kept) -> Result<Vec<&'b str>, Error> {
        let gone = || changed(self.inputs[block.file() as usize].shown());
        let (bytes, offset) = block.bytes().ok_or_else(gone)?;
        let line = |&(start, len): &(u64, u64)| {
            let start = start.checked_sub(offset).ok_or_else(gone)? as usize;
            let line = bytes.get(start..start + len as usize).ok_or_else(gone)?;
            simdutf8::basic::from_utf8(line).map_err(|_| gone())
        };
        kept.places.iter().map(line).collect()
    }

    fn encode(&self, block: &Block, kept: &Kept, form: &Form) -> Result<Vec<(u64, Encoded)>, Error> {
        let input = &self.inputs[block.file() as usize];
        if kept.places.is_empty() {
            return Ok(Vec::new());
        }
        let encode = |raw: Raw| {
            let encoded = form.encode(raw, &self.read.text_field, None);
            encoded.map_err(|message| Error::format(input.shown(), None, message))
        };
        if let Some(rows) = block.rows(kept.places.iter().map(|&(row, _)| row)) {
            let mut rows = rows?;
            let mut encoded = Vec::new();
            while let Some(batch) = rows.next()? {
                encoded.push((batch.num_rows() as u64, encode(Raw::Rows(&batch))?));
            }
            return Ok(encoded);
        }
        let lines = self.lines(block, kept)?;
        let encoded = match input.format.layout {
            Layout::Text => match form {
                // A file as it is keeps the mark at its start.
                Form::Text(..) => encode(Raw::Text(&lines)),
                _ => {
                    let texts: Vec<&str> =
                        lines.iter().map(|line| line.strip_prefix('\u{FEFF}').unwrap_or(line)).collect();
                    encode(Raw::Text(if self.read.is_whole(input) { &texts } else { &lines }))
                }
            },
            _ => encode(Raw::Json(&lines)),
        }?;
        Ok(vec![(kept.totals.records, encoded)])
    }

    /// The shape of the kept JSON records.
    fn shape(&self, reader: &BlockReader) -> Result<Records, Error> {
        let mut shape = Records::default();
        let mut scratch = Scratch::default();
        while let Some((_, block)) = reader.next().map_err(|(_, error)| error)? {
            let input = &self.inputs[block.file() as usize];
            if input.format.layout != Layout::Jsonl {
                continue;
            }
            let kept = self.pick(&block, &mut scratch)?;
            if kept.places.is_empty() {
                continue;
            }
            for line in self.lines(&block, &kept)? {
                shape.see(line).map_err(|message| Error::format(input.shown(), None, message))?;
            }
        }
        Ok(shape)
    }
}
