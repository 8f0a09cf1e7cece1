//! Bodies of messages as MLflow's own server sends them.

use serde_json::{Map, Value, json};

use super::occurrence::Occurrence;
use super::pair::Pair;
use crate::registry::metadata::tag::Tag;
use crate::registry::metadata::tag::prompt::{PROMPT_TAG, TEXT_TAG, TYPE_TAG};
use crate::time::Timestamp;

/// As `mlflow/webhooks/delivery.py` of MLflow 3.17 writes it, with the workspace, which is the project.
pub fn of(event: &Occurrence, tags: &[Tag]) -> Value {
    let Some(pair) = Pair::of(event) else { return Value::Null };
    wrapped(pair, event.at_ms, event.project.as_deref(), data(pair, event, tags))
}

fn wrapped(pair: &Pair, at: Timestamp, workspace: Option<&str>, data: Value) -> Value {
    // As Python's `isoformat` in UTC.
    let timestamp = at.to_rfc3339().replace('Z', "000+00:00");
    json!({ "entity": pair.entity, "action": pair.action, "timestamp": timestamp, "workspace": workspace, "data": data })
}

fn data(pair: &Pair, event: &Occurrence, tags: &[Tag]) -> Value {
    let name = &event.model;
    let version = event.number.map(|number| number.to_string());
    let description = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let tags_without = |left_out: &[&str]| -> Map<String, Value> {
        let kept = tags.iter().filter(|tag| !left_out.contains(&tag.key.as_str()));
        kept.map(|tag| (tag.key.clone(), tag.value.clone().into())).collect()
    };
    let (key, alias) = (event.said("key"), event.said("alias"));
    match (pair.entity, pair.action) {
        ("registered_model", _) => {
            json!({ "name": name, "tags": tags_without(&[]), "description": description(&event.model_description) })
        }
        ("prompt", _) => {
            json!({ "name": name, "tags": tags_without(&[PROMPT_TAG, TYPE_TAG]), "description": description(&event.model_description) })
        }
        ("model_version", _) => json!({
            "name": name, "version": version, "source": event.source, "run_id": event.run_id, "tags": tags_without(&[]),
            "description": description(&event.version_description),
        }),
        ("prompt_version", _) => json!({
            "name": name, "version": version, "template": tags.iter().find(|tag| tag.key == TEXT_TAG).map(|tag| &tag.value),
            "tags": tags_without(&[PROMPT_TAG, TYPE_TAG, TEXT_TAG]), "description": description(&event.version_description),
        }),
        ("prompt_tag", "set") => json!({ "name": name, "key": key, "value": event.said("value") }),
        ("prompt_tag", _) => json!({ "name": name, "key": key }),
        ("model_version_tag" | "prompt_version_tag", "set") => {
            json!({ "name": name, "version": version, "key": key, "value": event.said("value") })
        }
        ("model_version_tag" | "prompt_version_tag", _) => {
            json!({ "name": name, "version": version, "key": key })
        }
        (_, "created") => json!({ "name": name, "alias": alias, "version": version }),
        _ => json!({ "name": name, "alias": alias }),
    }
}

/// What `mlflow/webhooks/types.py` gives as an example.
pub fn example(pair: &Pair, at: Timestamp) -> Value {
    wrapped(pair, at, None, example_data(pair))
}

fn example_data(pair: &Pair) -> Value {
    let name = if pair.entity.starts_with("prompt") { "example_prompt" } else { "example_model" };
    let (tags, key, value) =
        (json!({ "example_key": "example_value" }), "example_key", "example_value");
    match (pair.entity, pair.action) {
        ("registered_model", _) => {
            json!({ "name": name, "tags": tags, "description": "An example registered model" })
        }
        ("prompt", _) => json!({ "name": name, "tags": tags, "description": "An example prompt" }),
        ("model_version", _) => json!({
            "name": name, "version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678", "tags": tags,
            "description": "An example model version",
        }),
        ("prompt_version", _) => json!({
            "name": name, "version": "1", "template": "Hello {{name}}!", "tags": tags,
            "description": "An example prompt version",
        }),
        ("prompt_tag", "set") => json!({ "name": name, "key": key, "value": value }),
        ("prompt_tag", _) => json!({ "name": name, "key": key }),
        ("model_version_tag" | "prompt_version_tag", "set") => {
            json!({ "name": name, "version": "1", "key": key, "value": value })
        }
        ("model_version_tag" | "prompt_version_tag", _) => {
            json!({ "name": name, "version": "1", "key": key })
        }
        ("model_version_alias" | "prompt_alias", "created") => {
            json!({ "name": name, "alias": "example_alias", "version": "1" })
        }
        ("model_version_alias" | "prompt_alias", _) => {
            json!({ "name": name, "alias": "example_alias" })
        }
        _ => json!({}),
    }
}
