//! The scores file: one row a record, in a form that every data tool reads.
//!
//! Parquet with the columns `file` (dictionary of strings), `record` (u64, the record's place in its file), one column of
//! weights a target (f64: `log_weight` for a single target, else `log_weight_NAME`, where a target without a name is called by
//! its number) and `tokens` (u32). With it, another choice among the same records needs no new scoring.

use crate::atomic::AtomicFile;
use crate::error::Error;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, PrimitiveArray, RecordBatch, StringArray,
    UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows gather to this many before they are encoded.
const BATCH: usize = 1 << 14;
/// Rows of a row group: its memory while it is written is a few megabytes for each target.
const ROW_GROUP: usize = 1 << 18;
const WEIGHT: &str = "log_weight";

/// Writes a scores file; it appears only at the end.
pub struct ScoresWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<AtomicFile>,
    targets: usize,
    /// Names of the files in the rows gathered.
    files: Vec<String>,
    file_keys: Vec<i32>,
    records: Vec<u64>,
    weights: Vec<Vec<f64>>,
    tokens: Vec<u32>,
}

/// What a scores file holds of use for another choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// The names of the weights' columns.
    pub columns: Vec<String>,
    /// Weights, a row a record, a column a target.
    pub log_weights: Vec<f64>,
    /// Tokens of each record.
    pub tokens: Vec<u32>,
}

impl ScoresWriter {
    /// Starts a scores file for these targets; an empty name stands for a target without one.
    pub fn create(path: &Path, targets: &[String], force: bool) -> Result<Self, Error> {
        if !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
            return Err(Error::range(format!(
                "the scores file must end in .parquet, the one form that scores are written in; got {}",
                path.display()
            )));
        }
        let columns = columns(targets)?;
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let mut fields =
            vec![Field::new("file", dictionary, false), Field::new("record", DataType::UInt64, false)];
        fields.extend(columns.iter().map(|name| Field::new(name, DataType::Float64, false)));
        fields.push(Field::new("tokens", DataType::UInt32, false));
        let schema = Arc::new(Schema::new(fields));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(|e| failed(path, "write", e))?))
            .set_max_row_group_row_count(Some(ROW_GROUP));
        // Numbers that seldom repeat: a dictionary of them costs memory and saves nothing.
        for name in columns.iter().map(String::as_str).chain(["record"]) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
        properties =
            properties.set_column_encoding(ColumnPath::from("record"), Encoding::DELTA_BINARY_PACKED);
        let file = AtomicFile::create("scores", path, force)?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties.build()))
            .map_err(|e| failed(path, "write", e))?;
        Ok(ScoresWriter {
            path: path.to_owned(),
            schema,
            writer,
            targets: columns.len(),
            files: Vec::new(),
            file_keys: Vec::new(),
            records: Vec::new(),
            weights: vec![Vec::new(); columns.len()],
            tokens: Vec::new(),
        })
    }

    /// Appends consecutive records of one file: `log_weights` is a row a record, a column a target.
    pub fn push(
        &mut self,
        file: &str,
        first_record: u64,
        log_weights: &[f64],
        tokens: &[u32],
    ) -> Result<(), Error> {
        if log_weights.len() != tokens.len() * self.targets {
            return Err(Error::range(format!(
                "log_weights must have {} numbers for each of {} records, got {}",
                self.targets,
                tokens.len(),
                log_weights.len()
            )));
        }
        let rows = log_weights.chunks_exact(self.targets).zip(tokens);
        for (record, (row, tokens)) in (first_record..).zip(rows) {
            if self.records.len() == BATCH {
                self.write_batch()?;
            }
            if self.files.last().map(String::as_str) != Some(file) {
                self.files.push(file.to_owned());
            }
            self.file_keys.push(self.files.len() as i32 - 1);
            self.records.push(record);
            self.tokens.push(*tokens);
            self.weights.iter_mut().zip(row).for_each(|(column, weight)| column.push(*weight));
        }
        Ok(())
    }

    /// Ends the file and puts it in place.
    pub fn finish(mut self) -> Result<(), Error> {
        self.write_batch()?;
        self.writer.into_inner().map_err(|e| failed(&self.path, "write", e))?.commit()
    }

    fn write_batch(&mut self) -> Result<(), Error> {
        use std::mem::take;
        if self.records.is_empty() {
            return Ok(());
        }
        let names = Arc::new(StringArray::from(take(&mut self.files)));
        let keys = Int32Array::from(take(&mut self.file_keys));
        let result = DictionaryArray::try_new(keys, names).and_then(|files| {
            let mut columns: Vec<ArrayRef> =
                vec![Arc::new(files), Arc::new(UInt64Array::from(take(&mut self.records)))];
            columns.extend(
                self.weights.iter_mut().map(|column| Arc::new(Float64Array::from(take(column))) as ArrayRef),
            );
            columns.push(Arc::new(UInt32Array::from(take(&mut self.tokens))));
            RecordBatch::try_new(self.schema.clone(), columns)
        });
        let batch = result.map_err(|e| failed(&self.path, "write", e.into()))?;
        self.writer.write(&batch).map_err(|e| failed(&self.path, "write", e))
    }
}

