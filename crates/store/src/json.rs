//! The text of a JSON record, out of its line, without building the rest.
//!
//! The whole line must be one JSON object (RFC 8259). Of equal keys the last counts, as in JavaScript. Escapes of lone
//! surrogates, which JSON allows and UTF-8 cannot hold, become U+FFFD. One pass, no recursion but along the field's path, no
//! allocation once the scratch is warm; a text without escapes is borrowed from the line.

mod scan;

pub(crate) use scan::replace_surrogates;

use scan::{Fault, Literal, Scanner};

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

/// What stands where the text should be.
#[derive(Clone, Copy)]
enum Found {
    Nothing,
    /// A string, whose text is in the scratch if it had escapes.
    Text(Literal),
    /// Something else: what that is, and where it starts and ends.
    Other(&'static str, usize, usize),
}

/// The text at `path` of the object on `line`, or why there is none. `scratch` holds a text that had escapes.
pub fn text_of<'a>(line: &'a str, path: &FieldPath, scratch: &'a mut Vec<u8>) -> Result<&'a str, String> {
    let scanner = Scanner::new(line);
    let mut search = Search { scanner, path, literal: Found::Nothing, nested: Found::Nothing, scratch };
    match search.found_in_record()? {
        Found::Nothing => Err("no such field".into()),
        Found::Other(kind, ..) => Err(format!("it is {kind}")),
        // The one string of a plain path was unescaped as it was passed; which of two of a dotted one counts shows at the end.
        Found::Text(literal) if path.parts.len() > 1 => literal.text(line, search.scratch),
        Found::Text(literal) if literal.is_escaped() => {
            simdutf8::basic::from_utf8(search.scratch).map_err(|e| e.to_string())
        }
        Found::Text(literal) => Ok(literal.raw(line)),
    }
}

/// Appends the numbers at `path` of the object on `line`, an array of them or a single one, as `JSON.parse` reads them; or says why
/// there are none.
pub fn numbers_of(line: &str, path: &FieldPath, out: &mut Vec<f64>) -> Result<(), String> {
    let (scanner, scratch) = (Scanner::new(line), &mut Vec::new());
    let mut search = Search { scanner, path, literal: Found::Nothing, nested: Found::Nothing, scratch };
    let (kind, value) = match search.found_in_record()? {
        Found::Nothing => return Err("no such field".into()),
        Found::Text(_) => return Err("it is a string".into()),
        Found::Other(kind, start, end) => (kind, &line[start..end]),
    };
    let items = match kind {
        "a number" => value,
        "an array" => value[1..value.len() - 1].trim(),
        kind => return Err(format!("it is {kind}")),
    };
    if items.is_empty() {
        return Ok(());
    }
    let start = out.len();
    for item in items.split(',') {
        // The words that Rust takes for numbers are no JSON.
        let Ok(number) = item.trim().parse() else {
            out.truncate(start);
            return Err("it is an array of other things than numbers".into());
        };
        out.push(number);
    }
    Ok(())
}

struct Search<'a, 'p> {
    scanner: Scanner<'a>,
    path: &'p FieldPath,
    /// At the key that is the whole path, dots and all.
    literal: Found,
    /// At the end of the path.
    nested: Found,
    scratch: &'a mut Vec<u8>,
}

impl Search<'_, '_> {
    /// What stands at the path, of two places the key that is the whole path; or why the line is no record.
    fn found_in_record(&mut self) -> Result<Found, String> {
        self.record().map_err(|fault| match fault {
            Fault::NotJson { expected, at } => format!("not JSON: expected {expected} at column {}", at + 1),
            Fault::NoObject(kind) => format!("the record is {kind}, no object"),
        })?;
        Ok(match self.literal {
            Found::Nothing => self.nested,
            found => found,
        })
    }

    fn record(&mut self) -> Result<(), Fault> {
        self.scanner.space();
        let kind = self.scanner.kind();
        if kind == "an object" {
            self.object(0)?;
        } else {
            self.scanner.value()?;
        }
        self.scanner.space();
        self.scanner.end()?;
        if kind == "an object" { Ok(()) } else { Err(Fault::NoObject(kind)) }
    }

    /// Reads an object that lies `depth` parts down the path.
    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        let is_last = depth + 1 == self.path.parts.len();
        let mut more = self.scanner.open_object()?;
        while more {
            let key = self.scanner.key()?;
            let is = |name: &str| key.is(self.scanner.line(), name);
            if depth == 0 && !is_last && is(&self.path.whole) {
                self.literal = self.found()?;
            } else if !is(&self.path.parts[depth]) {
                self.scanner.value()?;
            } else if is_last {
                self.nested = self.found()?;
            } else {
                self.nested = Found::Nothing;
                if self.scanner.kind() == "an object" {
                    self.object(depth + 1)?
                } else {
                    self.scanner.value()?
                }
            }
            more = self.scanner.more(b'}')?;
        }
        Ok(())
    }

