//! One schema for files of different ones: the union by name.
//!
//! A field that a file lacks is null in its records. Where types differ: whole numbers take the type that holds both, whole numbers and
//! fractions become float64 (so do int64 and uint64), strings and byte strings their longer form, lists and structs join inside, a
//! dictionary its values. Types of different kinds (a string here, a number there) are an error that names both files.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// The union of schemas, each with the name of its file.
pub(super) fn union(schemas: &[(String, SchemaRef)]) -> Result<SchemaRef, String> {
    let Some(((first_name, first), others)) = schemas.split_first() else {
        return Ok(Arc::new(Schema::empty()));
    };
    if others.iter().all(|(_, other)| other == first) {
        return Ok(first.clone());
    }
    let mut fields: Vec<FieldRef> = first.fields().to_vec();
    // Which file each field's type is from.
    let mut origins: Vec<&str> = vec![first_name; fields.len()];
    let mut metadata = first.metadata().clone();
    for (name, schema) in others {
        for field in schema.fields() {
            match fields.iter().position(|known| known.name() == field.name()) {
                None => {
                    fields.push(Arc::new(Field::clone(field).with_nullable(true)));
                    origins.push(name);
                }
                Some(at) => {
                    fields[at] = join_field(&fields[at], field).ok_or_else(|| {
                        format!(
                            "the field \"{}\" is {} in {} and {} in {name}: select from them one by one, or write .jsonl",
                            field.name(),
                            fields[at].data_type(),
                            origins[at],
                            field.data_type()
                        )
                    })?;
                }
            }
        }
        for field in &mut fields {
            if schema.index_of(field.name()).is_err() {
                *field = Arc::new(Field::clone(field).with_nullable(true));
            }
        }
        // What is said of one file only may be wrong of the union.
        metadata.retain(|key, value| schema.metadata().get(key) == Some(value));
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

fn join_field(a: &FieldRef, b: &FieldRef) -> Option<FieldRef> {
    let mut metadata = a.metadata().clone();
    metadata.retain(|key, value| b.metadata().get(key) == Some(value));
    let joined =
        Field::new(a.name(), join(a.data_type(), b.data_type())?, a.is_nullable() || b.is_nullable());
    Some(Arc::new(joined.with_metadata(metadata)))
}

fn join_fields(a: &Fields, b: &Fields) -> Option<Fields> {
    let nullable = |field: &FieldRef| Arc::new(Field::clone(field).with_nullable(true));
    let mut joined = Vec::with_capacity(a.len());
    for field in a {
        joined.push(match b.iter().find(|other| other.name() == field.name()) {
            Some(other) => join_field(field, other)?,
            None => nullable(field),
        });
    }
    joined.extend(b.iter().filter(|field| !a.iter().any(|other| other.name() == field.name())).map(nullable));
    Some(joined.into())
}

/// The type that holds the values of both.
fn join(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::*;
    if a == b {
        return Some(a.clone());
    }
    let text = |t: &DataType| matches!(t, Utf8 | LargeUtf8 | Utf8View);
    let bytes = |t: &DataType| matches!(t, Binary | LargeBinary | BinaryView);
    let large = |t: &DataType| matches!(t, LargeUtf8 | LargeBinary);
    Some(match (a, b) {
        (Null, other) | (other, Null) => other.clone(),
        (Dictionary(_, values), other) | (other, Dictionary(_, values)) => join(values, other)?,
        _ if a.is_integer() && b.is_integer() => integers(a, b),
        _ if a.is_numeric() && b.is_numeric() && !decimal(a) && !decimal(b) => Float64,
        _ if text(a) && text(b) => {
            if large(a) || large(b) {
                LargeUtf8
            } else {
                Utf8
            }
        }
        _ if bytes(a) && bytes(b) => {
            if large(a) || large(b) {
                LargeBinary
            } else {
                Binary
            }
        }
        (Date32 | Date64, Date32 | Date64) => Date64,
        (Timestamp(x, zone), Timestamp(y, other)) if zone == other => Timestamp(finer(x, y), zone.clone()),
        (Decimal128(p, s), Decimal128(q, t)) if s == t => Decimal128(*p.max(q), *s),
        (Decimal256(p, s), Decimal256(q, t)) if s == t => Decimal256(*p.max(q), *s),
        (Struct(x), Struct(y)) => Struct(join_fields(x, y)?),
        (List(x), List(y)) => List(join_field(x, &renamed(y, x))?),
        (List(x) | LargeList(x), List(y) | LargeList(y)) => LargeList(join_field(x, &renamed(y, x))?),
        _ => return None,
    })
}

/// Items of lists are called one thing or another by who wrote them.
fn renamed(field: &FieldRef, like: &FieldRef) -> FieldRef {
    Arc::new(Field::clone(field).with_name(like.name()))
}

fn decimal(data_type: &DataType) -> bool {
    use DataType::*;
    matches!(data_type, Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..))
}

fn integers(a: &DataType, b: &DataType) -> DataType {
    use DataType::*;
    let bytes = |t: &DataType| t.primitive_width().unwrap_or(8);
    let width = match (a.is_signed_integer(), b.is_signed_integer()) {
        (true, false) => bytes(a).max(2 * bytes(b)),
        (false, true) => bytes(b).max(2 * bytes(a)),
        _ => bytes(a).max(bytes(b)),
    };
    match (a.is_signed_integer() || b.is_signed_integer(), width) {
        (true, 2) => Int16,
        (true, 4) => Int32,
        (true, 8) => Int64,
        (false, 2) => UInt16,
        (false, 4) => UInt32,
        (false, 8) => UInt64,
        _ => Float64,
    }
}

fn finer(a: &TimeUnit, b: &TimeUnit) -> TimeUnit {
    let rank = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    };
    *if rank(a) >= rank(b) { a } else { b }
}

