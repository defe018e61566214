//! Values that a recipe adds to the records it keeps: scores, where they came from, which target took them.

use crate::error::Error;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, StringArray, UInt64Array};
use arrow_schema::{DataType, Field};
use std::sync::Arc;

/// The key under which a JSON record carries the values, and what their names begin with in Parquet (`tamis_NAME`).
pub const KEY: &str = "tamis";

/// Named values, one of each name for each kept record, in the order of the kept records.
///
/// A JSON record carries them as one object under the key `tamis`, at its end; a Parquet file as columns `tamis_NAME` after its
/// own. What stands there from an earlier run is replaced.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    columns: Vec<(String, Values)>,
}

/// The values of one name.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; one that is not finite is null in JSON.
    F64(Vec<f64>),
    /// Whole numbers.
    U64(Vec<u64>),
    /// Texts of which many are the same: the different ones, and which of them each record has.
    Named(Arc<Vec<String>>, Vec<u32>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::F64(values) => values.len(),
            Values::U64(values) => values.len(),
            Values::Named(_, values) => values.len(),
        }
    }
}

impl Columns {
    /// Adds a column, as long as those before it.
    pub fn push(&mut self, name: &str, values: Values) -> Result<(), Error> {
        if self.columns.iter().any(|(other, _)| other == name) {
            return Err(Error::range(format!("columns must differ in name: {name:?} is there twice")));
        }
        if self.columns.first().is_some_and(|(_, first)| first.len() != values.len()) {
            return Err(Error::range(format!(
                "columns must have one value for each record: {name:?} has {}",
                values.len()
            )));
        }
        if let Values::Named(names, which) = &values
            && which.iter().any(|&i| i as usize >= names.len())
        {
            return Err(Error::range(format!("column {name:?} refers to a name that it does not have")));
        }
        self.columns.push((name.to_owned(), values));
        Ok(())
    }

    /// Appends the object of one record.
    pub(super) fn write_json(&self, row: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        for (i, (name, values)) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            put(out, name);
            out.push(b':');
            match values {
                Values::F64(values) => put(out, &values[row]),
                Values::U64(values) => put(out, &values[row]),
                Values::Named(names, which) => put(out, &names[which[row] as usize]),
            }
        }
        out.push(b'}');
    }

    /// The fields of the columns in a Parquet file.
    pub(super) fn fields(&self) -> Vec<Field> {
        let dictionary = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let data_type = |values: &Values| match values {
            Values::F64(_) => DataType::Float64,
            Values::U64(_) => DataType::UInt64,
            Values::Named(..) => dictionary(),
        };
        self.columns
            .iter()
            .map(|(name, values)| Field::new(format!("{KEY}_{name}"), data_type(values), false))
            .collect()
    }

    /// The values of consecutive records, as arrays of the types of [`fields`](Self::fields).
    pub(super) fn arrays(
        &self,
        first: usize,
        rows: usize,
    ) -> Result<Vec<ArrayRef>, arrow_schema::ArrowError> {
        let range = first..first + rows;
        let array = |(_, values): &(String, Values)| -> Result<ArrayRef, arrow_schema::ArrowError> {
            Ok(match values {
                Values::F64(values) => Arc::new(Float64Array::from(values[range.clone()].to_vec())),
                Values::U64(values) => Arc::new(UInt64Array::from(values[range.clone()].to_vec())),
                Values::Named(names, which) => {
                    let keys = Int32Array::from_iter_values(which[range.clone()].iter().map(|&i| i as i32));
                    Arc::new(DictionaryArray::try_new(
                        keys,
                        Arc::new(StringArray::from_iter_values(names.iter())),
                    )?)
                }
            })
        };
        self.columns.iter().map(array).collect()
    }
}

/// Appends a value as JSON. Numbers that are not finite become null.
pub(super) fn put<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Numbers and strings into memory: there is nothing that could fail.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_one_object() {
        let mut columns = Columns::default();
        columns.push("weight", Values::F64(vec![1.5, f64::NAN, -2.0])).unwrap();
        columns.push("record", Values::U64(vec![1, u64::MAX, 3])).unwrap();
        let notes = Arc::new(vec!["a\"b".into(), "".into(), "\n".into()]);
        columns.push("note", Values::Named(notes, vec![0, 1, 2])).unwrap();
        columns.push("target", Values::Named(Arc::new(vec!["x".into(), "y".into()]), vec![1, 0, 1])).unwrap();
        let rows: Vec<String> = (0..3)
            .map(|row| {
                let mut out = Vec::new();
                columns.write_json(row, &mut out);
                String::from_utf8(out).unwrap()
            })
            .collect();
        assert_eq!(rows[0], r#"{"weight":1.5,"record":1,"note":"a\"b","target":"y"}"#);
        assert_eq!(rows[1], r#"{"weight":null,"record":18446744073709551615,"note":"","target":"x"}"#);
        assert_eq!(rows[2], r#"{"weight":-2.0,"record":3,"note":"\n","target":"y"}"#);
        assert_eq!(columns.arrays(1, 2).unwrap().iter().map(|a| a.len()).collect::<Vec<_>>(), [2; 4]);
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let mut columns = Columns::default();
        columns.push("a", Values::U64(vec![1, 2])).unwrap();
        for (name, values) in [
            ("a", Values::U64(vec![1, 2])),
            ("b", Values::U64(vec![1])),
            ("c", Values::Named(Arc::new(vec![]), vec![0, 0])),
        ] {
            assert!(columns.push(name, values).is_err(), "{name}");
        }
    }
}
