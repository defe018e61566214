//! Where kept records go: files of lines or tables, each record in the form of the file that it goes to.
//!
//! In a folder every input has a file under its own name and in its own format, which it fits as it is. A single file takes the
//! records of all inputs in one format, that of its ending:
//!
//! | from | to JSONL | to Parquet | to text |
//! | --- | --- | --- | --- |
//! | JSONL | byte for byte, the line's end \n | columns of the shape that the kept records need | refused |
//! | Parquet | an object, without its nulls | the union of the inputs' columns | refused |
//! | text | an object with the text field | a column of the text field's name | as it is |

mod columns;
mod decode;
mod json;
mod lines;
mod shape;
mod sheet;
mod stream;
mod unify;

pub(crate) use columns::{Columns, Values};
pub(crate) use shape::Records;
pub use stream::OutputFile;

use crate::atomic::{AtomicFolder, Output};
use crate::error::Error;
use crate::input::{Compression, Format, Input, Layout};
use crate::record::{ReadOptions, TextUnit};
use crate::table;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sheet::{Sheet, Table};
use std::path::PathBuf;
use std::sync::Arc;
use stream::{Place, Stream};

/// How the records of one output file are put.
pub(crate) enum Form {
    Json(Compression),
    /// Lines of text, or a whole text file as it is.
    Text(Compression, TextUnit),
    Table(Box<Table>),
}

/// Records on their way into one file.
pub(crate) enum Encoded {
    Bytes(Vec<u8>),
    Batch(RecordBatch),
}

/// Records of one input, in order.
pub(crate) enum Raw<'a> {
    /// JSON objects.
    Json(&'a [&'a str]),
    /// Lines of text, or whole texts.
    Text(&'a [&'a str]),
    Rows(&'a RecordBatch),
}

/// The forms of all output files.
pub(crate) enum Forms {
    /// Of each input its own.
    Own(Vec<Form>),
    /// One for all.
    One(Form),
}

impl Forms {
    /// The forms of an output. `columns` are the added ones, if any (of no rows). `shape` looks at the JSON records that will be
    /// written; it is called where their columns must be known.
    pub(crate) fn new(
        output: &Output,
        inputs: &[Input],
        read: &ReadOptions,
        columns: Option<&Columns>,
        shape: impl FnOnce() -> Result<Records, Error>,
    ) -> Result<Forms, Error> {
        let file = match output {
            Output::Folder(_) => {
                let own = |input| Form::of_input(input, read, columns);
                return Ok(Forms::Own(inputs.iter().map(own).collect::<Result<_, _>>()?));
            }
            Output::File(file) => file.target(),
        };
        let unknown = || {
            Error::range(format!(
                "{}: an output file must end in .jsonl, .jsonl.gz, .jsonl.zst, .parquet or .txt",
                file.display()
            ))
        };
        let Format { layout, compression } = Format::of(file).ok_or_else(unknown)?;
        let form = match layout {
            Layout::Jsonl => Form::Json(compression),
            Layout::Text => {
                let fits = |input: &Input| input.format.layout == Layout::Text && !read.is_whole(input);
                if let Some(other) = inputs.iter().find(|input| !fits(input)) {
                    let why = format!(
                        "{} holds records that are no lines of text: name the output .jsonl or .parquet",
                        other.shown().display()
                    );
                    return Err(Error::range(format!("{}: {why}", file.display())));
                }
                refuse_columns(columns, file)?;
                Form::Text(compression, TextUnit::Line)
            }
            Layout::Parquet => Form::Table(Box::new(union_of(inputs, read, columns, shape)?)),
        };
        Ok(Forms::One(form))
    }

    /// The form of a single file of JSON records that all have the members of `sample`; none where the format is one of plain text.
    pub(crate) fn of_records(format: Format, sample: &str) -> Option<Forms> {
        let table = || {
            let mut shape = Records::default();
            shape.see(sample).ok()?;
            Some(Table::new(Arc::new(Schema::new(shape.fields())), Vec::new(), None))
        };
        Some(Forms::One(match format.layout {
            Layout::Jsonl => Form::Json(format.compression),
            Layout::Parquet => Form::Table(Box::new(table()?)),
            Layout::Text => return None,
        }))
    }

