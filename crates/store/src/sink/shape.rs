//! The columns that JSON records need, found out by looking at every one of them.
//!
//! | values of a field | column |
//! | --- | --- |
//! | true, false | boolean |
//! | whole numbers | int64; uint64 where one exceeds int64 and none is negative |
//! | numbers, one with a fraction or an exponent | float64 |
//! | strings | string |
//! | lists | list of what the items need |
//! | objects | struct of what the members need |
//! | nothing but null; objects without members; numbers beyond 64 bits | string |
//! | a mix of these | string: a string as it is, anything else as its JSON text |
//!
//! null and a missing field are the same. What would make a schema without bounds also becomes a string with the JSON text: objects
//! nested deeper than [`DEPTH`], and objects below the first level whose keys are data (more than [`FIELDS`] fields in the schema, or
//! a key longer than [`KEY_BYTES`]). On the first level that is an error.

use super::json;
use arrow_schema::{DataType, Field, Fields};
use std::collections::HashMap;
use std::sync::Arc;

/// The deepest nesting that becomes structs and lists.
pub const DEPTH: usize = 24;
/// The most fields of a schema, on all levels together.
pub const FIELDS: usize = 10_000;
/// The longest key that becomes a field's name.
pub const KEY_BYTES: usize = 1024;

/// What the values seen so far need.
#[derive(Debug, Default, PartialEq)]
enum Shape {
    #[default]
    Null,
    Bool,
    Int {
        negative: bool,
    },
    UInt,
    Float,
    Text,
    List(Box<Shape>),
    Object(Members),
}

/// The members of objects in the order of their first appearance.
#[derive(Debug, Default, PartialEq)]
struct Members {
    members: Vec<(String, Shape)>,
    places: HashMap<String, usize>,
}

/// The shape of JSON records, joined over all that were seen.
#[derive(Debug, Default)]
pub(crate) struct Records {
    members: Members,
    fields: usize,
}

impl Records {
    /// Takes one more record in; the error says how it is no record that a table can hold.
    pub(crate) fn see(&mut self, record: &str) -> Result<(), String> {
        if self.members.see(record, 1, &mut self.fields)? {
            return Ok(());
        }
        Err(format!(
            "the records have more than {FIELDS} different fields, or one whose name is longer than {KEY_BYTES} bytes, which no Parquet file should have: write .jsonl instead"
        ))
    }

    /// The fields of a table that holds the records.
    pub(super) fn fields(&self) -> Fields {
        self.members.fields()
    }
}

impl Members {
    /// Takes an object in; `false` if it has a member that cannot become a field.
    fn see(&mut self, object: &str, depth: usize, fields: &mut usize) -> Result<bool, String> {
        for (i, (key, value)) in json::members(object)?.into_iter().enumerate() {
            // Records mostly have the same members in the same order.
            let place = match self.members.get(i) {
                Some((name, _)) if *name == key => i,
                _ => match self.places.get(&*key) {
                    Some(&place) => place,
                    None if *fields == FIELDS || key.len() > KEY_BYTES => return Ok(false),
                    None => {
                        *fields += 1;
                        self.places.insert(key.to_string(), self.members.len());
                        self.members.push((key.into_owned(), Shape::Null));
                        self.members.len() - 1
                    }
                },
            };
            self.members[place].1.see(value, depth + 1, fields)?;
        }
        Ok(true)
    }

    fn fields(&self) -> Fields {
        self.members.iter().map(|(name, shape)| Field::new(name, shape.data_type(), true)).collect()
    }
}

impl Shape {
    fn see(&mut self, value: &str, depth: usize, fields: &mut usize) -> Result<(), String> {
        let Some(first) = value.bytes().next() else { return Err("a value is missing".into()) };
        match (first, &mut *self) {
            (b'n', _) | (_, Shape::Text) => {}
            (b'{' | b'[', _) if depth > DEPTH => *self = Shape::Text,
            (b'{', Shape::Null | Shape::Object(_)) => {
                let members = match std::mem::take(self) {
                    Shape::Object(members) => Some(members),
                    _ => None,
                };
                let mut members = members.unwrap_or_default();
                *self = if members.see(value, depth, fields)? { Shape::Object(members) } else { Shape::Text };
            }
            (b'[', Shape::Null | Shape::List(_)) => {
                let mut items = match std::mem::take(self) {
                    Shape::List(items) => items,
                    _ => Box::default(),
                };
                for item in json::items(value)? {
                    items.see(item, depth + 1, fields)?;
                }
                *self = Shape::List(items);
            }
            (b't' | b'f', shape) => shape.join(Shape::Bool),
            (b'-' | b'0'..=b'9', shape) => shape.join(number(value)),
            (_, shape) => *shape = Shape::Text,
        }
        Ok(())
    }