fn columns(targets: &[String]) -> Result<Vec<String>, Error> {
    let columns: Vec<String> = match targets {
        [] => return Err(Error::range("targets must name at least one target")),
        [_] => vec![WEIGHT.to_owned()],
        _ => targets
            .iter()
            .enumerate()
            .map(
                |(i, name)| {
                    if name.is_empty() { format!("{WEIGHT}_{i}") } else { format!("{WEIGHT}_{name}") }
                },
            )
            .collect(),
    };
    for (i, name) in columns.iter().enumerate() {
        if columns[..i].contains(name) {
            return Err(Error::range(format!(
                "targets must differ in name: two would have the column {name}"
            )));
        }
    }
    Ok(columns)
}

/// Reads the weights and tokens of a scores file, and checks that they are of the right types and without nulls.
pub fn read_scores(path: &Path) -> Result<Scores, Error> {
    let wrong =
        |message: String| Error::format(path, None, format!("{message}; write it again with --scores"));
    let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(path, "read", e))?;
    let schema = builder.schema().clone();
    let columns: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| field.name())
        .filter(|name| *name == WEIGHT || name.strip_prefix(WEIGHT).is_some_and(|rest| rest.starts_with('_')))
        .cloned()
        .collect();
    if columns.is_empty() || schema.index_of("tokens").is_err() {
        return Err(wrong("it is no scores file: it lacks the columns log_weight and tokens".into()));
    }
    let wanted: Vec<&str> = columns.iter().map(String::as_str).chain(["tokens"]).collect();
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted.iter().copied());
    let reader =
        builder.with_projection(mask).with_batch_size(BATCH).build().map_err(|e| failed(path, "read", e))?;
    let mut scores = Scores { columns, log_weights: Vec::new(), tokens: Vec::new() };
    for batch in reader {
        let batch = batch.map_err(|e| failed(path, "read", e.into()))?;
        let weights: Option<Vec<_>> =
            scores.columns.iter().map(|name| values::<Float64Type>(&batch, name)).collect();
        let (Some(weights), Some(tokens)) = (weights, values::<UInt32Type>(&batch, "tokens")) else {
            return Err(wrong(
                "its columns log_weight must be float64 and tokens uint32, both without nulls".into(),
            ));
        };
        for row in 0..batch.num_rows() {
            scores.log_weights.extend(weights.iter().map(|column| column.value(row)));
        }
        scores.tokens.extend_from_slice(tokens.values());
    }
    Ok(scores)
}

fn values<'a, T: arrow_array::ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Option<&'a PrimitiveArray<T>> {
    let column = batch.column_by_name(name)?.as_any().downcast_ref::<PrimitiveArray<T>>()?;
    (column.null_count() == 0).then_some(column)
}

