//! Bodies of messages, in each format.

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::occurrence::Occurrence;
use super::pair::Pair;
use super::{Webhook, WebhookFormat, mlflow_body, sentence};
use crate::action::in_webhooks;
use crate::config::Serve;
use crate::error::Result;
use crate::registry::address;
use crate::registry::metadata::tag::Tag;
use crate::time::Timestamp;

/// How the type of a CloudEvent begins.
const TYPE: &str = "org.model-registry";

/// What a receiver takes a body for.
pub fn content_type(format: WebhookFormat) -> &'static str {
    match format {
        WebhookFormat::CloudEvents => "application/cloudevents+json",
        WebhookFormat::Standard | WebhookFormat::Mlflow | WebhookFormat::Text => "application/json",
    }
}

/// The body of the message that tells a webhook of an event. `tags` are those of what MLflow's message is about.
pub fn of(config: &Serve, hook: &Webhook, event: &Occurrence, tags: &[Tag]) -> Result<String> {
    let body = match hook.format {
        WebhookFormat::Standard => standard(config, event)?,
        WebhookFormat::Mlflow => mlflow_body::of(event, tags),
        WebhookFormat::CloudEvents => cloud_event(config, event)?,
        WebhookFormat::Text => chat(&hook.url, &line(config, event)),
    };
    Ok(body.to_string())
}

fn actor(event: &Occurrence) -> Value {
    event
        .actor
        .as_ref()
        .map_or(Value::Null, |username| json!({ "username": username, "robot": event.is_robot }))
}

fn standard(config: &Serve, event: &Occurrence) -> Result<Value> {
    Ok(json!({
        "type": in_webhooks(&event.action_name),
        "timestamp": event.at_ms.to_rfc3339(),
        "project": event.project,
        "actor": actor(event),
        "data": data(config, event)?,
    }))
}

fn cloud_event(config: &Serve, event: &Occurrence) -> Result<Value> {
    let mut data = data(config, event)?;
    data.insert("project".to_owned(), json!(event.project));
    data.insert("actor".to_owned(), actor(event));
    Ok(json!({
        "specversion": "1.0",
        "id": event.event_id,
        "source": config.own_url().unwrap_or_else(|| "model-registry".to_owned()),
        "type": format!("{TYPE}.{}", in_webhooks(&event.action_name)),
        "subject": event.subject,
        "time": event.at_ms.to_rfc3339(),
        "datacontenttype": "application/json",
        "data": data,
    }))
}

/// What happened to what: as much as a job needs to begin.
fn data(config: &Serve, event: &Occurrence) -> Result<Map<String, Value>> {
    let mut data = event.detail()?;
    data.retain(|_, value| !value.is_null());
    if event.action_name == "alias.set"
        && let Some(to) = data.get("version").cloned()
    {
        data.insert("to".to_owned(), to);
    }
    let facts = [
        ("subject", json!(event.subject)),
        ("model", json!(event.model_path())),
        ("version", json!(event.version)),
        ("number", json!(event.number)),
        (
            "digest",
            json!(
                event
                    .digest
                    .as_ref()
                    .filter(|_| !event.is_draft())
                    .map(|digest| format!("sha256:{digest}"))
            ),
        ),
        ("url", json!(page(config, event))),
        ("files", json!(files(config, event))),
    ];
    data.extend(
        facts
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value)),
    );
    if event.refused {
        data.insert("refused".to_owned(), true.into());
    }
    Ok(data)
}

/// The page of what an event is about, if the registry knows its own address.
fn page(config: &Serve, event: &Occurrence) -> Option<String> {
    config.public_url.as_ref()?;
    let project = event.project.as_deref()?;
    Some(match (event.model.as_deref(), event.version.as_deref()) {
        (Some(model), Some(version)) => address::at(config, &[project, model, "versions", version]),
        (Some(model), None) => address::at(config, &[project, model]),
        (None, _) => address::at(config, &[project]),
    })
}

/// Where the files of a version are.
fn files(config: &Serve, event: &Occurrence) -> Option<String> {
    config.public_url.as_ref()?;
    let version = event.version.as_deref()?;
    Some(address::files(config, event.project.as_deref()?, event.model.as_deref()?, version))
}

fn line(config: &Serve, event: &Occurrence) -> String {
    let page = page(config, event).map(|page| format!(" {page}")).unwrap_or_default();
    format!("{}{page}", sentence::of(event))
}

/// A line as the chat takes it that the URL leads to. What users wrote calls nobody and links nowhere.
fn chat(url: &str, text: &str) -> Value {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let is_of = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    if is_of("discord.com") || is_of("discordapp.com") {
        return json!({ "content": text, "allowed_mentions": { "parse": [] } });
    }
    if is_of("webhook.office.com") || is_of("logic.azure.com") || is_of("api.powerplatform.com") {
        return json!({ "type": "message", "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [{ "type": "TextBlock", "text": text, "wrap": true }],
            },
        }]});
    }
    json!({ "text": text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") })
}

/// The body of a test: of MLflow's messages the example that MLflow itself sends.
pub fn of_test(
    hook: &Webhook,
    pair: Option<&'static Pair>,
    at: Timestamp,
    id: &str,
    by: &str,
) -> String {
    let text = format!("{by} sent a test of the webhook {}", hook.name);
    let data = json!({ "subject": hook.name });
    let actor = json!({ "username": by, "robot": false });
    let body = match hook.format {
        WebhookFormat::Standard => {
            json!({ "type": "webhook.test", "timestamp": at.to_rfc3339(), "project": null, "actor": actor, "data": data })
        }
        WebhookFormat::CloudEvents => json!({
            "specversion": "1.0", "id": id, "source": "model-registry", "type": format!("{TYPE}.webhook.test"),
            "subject": hook.name, "time": at.to_rfc3339(), "datacontenttype": "application/json", "data": data,
        }),
        WebhookFormat::Text => chat(&hook.url, &text),
        WebhookFormat::Mlflow => {
            let pair = pair.or_else(|| hook.events().first().and_then(|name| Pair::named(name)));
            pair.map_or(Value::Null, |pair| mlflow_body::example(pair, at))
        }
    };
    body.to_string()
}
