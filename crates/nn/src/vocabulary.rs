//! The tokenizer of a GGUF file as a `tokenizer.json`.

use serde_json::{Value, json};
use tamis_store::error::Error;
use tamis_store::gguf::Gguf;

/// Token types of GGUF.
const CONTROL: f64 = 3.0;
const USER: f64 = 4.0;

/// Words of GPT-2 and its followers, digit by digit or in threes, as Llama 3 and Qwen 2 cut them.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn bytes(use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex })
}

/// How texts are cut into words, by `tokenizer.ggml.pre`.
fn words(name: &str) -> Option<Value> {
    let split = |pattern: &str| {
        json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false },
            bytes(false),
        ] })
    };
    match name {
        "gpt-2" | "gpt2" => Some(bytes(true)),
        "smollm" => Some(json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Digits", "individual_digits": true },
            bytes(true),
        ] })),
        "llama-bpe" | "llama3" | "llama-v3" => Some(split(LLAMA3)),
        "qwen2" => Some(split(QWEN2)),
        _ => None,
    }
}

/// The `tokenizer.json` of a file.
///
/// # Errors
/// `ERR_TAMIS_FORMAT`: another kind of tokenizer or of words, by its name; metadata that are missing or do not fit each other.
pub fn tokenizer(file: &Gguf) -> Result<Value, Error> {
    let bad = |message: String| Error::format(file.path(), None, message);
    let kind = file.text("tokenizer.ggml.model").unwrap_or_default();
    if kind != "gpt2" {
        return Err(bad(format!("tokenizer.ggml.model is {kind:?}: gpt2, pairs of bytes, is read")));
    }
    let name = file.text("tokenizer.ggml.pre").unwrap_or_default();
    let Some(words) = words(name) else {
        return Err(bad(format!(
            "tokenizer.ggml.pre is {name:?}: gpt-2, smollm, llama-bpe and qwen2 are read"
        )));
    };
    let texts = |key: &str| file.texts(key).ok_or_else(|| bad(format!("{key} must be an array of strings")));
    let tokens = texts("tokenizer.ggml.tokens")?;
    let types = file.numbers("tokenizer.ggml.token_type");
    if types.is_some_and(|types| types.len() != tokens.len()) {
        return Err(bad("tokenizer.ggml.token_type must have a number for each token".into()));
    }
    let kind_of = |at: usize| types.and_then(|types| types.get(at)?.as_float());
    let mut vocabulary = serde_json::Map::new();
    let mut added = Vec::new();
    for (id, token) in tokens.iter().enumerate() {
        let kind = kind_of(id);
        if kind == Some(CONTROL) || kind == Some(USER) {
            added.push(json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": kind == Some(CONTROL),
            }));
        }
        if vocabulary.insert(token.to_owned(), id.into()).is_some() {
            return Err(bad(format!("tokenizer.ggml.tokens names {token:?} twice")));
        }
    }
    let merges: Vec<Value> = texts("tokenizer.ggml.merges")?
        .iter()
        .map(|merge| {
            let (a, b) = merge.split_once(' ').ok_or_else(|| bad(format!("{merge:?} merges no pair")))?;
            Ok(json!([a, b]))
        })
        .collect::<Result<_, Error>>()?;
    let begin = match file.boolean("tokenizer.ggml.add_bos_token") {
        Some(true) => {
            let id = file.unsigned("tokenizer.ggml.bos_token_id").unwrap_or(u64::MAX);
            let token = usize::try_from(id).ok().and_then(|id| tokens.get(id));
            let token = token.ok_or_else(|| bad("tokenizer.ggml.bos_token_id must be a token".into()))?;
            Some((id, token.to_owned()))
        }
        _ => None,
    };
    let after = match begin {
        None => bytes(true),
        Some((id, token)) => json!({
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": token, "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { token.clone(): { "id": token, "ids": [id], "tokens": [token] } },
        }),
    };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": if name == "qwen2" { json!({ "type": "NFC" }) } else { Value::Null },
        "pre_tokenizer": words, "post_processor": after, "decoder": bytes(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            // Words of Llama 3's vocabulary are tokens even where merges lead elsewhere.
            "ignore_merges": name.starts_with("llama"), "vocab": vocabulary, "merges": merges,
        },
    }))
}

/// The `tokenizer_config.json` of a file, whose model has so many positions.
pub fn about(file: &Gguf, positions: usize) -> Value {
    let tokens = file.texts("tokenizer.ggml.tokens");
    let token = |name: &str| {
        let id = file.unsigned(&format!("tokenizer.ggml.{name}_token_id"))?;
        tokens?.get(usize::try_from(id).ok()?).map(str::to_owned)
    };
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": positions,
        "clean_up_tokenization_spaces": false, "bos_token": token("bos"), "eos_token": token("eos"),
        "unk_token": token("unknown"), "pad_token": token("padding"),
        "chat_template": file.text("tokenizer.chat_template"),
    })
}
