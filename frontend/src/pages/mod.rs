//! One file a route: what it asks, what it shows, and its private parts.

pub mod account;
pub mod admin;
pub mod all_models;
pub mod candidate;
pub mod candidates;
pub mod compare;
pub mod experiment;
pub mod experiments;
pub mod invitation;
pub mod members;
pub mod mlflow_link;
pub mod model;
pub mod model_audit;
pub mod model_card;
pub mod model_edit;
pub mod model_new;
pub mod models;
pub mod not_found;
pub mod operations;
pub mod operations_lists;
pub mod operations_rules;
pub mod project;
pub mod project_audit;
pub mod project_edit;
pub mod project_new;
pub mod project_tokens;
pub mod projects;
pub mod prompt_card;
pub mod prompt_new;
pub mod prompts;
pub mod sessions;
pub mod settings;
pub mod sign_in;
pub mod tokens;
pub mod trash;
pub mod user_actions;
pub mod users;
pub mod version;
pub mod version_new;
pub mod versions;
pub mod webhooks;

use crate::{
    graphql::{scalar::ModelStage, viewer::Author},
    parts::page::{leave_when_empty, leave_when_empty_of, neighbours, use_place, use_place_of},
};

/// An author as the component wants it.
fn person(author: Option<Author>) -> Option<(String, String)> {
    author.map(Author::names)
}

/// What MLflow calls a stage; nothing where a version is in none.
fn stage_name(stage: ModelStage) -> Option<&'static str> {
    match stage {
        ModelStage::None => None,
        ModelStage::Staging => Some("Staging"),
        ModelStage::Production => Some("Production"),
        ModelStage::Archived => Some("Archived"),
    }
}

/// Whom pages that change something are for.
const DEVELOPERS: &str = "developers, maintainers and owners of the project";
const MAINTAINERS: &str = "maintainers and owners of the project";