    fn found(&mut self) -> Result<Found, Fault> {
        match self.scanner.kind() {
            "a string" if self.path.parts.len() == 1 => self.scanner.text(self.scratch).map(Found::Text),
            "a string" => self.scanner.string().map(Found::Text),
            kind => {
                let start = self.scanner.at();
                self.scanner.value().map(|()| Found::Other(kind, start, self.scanner.at()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::Value;

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
        assert_eq!(
            get(r#"{"\ud800":1,"text":"x\ud800y\udc00\ud83d\ude00"}"#, "text").unwrap(),
            "x\u{FFFD}y\u{FFFD}😀"
        );
        assert_eq!(get(r#"{"a":[1],"a":{"b":"x"}}"#, "a.b").unwrap(), "x");
        assert_eq!(get(r#"{"text":5,"te\u0078t":"last"}"#, "text").unwrap(), "last");
        assert_eq!(get(r#"{"a":{"b":"first"},"a":{"c":1}}"#, "a.b").unwrap_err(), "no such field");
        assert_eq!(
            get(r#"{"text":"\ud83d\ud83d\ude00\u0041\ud800"}"#, "text").unwrap(),
            "\u{FFFD}😀A\u{FFFD}"
        );
        let all = r#"{"text":"\"\\\/\b\f\n\r\t\u00e9\u20AC"}"#;
        assert_eq!(get(all, "text").unwrap(), "\"\\/\u{8}\u{c}\n\r\té€");
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
        for bad in [
            "{",
            "{\"text\":\"a\"",
            "{\"text\":\"a\"} x",
            "{\"text\":\"\u{1}\"}",
            "{'text':1}",
            "{\"text\":\"\\x\"}",
        ] {
            assert!(get(bad, "text").unwrap_err().starts_with("not JSON"), "{bad}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_field() {
        let get = |line: &str, path: &str| {
            let mut out = vec![7.0];
            let got = numbers_of(line, &FieldPath::new(path), &mut out);
            assert_eq!(out[0], 7.0);
            assert!(got.is_ok() || out.len() == 1);
            got.map(|()| out.split_off(1))
        };
        assert_eq!(get(r#"{"v":[1, -2.5e-3 ,0.1],"t":"x"}"#, "v").unwrap(), [1.0, -0.0025, 0.1]);
        assert!(get(r#"{"a":{"v":[ ]}}"#, "a.v").unwrap().is_empty());
        assert_eq!(get(r#"{"v":4,"v":5}"#, "v").unwrap(), [5.0]);
        assert_eq!(get(r#"{"v":[1e999]}"#, "v").unwrap(), [f64::INFINITY]);
        assert_eq!(get(r#"{"v":"1"}"#, "v").unwrap_err(), "it is a string");
        assert_eq!(get(r#"{"v":null}"#, "v").unwrap_err(), "it is null");
        assert_eq!(get(r#"{"w":1}"#, "v").unwrap_err(), "no such field");
        for other in [r#"{"v":[1,"2"]}"#, r#"{"v":[[1,2]]}"#, r#"{"v":[1,null]}"#, r#"{"v":[true]}"#] {
            assert!(get(other, "v").unwrap_err().contains("other things"), "{other}");
        }
        assert!(get(r#"{"v":[1,]}"#, "v").unwrap_err().starts_with("not JSON"));
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
        fn accepts_what_serde_json_accepts(line in r#"[{}\[\]",:0-9ae+\-.\\utrfnls \x01\t]{0,40}"#) {
            agrees_with_serde_json(&line)?;
        }

        #[test]
        fn agrees_on_json_with_a_slip(
            value in record(),
            slips in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, r#"[{}\[\]",:0-9eEu+\-.\\n é\x00-\x1f]"#), 0..3),
        ) {
            let mut line: Vec<char> = value.to_string().chars().collect();
            for (at, kind, with) in slips {
                let at = at.index(line.len());
                let with = with.chars().next().unwrap();
                match kind {
                    0 => line.insert(at, with),
                    1 if line.len() > 1 => drop(line.remove(at)),
                    _ => line[at] = with,
                }
            }
            agrees_with_serde_json(&line.into_iter().collect::<String>())?;
        }
    }

    fn record() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(?s).*".prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(4, 30, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[abc]{0,2}|.", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[abc]", value, 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    fn agrees_with_serde_json(line: &str) -> Result<(), TestCaseError> {
        let is_json = serde_json::from_str::<IgnoredAny>(line).is_ok();
        let is_record = is_json && line.trim_start().starts_with('{');
        let got = get(line, "a");
        let message = got.as_ref().err().map_or("", String::as_str);
        prop_assert_eq!(message.starts_with("not JSON"), !is_json, "{} {}", line, message);
        prop_assert_eq!(message.contains("no object"), is_json && !is_record, "{} {}", line, message);
        // A value refuses some JSON: lone surrogates, numbers that are too large.
        if let (true, Ok(value)) = (is_record, serde_json::from_str::<Value>(line)) {
            prop_assert_eq!(got.ok(), value.get("a").and_then(|a| a.as_str()).map(str::to_owned), "{}", line);
        }
        Ok(())
    }
}