    /// The form of an input's records.
    pub(crate) fn of(&self, file: u32) -> &Form {
        match self {
            Forms::Own(forms) => &forms[file as usize],
            Forms::One(form) => form,
        }
    }
}

fn refuse_columns(columns: Option<&Columns>, file: &std::path::Path) -> Result<(), Error> {
    match columns {
        Some(_) => Err(Error::range(format!(
            "{}: a text file has no place for added scores: select without --add-scores (addScores), or into one .jsonl or .parquet file",
            file.display()
        ))),
        None => Ok(()),
    }
}

/// The table that holds the records of all inputs.
fn union_of(
    inputs: &[Input],
    read: &ReadOptions,
    columns: Option<&Columns>,
    shape: impl FnOnce() -> Result<Records, Error>,
) -> Result<Table, Error> {
    let mut schemas: Vec<(String, SchemaRef)> = Vec::new();
    let mut metadata = None;
    let mut text = false;
    for input in inputs.iter() {
        match input.format.layout {
            Layout::Parquet => {
                let footer = table::metadata(input)?;
                schemas.push((input.shown().display().to_string(), footer.schema().clone()));
                let own = footer.metadata().file_metadata().key_value_metadata();
                metadata.get_or_insert_with(|| own.cloned().unwrap_or_default());
            }
            Layout::Text => text = true,
            Layout::Jsonl => {}
        }
    }
    if text {
        schemas.push(("the text files".into(), text_schema(&read.text_field)));
    }
    if inputs.iter().any(|input| input.format.layout == Layout::Jsonl) {
        let fields = shape()?.fields();
        // Kept records of no file at all have no fields; the text is what every record of it would have.
        let schema =
            if fields.is_empty() { text_schema(&read.text_field) } else { Arc::new(Schema::new(fields)) };
        schemas.push(("the JSONL files".into(), schema));
    }
    let schema = unify::union(&schemas).map_err(Error::range)?;
    // What is said of one file may be wrong of several.
    let metadata = metadata.filter(|_| inputs.len() == 1).unwrap_or_default();
    Ok(Table::new(schema, metadata, columns))
}

/// The schema of texts as records: a string at the text field's path.
fn text_schema(path: &str) -> SchemaRef {
    let mut parts = path.split('.').rev();
    let leaf = Field::new(parts.next().unwrap_or_default(), DataType::Utf8, true);
    let field = parts.fold(leaf, |field, part| Field::new(part, DataType::Struct(vec![field].into()), true));
    Arc::new(Schema::new(vec![field]))
}

impl Form {
    fn of_input(input: &Input, read: &ReadOptions, columns: Option<&Columns>) -> Result<Form, Error> {
        let compression = input.format.compression;
        Ok(match input.format.layout {
            Layout::Jsonl => Form::Json(compression),
            Layout::Text => {
                refuse_columns(columns, &input.path)?;
                Form::Text(compression, read.text_unit)
            }
            Layout::Parquet => {
                let footer = table::metadata(input)?;
                let metadata =
                    footer.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
                Form::Table(Box::new(Table::new(footer.schema().clone(), metadata, columns)))
            }
        })
    }

    /// Puts records as this form has them; `columns` has a row for each. `field` is where the text of a text file goes.
    pub(crate) fn encode(&self, raw: Raw, field: &str, columns: Option<&Columns>) -> Result<Encoded, String> {
        let objects = |texts: &[&str]| -> Vec<String> {
            texts.iter().map(|text| lines::text_as_json(field, text)).collect()
        };
        let json = |records: &mut dyn Iterator<Item = &str>| {
            let mut out = Vec::new();
            for (row, record) in records.enumerate() {
                lines::put_json(record, columns.map(|columns| (columns, row)), &mut out)?;
            }
            Ok(Encoded::Bytes(out))
        };
        match (self, raw) {
            (Form::Json(_), Raw::Json(records)) => json(&mut records.iter().copied()),
            (Form::Json(_), Raw::Text(texts)) => json(&mut objects(texts).iter().map(String::as_str)),
            (Form::Json(_), Raw::Rows(rows)) => {
                let records = lines::rows_as_json(rows)?;
                json(&mut records.lines())
            }
            (Form::Text(_, unit), Raw::Text(texts)) => {
                let mut out = Vec::new();
                for text in texts {
                    out.extend_from_slice(text.as_bytes());
                    if *unit == TextUnit::Line {
                        out.push(b'\n');
                    }
                }
                Ok(Encoded::Bytes(out))
            }
            (Form::Text(..), _) => Err("its records are no lines of text".into()),
            (Form::Table(table), Raw::Json(records)) => table.of_json(records, columns).map(Encoded::Batch),
            (Form::Table(table), Raw::Text(texts)) => {
                let records = objects(texts);
                let records: Vec<&str> = records.iter().map(String::as_str).collect();
                table.of_json(&records, columns).map(Encoded::Batch)
            }
            (Form::Table(table), Raw::Rows(rows)) => table.of_rows(rows, columns).map(Encoded::Batch),
        }
    }
}

