//! Backstage's catalogue descriptors: `/api/backstage/{project}.yaml`, the models of a project as entities of the kind
//! `Resource` (<https://backstage.io/docs/features/software-catalog/descriptor-format>).
//!
//! Each entity is a YAML document that is written as JSON, which YAML contains: no text of users needs quoting of its own.

use std::collections::HashMap;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::text::line;
use super::{Visitor, not_utf8};
use crate::access;
use crate::app::App;
use crate::config::Serve;
use crate::error::{Error, Result};
use crate::markdown::summary::summary;
use crate::registry::address;
use crate::registry::catalog::model::listed::{self, Listed, ListedTag, MAX_LISTED};

/// How long a name is, and a tag: Backstage takes no longer ones.
const MAX_NAME: usize = 63;
/// How many digits of a hash tell names apart that would be one.
const HASH: usize = 10;
/// How long a description is, in characters.
const MAX_DESCRIPTION: usize = 300;
const NO_OWNER: &str = "unknown";

pub(super) async fn list(
    State(app): State<App>,
    address: Result<Path<String>, PathRejection>,
    request: HeaderMap,
    visitor: Visitor,
) -> Result<Response> {
    let Path(file) = address.map_err(not_utf8)?;
    let project =
        file.strip_suffix(".yaml").ok_or_else(|| Error::not_found("catalog", file.as_str()))?;
    let reader = access::reader(&app.db, &visitor.actor, project).await?;
    let project = reader.project();
    let mut models = listed::models(&app.db, &project.id).await?;
    let has_more = models.len() > MAX_LISTED;
    models.truncate(MAX_LISTED);
    let mut tags = HashMap::<_, Vec<ListedTag>>::new();
    for tag in listed::tags(&app.db, &models).await? {
        tags.entry(tag.model_id.clone()).or_default().push(tag);
    }
    let mut yaml = match has_more {
        true => {
            format!("# The first {MAX_LISTED} models of {} by name: it has more.\n", project.path)
        }
        false => format!("# The models of {}.\n", project.path),
    };
    for model in &models {
        let tags = tags.get(&model.id).map(Vec::as_slice).unwrap_or_default();
        let entity = entity(&app.config, &project.path, model, tags);
        yaml.push_str(&format!("---\n{entity:#}\n"));
    }
    let answer = visitor.answer(project, "application/yaml", yaml);
    Ok(answer.into_response_to(&request))
}

fn entity(config: &Serve, project: &str, model: &Listed, model_tags: &[ListedTag]) -> Value {
    let path = format!("{project}/{}", model.name);
    let mut metadata = json!({
        "name": name(project, &model.name),
        "title": path,
        "annotations": { "model-registry/path": path },
    });
    let description = line(&summary(&model.description, MAX_DESCRIPTION), MAX_DESCRIPTION);
    if !description.is_empty() {
        metadata["description"] = description.into();
    }
    let tags = tags(model_tags);
    if !tags.is_empty() {
        metadata["tags"] = tags.into();
    }
    // Elsewhere, an address without a host leads nowhere.
    if config.public_url.is_some() {
        let page = address::at(config, &[project, &model.name]);
        metadata["links"] = json!([{ "url": page, "title": super::unfurl::SITE_NAME }]);
        metadata["annotations"]["backstage.io/view-url"] = page.into();
    }
    json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Resource",
        "metadata": metadata,
        "spec": {
            "type": if model.kind == "PROMPT" { "ml-prompt" } else { "ml-model" },
            "owner": model.owner.as_deref().filter(|owner| is_reference(owner)).unwrap_or(NO_OWNER),
            "lifecycle": lifecycle(model),
        },
    })
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

/// Whether a text can be the name of an entity: up to 63 letters and digits, with `-`, `_` and `.` between them.
fn is_name(text: &str) -> bool {
    let is_end = |character: char| character.is_ascii_alphanumeric();
    text.len() <= MAX_NAME
        && text.starts_with(is_end)
        && text.ends_with(is_end)
        && text.chars().all(is_name_character)
}

