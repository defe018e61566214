//! Parquet files: the table that records become, and the writer.
//!
//! Memory: the encoded pages of one row group.

use super::columns::Columns;
use super::stream::{Hashed, OutputFile, Place};
use super::{decode, unify};
use crate::error::Error;
use crate::scores::failed;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::path::PathBuf;
use std::sync::Arc;

/// A row group ends at this many bytes as encoded and compressed, or this many rows.
const GROUP_BYTES: usize = 64 << 20;
const GROUP_ROWS: usize = 1 << 20;
/// The pair that every file written from Arrow has; it is written anew.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// What the records of one file become.
pub(crate) struct Table {
    /// The fields of the records themselves.
    schema: SchemaRef,
    /// Those that are written: all but an earlier run's added columns where new ones take their places.
    own: Vec<usize>,
    /// What is written: these, then the added columns.
    whole: SchemaRef,
    /// Key-value pairs of the file.
    metadata: Vec<KeyValue>,
}

impl Table {
    /// `metadata`: key-value pairs of the file that this one stands for.
    pub(super) fn new(schema: SchemaRef, metadata: Vec<KeyValue>, columns: Option<&Columns>) -> Self {
        let mut fields = schema.fields().to_vec();
        let mut own: Vec<usize> = (0..fields.len()).collect();
        if let Some(columns) = columns {
            let added = columns.fields();
            own.retain(|&i| !added.iter().any(|new| new.name() == schema.field(i).name()));
            fields = own
                .iter()
                .map(|&i| schema.fields()[i].clone())
                .chain(added.into_iter().map(Arc::new))
                .collect();
        }
        let whole = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let metadata = metadata.into_iter().filter(|pair| pair.key != ARROW_SCHEMA).collect();
        Table { schema, own, whole, metadata }
    }

    /// JSON records as rows.
    pub(super) fn of_json(&self, records: &[&str], columns: Option<&Columns>) -> Result<RecordBatch, String> {
        self.of_rows(&decode::records(records, &self.schema)?, columns)
    }

    /// Rows of a schema that is part of this one.
    pub(super) fn of_rows(
        &self,
        rows: &RecordBatch,
        columns: Option<&Columns>,
    ) -> Result<RecordBatch, String> {
        let put = || -> Result<RecordBatch, arrow_schema::ArrowError> {
            let rows = unify::conform(rows, &self.schema)?;
            let Some(columns) = columns else { return Ok(rows) };
            let mut arrays: Vec<_> = self.own.iter().map(|&i| rows.column(i).clone()).collect();
            arrays.extend(columns.arrays(0, rows.num_rows())?);
            let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            RecordBatch::try_new_with_options(self.whole.clone(), arrays, &options)
        };
        put().map_err(|e| format!("a record does not fit the output's columns: {e}"))
    }
}

/// A Parquet file in the making.
pub(super) struct Sheet<'a> {
    path: PathBuf,
    writer: ArrowWriter<Hashed<'a>>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(place: Place<'a>, table: &Table) -> Result<Self, Error> {
        let path = place.path().to_owned();
        let level = ZstdLevel::try_new(3).map_err(|e| failed(&path, "write", e))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_key_value_metadata(Some(table.metadata.clone()).filter(|pairs| !pairs.is_empty()))
            .build();
        let writer = ArrowWriter::try_new(Hashed::new(place), table.whole.clone(), Some(properties))
            .map_err(|e| failed(&path, "write", e))?;
        Ok(Sheet { path, writer })
    }

    /// Appends rows, which the file's table made.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        self.writer.write(rows).map_err(|e| failed(&self.path, "write", e))
    }

    pub(super) fn finish(self, records: u64) -> Result<OutputFile, Error> {
        self.writer.into_inner().map_err(|e| failed(&self.path, "write", e))?.finish(records)
    }
}
