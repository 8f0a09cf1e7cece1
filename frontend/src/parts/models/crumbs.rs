//! Breadcrumbs: what leads to a model or prompt.

use crate::{graphql::kind::ModelKind, logic::address};

/// All projects, the project, and for prompts their list.
pub fn above(kind: ModelKind, project: &str) -> Vec<(String, String)> {
    let mut crumbs = vec![
        ("Projects".to_owned(), address::at("/")),
        (project.to_owned(), address::project(project)),
    ];
    if kind == ModelKind::Prompt {
        crumbs.push(("Prompts".to_owned(), address::project_page(project, "prompts")));
    }
    crumbs
}

/// As [`above`], with the model and its versions.
pub fn to_versions(
    kind: ModelKind,
    project: &str,
    path: &str,
    name: &str,
) -> Vec<(String, String)> {
    let mut crumbs = above(kind, project);
    crumbs.push((name.to_owned(), address::model(path)));
    crumbs.push(("Versions".to_owned(), address::model_page(path, "versions")));
    crumbs
}