/// A Parquet error as one of this crate: the file system's, if that is what it wraps.
pub(crate) fn failed(path: &Path, op: &'static str, error: ParquetError) -> Error {
    let error = match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => return Error::io(path, op, *io),
            Err(inner) => ParquetError::External(inner),
        },
        other => other,
    };
    if op == "write" {
        Error::io(path, op, std::io::Error::other(error))
    } else {
        Error::format(
            path,
            None,
            format!("it is damaged or no Parquet file: {error}; write or fetch it again"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn only_parquet_is_written() {
        for name in ["scores.jsonl", "scores.csv", "scores", "parquet"] {
            let message =
                ScoresWriter::create(Path::new(name), &names(&["a"]), false).err().unwrap().to_string();
            assert!(message.contains("must end in .parquet"), "{message}");
        }
    }

    #[test]
    fn targets_without_a_column_of_their_own_are_refused() {
        assert!(columns(&[]).is_err());
        assert!(columns(&names(&["a", "a"])).is_err());
        assert!(columns(&names(&["", "0"])).is_err());
        assert_eq!(columns(&names(&["a"])).unwrap(), ["log_weight"]);
        assert_eq!(
            columns(&names(&["", "b", ""])).unwrap(),
            ["log_weight_0", "log_weight_b", "log_weight_2"]
        );
    }

    #[test]
    fn what_is_no_scores_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.parquet");
        std::fs::write(&path, "not parquet at all").unwrap();
        assert_eq!(read_scores(&path).unwrap_err().code(), "ERR_TAMIS_FORMAT");
        assert_eq!(read_scores(&dir.path().join("none.parquet")).unwrap_err().code(), "ERR_TAMIS_IO");
        let schema = Arc::new(Schema::new(vec![
            Field::new("log_weight", DataType::Float64, true),
            Field::new("tokens", DataType::UInt32, false),
        ]));
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Float64Array::from(vec![None, Some(1.0)])),
                Arc::new(UInt32Array::from(vec![1, 2])),
            ],
        )
        .unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        assert!(read_scores(&path).unwrap_err().to_string().contains("without nulls"));
    }

    #[test]
    fn rows_run_over_batches_and_row_groups() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.parquet");
        let mut writer = ScoresWriter::create(&path, &names(&["x"]), false).unwrap();
        let n = ROW_GROUP + BATCH + 3;
        let weights: Vec<f64> = (0..n).map(|i| i as f64 / 7.0).collect();
        let tokens: Vec<u32> = (0..n as u32).collect();
        let half = n / 2;
        writer.push("a.jsonl", 0, &weights[..half], &tokens[..half]).unwrap();
        assert!(writer.push("a.jsonl", 0, &weights[..2], &tokens[..1]).is_err());
        writer.push("b.jsonl", 0, &weights[half..], &tokens[half..]).unwrap();
        assert!(!path.exists());
        writer.finish().unwrap();
        let read = read_scores(&path).unwrap();
        assert_eq!((read.log_weights, read.tokens), (weights, tokens));
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        assert_eq!(builder.metadata().num_row_groups(), 2);
        let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
        let files: Vec<_> = batches
            .iter()
            .flat_map(|batch| {
                let files = arrow_cast::cast(&batch.columns()[0], &DataType::Utf8).unwrap();
                let files = files.as_any().downcast_ref::<StringArray>().unwrap().clone();
                (0..files.len()).map(move |i| files.value(i).to_owned()).collect::<Vec<_>>()
            })
            .collect();
        assert!(files[..half].iter().all(|f| f == "a.jsonl") && files[half..].iter().all(|f| f == "b.jsonl"));
    }

    proptest! {
        #[test]
        fn scores_come_back(rows in prop::collection::vec((any::<f64>(), any::<f64>(), any::<u32>()), 0..50)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("s.parquet");
            let mut writer = ScoresWriter::create(&path, &names(&["x", "y"]), false).unwrap();
            for (i, &(x, y, tokens)) in rows.iter().enumerate() {
                writer.push("f", i as u64, &[x, y], &[tokens]).unwrap();
            }
            writer.finish().unwrap();
            let read = read_scores(&path).unwrap();
            prop_assert_eq!(read.columns, vec!["log_weight_x", "log_weight_y"]);
            let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            prop_assert_eq!(bits(read.log_weights), bits(rows.iter().flat_map(|row| [row.0, row.1]).collect()));
            prop_assert_eq!(read.tokens, rows.iter().map(|row| row.2).collect::<Vec<_>>());
        }
    }
}
