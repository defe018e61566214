//! Columns of numbers in Parquet files: lists of them (vectors), or single ones.

use super::{Vectors, no_vector};
use crate::error::Error;
use crate::input::Input;
use crate::json::FieldPath;
use crate::table::{each_batch, guarded, leaf_array, metadata};
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, cast::AsArray};
use arrow_schema::{DataType, Fields, Schema};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use tamis_kernels::job::Job;

/// Reads the named column of lists, or the only one.
pub(super) fn read(input: &Input, name: Option<&str>, job: &Job) -> Result<Vectors, Error> {
    let footer = metadata(input)?;
    let column = match name {
        Some(name) => find_numbers(input, footer.schema(), &FieldPath::new(name))?,
        None => only_lists(input, footer.schema())?,
    };
    let field = column.join(".");
    let mut all = Vectors::default();
    let mut row = 0;
    for group in 0..footer.metadata().num_row_groups() {
        each_numbers(input, &footer, group, &column, |numbers| {
            job.check()?;
            row += 1;
            let pushed = numbers.map_err(|why| no_vector(&field, why)).and_then(|numbers| all.push(numbers));
            pushed.map_err(|why| Error::format(&input.path, Some(row), why))
        })?;
    }
    input.check_unchanged()?;
    Ok(all)
}

/// The top-level column and the fields below it that lead to numbers or lists of them.
pub(crate) fn find_numbers(input: &Input, schema: &Schema, path: &FieldPath) -> Result<Vec<String>, Error> {
    let whole = [path.whole().to_owned()];
    for parts in [&whole[..], path.parts()] {
        let mut fields = schema.fields();
        for (i, part) in parts.iter().enumerate() {
            let Some((_, field)) = fields.find(part) else { break };
            match field.data_type() {
                data_type if i + 1 == parts.len() && (is_number(data_type) || is_list(data_type)) => {
                    return Ok(parts.to_vec());
                }
                DataType::Struct(inner) => fields = inner,
                _ => break,
            }
        }
    }
    let message = format!("no column of numbers \"{}\": it has {}", path.whole(), names(schema.fields()));
    Err(Error::format(input.shown(), None, message))
}

fn only_lists(input: &Input, schema: &Schema) -> Result<Vec<String>, Error> {
    let mut lists = schema.fields().iter().filter(|field| is_list(field.data_type()));
    match (lists.next(), lists.next()) {
        (Some(only), None) => Ok(vec![only.name().clone()]),
        (first, _) => {
            let what = if first.is_none() { "no column" } else { "several columns" };
            let message = format!(
                "{what} of lists of numbers: name the vectors' one (--vectors-name, name); it has {}",
                names(schema.fields())
            );
            Err(Error::format(input.shown(), None, message))
        }
    }
}

fn names(fields: &Fields) -> String {
    let names: Vec<&str> = fields.iter().take(20).map(|field| field.name().as_str()).collect();
    names.join(", ")
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() && !matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn is_list(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            is_number(item.data_type())
        }
        _ => false,
    }
}

/// Gives the numbers of every row of a row group, in order; or why it has none.
pub(crate) fn each_numbers(
    input: &Input,
    footer: &ArrowReaderMetadata,
    row_group: usize,
    column: &[String],
    mut each: impl FnMut(Result<&[f64], &str>) -> Result<(), Error>,
) -> Result<(), Error> {
    each_batch(input, footer, row_group, column, |batch| {
        let array = guarded(input, || leaf_array(batch.into(), column))?;
        let numbers = guarded(input, || Numbers::new(&array))?;
        (0..array.len()).try_for_each(|row| each(numbers.of(row)))
    })
}

/// The rows of a batch.
struct Numbers {
    rows: ArrayRef,
    items: Float64Array,
    /// Where each row's items start, and where the last one's end.
    starts: Vec<usize>,
}

impl Numbers {
    fn new(array: &ArrayRef) -> Result<Numbers, parquet::errors::ParquetError> {
        let n = array.len();
        let (items, starts): (ArrayRef, Vec<usize>) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (list.values().clone(), list.offsets().iter().map(|&at| at as usize).collect())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                (list.values().clone(), list.offsets().iter().map(|&at| at as usize).collect())
            }
            DataType::FixedSizeList(_, width) => {
                let list = array.as_fixed_size_list();
                (list.values().clone(), (0..=n).map(|i| i * *width as usize).collect())
            }
            _ => (array.clone(), (0..=n).collect()),
        };
        let items = arrow_cast::cast(&items, &DataType::Float64)?.as_primitive::<Float64Type>().clone();
        Ok(Numbers { rows: array.clone(), items, starts })
    }

    fn of(&self, row: usize) -> Result<&[f64], &'static str> {
        let (start, end) = (self.starts[row], self.starts[row + 1]);
        if self.rows.is_null(row) {
            return Err("it is null");
        }
        if self.items.null_count() > 0 && (start..end).any(|i| self.items.is_null(i)) {
            return Err("it holds a null");
        }
        self.items.values().get(start..end).ok_or("its columns contradict its schema")
    }
}
