//! The text of a JSON record, out of its line, without building the rest.
//!
//! The whole line must be one JSON object. Of equal keys the last counts, as in JavaScript. Escapes of lone
//! surrogates, which JSON allows and UTF-8 cannot hold, become U+FFFD. O(bytes), no allocation once the scratch is
//! warm; a text without escapes is borrowed from the line.

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// A field's path.
#[derive(Debug, Clone)]
pub struct FieldPath {
    whole: String,
    parts: Vec<String>,
}

impl FieldPath {
    pub fn new(path: &str) -> Self {
        FieldPath { whole: path.into(), parts: path.split('.').map(Into::into).collect() }
    }

    pub fn whole(&self) -> &str {
        &self.whole
    }

    pub fn parts(&self) -> &[String] {
        &self.parts
    }
}

/// Where the text was found.
enum Found<'a> {
    Missing,
    Borrowed(&'a [u8]),
    InScratch,
}

/// The text at `path` of the object on `line` (valid UTF-8), or why there is none. `scratch` holds a text that had
/// escapes.
pub fn text_of<'a>(line: &'a str, path: &FieldPath, scratch: &'a mut Vec<u8>) -> Result<&'a str, String> {
    let mut literal = Found::Missing;
    let mut nested = Found::Missing;
    let mut json = serde_json::Deserializer::from_slice(line.as_bytes());
    let seed = Object { path, depth: 0, literal: &mut literal, nested: &mut nested, scratch };
    let parsed = seed.deserialize(&mut json).and_then(|()| json.end());
    if let Err(error) = parsed {
        return Err(if error.is_data() {
            format!("{}", DataError(&error))
        } else {
            format!("not JSON: {}", short(&error))
        });
    }
    let found = match literal {
        Found::Missing => nested,
        found => found,
    };
    match found {
        Found::Missing => Err("no such field".into()),
        // The line is valid UTF-8, and a string without escapes is a part of it.
        Found::Borrowed(bytes) => std::str::from_utf8(bytes).map_err(|e| e.to_string()),
        Found::InScratch => {
            if simdutf8::basic::from_utf8(scratch).is_err() {
                replace_surrogates(scratch);
            }
            simdutf8::basic::from_utf8(scratch).map_err(|e| e.to_string())
        }
    }
}

/// serde_json says where on line 1; the line is the record here, so the column alone is of use.
fn short(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.replace(" at line 1 column ", " at column ")
}

struct DataError<'a>(&'a serde_json::Error);

impl fmt::Display for DataError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text);
        match text.strip_prefix("invalid type: ").and_then(|t| t.split(", expected ").next()) {
            Some(kind) if text.ends_with("expected a string") => write!(f, "it is {}", kind_of(kind)),
            Some(kind) => write!(f, "the record is {}, no object", kind_of(kind)),
            None => f.write_str(text),
        }
    }
}

/// "integer `5`" -> "a number": what stands there may be long, or hostile.
fn kind_of(unexpected: &str) -> &'static str {
    match unexpected.split([' ', '`']).next().unwrap_or("") {
        "integer" | "floating" | "number" => "a number",
        "boolean" => "a boolean",
        "null" | "unit" => "null",
        "map" => "an object",
        "sequence" => "an array",
        "string" | "borrowed" | "byte" => "a string",
        _ => "something else",
    }
}

struct Object<'s, 'a> {
    path: &'s FieldPath,
    depth: usize,
    literal: &'s mut Found<'a>,
    nested: &'s mut Found<'a>,
    scratch: &'s mut Vec<u8>,
}

impl<'a> DeserializeSeed<'a> for Object<'_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        // At depth > 0 something that is no object simply has no such field: `any` lets it pass.
        if self.depth == 0 { json.deserialize_map(self) } else { json.deserialize_any(self) }
    }
}

macro_rules! pass_over {
    ($($name:ident: $type:ty),*) => {
        $(fn $name<E>(self, _: $type) -> Result<(), E> { Ok(()) })*
    };
}

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let last = self.depth + 1 == self.path.parts.len();
        while let Some(key) = map.next_key_seed(Key(self.path, self.depth))? {
            match key {
                Match::Literal => map.next_value_seed(Text { found: self.literal, scratch: self.scratch })?,
                Match::Part if last => map.next_value_seed(Text { found: self.nested, scratch: self.scratch })?,
                Match::Part => {
                    *self.nested = Found::Missing;
                    map.next_value_seed(Object {
                        path: self.path,
                        depth: self.depth + 1,
                        literal: &mut *self.literal,
                        nested: &mut *self.nested,
                        scratch: &mut *self.scratch,
                    })?;
                }
                Match::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: serde::de::SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.depth == 0 {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    pass_over!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

enum Match {
    Literal,
    Part,
    Other,
}

struct Key<'s>(&'s FieldPath, usize);

impl<'a> DeserializeSeed<'a> for Key<'_> {
    type Value = Match;
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Match, D::Error> {
        // As bytes: a key with a lone surrogate is odd, but it is JSON.
        json.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Match;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_bytes<E>(self, key: &[u8]) -> Result<Match, E> {
        let Key(path, depth) = self;
        Ok(if depth == 0 && path.parts.len() > 1 && key == path.whole.as_bytes() {
            Match::Literal
        } else if key == path.parts[depth].as_bytes() {
            Match::Part
        } else {
            Match::Other
        })
    }
}

struct Text<'s, 'a> {
    found: &'s mut Found<'a>,
    scratch: &'s mut Vec<u8>,
}

impl<'a> DeserializeSeed<'a> for Text<'_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_bytes(self)
    }
}

