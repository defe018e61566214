//! What one line of output holds.

use super::columns::{Columns, KEY, put};
use super::json;
use arrow_array::RecordBatch;

/// Appends a JSON record as a line: byte for byte, but with the object of added values at its end.
///
/// A member `tamis` that an earlier run added is left out first; only then is the line put together anew from its members,
/// whose values stay byte for byte.
pub(super) fn put_json(raw: &str, extra: Option<(&Columns, usize)>, out: &mut Vec<u8>) -> Result<(), String> {
    let Some((columns, row)) = extra else {
        out.extend_from_slice(raw.as_bytes());
        out.push(b'\n');
        return Ok(());
    };
    let body = raw.trim_end().strip_suffix('}').ok_or("it is not a JSON object")?;
    if memchr::memmem::find(raw.as_bytes(), KEY.as_bytes()).is_some()
        && json::members(raw)?.iter().any(|(key, _)| key == KEY)
    {
        out.push(b'{');
        for (key, value) in json::members(raw)?.iter().filter(|(key, _)| key != KEY) {
            put(out, key);
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
            out.push(b',');
        }
    } else {
        out.extend_from_slice(body.as_bytes());
        if !body.trim_end().ends_with('{') {
            out.push(b',');
        }
    }
    put(out, KEY);
    out.push(b':');
    columns.write_json(row, out);
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// A text as a JSON record: `{"text": ...}` under the text field's name, in objects where that is a dotted path.
pub(super) fn text_as_json(field: &str, text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + field.len() + 16);
    let mut depth = 0;
    for name in field.split('.') {
        out.push(b'{');
        put(&mut out, name);
        out.push(b':');
        depth += 1;
    }
    put(&mut out, text);
    out.resize(out.len() + depth, b'}');
    // Only strings were put together.
    String::from_utf8(out).unwrap_or_default()
}

/// Rows of a table as JSON records, a line each; nulls are left out.
pub(super) fn rows_as_json(rows: &RecordBatch) -> Result<String, String> {
    let mut writer = arrow_json::LineDelimitedWriter::new(Vec::new());
    writer
        .write(rows)
        .and_then(|()| writer.finish())
        .map_err(|e| format!("a row cannot be put as JSON: {e}"))?;
    String::from_utf8(writer.into_inner()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::columns::Values;
    use super::*;

    fn line(raw: &str, with: bool) -> String {
        let mut columns = Columns::default();
        columns.push("w", Values::F64(vec![0.5])).unwrap();
        let mut out = Vec::new();
        put_json(raw, with.then_some((&columns, 0)), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_stays_byte_for_byte_and_gains_one_member() {
        let raw = "  {\"text\" : \"a\\u00e9 \\/\",  \"n\":1.0e+2 }  ";
        assert_eq!(line(raw, false), format!("{raw}\n"));
        assert_eq!(
            line(raw, true),
            "  {\"text\" : \"a\\u00e9 \\/\",  \"n\":1.0e+2 ,\"tamis\":{\"w\":0.5}}\n"
        );
        assert_eq!(line("{ }", true), "{ \"tamis\":{\"w\":0.5}}\n");
        // A mention of the key that is not it.
        let raw = r#"{"text":"tamis","x":{"tamis":1}"#;
        assert_eq!(line(&format!("{raw}}}"), true), format!("{raw},\"tamis\":{{\"w\":0.5}}}}\n"));
    }

    #[test]
    fn values_of_an_earlier_run_are_replaced() {
        let raw = r#"{"text":"a\u0041", "tamis":{"w":7,"old":{"}":1}} , "n":1e2}"#;
        assert_eq!(line(raw, true), "{\"text\":\"a\\u0041\",\"n\":1e2,\"tamis\":{\"w\":0.5}}\n");
    }

    #[test]
    fn texts_become_records() {
        assert_eq!(text_as_json("text", "a\"\n\u{1}é"), "{\"text\":\"a\\\"\\n\\u0001é\"}");
        assert_eq!(text_as_json("a.b.c", "x"), r#"{"a":{"b":{"c":"x"}}}"#);
    }
}
