//! JSON taken apart one level at a time, each value left as the text that it is.

use crate::json::replace_surrogates;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The members of an object in their order, doubles included.
pub(super) fn members(object: &str) -> Result<Vec<(Cow<'_, str>, &str)>, String> {
    let mut reader = serde_json::Deserializer::from_str(object);
    let members = reader.deserialize_map(Members).and_then(|members| reader.end().map(|()| members));
    members.map_err(|error| error.to_string())
}

/// The items of a list.
pub(super) fn items(list: &str) -> Result<Vec<&str>, String> {
    let items: Vec<&RawValue> = serde_json::from_str(list).map_err(|error| error.to_string())?;
    Ok(items.into_iter().map(RawValue::get).collect())
}

/// The string that a JSON string stands for; halves of surrogate pairs become U+FFFD.
pub(super) fn string(literal: &str) -> Result<Cow<'_, str>, String> {
    serde_json::from_str::<Text>(literal).map(|text| text.0).map_err(|error| error.to_string())
}

/// A string, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
                std::str::from_utf8(bytes).map(|text| Text(Cow::Borrowed(text))).map_err(E::custom)
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
                let mut bytes = bytes.to_vec();
                if std::str::from_utf8(&bytes).is_err() {
                    replace_surrogates(&mut bytes);
                }
                String::from_utf8(bytes).map(|text| Text(Cow::Owned(text))).map_err(E::custom)
            }
        }

        // As bytes: JSON may escape half a surrogate pair, which no string holds.
        json.deserialize_bytes(Bytes)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            members.push((key, value.get()));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_level_is_taken_apart() {
        let object = " { \"a\" : [1, 2] , \"\\u0062\": {\"c\":null}, \"a\":\"\\ud800\" } ";
        let found = members(object).unwrap();
        let expected = [("a", "[1, 2]"), ("b", "{\"c\":null}"), ("a", "\"\\ud800\"")];
        assert_eq!(found.iter().map(|(key, value)| (&**key, *value)).collect::<Vec<_>>(), expected);
        assert_eq!(items("[1, [2,3] ,\"x\"]").unwrap(), ["1", "[2,3]", "\"x\""]);
        for wrong in ["", "[]", "{", "{} x", "{\"a\"}", "{'a':1}"] {
            assert!(members(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn half_pairs_are_replaced_and_nothing_else() {
        for (literal, text) in [
            (r#""plain""#, "plain"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""a\ud800b""#, "a\u{fffd}b"),
            (r#""\udc00\ud83d\ude00\ud83d""#, "\u{fffd}😀\u{fffd}"),
            (r#""\\ud800 \ud800""#, "\\ud800 \u{fffd}"),
            (r#""\ud800\n\u0041é\"""#, "\u{fffd}\nAé\""),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
        ] {
            assert_eq!(string(literal).unwrap(), text, "{literal}");
        }
        for wrong in ["1", "\"", "\"\\x\"", "\"\\ud8\"", "\"\\ud800\\u12é\"", "\"\\é\""] {
            assert!(string(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn strings_come_back(text in "(?s).*") {
            let literal = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(string(&literal).unwrap(), text);
        }

        #[test]
        fn nothing_panics(text in "[\"\\\\ud8cDn0é\\[\\]{}:,]*") {
            let _ = (string(&text), members(&text), items(&text));
        }
    }
}