/// The batch with the fields of a union that its schema is part of.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &options)
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(array.clone()),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let columns = fields.iter().map(|field| match array.column_by_name(field.name()) {
                Some(column) => cast(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), array.len())),
            });
            let columns = columns.collect::<Result<_, _>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                array.nulls().cloned(),
                array.len(),
            )?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let array = array.as_list::<i32>();
            let items = cast(array.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                item.clone(),
                array.offsets().clone(),
                items,
                array.nulls().cloned(),
            )?))
        }
        (DataType::List(item), DataType::LargeList(wanted)) if item != wanted => {
            let inner = cast(array, &DataType::List(wanted.clone()))?;
            arrow_cast::cast(&inner, to)
        }
        // A value that does not fit must not become null unseen.
        _ => arrow_cast::cast_with_options(
            array,
            to,
            &arrow_cast::CastOptions { safe: false, ..Default::default() },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{DictionaryArray, Int32Array, Int64Array, LargeStringArray, StringArray, UInt64Array};

    fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
        Arc::new(Schema::new(
            fields.iter().map(|(name, t)| Field::new(*name, t.clone(), false)).collect::<Vec<_>>(),
        ))
    }

    #[test]
    fn types_join_both_ways_or_not_at_all() {
        use DataType::*;
        let list = |t| List(Arc::new(Field::new_list_field(t, true)));
        let dictionary = Dictionary(Box::new(Int32), Box::new(Utf8));
        for (a, b, joined) in [
            (Int8, Int64, Some(Int64)),
            (UInt8, Int8, Some(Int16)),
            (UInt32, Int32, Some(Int64)),
            (UInt64, Int8, Some(Float64)),
            (Int64, Float32, Some(Float64)),
            (Utf8, LargeUtf8, Some(LargeUtf8)),
            (Utf8View, Utf8, Some(Utf8)),
            (dictionary.clone(), Utf8, Some(Utf8)),
            (Null, Date32, Some(Date32)),
            (
                Timestamp(TimeUnit::Second, None),
                Timestamp(TimeUnit::Nanosecond, None),
                Some(Timestamp(TimeUnit::Nanosecond, None)),
            ),
            (Timestamp(TimeUnit::Second, None), Timestamp(TimeUnit::Second, Some("UTC".into())), None),
            (list(Int32), list(Int64), Some(list(Int64))),
            (list(Int32), list(Utf8), None),
            (Decimal128(5, 2), Decimal128(9, 2), Some(Decimal128(9, 2))),
            (Decimal128(5, 2), Int32, None),
            (Utf8, Int64, None),
            (Boolean, Int64, None),
            (Utf8, list(Utf8), None),
        ] {
            assert_eq!(join(&a, &b), joined, "{a} {b}");
            assert_eq!(join(&b, &a), joined, "{b} {a}");
        }
    }

    #[test]
    fn a_conflict_names_field_types_and_files() {
        let schemas = [
            ("a.parquet".to_owned(), schema(&[("x", DataType::Int64)])),
            ("b.parquet".to_owned(), schema(&[("y", DataType::Int64)])),
            ("c.parquet".to_owned(), schema(&[("y", DataType::Utf8)])),
        ];
        let message = union(&schemas).unwrap_err();
        for part in ["\"y\"", "Int64", "Utf8", "b.parquet", "c.parquet"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(union(&schemas[..1]).unwrap(), schemas[0].1);
        assert_eq!(union(&[]).unwrap().fields().len(), 0);
    }

    #[test]
    fn batches_take_the_unions_form() {
        let structure = |names: &[&str], t: DataType| {
            DataType::Struct(names.iter().map(|n| Field::new(*n, t.clone(), true)).collect())
        };
        let one = schema(&[
            ("id", DataType::Int32),
            ("o", structure(&["p"], DataType::Int32)),
            ("s", DataType::Utf8),
        ]);
        let two = schema(&[
            ("o", structure(&["p", "q"], DataType::Int64)),
            ("id", DataType::UInt64),
            ("s", DataType::LargeUtf8),
        ]);
        let union = union(&[("1".into(), one.clone()), ("2".into(), two)]).unwrap();
        assert_eq!(union.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["id", "o", "s"]);
        let DataType::Struct(inner) = one.field(1).data_type() else { unreachable!() };
        let p: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        let o = StructArray::try_new(inner.clone(), vec![p], None).unwrap();
        let id = Int32Array::from(vec![1, 2]);
        let batch = RecordBatch::try_new(
            one,
            vec![Arc::new(id), Arc::new(o), Arc::new(StringArray::from(vec!["a", "b"]))],
        )
        .unwrap();
        let out = conform(&batch, &union).unwrap();
        assert_eq!(out.schema_ref(), &union);
        assert_eq!(out.column(0).as_primitive::<arrow_array::types::Float64Type>().values(), &[1.0, 2.0]);
        let o = out.column(1).as_struct();
        assert!(o.column(0).is_null(1));
        assert_eq!(o.column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0), 7);
        assert_eq!(o.column(1).null_count(), 2);
        assert_eq!(out.column(2).as_any().downcast_ref::<LargeStringArray>().unwrap().value(1), "b");
    }

    #[test]
    fn lists_and_dictionaries_are_cast_inside() {
        let item = |t| DataType::List(Arc::new(Field::new("element", t, true)));
        let list: ArrayRef =
            Arc::new(ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>([
                Some(vec![Some(1), None]),
                None,
            ]));
        let out = cast(&list, &item(DataType::Int64)).unwrap();
        assert_eq!(out.as_list::<i32>().value(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0), 1);
        let large = DataType::LargeList(Arc::new(Field::new("element", DataType::Float64, true)));
        assert_eq!(cast(&list, &large).unwrap().data_type(), &large);
        let dictionary: ArrayRef =
            Arc::new(DictionaryArray::<arrow_array::types::Int32Type>::from_iter(["a", "b", "a"]));
        assert_eq!(cast(&dictionary, &DataType::Utf8).unwrap().as_string::<i32>().value(2), "a");
        let big: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert!(cast(&big, &DataType::Int64).is_err());
    }
}
