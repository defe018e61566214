//! Conversations as a model was trained on them, by its template of Jinja.

use crate::causal::CausalLm;
use minijinja::{Environment, ErrorKind, context};
use serde::Serialize;
use tamis_store::error::Error;

/// A turn of a conversation.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    pub role: String,
    pub content: String,
}

/// A conversation's text, to be tokenised without further marks; with `answer` up to where the model's turn begins.
///
/// # Errors
/// `ERR_TAMIS_RANGE` if the model has no template, or its template refuses the conversation, in its words.
pub fn render(model: &CausalLm, messages: &[Message], answer: bool) -> Result<String, Error> {
    let Some(template) = model.template() else {
        return Err(Error::range(
            "the model has no template of conversations (chat_template): give it plain text",
        ));
    };
    let name = |token: Option<u32>| token.and_then(|token| model.tokens().name(token)).unwrap_or_default();
    let (begin, end) = (name(model.begin()), name(model.ends().first().copied()));
    fill(template, messages, answer, &begin, &end)
}

fn fill(
    template: &str,
    messages: &[Message],
    answer: bool,
    bos_token: &str,
    eos_token: &str,
) -> Result<String, Error> {
    let mut jinja = Environment::new();
    // As the templates are written for: Python's methods of strings, and lines of statements leave nothing.
    jinja.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    jinja.set_trim_blocks(true);
    jinja.set_lstrip_blocks(true);
    jinja.add_function("raise_exception", |why: String| -> Result<String, minijinja::Error> {
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, why))
    });
    let values = context! { messages, add_generation_prompt => answer, bos_token, eos_token };
    jinja
        .render_str(template, values)
        .map_err(|error| Error::range(format!("messages do not fit the model's chat_template: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(role: &str, content: &str) -> Message {
        Message { role: role.into(), content: content.into() }
    }

    #[test]
    fn a_template_is_filled_and_may_refuse() {
        let template = "{% for m in messages %}\n{% if m['role'] == 'tool' %}{{ raise_exception('no tools') }}{% endif %}\n{{ bos_token }}{{ m.role.upper() }}: {{ m['content'].strip() }}\n{% endfor %}\n{% if add_generation_prompt %}>{% endif %}";
        let got = fill(template, &[turn("user", " hi "), turn("bot", "ho")], true, "<s>", "</s>");
        assert_eq!(got.unwrap(), "<s>USER: hi\n<s>BOT: ho\n>");
        let error = fill(template, &[turn("tool", "")], false, "", "").unwrap_err();
        assert!(error.to_string().contains("no tools"), "{error}");
    }
}
