//! What a model's `config.json` says that matters for its weights: which tensors are one, and of what type they are.

use super::read_bounded;
use crate::error::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const NAME: &str = "config.json";
const MAX_BYTES: u64 = 100_000_000;

/// A configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `tie_word_embeddings`, of the model or of its text part: whether input and output embedding are one tensor.
    pub tie_word_embeddings: Option<bool>,
    /// `is_encoder_decoder`: both halves then read one embedding where there is a shared one.
    pub is_encoder_decoder: bool,
}

impl Config {
    /// The `config.json` of a folder, if there is one.
    pub fn in_folder(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(NAME);
        if !path.is_file() {
            return Ok(None);
        }
        let value: Value = serde_json::from_slice(&read_bounded(&path, MAX_BYTES)?)
            .map_err(|error| Error::format(&path, None, format!("is no JSON: {error}")))?;
        let text = value.get("text_config");
        let flag = |name: &str| {
            [Some(&value), text].into_iter().flatten().find_map(|part| part.get(name)?.as_bool())
        };
        Ok(Some(Config {
            tie_word_embeddings: flag("tie_word_embeddings"),
            is_encoder_decoder: flag("is_encoder_decoder").unwrap_or(false),
        }))
    }

    /// The `config.json` beside a file, if there is one.
    pub fn beside(file: &Path) -> Result<Option<Self>, Error> {
        Self::in_folder(file.parent().unwrap_or(Path::new("")))
    }
}

/// Endings of the names of output embeddings, and of input embeddings.
const HEADS: [&str; 5] = [
    "lm_head.weight",
    "embed_out.weight",
    "lm_head.decoder.weight",
    "cls.predictions.decoder.weight",
    "generator_lm_head.weight",
];
const EMBEDDINGS: [&str; 6] = [
    "embed_tokens.weight",
    "wte.weight",
    "embed_in.weight",
    "word_embeddings.weight",
    "tok_embeddings.weight",
    "embed.weight",
];
const SHARED: &str = "shared.weight";
const HALVES: [&str; 2] = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];

/// Whether a name is `ending`, or ends in it behind a dot.
fn ends_in(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Tensors that are copies of another one, by the configuration: copy to original.
///
/// `tensors` are the names of all, with their shapes. A copy has the shape of its original.
///
/// # Errors
/// Why it cannot be told, for the end of a sentence: several tensors could be the original.
pub fn tied_copies(
    config: &Config,
    tensors: &BTreeMap<String, Vec<u64>>,
) -> Result<BTreeMap<String, String>, String> {
    let matching = |endings: &[&str]| -> Vec<&String> {
        tensors.keys().filter(|name| endings.iter().any(|ending| ends_in(name, ending))).collect()
    };
    let tie = config.tie_word_embeddings == Some(true);
    let shared = matching(&[SHARED]);
    let mut copies = Vec::new();
    if config.is_encoder_decoder && !shared.is_empty() {
        copies.extend(matching(&HALVES));
    }
    if tie {
        copies.extend(matching(&HEADS));
    }
    let originals = if shared.is_empty() { matching(&EMBEDDINGS) } else { shared };
    let mut tied = BTreeMap::new();
    for copy in copies {
        let like: Vec<&&String> = originals.iter().filter(|name| tensors[**name] == tensors[copy]).collect();
        match like.as_slice() {
            [] => {}
            [original] => {
                tied.insert(copy.clone(), (**original).clone());
            }
            [a, b, ..] => {
                return Err(format!(
                    "{copy:?} is tied by config.json (tie_word_embeddings), but to {a:?} or to {b:?}? Say so with --tied COPY=ORIGINAL (tied)"
                ));
            }
        }
    }
    Ok(tied)
}

/// The configuration's text with its type of weights replaced: `torch_dtype` and `dtype`, at the top and in its parts,
/// where they are strings. Everything else stays as it is, to the byte.
pub fn with_dtype(text: &str, dtype: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, value)) = next_dtype(rest) {
        out.push_str(&rest[..at]);
        out.push('"');
        out.push_str(dtype);
        out.push('"');
        rest = &rest[at + value..];
    }
    out.push_str(rest);
    out
}