impl<'a> Visitor<'a> for Text<'_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_borrowed_bytes<E>(self, bytes: &'a [u8]) -> Result<(), E> {
        *self.found = Found::Borrowed(bytes);
        Ok(())
    }
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<(), E> {
        self.scratch.clear();
        self.scratch.extend_from_slice(bytes);
        *self.found = Found::InScratch;
        Ok(())
    }
}

/// Surrogates come as three bytes ED A0..BF xx, which no valid UTF-8 holds: each becomes U+FFFD, also three bytes.
pub(crate) fn replace_surrogates(bytes: &mut [u8]) {
    let mut i = 0;
    while i + 2 < bytes.len() {
        if bytes[i] == 0xED && bytes[i + 1] >= 0xA0 {
            bytes[i..i + 3].copy_from_slice("\u{FFFD}".as_bytes());
            i += 2;
        }
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(line: &str, path: &str) -> Result<String, String> {
        text_of(line, &FieldPath::new(path), &mut Vec::new()).map(Into::into)
    }

    #[test]
    fn finds_plain_nested_and_literal_fields() {
        assert_eq!(get(r#"{"text":"a"}"#, "text").unwrap(), "a");
        assert_eq!(get(r#" {"id":[1,{"text":"no"}],"text" : "a\n\"b\u00e9"} "#, "text").unwrap(), "a\n\"bé");
        assert_eq!(get(r#"{"a":{"b":{"c":"deep"}}}"#, "a.b.c").unwrap(), "deep");
        assert_eq!(get(r#"{"a":{"b":"nested"},"a.b":"literal"}"#, "a.b").unwrap(), "literal");
        assert_eq!(get(r#"{"text":"first","text":"last"}"#, "text").unwrap(), "last");
        assert_eq!(get(r#"{"text":"fi\nrst","text":"last"}"#, "text").unwrap(), "last");
        assert_eq!(get(r#"{"\ud800":1,"text":"x\ud800y\udc00\ud83d\ude00"}"#, "text").unwrap(), "x\u{FFFD}y\u{FFFD}😀");
        assert_eq!(get(r#"{"a":[1],"a":{"b":"x"}}"#, "a.b").unwrap(), "x");
    }

    #[test]
    fn says_why_there_is_none() {
        assert_eq!(get(r#"{"id":1}"#, "text").unwrap_err(), "no such field");
        assert_eq!(get(r#"{"a":7}"#, "a.b").unwrap_err(), "no such field");
        assert_eq!(get(r#"{"text":5}"#, "text").unwrap_err(), "it is a number");
        assert_eq!(get(r#"{"text":null}"#, "text").unwrap_err(), "it is null");
        assert_eq!(get(r#"{"text":["a"]}"#, "text").unwrap_err(), "it is an array");
        assert_eq!(get(r#"{"text":{"a":1}}"#, "text").unwrap_err(), "it is an object");
        assert_eq!(get("[1]", "text").unwrap_err(), "the record is an array, no object");
        assert_eq!(get("7", "text").unwrap_err(), "the record is a number, no object");
        for bad in ["{", "{\"text\":\"a\"", "{\"text\":\"a\"} x", "{\"text\":\"\u{1}\"}", "{'text':1}", "{\"text\":\"\\x\"}"] {
            assert!(get(bad, "text").unwrap_err().starts_with("not JSON"), "{bad}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{{\"x\":{}1{},\"text\":\"a\"}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(get(&deep, "text").unwrap(), "a");
        let nested = format!("{}\"a\"{}", "{\"text\":".repeat(100_000), "}".repeat(100_000));
        assert!(get(&nested, "text").is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_a_parsed_value(text in any::<String>(), other in any::<String>(), n in any::<f64>()) {
            let value = serde_json::json!({ "o": { "n": n, "x": other }, "text": text, "z": [other, null] });
            prop_assert_eq!(get(&value.to_string(), "text").unwrap(), text);
            prop_assert_eq!(get(&value.to_string(), "o.x").unwrap(), other);
        }

        #[test]
        fn accepts_what_serde_json_accepts(line in r#"[{}\[\]",:0-9ae+\-.\\utrf ]{0,40}"#) {
            let value: Result<serde_json::Value, _> = serde_json::from_str(&line);
            let got = get(&line, "a");
            match value.ok().filter(|v| v.is_object()) {
                Some(v) => prop_assert_eq!(got.ok(), v.get("a").and_then(|a| a.as_str()).map(str::to_owned)),
                None => prop_assert!(got.is_err()),
            }
        }
    }
}
