//! Tags, params and metrics: what models, versions and candidates carry.

use super::{
    mutation,
    scalar::{DateTime, MetricValue},
    schema,
};
use crate::logic::error::ApiError;

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

impl Tag {
    /// Whether it is one that MLflow's client sets by itself.
    pub fn is_system(&self) -> bool {
        is_system_tag(&self.key)
    }
}

/// As [`Tag::is_system`], of a key.
pub fn is_system_tag(key: &str) -> bool {
    key.starts_with("mlflow.") || key.starts_with("_mlflow_")
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Param {
    pub name: String,
    pub value: String,
}

/// The latest point of a metric.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Metric {
    pub name: String,
    pub value: MetricValue,
    pub step: i64,
    pub timestamp: DateTime,
    /// As the name tells; none where it does not.
    pub lower_is_better: Option<bool>,
}

/// What carries tags: a model, or one of its versions or candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub model: String,
    pub version: Option<String>,
    pub candidate: Option<i32>,
}

impl Target {
    pub fn model(model: String) -> Self {
        Self { model, version: None, candidate: None }
    }

    pub fn version(model: String, version: String) -> Self {
        Self { model, version: Some(version), candidate: None }
    }

    pub fn candidate(model: String, number: i32) -> Self {
        Self { model, version: None, candidate: Some(number) }
    }
}

#[derive(cynic::InputObject, Clone)]
pub struct SetTagInput {
    model: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    candidate: Option<i32>,
    key: String,
    value: String,
}

mutation! { $
    set_input: set_tag(SetTagInput) -> "SetTagPayload" { tag: Tag }
}

/// Adds a tag, or gives it another value.
pub async fn set(target: Target, key: String, value: String) -> Result<Tag, ApiError> {
    let Target { model, version, candidate } = target;
    set_input(SetTagInput { model, version, candidate, key, value }).await
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteTagInput {
    model: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    candidate: Option<i32>,
    key: String,
}

mutation! { $
    delete_input: delete_tag(DeleteTagInput) -> "DeleteTagPayload" { tag: Tag }
}

/// Removes a tag.
pub async fn delete(target: Target, key: String) -> Result<Tag, ApiError> {
    let Target { model, version, candidate } = target;
    delete_input(DeleteTagInput { model, version, candidate, key }).await
}