/// The name of the entity of a model, which no other has: Backstage knows fewer names than there are, and no case of letters.
fn name(project: &str, model: &str) -> String {
    // The path of a project has no dot.
    let plain = format!("{project}.{model}");
    let is_hashed = plain.rsplit_once('-').is_some_and(|(_, end)| {
        end.len() == HASH && end.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    if is_name(&plain) && !is_hashed && !plain.contains(|c: char| c.is_ascii_uppercase()) {
        return plain;
    }
    let hash = hex::encode(Sha256::digest(&plain));
    let known =
        plain.chars().map(|c| if is_name_character(c) { c.to_ascii_lowercase() } else { '-' });
    let begin: String = known.take(MAX_NAME - 1 - HASH).collect();
    format!("{}-{}", begin.trim_end_matches(['-', '_', '.']), &hash[..HASH])
}

/// Whether a text names an entity: `[kind:][namespace/]name`.
fn is_reference(text: &str) -> bool {
    let (kind, rest) = text.split_once(':').unwrap_or(("group", text));
    let (namespace, name) = rest.split_once('/').unwrap_or(("default", rest));
    [kind, namespace, name].into_iter().all(is_name)
}

/// The tags of a model as Backstage takes them: `task:ocr`.
fn tags(tags: &[ListedTag]) -> Vec<String> {
    let mut written: Vec<String> = Vec::new();
    for ListedTag { key, value, .. } in tags {
        let mut text = String::new();
        for character in format!("{key}:{value}").trim_end_matches(':').chars() {
            match character.to_ascii_lowercase() {
                known @ ('a'..='z' | '0'..='9' | ':' | '+' | '#') => text.push(known),
                _ if text.is_empty() || text.ends_with('-') => {}
                _ => text.push('-'),
            }
        }
        let text = text.trim_end_matches('-');
        let is_word = text.len() <= MAX_NAME && text.contains(|c: char| c.is_ascii_alphanumeric());
        if is_word && !written.iter().any(|tag| tag == text) {
            written.push(text.to_owned());
        }
    }
    written
}

/// What the tag says, or else what the latest version does.
fn lifecycle(model: &Listed) -> String {
    let told = model.lifecycle.as_deref().map(|text| line(text, MAX_NAME));
    if let Some(told) = told.filter(|text| !text.is_empty()) {
        return told;
    }
    let lifecycle = match (model.is_published, model.is_deprecated) {
        (Some(true), Some(true)) => "deprecated",
        (Some(true), _) => "production",
        _ => "experimental",
    };
    lifecycle.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_backstage_takes_and_never_the_same() {
        assert_eq!(name("vision", "ocr"), "vision.ocr");
        assert_eq!(name("vision", "ocr_v2.tiny"), "vision.ocr_v2.tiny");
        let long = "x".repeat(255);
        let hashed = name("vision", "a b");
        // Somebody may call a model as another is called there.
        let copied = hashed.strip_prefix("vision.").unwrap();
        let models =
            ["OCR", "ocr", "Ocr", "a b", "a-b", "a!b", "é", "--", "_", &long, "x.", copied];
        let names: Vec<String> = models.iter().map(|model| name("vision", model)).collect();
        for (model, name) in models.iter().zip(&names) {
            assert!(is_name(name), "{model}: {name}");
            let same = names.iter().filter(|other| other.eq_ignore_ascii_case(name));
            assert_eq!(same.count(), 1, "{model}: {name}");
        }
    }

    #[test]
    fn owners_are_references() {
        for text in ["team-a", "group:team-a", "user:default/jane", "Team_A.b"] {
            assert!(is_reference(text), "{text}");
        }
        for text in ["", "Jane Doe", "a:b:c", "a/b/c", ":a", "a/", "é", "-a"] {
            assert!(!is_reference(text), "{text}");
        }
    }

    #[test]
    fn tags_are_of_the_letters_that_backstage_takes() {
        let tag = |key: &str, value: &str| ListedTag {
            model_id: crate::id::ModelId::from_raw(""),
            key: key.into(),
            value: value.into(),
        };
        let given = [
            tag("task", "OCR v2"),
            tag("gpu", ""),
            tag("é", "é"),
            tag("-a", "b-"),
            tag("x", &"y".repeat(70)),
            tag("Gpu", ""),
        ];
        assert_eq!(tags(&given), ["task:ocr-v2", "gpu", "a:b"]);
    }
}
