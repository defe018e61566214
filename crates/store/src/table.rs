//! Text columns of Parquet files, a row group at a time, a batch of rows in memory.

use crate::error::Error;
use crate::input::{Input, changed};
use crate::json::FieldPath;
use arrow_array::{Array, ArrayRef, LargeStringArray, RecordBatch, StringArray, StructArray, cast::AsArray};
use arrow_schema::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection, RowSelector,
};
use parquet::file::metadata::RowGroupMetaData;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Rows decoded at a time are at most so many, and about so many bytes.
const BATCH_ROWS: u64 = 4096;
const BATCH_BYTES: u64 = 4 << 20;

/// What a file's footer says.
pub fn metadata(input: &Input) -> Result<ArrowReaderMetadata, Error> {
    let file = File::open(&input.path).map_err(|e| Error::io(input.shown(), "read", e))?;
    guarded(input, || ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))
}

/// Runs a call into the Parquet reader: damaged files may make it fail, or panic.
pub fn guarded<T>(
    input: &Input,
    call: impl FnOnce() -> Result<T, parquet::errors::ParquetError>,
) -> Result<T, Error> {
    let damaged = |why: String| {
        Error::format(
            input.shown(),
            None,
            format!("damaged or no Parquet file ({why}): fetch or write it again"),
        )
    };
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| damaged(e.to_string())),
        Err(_) => Err(damaged("its pages contradict its footer".into())),
    }
}

/// The top-level column and the fields below it that lead to the text; an error if the schema has no such text.
pub fn find_text(input: &Input, schema: &Schema, path: &FieldPath) -> Result<Vec<String>, Error> {
    let whole = [path.whole().to_owned()];
    for parts in [&whole[..], path.parts()] {
        if leads_to_text(schema, parts) {
            return Ok(parts.to_vec());
        }
    }
    let mut columns = Vec::new();
    for field in schema.fields() {
        text_columns(field.name().clone(), field.data_type(), &mut columns);
    }
    let remedy = match columns.as_slice() {
        [] => "it has no string column at all".into(),
        columns => format!("choose another with --text-field (textField): it has {}", columns.join(", ")),
    };
    let message = format!("no string column \"{}\": {remedy}", path.whole());
    Err(Error::format(input.shown(), None, message))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn leads_to_text(schema: &Schema, parts: &[String]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    let Ok(field) = schema.field_with_name(first) else { return false };
    let mut data_type = field.data_type();
    for part in rest {
        let DataType::Struct(fields) = data_type else { return false };
        let Some((_, field)) = fields.find(part) else { return false };
        data_type = field.data_type();
    }
    is_text(data_type)
}

fn text_columns(name: String, data_type: &DataType, out: &mut Vec<String>) {
    if is_text(data_type) {
        out.push(name);
    } else if let DataType::Struct(fields) = data_type {
        for field in fields {
            text_columns(format!("{name}.{}", field.name()), field.data_type(), out);
        }
    }
}

/// How many rows of these row groups are decoded at a time: as many as a batch holds if they are of one size.
pub fn batch_rows<'a>(groups: impl Iterator<Item = &'a RowGroupMetaData>, columns: &ProjectionMask) -> usize {
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    for group in groups {
        rows = rows.saturating_add(group.num_rows().max(0) as u64);
        for (_, column) in group.columns().iter().enumerate().filter(|(i, _)| columns.leaf_included(*i)) {
            bytes = bytes.saturating_add(column.uncompressed_size().max(0) as u64);
        }
    }
    let fit = (u128::from(BATCH_BYTES) * u128::from(rows.max(1)) / u128::from(bytes.max(1))) as u64;
    fit.clamp(1, BATCH_ROWS) as usize
}

/// Gives one column of a row group in batches, in order.
pub(crate) fn each_batch(
    input: &Input,
    footer: &ArrowReaderMetadata,
    row_group: usize,
    column: &[String],
    mut each: impl FnMut(RecordBatch) -> Result<(), Error>,
) -> Result<(), Error> {
    let file = File::open(&input.path).map_err(|e| Error::io(input.shown(), "read", e))?;
    let mask = ProjectionMask::columns(footer.parquet_schema(), [column.join(".").as_str()]);
    let rows = batch_rows([footer.metadata().row_group(row_group)].into_iter(), &mask);
    let mut reader = guarded(input, || {
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer.clone())
            .with_row_groups(vec![row_group])
            .with_projection(mask)
            .with_batch_size(rows)
            .build()
    })?;
    while let Some(batch) = guarded(input, || reader.next().transpose().map_err(Into::into))? {
        each(batch)?;
    }
    Ok(())
}