    fn join(&mut self, other: Shape) {
        use Shape::*;
        *self = match (std::mem::take(self), other) {
            (Null, other) => other,
            (Bool, Bool) => Bool,
            (Int { negative: a }, Int { negative: b }) => Int { negative: a || b },
            (UInt, UInt | Int { negative: false }) | (Int { negative: false }, UInt) => UInt,
            (Float, Int { .. } | UInt | Float) | (Int { .. } | UInt, Float) => Float,
            _ => Text,
        };
    }

    fn data_type(&self) -> DataType {
        match self {
            Shape::Bool => DataType::Boolean,
            Shape::Int { .. } => DataType::Int64,
            Shape::UInt => DataType::UInt64,
            Shape::Float => DataType::Float64,
            Shape::List(items) => DataType::List(Arc::new(Field::new_list_field(items.data_type(), true))),
            // Parquet has no struct without members.
            Shape::Object(members) if !members.members.is_empty() => DataType::Struct(members.fields()),
            Shape::Null | Shape::Text | Shape::Object(_) => DataType::Utf8,
        }
    }
}

fn number(text: &str) -> Shape {
    if text.contains(['.', 'e', 'E']) {
        // Beyond what a float64 holds only the text is the number.
        return if text.parse::<f64>().is_ok_and(f64::is_finite) { Shape::Float } else { Shape::Text };
    }
    match (text.parse::<i64>(), text.parse::<u64>()) {
        (Ok(value), _) => Shape::Int { negative: value < 0 },
        (_, Ok(_)) => Shape::UInt,
        _ => Shape::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(records: &[&str]) -> Vec<String> {
        let mut shape = Records::default();
        for record in records {
            shape.see(record).unwrap();
        }
        shape.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect()
    }

    #[test]
    fn each_mix_of_values_has_its_column() {
        for (values, column) in [
            (&["true", "null", "false"][..], "Boolean"),
            (&["1", "-2"], "Int64"),
            (&["1", "18446744073709551615", "2"], "UInt64"),
            (&["-1", "18446744073709551615"], "Utf8"),
            (&["18446744073709551616"], "Utf8"),
            (&["1", "2.5", "18446744073709551615"], "Float64"),
            (&["1e2"], "Float64"),
            (&["1e999"], "Utf8"),
            (&["\"a\"", "null"], "Utf8"),
            (&["1", "\"a\""], "Utf8"),
            (&["true", "1"], "Utf8"),
            (&["[1]", "{\"a\":1}"], "Utf8"),
            (&["null"], "Utf8"),
            (&["{}"], "Utf8"),
        ] {
            let records: Vec<String> = values.iter().map(|value| format!("{{\"x\":{value}}}")).collect();
            let records: Vec<&str> = records.iter().map(String::as_str).collect();
            let back: Vec<&str> = records.iter().rev().copied().collect();
            assert_eq!(types(&records), [format!("x: {column}")], "{values:?}");
            assert_eq!(types(&back), [format!("x: {column}")], "{values:?}");
        }
    }

    #[test]
    fn lists_and_objects_join_inside() {
        let list = |item: &str| format!("x: List({item})");
        assert_eq!(types(&[r#"{"x":[1,null]}"#, r#"{"x":[2.5]}"#]), [list("Float64")]);
        assert_eq!(types(&[r#"{"x":[]}"#]), [list("Utf8")]);
        let mut records = Records::default();
        for record in [r#"{"a":1,"x":{"p":1}}"#, r#"{"x":{"q":[{"r":true}]},"b":"s"}"#] {
            records.see(record).unwrap();
        }
        let fields = records.fields();
        assert_eq!(fields.iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["a", "x", "b"]);
        let DataType::Struct(inner) = fields[1].data_type() else { panic!("{fields:?}") };
        assert_eq!(inner.iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["p", "q"]);
    }

    #[test]
    fn schemas_stay_bounded() {
        let object = |from: usize| {
            let members: Vec<String> = (from..from + 6000).map(|i| format!("\"k{i}\":1")).collect();
            format!("{{{}}}", members.join(","))
        };
        let (one, two) = (object(0), object(6000));
        assert_eq!(types(&[&format!("{{\"x\":{one}}}"), &format!("{{\"x\":{two}}}")]), ["x: Utf8"]);
        let mut records = Records::default();
        records.see(&one).unwrap();
        assert!(records.see(&two).unwrap_err().contains("write .jsonl instead"));
        let long = format!("{{\"{}\":1}}", "k".repeat(KEY_BYTES + 1));
        assert_eq!(types(&[&format!("{{\"x\":{long}}}")]), ["x: Utf8"]);
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let mut records = Records::default();
        records.see(&deep).unwrap();
    }
}
