//! The header: parsed without trust, written to the byte.

use super::Dtype;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// The longest header that is read: the limit of the format's own library.
pub const MAX_HEADER: u64 = 100_000_000;

const METADATA: &str = "__metadata__";

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    /// The first byte, counted from the end of the header.
    pub begin: u64,
    /// Behind the last byte.
    pub end: u64,
}

impl Entry {
    /// Bytes of the tensor.
    pub fn bytes(&self) -> u64 {
        self.end - self.begin
    }

    /// Items of the tensor.
    pub fn items(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// In the file's order.
    pub metadata: Vec<(String, String)>,
    /// By name, in the order of their UTF-8 bytes.
    pub entries: Vec<Entry>,
}

impl Header {
    /// Reads a header before `data` bytes of tensors.
    ///
    /// # Errors
    /// Why it is none, for the end of a sentence.
    pub fn parse(json: &[u8], data: u64) -> Result<Self, String> {
        if json.first() != Some(&b'{') {
            return Err("its header does not begin with {".into());
        }
        let Members { metadata, entries } =
            serde_json::from_slice(json).map_err(|error| format!("its header is damaged: {error}"))?;
        let mut entries =
            entries.into_iter().map(|(name, raw)| raw.check(name)).collect::<Result<Vec<Entry>, String>>()?;
        entries.sort_by_key(|a| (a.begin, a.end));
        let mut end = 0;
        for entry in &entries {
            if entry.begin != end {
                let what =
                    if entry.begin < end { "overlaps what is before it" } else { "has a hole before it" };
                return Err(format!("the tensor {:?} {what}", entry.name));
            }
            end = entry.end;
        }
        if end != data {
            return Err(format!("its tensors take {end} bytes, but {data} follow the header"));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Header { metadata, entries })
    }

    /// The tensor of that name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()?;
        Some(&self.entries[at])
    }

    /// The metadata under a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// The first bytes of a file: the header's length and the header, in the order given, without white space, padded with
/// spaces to a multiple of eight. Without metadata there is no `__metadata__`.
pub fn encode_header(metadata: &[(String, String)], entries: &[Entry]) -> Vec<u8> {
    let text = |s: &str| serde_json::to_string(s).expect("a string is JSON");
    let mut members = Vec::with_capacity(entries.len() + 1);
    if !metadata.is_empty() {
        let pairs: Vec<String> =
            metadata.iter().map(|(key, value)| format!("{}:{}", text(key), text(value))).collect();
        members.push(format!("\"{METADATA}\":{{{}}}", pairs.join(",")));
    }
    for Entry { name, dtype, shape, begin, end } in entries {
        let sides: Vec<String> = shape.iter().map(u64::to_string).collect();
        members.push(format!(
            "{}:{{\"dtype\":\"{dtype}\",\"shape\":[{}],\"data_offsets\":[{begin},{end}]}}",
            text(name),
            sides.join(",")
        ));
    }
    let mut json = format!("{{{}}}", members.join(",")).into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&json);
    bytes
}

/// A tensor as the header writes it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Raw {
    fn check(self, name: String) -> Result<Entry, String> {
        let Raw { dtype, shape, data_offsets: (begin, end) } = self;
        let Some(dtype) = Dtype::parse(&dtype) else {
            return Err(format!("the tensor {name:?} has the unknown type {dtype:?}"));
        };
        if begin > end || dtype.bytes(&shape) != Some(end - begin) {
            return Err(format!(
                "the tensor {name:?} of type {dtype} and shape {shape:?} does not fit its data_offsets [{begin}, {end}]"
            ));
        }
        Ok(Entry { name, dtype, shape, begin, end })
    }
}

/// The header's members, in its order.
struct Members {
    metadata: Vec<(String, String)>,
    entries: Vec<(String, Raw)>,
}

impl<'de> de::Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members { metadata: Vec::new(), entries: Vec::new() };
                let mut seen = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(de::Error::custom(format_args!("it names {name:?} twice")));
                    }
                    if name == METADATA {
                        members.metadata = map.next_value::<Strings>()?.0;
                    } else {
                        members.entries.push((name, map.next_value()?));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A flat object of strings, in its order; a name twice is an error.
pub(crate) struct Strings(pub(crate) Vec<(String, String)>);

impl<'de> de::Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
                let mut pairs = Vec::new();
                let mut seen = HashSet::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if !seen.insert(key.clone()) {
                        return Err(de::Error::custom(format_args!("it names {key:?} twice")));
                    }
                    pairs.push((key, value));
                }
                Ok(Strings(pairs))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