/// Where the next string value of a member `torch_dtype` or `dtype` begins, and its length with the quotes.
fn next_dtype(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'"' {
            at += 1;
            continue;
        }
        let end = string_end(bytes, at)?;
        let name = &text[at..end];
        at = end;
        if name != "\"torch_dtype\"" && name != "\"dtype\"" {
            continue;
        }
        let colon = skip_space(bytes, at);
        if bytes.get(colon) != Some(&b':') {
            continue;
        }
        let value = skip_space(bytes, colon + 1);
        if bytes.get(value) == Some(&b'"') {
            return Some((value, string_end(bytes, value)? - value));
        }
    }
    None
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Behind the closing quote of the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        match bytes.get(end)? {
            b'\\' => end += 2,
            b'"' => return Some(end + 1),
            _ => end += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors(names: &[(&str, [u64; 2])]) -> BTreeMap<String, Vec<u64>> {
        names.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
    }

    const TIED: Config = Config { tie_word_embeddings: Some(true), is_encoder_decoder: false };

    #[test]
    fn a_head_is_tied_to_the_embedding_of_its_shape() {
        let all = tensors(&[
            ("lm_head.weight", [9, 4]),
            ("model.embed_tokens.weight", [9, 4]),
            ("vision.embed_tokens.weight", [7, 4]),
            ("my_lm_head.weight", [9, 4]),
        ]);
        let tied = tied_copies(&TIED, &all).unwrap();
        assert_eq!(tied, BTreeMap::from([("lm_head.weight".into(), "model.embed_tokens.weight".into())]));
        for says in [None, Some(false)] {
            let config = Config { tie_word_embeddings: says, ..TIED };
            assert_eq!(tied_copies(&config, &all), Ok(BTreeMap::new()));
        }
        let other = tensors(&[("lm_head.weight", [9, 5]), ("model.embed_tokens.weight", [9, 4])]);
        assert_eq!(tied_copies(&TIED, &other), Ok(BTreeMap::new()));
    }

    #[test]
    fn halves_read_the_shared_embedding() {
        let all = tensors(&[
            ("shared.weight", [9, 4]),
            ("encoder.embed_tokens.weight", [9, 4]),
            ("decoder.embed_tokens.weight", [9, 4]),
            ("lm_head.weight", [9, 4]),
        ]);
        let config = |tie| Config { tie_word_embeddings: tie, is_encoder_decoder: true };
        assert_eq!(tied_copies(&config(Some(true)), &all).unwrap().len(), 3);
        let tied = tied_copies(&config(Some(false)), &all).unwrap();
        assert!(tied.len() == 2 && tied.values().all(|name| name == "shared.weight"));
    }

    #[test]
    fn what_cannot_be_told_is_asked_for() {
        let all = tensors(&[("lm_head.weight", [9, 4]), ("a.wte.weight", [9, 4]), ("b.wte.weight", [9, 4])]);
        let error = tied_copies(&TIED, &all).unwrap_err();
        assert!(
            error.contains("\"a.wte.weight\" or to \"b.wte.weight\"") && error.contains("--tied"),
            "{error}"
        );
    }

    #[test]
    fn only_the_type_of_a_configuration_changes() {
        let text = r#"{ "torch_dtype" : "float32", "a": "dtype", "dtype":null, "b\"": ["torch_dtype", "x"],
  "text_config": {"dtype":"auto"} }"#;
        let want = r#"{ "torch_dtype" : "bfloat16", "a": "dtype", "dtype":null, "b\"": ["torch_dtype", "x"],
  "text_config": {"dtype":"bfloat16"} }"#;
        assert_eq!(with_dtype(text, "bfloat16"), want);
        for damaged in ["{\"dtype\":\"", "{\"dtype\"", "\"\\", "", "{\"dtype\": \"x\\"] {
            assert_eq!(with_dtype(damaged, "float16"), damaged);
        }
    }
}
