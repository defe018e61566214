//! Texts to tokens, by a `tokenizer.json`.

use std::path::Path;
use tamis_store::error::Error;
use tokenizers::Tokenizer;
use tokenizers::utils::truncation::TruncationParams;

/// Longer texts are tried by their beginning first: a tokenizer goes through all of a text, however few tokens are wanted.
const LONG: usize = 1 << 16;
/// Bytes of that beginning for each token that is wanted.
const BYTES: usize = 64;
/// What is behind the cut may change the tokens before it, so many at most.
const MARGIN: usize = 16;

/// A tokenizer.
#[derive(Debug)]
pub struct Tokens {
    /// Cuts and pads nothing.
    whole: Tokenizer,
    /// Cuts to the most tokens, those that mark begin and end included.
    cut: Tokenizer,
    most: usize,
}

impl Tokens {
    /// Reads a `tokenizer.json` for texts of at most `most` tokens. What the file says of truncation and padding is not used.
    ///
    /// # Errors
    /// `ERR_TAMIS_FORMAT`: what is no tokenizer, or `most` is less than the marks of begin and end take.
    pub fn open(path: &Path, most: usize) -> Result<Self, Error> {
        std::fs::metadata(path).map_err(|e| Error::io(path, "open", e))?;
        let bad = |error: tokenizers::Error| Error::format(path, None, format!("is no tokenizer: {error}"));
        Self::new(Tokenizer::from_file(path).map_err(bad)?, most).map_err(bad)
    }

    /// The same of a JSON that is at hand, of the file at `path`.
    ///
    /// # Errors
    /// The same.
    pub fn of_json(path: &Path, json: &serde_json::Value, most: usize) -> Result<Self, Error> {
        let bad = |error: tokenizers::Error| Error::format(path, None, format!("is no tokenizer: {error}"));
        Self::new(Tokenizer::from_bytes(json.to_string()).map_err(bad)?, most).map_err(bad)
    }

    fn new(mut whole: Tokenizer, most: usize) -> tokenizers::Result<Self> {
        whole.with_padding(None);
        whole.with_truncation(None)?;
        let mut cut = whole.clone();
        if most < usize::MAX {
            cut.with_truncation(Some(TruncationParams { max_length: most, ..Default::default() }))?;
        }
        Ok(Tokens { whole, cut, most })
    }

    /// The tokens of a text, with the marks of begin and end that the tokenizer sets, cut to the most.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let bad = |error: tokenizers::Error| Error::range(format!("a text has no tokens: {error}"));
        if let Some(beginning) = self.beginning(text) {
            // Enough tokens before the cut: the rest can be of no use.
            let tokens = self.whole.encode_fast(beginning, true).map_err(bad)?;
            if tokens.len() > self.most + MARGIN {
                return Ok(self.cut.encode_fast(beginning, true).map_err(bad)?.get_ids().to_vec());
            }
        }
        Ok(self.cut.encode_fast(text, true).map_err(bad)?.get_ids().to_vec())
    }

    /// All tokens of a text, with or without the marks of begin and end that the tokenizer sets.
    pub fn encode_with(&self, text: &str, marks: bool) -> Result<Vec<u32>, Error> {
        let bad = |error: tokenizers::Error| Error::range(format!("a text has no tokens: {error}"));
        Ok(self.whole.encode_fast(text, marks).map_err(bad)?.get_ids().to_vec())
    }

    /// The text of tokens; those that mark something are left out.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        self.whole.decode(tokens, true).map_err(|error| Error::range(format!("tokens are no text: {error}")))
    }

    /// What of a long text is tried first: up to a place between words.
    fn beginning<'a>(&self, text: &'a str) -> Option<&'a str> {
        let bytes = self.most.checked_mul(BYTES)?.max(LONG);
        if text.len() <= 2 * bytes {
            return None;
        }
        let end = text.floor_char_boundary(bytes);
        Some(&text[..text[..end].rfind(' ')?])
    }

    /// What a token stands for.
    pub fn name(&self, token: u32) -> Option<String> {
        self.whole.id_to_token(token)
    }

    /// Refuses a tokenizer, of the file or folder at `path`, with tokens that a model of so many does not have.
    ///
    /// # Errors
    /// `ERR_TAMIS_FORMAT`.
    pub fn check_fit(&self, path: &Path, vocabulary: usize) -> Result<(), Error> {
        let tokens = self.whole.get_vocab(true);
        match tokens.iter().max_by_key(|(_, id)| **id) {
            Some((token, &id)) if id as usize >= vocabulary => Err(Error::format(
                path,
                None,
                format!(
                    "its tokenizer has the token {token:?} with the number {id}, its embedding {vocabulary} rows"
                ),
            )),
            _ => Ok(()),
        }
    }
}
