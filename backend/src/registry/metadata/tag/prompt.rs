//! Prompt templates: what the versions of a prompt have instead of files. MLflow's clients keep them in tags, as
//! `mlflow/prompt/constants.py` of MLflow 3.17 names them.

use async_graphql::{ComplexObject, SimpleObject};
use serde_json::Value;

use super::{Tag, find};
use crate::change::Change;
use crate::error::{Error, Result};
use crate::registry::target::{Target, TargetId};

/// On a model and its versions: `true` for a prompt.
pub const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";
/// The template: a text, or the JSON of a chat's messages.
pub const TEXT_TAG: &str = "mlflow.prompt.text";
/// `text` or `chat`.
pub const TYPE_TAG: &str = "_mlflow_prompt_type";
const RESPONSE_FORMAT_TAG: &str = "_mlflow_prompt_response_format";
const MODEL_CONFIG_TAG: &str = "_mlflow_prompt_model_config";

/// The template of a prompt's version.
#[derive(Debug, PartialEq, Eq, SimpleObject)]
#[graphql(complex)]
pub struct PromptTemplate {
    /// The text, with variables such as `{{name}}`; of a chat, its messages as JSON.
    pub text: String,
    /// The messages of a chat; null if it is a text.
    pub messages: Option<Vec<PromptMessage>>,
    /// The names of its variables, in the order of their first use.
    pub variables: Vec<String>,
    /// The JSON schema of the answers that it asks for; null if there is none.
    pub response_format: Option<String>,
    /// The settings of the language model that it was written for, as JSON; null if there are none.
    pub model_config: Option<String>,
}

/// One message of a chat.
#[derive(Debug, PartialEq, Eq, SimpleObject)]
pub struct PromptMessage {
    /// Who says it, such as `system`, `user` or `assistant`.
    pub role: String,
    /// What is said, with variables such as `{{name}}`; as JSON if it is not plain text.
    pub content: String,
}

impl PromptTemplate {
    /// What the tags of a version say; none if it is no prompt.
    pub fn of(tags: &[Tag]) -> Option<Self> {
        let value = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone());
        if value(PROMPT_TAG)? != "true" {
            return None;
        }
        let text = value(TEXT_TAG)?;
        let is_chat = value(TYPE_TAG).is_some_and(|kind| kind == "chat");
        Some(Self {
            messages: is_chat.then(|| messages(&text)).flatten(),
            variables: variables(&text),
            response_format: value(RESPONSE_FORMAT_TAG),
            model_config: value(MODEL_CONFIG_TAG),
            text,
        })
    }
}

/// Refuses to change what makes up the template of a published version: it is to a prompt what files are to a model. To be
/// called when the version is locked.
pub async fn check_sealed(
    change: &mut Change,
    target: &Target,
    key: &str,
    value: Option<&str>,
) -> Result<()> {
    if ![PROMPT_TAG, TEXT_TAG, TYPE_TAG, RESPONSE_FORMAT_TAG].contains(&key)
        || !matches!(target.id, TargetId::Version(_))
        || !target.lock_files(change).await?
    {
        return Ok(());
    }
    let before = find(&mut **change, target.id(), key).await?;
    if before.as_ref().map(|tag| tag.value.as_str()) == value {
        return Ok(());
    }
    Err(Error::Conflict(
        "The template of a published prompt version can't be changed. Register a new version."
            .into(),
    ))
}

/// The messages in the JSON of a chat; none if it is something else.
fn messages(text: &str) -> Option<Vec<PromptMessage>> {
    let message = |message: &Value| {
        let content = match &message["content"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(PromptMessage { role: message["role"].as_str()?.to_owned(), content })
    };
    serde_json::from_str::<Vec<Value>>(text).ok()?.iter().map(message).collect()
}

/// The names between `{{` and `}}`: words, which may be joined by dots.
fn variables(text: &str) -> Vec<String> {
    let mut found = Vec::<String>::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        // Of three braces the last two may be those of a variable.
        let after = after.trim_start_matches('{');
        let name = after.split_once("}}").map_or("", |(name, _)| name.trim());
        if name.split('.').all(is_word) && !found.iter().any(|other| other == name) {
            found.push(name.to_owned());
        }
        rest = after;
    }
    found
}

/// How many characters of a template a list shows.
const BEGINNING: usize = 160;

#[ComplexObject]
impl PromptTemplate {
    /// What it begins with, on one line: at most 160 characters, of a chat of its first message.
    async fn beginning(&self) -> String {
        let first = self.messages.as_ref().and_then(|messages| messages.first());
        let text = first.map_or(&self.text, |message| &message.content);
        let mut beginning = String::new();
        for word in text.split_whitespace() {
            if !beginning.is_empty() {
                beginning.push(' ');
            }
            beginning.extend(word.chars().take(BEGINNING));
            if beginning.chars().count() >= BEGINNING {
                break;
            }
        }
        beginning.chars().take(BEGINNING).collect()
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tags: &[(&str, &str)]) -> Option<PromptTemplate> {
        let tag = |(key, value): &(&str, &str)| Tag { key: (*key).into(), value: (*value).into() };
        let tags = tags.iter().chain(&[(PROMPT_TAG, "true")]).map(tag);
        PromptTemplate::of(&tags.collect::<Vec<_>>())
    }

    #[test]
    fn a_template_is_what_the_tags_say() {
        assert_eq!(of(&[("team", "ocr")]), None);
        let text = of(&[(TEXT_TAG, "{{ a }} {{a.b}} {{1}} {{a}} {{b c}} {{{d}}} {{")]).unwrap();
        assert_eq!(text.variables, ["a", "a.b", "d"]);
        assert_eq!((text.messages, text.response_format), (None, None));
        let chat = r#"[{"role": "system", "content": "Be {{style}}."},
                       {"role": "user", "content": [{"type": "image"}]}]"#;
        let chat = of(&[(TYPE_TAG, "chat"), (TEXT_TAG, chat)]).unwrap();
        let messages = chat.messages.unwrap();
        assert_eq!((&*messages[0].role, &*messages[0].content), ("system", "Be {{style}}."));
        assert_eq!(messages[1].content, r#"[{"type":"image"}]"#);
        assert_eq!(chat.variables, ["style"]);
        // What is no chat after all is shown as the text that it is.
        assert_eq!(of(&[(TYPE_TAG, "chat"), (TEXT_TAG, "[1]")]).unwrap().messages, None);
    }
}