/// Gives the text of every row of a row group, in order; `None` for a null.
pub fn for_each_text(
    input: &Input,
    footer: &ArrowReaderMetadata,
    row_group: usize,
    column: &[String],
    mut each: impl FnMut(Option<&str>) -> Result<(), Error>,
) -> Result<(), Error> {
    each_batch(input, footer, row_group, column, |batch| each_text(input, batch, column, &mut each))
}

/// Gives the text of every row of a batch, in order; `None` for a null.
pub fn each_text(
    input: &Input,
    batch: RecordBatch,
    column: &[String],
    each: impl FnMut(Option<&str>) -> Result<(), Error>,
) -> Result<(), Error> {
    match guarded(input, || text_array(batch.into(), column))? {
        Texts::Small(texts) => texts.iter().try_for_each(each),
        Texts::Large(texts) => texts.iter().try_for_each(each),
    }
}

/// Reads chosen rows, all columns of them, in batches; row groups that hold none of them are not touched.
pub struct Rows {
    input: Input,
    reader: ParquetRecordBatchReader,
}

impl Rows {
    /// `rows`: row numbers, ascending.
    pub fn open(
        input: &Input,
        footer: &ArrowReaderMetadata,
        rows: impl Iterator<Item = u64>,
    ) -> Result<Rows, Error> {
        let mut rows = rows.peekable();
        let (mut groups, mut selectors) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (group, meta) in footer.metadata().row_groups().iter().enumerate() {
            let end = start + meta.num_rows().max(0) as u64;
            if rows.peek().is_some_and(|&row| row < end) {
                groups.push(group);
                let mut at = start;
                while let Some(row) = rows.next_if(|&row| row < end) {
                    selectors.push(RowSelector::skip((row - at) as usize));
                    selectors.push(RowSelector::select(1));
                    at = row + 1;
                }
                selectors.push(RowSelector::skip((end - at) as usize));
            }
            start = end;
        }
        if rows.next().is_some() {
            return Err(changed(input.shown()));
        }
        let file = File::open(&input.path).map_err(|e| Error::io(input.shown(), "read", e))?;
        let read = groups.iter().map(|&group| footer.metadata().row_group(group));
        let batch = batch_rows(read, &ProjectionMask::all());
        let reader = guarded(input, || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer.clone())
                .with_row_groups(groups)
                .with_row_selection(RowSelection::from(selectors))
                .with_batch_size(batch)
                .build()
        })?;
        Ok(Rows { input: input.clone(), reader })
    }

    /// The next batch.
    pub fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        guarded(&self.input, || self.reader.next().transpose().map_err(Into::into))
    }
}

enum Texts {
    Small(StringArray),
    Large(LargeStringArray),
}

/// The leaf that `column` leads to, a row without one of the structs above it being null.
pub fn leaf_array(batch: StructArray, column: &[String]) -> Result<ArrayRef, parquet::errors::ParquetError> {
    let missing = || parquet::errors::ParquetError::General("its columns contradict its schema".into());
    let mut array: ArrayRef = std::sync::Arc::new(batch);
    for part in column {
        let parent = array.as_struct_opt().ok_or_else(missing)?;
        let child = parent.column_by_name(part).ok_or_else(missing)?;
        array = match parent.nulls() {
            None => child.clone(),
            Some(nulls) => {
                let is_null = arrow_array::BooleanArray::new(!nulls.inner(), None);
                arrow_select::nullif::nullif(child, &is_null)?
            }
        };
    }
    Ok(array)
}

fn text_array(batch: StructArray, column: &[String]) -> Result<Texts, parquet::errors::ParquetError> {
    let array = leaf_array(batch, column)?;
    Ok(match array.data_type() {
        DataType::Utf8 => Texts::Small(array.as_string::<i32>().clone()),
        DataType::LargeUtf8 => Texts::Large(array.as_string::<i64>().clone()),
        _ => Texts::Large(arrow_cast::cast(&array, &DataType::LargeUtf8)?.as_string::<i64>().clone()),
    })
}