enum Writer<'a> {
    Lines(Stream<'a>),
    Table(Sheet<'a>),
}

impl<'a> Writer<'a> {
    fn new(form: &Form, place: Place<'a>) -> Result<Self, Error> {
        Ok(match form {
            Form::Json(compression) | Form::Text(compression, _) => {
                Writer::Lines(Stream::new(place, *compression)?)
            }
            Form::Table(table) => Writer::Table(Sheet::new(place, table)?),
        })
    }

    fn put(&mut self, records: Encoded) -> Result<(), Error> {
        match (self, records) {
            (Writer::Lines(out), Encoded::Bytes(bytes)) => out.write(&bytes),
            (Writer::Table(out), Encoded::Batch(batch)) => out.write(&batch),
            _ => Err(Error::range("records are not in the form of their file")),
        }
    }

    fn finish(self, records: u64) -> Result<OutputFile, Error> {
        match self {
            Writer::Lines(out) => out.finish(records),
            Writer::Table(out) => out.finish(records),
        }
    }
}

/// The files of an output, filled one after another.
pub(crate) struct Sink<'a> {
    forms: &'a Forms,
    inputs: &'a [Input],
    read: &'a ReadOptions,
    folder: Option<&'a mut AtomicFolder>,
    open: Option<(Writer<'a>, u64)>,
    /// In a folder: the input whose file is open, or the next one's.
    next: usize,
    files: Vec<OutputFile>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(
        output: &'a mut Output,
        forms: &'a Forms,
        inputs: &'a [Input],
        read: &'a ReadOptions,
    ) -> Result<Self, Error> {
        let (folder, open) = match output {
            Output::Folder(folder) => (Some(folder), None),
            Output::File(file) => (None, Some((Writer::new(forms.of(0), Place::File(file))?, 0))),
        };
        Ok(Sink { forms, inputs, read, folder, open, next: 0, files: Vec::new() })
    }

    /// Appends records of an input; inputs come in their order.
    pub(crate) fn put(&mut self, file: u32, records: u64, encoded: Encoded) -> Result<(), Error> {
        self.go_to(file as usize)?;
        if self.open.is_none() {
            self.open_own()?;
        }
        if let Some((writer, count)) = &mut self.open {
            *count += records;
            writer.put(encoded)?;
        }
        Ok(())
    }

    /// Ends the files of all inputs before this one.
    fn go_to(&mut self, file: usize) -> Result<(), Error> {
        while self.folder.is_some() && self.next < file {
            // A document that is a file of its own and not kept leaves no file.
            if self.open.is_none() && !self.read.is_whole(&self.inputs[self.next]) {
                self.open_own()?;
            }
            self.close()?;
            self.next += 1;
        }
        Ok(())
    }

    fn open_own(&mut self) -> Result<(), Error> {
        if let Some(folder) = &mut self.folder {
            let file = folder.file(&PathBuf::from(&self.inputs[self.next].name))?;
            self.open = Some((Writer::new(self.forms.of(self.next as u32), Place::InFolder(file))?, 0));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        if let Some((writer, records)) = self.open.take() {
            self.files.push(writer.finish(records)?);
        }
        Ok(())
    }

    /// Ends all files, but for the commit of the output.
    pub(crate) fn finish(mut self) -> Result<Vec<OutputFile>, Error> {
        self.go_to(self.inputs.len())?;
        self.close()?;
        Ok(self.files)
    }
}
