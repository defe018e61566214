//! JSON values as columns of a given type.

use super::json;
use arrow_array::builder::{BooleanBuilder, GenericStringBuilder};
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    ArrayRef, GenericListArray, OffsetSizeTrait, PrimitiveArray, RecordBatch, RecordBatchOptions,
    StructArray, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, FieldRef, Fields, SchemaRef};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

/// A value's JSON text; none where the field is missing.
type Value<'a> = Option<&'a str>;

/// Records as a batch of a schema that has a field for every member of theirs. Only types that
/// [`shape`](super::shape) gives are decoded; any other field must be missing in all records.
pub(super) fn records(lines: &[&str], schema: &SchemaRef) -> Result<RecordBatch, String> {
    let values: Vec<Value> = lines.iter().map(|line| Some(*line)).collect();
    let columns = members(&values, schema.fields())?;
    let options = RecordBatchOptions::new().with_row_count(Some(lines.len()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(|error| error.to_string())
}

/// The columns of objects' members.
fn members(objects: &[Value], fields: &Fields) -> Result<Vec<ArrayRef>, String> {
    let places: HashMap<&str, usize> =
        fields.iter().enumerate().map(|(i, field)| (field.name().as_str(), i)).collect();
    let mut columns: Vec<Vec<Value>> = vec![vec![None; objects.len()]; fields.len()];
    for (row, object) in objects.iter().enumerate() {
        let Some(object) = object else { continue };
        for (i, (key, value)) in json::members(object)?.into_iter().enumerate() {
            let place = match fields.get(i) {
                Some(field) if *field.name() == key => i,
                _ => *places
                    .get(&*key)
                    .ok_or_else(|| format!("it has a field {key:?} that its schema lacks"))?,
            };
            // Of members with one name the last counts, as in JSON.parse.
            columns[place][row] = Some(value).filter(|value| !value.starts_with('n'));
        }
    }
    columns.iter().zip(fields).map(|(values, field)| array(values, field.data_type())).collect()
}

fn array(values: &[Value], data_type: &DataType) -> Result<ArrayRef, String> {
    if values.iter().all(Option::is_none) {
        return Ok(new_null_array(data_type, values.len()));
    }
    Ok(match data_type {
        DataType::Boolean => {
            let mut out = BooleanBuilder::with_capacity(values.len());
            for value in values {
                out.append_option(value.map(parse).transpose()?);
            }
            Arc::new(out.finish())
        }
        DataType::Int64 => numbers::<Int64Type>(values)?,
        DataType::UInt64 => numbers::<UInt64Type>(values)?,
        DataType::Float64 => numbers::<Float64Type>(values)?,
        DataType::Utf8 => strings::<i32>(values)?,
        DataType::LargeUtf8 => strings::<i64>(values)?,
        DataType::List(item) => lists::<i32>(values, item)?,
        DataType::LargeList(item) => lists::<i64>(values, item)?,
        DataType::Struct(fields) => {
            let nulls = NullBuffer::from_iter(values.iter().map(Option::is_some));
            let columns = members(values, fields)?;
            Arc::new(
                StructArray::try_new(fields.clone(), columns, Some(nulls))
                    .map_err(|error| error.to_string())?,
            )
        }
        other => return Err(format!("a JSON value does not fit a column of type {other}")),
    })
}

fn numbers<T: ArrowPrimitiveType<Native: FromStr>>(values: &[Value]) -> Result<ArrayRef, String> {
    let numbers: Vec<Option<T::Native>> =
        values.iter().map(|value| value.map(parse).transpose()).collect::<Result<_, String>>()?;
    Ok(Arc::new(PrimitiveArray::<T>::from_iter(numbers)))
}

fn parse<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{} does not fit its column", shorten(value)))
}

fn strings<O: OffsetSizeTrait>(values: &[Value]) -> Result<ArrayRef, String> {
    let bytes = values.iter().flatten().map(|value| value.len()).sum();
    if O::IS_LARGE || i32::try_from(bytes).is_ok() {
        let mut out = GenericStringBuilder::<O>::with_capacity(values.len(), bytes);
        for value in values {
            match value {
                None => out.append_null(),
                Some(value) if value.starts_with('"') => out.append_value(json::string(value)?),
                Some(value) => out.append_value(value),
            }
        }
        return Ok(Arc::new(out.finish()));
    }
    Err("a value is longer than 2 GiB".into())
}

fn lists<O: OffsetSizeTrait>(values: &[Value], item: &FieldRef) -> Result<ArrayRef, String> {
    let mut all: Vec<Value> = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    for value in values {
        let items = value.map_or(Ok(Vec::new()), json::items)?;
        lengths.push(items.len());
        all.extend(items.into_iter().map(|item| Some(item).filter(|item| !item.starts_with('n'))));
    }
    if !O::IS_LARGE && i32::try_from(all.len()).is_err() {
        return Err("a list has more than 2^31 items".into());
    }
    let nulls = NullBuffer::from_iter(values.iter().map(Option::is_some));
    let items = array(&all, item.data_type())?;
    let list =
        GenericListArray::<O>::try_new(item.clone(), OffsetBuffer::from_lengths(lengths), items, Some(nulls));
    Ok(Arc::new(list.map_err(|error| error.to_string())?))
}

fn shorten(value: &str) -> String {
    if value.chars().count() > 40 {
        value.chars().take(40).chain(['…']).collect()
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Records;
    use super::*;
    use arrow_schema::{Field, Schema};
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    fn table(lines: &[&str]) -> RecordBatch {
        let mut shape = Records::default();
        lines.iter().for_each(|line| shape.see(line).unwrap());
        records(lines, &Arc::new(Schema::new(shape.fields()))).unwrap()
    }

    fn back(batch: &RecordBatch) -> Vec<Json> {
        let mut writer = arrow_json::LineDelimitedWriter::new(Vec::new());
        writer.write(batch).unwrap();
        let text = String::from_utf8(writer.into_inner()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn values_stand_in_the_columns_that_they_need() {
        let lines = [
            r#"{"text":"a\u00e9\ud800","n":1,"mix":"5","l":[1,null,2.5],"o":{"p":true}}"#,
            r#"{"mix":5,"n":null,"l":null,"o":null,"big":18446744073709551615}"#,
            r#"{"mix":{"a" : [1]},"n":3,"n":4,"l":[],"o":{"q":[{"r":"x"}]},"big":1}"#,
        ];
        let expected = [
            json!({"text":"aé\u{fffd}","n":1,"mix":"5","l":[1.0,null,2.5],"o":{"p":true}}),
            json!({"mix":"5","big":18446744073709551615_u64}),
            json!({"mix":"{\"a\" : [1]}","n":4,"l":[],"o":{"q":[{"r":"x"}]},"big":1}),
        ];
        assert_eq!(back(&table(&lines)), expected);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let schema = |data_type| Arc::new(Schema::new(vec![Field::new("x", data_type, true)]));
        for (line, data_type) in [
            (r#"{"x":"a"}"#, DataType::Int64),
            (r#"{"x":1}"#, DataType::Boolean),
            (r#"{"x":1}"#, DataType::Date32),
            (r#"{"y":1}"#, DataType::Int64),
            (r#"{"x":1"#, DataType::Int64),
            (r#"{"x":1}"#, DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)))),
        ] {
            assert!(records(&[line], &schema(data_type)).is_err(), "{line}");
        }
        assert_eq!(records(&["{}"], &schema(DataType::Date32)).unwrap().num_rows(), 1);
    }

    /// Any JSON without objects whose members could be none, or null where nothing else is.
    fn value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            "(?s).*".prop_map(Json::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(Json::from),
                prop::collection::btree_map("[a-d]", inner, 1..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_records_make_a_table(values in prop::collection::vec(value(), 1..6)) {
            let lines: Vec<String> = values.iter().map(|value| json!({"text": "t", "x": value}).to_string()).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            prop_assert_eq!(table(&lines).num_rows(), lines.len());
        }

        #[test]
        fn a_table_of_one_record_holds_it(value in value()) {
            // One record has no mixes but inside lists: those of one item have none.
            fn single(value: &Json) -> bool {
                match value {
                    Json::Array(items) => items.len() == 1 && items.iter().all(single),
                    Json::Object(members) => members.values().all(single),
                    _ => true,
                }
            }
            prop_assume!(single(&value));
            let record = json!({"x": value});
            prop_assert_eq!(back(&table(&[&record.to_string()])), vec![record]);
        }
    }
}
