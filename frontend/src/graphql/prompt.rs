//! Prompts: models whose versions have a template instead of files.

use super::{
    model::{self, CreateModelInput, ModelName, TagInput},
    schema,
    version::{self, CreateModelVersionInput, PublishModelVersionInput, VersionName},
};
use crate::logic::error::ApiError;

/// A template, and what it is made for.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "PromptTemplate")]
pub struct Template {
    pub text: String,
    /// Of a chat.
    pub messages: Option<Vec<Message>>,
    pub variables: Vec<String>,
    /// JSON.
    pub response_format: Option<String>,
    /// JSON.
    pub model_config: Option<String>,
}

/// One message of a chat.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "PromptMessage")]
pub struct Message {
    pub role: String,
    pub content: String,
}

impl Template {
    /// As it is read: the messages of a chat below each other.
    pub fn plain(&self) -> String {
        let Some(messages) = &self.messages else { return self.text.clone() };
        let message = |message: &Message| format!("{}:\n{}", message.role, message.content);
        messages.iter().map(message).collect::<Vec<_>>().join("\n\n")
    }
}

/// A template in a list.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "PromptTemplate")]
pub struct Excerpt {
    pub beginning: String,
}

/// The template of a model's latest version.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct LatestTemplate {
    pub prompt: Option<Template>,
}

/// What a list shows of a model's latest version, if it is a prompt.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct LatestExcerpt {
    pub prompt: Option<Excerpt>,
}

/// A template to register, and what it takes over from the one before it.
pub struct NewTemplate {
    pub text: String,
    pub is_chat: bool,
    pub before: Option<Template>,
    /// What is new in it.
    pub message: Option<String>,
}

fn tag(key: &str, value: impl Into<String>) -> TagInput {
    TagInput { key: key.to_owned(), value: value.into() }
}

fn is_prompt() -> TagInput {
    tag("mlflow.prompt.is_prompt", "true")
}

impl NewTemplate {
    /// As MLflow's clients keep it.
    fn tags(self) -> Vec<TagInput> {
        let kind = if self.is_chat { "chat" } else { "text" };
        let mut tags = vec![
            is_prompt(),
            tag("mlflow.prompt.text", self.text),
            tag("_mlflow_prompt_type", kind),
        ];
        let before = self.before.map(|before| (before.response_format, before.model_config));
        let (format, config) = before.unwrap_or_default();
        tags.extend(format.map(|format| tag("_mlflow_prompt_response_format", format)));
        tags.extend(config.map(|config| tag("_mlflow_prompt_model_config", config)));
        tags
    }
}

/// What was made, and what then failed: that is not undone.
pub struct Made<T> {
    pub made: T,
    pub failed: Option<ApiError>,
}

/// Publishes one more version of a prompt; the next one unless told which.
pub async fn add(
    model: String,
    version: Option<String>,
    mut new: NewTemplate,
) -> Result<Made<VersionName>, ApiError> {
    let description = new.message.take();
    let tags = Some(new.tags());
    let input = CreateModelVersionInput { model: model.clone(), version, description, tags };
    let made = version::create(input).await?;
    let input = PublishModelVersionInput {
        model,
        version: made.version.clone(),
        without_uploads: false,
        required_files: Vec::new(),
    };
    let failed = version::publish(input).await.err();
    Ok(Made { made, failed })
}

/// Makes a prompt with its first version.
pub async fn create(
    project: String,
    name: String,
    first: NewTemplate,
) -> Result<Made<ModelName>, ApiError> {
    let tags = Some(vec![is_prompt()]);
    let made = model::create(CreateModelInput { project, name, description: None, tags }).await?;
    let failed = match add(made.path.clone(), None, first).await {
        Ok(version) => version.failed,
        Err(error) => Some(error),
    };
    Ok(Made { made, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_read_as_what_is_said() {
        let said =
            |role: &str, content: &str| Message { role: role.into(), content: content.into() };
        let messages = Some(vec![said("system", "Be\n  {{style}}."), said("user", "{{question}}")]);
        let template = Template {
            text: "[…]".to_owned(),
            messages,
            variables: Vec::new(),
            response_format: Some("{}".to_owned()),
            model_config: None,
        };
        assert_eq!(template.plain(), "system:\nBe\n  {{style}}.\n\nuser:\n{{question}}");
        let new = NewTemplate {
            text: "[]".to_owned(),
            is_chat: true,
            before: Some(template),
            message: None,
        };
        let keys: Vec<_> = new.tags().into_iter().map(|tag| tag.key).collect();
        assert_eq!(keys[3..], ["_mlflow_prompt_response_format"]);
    }
}
